"""Collections that langchain-qdrant itself wrote: read in place, and copied without embedding anything again."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.vectorstores.utils import maximal_marginal_relevance
from langchain_octant import LangChainQdrantStore, OctantVectorStore
from langchain_qdrant import QdrantVectorStore
from parts import CountingEmbeddings
from qdrant_client import QdrantClient, models

from octant import F, FilterError, SchemaMismatch

TEXTS = [f"{colour} {fruit}" for fruit in ("apple", "pear", "plum") for colour in ("red", "green", "blue", "ripe")]
IDS = [str(uuid.uuid5(uuid.NAMESPACE_OID, text)) for text in TEXTS]
METADATA = [{"n": i, "source": {"page": i % 3}} for i in range(len(TEXTS))]


class Theirs:
    """A collection that langchain-qdrant wrote in local mode, and its client."""

    def __init__(self, path: Path, vector_name: str) -> None:
        self.embedding = CountingEmbeddings()
        theirs: Any = QdrantVectorStore  # which leaves types open
        store = theirs.from_texts(
            TEXTS, self.embedding, METADATA, IDS, collection_name="docs", path=str(path), vector_name=vector_name
        )
        self.first = [document for document, _ in store.similarity_search_with_score("ripe plum", k=12)]
        self.scores = [score for _, score in store.similarity_search_with_score("ripe plum", k=12)]
        store.client.close()
        self.client = QdrantClient(path=str(path))  # opened again: it is on disk
        self.store = LangChainQdrantStore(self.client, "docs", self.embedding)


@pytest.fixture(params=["", "dense"], ids=["unnamed", "named"])
def theirs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Theirs]:
    made = Theirs(tmp_path / "theirs", request.param)
    yield made
    made.client.close()


@pytest.fixture
def target(place: dict[str, Any]) -> Iterator[tuple[OctantVectorStore, CountingEmbeddings]]:
    counting = CountingEmbeddings()
    store = OctantVectorStore.open(counting, **place)
    assert store.collection is not None
    yield store, counting
    store.collection.close()


def test_searched_in_place(theirs: Theirs) -> None:
    found = theirs.store.similarity_search_with_score("ripe plum", k=12)
    assert [score for _, score in found] == pytest.approx(theirs.scores)
    assert {d.id: d.page_content for d, _ in found} == dict(zip(IDS, TEXTS, strict=True))
    assert found[0][0] == Document(id=IDS[-1], page_content="ripe plum", metadata=METADATA[-1])
    assert "_id" in theirs.first[0].metadata  # which theirs has, and a document of octant's has as its id
    vector = theirs.embedding.embed_query("ripe plum")
    assert theirs.store.similarity_search_by_vector(vector, k=1) == theirs.store.similarity_search("ripe plum", k=1)
    relevance = theirs.store.similarity_search_with_relevance_scores("ripe plum", k=2)
    assert relevance[0][1] == pytest.approx(1.0)
    assert theirs.store.as_retriever(search_kwargs={"k": 1}).invoke("ripe plum")[0].id == IDS[-1]


def test_what_was_injected_and_stored_again_is_left_out(theirs: Theirs) -> None:
    client = QdrantClient(":memory:")
    params = models.VectorParams(size=32, distance=models.Distance.COSINE)
    client.create_collection("again", vectors_config=params)
    QdrantVectorStore(client, "again", theirs.embedding).add_documents(theirs.first[:2], ids=IDS[:2])
    stored = client.retrieve("again", IDS[:1])[0].payload
    assert stored is not None
    assert stored["metadata"]["_collection_name"] == "docs"  # and its `_id` is that of another point
    found = LangChainQdrantStore(client, "again", theirs.embedding).get_by_ids(IDS[:2])
    assert [set(document.metadata) for document in found] == [{"n", "source"}] * 2
    client.close()


def test_filtered_in_place(theirs: Theirs) -> None:
    by_qdrant = models.Filter(must=[models.FieldCondition(key="metadata.n", range=models.Range(lt=2))])
    for filter in (by_qdrant, F("metadata.n") < 2, "metadata.n < 2", {"metadata.n": {"$lt": 2}}):
        found = theirs.store.similarity_search("plum", k=5, filter=filter)
        assert {document.metadata["n"] for document in found} == {0, 1}
    with pytest.raises(FilterError):
        theirs.store.similarity_search("plum", filter="metadata.n <")
    with pytest.raises(TypeError, match="does not know 'offset'"):
        theirs.store.similarity_search("plum", offset=1)


@pytest.mark.parametrize("lambda_mult", [0.0, 0.4, 1.0])
def test_mmr_is_the_right_way_round(theirs: Theirs, lambda_mult: float) -> None:
    asked = "ripe ripe ripe plum plum green"
    nearest = [document.page_content for document in theirs.store.similarity_search(asked, k=6)]
    rows = CountingEmbeddings().embed_documents(nearest)
    vector = np.array(CountingEmbeddings().embed_query(asked))
    expected = maximal_marginal_relevance(vector, rows, lambda_mult=lambda_mult, k=3)
    found = theirs.store.max_marginal_relevance_search(asked, k=3, fetch_k=6, lambda_mult=lambda_mult)

    def worth(chosen: list[str]) -> list[float]:  # equal ones may be chosen in either order
        rows = CountingEmbeddings().embed_documents(chosen)
        return [
            lambda_mult * float(vector @ row)
            - (1 - lambda_mult) * max((float(np.array(row) @ before) for before in rows[:i]), default=0.0)
            for i, row in enumerate(rows)
        ]

    assert worth([d.page_content for d in found]) == pytest.approx(worth([nearest[i] for i in expected]), abs=1e-5)
    if lambda_mult == 1.0:
        assert worth([d.page_content for d in found]) == pytest.approx(worth(nearest[:3]), abs=1e-5)


async def test_reads_in_threads(theirs: Theirs) -> None:
    assert await theirs.store.asimilarity_search("ripe plum", k=2) == theirs.store.similarity_search("ripe plum", k=2)
    assert await theirs.store.aget_by_ids([IDS[1]]) == theirs.store.get_by_ids([IDS[1]])


def test_ids_in_place(theirs: Theirs) -> None:
    found = theirs.store.get_by_ids([IDS[3], "no uuid", str(uuid.uuid4()), "17", IDS[0].replace("-", "")])
    assert [document.id for document in found] == [IDS[3], IDS[0]]


def test_is_read_only(theirs: Theirs) -> None:
    for call in (
        lambda: theirs.store.add_texts(["x"]),
        lambda: theirs.store.add_documents([Document(page_content="x")]),
        lambda: theirs.store.delete([IDS[0]]),
        lambda: LangChainQdrantStore.from_texts(["x"], theirs.embedding),
    ):
        with pytest.raises(NotImplementedError, match="only read"):
            call()


def test_copied_without_embedding(theirs: Theirs, target: tuple[OctantVectorStore, CountingEmbeddings]) -> None:
    store, counting = target
    report = theirs.store.copy_to(store)
    assert (report.added, len(report.failed)) == (12, 0)
    assert counting.documents == 1  # the one that tells whether the models agree
    found = store.similarity_search_with_score("ripe plum", k=12)
    assert sorted(score for _, score in found) == pytest.approx(sorted(theirs.scores), abs=1e-5)
    assert found[0][0] == Document(id=IDS[-1], page_content="ripe plum", metadata=METADATA[-1])
    assert [d.page_content for d in store.similarity_search("apple", k=9, filter="n < 2 and source.page = 1")] == [
        TEXTS[1]
    ]
    # from here on it is octant's: what comes again is not embedded, what is new is
    assert theirs.store.copy_to(store).unchanged == 12
    assert counting.documents == 2
    store.add_documents(store.get_by_ids(IDS))
    assert counting.documents == 2
    store.add_texts(["a new one"])
    assert counting.documents == 3


def test_copied_page_by_page(
    theirs: Theirs, target: tuple[OctantVectorStore, CountingEmbeddings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("langchain_octant.langchain_qdrant._PAGE", 5)
    store, counting = target
    assert theirs.store.copy_to(store).added == 12
    assert counting.documents == 1
    assert [document.page_content for document in store.get_by_ids(IDS)] == TEXTS


def test_what_cannot_be_copied_is_reported(
    theirs: Theirs, target: tuple[OctantVectorStore, CountingEmbeddings]
) -> None:
    name = theirs.store.vector_name
    vector: Any = theirs.embedding.embed_query("x")
    points = [
        models.PointStruct(id=1, vector={name: vector} if name else vector, payload={"metadata": {"n": 1}}),
        models.PointStruct(
            id=2, vector={name: vector} if name else vector, payload={"page_content": "x", "metadata": {"a.b": 1}}
        ),
        models.PointStruct(id=3, vector={}, payload={"page_content": "no vector"}),
        models.PointStruct(
            id=4,
            vector={name: vector} if name else vector,
            payload={
                "page_content": "y",
                "metadata": {"octant": {"media": [{"name": "p", "modality": "image", "uri": "file:///etc/passwd"}]}},
            },
        ),
    ]
    theirs.client.upsert("docs", [*points[:2], points[3]] if not name else points)
    report = theirs.store.copy_to(target[0])
    assert report.added == 12
    reasons = {one.source: one.reason for one in report.failed}
    assert "no text under 'page_content'" in reasons["1"]
    assert "'a.b'" in reasons["2"]
    assert "roots" in reasons["4"]
    if name:
        assert "no vector 'dense'" in reasons["3"]


def test_another_model_is_refused(theirs: Theirs, place: dict[str, Any]) -> None:
    class Other(CountingEmbeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [row[::-1] for row in super().embed_documents(texts)]

    other = OctantVectorStore.open(Other(), **place)
    assert other.collection is not None
    with pytest.raises(ValueError, match=r"are not of langchain:.*Other.*cosine"):
        theirs.store.copy_to(other)
    assert other.collection.count() == 0
    other.collection.close()
    with pytest.raises(SchemaMismatch):
        OctantVectorStore.open(theirs.embedding, **place)


def test_other_vectors_are_refused(theirs: Theirs, tmp_path: Path) -> None:
    short = OctantVectorStore.open(CountingEmbeddings(dim=8), path=tmp_path / "short")
    assert short.collection is not None
    with pytest.raises(ValueError, match="32 numbers compared by Cosine, and field 'text' has 8"):
        theirs.store.copy_to(short)
    short.collection.close()


async def test_an_asynchronous_store_is_no_target(theirs: Theirs, tmp_path: Path) -> None:
    store = await OctantVectorStore.aopen(theirs.embedding, path=tmp_path / "async")
    with pytest.raises(ValueError, match="on a Collection"):
        theirs.store.copy_to(store)
    assert store.async_collection is not None
    await store.async_collection.close()


def test_vectors_are_named_where_there_are_several() -> None:
    client = QdrantClient(":memory:")
    params = models.VectorParams(size=32, distance=models.Distance.COSINE)
    client.create_collection("two", vectors_config={"a": params, "b": params})
    with pytest.raises(ValueError, match="2 dense vectors"):
        LangChainQdrantStore(client, "two", CountingEmbeddings())
    with pytest.raises(ValueError, match="no dense vector 'c'"):
        LangChainQdrantStore(client, "two", CountingEmbeddings(), vector_name="c")
    assert LangChainQdrantStore(client, "two", CountingEmbeddings(), vector_name="b").similarity_search("x") == []
    client.close()
