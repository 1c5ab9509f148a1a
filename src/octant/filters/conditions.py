"""What a point must satisfy, as frozen data: compiles to Qdrant's filters, prints as the string form."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from qdrant_client.http import models

from octant.errors import FilterError
from octant.filters.values import spelled, text, whole
from octant.payload import point_id

__all__ = ["And", "AtLeast", "Condition", "HasVector", "Ids", "Not", "Or", "Slice", "all_of", "several"]


class Condition(ABC):
    """What a point must satisfy. `&`, `|` and `~` combine; `str` gives what `parse` reads."""

    __slots__ = ()

    @abstractmethod
    def qdrant(self) -> models.Condition:
        """The condition as Qdrant has it."""

    @abstractmethod
    def __str__(self) -> str: ...

    def filter(self) -> models.Filter:
        """The filter of this condition alone."""
        made = self.qdrant()
        return made if isinstance(made, models.Filter) else models.Filter(must=[made])

    def __and__(self, other: Condition) -> And:
        return And((*_flat(self, And), *_flat(other, And)))

    def __or__(self, other: Condition) -> Or:
        return Or((*_flat(self, Or), *_flat(other, Or)))

    def __invert__(self) -> Not:
        return Not(self)

    def __bool__(self) -> bool:
        # `a and b` would silently be b, and 1 < F("x") < 5 would be F("x") < 5
        raise TypeError(
            "conditions are combined with &, | and ~, not and, or, not; a range is F(...).between(low, high)"
        )

    # not what dataclasses compare: there 1 is True, and 60 is 60.0
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Condition) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))


@dataclass(frozen=True, slots=True, eq=False)
class And(Condition):
    """All of them."""

    conditions: tuple[Condition, ...]

    def __post_init__(self) -> None:
        several(self.conditions, 2)

    def qdrant(self) -> models.Filter:
        wanted = [one.qdrant() for one in self.conditions if not isinstance(one, Not)]
        unwanted = [one.condition.qdrant() for one in self.conditions if isinstance(one, Not)]
        return models.Filter(must=wanted or None, must_not=unwanted or None)

    def __str__(self) -> str:
        return " and ".join(map(_enclosed, self.conditions))


@dataclass(frozen=True, slots=True, eq=False)
class Or(Condition):
    """One of them, or several."""

    conditions: tuple[Condition, ...]

    def __post_init__(self) -> None:
        several(self.conditions, 2)

    def qdrant(self) -> models.Filter:
        return models.Filter(should=[one.qdrant() for one in self.conditions])

    def __str__(self) -> str:
        return " or ".join(map(_enclosed, self.conditions))


@dataclass(frozen=True, slots=True, eq=False)
class Not(Condition):
    """What does not satisfy it; also what lacks the key that it asks for."""

    condition: Condition

    def __post_init__(self) -> None:
        several((self.condition,), 1)

    def qdrant(self) -> models.Filter:
        return models.Filter(must_not=[self.condition.qdrant()])

    def __str__(self) -> str:
        return f"not {_enclosed(self.condition)}"


@dataclass(frozen=True, slots=True, eq=False)
class AtLeast(Condition):
    """So many of them."""

    count: int
    conditions: tuple[Condition, ...]

    def __post_init__(self) -> None:
        several(self.conditions, 1)
        whole(self.count, "at_least")
        if not 1 <= self.count <= len(self.conditions):
            raise FilterError(
                f"at least {self.count} of {len(self.conditions)} conditions: give a number from 1 to all"
            )

    def qdrant(self) -> models.Filter:
        conditions = [one.qdrant() for one in self.conditions]
        return models.Filter(min_should=models.MinShould(conditions=conditions, min_count=self.count))

    def __str__(self) -> str:
        return f"at_least({self.count}, {', '.join(map(str, self.conditions))})"


@dataclass(frozen=True, slots=True, eq=False)
class Ids(Condition):
    """The items with these ids."""

    ids: tuple[str, ...]

    def __post_init__(self) -> None:
        ids: tuple[object, ...] = tuple(self.ids)
        if not ids or not all(isinstance(one, str) for one in ids):
            raise FilterError(f"ids are one or more texts, the items' own ids, not {ids!r}")

    def qdrant(self) -> models.HasIdCondition:
        return models.HasIdCondition(has_id=[point_id(one) for one in self.ids])

    def __str__(self) -> str:
        return f"id in ({', '.join(map(spelled, self.ids))})"


@dataclass(frozen=True, slots=True, eq=False)
class HasVector(Condition):
    """A vector of this field: the item has such a medium."""

    field: str

    def __post_init__(self) -> None:
        text(self.field, "the name of a field")

    def qdrant(self) -> models.HasVectorCondition:
        return models.HasVectorCondition(has_vector=self.field)

    def __str__(self) -> str:
        return f"has({spelled(self.field)})"


@dataclass(frozen=True, slots=True, eq=False)
class Slice(Condition):
    """One of `total` parts, much alike in size, into which all points fall by their ids."""

    index: int
    total: int

    def __post_init__(self) -> None:
        if not 0 <= whole(self.index, "slice") < whole(self.total, "slice"):
            raise FilterError(f"there is no slice {self.index} of {self.total}; they are counted from 0")

    def qdrant(self) -> models.SliceCondition:
        return models.SliceCondition(slice=models.Slice(index=self.index, total=self.total))

    def __str__(self) -> str:
        return f"slice({self.index}, {self.total})"


def all_of(conditions: tuple[Condition, ...]) -> Condition:
    """The condition itself where it is one, else all of them."""
    return conditions[0] if len(conditions) == 1 else And(conditions)


def _flat(condition: Condition, kind: type[And | Or]) -> tuple[Condition, ...]:
    several((condition,), 1)
    return condition.conditions if isinstance(condition, kind) else (condition,)


def several(conditions: tuple[object, ...], least: int) -> None:
    """Refuse what are no conditions, or too few of them."""
    for one in conditions:
        if not isinstance(one, Condition):
            raise TypeError(f"{one!r} is no condition; build one such as F('price') < 20, or octant.filters.parse(...)")
    if len(conditions) < least:
        raise FilterError(f"give {least} or more conditions, not {len(conditions)}")


def _enclosed(condition: Condition) -> str:
    return f"({condition})" if isinstance(condition, And | Or) else str(condition)
