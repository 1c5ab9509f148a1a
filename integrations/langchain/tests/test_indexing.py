"""LangChain's indexing API: every way of cleaning up, and nothing embedded that did not change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal

import pytest
from langchain_core.documents import Document
from langchain_core.indexing import InMemoryRecordManager, aindex, index
from langchain_octant import OctantVectorStore
from parts import CountingEmbeddings

Cleanup = Literal["incremental", "full", "scoped_full"] | None
CLEANUPS: list[Cleanup] = [None, "incremental", "full", "scoped_full"]

FIRST = [
    Document(page_content="one", metadata={"source": "a"}),
    Document(page_content="two", metadata={"source": "a"}),
    Document(page_content="three", metadata={"source": "b"}),
    Document(page_content="four", metadata={"source": "c"}),
]
SECOND = [FIRST[0], Document(page_content="two, changed", metadata={"source": "a"}), FIRST[2]]
# "two" is gone from source a; "four" with its source c, which only a full cleanup notices
LEFT: dict[Cleanup, set[str]] = {
    None: {"one", "two", "two, changed", "three", "four"},
    "incremental": {"one", "two, changed", "three", "four"},
    "scoped_full": {"one", "two, changed", "three", "four"},
    "full": {"one", "two, changed", "three"},
}


@pytest.fixture
def counting() -> CountingEmbeddings:
    return CountingEmbeddings()


@pytest.fixture
def store(place: dict[str, Any], counting: CountingEmbeddings) -> Iterator[OctantVectorStore]:
    made = OctantVectorStore.open(counting, **place)
    assert made.collection is not None
    yield made
    made.collection.close()


@pytest.fixture
async def astore(place: dict[str, Any], counting: CountingEmbeddings) -> AsyncIterator[OctantVectorStore]:
    made = await OctantVectorStore.aopen(counting, **place)
    assert made.async_collection is not None
    yield made
    await made.async_collection.close()


@pytest.mark.parametrize("cleanup", CLEANUPS)
def test_index(store: OctantVectorStore, counting: CountingEmbeddings, cleanup: Cleanup) -> None:
    records = InMemoryRecordManager(namespace="octant")
    options: dict[str, Any] = {"cleanup": cleanup, "source_id_key": "source", "key_encoder": "sha256"}
    assert index(FIRST, records, store, **options)["num_added"] == 4
    assert counting.documents == 4
    again = index(FIRST, records, store, **options)
    assert (again["num_added"], again["num_skipped"], again["num_deleted"]) == (0, 4, 0)
    assert counting.documents == 4
    changed = index(SECOND, records, store, **options)
    assert (changed["num_added"], changed["num_skipped"]) == (1, 2)
    assert counting.documents == 5
    assert {document.page_content for document in store.similarity_search("one", k=10)} == LEFT[cleanup]
    # a lost record manager costs writes, not embeddings: what stands in the collection is compared with
    index(SECOND, InMemoryRecordManager(namespace="another"), store, key_encoder="sha256")
    index(SECOND, records, store, **options, force_update=True)
    assert counting.documents == 5


@pytest.mark.parametrize("cleanup", CLEANUPS)
async def test_aindex(astore: OctantVectorStore, counting: CountingEmbeddings, cleanup: Cleanup) -> None:
    records = InMemoryRecordManager(namespace="octant")
    options: dict[str, Any] = {"cleanup": cleanup, "source_id_key": "source", "key_encoder": "sha256"}
    assert (await aindex(FIRST, records, astore, **options))["num_added"] == 4
    assert (await aindex(FIRST, records, astore, **options))["num_skipped"] == 4
    assert (await aindex(SECOND, records, astore, **options))["num_added"] == 1
    assert {document.page_content for document in await astore.asimilarity_search("one", k=10)} == LEFT[cleanup]
    await aindex(SECOND, records, astore, **options, force_update=True)
    assert counting.documents == 5


def test_metadata_alone_costs_no_embedding(store: OctantVectorStore, counting: CountingEmbeddings) -> None:
    """Other metadata are another id to LangChain; to octant the content is the same."""
    records = InMemoryRecordManager(namespace="octant")
    options: dict[str, Any] = {"cleanup": "full", "source_id_key": "source", "key_encoder": "sha256"}
    index(FIRST, records, store, **options)
    moved = [Document(page_content=one.page_content, metadata={"source": "z"}) for one in FIRST]
    result = index(moved, records, store, **options)
    assert (result["num_added"], result["num_deleted"]) == (4, 4)
    assert counting.documents == 4
