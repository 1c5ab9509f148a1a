"""How the candidates of several legs become one ranking: in the store where it can, in the client to the same sums."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from statistics import fmean
from typing import Protocol

from qdrant_client.http import models

from octant.item import LegScore

__all__ = ["DBSF", "RRF", "Background", "Calibrated", "Found", "Fused", "Fusion", "RelativeScore", "Voter", "ZScore"]

FusionQuery = models.RrfQuery | models.FusionQuery | models.FormulaQuery
Found = Mapping[str, float]
"""A leg's candidates: point id -> raw score, best first."""
TakesPart = Callable[[str], Collection[str]]
"""The fields in which a point has a vector."""


@dataclass(frozen=True, slots=True)
class Background:
    """How the scores of unrelated pairs lie: a query of one modality and what a field holds."""

    mean: float
    std: float
    pairs: int = 0
    """From how many pairs it was estimated."""

    def __post_init__(self) -> None:
        if not self.std > 0:
            raise ValueError(f"the scores of unrelated pairs spread; a std of {self.std} is none")

    def at(self, z: float) -> float:
        """The score that stands `z` standard deviations above it: what a leg may leave out below."""
        return self.mean + z * self.std


@dataclass(frozen=True, slots=True)
class Voter:
    """A leg, as a fusion sees it."""

    field: str
    weight: float = 1.0
    background: Background | None = None
    key: str | None = None
    """The payload key of a text index: who has it takes part, as others do by having a vector in the field."""

    def takes_part(self) -> models.Condition:
        """The condition that a point can be found by this leg."""
        if self.key is None:
            return models.HasVectorCondition(has_vector=self.field)
        return models.Filter(must_not=[models.IsEmptyCondition(is_empty=models.PayloadField(key=self.key))])


@dataclass(slots=True)  # not frozen: there are hundreds to a search, and that would take most of the time
class Fused:
    """A candidate with its score, and what each leg gave to it."""

    id: str
    score: float
    tables: tuple[_Table, ...] = field(repr=False, compare=False)

    @property
    def legs(self) -> tuple[LegScore, ...]:
        """What each leg gave, in their order; the contributions sum up to the score."""
        return tuple(table.score(self.id) for table in self.tables)


@dataclass(frozen=True, slots=True)
class _Table:
    """What one leg gives to each candidate."""

    voter: Voter
    found: Found
    ranks: Mapping[str, int]
    normalised: Mapping[str, float]
    shares: Mapping[str, float]

    def score(self, one: str) -> LegScore:
        return LegScore(
            self.voter.field,
            self.found.get(one),
            self.ranks.get(one),
            self.normalised.get(one, 0.0),
            self.voter.weight,
            self.shares.get(one, 0.0),
        )


class Fusion(Protocol):
    """Makes one ranking of several."""

    @property
    def name(self) -> str: ...

    @property
    def unit(self) -> str | None:
        """What its scores mean, in words, so that a threshold has a meaning; None where it has none."""
        ...

    def query(self, voters: Sequence[Voter]) -> FusionQuery | None:
        """The query over the prefetches of the legs, in their order; None where only the client can do these sums."""
        ...

    def fuse(self, voters: Sequence[Voter], found: Sequence[Found], takes_part: TakesPart) -> list[Fused]:
        """Do the store's sums in the client: highest score first, equal ones by id.

        `takes_part` gives the fields in which a point has a vector.
        """
        ...


@dataclass(frozen=True, slots=True)
class RRF:
    """Reciprocal rank fusion: the sum over legs of 1 / (k - 1 + rank / weight), rank from 1.

    Cormack, Clarke, Buettcher, SIGIR 2009. k is always sent: Qdrant's plain `Fusion.RRF` means k = 2. The weights act
    on ranks, as Qdrant has it (a leg of weight 2 loses half as fast), so that they say little where k is large.
    """

    k: int = 60

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"RRF's k is at least 1, not {self.k}: the first rank would score without bound")

    @property
    def name(self) -> str:
        return "rrf"

    @property
    def unit(self) -> str | None:
        return None

    def query(self, voters: Sequence[Voter]) -> FusionQuery | None:
        return models.RrfQuery(
            rrf=models.Rrf(k=self.k, weights=None if _even(voters) else [voter.weight for voter in voters])
        )

    def fuse(self, voters: Sequence[Voter], found: Sequence[Found], takes_part: TakesPart) -> list[Fused]:  # noqa: ARG002
        def share(rank: int, weight: float) -> float:
            return 1 / (self.k - 1 + rank / weight) if weight > 0 else 0.0

        shares = [
            {one: share(rank, voter.weight) for rank, one in enumerate(leg, start=1)}
            for voter, leg in zip(voters, found, strict=True)
        ]
        return _fused(voters, found, shares, shares)


@dataclass(frozen=True, slots=True)
class DBSF:
    """Distribution-based score fusion: each leg's candidates from mean - 3 std (0) to mean + 3 std (1), then the sum.

    Mazzeschi, "Distribution-Based Score Fusion", 2023; Qdrant 1.11. A leg whose candidates do not differ gives each .5.
    The store knows no weights for it: with any other than 1 it runs in the client.
    """

    @property
    def name(self) -> str:
        return "dbsf"

    @property
    def unit(self) -> str | None:
        return "six standard deviations of a leg's candidates, summed over the legs: .5 is an average candidate of one"

    def query(self, voters: Sequence[Voter]) -> FusionQuery | None:
        return models.FusionQuery(fusion=models.Fusion.DBSF) if _even(voters) else None

    def fuse(self, voters: Sequence[Voter], found: Sequence[Found], takes_part: TakesPart) -> list[Fused]:  # noqa: ARG002
        normalised = [{one: 0.5 + z / 6 for one, z in _standardised(leg).items()} for leg in found]
        return _fused(voters, found, normalised, _weighted(voters, normalised))


@dataclass(frozen=True, slots=True)
class ZScore:
    """The weighted sum of standard scores over each leg's candidates, in the client.

    Who has a vector in a field and was not among its candidates counts as the last of them; who has none, as average.
    """

    @property
    def name(self) -> str:
        return "zscore"

    @property
    def unit(self) -> str | None:
        return "standard deviations above the average candidate, summed over the legs"

    def query(self, voters: Sequence[Voter]) -> FusionQuery | None:  # noqa: ARG002 - the store has no such query
        return None

    def fuse(self, voters: Sequence[Voter], found: Sequence[Found], takes_part: TakesPart) -> list[Fused]:
        fields = {one: takes_part(one) for leg in found for one in leg}
        normalised: list[Mapping[str, float]] = []
        for voter, leg in zip(voters, found, strict=True):
            here = _standardised(leg)
            last = min(here.values(), default=0.0)
            missed = {one: last for one, names in fields.items() if voter.field in names}
            normalised.append({**missed, **here})
        return _fused(voters, found, normalised, _weighted(voters, normalised))


@dataclass(frozen=True, slots=True)
class RelativeScore:
    """The weighted sum of scores between each leg's last candidate (0) and its first (1), in the client.

    Weaviate's relativeScoreFusion. A leg whose candidates do not differ gives each 1.
    """

    @property
    def name(self) -> str:
        return "relative"

    @property
    def unit(self) -> str | None:
        return "from 0, the last candidate of a leg, to 1, its first, summed over the legs by weight"

    def query(self, voters: Sequence[Voter]) -> FusionQuery | None:  # noqa: ARG002 - the store has no such query
        return None

    def fuse(self, voters: Sequence[Voter], found: Sequence[Found], takes_part: TakesPart) -> list[Fused]:  # noqa: ARG002
        normalised = [_relative(leg) for leg in found]
        return _fused(voters, found, normalised, _weighted(voters, normalised))


@dataclass(frozen=True, slots=True)
class Calibrated:
    """How far a candidate stands out of the backgrounds: sum of weight · z over the root of the sum of weight².

    Stouffer's method (Stouffer et al., "The American Soldier", 1949) over the legs that the candidate takes part in, so
    that what has two vectors does not win for having two votes, nor lose for lacking a text. A leg gives
    z = max(0, (score - mean) / std) of its background; to whom it did not find, 0, as to what is no more similar than
    unrelated things are. Runs in the store as a formula (Qdrant 1.14).
    """

    @property
    def name(self) -> str:
        return "calibrated"

    @property
    def unit(self) -> str | None:
        return "standard deviations above what is hardest to tell from the query and has nothing to do with it"

    def query(self, voters: Sequence[Voter]) -> FusionQuery | None:
        # made without checks: they would take longer than all the rest of a plan
        shares: list[models.Expression] = []
        squares: list[models.Expression] = []
        defaults: dict[str, float] = {}
        for place, voter in enumerate(voters):
            background, weight, score = _background(voter), max(voter.weight, 0.0), f"$score[{place}]"
            defaults[score] = background.mean
            above = models.SumExpression.model_construct(sum=[score, -background.mean])
            # twice max(0, above); MaxExpression would need Qdrant 1.20
            twice = models.SumExpression.model_construct(sum=[above, models.AbsExpression.model_construct(abs=above)])
            shares.append(models.MultExpression.model_construct(mult=[weight / (2 * background.std), twice]))
            squares.append(models.MultExpression.model_construct(mult=[weight * weight, voter.takes_part()]))
        spread = models.SqrtExpression.model_construct(sqrt=models.SumExpression.model_construct(sum=squares))
        ratio = models.DivParams.model_construct(
            left=models.SumExpression.model_construct(sum=shares), right=spread, by_zero_default=0.0
        )
        return models.FormulaQuery.model_construct(
            formula=models.DivExpression.model_construct(div=ratio), defaults=defaults
        )

    def fuse(self, voters: Sequence[Voter], found: Sequence[Found], takes_part: TakesPart) -> list[Fused]:
        fields = {one: takes_part(one) for leg in found for one in leg}
        spread = {
            one: sqrt(sum(max(voter.weight, 0.0) ** 2 for voter in voters if voter.field in names))
            for one, names in fields.items()
        }
        normalised: list[Mapping[str, float]] = []
        for voter, leg in zip(voters, found, strict=True):
            background = _background(voter)
            normalised.append({one: max(0.0, (raw - background.mean) / background.std) for one, raw in leg.items()})
        shares = [
            {one: max(voter.weight, 0.0) * z / spread[one] if spread[one] else 0.0 for one, z in leg.items()}
            for voter, leg in zip(voters, normalised, strict=True)
        ]
        return _fused(voters, found, normalised, shares)


def _fused(
    voters: Sequence[Voter],
    found: Sequence[Found],
    normalised: Sequence[Mapping[str, float]],
    shares: Sequence[Mapping[str, float]],
) -> list[Fused]:
    """Add up what each leg gives: to whom it gives nothing, it gives 0."""
    ranks = [{one: rank for rank, one in enumerate(leg, start=1)} for leg in found]
    tables = tuple(map(_Table, voters, found, ranks, normalised, shares))
    sums: dict[str, float] = {}
    for share, leg in zip(shares, found, strict=True):
        for one in leg:
            sums[one] = sums.get(one, 0.0)
        for one, value in share.items():
            sums[one] = sums.get(one, 0.0) + value
    best = sorted(sums, key=lambda one: (-sums[one], one))
    return [Fused(one, sums[one], tables) for one in best]


def _even(voters: Sequence[Voter]) -> bool:
    return all(voter.weight == 1 for voter in voters)


def _weighted(voters: Sequence[Voter], normalised: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    return [{one: v.weight * z for one, z in leg.items()} for v, leg in zip(voters, normalised, strict=True)]


def _standardised(leg: Found) -> dict[str, float]:
    """Standard scores among a leg's candidates; 0 where they do not differ. The std is a sample's, as in the store."""
    mean = fmean(leg.values()) if leg else 0.0
    square = sum((raw - mean) ** 2 for raw in leg.values())
    if not square:
        return dict.fromkeys(leg, 0.0)
    std = sqrt(square / (len(leg) - 1))
    return {one: (raw - mean) / std for one, raw in leg.items()}


def _relative(leg: Found) -> dict[str, float]:
    low, high = min(leg.values(), default=0.0), max(leg.values(), default=0.0)
    return {one: (raw - low) / (high - low) if high > low else 1.0 for one, raw in leg.items()}


def _background(voter: Voter) -> Background:
    if voter.background is None:
        raise ValueError(
            f"field {voter.field!r} has no background for this query: too little is known of what chance scores there "
            "(it takes some twenty vectors, and a query that is one vector); take another fusion, such as RRF()"
        )
    return voter.background
