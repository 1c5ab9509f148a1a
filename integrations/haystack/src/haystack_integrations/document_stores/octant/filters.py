"""Haystack's filters as Qdrant's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

from haystack.errors import FilterError
from haystack_integrations.document_stores.octant.schema import CONTENT
from qdrant_client import models

import octant

__all__ = ["filter_from", "key_of"]

_EVERYTHING = models.Filter()
_NOTHING = models.Filter(must=[models.HasIdCondition(has_id=[])])


def filter_from(filters: Mapping[str, Any] | None) -> models.Filter | None:
    """Translate filters; None where nothing is asked. A key that no document has is no error, as Haystack has it.

    Raises FilterError for a filter that is not well formed, or asks for what cannot be compared.
    """
    if not filters:
        return None
    try:
        return _condition(filters)
    except octant.FilterError as error:
        raise FilterError(str(error)) from error


def key_of(field: str) -> str:
    """The payload key of a field: metadata stands at the top level, with or without Haystack's prefix `meta.`."""
    if field == "content":
        return octant.text_key(CONTENT)
    if field in ("embedding", "sparse_embedding", "blob", "score", "meta"):
        raise FilterError(f"documents are not filtered by {field!r}; name a key of their meta, 'content' or 'id'")
    return field.removeprefix("meta.")


def _condition(asked: Mapping[str, Any]) -> models.Filter:
    return _comparison(asked) if "field" in asked else _logic(asked)


def _logic(asked: Mapping[str, Any]) -> models.Filter:
    conditions: list[models.Condition] = [_condition(one) for one in _required(asked, "conditions")]
    match _required(asked, "operator"):
        case "AND":
            return models.Filter(must=conditions)
        case "OR":
            return models.Filter(should=conditions) if conditions else _NOTHING
        case "NOT":
            return models.Filter(must_not=[models.Filter(must=conditions)])
        case operator:
            raise FilterError(f"unknown logical operator {operator!r}; there are AND, OR and NOT")


def _comparison(asked: Mapping[str, Any]) -> models.Filter:
    field, operator, value = (_required(asked, key) for key in ("field", "operator", "value"))
    match operator:
        case "==":
            return _equals(field, value)
        case "!=":
            return _not(_equals(field, value))
        case "in" | "not in":
            if not isinstance(value, list):
                raise FilterError(f"{field} {operator!r} takes a list, not {value!r}")
            either: list[models.Condition] = [_equals(field, one) for one in cast("list[Any]", value)]
            found = models.Filter(should=either) if either else _NOTHING
            return found if operator == "in" else _not(found)
        case ">" | ">=" | "<" | "<=":
            return _compared(field, operator, value)
        case _:
            raise FilterError(f"unknown operator {operator!r}; there are ==, !=, >, >=, <, <=, in, not in")


def _equals(field: str, value: Any) -> models.Filter:
    if isinstance(value, list | dict):
        raise FilterError(f"{field} cannot be compared with {value!r} as a whole; ask for one of its values")
    if field == "id":
        return _filter(octant.ids(value))
    key = octant.F(key_of(field))
    if value is None:
        return _filter(key.is_empty())
    moment = _moment(value)
    if moment is None:
        return _filter(key == value)
    # Haystack compares dates as dates, however they are spelled
    return _filter(key == moment) if isinstance(value, datetime) else _filter((key == value) | (key == moment))


def _compared(field: str, operator: str, value: Any) -> models.Filter:
    if value is None:
        return _NOTHING
    if isinstance(value, list | bool) or (isinstance(value, str) and _moment(value) is None):
        raise FilterError(f"{field} {operator!r} takes a number or an ISO date, not {value!r}")
    return _filter(_COMPARISONS[operator](octant.F(key_of(field)), value))


_COMPARISONS: dict[str, Callable[[octant.F, Any], Any]] = {
    ">": lambda key, value: key > value,
    ">=": lambda key, value: key >= value,
    "<": lambda key, value: key < value,
    "<=": lambda key, value: key <= value,
}


def _moment(value: Any) -> datetime | None:
    """The moment that a value is or spells: a whole date at least, as Haystack wants it."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or len(value) < 10 or value[4] != "-":
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _required(asked: Mapping[str, Any], key: str) -> Any:
    if not isinstance(asked, Mapping) or key not in asked:
        raise FilterError(f"{key!r} is missing in {asked}")
    return asked[key]


def _filter(condition: Any) -> models.Filter:
    return octant.filter_of(condition) or _EVERYTHING


def _not(found: models.Filter) -> models.Filter:
    return models.Filter(must_not=[found])
