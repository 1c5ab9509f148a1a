"""A collection as LangChain's vector store."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from qdrant_client import models
from qdrant_client.models import Distance

import octant
from langchain_octant.blocks import media_in
from langchain_octant.documents import document_of, item_of
from langchain_octant.embeddings import EmbeddingsEncoder, OctantEmbeddings, embeddings_of
from langchain_octant.reading import aby_filter, aby_ids, by_filter, by_ids, is_blank, require_words
from octant import (
    AsyncCollection,
    Audio,
    ByVector,
    Collection,
    Field,
    Hit,
    Image,
    Item,
    Kind,
    Mmr,
    Modality,
    OctantError,
    Origin,
    Query,
    Report,
    Schema,
    Space,
    Stage,
    Text,
    filter_of,
)

__all__ = ["OctantVectorStore", "embedded", "items_of", "modalities_of", "schema_of"]

S = TypeVar("S", bound="OctantVectorStore")
Scored = list[tuple[Document, float]]

_MADE = ["octant.id", "octant.source", "octant.stamp", "octant.parts"]
"""The payload keys that say where an item is from."""


class OctantVectorStore(VectorStore):
    """Documents in an octant collection: one that is there, or one of `open`, `from_texts`, `from_documents`.

    A document's id is its item's id, its content the item's text, its metadata the item's metadata. What is added again
    and has not changed is neither embedded nor written. `filter=` takes what octant's `where=` takes: a text, a
    mapping, conditions of `octant.F`, or a `qdrant_client.models.Filter`; metadata stand at the payload's top level.

    With an AsyncCollection the asynchronous methods are native, else they run in a thread.
    """

    def __init__(
        self,
        collection: Collection | None = None,
        *,
        async_collection: AsyncCollection | None = None,
        field: str | None = None,
        into: Modality | str | Iterable[Modality | str] = (),
        roots: Sequence[Path] = (),
    ) -> None:
        """Take a collection, an AsyncCollection, or both of one place.

        `field` is the named vector that is searched, and that vectors of your own and MMR are compared in; None is the
        only dense one that answers texts, and where there are several they are fused. `into` names the modalities to
        find. Where a document that is added names images or sounds in metadata["octant"]["media"], as those that were
        found do, they are read if they lie under `roots`: metadata may come from anywhere, and name any file.
        Raises ValueError for a field or a modality that is not there.
        """
        held = async_collection if collection is None else collection
        if held is None:
            raise ValueError("give an octant collection: OctantVectorStore(octant.open(...)), or async_collection=...")
        self.collection = collection
        self.async_collection = async_collection
        self.schema = held.schema
        self.into = modalities_of(into)
        self.roots = tuple(roots)
        self.field = _only_field(self.schema, self.into) if field is None else _known_field(self.schema, field)

    @classmethod
    def open(
        cls: type[S],
        embedding: Embeddings,
        *,
        collection_name: str = "langchain",
        path: Path | str | None = None,
        url: str | None = None,
        api_key: str | None = None,
        identity: str | None = None,
    ) -> S:
        """Open a collection of texts that LangChain's embeddings embed; create it where it does not exist.

        `path` is a directory (the default is octant's own), `url` a Qdrant server, `identity` the name of the model
        where its class does not tell it. Raises octant.SchemaMismatch where the collection was built with other
        embeddings.
        """
        schema = schema_of(embedding, identity)
        return cls(octant.open(collection_name, schema=schema, path=path, url=url, api_key=api_key))

    @classmethod
    async def aopen(
        cls: type[S],
        embedding: Embeddings,
        *,
        collection_name: str = "langchain",
        path: Path | str | None = None,
        url: str | None = None,
        api_key: str | None = None,
        identity: str | None = None,
    ) -> S:
        """Open the same for asyncio: the store's asynchronous methods are native, and it has no others."""
        schema = await asyncio.to_thread(schema_of, embedding, identity)
        collection = await octant.open_async(collection_name, schema=schema, path=path, url=url, api_key=api_key)
        return cls(async_collection=collection)

    @classmethod
    def from_texts(
        cls: type[S],
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        collection_name: str = "langchain",
        path: Path | str | None = None,
        url: str | None = None,
        api_key: str | None = None,
        identity: str | None = None,
        **kwargs: Any,
    ) -> S:
        """Open a collection as `open` does, and add texts to it."""
        _refuse(kwargs)
        store = cls.open(
            embedding, collection_name=collection_name, path=path, url=url, api_key=api_key, identity=identity
        )
        store.add_texts(texts, metadatas, ids=ids)
        return store

    @classmethod
    async def afrom_texts(
        cls: type[S],
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        collection_name: str = "langchain",
        path: Path | str | None = None,
        url: str | None = None,
        api_key: str | None = None,
        identity: str | None = None,
        **kwargs: Any,
    ) -> S:
        """Open a collection as `aopen` does, and add texts to it."""
        _refuse(kwargs)
        store = await cls.aopen(
            embedding, collection_name=collection_name, path=path, url=url, api_key=api_key, identity=identity
        )
        await store.aadd_texts(texts, metadatas, ids=ids)
        return store

    @property
    def embeddings(self) -> Embeddings | None:
        """What embeds texts in the store's field; None where there are several, or it is not one dense vector."""
        if self.field is None or Modality.TEXT not in self.schema.fields[self.field].answers:
            return None
        return OctantEmbeddings(self.schema.fields[self.field].space)

    # adding

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Add texts; return their ids, which are made up where none are given. ValueError where the numbers differ."""
        return self.add_documents(_documents(texts, metadatas), ids=ids, **kwargs)

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Add texts; return their ids, which are made up where none are given. ValueError where the numbers differ."""
        return await self.aadd_documents(_documents(texts, metadatas), ids=ids, **kwargs)

    def add_documents(
        self,
        documents: list[Document],
        *,
        ids: Sequence[str | None] | None = None,
        batch_size: int = 32,
        **kwargs: Any,
    ) -> list[str]:
        """Add documents, or replace those of the same ids; return the ids: `ids`, else their own, else new ones.

        What is replaced stays with its file or its family, and its siblings as they are.
        `batch_size` is how many are embedded at once. Raises OctantError, with the reasons, where one cannot be stored;
        the others are stored then.
        """
        _refuse(kwargs)
        collection = self._sync
        items = items_of(self.schema, documents, ids, roots=self.roots)
        if not items:
            return []
        own = filter_of(octant.ids(*(item.id for item in items)))
        there, _ = collection.client.scroll(collection.name, own, limit=len(items), with_payload=_MADE)
        report = collection.add(_aside(items, there), batch_size=batch_size)
        for origin, selected in _belonging(there):
            collection.client.set_payload(collection.name, origin, selected, key="octant")
        _require_stored(report)
        return [item.id for item in items]

    async def aadd_documents(
        self,
        documents: list[Document],
        *,
        ids: Sequence[str | None] | None = None,
        batch_size: int = 32,
        **kwargs: Any,
    ) -> list[str]:
        """Add documents, or replace those of the same ids; as `add_documents`."""
        if self.async_collection is None:
            return await asyncio.to_thread(self.add_documents, documents, ids=ids, batch_size=batch_size, **kwargs)
        _refuse(kwargs)
        collection = self.async_collection
        items = items_of(self.schema, documents, ids, roots=self.roots)
        if not items:
            return []
        own = filter_of(octant.ids(*(item.id for item in items)))
        there, _ = await collection.client.scroll(collection.name, own, limit=len(items), with_payload=_MADE)
        report = await collection.add(_aside(items, there), batch_size=batch_size)
        for origin, selected in _belonging(there):
            await collection.client.set_payload(collection.name, origin, selected, key="octant")
        _require_stored(report)
        return [item.id for item in items]

    def add_images(
        self,
        images: Sequence[Path | Image],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
    ) -> list[str]:
        """Add images; return their ids: the URI of a file, something new for what is in memory.

        Raises OctantError, with the reasons, where one cannot be read; the others are stored then.
        """
        return self._add_media(_images(images, metadatas, ids))

    async def aadd_images(
        self,
        images: Sequence[Path | Image],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
    ) -> list[str]:
        """Add images; as `add_images`."""
        return await self._aadd_media(_images(images, metadatas, ids))

    def add_audio(
        self,
        sounds: Sequence[Path | Audio],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
    ) -> list[str]:
        """Add sounds; return their ids: the URI of a file, something new for what is in memory.

        Raises OctantError, with the reasons, where one cannot be read; the others are stored then.
        """
        return self._add_media(_sounds(sounds, metadatas, ids))

    async def aadd_audio(
        self,
        sounds: Sequence[Path | Audio],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
    ) -> list[str]:
        """Add sounds; as `add_audio`."""
        return await self._aadd_media(_sounds(sounds, metadatas, ids))

    def _add_media(self, items: list[Item]) -> list[str]:
        _require_stored(self._sync.add(items))
        return [item.id for item in items]

    async def _aadd_media(self, items: list[Item]) -> list[str]:
        if self.async_collection is None:
            return await asyncio.to_thread(self._add_media, items)
        _require_stored(await self.async_collection.add(items))
        return [item.id for item in items]

    # reading and deleting

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Read documents by their ids, in the order of these; an id that is not there is left out."""
        return by_ids(self._sync, ids)

    async def aget_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Read documents by their ids, in the order of these; an id that is not there is left out."""
        if self.async_collection is None:
            return await asyncio.to_thread(self.get_by_ids, ids)
        return await aby_ids(self.async_collection, ids)

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Delete documents by their ids, or all that the collection holds where `ids` is None. True once it is done."""
        _refuse(kwargs)
        if ids is not None:
            self._sync.delete(ids)
            return True
        self._sync.delete(where=models.Filter())
        return True

    async def adelete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Delete documents by their ids, or all that the collection holds where `ids` is None. True once it is done."""
        if self.async_collection is None:
            return await asyncio.to_thread(self.delete, ids, **kwargs)
        _refuse(kwargs)
        if ids is not None:
            await self.async_collection.delete(ids)
            return True
        await self.async_collection.delete(where=models.Filter())
        return True

    # searching

    def similarity_search(self, query: str, k: int = 4, *, filter: Any = None, **kwargs: Any) -> list[Document]:
        """Find the k documents that are most like a text; of a text without words, k that the filter matches."""
        _refuse(kwargs)
        asked = self._by_text(query, k, filter)
        return by_filter(self._sync, asked) if is_blank(asked) else _without_scores(self._find(asked))

    async def asimilarity_search(self, query: str, k: int = 4, *, filter: Any = None, **kwargs: Any) -> list[Document]:
        """Find the k documents that are most like a text; of a text without words, k that the filter matches."""
        _refuse(kwargs)
        asked = self._by_text(query, k, filter)
        if not is_blank(asked):
            return _without_scores(await self._afind(asked))
        if self.async_collection is None:
            return await asyncio.to_thread(by_filter, self._sync, asked)
        return await aby_filter(self.async_collection, asked)

    def similarity_search_with_score(self, query: str, k: int = 4, *, filter: Any = None, **kwargs: Any) -> Scored:
        """Find the k documents that are most like a text, with their scores: higher is better.

        A similarity (a cosine, or what the field's space compares by) where one field answers, else the fusion's score.
        """
        _refuse(kwargs)
        return self._find(self._by_text(query, k, filter))

    async def asimilarity_search_with_score(
        self, query: str, k: int = 4, *, filter: Any = None, **kwargs: Any
    ) -> Scored:
        """Find the k documents that are most like a text, with their scores: higher is better."""
        _refuse(kwargs)
        return await self._afind(self._by_text(query, k, filter))

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, *, filter: Any = None, **kwargs: Any
    ) -> list[Document]:
        """Find the k documents that are nearest to a vector, in the store's field."""
        return _without_scores(self.similarity_search_with_score_by_vector(embedding, k, filter=filter, **kwargs))

    async def asimilarity_search_by_vector(
        self, embedding: list[float], k: int = 4, *, filter: Any = None, **kwargs: Any
    ) -> list[Document]:
        """Find the k documents that are nearest to a vector, in the store's field."""
        found = await self.asimilarity_search_with_score_by_vector(embedding, k, filter=filter, **kwargs)
        return _without_scores(found)

    def similarity_search_with_score_by_vector(
        self, embedding: list[float], k: int = 4, *, filter: Any = None, **kwargs: Any
    ) -> Scored:
        """Find the k documents that are nearest to a vector, in the store's field, with their similarities."""
        _refuse(kwargs)
        return self._find(self._by_vector(embedding, k, filter))

    async def asimilarity_search_with_score_by_vector(
        self, embedding: list[float], k: int = 4, *, filter: Any = None, **kwargs: Any
    ) -> Scored:
        """Find the k documents that are nearest to a vector, in the store's field, with their similarities."""
        _refuse(kwargs)
        return await self._afind(self._by_vector(embedding, k, filter))

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *,
        filter: Any = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Choose k of the `fetch_k` documents that are most like a text, by maximal marginal relevance.

        `lambda_mult` 1 is by relevance alone, 0 as unlike one another as can be.
        """
        _refuse(kwargs)
        return _without_scores(self._find(self._by_text(query, k, filter, self._mmr(fetch_k, lambda_mult))))

    async def amax_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *,
        filter: Any = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Choose k of the `fetch_k` documents that are most like a text; as `max_marginal_relevance_search`."""
        _refuse(kwargs)
        return _without_scores(await self._afind(self._by_text(query, k, filter, self._mmr(fetch_k, lambda_mult))))

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *,
        filter: Any = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Choose k of the `fetch_k` documents that are nearest to a vector; as `max_marginal_relevance_search`."""
        _refuse(kwargs)
        return _without_scores(self._find(self._by_vector(embedding, k, filter, self._mmr(fetch_k, lambda_mult))))

    async def amax_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *,
        filter: Any = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Choose k of the `fetch_k` documents that are nearest to a vector; as `max_marginal_relevance_search`."""
        _refuse(kwargs)
        query = self._by_vector(embedding, k, filter, self._mmr(fetch_k, lambda_mult))
        return _without_scores(await self._afind(query))

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        name = self._require_field("relevance scores from 0 to 1 are made of the similarities of one field")
        distance = self.schema.fields[name].space.distance
        if distance is not Distance.COSINE:
            raise ValueError(
                f"field {name!r} compares by {distance.value}, which has no bounds; use the scores as such"
            )
        return _of_cosine

    def _by_text(self, query: str, k: int, filter: Any, rerank: tuple[Stage, ...] = ()) -> Query:
        fields = () if self.field is None else (self.field,)
        return Query(Text(query), into=self.into, where=filter, limit=k, fields=fields, rerank=rerank)

    def _by_vector(self, embedding: Sequence[float], k: int, filter: Any, rerank: tuple[Stage, ...] = ()) -> Query:
        field = self._require_field("a vector is compared with those of one field")
        return Query(ByVector(embedding), where=filter, limit=k, fields=(field,), rerank=rerank)

    def _mmr(self, fetch_k: int, lambda_mult: float) -> tuple[Stage, ...]:
        if not 0 <= lambda_mult <= 1:
            raise ValueError(f"lambda_mult lies within 0 (diverse) and 1 (relevant), not {lambda_mult}")
        field = self._require_field("MMR compares documents in one field")
        # octant's diversity is Qdrant's: what the store takes away from relevance
        return (Stage(Mmr(field, diversity=1 - lambda_mult), candidates=fetch_k),)

    def _require_field(self, why: str) -> str:
        if self.field is None:
            raise ValueError(
                f"{why}, and a text is answered by several here: OctantVectorStore(collection, field=...) names one of "
                f"{', '.join(self.schema.fields)}"
            )
        return self.field

    @property
    def _sync(self) -> Collection:
        if self.collection is None:
            raise NotImplementedError(
                "this store holds an AsyncCollection alone: await its a... methods, or give collection=octant.open(...)"
            )
        return self.collection

    def _find(self, query: Query) -> Scored:
        require_words(query)
        return _scored(self._sync.search(query))

    async def _afind(self, query: Query) -> Scored:
        require_words(query)
        query = await embedded(query, self.schema)
        if self.async_collection is None:
            return await asyncio.to_thread(self._find, query)
        return _scored(await self.async_collection.search(query))


def schema_of(embedding: Embeddings, identity: str | None = None) -> Schema:
    """The schema of a collection of texts that LangChain's embeddings embed: one field, "text", compared by cosine.

    `identity` names the model where its class does not: a collection is not opened with another one.
    """
    return Schema(Field("text", Space("text", EmbeddingsEncoder(embedding, identity)), Modality.TEXT))


async def embedded(query: Query, schema: Schema) -> Query:
    """The same question as a vector, where one field answers a text and LangChain's embeddings make its vectors.

    They are awaited here, as many at once as there are callers; in octant's own thread they would queue.
    """
    name = query.fields[0] if len(query.fields) == 1 else None if query.fields else _only_field(schema, query.into)
    if name is None or name not in schema.fields or not isinstance(query.like, Text):
        return query
    # another reranker reads the question itself
    if any(not isinstance(stage.reranker, Mmr) for stage in query.rerank):
        return query
    embeddings = embeddings_of(schema.fields[name].space)
    if embeddings is None:
        return query
    return replace(query, like=ByVector(await embeddings.aembed_query(query.like.content)), fields=(name,))


def items_of(
    schema: Schema,
    documents: Sequence[Document],
    ids: Sequence[str | None] | None = None,
    *,
    roots: Sequence[Path] = (),
) -> list[Item]:
    """Turn documents into items of a collection: of the ids given, else their own, else new ones.

    MediaError where one names an image or a sound that does not lie under `roots`.
    """
    if ids is not None and len(ids) != len(documents):
        raise ValueError(f"{len(documents)} documents and {len(ids)} ids: give one id for each")
    for document in documents:
        media_in(document, roots)
    given = [document.id for document in documents] if ids is None else ids
    name = _medium_name(schema)
    return [item_of(document, one, text=name) for document, one in zip(documents, _ids(given), strict=True)]


def _of_cosine(similarity: float) -> float:
    return min(1.0, max(0.0, (similarity + 1) / 2))  # a unit vector's own cosine may be a rounding error above 1


def modalities_of(into: Modality | str | Iterable[Modality | str]) -> tuple[Modality, ...]:
    """Read the modalities that are named, one or several. ValueError for a name that is none."""
    named = [into] if isinstance(into, str) else list(into)
    try:
        return tuple(Modality(one) for one in named)
    except ValueError:
        raise ValueError(f"into={into!r} names no modality; choose from {', '.join(Modality)}") from None


def _only_field(schema: Schema, into: Sequence[Modality]) -> str | None:
    """The only field that a text is answered by, if it is a dense one."""
    asked = [
        field
        for field in schema.fields.values()
        if Modality.TEXT in field.answers and (not into or field.modality in into)
    ]
    lexical = schema.texts and (not into or Modality.TEXT in into)
    if len(asked) != 1 or lexical or asked[0].space.kind is not Kind.DENSE:
        return None
    return asked[0].name


def _known_field(schema: Schema, field: str) -> str:
    if field not in schema.fields or schema.fields[field].space.kind is not Kind.DENSE:
        dense = [name for name, one in schema.fields.items() if one.space.kind is Kind.DENSE]
        raise ValueError(f"no field {field!r} of dense vectors in this collection; there are {', '.join(dense)}")
    return field


def _medium_name(schema: Schema) -> str:
    """What a document's content is called in an item: as the first field of texts wants it."""
    wanted = (field.of for field in schema.fields.values() if field.modality is Modality.TEXT)
    return next((name for name in wanted if name is not None), "text")


def _documents(texts: Iterable[str], metadatas: Sequence[dict[str, Any]] | None) -> list[Document]:
    listed = list(texts)
    if metadatas is not None and len(metadatas) != len(listed):
        raise ValueError(f"{len(listed)} texts and {len(metadatas)} metadatas: give one for each")
    several: Sequence[dict[str, Any]] = metadatas if metadatas is not None else [{} for _ in listed]
    return [Document(page_content=text, metadata=one) for text, one in zip(listed, several, strict=True)]


def _ids(given: Sequence[str | None]) -> list[str]:
    ids = [str(uuid4()) if one is None else one for one in given]
    if len(set(ids)) != len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise ValueError(f"the id {twice!r} is given twice; one would replace the other")
    return ids


def _images(
    images: Sequence[Path | Image], metadatas: Sequence[dict[str, Any]] | None, ids: Sequence[str | None] | None
) -> list[Item]:
    made = [Image(one) if isinstance(one, os.PathLike) else one for one in images]
    if wrong := [one for one in made if not isinstance(one, Image)]:
        raise TypeError(f"add_images takes paths and octant.Image, not {wrong[0]!r}; for a file write Path(...)")
    return _media_items("image", made, metadatas, ids)


def _sounds(
    sounds: Sequence[Path | Audio], metadatas: Sequence[dict[str, Any]] | None, ids: Sequence[str | None] | None
) -> list[Item]:
    made = [Audio(one) if isinstance(one, os.PathLike) else one for one in sounds]
    if wrong := [one for one in made if not isinstance(one, Audio)]:
        raise TypeError(f"add_audio takes paths and octant.Audio, not {wrong[0]!r}; for a file write Path(...)")
    return _media_items("audio", made, metadatas, ids)


def _media_items(
    name: str,
    media: Sequence[Image | Audio],
    metadatas: Sequence[dict[str, Any]] | None,
    ids: Sequence[str | None] | None,
) -> list[Item]:
    for what, given in (("metadatas", metadatas), ("ids", ids)):
        if given is not None and len(given) != len(media):
            raise ValueError(f"{len(media)} media and {len(given)} {what}: give one for each")
    named = [_uri(one) if ids is None or ids[i] is None else ids[i] for i, one in enumerate(media)]
    several: Sequence[dict[str, Any]] = metadatas if metadatas is not None else [{} for _ in media]
    return [
        Item(one, {name: medium}, metadata) for one, medium, metadata in zip(_ids(named), media, several, strict=True)
    ]


def _uri(medium: Image | Audio) -> str | None:
    """The id of a whole file; None for what is in memory, or a part."""
    part = medium.span if isinstance(medium, Audio) else medium.part
    return medium.source.absolute().as_uri() if isinstance(medium.source, Path) and part is None else None


def _from_elsewhere(there: Sequence[models.Record]) -> dict[str, dict[str, Any]]:
    """Where stored items are from, by their ids, as far as that is more than the item itself: a file, a family."""
    made: list[dict[str, Any]] = [(record.payload or {}).get("octant", {}) for record in there]
    keys: list[str] = ["source", "stamp", "parts"]
    origins = {one["id"]: {key: one[key] for key in keys if key in one} for one in made if "id" in one}
    return {id: one for id, one in origins.items() if one != {"source": id, "parts": 1}}


def _aside(items: Sequence[Item], there: Sequence[models.Record]) -> list[Item]:
    """Items that replace a part of something, as sources of their own: else octant would take them for all of it.

    They are called so that whoever reads that source next knows them for a part of it, if `_belonging` never comes.
    """
    origins = _from_elsewhere(there)
    return [
        replace(item, origin=Origin(f"{origins[item.id]['source']}#{item.id}")) if item.id in origins else item
        for item in items
    ]


def _belonging(there: Sequence[models.Record]) -> Iterator[tuple[dict[str, Any], models.FilterSelector]]:
    """What to note again of the items of each source, and of which."""
    members: dict[str, list[str]] = {}
    origins = _from_elsewhere(there)
    for id, origin in origins.items():
        members.setdefault(repr(sorted(origin.items())), []).append(id)
    for ids in members.values():
        own = filter_of(octant.ids(*ids))
        if own is not None:
            yield origins[ids[0]], models.FilterSelector(filter=own)


def _require_stored(report: Report) -> None:
    if report.failed:
        reasons = "".join(f"\n  {one.source}: {one.reason}" for one in report.failed)
        stored = report.points + report.unchanged
        raise OctantError(f"{len(report.failed)} could not be stored, {stored} are:{reasons}")


def _scored(hits: Sequence[Hit]) -> Scored:
    return [(document_of(hit.item, hit.payload), float(hit.score)) for hit in hits]


def _without_scores(scored: Scored) -> list[Document]:
    return [document for document, _ in scored]


def _refuse(kwargs: Mapping[str, Any]) -> None:
    """Nothing is silently ignored: an option that is not known would not do what its name says."""
    if kwargs:
        raise TypeError(f"octant's vector store does not know {', '.join(map(repr, kwargs))}")
