"""Documents as they stand in a collection, with what it notes of their media: by ids, or by a filter alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

from langchain_core.documents import Document
from qdrant_client import models

import octant
from langchain_octant.documents import document_of
from octant import AsyncCollection, Collection, F, Query, Schema, Text, filter_of

__all__ = ["aby_filter", "aby_ids", "by_filter", "by_ids", "is_blank", "require_words"]


def by_ids(collection: Collection, ids: Sequence[str], where: Any = None) -> list[Document]:
    """Read documents by their ids, in the order of these; those that are not there, or not in `where`, are left out."""
    if not ids:
        return []
    narrow = _all_of(octant.ids(*ids), where)
    records, _ = collection.client.scroll(collection.name, narrow, limit=len(ids), with_payload=True)
    return _in_order(_documents(collection.schema, records), ids)


async def aby_ids(collection: AsyncCollection, ids: Sequence[str], where: Any = None) -> list[Document]:
    """As `by_ids`, awaited."""
    if not ids:
        return []
    narrow = _all_of(octant.ids(*ids), where)
    records, _ = await collection.client.scroll(collection.name, narrow, limit=len(ids), with_payload=True)
    return _in_order(_documents(collection.schema, records), ids)


def is_blank(query: Query) -> bool:
    """Whether a query asks for no more than its filter does: a structured query can be without words."""
    return isinstance(query.like, Text) and not query.like.content.strip()


def require_words(query: Query) -> None:
    """Raise ValueError for a text without words, where there is nothing to compare with one."""
    if is_blank(query):
        raise ValueError("the question has no words, and nothing can be ranked by it; say what to look for")


def by_filter(collection: Collection, query: Query) -> list[Document]:
    """The documents that a blank query's filter matches, in no order that means anything. ValueError without one."""
    _require_filter(query)
    if not collection.count(query.where):  # which refuses a filter that cannot be
        return []
    records, _ = collection.client.scroll(
        collection.name, _wanted(query, collection.schema), limit=query.limit, with_payload=True
    )
    return _documents(collection.schema, records)


async def aby_filter(collection: AsyncCollection, query: Query) -> list[Document]:
    """As `by_filter`, awaited."""
    _require_filter(query)
    if not await collection.count(query.where):
        return []
    records, _ = await collection.client.scroll(
        collection.name, _wanted(query, collection.schema), limit=query.limit, with_payload=True
    )
    return _documents(collection.schema, records)


def _require_filter(query: Query) -> None:
    if filter_of(query.where) is None:
        raise ValueError("the question has no words and no filter; say what to look for, or give filter=...")


def _wanted(query: Query, schema: Schema) -> models.Filter:
    """What is asked for beside the words: the filter, the modalities, the fields."""
    kinds = F("octant.modalities").one_of(*(str(one) for one in query.into)) if query.into else None
    holding = [octant.has_vector(name) for name in query.fields if name in schema.fields]
    return _all_of(query.where, kinds, reduce(lambda one, other: one | other, holding) if holding else None)


def _all_of(*wheres: Any) -> models.Filter:
    return models.Filter(must=[one for where in wheres if (one := filter_of(where)) is not None])


def _documents(schema: Schema, records: Sequence[models.Record]) -> list[Document]:
    points = (models.ScoredPoint(id=one.id, version=0, score=0.0, payload=one.payload) for one in records)
    return [document_of(hit.item, hit.payload) for hit in map(schema.hit, points)]


def _in_order(documents: Sequence[Document], ids: Sequence[str]) -> list[Document]:
    found = {document.id: document for document in documents}
    return [found[one] for one in dict.fromkeys(ids) if one in found]
