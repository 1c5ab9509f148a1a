"""Queries: `models.QueryRequest` to `qdrant_edge.QueryRequest`. Point ids must have been replaced by their vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import qdrant_edge as qe
from qdrant_client.http import models

from octant.stores.convert.filters import to_filter, to_time
from octant.stores.convert.formulas import to_formula
from octant.stores.kinds import is_array

__all__ = ["to_order_by", "to_query", "to_vector", "to_with_payload"]

DEFAULT_LIMIT = 10
DEFAULT_RRF_K = 2
DEFAULT_DIVERSITY = 0.5


def to_query(request: models.QueryRequest) -> qe.QueryRequest:
    """Translate one request."""
    limit = DEFAULT_LIMIT if request.limit is None else request.limit
    return qe.QueryRequest(
        limit=limit,
        offset=request.offset or 0,
        query=_scoring(request.query, request.using, limit + (request.offset or 0)),
        prefetches=_prefetches(request.prefetch),
        with_vector=False if request.with_vector is None else request.with_vector,
        with_payload=to_with_payload(request.with_payload),
        filter=to_filter(request.filter),
        score_threshold=request.score_threshold,
        params=_params(request.params),
    )


def to_vector(vector: Any) -> Any:
    """Translate a dense, sparse or multi vector of a query or a point.

    A contiguous float32 row goes in as a memoryview, which Edge reads faster than a list or an array; a matrix goes in
    as lists, since Edge reads those several times faster than 2-D arrays.
    """
    if is_array(vector):
        if vector.ndim == 1:
            return np.ascontiguousarray(vector, dtype=np.float32).data
        return vector.tolist()
    if isinstance(vector, models.SparseVector):
        return qe.SparseVector(list(vector.indices), list(vector.values))
    return vector


def to_with_payload(given: models.WithPayloadInterface | None) -> Any:
    """Translate a payload selection; None is none."""
    match given:
        case None:
            return False
        case models.PayloadSelectorInclude():
            return qe.PayloadSelector.Include(given.include)
        case models.PayloadSelectorExclude():
            return qe.PayloadSelector.Exclude(given.exclude)
        case _:
            return given


def to_order_by(given: models.OrderByInterface | None) -> qe.OrderBy | None:
    """Translate an order; a string is the key."""
    if given is None:
        return None
    if isinstance(given, str):
        return qe.OrderBy(given)
    direction = None if given.direction is None else getattr(qe.Direction, given.direction.value.title())
    start = given.start_from
    return qe.OrderBy(
        given.key, direction, start if start is None or isinstance(start, int | float) else to_time(start)
    )


def _prefetches(given: Sequence[models.Prefetch] | models.Prefetch | None) -> list[qe.Prefetch] | None:
    if given is None:
        return None
    return [_prefetch(one) for one in ([given] if isinstance(given, models.Prefetch) else given)]


def _prefetch(given: models.Prefetch) -> qe.Prefetch:
    limit = DEFAULT_LIMIT if given.limit is None else given.limit
    return qe.Prefetch(
        limit=limit,
        query=_scoring(given.query, given.using, limit),
        prefetches=_prefetches(given.prefetch),
        params=_params(given.params),
        filter=to_filter(given.filter),
        score_threshold=given.score_threshold,
    )


def _scoring(query: models.QueryInterface | None, using: str | None, limit: int) -> Any:
    match query:
        case None:
            return None
        case models.NearestQuery():
            return _nearest(query, using, limit)
        case models.FusionQuery():
            return qe.Fusion.Rrf(DEFAULT_RRF_K) if query.fusion == models.Fusion.RRF else _dbsf()
        case models.RrfQuery():
            k = DEFAULT_RRF_K if query.rrf.k is None else query.rrf.k
            return qe.Fusion.Rrf(k, query.rrf.weights)
        case models.FormulaQuery():
            return to_formula(query)
        case models.OrderByQuery():
            return to_order_by(query.order_by)
        case models.SampleQuery():
            return qe.Sample.Random
        case models.TextQuery():
            return _text(query, using)
        case models.RecommendQuery():
            return _recommend(query.recommend, using)
        case models.DiscoverQuery():
            discover = query.discover
            return qe.Query.Discover(qe.DiscoverQuery(to_vector(discover.target), _pairs(discover.context)), using)
        case models.ContextQuery():
            return qe.Query.Context(qe.ContextQuery(_pairs(query.context)), using)
        case models.RelevanceFeedbackQuery():
            return _feedback(query.relevance_feedback, using)
        case _:
            return qe.Query.Nearest(to_vector(query), using)


def _dbsf() -> Any:
    dbsf: Any = qe.Fusion.Dbsf
    return dbsf()


def _nearest(query: models.NearestQuery, using: str | None, limit: int) -> Any:
    if query.mmr is None:
        return qe.Query.Nearest(to_vector(query.nearest), using)
    diversity = DEFAULT_DIVERSITY if query.mmr.diversity is None else query.mmr.diversity
    candidates = limit if query.mmr.candidates_limit is None else query.mmr.candidates_limit
    return qe.Mmr(to_vector(query.nearest), 1.0 - diversity, candidates, using)


def _text(query: models.TextQuery, using: str | None) -> qe.TextQuery:
    text = query.text
    if isinstance(text, str):
        return qe.TextQuery(using or "", text)
    scoring = None if text.scoring is None else text.scoring.bm25
    return qe.TextQuery(using or "", text.query, None if scoring is None else qe.Bm25Params(scoring.k, scoring.b))


def _recommend(given: models.RecommendInput, using: str | None) -> Any:
    examples = qe.RecommendQuery(
        [to_vector(one) for one in given.positive or []], [to_vector(one) for one in given.negative or []]
    )
    if given.strategy == models.RecommendStrategy.SUM_SCORES:
        return qe.Query.RecommendSumScores(examples, using)
    return qe.Query.RecommendBestScore(examples, using)


def _pairs(given: models.ContextInput) -> list[qe.ContextPair]:
    pairs = [given] if isinstance(given, models.ContextPair) else given
    return [qe.ContextPair(to_vector(pair.positive), to_vector(pair.negative)) for pair in pairs]


def _feedback(given: models.RelevanceFeedbackInput, using: str | None) -> Any:
    naive = given.strategy.naive
    examples = [qe.FeedbackItem(to_vector(item.example), item.score) for item in given.feedback]
    strategy = qe.NaiveFeedbackStrategy(naive.a, naive.b, naive.c)
    return qe.Query.FeedbackNaive(qe.FeedbackNaiveQuery(to_vector(given.target), examples, strategy), using)


def _params(given: models.SearchParams | None) -> qe.SearchParams | None:
    if given is None:
        return None
    return qe.SearchParams(
        hnsw_ef=given.hnsw_ef,
        exact=bool(given.exact),
        quantization=_quantization(given.quantization),
        indexed_only=bool(given.indexed_only),
        acorn=_acorn(given.acorn),
        idf=_idf(given.idf),
    )


def _quantization(given: models.QuantizationSearchParams | None) -> qe.QuantizationSearchParams | None:
    if given is None:
        return None
    return qe.QuantizationSearchParams(bool(given.ignore), given.rescore, given.oversampling)


def _acorn(given: models.AcornSearchParams | None) -> Any:
    return None if given is None else qe.AcornSearchParams(bool(given.enable), given.max_selectivity)


def _idf(given: models.IdfParams | None) -> Any:
    if given is None:
        return None
    return qe.IdfParams(to_filter(given.corpus) if isinstance(given, models.IdfCorpusParams) else None)
