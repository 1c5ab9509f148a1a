"""Point ids in queries, `lookup_from` and recommendation by average: replaced by vectors, as the server does inside.

A server reads the vector of an id named in a query, leaves that point out of the results, and turns the default
recommendation into a nearest query by the average. Edge takes vectors only, so the same is done here, to equal effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
from qdrant_client.http import models

from octant.errors import StoreError
from octant.stores.checks import DEFAULT_VECTOR, is_id

__all__ = ["Fetch", "resolve"]

Fetch = Callable[[str, str, Sequence[models.ExtendedPointId]], dict[models.ExtendedPointId, Any]]
"""(collection, vector name, ids) -> vector by id, for those that have one."""

Level = TypeVar("Level", models.QueryRequest, models.Prefetch)


def resolve(collection: str, request: Level, fetch: Fetch) -> Level:
    """Return the request with every point id replaced by its vector, and without averages to compute."""
    changes: dict[str, Any] = {}
    if request.prefetch is not None:
        nested = [request.prefetch] if isinstance(request.prefetch, models.Prefetch) else request.prefetch
        changes["prefetch"] = [resolve(collection, one, fetch) for one in nested]
    source = _Source(collection, request.lookup_from, request.using, fetch)
    query = _with_vectors(request.query, source)
    if query is not request.query:
        changes["query"] = query
    if source.mentioned:
        changes["filter"] = _without(request.filter, source.mentioned)
    return request.model_copy(update=changes) if changes else request


class _Source:
    """Where the ids of one query level get their vectors from."""

    def __init__(self, collection: str, lookup: models.LookupLocation | None, using: str | None, fetch: Fetch) -> None:
        self.own = lookup is None or lookup.collection == collection
        self.collection = collection if lookup is None else lookup.collection
        self.vector = (lookup.vector if lookup is not None else None) or using or DEFAULT_VECTOR
        self.fetch = fetch
        self.mentioned: list[models.ExtendedPointId] = []

    def vectors(self, examples: Iterable[Any]) -> list[Any]:
        given = list(examples)
        ids: list[Any] = [one for one in given if is_id(one)]
        if not ids:
            return given
        found = self.fetch(self.collection, self.vector, ids)
        for one in ids:
            if one not in found:
                raise StoreError(
                    f"the query names point {one!r}, which has no vector {self.vector!r} "
                    f"in the collection {self.collection!r}"
                )
        if self.own:
            self.mentioned.extend(ids)
        return [found[one] if is_id(one) else one for one in given]

    def vector_of(self, example: Any) -> Any:
        return self.vectors([example])[0]


def _with_vectors(query: Any, source: _Source) -> Any:
    match query:
        case models.NearestQuery() if is_id(query.nearest):
            return models.NearestQuery.model_construct(nearest=source.vector_of(query.nearest), mmr=query.mmr)
        case models.RecommendQuery():
            return _recommend(query.recommend, source)
        case models.DiscoverQuery():
            target = source.vector_of(query.discover.target)
            found = models.DiscoverInput.model_construct(target=target, context=_pairs(query.discover.context, source))
            return models.DiscoverQuery.model_construct(discover=found)
        case models.ContextQuery():
            return models.ContextQuery.model_construct(context=_pairs(query.context, source))
        case models.RelevanceFeedbackQuery():
            return _feedback(query.relevance_feedback, source)
        case _ if is_id(query):
            return source.vector_of(query)
        case _:
            return query


def _pairs(context: models.ContextInput, source: _Source) -> list[models.ContextPair]:
    pairs = [context] if isinstance(context, models.ContextPair) else context
    return [
        models.ContextPair.model_construct(
            positive=source.vector_of(pair.positive), negative=source.vector_of(pair.negative)
        )
        for pair in pairs
    ]


def _feedback(given: models.RelevanceFeedbackInput, source: _Source) -> models.RelevanceFeedbackQuery:
    feedback = [
        models.FeedbackItem.model_construct(example=source.vector_of(item.example), score=item.score)
        for item in given.feedback
    ]
    target = source.vector_of(given.target)
    found = models.RelevanceFeedbackInput.model_construct(target=target, feedback=feedback, strategy=given.strategy)
    return models.RelevanceFeedbackQuery.model_construct(relevance_feedback=found)


def _recommend(given: models.RecommendInput, source: _Source) -> Any:
    positive = source.vectors(given.positive or [])
    negative = source.vectors(given.negative or [])
    if given.strategy not in (None, models.RecommendStrategy.AVERAGE_VECTOR):
        if not positive and not negative:
            raise StoreError("a recommendation needs a positive or a negative example")
        found = models.RecommendInput.model_construct(positive=positive, negative=negative, strategy=given.strategy)
        return models.RecommendQuery.model_construct(recommend=found)
    if not positive:
        raise StoreError("a recommendation by average needs a positive example; strategy best_score does not")
    return _average(positive, negative)


def _average(positive: Sequence[Any], negative: Sequence[Any]) -> Any:
    """Mean of the positives, moved away from the mean of the negatives by as much as it differs from it."""
    first = positive[0]
    if isinstance(first, models.SparseVector):
        return _average_sparse(positive, negative)
    if np.ndim(first) == 2:
        rows = [np.asarray(one, dtype=np.float32) for one in positive]
        rows += [-np.asarray(one, dtype=np.float32) for one in negative]
        return np.concatenate(rows)
    mean = np.mean(np.asarray(positive, dtype=np.float32), axis=0)
    if negative:
        mean = mean + mean - np.mean(np.asarray(negative, dtype=np.float32), axis=0)
    return np.asarray(mean, dtype=np.float32)


def _average_sparse(
    positive: Sequence[models.SparseVector], negative: Sequence[models.SparseVector]
) -> models.SparseVector:
    sums: dict[int, float] = {}
    share = (2.0 if negative else 1.0) / len(positive)
    for vectors, weight in ((positive, share), (negative, -1.0 / max(len(negative), 1))):
        for vector in vectors:
            for index, value in zip(vector.indices, vector.values, strict=True):
                sums[index] = sums.get(index, 0.0) + weight * value
    return models.SparseVector(indices=sorted(sums), values=[sums[index] for index in sorted(sums)])


def _without(given: models.Filter | None, ids: list[models.ExtendedPointId]) -> models.Filter:
    mentioned = models.HasIdCondition(has_id=ids)
    if given is None:
        return models.Filter(must_not=[mentioned])
    held = given.must_not
    before = [] if held is None else list(held) if isinstance(held, list) else [held]
    return given.model_copy(update={"must_not": [*before, mentioned]})
