"""LangChain's own suite for vector stores: all of it, on every engine, without a skip or an expected failure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from langchain_octant import OctantVectorStore
from langchain_tests.integration_tests import VectorStoreIntegrationTests


class TestStore(VectorStoreIntegrationTests):
    """On a Collection: the asynchronous methods run in a thread."""

    @pytest.fixture
    def vectorstore(self, place: dict[str, Any]) -> Iterator[OctantVectorStore]:
        store = OctantVectorStore.open(self.get_embeddings(), **place)
        yield store
        assert store.collection is not None
        store.collection.close()


class TestAsyncStore(VectorStoreIntegrationTests):
    """On an AsyncCollection: the asynchronous methods are native, and there are no others."""

    is_async_alone = True

    @pytest.fixture
    async def vectorstore(self, place: dict[str, Any]) -> AsyncIterator[OctantVectorStore]:
        store = await OctantVectorStore.aopen(self.get_embeddings(), **place)
        yield store
        assert store.async_collection is not None
        await store.async_collection.close()
