"""Checks that an engine leaves out, made before anything is written or sent.

Edge stores vectors that hold NaN and sparse vectors whose indices repeat or do not match their values, and answers a
limit of 0 or an RRF constant of 0 with nonsense. The server refuses all of these; so does octant, whatever the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any
from uuid import UUID

import numpy as np
from qdrant_client.http import models

from octant.errors import StoreError
from octant.stores.kinds import is_array, is_mapping, is_sequence

__all__ = ["Layout", "check_id", "check_ids", "check_limit", "check_request", "id_key", "is_id"]

DEFAULT_VECTOR = ""
MAX_ID = 2**64 - 1
MAX_INDEX = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Layout:
    """The vectors that points of a collection may have."""

    dense: Mapping[str, models.VectorParams]
    """Dense and multi vectors by name; the unnamed vector is called ''."""
    sparse: Mapping[str, models.SparseVectorParams]

    def check_point(self, point_id: Any, vector: Any) -> None:
        """Raise StoreError unless this is an id and these are vectors that the collection can hold."""
        check_id(point_id)
        where = f"point {point_id!r}"
        if not is_mapping(vector):
            self.check_vector(DEFAULT_VECTOR, vector, where)
            return
        for name, one in vector.items():
            if one is not None:
                self.check_vector(name, one, where)

    def check_vector(self, name: str, vector: Any, where: str, *, query: bool = False) -> None:
        """Raise StoreError unless the vector fits the one of this name. A query may ask a multivector with one row."""
        if name in self.sparse:
            _check_sparse(vector, f"{where}, vector {name!r}")
        elif name in self.dense:
            params = self.dense[name]
            if params.multivector_config is None or (query and _flat(vector)):
                _check_dense(vector, params.size, f"{where}, vector {name!r}")
            else:
                _check_multi(vector, params.size, f"{where}, vector {name!r}")
        else:
            known = ", ".join(repr(known) for known in (*self.dense, *self.sparse))
            raise StoreError(f"{where}: the collection has no vector named {name!r}; it has {known or 'none'}")

    def check_names(self, names: Iterable[str]) -> None:
        """Raise StoreError for a vector name that the collection does not have."""
        for name in names:
            if name not in self.sparse and name not in self.dense:
                known = ", ".join(repr(known) for known in (*self.dense, *self.sparse))
                raise StoreError(f"the collection has no vector named {name!r}; it has {known or 'none'}")


def is_id(value: object) -> bool:
    """Tell a point id from a vector or a query."""
    return isinstance(value, int | str | UUID) and not isinstance(value, bool)


def check_id(point_id: Any) -> None:
    """Raise StoreError unless this is an unsigned 64-bit integer or a UUID."""
    match point_id:
        case bool():
            pass
        case UUID():
            return
        case int() if 0 <= point_id <= MAX_ID:
            return
        case str():
            try:
                UUID(point_id)
            except ValueError:
                pass
            else:
                return
        case _:
            pass
    raise StoreError(f"{point_id!r} is not a point id; Qdrant takes integers from 0 to 2^64 - 1 and UUIDs")


def check_ids(given: Iterable[Any]) -> list[Any]:
    """Return the ids as a list; raise StoreError if one of them is none."""
    ids = list(given)
    for point_id in ids:
        check_id(point_id)
    return ids


def id_key(point_id: models.ExtendedPointId) -> str:
    """Spell an id in one way: UUIDs may be written in several."""
    return str(point_id) if isinstance(point_id, int) else str(UUID(str(point_id)))


def check_request(request: models.QueryRequest, layout: Layout | None = None) -> None:
    """Raise StoreError unless limits and fusion of a request make sense.

    With a layout its vectors are checked too; ids must have been replaced by vectors then.
    """
    check_limit(request.limit)
    if request.offset is not None and request.offset < 0:
        raise StoreError(f"offset is {request.offset}; it must be 0 or more")
    _check_level(request, layout)


def check_limit(limit: int | None) -> None:
    """Raise StoreError for a limit below 1."""
    if limit is not None and limit < 1:
        raise StoreError(f"limit is {limit}; it must be 1 or more")


def _check_level(level: models.QueryRequest | models.Prefetch, layout: Layout | None) -> None:
    prefetches = _as_list(level.prefetch)
    query = level.query
    if isinstance(query, models.RrfQuery):
        _check_rrf(query.rrf, len(prefetches))
    if isinstance(query, models.FusionQuery | models.RrfQuery | models.FormulaQuery) and not prefetches:
        raise StoreError(f"{type(query).__name__} needs prefetches to work on")
    if layout is not None:
        for vector in _vectors(query):
            layout.check_vector(level.using or DEFAULT_VECTOR, vector, "query", query=True)
    for prefetch in prefetches:
        check_limit(prefetch.limit)
        _check_level(prefetch, layout)


def _check_rrf(rrf: models.Rrf, prefetches: int) -> None:
    if rrf.k is not None and rrf.k < 1:
        raise StoreError(f"the constant k of RRF is {rrf.k}; it must be 1 or more")
    if rrf.weights is not None and len(rrf.weights) != prefetches:
        raise StoreError(f"RRF has {len(rrf.weights)} weights for {prefetches} prefetches; give one weight for each")


def _vectors(query: Any) -> list[Any]:
    match query:
        case models.NearestQuery():
            return [query.nearest]
        case models.RecommendQuery():
            return [*(query.recommend.positive or []), *(query.recommend.negative or [])]
        case models.DiscoverQuery():
            pairs = _as_list(query.discover.context)
            return [query.discover.target, *(one for pair in pairs for one in (pair.positive, pair.negative))]
        case models.ContextQuery():
            return [one for pair in _as_list(query.context) for one in (pair.positive, pair.negative)]
        case models.RelevanceFeedbackQuery():
            given = query.relevance_feedback
            return [given.target, *(item.example for item in given.feedback)]
        case list() | np.ndarray() | models.SparseVector() | models.Document() | models.Image():
            return [query]
        case _:
            return []


def _as_list(given: Any) -> list[Any]:
    if given is None:
        return []
    return list(given) if is_sequence(given) else [given]


def _flat(vector: Any) -> bool:
    if is_array(vector):
        return vector.ndim == 1
    return is_sequence(vector) and not (vector and isinstance(vector[0], Sequence | np.ndarray))


def _check_dense(vector: Any, dim: int, where: str) -> None:
    if is_array(vector):
        if vector.shape != (dim,):
            raise StoreError(f"{where} has the shape {vector.shape}, expected ({dim},)")
        if not np.isfinite(vector).all():
            raise StoreError(f"{where} holds NaN or infinite numbers")
        return
    if not is_sequence(vector):
        raise StoreError(f"{where} is a {type(vector).__name__}, expected {dim} numbers (a list or a numpy array)")
    if len(vector) != dim:
        raise StoreError(f"{where} has {len(vector)} numbers, expected {dim}")
    try:
        finite = isfinite(sum(vector))
    except TypeError as error:
        raise StoreError(f"{where} is not a list of numbers") from error
    if not finite:
        raise StoreError(f"{where} holds NaN or infinite numbers")


def _check_multi(vector: Any, dim: int, where: str) -> None:
    if is_array(vector):
        if vector.ndim != 2 or vector.shape[0] == 0 or vector.shape[1] != dim:
            raise StoreError(f"{where} has the shape {vector.shape}, expected (rows, {dim}) with one row or more")
        if not np.isfinite(vector).all():
            raise StoreError(f"{where} holds NaN or infinite numbers")
        return
    if not is_sequence(vector) or len(vector) == 0:
        raise StoreError(f"{where} is a multivector, expected one row of {dim} numbers or more")
    for row in vector:
        _check_dense(row, dim, where)


def _check_sparse(vector: Any, where: str) -> None:
    if not isinstance(vector, models.SparseVector):
        raise StoreError(f"{where} is sparse, expected models.SparseVector, got {type(vector).__name__}")
    indices = np.asarray(vector.indices, dtype=np.int64)
    values = np.asarray(vector.values, dtype=np.float64)
    if indices.shape != values.shape:
        raise StoreError(f"{where} has {indices.size} indices and {values.size} values")
    if np.unique(indices).size != indices.size:
        raise StoreError(f"{where} repeats an index")
    if indices.size and (indices.min() < 0 or indices.max() > MAX_INDEX):
        raise StoreError(f"{where} has an index outside 0 to 2^32 - 1")
    if not np.isfinite(values).all():
        raise StoreError(f"{where} holds NaN or infinite numbers")
