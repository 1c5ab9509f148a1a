"""What is known of a collection's payloads, and conditions that ask for something else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, cast

from qdrant_client.http import models

from octant.errors import FilterError
from octant.filters.conditions import And, AtLeast, Condition, HasVector, Not, Or
from octant.filters.fields import Box, Equals, Nested, NoneOf, OneOf, OnKey, OnText, Polygon, Radius, Range
from octant.filters.keys import general, path_of, segment
from octant.payload import SOURCE

__all__ = ["Kind", "Known", "check", "fields_asked", "known_of", "unknown_keys"]


class Kind(StrEnum):
    """What a payload key holds, as messages name it."""

    TEXT = "texts"
    INTEGER = "integers"
    FLOAT = "floats"
    BOOL = "booleans"
    DATETIME = "dates"
    GEO = "places"
    OBJECT = "objects"


Known = Mapping[str, frozenset[Kind]]
"""By key, with [] where it goes through a list: the kinds of what it holds, or of the elements of the list it holds."""

_OWN = SOURCE.partition(".")[0]
_LISTED = 20
"""Keys that a message names at most."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?")
_INDEXED = {
    models.PayloadSchemaType.KEYWORD: {Kind.TEXT},
    models.PayloadSchemaType.TEXT: {Kind.TEXT},
    models.PayloadSchemaType.UUID: {Kind.TEXT},
    models.PayloadSchemaType.INTEGER: {Kind.INTEGER},
    models.PayloadSchemaType.FLOAT: {Kind.FLOAT},
    models.PayloadSchemaType.BOOL: {Kind.BOOL},
    models.PayloadSchemaType.DATETIME: {Kind.DATETIME, Kind.TEXT},
    models.PayloadSchemaType.GEO: {Kind.GEO, Kind.OBJECT},
}
_REMEDIES = {
    Kind.TEXT: 'a text in quotes ({key} = "...", {key} ~ "...")',
    Kind.INTEGER: "a number ({key} < 20)",
    Kind.FLOAT: "a number ({key} < 20)",
    Kind.BOOL: "true or false ({key} = true)",
    Kind.DATETIME: 'a date ({key} < "2026-01-31")',
    Kind.GEO: "places (geo_radius({key}, ...))",
    Kind.OBJECT: "the keys within it ({key}.name, or nested({key}, ...) where it is a list)",
}


def known_of(payloads: Iterable[Mapping[str, Any]], schema_indexes: Mapping[str, models.PayloadIndexInfo]) -> Known:
    """What a sample of payloads and the payload indexes say of a collection's keys."""
    found: dict[str, set[Kind]] = {}
    for payload in payloads:
        _note_object(payload, "", found)
    for key, index in schema_indexes.items():
        path = general(path_of(key))
        found.setdefault(_whole(path), set()).update(_INDEXED[index.data_type])
        for dot in re.finditer(r"(\[\])?\.", path):
            found.setdefault(path[: dot.start()], set()).add(Kind.OBJECT)
            found.setdefault(path[: dot.end() - 1], set()).add(Kind.OBJECT)
    return {key: frozenset(kinds) for key, kinds in found.items()}


def unknown_keys(condition: Condition, known: Known) -> tuple[str, ...]:
    """The payload keys that a condition asks for, and which are not known.

    A sample can miss a rare key. Before it is refused, count in the store: where `~F(key).is_empty()` finds a point,
    the key is there, and `check` passes it once it is known, as `{**known, key: frozenset()}`.
    """
    keys = dict.fromkeys(path for path, _ in _asked(condition, ""))
    return tuple(key for key in keys if not _is_own(key) and _kinds(key, known) is None)


def fields_asked(condition: Condition) -> tuple[str, ...]:
    """The names of the vector fields that a condition asks for."""
    match condition:
        case And(conditions) | Or(conditions) | AtLeast(_, conditions):
            return tuple(name for one in conditions for name in fields_asked(one))
        case Not(inner):
            return fields_asked(inner)
        case HasVector(name):
            return (name,)
        case _:
            return ()


def check(condition: Condition, known: Known) -> None:
    """Refuse a condition on a key that is not known, or of another kind than the key holds.

    Raises FilterError, which names what is known and what to do.
    """
    for key, one in _asked(condition, ""):
        held, wanted = _kinds(key, known), _wanted(one)
        if held is None and not _is_own(key):
            raise FilterError(_unknown(key, known))
        if isinstance(one, Nested):
            if held and not _is_own(key) and _whole(key) + "[]" not in known:
                lists = "no list of them" if held >= {Kind.OBJECT} else "no list of objects"
                raise FilterError(f"'{one}' finds nothing: {key!r} holds {_and(held)}, and {lists}")
        elif held and wanted and not held & wanted:
            ways = " or ".join(dict.fromkeys(_REMEDIES[kind].format(key=key) for kind in Kind if kind in held))
            raise FilterError(
                f"'{one}' compares {_and(wanted)}, but {key!r} holds {_and(held)}: compare it with {ways}"
            )


def _note_object(value: Mapping[str, Any], path: str, found: dict[str, set[Kind]]) -> None:
    for name, one in value.items():
        if name and '"' not in name:  # else no filter can ask for it
            _note(one, f"{path}.{segment(name)}" if path else segment(name), found)


def _note(value: object, path: str, found: dict[str, set[Kind]]) -> None:
    kinds = found.setdefault(path, set())
    match value:
        case bool():
            kinds.add(Kind.BOOL)
        case int():
            kinds.add(Kind.INTEGER)
        case float():
            kinds.add(Kind.FLOAT)
        case str():
            kinds.add(Kind.TEXT)
            if _is_date(value):
                kinds.add(Kind.DATETIME)
        case Mapping():
            entries = cast("Mapping[str, Any]", value)
            kinds.add(Kind.OBJECT)
            if all(isinstance(entries.get(name), int | float) for name in ("lat", "lon")):
                kinds.add(Kind.GEO)
            _note_object(entries, path, found)
        case list():
            for element in cast("list[object]", value):
                _note(element, path if not isinstance(element, Mapping | list) else f"{path}[]", found)
                if isinstance(element, Mapping):
                    kinds.update(found[f"{path}[]"])
        case _:
            pass  # a null says that the key is there, and no more


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return _DATE.fullmatch(text) is not None  # Qdrant reads fewer forms than Python


def _asked(condition: Condition, within: str) -> Iterator[tuple[str, OnKey]]:
    """Every condition on a key, with the whole path of that key."""
    match condition:
        case And(conditions) | Or(conditions) | AtLeast(_, conditions):
            for one in conditions:
                yield from _asked(one, within)
        case Not(inner):
            yield from _asked(inner, within)
        case OnKey():
            path = general(condition.key)
            path = f"{within}.{path}" if within else path
            yield path, condition
            if isinstance(condition, Nested):
                yield from _asked(condition.condition, f"{_whole(path)}[]")
        case _:
            pass  # of the point, not of its payload


def _wanted(condition: OnKey) -> frozenset[Kind]:
    """The kinds of values that a condition can hold for; none where that is any."""
    match condition:
        case Equals(_, value):
            return _kinds_of(value)
        case OneOf(_, values) | NoneOf(_, values):
            return frozenset[Kind]().union(*map(_kinds_of, values))
        case OnText():
            return frozenset({Kind.TEXT})
        case Range(_, gt, gte, lt, lte):
            moments = any(isinstance(bound, datetime) for bound in (gt, gte, lt, lte))
            return frozenset({Kind.DATETIME}) if moments else _NUMBERS
        case Radius() | Box() | Polygon():
            return frozenset({Kind.GEO})
        case _:
            return frozenset()


_NUMBERS = frozenset({Kind.INTEGER, Kind.FLOAT})


def _kinds_of(value: object) -> frozenset[Kind]:
    return (
        frozenset({Kind.BOOL})
        if isinstance(value, bool)
        else frozenset({Kind.TEXT})
        if isinstance(value, str)
        else _NUMBERS
    )


def _kinds(key: str, known: Known) -> frozenset[Kind] | None:
    return known.get(key, known.get(_whole(key)))


def _whole(key: str) -> str:
    """The key of the list whose elements a key names: tags[] says no more than tags."""
    return key.removesuffix("[]")


def _is_own(key: str) -> bool:
    return key == _OWN or key.startswith(f"{_OWN}.")


def _unknown(key: str, known: Known) -> str:
    names = sorted(name for name in known if not _is_own(name) and not name.endswith("[]"))
    if not names:
        return f"no item is known to have {key!r}, nor any metadata at all"
    folded = {name.lower(): name for name in reversed(names)}
    near = get_close_matches(key.lower(), folded, 1)
    meant = f"did you mean {folded[near[0]]!r}? " if near else ""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"no item is known to have {key!r}; {meant}Known are {', '.join(names[:_LISTED])}{more}"


def _and(kinds: frozenset[Kind]) -> str:
    names = " and ".join(kind for kind in Kind if kind in kinds)
    return names.replace(f"{Kind.INTEGER} and {Kind.FLOAT}", "numbers")
