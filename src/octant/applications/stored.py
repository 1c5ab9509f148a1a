"""The stored vectors of a field, and the neighbours of each, as walks: batches that the store answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qdrant_client.http import models

from octant.answer import Ask, View, Walk, checked, vectors_of
from octant.errors import StoreError
from octant.item import Metadata
from octant.payload import MADE, item_from_payload
from octant.query import Where, filter_of
from octant.schema import Field, to_qdrant
from octant.vectors import Array, Kind, Sparse

__all__ = ["Neighbour", "Row", "counted", "dense_field", "narrowed", "neighbours", "rows"]

_PAGE = 512
_QUERIES = 128
"""Searches in one round trip."""
_MADE = models.PayloadSelectorInclude(include=list(MADE))


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A stored item and its vector in one field; a multivector has a row for each."""

    point: str
    id: str
    payload: Metadata
    vector: Array


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A point near to another one."""

    point: str
    id: str
    score: float


def dense_field(view: View, name: str) -> Field:
    """The field of a name, where it can be computed with: dense vectors, of which the higher score is the nearer."""
    if name not in view.schema.fields:
        raise StoreError(f"no field {name!r} in this collection; it has {', '.join(view.schema.fields)}")
    field = view.schema.fields[name]
    if field.space.kind is not Kind.DENSE:
        raise StoreError(f"field {name!r} has {field.space.kind} vectors; name one whose items have a dense one")
    if field.space.distance not in (models.Distance.COSINE, models.Distance.DOT):
        raise StoreError(
            f"field {name!r} is compared by {field.space.distance.value}; this needs a cosine or dot product"
        )
    return field


def narrowed(view: View, field: str, where: Where | None) -> Walk[models.Filter]:
    """What `where` matches and has a vector in the field. FilterError where it asks for what no item has."""
    yield from checked([where], view)
    narrow = filter_of(where)
    there = models.HasVectorCondition(has_vector=field)
    return models.Filter(must=[there] if narrow is None else [there, narrow])


def rows(
    view: View, field: str, narrow: models.Filter, most: int | None = None, *, payload: bool = False
) -> Walk[list[Row]]:
    """Read items with their vectors, page by page, at most so many.

    Points come in the order of their ids, which are hashes (`octant.payload.point_id`): the first of them are as good
    as drawn at random, and the same ones every time.
    """
    found: list[Row] = []
    offset: Any = None
    while most is None or len(found) < most:
        size = _PAGE if most is None else min(_PAGE, most - len(found))
        asked = {"limit": size, "offset": offset, "with_payload": True if payload else _MADE, "with_vectors": [field]}
        records: list[models.Record]
        records, offset = yield Ask("scroll", (view.name, narrow), asked)
        found.extend(row for record in records if (row := _row(record, field)) is not None)
        if offset is None:
            break
    return found


def counted(view: View, narrow: models.Filter) -> Walk[int]:
    """How many points a filter matches."""
    found: models.CountResult = yield Ask("count", (view.name,), {"count_filter": narrow, "exact": True})
    return found.count


def neighbours(
    view: View, field: str, asking: Sequence[Row], narrow: models.Filter, count: int, *, least: float | None = None
) -> Walk[list[list[Neighbour]]]:
    """The nearest others of each row, best first: the index finds them, and no pair is compared here."""
    found: list[list[Neighbour]] = []
    for start in range(0, len(asking), _QUERIES):
        batch = asking[start : start + _QUERIES]
        requests = [
            models.QueryRequest.model_construct(
                query=to_qdrant(row.vector),
                using=field,
                filter=narrow,
                limit=count + 1,  # an item is its own nearest
                score_threshold=least,
                with_payload=_MADE,
            )
            for row in batch
        ]
        answered: list[models.QueryResponse] = yield Ask("query_batch_points", (view.name, requests))
        for row, answer in zip(batch, answered, strict=True):
            others = [_neighbour(point) for point in answer.points if str(point.id) != row.point]
            found.append(others[:count])
    return found


def _row(record: models.Record, field: str) -> Row | None:
    vector = vectors_of(record.vector).get(field)
    if vector is None or isinstance(vector, Sparse):
        return None
    payload = record.payload or {}
    return Row(str(record.id), item_from_payload(payload, str(record.id)).id, payload, vector)


def _neighbour(point: models.ScoredPoint) -> Neighbour:
    name = item_from_payload(point.payload or {}, str(point.id)).id
    return Neighbour(str(point.id), name, point.score)
