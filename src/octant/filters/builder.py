"""Conditions as they are written in Python: `(F("price") < 20) & F("brand").one_of("acme", "b")`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from octant.filters.conditions import AtLeast, Condition, HasVector, Ids, Not, Slice, all_of
from octant.filters.fields import (
    AnyWord,
    Box,
    Count,
    Empty,
    Equals,
    FullText,
    Nested,
    NoneOf,
    Null,
    OneOf,
    Phrase,
    Polygon,
    Prefix,
    Radius,
    Range,
    Substring,
)
from octant.filters.keys import path_of
from octant.filters.values import Bound, Place, Scalar

__all__ = ["Counted", "F", "at_least", "has_vector", "ids", "slice_of"]

Limit = Bound | date | str
"""A number, a moment, or the ISO text of one."""


class F:
    """A payload key, which comparisons make conditions of."""

    __slots__ = ("key",)
    __hash__ = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]  # it has no equality of its own

    def __init__(self, key: str) -> None:
        self.key = path_of(key)

    def __repr__(self) -> str:
        return f"F({self.key!r})"

    def __eq__(self, value: Scalar | date) -> Condition:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        if isinstance(value, date):  # a datetime is one, too
            return Range(self.key, gte=value, lte=value)
        return Equals(self.key, value)

    def __ne__(self, value: Scalar | date) -> Condition:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return Not(self == value)

    def __lt__(self, value: Limit) -> Condition:
        return Range(self.key, lt=value)

    def __le__(self, value: Limit) -> Condition:
        return Range(self.key, lte=value)

    def __gt__(self, value: Limit) -> Condition:
        return Range(self.key, gt=value)

    def __ge__(self, value: Limit) -> Condition:
        return Range(self.key, gte=value)

    def between(self, low: Limit, high: Limit) -> Condition:
        """It lies between the two, or is one of them."""
        return Range(self.key, gte=low, lte=high)

    def range(
        self, *, gt: Limit | None = None, gte: Limit | None = None, lt: Limit | None = None, lte: Limit | None = None
    ) -> Condition:
        """It lies within one or two bounds."""
        return Range(self.key, gt, gte, lt, lte)

    def one_of(self, *values: Scalar) -> Condition:
        """It is one of these."""
        return OneOf(self.key, values)

    def none_of(self, *values: str | int) -> Condition:
        """It is there, and another than these; `~F(...).one_of(...)` also finds what lacks it."""
        return NoneOf(self.key, values)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # it refuses a mix

    def contains(self, words: str) -> Condition:
        """It has all of these words."""
        return FullText(self.key, words)

    def any_word(self, words: str) -> Condition:
        """It has one of these words."""
        return AnyWord(self.key, words)

    def phrase(self, words: str) -> Condition:
        """It has these words, one after the other."""
        return Phrase(self.key, words)

    def starts_with(self, characters: str) -> Condition:
        """It begins with these characters."""
        return Prefix(self.key, characters)

    def has_substring(self, characters: str) -> Condition:
        """It has these characters anywhere."""
        return Substring(self.key, characters)

    def within_radius(self, lat: float, lon: float, metres: float) -> Condition:
        """It is a place nearer to this one than so many metres."""
        return Radius(self.key, lat, lon, metres)

    def within_box(self, *, north: float, west: float, south: float, east: float) -> Condition:
        """It is a place between these parallels and meridians."""
        return Box(self.key, north, west, south, east)

    def within_polygon(self, corners: Sequence[Place], holes: Sequence[Sequence[Place]] = ()) -> Condition:
        """It is a place within these corners (latitude, longitude), and in none of the holes."""
        return Polygon(self.key, tuple(corners), tuple(tuple(hole) for hole in holes))

    @property
    def count(self) -> Counted:
        """How many values it holds, to be compared."""
        return Counted(self.key)

    def is_empty(self) -> Condition:
        """It is absent, null or an empty list."""
        return Empty(self.key)

    def is_null(self) -> Condition:
        """It is there, and null."""
        return Null(self.key)

    def any(self, *conditions: Condition) -> Condition:
        """One object of the list that it holds satisfies them all; their keys are that object's own."""
        return Nested(self.key, all_of(conditions))


class Counted:
    """How many values a payload key holds."""

    __slots__ = ("key",)
    __hash__ = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]  # it has no equality of its own

    def __init__(self, key: str) -> None:
        self.key = key

    def __eq__(self, value: int) -> Condition:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return Count(self.key, gte=value, lte=value)

    def __ne__(self, value: int) -> Condition:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return Not(self == value)

    def __lt__(self, value: int) -> Condition:
        return Count(self.key, lt=value)

    def __le__(self, value: int) -> Condition:
        return Count(self.key, lte=value)

    def __gt__(self, value: int) -> Condition:
        return Count(self.key, gt=value)

    def __ge__(self, value: int) -> Condition:
        return Count(self.key, gte=value)

    def range(
        self, *, gt: int | None = None, gte: int | None = None, lt: int | None = None, lte: int | None = None
    ) -> Condition:
        """It lies within one or two bounds."""
        return Count(self.key, gt, gte, lt, lte)


def ids(*ids: str) -> Condition:
    """The items with these ids."""
    return Ids(ids)


def has_vector(field: str) -> Condition:
    """Items with a vector in this field: they have such a medium."""
    return HasVector(field)


def at_least(count: int, *conditions: Condition) -> Condition:
    """So many of the conditions hold."""
    return AtLeast(count, conditions)


def slice_of(index: int, total: int) -> Condition:
    """One of `total` parts, counted from 0, into which all items fall by their ids: work shared among workers."""
    return Slice(index, total)
