"""Points and what comes back: points to `qdrant_edge.Point`, records and hits back to Qdrant's models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from math import isfinite
from typing import Any, cast
from uuid import UUID

import numpy as np
import qdrant_edge as qe
from qdrant_client.http import models

from octant.errors import StoreError
from octant.stores.convert.queries import to_vector
from octant.stores.kinds import is_mapping

__all__ = ["from_record", "from_scored", "plain", "to_point", "to_point_vectors"]


def to_point(point_id: models.ExtendedPointId, vector: Any, payload: Mapping[str, Any] | None) -> qe.Point:
    """Translate one point, which must have been checked."""
    return qe.Point(point_id, to_struct(vector), plain(payload or {}, point_id))


def to_point_vectors(point_id: models.ExtendedPointId, vector: Any) -> qe.PointVectors:
    """Translate the vectors of one point, which must have been checked."""
    return qe.PointVectors(point_id, to_struct(vector))


def to_struct(vector: Any) -> Any:
    """Translate one vector, or several by name."""
    if is_mapping(vector):
        return {name: to_vector(one) for name, one in vector.items() if one is not None}
    return to_vector(vector)


def plain(value: Any, where: object) -> Any:
    """Bring a payload to what JSON can say: moments and UUIDs as text, tuples as lists, numpy scalars as numbers.

    Raises StoreError for a number that is not finite and for any other type.
    """
    kind = cast("type[object]", type(value))
    # nearly all there is, before the kinds that are like one of them: a run writes a payload for every item
    if value is None or kind is str or kind is int or kind is bool:
        return value
    if kind is dict:
        return {key if type(key) is str else str(key): plain(one, where) for key, one in value.items()}
    match value:
        case str():
            return value.value if isinstance(value, Enum) else value
        case int():
            return int(value)
        case float():
            if not isfinite(value):
                raise StoreError(f"the payload of point {where!r} holds {value}, which JSON cannot say; use None")
            return float(value)
        case _ if is_mapping(value):
            return {str(key): plain(one, where) for key, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(one, where) for one in cast("Iterable[Any]", value)]
        case datetime() | date():
            return value.isoformat().replace("+00:00", "Z")  # as qdrant-client sends it to a server
        case UUID():
            return str(value)
        case Enum():
            return plain(value.value, where)
        case np.generic():
            return plain(value.item(), where)
        case _:
            raise StoreError(
                f"the payload of point {where!r} holds a {type(value).__name__}; payloads are JSON: "
                "text, numbers, booleans, None, lists, dicts, dates and UUIDs"
            )


def from_record(record: qe.Record) -> models.Record:
    """Translate a stored point back."""
    return models.Record.model_construct(
        id=_id(record.id),
        payload=record.payload,
        vector=_vectors(record.vector),
        shard_key=None,
        order_value=_order(record.order_value),
    )


def from_scored(point: qe.ScoredPoint, with_vectors: bool) -> models.ScoredPoint:
    """Translate a hit back."""
    # what `model_construct` does, at a third of its time: an explained search reads hundreds
    made = models.ScoredPoint.__new__(models.ScoredPoint)
    own, order = point.id, point.order_value
    fields = {
        "id": own if isinstance(own, int) else str(own),
        "version": point.version,
        "score": point.score,
        "payload": point.payload,
        "vector": _vectors(point.vector) if with_vectors else None,
        "shard_key": None,
        "order_value": None if order is None else _order(order),
    }
    put = object.__setattr__
    put(made, "__dict__", fields)
    put(made, "__pydantic_fields_set__", set(fields))
    put(made, "__pydantic_extra__", None)
    put(made, "__pydantic_private__", None)
    return made


def _id(point_id: Any) -> models.ExtendedPointId:
    return point_id if isinstance(point_id, int) else str(point_id)


def _order(value: Any) -> int | float | None:
    return value if isinstance(value, int | float) else None


def _vectors(vector: Any) -> Any:
    if is_mapping(vector):
        return {name: _vector(one) for name, one in vector.items()}
    return _vector(vector)


def _vector(vector: Any) -> list[float] | list[list[float]] | models.SparseVector | None:
    if isinstance(vector, qe.SparseVector):
        indices: Sequence[int] = vector.indices
        return models.SparseVector.model_construct(indices=list(indices), values=list(vector.values))
    result: list[float] | list[list[float]] | None = vector
    return result
