"""Payload filters: conditions written in Python, as a text or as a dict, and Qdrant's own.

`F` and its companions build conditions, `parse` reads their string form, `from_mapping` their dict form; `filter_of`
takes any of them to the filter that Qdrant is sent. `check` compares a condition with what is known of the payloads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qdrant_client.http import models

from octant.filters.builder import F, at_least, has_vector, ids, slice_of
from octant.filters.conditions import Condition
from octant.filters.known import Kind, Known, check, fields_asked, known_of, unknown_keys
from octant.filters.mapping import from_mapping, value_condition
from octant.filters.text import parse

__all__ = [
    "Condition",
    "F",
    "Kind",
    "Known",
    "Where",
    "at_least",
    "check",
    "condition",
    "condition_of",
    "fields_asked",
    "filter_of",
    "from_mapping",
    "has_vector",
    "ids",
    "known_of",
    "parse",
    "slice_of",
    "unknown_keys",
]

Where = str | Mapping[str, Any] | Condition | models.Filter


def filter_of(where: Where | None, known: Known | None = None) -> models.Filter | None:
    """The filter that `where` means: Qdrant's own as it is, else that of its condition.

    With `known`, a condition that asks for something else is refused, see `check`.
    """
    if where is None or isinstance(where, models.Filter):
        return where
    asked = condition_of(where)
    if asked is None:
        return None
    if known is not None:
        check(asked, known)
    return asked.filter()


def condition_of(where: str | Mapping[str, Any] | Condition) -> Condition | None:
    """The condition that a text or a dict means; None for an empty dict."""
    match where:
        case Condition():
            return where
        case str():
            return parse(where)
        case Mapping():
            return from_mapping(where)
        case _:  # pyright: ignore[reportUnnecessaryComparison]  # callers without a type checker give anything
            raise TypeError(
                "where is a mapping, such as {'folder': 'pets'}, a text, such as 'price < 20', "
                f"a condition, such as F('price') < 20, or a Qdrant filter, not {where!r}"
            )


def condition(key: str, value: object) -> models.Condition:
    """The condition, as Qdrant has it, that a payload key equals a value, or one of a list of values."""
    return value_condition(key, value).qdrant()
