"""What a reranker is, and what it may say of itself so that it is called well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from qdrant_client.http import models

from octant.item import Hit
from octant.media import Modality
from octant.stores.capabilities import Feature
from octant.vectors import Vector

if TYPE_CHECKING:
    from octant.query import Query

__all__ = ["Compares", "InField", "InStore", "Judge", "PerQuery", "ReadsMedia", "Reranker"]


class Reranker(Protocol):
    """Judges hits by a query.

    It may have more. With a `batch_size` it is called with slices of that many hits, and can be stopped between them;
    without one it is called once, with all. With `keeps_scores` it gives hits their places, and no scores of their own.
    The other protocols here name the rest.
    """

    @property
    def name(self) -> str: ...

    def score(self, query: Query, hits: Sequence[Hit]) -> Sequence[float]:
        """Score hits: one number each, in order, higher is better; -inf for a hit that it cannot judge."""
        ...


@dataclass(frozen=True, slots=True)
class InField:
    """A field's vectors in one search: the one that is asked with there, and those of the hits."""

    distance: models.Distance
    asked: Vector
    found: Mapping[str, Vector]
    """By the id of the hit; one that has no vector in the field is not there."""


@runtime_checkable
class PerQuery(Protocol):
    """A reranker that has something to do once for a query: it makes the one that judges hits by it."""

    @property
    def name(self) -> str: ...

    def for_query(self, query: Query, fields: Mapping[str, InField]) -> Reranker:
        """Make the reranker of a query. `fields` has the vectors of the field that it compares, if it does."""
        ...


Judge = Reranker | PerQuery


@runtime_checkable
class Compares(PerQuery, Protocol):
    """A reranker that compares stored vectors, and needs those of a field."""

    @property
    def field(self) -> str: ...


@runtime_checkable
class ReadsMedia(Protocol):
    """A reranker that decodes the media of hits."""

    @property
    def reads(self) -> Mapping[Modality, int | None]:
        """Which it decodes, and how finely: the shorter side in pixels, the rate in Hz; None = as finely as it is."""
        ...


@runtime_checkable
class InStore(Protocol):
    """A reranker that the store can run as well, to the same order."""

    needs: ClassVar[Feature]
    complete: ClassVar[bool]
    """Whether the store gives back every candidate, and not only those that it can judge."""
    nests: ClassVar[bool]
    """Whether another stage may be nested over it."""

    def in_store(
        self, request: models.QueryRequest, candidates: int, asked: Mapping[str, Vector]
    ) -> models.QueryRequest | None:
        """Wrap a request so that the store reranks its best `candidates`; None where it cannot do that for this one.

        `asked` has the vector that the query asks with, by field. The limit of the result is the request's own.
        """
        ...
