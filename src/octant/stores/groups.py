"""Groups: hits of a query gathered by a payload field, out of plain queries.

Edge's Python binding has no groups. Two rounds do: the first reads hits, best first, until there are enough groups (the
first `limit` keys that turn up are the best groups); the second asks for the best hits of each group that is not full.
Scores of a fused or rescored query depend on its candidates, which a filter per group would change, so such a query is
asked once, with the limits of its prefetches multiplied by the group size, as the server does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qdrant_client.http import models
from qdrant_client.local.payload_value_extractor import value_by_key

__all__ = ["query_groups"]

Run = Callable[[list[models.QueryRequest]], list[list[models.ScoredPoint]]]
Groups = dict[int | str, list[models.ScoredPoint]]

FIRST_ROUND = 4
GROWTH = 8


def query_groups(
    run: Run, request: models.QueryRequest, group_by: str, limit: int, group_size: int, points: int
) -> Groups:
    """Return the best `limit` groups, each with its best hits; `points` is how many the collection holds.

    Hits carry whole payloads; the caller cuts them to what was asked for.
    """
    has_key = models.Filter(must_not=[models.IsEmptyCondition(is_empty=models.PayloadField(key=group_by))])
    request = request.model_copy(
        update={"with_payload": True, "offset": None, "filter": _both(request.filter, has_key)}
    )
    if request.prefetch is not None:
        request = _deepen(request, group_size)
        return _first(_gather(run([request])[0], group_by, group_size), limit)
    reach = max(limit * group_size, FIRST_ROUND)
    while True:
        hits = run([request.model_copy(update={"limit": reach})])[0]
        groups = _gather(hits, group_by, group_size)
        if len(groups) >= limit or len(hits) < reach or reach >= points:
            break
        reach = min(reach * GROWTH, max(points, 1))
    groups = _first(groups, limit)
    if len(hits) == reach:
        _fill(run, request, group_by, group_size, groups)
    return groups


def _fill(run: Run, request: models.QueryRequest, group_by: str, group_size: int, groups: Groups) -> None:
    short = [key for key, hits in groups.items() if len(hits) < group_size]
    asked = [
        request.model_copy(update={"limit": group_size, "filter": _both(request.filter, _of(group_by, key))})
        for key in short
    ]
    if asked:
        for key, hits in zip(short, run(asked), strict=True):
            groups[key] = hits


def _of(group_by: str, key: int | str) -> models.Filter:
    return models.Filter(must=[models.FieldCondition(key=group_by, match=models.MatchValue(value=key))])


def _gather(hits: Sequence[models.ScoredPoint], group_by: str, group_size: int) -> Groups:
    groups: Groups = {}
    for hit in hits:
        for key in _keys(hit.payload or {}, group_by):
            members = groups.setdefault(key, [])
            if len(members) < group_size:
                members.append(hit)
    return groups


def _keys(payload: dict[str, Any], group_by: str) -> list[int | str]:
    """List the groups of a point. One value that cannot name a group, and the point is in none, as on the server."""
    values: list[Any] | None = value_by_key(payload, group_by)
    if not values or any(isinstance(value, bool) or not isinstance(value, int | str) for value in values):
        return []
    return list(dict.fromkeys(values))


def _first(groups: Groups, limit: int) -> Groups:
    return dict(list(groups.items())[:limit])


def _both(first: models.Filter | None, second: models.Filter) -> models.Filter:
    return second if first is None else models.Filter(must=[first, second])


def _deepen(request: models.QueryRequest, factor: int) -> models.QueryRequest:
    prefetches = [_deeper(one, factor) for one in _nested(request.prefetch)]
    limit = sum(one.limit or 0 for one in prefetches)
    return request.model_copy(update={"prefetch": prefetches, "limit": limit})


def _deeper(prefetch: models.Prefetch, factor: int) -> models.Prefetch:
    changes: dict[str, Any] = {"limit": (prefetch.limit or 10) * factor}
    if prefetch.prefetch is not None:
        changes["prefetch"] = [_deeper(one, factor) for one in _nested(prefetch.prefetch)]
    return prefetch.model_copy(update=changes)


def _nested(given: models.Prefetch | list[models.Prefetch] | None) -> list[models.Prefetch]:
    if given is None:
        return []
    return [given] if isinstance(given, models.Prefetch) else given
