"""The values that conditions compare with: what they may be, and how they are spelled."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from math import isfinite
from typing import cast

from octant.errors import FilterError

__all__ = [
    "Bound",
    "Place",
    "Scalar",
    "bound",
    "numbers",
    "place",
    "places",
    "real",
    "ring",
    "scalar",
    "spelled",
    "text",
    "whole",
]

Scalar = bool | int | float | str
Bound = int | float | datetime
Place = tuple[float, float]
"""Latitude, longitude."""


def scalar(key: str, value: object) -> Scalar:
    """Take what a key can equal."""
    match value:
        case bool():
            return value
        case str():
            return text(value, "a value")
        case int() if -(2**63) <= value < 2**63:
            return int(value)
        case float() if isfinite(value):
            return float(value)
        case _:
            raise FilterError(
                f"cannot filter {key!r} by {value!r}: give a text, a finite number of 64 bits or a boolean, a list of "
                "these, operators such as {'$lt': 20}, or build a qdrant_client.models.Filter"
            )


def text(value: object, what: str) -> str:
    """Take a text, that of an enumeration's member too, which every store can hold."""
    if not isinstance(value, str):
        raise FilterError(f"{what} is a text, not {value!r}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise FilterError(f"{value!r} has characters that no text can have (lone surrogates)") from None
    return str(value)


def whole(value: object, what: str) -> int:
    """Take a whole number that is not negative."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise FilterError(f"{what} takes whole numbers from 0, not {value!r}")
    return int(value)


def real(value: object, what: str, low: float, high: float) -> float:
    """Take a number between two others."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not (low <= value <= high and isfinite(value)):
        raise FilterError(f"{what} is a number from {low} to {high}, not {value!r}")
    return float(value) + 0.0  # which makes -0.0 0.0


def place(place: Place) -> Place:
    """Take a latitude and a longitude."""
    given: object = place
    if not isinstance(given, list | tuple) or len(cast("list[object]", given)) != 2:
        raise FilterError(f"a place is a latitude and a longitude, not {given!r}")
    return real(place[0], "a latitude", -90, 90), real(place[1], "a longitude", -180, 180)


def ring(key: str, places: tuple[Place, ...]) -> tuple[Place, ...]:
    """The corners of a ring, the first not told again at the end: Qdrant wants it, people forget it."""
    corners = tuple(place(one) for one in places)
    corners = corners[:-1] if len(corners) > 1 and corners[0] == corners[-1] else corners
    if len(corners) < 3:
        raise FilterError(f"a polygon on {key!r} has three corners or more, not {len(corners)}")
    return corners


def bound(key: str, value: object) -> Bound:
    """Take what a key can be less or more than: a number, or a moment, which is brought to UTC."""
    match value:
        case bool():
            pass
        case int() if -(2**63) <= value < 2**63:
            return int(value)
        case float() if isfinite(value):
            return float(value)
        case datetime():
            return _moment(value)
        case date():
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        case str():
            try:
                return _moment(datetime.fromisoformat(value))
            except ValueError:
                pass
        case _:
            pass
    raise FilterError(
        f"cannot compare {key!r} with {value!r}: give a finite number, a datetime or date, or the text of one, "
        "such as '2026-01-31' or '2026-01-31T12:00:00Z'"
    )


def _moment(value: datetime) -> datetime:
    try:
        utc = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise FilterError(f"{value} is no moment of the years 1 to 9999 in UTC") from None
    # anew: what is a datetime's kind, and not its time, is left behind
    return datetime(utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second, utc.microsecond, UTC)


def spelled(value: Scalar | Bound) -> str:
    """Spell a value in the string form."""
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)
        case bool():
            return str(value).lower()
        case datetime():
            return f'"{value.isoformat()}"'
        case _:
            return repr(value)


def numbers(*values: float) -> str:
    """Spell measures, whole ones as integers: they are floats again when they are read."""
    return ", ".join(str(int(value)) if value.is_integer() else repr(value) for value in values)


def places(places: tuple[Place, ...]) -> str:
    """Spell places, each in parentheses."""
    return ", ".join(f"({numbers(*place)})" for place in places)
