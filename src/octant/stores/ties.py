"""Order among equals: fused results of the same request come in the same order, on every store.

Reciprocal ranks tie often (the first hit of each leg, say), and so do formulas of payload keys and rescored candidates;
the engines break such ties at random: the order and, at the cut, even the membership of a result change from call to
call. So a request over prefetches asks for a little more than it needs, and the result is sorted by (-score, id) before
it is cut.

What RRF weights do, in the engine, the server and local mode alike: a hit of rank r (from 0) in a leg of weight w adds
1 / (k - 1 + (r + 1) / w), not w / (k + r). At k = 60 the first hit of a leg of weight 3 adds .01685 against .01667 for
weight 1: nearly nothing. At k = 2 it is .75 against .5. Use a small k where weights are to count, or fuse by scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from qdrant_client.http import models

__all__ = ["exhaustive", "settle", "widen"]

MARGIN = 4
"""More than that are equal at the cut seldom enough to ask again."""
DEFAULT_LIMIT = 10


def widen(request: models.QueryRequest) -> models.QueryRequest:
    """Ask a fused request for what it needs to be cut fairly; return any other request as it is."""
    if not _is_fused(request):
        return request
    return _reach(request, min(_wanted(request) + MARGIN, _candidates(request)))


def settle(request: models.QueryRequest, points: list[models.ScoredPoint]) -> list[models.ScoredPoint] | None:
    """Sort and cut what the widened request brought. None: equals reach beyond it, so run `exhaustive(request)`."""
    if not _is_fused(request):
        return points
    wanted = _wanted(request)
    reached = min(wanted + MARGIN, _candidates(request))
    cut_short = len(points) == reached < _candidates(request)
    if cut_short and points[-1].score == points[wanted - 1].score:
        return None
    # of distances such as Euclid's the least is the best
    sign = 1 if points and points[0].score < points[-1].score else -1
    return sorted(points, key=partial(_rank, sign))[request.offset or 0 : wanted]


def exhaustive(request: models.QueryRequest) -> models.QueryRequest:
    """Ask a fused request for all that its prefetches may bring."""
    return _reach(request, _candidates(request))


def _is_fused(request: models.QueryRequest) -> bool:
    """Whether candidates of prefetches are put in order by a score."""
    unordered = request.query is None or isinstance(request.query, models.OrderByQuery | models.SampleQuery)
    mmr = isinstance(request.query, models.NearestQuery) and request.query.mmr is not None  # an order of its own
    return request.prefetch is not None and request.prefetch != [] and not unordered and not mmr


def _wanted(request: models.QueryRequest) -> int:
    return (DEFAULT_LIMIT if request.limit is None else request.limit) + (request.offset or 0)


def _candidates(request: models.QueryRequest) -> int:
    """Count the candidates that the prefetches may bring, and never fewer than are wanted."""
    prefetches: Sequence[models.Prefetch] = (
        [request.prefetch] if isinstance(request.prefetch, models.Prefetch) else request.prefetch or []
    )
    limits = [DEFAULT_LIMIT if one.limit is None else one.limit for one in prefetches]
    return max(sum(limits), _wanted(request))


def _reach(request: models.QueryRequest, limit: int) -> models.QueryRequest:
    return request.model_copy(update={"limit": limit, "offset": None})


def _rank(sign: int, point: models.ScoredPoint) -> tuple[float, bool, int, str]:
    number = isinstance(point.id, int)
    return sign * point.score, not number, point.id if isinstance(point.id, int) else 0, "" if number else str(point.id)
