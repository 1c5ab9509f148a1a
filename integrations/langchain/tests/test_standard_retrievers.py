"""LangChain's own suite for retrievers: octant's, and the one that a vector store gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.retrievers import BaseRetriever
from langchain_octant import OctantRetriever, OctantVectorStore
from langchain_tests.integration_tests import RetrieversIntegrationTests
from parts import CountingEmbeddings


class _OnAStore(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _store(self, place: dict[str, Any]) -> Iterator[None]:
        self.store = OctantVectorStore.from_texts([f"document {i}" for i in range(6)], CountingEmbeddings(), **place)
        assert self.store.collection is not None
        yield
        self.store.collection.close()

    @property
    def retriever_query_example(self) -> str:
        return "document 3"


class TestOctantRetriever(_OnAStore):
    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return OctantRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"collection": self.store.collection, "k": 2}


class TestAsRetriever(_OnAStore):
    @property
    def retriever_constructor(self) -> Any:
        def made(k: int = 4) -> BaseRetriever:
            return self.store.as_retriever(search_kwargs={"k": k})

        return made
