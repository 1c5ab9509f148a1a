"""Haystack's document store over an octant collection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, cast

from haystack import Document, default_from_dict, default_to_dict
from haystack.document_stores.errors import DocumentStoreError, DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from haystack.utils import Secret
from haystack.utils.callable_serialization import (
    deserialize_callable,  # pyright: ignore[reportUnknownVariableType]
    serialize_callable,  # pyright: ignore[reportUnknownVariableType]
)
from haystack_integrations.document_stores.octant.documents import document_of, item_of
from haystack_integrations.document_stores.octant.filters import filter_from, key_of
from haystack_integrations.document_stores.octant.schema import Similarity, embedding_schema
from qdrant_client import models

import octant

__all__ = ["OctantDocumentStore"]

_EVERYTHING = models.Filter()
Filters = dict[str, Any] | None


class OctantDocumentStore:
    """Documents in an octant collection, with Haystack's embeddings or with octant's.

    By default documents bring embeddings of `embedding_dim` numbers, and their words are searched by BM25; one without
    an embedding, or without content, is stored as what it has. `embedding_model` names what embeds: a collection that
    was filled with another is refused. With a `schema`, a function that makes one, such as `octant.starter`, octant's
    own encoders read texts, pictures and sounds.

    The collection is embedded, in the directory `path`, or on the Qdrant server at `url`. It is opened when it is first
    used, and the embedded one runs in a process of its own. The async methods wait for it in a thread.

    `meta["file_path"]` and the files of a question are read under `root_path` alone; without one no file is. Bytes are
    not kept: a document with a blob is refused, or, where octant embeds, comes back without it. An embedding comes back
    as float32, and of unit length where the similarity is the cosine. Order is not kept.
    """

    def __init__(
        self,
        collection: str = "documents",
        *,
        path: str | None = None,
        url: str | None = None,
        api_key: Secret | None = None,
        embedding_dim: int = 768,
        embedding_model: str = "haystack",
        similarity: Similarity = "cosine",
        words: bool = True,
        schema: Callable[[], octant.Schema] | None = None,
        root_path: str | None = None,
    ) -> None:
        self.collection, self.path, self.url, self.api_key = collection, path, url, api_key
        self.embedding_dim, self.embedding_model, self.similarity = embedding_dim, embedding_model, similarity
        self.words, self.schema, self.root_path = words, schema, root_path
        self._schema = schema() if schema else embedding_schema(embedding_dim, embedding_model, similarity, words=words)
        given = [field.name for field in self._schema.fields.values() if field.given]
        if len(given) > 1:
            raise ValueError(f"documents bring one embedding, and this schema wants several: {', '.join(given)}")
        self.embedding_field = given[0] if given else None
        self._opened: octant.Collection | None = None
        self._opening = Lock()

    def to_dict(self) -> dict[str, Any]:
        """Serialise what the store was made with."""
        return default_to_dict(
            self,
            collection=self.collection,
            path=self.path,
            url=self.url,
            api_key=self.api_key,
            embedding_dim=self.embedding_dim,
            embedding_model=self.embedding_model,
            similarity=self.similarity,
            words=self.words,
            schema=None if self.schema is None else serialize_callable(self.schema),
            root_path=self.root_path,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> OctantDocumentStore:
        """Make a store of what `to_dict` gave."""
        made = dict(data["init_parameters"])
        if made.get("schema") is not None:
            made["schema"] = deserialize_callable(made["schema"])
        return default_from_dict(cls, {**data, "init_parameters": made})

    @property
    def client(self) -> octant.Collection:
        """The collection, opened when it is first asked for."""
        with self._opening:
            if self._opened is None:
                self._opened = octant.open(
                    self.collection,
                    schema=self._schema,
                    path=self.path,
                    url=self.url,
                    api_key=None if self.api_key is None else self.api_key.resolve_value(),
                    worker=None if self.url else True,  # pipelines call from threads
                )
            return self._opened

    def close(self) -> None:
        """Close the collection; it is opened again when it is next used."""
        with self._opening:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def count_documents(self) -> int:
        """Count the documents."""
        return self.client.count()

    def count_documents_by_filter(self, filters: Filters) -> int:
        """Count the documents that a filter matches."""
        return self.client.count(filter_from(filters))

    def filter_documents(self, filters: Filters = None) -> list[Document]:
        """Read the documents that a filter matches, or all, with their embeddings."""
        return [document_of(item, self.embedding_field) for item in self._items(filters, vectors=True)]

    def write_documents(self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE) -> int:
        """Store documents and return how many were written; NONE is FAIL.

        FAIL raises DuplicateDocumentError before anything is written; SKIP keeps the first, OVERWRITE the last of an
        id; what stands unchanged is not written anew. Raises ValueError for a document that cannot be stored as it is,
        DocumentStoreError where octant could not store some, once the others are.
        """
        given: object = documents
        if not isinstance(given, list) or not all(isinstance(one, Document) for one in documents):
            raise ValueError("write_documents takes a list of Document")
        root = None if self.root_path is None else Path(self.root_path)
        items = [item_of(one, self.embedding_field, root) for one in documents]
        if policy is DuplicatePolicy.OVERWRITE:
            self._add(list({item.id: item for item in items}.values()))
            return len(items)
        there = {item.id for item in self.client.get([item.id for item in items])} if items else set[str]()
        new: dict[str, octant.Item] = {}
        for item in items:
            if item.id not in there and item.id not in new:
                new[item.id] = item
            elif policy is not DuplicatePolicy.SKIP:
                raise DuplicateDocumentError(f"document {item.id!r} is there; choose SKIP or OVERWRITE")
        self._add(list(new.values()))
        return len(new)

    def update_by_filter(self, filters: Filters, meta: dict[str, Any]) -> int:
        """Set keys of the meta of the documents that a filter matches; return how many these are."""
        _require_plain(meta)
        matching = filter_from(filters) or _EVERYTHING
        count = self.client.count(matching)
        if count and meta:
            self.client.client.set_payload(self.client.name, meta, models.FilterSelector(filter=matching), wait=True)
        return count

    def delete_documents(self, document_ids: list[str]) -> None:
        """Remove documents by their ids; one that is not there is no error."""
        if document_ids:
            self.client.delete(where=octant.filter_of(octant.ids(*document_ids)))

    def delete_by_filter(self, filters: Filters) -> int:
        """Remove the documents that a filter matches; return how many these were. No filter matches all."""
        matching = filter_from(filters) or _EVERYTHING
        count = self.client.count(matching)
        self.client.delete(where=matching)
        return count

    def delete_all_documents(self, recreate_collection: bool = False) -> None:
        """Remove all documents, or the whole collection, to make it anew."""
        if recreate_collection:
            self.client.client.delete_collection(self.client.name)
            self.client.prepare()
        else:
            self.client.delete(where=_EVERYTHING)

    def count_unique_metadata_by_filter(self, filters: Filters, metadata_fields: list[str]) -> dict[str, int]:
        """Count the distinct values of keys of the meta, among the documents that a filter matches."""
        keys = {field: field.removeprefix("meta.") for field in metadata_fields}
        seen: dict[str, set[tuple[str, Any]]] = {field: set() for field in keys}
        for item in self._items(filters):
            for field, key in keys.items():
                seen[field].update(_told(value) for value in _values(item, key))
        return {field: len(values) for field, values in seen.items()}

    def get_metadata_fields_info(self) -> dict[str, dict[str, str]]:
        """Name the keys of the meta, and the types of their values as Haystack names them."""
        kinds: dict[str, set[str]] = {}
        for item in self._items(None):
            for key, value in item.metadata.items():
                kinds.setdefault(key, set()).update(_kind(one) for one in _each(value))
        return {key: {"type": " | ".join(sorted(found - {"null"} or found))} for key, found in kinds.items()}

    def get_metadata_field_min_max(self, metadata_field: str) -> dict[str, Any]:
        """Least and greatest value of a key of the meta: of numbers, else of texts; None where there are none."""
        key = metadata_field.removeprefix("meta.")
        values = [value for item in self._items(None) for value in _values(item, key)]
        numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
        texts = [value for value in values if isinstance(value, str)]
        chosen: list[Any] = numbers or texts
        return {"min": min(chosen, default=None), "max": max(chosen, default=None)}

    def get_metadata_field_unique_values(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: Filters = None,
    ) -> tuple[list[Any], int]:
        """List the distinct values of a key of the meta, in order, and how many there are.

        `search_term` keeps those whose text has it, case aside.
        """
        key, term = metadata_field.removeprefix("meta."), (search_term or "").lower()
        found = {_told(value): value for item in self._items(filters) for value in _values(item, key)}
        kept = [told for told in sorted(found, key=lambda told: (told[1], told[0])) if term in told[1].lower()]
        return [found[told] for told in kept[from_ : from_ + size]], len(kept)

    def search(self, query: octant.Query, *, return_embedding: bool = False) -> list[Document]:
        """Answer a query of octant's with documents and their scores. What retrievers call."""
        hits = list(self.client.search(query))
        named = (
            {item.id: item for item in self.client.get([hit.id for hit in hits], vectors=True)}
            if return_embedding and hits
            else {hit.id: hit.item for hit in hits}
        )
        return [document_of(named[hit.id], self.embedding_field, hit.score) for hit in hits]

    async def count_documents_async(self) -> int:
        """As `count_documents`."""
        return await asyncio.to_thread(self.count_documents)

    async def count_documents_by_filter_async(self, filters: Filters) -> int:
        """As `count_documents_by_filter`."""
        return await asyncio.to_thread(self.count_documents_by_filter, filters)

    async def filter_documents_async(self, filters: Filters = None) -> list[Document]:
        """As `filter_documents`."""
        return await asyncio.to_thread(self.filter_documents, filters)

    async def write_documents_async(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """As `write_documents`."""
        return await asyncio.to_thread(self.write_documents, documents, policy)

    async def update_by_filter_async(self, filters: Filters, meta: dict[str, Any]) -> int:
        """As `update_by_filter`."""
        return await asyncio.to_thread(self.update_by_filter, filters, meta)

    async def delete_documents_async(self, document_ids: list[str]) -> None:
        """As `delete_documents`."""
        await asyncio.to_thread(self.delete_documents, document_ids)

    async def delete_by_filter_async(self, filters: Filters) -> int:
        """As `delete_by_filter`."""
        return await asyncio.to_thread(self.delete_by_filter, filters)

    async def delete_all_documents_async(self, recreate_collection: bool = False) -> None:
        """As `delete_all_documents`."""
        await asyncio.to_thread(self.delete_all_documents, recreate_collection)

    async def count_unique_metadata_by_filter_async(
        self, filters: Filters, metadata_fields: list[str]
    ) -> dict[str, int]:
        """As `count_unique_metadata_by_filter`."""
        return await asyncio.to_thread(self.count_unique_metadata_by_filter, filters, metadata_fields)

    async def get_metadata_fields_info_async(self) -> dict[str, dict[str, str]]:
        """As `get_metadata_fields_info`."""
        return await asyncio.to_thread(self.get_metadata_fields_info)

    async def get_metadata_field_min_max_async(self, metadata_field: str) -> dict[str, Any]:
        """As `get_metadata_field_min_max`."""
        return await asyncio.to_thread(self.get_metadata_field_min_max, metadata_field)

    async def get_metadata_field_unique_values_async(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: Filters = None,
    ) -> tuple[list[Any], int]:
        """As `get_metadata_field_unique_values`."""
        return await asyncio.to_thread(
            self.get_metadata_field_unique_values, metadata_field, search_term, from_, size, filters
        )

    async def search_async(self, query: octant.Query, *, return_embedding: bool = False) -> list[Document]:
        """As `search`."""
        return await asyncio.to_thread(self.search, query, return_embedding=return_embedding)

    def _items(self, filters: Filters, *, vectors: bool = False) -> Iterator[octant.Item]:
        return self.client.items(filter_from(filters), vectors=vectors)

    def _add(self, items: Sequence[octant.Item]) -> None:
        report = self.client.add(items)
        if failed := [*report.failed, *report.skipped]:
            told = "; ".join(f"{one.source}: {one.reason}" for one in failed[:3])
            raise DocumentStoreError(f"{len(failed)} documents cannot be stored, the others are: {told}")


def _values(item: octant.Item, key: str) -> list[Any]:
    """The values of a key, by its path; those of a list one by one, and null is none."""
    value: Any = item.metadata
    for step in key.split("."):
        value = cast("dict[str, Any]", value).get(step) if isinstance(value, dict) else None
    return [one for one in _each(value) if one is not None]


def _each(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _told(value: Any) -> tuple[str, str]:
    """What tells values apart: 1, 1.0, "1" and True are four."""
    return type(value).__name__, value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "float"
        case str():
            return "keyword"
        case _:
            return "object"


def _require_plain(meta: dict[str, Any]) -> None:
    """Refuse what octant would refuse of new documents."""
    for key in meta:
        key_of(key)
        if "." in key or not key or key == "octant":
            raise ValueError(
                f"meta has the key {key!r}: keys are not empty, have no dots, and 'octant' is octant's own"
            )
    json.dumps(meta, allow_nan=False)
