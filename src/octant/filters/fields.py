"""Conditions on what a payload key holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast

from qdrant_client.http import models

from octant.errors import FilterError
from octant.filters.conditions import And, AtLeast, Condition, HasVector, Ids, Not, Or, Slice, several
from octant.filters.keys import path_of, shown
from octant.filters.values import (
    Bound,
    Place,
    Scalar,
    bound,
    numbers,
    place,
    places,
    real,
    ring,
    scalar,
    spelled,
    text,
    whole,
)

__all__ = [
    "AnyWord",
    "Box",
    "Count",
    "Empty",
    "Equals",
    "FullText",
    "Nested",
    "NoneOf",
    "Null",
    "OnKey",
    "OnText",
    "OneOf",
    "Phrase",
    "Polygon",
    "Prefix",
    "Radius",
    "Range",
    "Substring",
]

_EXACT = 2**53
"""Beyond it, neighbouring integers are one float."""


@dataclass(frozen=True, slots=True, eq=False)
class OnKey(Condition):
    """A condition on what a payload key holds; where that is a list, on one of its elements."""

    key: str

    def __post_init__(self) -> None:
        _set(self, key=path_of(self.key))


@dataclass(frozen=True, slots=True, eq=False)
class Equals(OnKey):
    """It is this value. A number is compared as a range of one: 60 is 60.0, and Qdrant matches no floats."""

    value: Scalar

    def __post_init__(self) -> None:
        _set(self, key=path_of(self.key), value=scalar(self.key, self.value))

    def qdrant(self) -> models.FieldCondition:
        value = self.value
        if isinstance(value, float) or (not isinstance(value, bool | str) and abs(value) <= _EXACT):
            return models.FieldCondition(key=self.key, range=models.Range(gte=value, lte=value))
        return models.FieldCondition(key=self.key, match=models.MatchValue(value=value))

    def __str__(self) -> str:
        return f"{shown(self.key)} = {spelled(self.value)}"


@dataclass(frozen=True, slots=True, eq=False)
class OneOf(OnKey):
    """It is one of these values."""

    values: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        _set(self, key=path_of(self.key), values=tuple(scalar(self.key, one) for one in self.values))
        if not self.values:
            raise FilterError(f"cannot filter {self.key!r} by no values: give one or more")

    def qdrant(self) -> models.Condition:
        texts = [one for one in self.values if isinstance(one, str)]
        if len(texts) == len(self.values):
            return models.FieldCondition(key=self.key, match=models.MatchAny(any=texts))
        return models.Filter(should=[Equals(self.key, one).qdrant() for one in self.values])

    def __str__(self) -> str:
        return f"{shown(self.key)} in ({', '.join(map(spelled, self.values))})"


@dataclass(frozen=True, slots=True, eq=False)
class NoneOf(OnKey):
    """It is there, and another than these texts or integers: Qdrant's `except`."""

    values: tuple[str, ...] | tuple[int, ...]

    def __post_init__(self) -> None:
        values = tuple(scalar(self.key, one) for one in self.values)
        _set(self, key=path_of(self.key), values=values)
        if not values or {type(one) for one in values} not in ({str}, {int}):
            raise FilterError(
                f"cannot except {values!r} from {self.key!r}: give texts, or integers; or negate the condition "
                "that the key is one of them, which also finds what lacks the key"
            )

    def qdrant(self) -> models.FieldCondition:
        values = cast("list[str] | list[int]", list(self.values))
        return models.FieldCondition(key=self.key, match=models.MatchExcept.model_validate({"except": values}))

    def __str__(self) -> str:
        return f"none_of({shown(self.key)}, {', '.join(map(spelled, self.values))})"


@dataclass(frozen=True, slots=True, eq=False)
class OnText(OnKey):
    """A condition on the text that a key holds."""

    text: str

    def __post_init__(self) -> None:
        _set(self, key=path_of(self.key), text=text(self.text, f"what {self.key!r} is searched for"))
        if not self.text:
            raise FilterError(f"cannot search {self.key!r} for an empty text")


class FullText(OnText):
    """It has all of these words, in any order. Without a text index words are compared whole, case aside."""

    __slots__ = ()

    def qdrant(self) -> models.FieldCondition:
        return models.FieldCondition(key=self.key, match=models.MatchText(text=self.text))

    def __str__(self) -> str:
        return f"{shown(self.key)} ~ {spelled(self.text)}"


class AnyWord(OnText):
    """It has one of these words."""

    __slots__ = ()

    def qdrant(self) -> models.FieldCondition:
        return models.FieldCondition(key=self.key, match=models.MatchTextAny(text_any=self.text))

    def __str__(self) -> str:
        return f"any_word({shown(self.key)}, {spelled(self.text)})"


class Phrase(OnText):
    """It has these words, one after the other."""

    __slots__ = ()

    def qdrant(self) -> models.FieldCondition:
        return models.FieldCondition(key=self.key, match=models.MatchPhrase(phrase=self.text))

    def __str__(self) -> str:
        return f"phrase({shown(self.key)}, {spelled(self.text)})"


class Prefix(OnText):
    """It begins with these characters."""

    __slots__ = ()

    def qdrant(self) -> models.FieldCondition:
        return models.FieldCondition(key=self.key, match=models.MatchPrefix(prefix=self.text))

    def __str__(self) -> str:
        return f"prefix({shown(self.key)}, {spelled(self.text)})"


class Substring(OnText):
    """It has these characters anywhere."""

    __slots__ = ()

    def qdrant(self) -> models.FieldCondition:
        return models.FieldCondition(key=self.key, match=models.MatchSubstring(substring=self.text))

    def __str__(self) -> str:
        return f"substring({shown(self.key)}, {spelled(self.text)})"


@dataclass(frozen=True, slots=True, eq=False)
class Range(OnKey):
    """It lies between numbers, or between moments: a date is its first moment, and what names no zone is UTC."""

    gt: Bound | date | str | None = None
    gte: Bound | date | str | None = None
    lt: Bound | date | str | None = None
    lte: Bound | date | str | None = None

    def __post_init__(self) -> None:
        bounds = {side: bound(self.key, value) for side, value in _sides(self)}
        _interval(self.key, bounds)
        if len({isinstance(value, datetime) for value in bounds.values()}) > 1:
            raise FilterError(f"{self.key!r} cannot lie between a number and a moment")
        _set(self, key=path_of(self.key), **bounds)

    def qdrant(self) -> models.FieldCondition:
        bounds = dict(_sides(self))
        moments = any(isinstance(value, datetime) for value in bounds.values())
        kind = models.DatetimeRange if moments else models.Range
        return models.FieldCondition(key=self.key, range=kind.model_validate(bounds))

    def __str__(self) -> str:
        return _compared(shown(self.key), self)


@dataclass(frozen=True, slots=True, eq=False)
class Count(OnKey):
    """So many values: the length of a list, 1 for a single value, 0 for none."""

    gt: int | None = None
    gte: int | None = None
    lt: int | None = None
    lte: int | None = None

    def __post_init__(self) -> None:
        bounds = {side: whole(value, f"count({self.key})") for side, value in _sides(self)}
        _interval(self.key, bounds)
        _set(self, key=path_of(self.key))

    def qdrant(self) -> models.FieldCondition:
        return models.FieldCondition(key=self.key, values_count=models.ValuesCount.model_validate(dict(_sides(self))))

    def __str__(self) -> str:
        counted = f"count({shown(self.key)})"
        same = self.gte is not None and self.gte == self.lte
        return f"{counted} = {self.gte}" if same else _compared(counted, self)


@dataclass(frozen=True, slots=True, eq=False)
class Radius(OnKey):
    """It is a place nearer than so many metres."""

    lat: float
    lon: float
    metres: float

    def __post_init__(self) -> None:
        lat, lon = place((self.lat, self.lon))
        _set(self, key=path_of(self.key), lat=lat, lon=lon, metres=real(self.metres, "a radius in metres", 0, 1e9))

    def qdrant(self) -> models.FieldCondition:
        circle = models.GeoRadius(center=_point((self.lat, self.lon)), radius=self.metres)
        return models.FieldCondition(key=self.key, geo_radius=circle)

    def __str__(self) -> str:
        return f"geo_radius({shown(self.key)}, {numbers(self.lat, self.lon, self.metres)})"


@dataclass(frozen=True, slots=True, eq=False)
class Box(OnKey):
    """It is a place between two parallels and two meridians; west of east, or across the date line."""

    north: float
    west: float
    south: float
    east: float

    def __post_init__(self) -> None:
        north, west = place((self.north, self.west))
        south, east = place((self.south, self.east))
        if south > north:
            raise FilterError(f"the box on {self.key!r} has its south, {south}, north of its north, {north}")
        _set(self, key=path_of(self.key), north=north, west=west, south=south, east=east)

    def qdrant(self) -> models.FieldCondition:
        corners = _point((self.north, self.west)), _point((self.south, self.east))
        box = models.GeoBoundingBox(top_left=corners[0], bottom_right=corners[1])
        return models.FieldCondition(key=self.key, geo_bounding_box=box)

    def __str__(self) -> str:
        return f"geo_box({shown(self.key)}, {numbers(self.north, self.west, self.south, self.east)})"


@dataclass(frozen=True, slots=True, eq=False)
class Polygon(OnKey):
    """It is a place within these corners, and in none of the holes."""

    corners: tuple[Place, ...]
    holes: tuple[tuple[Place, ...], ...] = ()

    def __post_init__(self) -> None:
        holes = tuple(ring(self.key, hole) for hole in self.holes)
        _set(self, key=path_of(self.key), corners=ring(self.key, self.corners), holes=holes)

    def qdrant(self) -> models.FieldCondition:
        holes = [_line(hole) for hole in self.holes]
        polygon = models.GeoPolygon(exterior=_line(self.corners), interiors=holes or None)
        return models.FieldCondition(key=self.key, geo_polygon=polygon)

    def __str__(self) -> str:
        holes = "".join(f", hole({places(hole)})" for hole in self.holes)
        return f"geo_polygon({shown(self.key)}, {places(self.corners)}{holes})"


class Empty(OnKey):
    """It is absent, null or an empty list."""

    __slots__ = ()

    def qdrant(self) -> models.IsEmptyCondition:
        return models.IsEmptyCondition(is_empty=models.PayloadField(key=self.key))

    def __str__(self) -> str:
        return f"empty({shown(self.key)})"


class Null(OnKey):
    """It is there, and null."""

    __slots__ = ()

    def qdrant(self) -> models.IsNullCondition:
        return models.IsNullCondition(is_null=models.PayloadField(key=self.key))

    def __str__(self) -> str:
        return f"null({shown(self.key)})"


@dataclass(frozen=True, slots=True, eq=False)
class Nested(OnKey):
    """One object of the list that it holds satisfies the whole condition, whose keys are that object's own."""

    condition: Condition

    def __post_init__(self) -> None:
        several((self.condition,), 1)
        for one in _within(self.condition):
            if isinstance(one, Ids | HasVector | Slice):
                raise FilterError(
                    f"'{one}' asks for a point, not for an object of {self.key!r}: put it beside nested; "
                    "an object's own key id is written `id`"
                )
        _set(self, key=path_of(self.key))

    def qdrant(self) -> models.NestedCondition:
        return models.NestedCondition(nested=models.Nested(key=self.key, filter=self.condition.filter()))

    def __str__(self) -> str:
        return f"nested({shown(self.key)}, {self.condition})"


def _within(condition: Condition) -> Iterator[Condition]:
    match condition:
        case And(conditions) | Or(conditions) | AtLeast(_, conditions):
            for one in conditions:
                yield from _within(one)
        case Not(inner):
            yield from _within(inner)
        case _:
            yield condition  # a nested one has refused them already


def _set(condition: Condition, **values: object) -> None:
    """Settle the fields of a frozen condition while it is made."""
    for name, value in values.items():
        object.__setattr__(condition, name, value)


def _point(place: Place) -> models.GeoPoint:
    return models.GeoPoint(lat=place[0], lon=place[1])


def _line(places: tuple[Place, ...]) -> models.GeoLineString:
    return models.GeoLineString(points=[_point(place) for place in (*places, places[0])])


def _sides(condition: Range | Count) -> list[tuple[str, Bound]]:
    """The bounds that are there, by the names that Qdrant has for them."""
    bounds = {"gt": condition.gt, "gte": condition.gte, "lt": condition.lt, "lte": condition.lte}
    return [(side, cast("Bound", value)) for side, value in bounds.items() if value is not None]


def _interval(key: str, bounds: dict[str, Bound] | dict[str, int]) -> None:
    if not bounds or {"gt", "gte"} <= set(bounds) or {"lt", "lte"} <= set(bounds):
        raise FilterError(f"give one lower bound of {key!r} (gt or gte), one upper bound (lt or lte), or both")


def _compared(what: str, condition: Range | Count) -> str:
    bounds = {side: spelled(value) for side, value in _sides(condition)}
    low = next(((sign, bounds[side]) for side, sign in (("gt", "<"), ("gte", "<=")) if side in bounds), None)
    high = next((f"{sign} {bounds[side]}" for side, sign in (("lt", "<"), ("lte", "<=")) if side in bounds), "")
    if low is None:
        return f"{what} {high}"
    sign, value = low
    return f"{value} {sign} {what} {high}" if high else f"{what} {sign.replace('<', '>')} {value}"
