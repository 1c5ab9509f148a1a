"""LangChain's structured queries as octant's: what a model made of a question in words becomes a payload filter."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from typing import Any, cast

from langchain_core.structured_query import Comparator, Comparison, Operation, Operator, StructuredQuery, Visitor

from octant import F, FilterError

__all__ = ["OctantTranslator"]


class OctantTranslator(Visitor):
    """Translate structured queries into a text and a filter of `octant.F`, with every comparator and every operator.

        translator = OctantTranslator(["price", "brand", "published"])
        text, options = translator.visit_structured_query(structured)
        documents = retriever.invoke(text, **options)  # {"filter": ..., "k": ...}, as far as the query says them

    What the comparators mean: `contain` asks whether a list has the value (all of them, for a list of values), or a
    text the words; `like` reads `%` at the ends (`"A-%"` begins so, `"%-1%"` has it anywhere) and asks for the words of
    a pattern without one; `ne` and `nin` also find what lacks the attribute. None is what is absent or null. A date
    (`{"date": "2026-01-31", "type": "date"}`, or Python's) is the whole day, UTC.

    `attributes` are those that may be asked for. Another one is refused, with what there is: a filter that a model
    wrote reaches no other key. None = any key, and octant refuses those that no item has.
    Raises FilterError, also for a value that cannot be compared so.
    """

    allowed_comparators = tuple(Comparator)
    allowed_operators = tuple(Operator)

    def __init__(self, attributes: Iterable[str] | None = None) -> None:
        self.attributes = None if attributes is None else tuple(attributes)

    def visit_operation(self, operation: Operation) -> Any:
        """Translate `and`, `or` and `not`: the last means that none of its arguments holds."""
        conditions = [argument.accept(self) for argument in operation.arguments]
        if not conditions:
            raise FilterError(f"{operation.operator.value!r} has no arguments; give at least one condition")
        if operation.operator is Operator.AND:
            return _all(conditions)
        return _any(conditions) if operation.operator is Operator.OR else ~_any(conditions)

    def visit_comparison(self, comparison: Comparison) -> Any:
        """Translate a comparison of an attribute with a value."""
        name, compared = comparison.attribute, comparison.comparator
        if self.attributes is not None and name not in self.attributes:
            near = difflib.get_close_matches(name, self.attributes, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise FilterError(f"no attribute {name!r} to filter by; {hint}Known are {', '.join(self.attributes)}")
        key = F(name)
        match compared:
            case Comparator.IN | Comparator.NIN:
                found = _in(key, _several(comparison.value))
                return found if compared is Comparator.IN else ~found
            case Comparator.CONTAIN:
                return _all([_contains(key, one) for one in _several(comparison.value)])
            case Comparator.LIKE:
                return _like(key, comparison.value)
            case Comparator.EQ | Comparator.NE:
                same = _equal(key, comparison.value)
                return same if compared is Comparator.EQ else ~same
            case _:
                return _sized(key, compared, _value(comparison.value))

    def visit_structured_query(self, structured_query: StructuredQuery) -> tuple[str, dict[str, Any]]:
        """Translate a whole query: its text, and `filter` and `k` as far as it says them."""
        options: dict[str, Any] = {}
        if structured_query.filter is not None:
            options["filter"] = structured_query.filter.accept(self)
        if structured_query.limit is not None:
            options["k"] = structured_query.limit
        return structured_query.query, options


def _all(conditions: Sequence[Any]) -> Any:
    return reduce(lambda one, other: one & other, conditions)


def _any(conditions: Sequence[Any]) -> Any:
    return reduce(lambda one, other: one | other, conditions)


def _several(value: Any) -> list[Any]:
    several = list(cast("Iterable[Any]", value)) if isinstance(value, list | tuple | set | frozenset) else [value]
    if not several:
        raise FilterError("cannot compare with an empty list; give at least one value")
    return several


def _value(value: Any) -> Any:
    """A value as octant compares it: dates of LangChain's query language are mappings that name their type."""
    if not isinstance(value, Mapping):
        return value
    named = cast("Mapping[str, Any]", value)
    for kind, read in _MOMENTS.items():
        if named.get("type") == kind or (kind in named and "type" not in named):
            try:
                return read(str(named[kind]))
            except (ValueError, LookupError) as error:
                raise FilterError(f"cannot read {value!r} as a {kind} ({error}); write it in ISO form") from error
    raise FilterError(f"cannot compare with {value!r}; give a text, a number, a boolean, a date, or a list of these")


_MOMENTS: dict[str, Callable[[str], date]] = {"datetime": datetime.fromisoformat, "date": date.fromisoformat}


def _day(value: Any) -> tuple[datetime, datetime] | None:
    """The first moments of a day and of the next one; None for what is no day."""
    if not isinstance(value, date) or isinstance(value, datetime):
        return None
    first = datetime(value.year, value.month, value.day, tzinfo=UTC)
    return first, first + timedelta(days=1)


def _equal(key: F, given: Any) -> Any:
    value = _value(given)
    if value is None:
        return key.is_empty()
    if (day := _day(value)) is not None:
        return key.range(gte=day[0], lt=day[1])
    return key == value


def _in(key: F, values: Sequence[Any]) -> Any:
    plain = [value for value in values if isinstance(value, bool | int | float | str)]
    others = [_equal(key, value) for value in values if not isinstance(value, bool | int | float | str)]
    return _any([*([key.one_of(*plain)] if plain else []), *others])


def _contains(key: F, value: Any) -> Any:
    if isinstance(value, str) and any(character.isalnum() for character in value):
        return (key == value) | key.contains(value)
    return _equal(key, value)


def _like(key: F, pattern: Any) -> Any:
    if not isinstance(pattern, str) or not pattern:
        raise FilterError(f"like takes a text, not {pattern!r}")
    inner = pattern.strip("%")
    if "%" in inner or (pattern.startswith("%") and not pattern.endswith("%")):
        raise FilterError(f"cannot match {pattern!r}: % stands at the end ('{inner.split('%')[0]}%') or at both ends")
    if not inner:
        return ~key.is_empty()
    if pattern.startswith("%"):
        return key.has_substring(inner)
    return key.starts_with(inner) if pattern.endswith("%") else key.contains(inner)


def _sized(key: F, compared: Comparator, value: Any) -> Any:
    """Compare by size. A day is over when the next one begins."""
    first, after = _day(value) or (value, value)
    match compared:
        case Comparator.GT:
            return key >= after if after is not first else key > value
        case Comparator.GTE:
            return key >= first
        case Comparator.LT:
            return key < first
        case _:
            return key < after if after is not first else key <= value
