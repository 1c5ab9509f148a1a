"""LlamaIndex's metadata filters as Qdrant's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters
from qdrant_client import models

import octant

__all__ = ["filter_from"]


def filter_from(filters: MetadataFilters | None) -> models.Filter | None:
    """Translate filters; None where nothing is asked.

    A key that no node has is no error, as LlamaIndex has it. Raises ValueError for a value that its operator cannot
    take.
    """
    if filters is None or not filters.filters:
        return None
    asked: list[models.Condition] = []
    for one in filters.filters:
        translated = filter_from(one) if isinstance(one, MetadataFilters) else _condition(one)
        if translated is not None:
            asked.append(translated)
    match filters.condition:
        case FilterCondition.OR:
            return models.Filter(should=asked)
        case FilterCondition.NOT:
            return models.Filter(must_not=asked)
        case _:
            return models.Filter(must=asked)


def _condition(one: MetadataFilter) -> models.Filter:
    key = octant.F(one.key)
    match one.operator:
        case FilterOperator.EQ | FilterOperator.CONTAINS:
            found = key == _single(one)
        case FilterOperator.NE:
            found = key != _single(one)
        case FilterOperator.GT | FilterOperator.GTE | FilterOperator.LT | FilterOperator.LTE:
            found = _COMPARISONS[one.operator](key, _single(one))
        case FilterOperator.IN | FilterOperator.ANY:
            values = _several(one)
            if not values:
                return _NOTHING
            found = key.one_of(*values)
        case FilterOperator.NIN:
            values = _several(one)
            if not values:
                return models.Filter()  # everything
            found = ~key.one_of(*values)
        case FilterOperator.ALL:
            if not _several(one):
                raise ValueError(f"the filter {one.key} all takes a list of one value or more")
            return models.Filter(must=[_filter(key == value) for value in _several(one)])
        case FilterOperator.TEXT_MATCH:
            found = key.has_substring(_text(one))
        case FilterOperator.TEXT_MATCH_INSENSITIVE:
            found = key.contains(_text(one))
        case FilterOperator.IS_EMPTY:
            found = key.is_empty() | (key == "")
    return _filter(found)


def _filter(condition: Any) -> models.Filter:
    return octant.filter_of(condition) or models.Filter()


_NOTHING = models.Filter(must=[models.HasIdCondition(has_id=[])])
"""One of nothing: no node."""

_COMPARISONS: dict[FilterOperator, Callable[[octant.F, Any], Any]] = {
    FilterOperator.GT: lambda key, value: key > value,
    FilterOperator.GTE: lambda key, value: key >= value,
    FilterOperator.LT: lambda key, value: key < value,
    FilterOperator.LTE: lambda key, value: key <= value,
}


def _single(one: MetadataFilter) -> Any:
    if one.value is None or isinstance(one.value, list):
        raise ValueError(
            f"the filter {one.key} {one.operator.value} takes one value, not {one.value!r}; IN, ANY and ALL "
            "take lists, IS_EMPTY asks for what has none"
        )
    return one.value


def _several(one: MetadataFilter) -> Sequence[Any]:
    if not isinstance(one.value, list):
        raise ValueError(f"the filter {one.key} {one.operator.value} takes a list, not {one.value!r}")
    return one.value


def _text(one: MetadataFilter) -> str:
    if not isinstance(one.value, str):
        raise ValueError(f"the filter {one.key} {one.operator.value} takes a text, not {one.value!r}")
    return one.value
