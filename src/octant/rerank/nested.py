"""Stages that the store runs: the search becomes a prefetch, and the reranker the query over it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qdrant_client.http import models

from octant.item import Hit, StageScore
from octant.rerank.contract import Compares, InStore
from octant.rerank.stage import Stage
from octant.stores.capabilities import Feature
from octant.vectors import Vector

__all__ = ["Nested", "as_prefetch", "compared", "explained", "in_store", "rescoring"]


@dataclass(frozen=True, slots=True)
class Nested:
    """A request that runs the first stages of a query in the store."""

    request: models.QueryRequest
    inside: tuple[Stage, ...]
    """The stages that the request runs; none = the request is as it was but for its limit."""
    steps: tuple[models.QueryRequest, ...]
    """The request after each of these stages, the last of which is `request`: their answers explain it."""
    left: tuple[Stage, ...]
    """The stages that are left for `rank`, over all the hits of the answer."""
    wanted: int
    """How many hits the answer has if nothing is missing."""
    complete: bool
    """Whether fewer hits than that mean that there are no more. If not, candidates without a vector are missing from a
    short answer: ask without nesting then, and rank in the client."""


def in_store(
    request: models.QueryRequest,
    stages: Sequence[Stage],
    wanted: int,
    asked: Mapping[str, Vector],
    can: Callable[[Feature], bool],
) -> Nested:
    """Wrap a request in as many leading stages as the store can run to the same order.

    `wanted` is how many hits are to be shown (offset + limit), `asked` the query's vectors by field. A stage with a
    deadline is not run in the store, which knows none; nor is one with fewer candidates than are wanted after it: the
    store would not give back the others. Over what ties often, reciprocal ranks and formulas of payloads, nothing is
    nested that would cut among equals: engines do that at random.
    """
    steps: list[models.QueryRequest] = []
    complete = nests = True
    least = 0
    for i, stage in enumerate(stages):
        reranker = stage.reranker
        after = _wanted(stages[i + 1 :], wanted)
        if not isinstance(reranker, InStore) or stage.deadline is not None or stage.candidates < after:
            break
        if not (nests and can(reranker.needs)) or stage.candidates < least or _cuts_equals(request, stage.candidates):
            break
        nested = reranker.in_store(request, stage.candidates, asked)
        if nested is None:
            break
        request = nested.model_copy(update={"limit": after, "offset": 0})
        complete, nests, least = reranker.complete, reranker.nests, stage.candidates
        steps.append(request)
    inside, reach = len(steps), _wanted(stages[len(steps) :], wanted)
    request = request.model_copy(update={"limit": reach, "offset": 0})
    return Nested(request, tuple(stages[:inside]), tuple(steps), tuple(stages[inside:]), reach, complete)


def explained(before: Sequence[Hit], after: Sequence[Hit], stage: Stage) -> list[Hit]:
    """Add to hits that a stage has ranked in the store what it made of them, from the order before it.

    `before` has the explanations so far, of all the stage's candidates at least.
    """
    ranks = {hit.id: (rank, hit.explanation) for rank, hit in enumerate(before, start=1)}
    noted: list[Hit] = []
    for place, hit in enumerate(after, start=1):
        rank, explanation = ranks.get(hit.id, (place, hit.explanation))
        if explanation is not None:
            scored = StageScore(stage.reranker.name, hit.score, rank, place)
            explanation = replace(explanation, stages=(*explanation.stages, scored))
        noted.append(replace(hit, explanation=explanation))
    return noted


def compared(stages: Sequence[Stage]) -> tuple[str, ...]:
    """Name the fields whose vectors `rank` needs for these stages, each once."""
    return tuple(dict.fromkeys(s.reranker.field for s in stages if isinstance(s.reranker, Compares)))


def as_prefetch(request: models.QueryRequest, candidates: int) -> models.Prefetch:
    """Turn a search into the prefetch of another: its best candidates."""
    return models.Prefetch.model_construct(
        prefetch=request.prefetch,
        query=request.query,
        using=request.using,
        filter=request.filter,
        params=request.params,
        score_threshold=request.score_threshold,
        lookup_from=request.lookup_from,
        limit=candidates,
    )


def rescoring(
    request: models.QueryRequest, prefetch: models.Prefetch, query: Any, using: str | None
) -> models.QueryRequest:
    """Make the request that scores a prefetch by a query, and answers with what `request` asked for."""
    return models.QueryRequest.model_construct(
        prefetch=[prefetch],
        query=query,
        using=using,
        params=request.params,
        limit=request.limit,
        offset=request.offset,
        with_payload=request.with_payload,
        with_vector=request.with_vector,
    )


def _cuts_equals(request: models.QueryRequest, candidates: int) -> bool:
    """Tell whether a fusion brings more than the candidates, so that which of its equals are left out is open.

    Ranks tie, and so do calibrated scores: whatever is no better than chance has none.
    """
    if not request.prefetch:
        return False
    legs = request.prefetch if isinstance(request.prefetch, list) else [request.prefetch]
    return sum(10 if leg.limit is None else leg.limit for leg in legs) > candidates


def _wanted(stages: Sequence[Stage], wanted: int) -> int:
    return max([wanted, *(stage.candidates for stage in stages)])
