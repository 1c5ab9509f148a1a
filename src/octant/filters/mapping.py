"""The dict form of conditions: {"brand": "acme", "price": {"$lt": 20}, "$or": [...]}, as JSON can hold it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, cast

from octant.errors import FilterError
from octant.filters.builder import F, at_least, has_vector, ids, slice_of
from octant.filters.conditions import Condition, Not, Or, all_of
from octant.filters.values import Place

__all__ = ["COMBINING", "OPERATORS", "from_mapping", "value_condition"]

DEEPEST = 64
"""Levels of mappings: what a caller sends is bounded before Python's own stack is."""
_SIDES = {"$lt": "lt", "$lte": "lte", "$gt": "gt", "$gte": "gte"}


def from_mapping(where: Mapping[str, Any]) -> Condition | None:
    """Read a condition from its dict form: every entry must hold; none at all is no condition."""
    return _read(where, 0) if where else None


def value_condition(key: str, value: object) -> Condition:
    """The condition that a payload key equals a value, or one of a list of values."""
    if isinstance(value, list | tuple):
        return F(key).one_of(*cast("list[Any]", value))
    given: Any = value
    made: Condition = F(key) == given
    return made


def _read(where: object, depth: int) -> Condition:
    if depth > DEEPEST:
        raise FilterError(f"conditions are nested more than {DEEPEST} levels deep")
    if not isinstance(where, Mapping) or not where:
        raise FilterError(
            f"a condition is a mapping with an entry or more, such as {{'price': {{'$lt': 20}}}}, not {where!r}"
        )
    entries = cast("Mapping[Any, object]", where)
    return all_of(tuple(_entry(key, value, depth) for key, value in entries.items()))


def _entry(key: Any, value: object, depth: int) -> Condition:
    if isinstance(key, str) and key.startswith("$"):
        combined: Condition = _found(key, COMBINING, "between conditions")(value, depth + 1)
        return combined
    return _of_key(F(key), value, depth)


def _of_key(subject: F, value: object, depth: int) -> Condition:
    if not isinstance(value, Mapping):
        return value_condition(subject.key, value)
    asked = cast("Mapping[str, object]", value)
    if not asked or not all(str(name).startswith("$") for name in asked):
        raise FilterError(
            f"cannot filter {subject.key!r} by {asked!r}: give operators, such as {{'$lt': 20}}; "
            f"a key within it is written {subject.key + '.name'!r}"
        )
    bounds: dict[str, Any] = {_SIDES[name]: bound for name, bound in asked.items() if name in _SIDES}
    found = [subject.range(**bounds)] if bounds else []
    for name, given in asked.items():
        if name not in _SIDES:
            found.append(_found(name, OPERATORS, f"on {subject.key!r}")(subject, given, depth + 1))
    return all_of(tuple(found))


def _found(name: str, known: Mapping[str, Any], where: str) -> Any:
    if name in known:
        return known[name]
    names = [*(_SIDES if known is OPERATORS else ()), *known]
    near = get_close_matches(name, names, 1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise FilterError(f"there is no operator {name} {where}; {meant}There are {', '.join(names)}")


def _listed(name: str, value: object) -> list[Any]:
    if not isinstance(value, list | tuple) or not value:
        raise FilterError(f"{name} takes a list with one or more, not {value!r}")
    return list(cast("list[Any]", value))


def _named(name: str, value: object, *keys: str, also: tuple[str, ...] = ()) -> list[Any]:
    """The values of a mapping with exactly these keys; None for one of `also` that is not there."""
    given: Mapping[str, Any] = cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
    if not set(keys) <= set(given) <= {*keys, *also}:
        raise FilterError(f"{name} takes a mapping with {', '.join(keys)}, not {value!r}")
    return [given.get(key) for key in (*keys, *also)]


def _truth(name: str, value: object, condition: Condition) -> Condition:
    if not isinstance(value, bool):
        raise FilterError(f"{name} takes true or false, not {value!r}")
    return condition if value else Not(condition)


def _each(name: str, value: object, depth: int) -> tuple[Condition, ...]:
    return tuple(_read(one, depth) for one in _listed(name, value))


def _any_of(value: object, depth: int) -> Condition:
    found = _each("$or", value, depth)
    return found[0] if len(found) == 1 else Or(found)


def _at_least(value: object, depth: int) -> Condition:
    count, of = _named("$at_least", value, "count", "of")
    return at_least(count, *_each("$at_least", of, depth))


def _counted(subject: F, value: object) -> Condition:
    if not isinstance(value, Mapping):
        given: Any = value
        made: Condition = subject.count == given
        return made
    names = cast("Mapping[str, Any]", value)
    if not names or not set(names) <= set(_SIDES):
        raise FilterError(f"$count takes a whole number, or bounds ({', '.join(_SIDES)}), not {value!r}")
    return subject.count.range(**{_SIDES[name]: bound for name, bound in names.items()})


def _box(subject: F, value: object) -> Condition:
    north, west, south, east = _named("$geo_box", value, "north", "west", "south", "east")
    return subject.within_box(north=north, west=west, south=south, east=east)


def _polygon(subject: F, value: object) -> Condition:
    corners, holes = _named("$geo_polygon", value, "corners", also=("holes",))
    rings = [_places(hole) for hole in _listed("$geo_polygon holes", holes)] if holes is not None else []
    return subject.within_polygon(_places(corners), rings)


def _places(value: object) -> list[Place]:
    return [
        cast("Place", tuple(_named("a place in $geo_polygon", place, "lat", "lon")))
        for place in _listed("$geo_polygon", value)
    ]


COMBINING: dict[str, Callable[[Any, int], Condition]] = {
    "$and": lambda value, depth: all_of(_each("$and", value, depth)),
    "$or": _any_of,
    "$not": lambda value, depth: Not(_read(value, depth)),
    "$at_least": _at_least,
    "$ids": lambda value, _: ids(*_listed("$ids", value)),
    "$has": lambda value, _: has_vector(value),
    "$slice": lambda value, _: slice_of(*_named("$slice", value, "index", "total")),
}
"""Operators that stand in the place of a key."""

OPERATORS: dict[str, Callable[[F, Any, int], Condition]] = {
    "$eq": lambda subject, value, _: subject == value,
    "$ne": lambda subject, value, _: subject != value,
    "$in": lambda subject, value, _: subject.one_of(*_listed("$in", value)),
    "$nin": lambda subject, value, _: Not(subject.one_of(*_listed("$nin", value))),
    "$none_of": lambda subject, value, _: subject.none_of(*_listed("$none_of", value)),
    "$contains": lambda subject, value, _: subject.contains(value),
    "$any_word": lambda subject, value, _: subject.any_word(value),
    "$phrase": lambda subject, value, _: subject.phrase(value),
    "$prefix": lambda subject, value, _: subject.starts_with(value),
    "$substring": lambda subject, value, _: subject.has_substring(value),
    "$geo_radius": lambda subject, value, _: subject.within_radius(
        *_named("$geo_radius", value, "lat", "lon", "metres")
    ),
    "$geo_box": lambda subject, value, _: _box(subject, value),
    "$geo_polygon": lambda subject, value, _: _polygon(subject, value),
    "$count": lambda subject, value, _: _counted(subject, value),
    "$empty": lambda subject, value, _: _truth("$empty", value, subject.is_empty()),
    "$null": lambda subject, value, _: _truth("$null", value, subject.is_null()),
    "$nested": lambda subject, value, depth: subject.any(_read(value, depth)),
    "$not": lambda subject, value, depth: Not(_of_key(subject, value, depth)),
}
"""Operators on a key, but for the bounds of ranges, which are read together."""
