"""What is asked: examples, alone or composed, and how the answer is to be made. Plain data, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
from qdrant_client.http import models

from octant.filters import Where, filter_of
from octant.fusion import Fusion
from octant.media import Audio, Image, Media, Modality, Text
from octant.vectors import Array, Sparse

if TYPE_CHECKING:
    from octant.rerank import Stage

__all__ = [
    "Asked",
    "ById",
    "ByVector",
    "Composed",
    "Discover",
    "Example",
    "Part",
    "Query",
    "Recommend",
    "Where",
    "examples_of",
    "filter_of",
]


@dataclass(frozen=True, slots=True)
class ById:
    """An item of the collection as an example: its stored vectors are asked with, and it is left out of the hits."""

    id: str


@dataclass(frozen=True, slots=True, eq=False)
class ByVector:
    """A vector of the caller's as an example: of the space of the fields that `Query.fields` names."""

    vector: Array | Sparse | Sequence[float]


Example: TypeAlias = Text | Image | Audio | ById | ByVector


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a composed question. A negative weight leads away from it."""

    example: Example
    weight: float = 1.0

    def __post_init__(self) -> None:
        _check_example(self.example)
        if not np.isfinite(self.weight) or self.weight == 0:
            raise ValueError(f"a part's weight is a number other than 0, not {self.weight}")


@dataclass(frozen=True, slots=True)
class Composed:
    """Several examples as one question: "like this photo, but red, and not like that one".

    In each field the unit vectors of the parts, times their weights, are summed; a part that the field's space cannot
    read has no part in it. `like` and `unlike` take examples (weights 1 and -1) or parts with weights of their own.
    """

    like: tuple[Example | Part, ...]
    unlike: tuple[Example, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(cast("object", self.like), tuple) or not isinstance(cast("object", self.unlike), tuple):
            raise TypeError("Composed((one, another), unlike=(a third,)) takes tuples of examples")
        if not [part for part in self.parts if part.weight > 0]:
            raise ValueError("a composed question needs a part that it wants to be near to; see Recommend for the rest")

    @property
    def parts(self) -> tuple[Part, ...]:
        """All the parts, with their weights."""
        liked = [one if isinstance(one, Part) else Part(one) for one in self.like]
        return (*liked, *(Part(one, -1.0) for one in self.unlike))


@dataclass(frozen=True, slots=True)
class Recommend:
    """More like these and less like those, as Qdrant recommends.

    `AVERAGE_VECTOR` asks once, with the mean of what is liked moved away from what is not; `BEST_SCORE` judges each
    item by the nearest of its examples, `SUM_SCORES` by all of them: these two need no liked example.
    """

    like: tuple[Example, ...] = ()
    unlike: tuple[Example, ...] = ()
    strategy: models.RecommendStrategy = models.RecommendStrategy.AVERAGE_VECTOR

    def __post_init__(self) -> None:
        for one in (*self.like, *self.unlike):
            _check_example(one)
        if not self.like and (not self.unlike or self.strategy is models.RecommendStrategy.AVERAGE_VECTOR):
            raise ValueError("a recommendation by average needs something liked; BEST_SCORE does with the unlike alone")


@dataclass(frozen=True, slots=True)
class Discover:
    """Search within a context: pairs of what is rather meant and what is rather not. No target explores the context."""

    target: Example | None
    context: tuple[tuple[Example, Example], ...]

    def __post_init__(self) -> None:
        for one in (*(one for pair in self.context for one in pair), *([self.target] if self.target else [])):
            _check_example(one)
        if not self.context:
            raise ValueError("Discover needs at least one pair (more like this, less like that) as context")


Asked: TypeAlias = Example | Composed | Recommend | Discover


@dataclass(frozen=True, slots=True)
class Query:
    """One question: what is asked, and how the answer is to be made."""

    like: Asked
    into: tuple[Modality, ...] = ()
    """Modalities to find; none named = all that the collection's fields can answer."""
    where: Where | None = None
    """A payload filter: a text, a mapping, conditions of `octant.F`, or Qdrant's own."""
    limit: int = 10
    offset: int = 0
    fields: tuple[str, ...] = ()
    """Search these fields alone; none named = all that can answer."""
    weights: Mapping[str, float] = field(default_factory=dict[str, float])
    """How much fields count in a fusion, 1 where not named."""
    threshold: float | None = None
    """Leave out what scores less, in the unit of the search's score: a similarity where one field answers, the fusion's
    unit where several do. Refused where that has none, as with RRF."""
    fusion: Fusion | None = None
    """How several fields become one ranking; None = as the collection does."""
    depth: int = 50
    """Candidates per field, at least offset + limit: a fusion can only promote what a field has found."""
    rerank: tuple[Stage, ...] = ()
    """Judged again by these, in order."""
    group_by: str | None = None
    """Return groups of this payload key, such as one hit per product; `limit` and `offset` count groups."""
    group_size: int = 1
    facets: tuple[str, ...] = ()
    """Payload keys whose values are to be counted among all items that `where` matches."""
    exact: bool = False
    """Compare with every point in place of the index: slower, and nothing is missed."""
    explain: bool = False
    """Say for each hit what every field and every reranker made of it."""

    def __post_init__(self) -> None:
        if not isinstance(self.like, Composed | Recommend | Discover):
            _check_example(self.like)
        wanted: object = self.into
        if not isinstance(wanted, tuple) or not set(cast("tuple[object, ...]", wanted)) <= set(Modality):
            raise TypeError(f"Query(into=...) is a tuple of Modality, not {wanted!r}; search(into=...) takes names too")
        for name in ("fields", "facets", "rerank"):
            if not isinstance(getattr(self, name), tuple):
                raise TypeError(f"Query({name}=...) is a tuple, not {getattr(self, name)!r}")
        if wrong := [one for one in self.rerank if not hasattr(one, "reranker")]:
            raise TypeError(f"Query(rerank=...) takes stages: write rerank=(Stage({wrong[0]!r}),)")
        for name, least in (("limit", 1), ("offset", 0), ("depth", 1), ("group_size", 1)):
            if not isinstance(getattr(self, name), int):
                raise TypeError(f"{name} is a whole number, not {getattr(self, name)!r}")
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)}")
        if self.threshold is not None and not np.isfinite(self.threshold):
            raise ValueError(f"a threshold is a number, not {self.threshold}")
        if any(not np.isfinite(weight) or weight <= 0 for weight in self.weights.values()):
            raise ValueError(f"weights of fields are above 0, not {dict(self.weights)}; leave out what weighs nothing")
        if any(isinstance(one, ByVector) for one in examples_of(self.like)) and not self.fields:
            raise ValueError("Query(ByVector(...)) says the fields whose space the vector is of: fields=('image',)")

    @property
    def media(self) -> Media | None:
        """The medium that is asked with, where it is a single one."""
        return self.like if isinstance(self.like, Text | Image | Audio) else None


def examples_of(like: Asked) -> tuple[Example, ...]:
    """All the examples of a question, in order."""
    match like:
        case Composed():
            return tuple(part.example for part in like.parts)
        case Recommend():
            return (*like.like, *like.unlike)
        case Discover():
            pairs = tuple(one for pair in like.context for one in pair)
            return pairs if like.target is None else (like.target, *pairs)
        case _:
            return (like,)


def _check_example(given: Any) -> None:
    if not isinstance(given, Text | Image | Audio | ById | ByVector):
        raise TypeError(
            f"cannot search with {given!r}; give a str (a text) to search(), elsewhere Text(...), Image(path), "
            "Audio(path), ById(id), or several as Composed, Recommend or Discover"
        )
