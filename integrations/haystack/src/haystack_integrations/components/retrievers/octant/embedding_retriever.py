"""A retriever by embedding, and by words beside it."""

from __future__ import annotations

from typing import Any

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.document_stores.types import FilterPolicy, apply_filter_policy
from haystack_integrations.document_stores.octant import OctantDocumentStore
from haystack_integrations.document_stores.octant.filters import filter_from

import octant

__all__ = ["OctantEmbeddingRetriever"]


@component
class OctantEmbeddingRetriever:
    """Find the documents nearest to an embedding, or, given the question's words as well, by both.

    Words are searched by BM25, and both rankings are fused by octant; scores are then those of the fusion, no
    similarities. `diversity`, from 0 to 1, orders by maximal marginal relevance: 0 is similarity alone.
    """

    def __init__(
        self,
        document_store: OctantDocumentStore,
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
        diversity: float | None = None,
        return_embedding: bool = False,
        filter_policy: FilterPolicy = FilterPolicy.REPLACE,
    ) -> None:
        if document_store.embedding_field is None:
            raise ValueError("octant embeds the documents of this store itself: use OctantRetriever")
        if top_k < 1:
            raise ValueError(f"top_k is at least 1, not {top_k}")
        self.document_store, self.filters, self.top_k = document_store, filters, top_k
        self.diversity, self.return_embedding, self.filter_policy = diversity, return_embedding, filter_policy

    def to_dict(self) -> dict[str, Any]:
        """Serialise what the retriever was made with."""
        return default_to_dict(
            self,
            document_store=self.document_store,
            filters=self.filters,
            top_k=self.top_k,
            diversity=self.diversity,
            return_embedding=self.return_embedding,
            filter_policy=self.filter_policy.value,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> OctantEmbeddingRetriever:
        """Make a retriever of what `to_dict` gave."""
        made = dict(data["init_parameters"])
        made["filter_policy"] = FilterPolicy.from_str(made["filter_policy"])
        return default_from_dict(cls, {**data, "init_parameters": made})

    @component.output_types(documents=list[Document])
    def run(
        self,
        query_embedding: list[float],
        query: str | None = None,
        filters: dict[str, Any] | None = None,
        top_k: int | None = None,
    ) -> dict[str, list[Document]]:
        """Find documents by an embedding, and by the words of `query` where it is given."""
        asked = self._asked(query_embedding, query, filters, top_k)
        return {"documents": self.document_store.search(asked, return_embedding=self.return_embedding)}

    @component.output_types(documents=list[Document])
    async def run_async(
        self,
        query_embedding: list[float],
        query: str | None = None,
        filters: dict[str, Any] | None = None,
        top_k: int | None = None,
    ) -> dict[str, list[Document]]:
        """Find documents, as `run`."""
        asked = self._asked(query_embedding, query, filters, top_k)
        return {"documents": await self.document_store.search_async(asked, return_embedding=self.return_embedding)}

    def _asked(
        self, embedding: list[float], words: str | None, filters: dict[str, Any] | None, top_k: int | None
    ) -> octant.Query:
        field, limit = str(self.document_store.embedding_field), self.top_k if top_k is None else top_k
        stages = (
            () if self.diversity is None else (octant.Stage(octant.Mmr(field, self.diversity), candidates=4 * limit),)
        )
        where = filter_from(apply_filter_policy(self.filter_policy, self.filters, filters))
        vector = octant.ByVector(embedding)
        if not words:
            return octant.Query(vector, fields=(field,), where=where, limit=limit, rerank=stages)
        if not self.document_store.words:
            raise ValueError("this store does not search words: make it with words=True")
        both = octant.Composed((vector, octant.Text(words)))
        return octant.Query(both, fields=(field, "words"), where=where, limit=limit, rerank=stages)
