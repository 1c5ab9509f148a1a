from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from llama_index.vector_stores.octant import OctantVectorStore, embedding_schema
from llama_parts import DIM

import octant


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[octant.Collection]:
    with octant.open("nodes", path=tmp_path / "db", schema=embedding_schema(DIM)) as opened:
        yield opened


@pytest.fixture
def store(collection: octant.Collection, tmp_path: Path) -> OctantVectorStore:
    return OctantVectorStore(collection, roots=[tmp_path])


@pytest.fixture(params=["awaited", "in a thread"])
async def awaited(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OctantVectorStore]:
    """A store for asyncio: over an AsyncCollection, and over a plain one."""
    schema = embedding_schema(DIM)
    if request.param == "awaited":
        async with await octant.open_async("nodes", path=tmp_path / "adb", schema=schema) as collection:
            yield OctantVectorStore(async_collection=collection)
    else:
        with octant.open("nodes", path=tmp_path / "adb", schema=schema) as collection:
            yield OctantVectorStore(collection)
