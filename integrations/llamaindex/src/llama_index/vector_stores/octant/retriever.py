"""LlamaIndex's retriever over any octant collection, asked with texts, pictures, sounds, or several of these."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.core.vector_stores.types import MetadataFilters
from llama_index.vector_stores.octant.filters import filter_from
from llama_index.vector_stores.octant.nodes import folders, node_of, under

import octant

__all__ = ["OctantRetriever"]

Asked = str | QueryBundle | octant.Text | octant.Image | octant.Audio | octant.Composed | octant.ById


@dataclass
class _Bundle(QueryBundle):
    """A question that is not a text, where LlamaIndex passes bundles on."""

    like: octant.Image | octant.Audio | octant.Composed | octant.ById | None = None


class OctantRetriever(BaseRetriever):
    """Find texts, pictures and sounds of an octant collection.

    Asked with a text, with `octant.Image`, `octant.Audio`, `octant.ById` or `octant.Composed`, or with a QueryBundle,
    whose `image_path` is a picture, read if it lies under one of the folders `roots`: beside words, both are one
    question. Pictures come back as ImageNodes, sounds as
    Nodes with an audio resource: by the path of their file, never as bytes. `into` names the modalities to find,
    `filters` are LlamaIndex's, `rerank` are octant's stages. `async_collection` is awaited by `aretrieve`; without one
    that runs in a thread.
    """

    def __init__(
        self,
        collection: octant.Collection | None = None,
        *,
        async_collection: octant.AsyncCollection | None = None,
        similarity_top_k: int = 10,
        into: Sequence[str] = (),
        filters: MetadataFilters | None = None,
        rerank: Sequence[octant.Stage] = (),
        roots: Sequence[Path] = (),
        callback_manager: CallbackManager | None = None,
        verbose: bool = False,
    ) -> None:
        if collection is None and async_collection is None:
            raise ValueError("OctantRetriever takes a collection (octant.open) or an async_collection (open_async)")
        self._collection, self._awaited = collection, async_collection
        self._top_k, self._rerank = similarity_top_k, tuple(rerank)
        self._into = tuple(octant.Modality(one) for one in into)
        self._where = filter_from(filters)
        self._roots = folders(roots)
        super().__init__(callback_manager, verbose=verbose)  # pyright: ignore[reportUnknownMemberType]

    def retrieve(self, str_or_query_bundle: Asked) -> list[NodeWithScore]:
        """Find the nodes that are most like a text, a picture, a sound, an item, or several of these."""
        return super().retrieve(_bundle(str_or_query_bundle))

    async def aretrieve(self, str_or_query_bundle: Asked) -> list[NodeWithScore]:
        """Find nodes, as `retrieve`."""
        return await super().aretrieve(_bundle(str_or_query_bundle))

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        if self._collection is None:
            raise ValueError("this retriever has an async_collection alone: await aretrieve(), or give it a collection")
        return _scored(self._collection.search(self._query(query_bundle)))

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        if self._awaited is None:
            return await asyncio.to_thread(self._retrieve, query_bundle)
        return _scored(await self._awaited.search(self._query(query_bundle)))

    def _query(self, bundle: QueryBundle) -> octant.Query:
        like = _like(bundle, self._roots)
        return octant.Query(like, into=self._into, where=self._where, limit=self._top_k, rerank=self._rerank)


def _bundle(asked: Asked) -> QueryBundle:
    match asked:
        case str():
            return QueryBundle(asked)
        case QueryBundle():
            return asked
        case octant.Text():
            return QueryBundle(asked.content)
        case _:
            # what traces and callbacks show of it
            return _Bundle(repr(asked), like=asked)


def _like(
    bundle: QueryBundle, roots: Sequence[Path]
) -> octant.Text | octant.Image | octant.Audio | octant.Composed | octant.ById:
    if isinstance(bundle, _Bundle) and bundle.like is not None:
        return bundle.like
    texts = [octant.Text(one) for one in bundle.embedding_strs if one]
    picture = [octant.Image(under(roots, bundle.image_path, "the question"))] if bundle.image_path else []
    several = (*texts, *picture)
    if not several:
        raise ValueError("nothing is asked: give a text, image_path, or one of octant's media")
    return several[0] if len(several) == 1 else octant.Composed(several)


def _scored(hits: octant.Hits) -> list[NodeWithScore]:
    return [NodeWithScore(node=node_of(hit.item), score=hit.score) for hit in hits]
