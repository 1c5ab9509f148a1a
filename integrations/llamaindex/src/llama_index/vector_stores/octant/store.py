"""LlamaIndex's vector store over an octant collection."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)
from llama_index.vector_stores.octant.filters import filter_from
from llama_index.vector_stores.octant.nodes import folders, item_of, node_of
from qdrant_client import models

import octant

__all__ = ["OctantVectorStore"]

_EVERYTHING = models.Filter()


class OctantVectorStore(BasePydanticVectorStore):
    """Nodes in an octant collection, with LlamaIndex's embeddings or with octant's.

    A collection of `embedding_schema` holds the embeddings that nodes bring. Of any other collection octant's own
    encoders read the nodes, their pictures and sounds too, and queries are asked as texts (`is_embedding_query` is
    false then); an index over it needs no embedding model: give it a `MockEmbedding(1)`, or use `OctantRetriever`.

    `async_collection` is awaited by the async methods; without one they run in a thread. One embedded database is open
    in one of the two ways at a time; a server takes both. The sync methods need `collection`.

    A picture or a sound of a node is read if its file lies under one of the folders `roots`, links followed: a node may
    come from anywhere, and name any file. Without roots such a node is refused.
    """

    stores_text: bool = True
    flat_metadata: bool = False

    _collection: octant.Collection | None = PrivateAttr()
    _awaited: octant.AsyncCollection | None = PrivateAttr()
    _schema: octant.Schema = PrivateAttr()
    _field: str | None = PrivateAttr()
    _roots: tuple[Path, ...] = PrivateAttr()

    def __init__(
        self,
        collection: octant.Collection | None = None,
        *,
        async_collection: octant.AsyncCollection | None = None,
        roots: Sequence[Path] = (),
    ) -> None:
        opened = collection or async_collection
        if opened is None:
            raise ValueError("OctantVectorStore takes a collection (octant.open) or an async_collection (open_async)")
        given = [field.name for field in opened.schema.fields.values() if field.given]
        if len(given) > 1:
            raise ValueError(f"nodes bring one embedding, and this collection wants several: {', '.join(given)}")
        super().__init__(stores_text=True, is_embedding_query=bool(given))
        self._collection, self._awaited = collection, async_collection
        self._field = given[0] if given else None
        self._schema = opened.schema
        self._roots = folders(roots)

    @classmethod
    def class_name(cls) -> str:
        return "OctantVectorStore"

    @property
    def client(self) -> octant.Collection | octant.AsyncCollection | None:
        """The collection."""
        return self._collection or self._awaited

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """Store nodes; what stands unchanged is not written, a node of the same id is replaced.

        Raises ValueError before anything is stored where a node has no embedding and this store wants one, or has bytes
        or a file that is not read; and once the others are stored where octant cannot store a node.
        """
        _none_of(kwargs)
        _raise_failures(self._now().add(self._items(nodes)))
        return [node.node_id for node in nodes]

    async def async_add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """Store nodes, as `add`."""
        if self._awaited is None:
            return await asyncio.to_thread(self.add, nodes, **kwargs)
        _none_of(kwargs)
        _raise_failures(await self._awaited.add(self._items(nodes)))
        return [node.node_id for node in nodes]

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Remove a document: all nodes that were cut from it."""
        _none_of(delete_kwargs)
        self._now().delete([ref_doc_id])

    async def adelete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Remove a document, as `delete`."""
        if self._awaited is None:
            return await asyncio.to_thread(self.delete, ref_doc_id, **delete_kwargs)
        _none_of(delete_kwargs)
        return await self._awaited.delete([ref_doc_id])

    def delete_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **delete_kwargs: Any
    ) -> None:
        """Remove nodes by id, by filter, or those of these ids that the filter matches."""
        _none_of(delete_kwargs)
        if (where := _where(node_ids, filters)) is not None:
            self._now().delete(where=where)

    async def adelete_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **delete_kwargs: Any
    ) -> None:
        """Remove nodes, as `delete_nodes`."""
        if self._awaited is None:
            return await asyncio.to_thread(self.delete_nodes, node_ids, filters, **delete_kwargs)
        _none_of(delete_kwargs)
        if (where := _where(node_ids, filters)) is not None:
            await self._awaited.delete(where=where)
        return None

    def clear(self) -> None:
        """Remove all nodes."""
        self._now().delete(where=_EVERYTHING)

    async def aclear(self) -> None:
        """Remove all nodes."""
        if self._awaited is None:
            return await asyncio.to_thread(self.clear)
        return await self._awaited.delete(where=_EVERYTHING)

    def get_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None) -> list[BaseNode]:
        """Read nodes by id, by filter, by both, or all; without embeddings, in no order that means anything."""
        return [node_of(item) for item in self._now().items(_where(node_ids, filters))]

    async def aget_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """Read nodes, as `get_nodes`."""
        if self._awaited is None:
            return await asyncio.to_thread(self.get_nodes, node_ids, filters)
        return [node_of(item) async for item in self._awaited.items(_where(node_ids, filters))]

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """Find the nodes nearest to an embedding, to words (TEXT_SEARCH, SPARSE), to both (HYBRID), or diverse (MMR).

        Of HYBRID, `alpha` is the share of the vector, `sparse_top_k` how many candidates each side brings,
        `hybrid_top_k` how many nodes come; scores are those of octant's fusion, not similarities. Of MMR,
        `mmr_threshold` (also as a keyword) is λ: 1 is similarity alone, 0 diversity alone; `mmr_prefetch_factor` times
        as many candidates are looked at, 4 by default. Raises ValueError for another mode.
        """
        return _result(self._now().search(self._asked(query, kwargs)))

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """Find nodes, as `query`."""
        if self._awaited is None:
            return await asyncio.to_thread(self.query, query, **kwargs)
        return _result(await self._awaited.search(self._asked(query, kwargs)))

    def _now(self) -> octant.Collection:
        if self._collection is None:
            raise ValueError("this store has an async_collection alone: use the async methods, or give it a collection")
        return self._collection

    def _items(self, nodes: Sequence[BaseNode]) -> list[octant.Item]:
        return list({node.node_id: item_of(node, self._field, self._roots) for node in nodes}.values())

    def _asked(self, query: VectorStoreQuery, kwargs: dict[str, Any]) -> octant.Query:
        threshold = kwargs.pop("mmr_threshold", query.mmr_threshold)
        factor = kwargs.pop("mmr_prefetch_factor", 4)
        _none_of(kwargs)
        where, limit = _where(query.node_ids, query.filters, query.doc_ids), query.similarity_top_k
        depth = max(50, query.sparse_top_k or 0)
        match query.mode:
            case VectorStoreQueryMode.DEFAULT:
                return octant.Query(self._example(query), fields=self._dense(), where=where, limit=limit)
            case VectorStoreQueryMode.MMR:
                diversity = 1 - (0.5 if threshold is None else threshold)
                stage = octant.Stage(octant.Mmr(self._one_dense(), diversity), candidates=max(limit, factor * limit))
                example = self._example(query)
                return octant.Query(example, fields=(self._one_dense(),), where=where, limit=limit, rerank=(stage,))
            case VectorStoreQueryMode.TEXT_SEARCH | VectorStoreQueryMode.SPARSE:
                return octant.Query(_text(query), fields=self._lexical(), where=where, limit=limit)
            case VectorStoreQueryMode.HYBRID:
                like, most = self._both(query), query.hybrid_top_k or limit
                fields = (*self._dense(), *self._lexical())
                return octant.Query(like, fields=fields, where=where, limit=most, depth=depth)
            case mode:
                raise ValueError(
                    f"no query mode {mode.value!r} here; there are DEFAULT, HYBRID, TEXT_SEARCH, SPARSE, MMR"
                )

    def _both(self, query: VectorStoreQuery) -> octant.Composed:
        """A vector and words, weighed by alpha; what weighs nothing is not asked."""
        alpha = 0.5 if query.alpha is None else query.alpha
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha is the share of the vector, 0 to 1, not {alpha}")
        if self._field is None:
            raise ValueError("HYBRID asks with an embedding and words; DEFAULT asks all of this collection's fields")
        weighed = ((self._example(query), alpha), (_text(query), 1 - alpha))
        return octant.Composed(tuple(octant.Part(one, weight) for one, weight in weighed if weight))

    def _example(self, query: VectorStoreQuery) -> octant.Text | octant.ByVector:
        if self._field is None:
            return _text(query)
        if query.query_embedding is None:
            raise ValueError(f"a query of mode {query.mode.value!r} needs query_embedding")
        return octant.ByVector(query.query_embedding)

    def _dense(self) -> tuple[str, ...]:
        return () if self._field is None else (self._field,)

    def _one_dense(self) -> str:
        """The field that MMR compares in."""
        dense = (
            [self._field]
            if self._field
            else [
                name
                for name, field in self._schema.fields.items()
                if octant.Modality.TEXT in field.answers and field.space.kind is octant.Kind.DENSE
            ]
        )
        if len(dense) != 1:
            raise ValueError(f"MMR compares in one dense field that answers texts, and there are {dense}")
        return dense[0]

    def _lexical(self) -> tuple[str, ...]:
        if not self._schema.texts:
            raise ValueError("this collection has no words to search: make it with embedding_schema(dim, words=True)")
        return tuple(self._schema.texts)


def _where(
    node_ids: list[str] | None, filters: MetadataFilters | None, doc_ids: list[str] | None = None
) -> models.Filter | None:
    """All of these at once; None where nothing is asked. No ids at all are no restriction, as LlamaIndex has it."""
    asked = [
        octant.filter_of(octant.ids(*node_ids)) if node_ids else None,
        octant.filter_of(octant.F("octant.source").one_of(*doc_ids)) if doc_ids else None,
        filter_from(filters),
    ]
    given: list[models.Condition] = [one for one in asked if one is not None]
    return models.Filter(must=given) if given else None


def _text(query: VectorStoreQuery) -> octant.Text:
    if query.query_str is None:
        raise ValueError(f"a query of mode {query.mode.value!r} needs query_str here")
    return octant.Text(query.query_str)


def _result(hits: octant.Hits) -> VectorStoreQueryResult:
    return VectorStoreQueryResult(
        nodes=[node_of(hit.item) for hit in hits],
        similarities=[hit.score for hit in hits],
        ids=[hit.id for hit in hits],
    )


def _none_of(kwargs: dict[str, Any]) -> None:
    """Refuse what would be ignored."""
    if kwargs:
        raise TypeError(f"OctantVectorStore does not know {', '.join(map(repr, kwargs))}")


def _raise_failures(report: octant.Report) -> None:
    if failed := [*report.failed, *report.skipped]:
        told = "; ".join(f"{one.source}: {one.reason}" for one in failed[:3])
        raise ValueError(f"{len(failed)} nodes cannot be stored, the others are: {told}")
