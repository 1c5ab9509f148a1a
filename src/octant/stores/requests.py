"""Requests as data: the arguments of a query as one model, and numpy arrays as lists where an engine wants lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any, cast

import numpy as np
from pydantic import BaseModel
from qdrant_client.http import models

from octant.stores.client import Client, Prefetches, Query
from octant.stores.kinds import is_array, is_mapping

__all__ = ["listed", "request_from", "request_of"]


def request_of(
    *,
    query: Query | None,
    using: str | None,
    prefetch: Prefetches | None,
    query_filter: models.Filter | None,
    search_params: models.SearchParams | None,
    limit: int,
    offset: int | None,
    with_payload: models.WithPayloadInterface,
    with_vectors: models.WithVector,
    score_threshold: float | None,
    lookup_from: models.LookupLocation | None,
) -> models.QueryRequest:
    """Put the arguments of query_points into one request; its vector may be a numpy array."""
    return models.QueryRequest.model_construct(
        shard_key=None,
        prefetch=prefetch,
        query=query,
        using=using,
        filter=query_filter,
        params=search_params,
        score_threshold=score_threshold,
        limit=limit,
        offset=offset,
        with_vector=with_vectors,
        with_payload=with_payload,
        lookup_from=lookup_from,
    )


def request_from(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[str, models.QueryRequest]:
    """Read the collection and the request out of a call of query_points, however its arguments were passed."""
    bound = _QUERY_POINTS.bind(None, *args, **kwargs)
    bound.apply_defaults()
    given = dict(bound.arguments)
    del given["self"]
    return given.pop("collection_name"), request_of(**given)


_QUERY_POINTS = signature(Client.query_points)


def listed(value: Any) -> Any:
    """Return the same value, be it points or requests or vectors, with every numpy array in it as lists."""
    match value:
        case _ if is_array(value):
            return value.tolist()
        case list() | tuple():
            members = list(cast("Sequence[Any]", value))
            return [listed(one) for one in members] if members and not isinstance(members[0], float) else members
        case _ if is_mapping(value):
            return {key: listed(one) for key, one in value.items()}
        case models.Filter():
            return value
        case BaseModel():
            changed = {name: listed(one) for name, one in value if isinstance(one, _MAY_HOLD_ARRAYS)}
            return value.model_copy(update=changed) if changed else value
        case _:
            return value


_MAY_HOLD_ARRAYS = (np.ndarray, list, dict, BaseModel)
