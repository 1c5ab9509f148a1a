"""Reranking by stored vectors: late interaction (MaxSim), and maximal marginal relevance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from qdrant_client.http import models

from octant.item import Hit
from octant.rerank.contract import InField, Reranker
from octant.rerank.nested import as_prefetch, rescoring
from octant.rerank.similarity import similarities
from octant.schema import to_qdrant
from octant.stores.capabilities import Feature
from octant.vectors import Array, Sparse, Vector

if TYPE_CHECKING:
    from octant.query import Query

__all__ = ["LateInteraction", "Mmr"]


@dataclass(frozen=True, slots=True)
class LateInteraction:
    """Judge hits by their vectors in another field: tokens against tokens (MaxSim), or a finer dense vector.

    In the store it is a rescoring query over the search as its prefetch; elsewhere the same sums.
    """

    field: str
    """A field of multivectors or dense vectors, which the query can be asked in."""
    needs: ClassVar[Feature] = Feature.PREFETCH
    complete: ClassVar[bool] = False
    nests: ClassVar[bool] = False  # what has no vector would be missing from the next stage

    @property
    def name(self) -> str:
        return f"late interaction in {self.field}"

    def for_query(self, query: Query, fields: Mapping[str, InField]) -> Reranker:
        """Compare hits with what is asked in the field. ValueError where the search has no vector there."""
        del query
        return _Nearness(self.name, _vectors(fields, self.field))

    def in_store(
        self, request: models.QueryRequest, candidates: int, asked: Mapping[str, Vector]
    ) -> models.QueryRequest | None:
        """Rescore the best candidates in the field; those without a vector there are not in the answer."""
        if self.field not in asked or isinstance(asked[self.field], Sparse):
            return None
        return rescoring(request, as_prefetch(request, candidates), to_qdrant(asked[self.field]), self.field)


@dataclass(frozen=True, slots=True)
class Mmr:
    """Put hits that are unlike the ones above them higher: maximal marginal relevance.

    The next hit is always the one of the highest (1 - diversity) · similarity to the query - diversity · similarity to
    the nearest hit above it (Carbonell, Goldstein, SIGIR 1998, with lambda = 1 - diversity), both in one field. Hits
    without a vector there stay below. Their scores stay what they were: MMR is an order among hits. Before it put what
    chooses the candidates; it judges them by this field alone.
    """

    field: str
    diversity: float = 0.3
    """0 = by similarity alone, 1 = as unlike one another as can be: Qdrant's diversity, not LangChain's lambda."""
    keeps_scores: ClassVar[bool] = True
    needs: ClassVar[Feature] = Feature.MMR
    complete: ClassVar[bool] = True
    nests: ClassVar[bool] = False  # as a prefetch, Edge answers with all its candidates, and does not choose

    def __post_init__(self) -> None:
        if not 0 <= self.diversity <= 1:
            raise ValueError(f"diversity lies within 0 and 1, not {self.diversity}")

    @property
    def name(self) -> str:
        return "mmr"

    def for_query(self, query: Query, fields: Mapping[str, InField]) -> Reranker:
        """Compare hits with what is asked in the field. ValueError where the search has no vector there."""
        del query
        return _Marginal(self.name, _vectors(fields, self.field), self.diversity)

    def in_store(
        self, request: models.QueryRequest, candidates: int, asked: Mapping[str, Vector]
    ) -> models.QueryRequest | None:
        """Ask for the same search with MMR, where it is a search for the nearest in this one field."""
        vector = asked.get(self.field)
        if request.prefetch or request.using != self.field or not isinstance(vector, np.ndarray):
            return None
        if not isinstance(request.query, list | np.ndarray):  # not a recommendation, not by an id
            return None
        mmr = models.Mmr(diversity=self.diversity, candidates_limit=candidates)
        nearest = models.NearestQuery.model_construct(nearest=to_qdrant(vector), mmr=mmr)
        return request.model_copy(update={"query": nearest})


@dataclass(frozen=True, slots=True)
class _Nearness:
    name: str
    vectors: InField

    def score(self, query: Query, hits: Sequence[Hit]) -> list[float]:
        del query
        found = self.vectors.found
        judged = [hit.id for hit in hits if hit.id in found]
        alike = similarities(self.vectors.distance, self.vectors.asked, [found[one] for one in judged])
        scores = dict(zip(judged, alike.tolist(), strict=True))
        return [scores.get(hit.id, -math.inf) for hit in hits]


@dataclass(frozen=True, slots=True)
class _Marginal:
    name: str
    vectors: InField
    diversity: float

    def score(self, query: Query, hits: Sequence[Hit]) -> list[float]:
        del query
        found, distance = self.vectors.found, self.vectors.distance
        places = [i for i, hit in enumerate(hits) if hit.id in found]
        rows = [found[hits[i].id] for i in places]
        relevance = similarities(distance, self.vectors.asked, rows)
        # MaxSim is not symmetric: it is asked of the candidates how much of them is in what is chosen already
        alike = np.array([similarities(distance, row, rows) for row in rows], dtype=np.float32)
        scores = [-math.inf] * len(hits)
        for place, value in _select(relevance, alike, self.diversity):
            scores[places[place]] = value
        return scores


def _select(relevance: Array, alike: Array, diversity: float) -> list[tuple[int, float]]:
    """Choose all candidates in the order of MMR: each with its value, which falls from one to the next.

    Equals are settled as the store does it: by the last one in a list from which the chosen are swapped out.
    """
    pending = list(range(len(relevance)))
    nearest = np.full(len(relevance), -math.inf, dtype=np.float32)
    values = (1 - diversity) * relevance.astype(np.float64)
    chosen: list[tuple[int, float]] = []
    while pending:
        by = relevance if not chosen else values - diversity * nearest
        at = max(range(len(pending)), key=lambda i: (by[pending[i]], i))
        one = pending[at]
        chosen.append((one, float(values[one] if not chosen else by[one])))
        pending[at] = pending[-1]
        pending.pop()
        nearest = np.maximum(nearest, alike[:, one])
    # the first is first whatever it is worth: it had nothing above it to be compared with
    falling: list[tuple[int, float]] = []
    for place, (one, value) in enumerate(chosen):
        if place == 0 and len(chosen) > 1:
            value = max(value, math.nextafter(chosen[1][1], math.inf))
        elif place > 0:
            value = min(value, math.nextafter(falling[-1][1], -math.inf))
        falling.append((one, value))
    return falling


def _vectors(fields: Mapping[str, InField], field: str) -> InField:
    if field not in fields:
        raise ValueError(f"the query has no vector in field {field!r}; name one that it can be asked in")
    if isinstance(fields[field].asked, Sparse):
        raise ValueError(f"field {field!r} holds sparse vectors; compare dense ones or multivectors")
    return fields[field]
