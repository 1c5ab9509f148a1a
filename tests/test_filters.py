"""Conditions: the three ways to write them mean the same, print as what is read, and reach all that Qdrant has."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from qdrant_client.http import models

from octant.errors import FilterError, OctantError
from octant.filters import Condition, F, at_least, condition_of, filter_of, has_vector, ids, parse, slice_of
from octant.filters.builder import Counted
from octant.filters.conditions import And, AtLeast, HasVector, Ids, Not, Or, Slice
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
    OnKey,
    OnText,
    Phrase,
    Polygon,
    Prefix,
    Radius,
    Range,
    Substring,
)

PAGE = (Path(__file__).parent.parent / "docs" / "filters.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip().strip("`").replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in PAGE.splitlines()
    if line.startswith("| `")
]
NAMES = {"F": F, "at_least": at_least, "date": date, "has_vector": has_vector, "ids": ids, "slice_of": slice_of}


def built(code: str) -> Condition:
    condition: Condition = eval(code, dict(NAMES))
    return condition


def parts_of(made: object) -> Iterator[str]:
    """The classes of Qdrant's models within a filter, and the clauses of filters, by name."""
    if isinstance(made, BaseModel):
        yield type(made).__name__
        for name in made.model_fields_set:
            value: object = getattr(made, name)
            if value is not None:
                yield name
                yield from parts_of(value)
    elif isinstance(made, list):
        for one in made:  # pyright: ignore[reportUnknownVariableType]
            yield from parts_of(one)  # pyright: ignore[reportUnknownArgumentType]


@pytest.mark.parametrize(("code", "text", "mapping", "qdrant"), ROWS, ids=[row[1] for row in ROWS])
def test_the_three_ways_to_write_a_condition_are_one(code: str, text: str, mapping: str, qdrant: str) -> None:
    condition = built(code)
    assert parse(text) == condition
    assert condition_of(json.loads(mapping)) == condition
    assert parse(str(condition)) == condition
    made = condition.filter()
    assert filter_of(text) == filter_of(json.loads(mapping)) == filter_of(condition) == made
    assert set(qdrant.split(", ")) <= set(parts_of(made))


def test_whatever_qdrant_can_ask_for_can_be_written() -> None:
    written = {part for row in ROWS for part in parts_of(built(row[0]).filter())}
    kinds = {*get_args(models.Condition), *get_args(models.Match), *get_args(models.RangeInterface)}
    assert {kind.__name__ for kind in kinds} <= written
    assert set(models.Filter.model_fields) <= written
    on_fields = set(models.FieldCondition.model_fields) - {"is_empty", "is_null"}  # the same as the conditions
    assert on_fields <= written


def test_the_page_runs_as_it_stands() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        for block in blocks:
            exec(compile(block, "filters.md", "exec"), {})
    [shown] = re.findall(r"```text\n(.*?)```", PAGE, flags=re.DOTALL)
    assert said.getvalue().endswith(shown)


class Colour(StrEnum):
    RED = "red"


def test_equal_conditions_are_those_that_say_the_same() -> None:
    assert (F("a") == 1) == parse("a = 1")
    assert len({F("a") == 1, F("a") == True, F("a") == 1.0, parse("a = 1")}) == 3  # noqa: E712
    assert (F("a") == Colour.RED) == parse('a = "red"')
    assert F('"a"."b c"').is_null() == F("a.b c").is_null()
    noon = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert (F("a") < noon) == parse('a < "2026-01-01T10:00:00Z"') == parse('a < "2026-01-01 10:00"')
    assert (F("a") == date(2026, 1, 1)) == parse('"2026-01-01" <= a <= "2026-01-01"')


def test_and_and_or_are_flat_and_negations_stand_beside() -> None:
    a, b, c = F("a").is_null(), F("b").is_null(), F("c").is_null()
    assert str(a & b & c) == "null(a) and null(b) and null(c)"
    assert str(a | b & c) == "null(a) or (null(b) and null(c))"
    assert parse("null(a) OR null(b) AND null(c)") == a | (b & c)
    assert (a & ~b).filter() == models.Filter(must=[a.qdrant()], must_not=[b.qdrant()])
    assert (~a).filter() == models.Filter(must_not=[a.qdrant()])


def test_what_python_would_silently_take_apart_is_refused() -> None:
    with pytest.raises(TypeError, match="combined with &"):
        _ = (F("a") == 1) and (F("b") == 2)
    with pytest.raises(TypeError, match="between"):
        _ = 1 < F("a") < 5
    with pytest.raises(TypeError, match="no condition"):
        _ = (F("a") == 1) & "b = 2"  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue]
    with pytest.raises(TypeError, match="a text"):
        F(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("folder = pets", r'character 10: expected a value; a text stands in quotes, such as "pets", found \'pets\''),
        ("price <", "character 8: expected a value.*found the end"),
        ("a = 1 b = 2", "character 7: expected 'and', 'or' or the end, found 'b'"),
        ("a = 1 and", "character 10: expected a payload key, found the end"),
        ("", "character 1: expected a condition, such as price < 20, found the end"),
        ('a = "x', "character 5: a quote is not closed"),
        ("a = 1 and @", "character 11: expected a key, a value or a sign, found '@'"),
        ("(a = 1", r"character 7: expected '\)', found the end"),
        ("a in ()", "character 7: expected a value"),
        ("a in 1", r"expected '\('"),
        ("a ~ 1", "expected a text in quotes, found '1'"),
        (r'a = "\x"', "escapes of JSON"),
        ("1 < a > 3", "character 7: expected < or <=, for a range, found '>'"),
        ("id < 3", "ids have no order"),
        ("id in (1)", "expected a text in quotes"),
        ("phrse(a, 'x')", "no function 'phrse'; did you mean phrase"),
        ("geo_radius(a, 'x', 1, 2)", "expected a number"),
        ("geo_radius(a, 100, 1, 2)", "character 1: a latitude is a number from -90 to 90"),
        ("b = 1 and price < 'dear'", "character 11: cannot compare 'price' with 'dear'"),
        ("1 < a < '2026-01-01'", "between a number and a moment"),
        ("a = 1e999", "cannot filter 'a' by inf"),
        ("a < " + "9" * 5000, "cannot compare 'a'"),
        ("a = 99999999999999999999", "cannot filter 'a'"),
        ("slice(1.5, 4)", "whole numbers"),
        ("slice(4, 4)", "no slice 4 of 4"),
        ("at_least(3, a = 1, b = 2)", "at least 3 of 2"),
        ("none_of(a, 1, 'x')", "texts, or integers"),
        ("nested(offers, id = 'x')", "written `id`"),
        ("nested(offers, x = 1 or not has(image))", "asks for a point"),
        ("geo_polygon(a, (1, 2), (3, 4))", "three corners or more, not 2"),
        ("geo_box(a, 1, 2, 3, 4)", "south, 3.0, north of its north"),
        ("`a..b` = 1", "no payload key"),
        ("(" * 1000 + "a = 1", "more than 64 levels"),
        ("not " * 1000 + "a = 1", "more than 64 levels"),
        (r'a = "\ud800"', "lone surrogates"),
    ],
)
def test_a_text_that_cannot_be_read_says_where_and_what_was_expected(text: str, wanted: str) -> None:
    with pytest.raises(FilterError, match=wanted) as raised:
        parse(text)
    assert re.match(r"cannot read the filter at character \d+: ", str(raised.value))
    assert str(raised.value).count("cannot read") == 1


def deep(levels: int) -> dict[str, Any]:
    return {"$not": deep(levels - 1)} if levels else {"a": 1}


BROKEN: list[tuple[dict[str, Any], str]] = [
    (
        {"price": {"$less": 20}},
        r"no operator \$less on 'price'; did you mean \$lte\? There are \$lt, \$lte, .*\$nested",
    ),
    ({"$nor": [{"a": 1}]}, r"no operator \$nor between conditions; did you mean \$or\? There are \$and"),
    ({"price": {"$lt": 20, "gte": 3}}, "cannot filter 'price'.*operators"),
    ({"price": {"lt": 20}}, r"a key within it is written 'price.name'"),
    ({"price": {}}, "cannot filter 'price'"),
    ({"price": None}, "cannot filter 'price' by None"),
    ({"price": {"$lt": None}}, "lower bound"),
    ({"price": {"$lt": 1, "$lte": 2}}, "one upper bound"),
    ({"price": {"$in": 3}}, r"\$in takes a list"),
    ({"price": {"$in": []}}, r"\$in takes a list with one or more"),
    ({"price": []}, "cannot filter 'price'"),
    ({"price": [None]}, "cannot filter 'price'"),
    ({"$and": []}, r"\$and takes a list"),
    ({"$and": [{}]}, "an entry or more"),
    ({"$or": {"a": 1}}, r"\$or takes a list"),
    ({"$not": "a"}, "an entry or more"),
    ({"$ids": [1]}, "ids are one or more texts"),
    ({"$has": 3}, "the name of a field is a text"),
    ({"$at_least": {"count": 1}}, r"\$at_least takes a mapping with count, of"),
    ({"p": {"$geo_radius": {"lat": 1, "lon": 2}}}, "takes a mapping with lat, lon, metres"),
    ({"p": {"$geo_radius": {"lat": 1, "lon": "2", "metres": 3}}}, "a longitude is a number"),
    ({"p": {"$geo_polygon": {"corners": [[1, 2]]}}}, "takes a mapping with lat, lon"),
    ({"p": {"$count": "2"}}, "whole numbers"),
    ({"p": {"$count": {"$eq": 2}}}, r"\$count takes a whole number, or bounds"),
    ({"p": {"$empty": 1}}, r"\$empty takes true or false"),
    ({"p": {"$contains": 3}}, "is a text, not 3"),
    ({"p": {"$contains": ""}}, "an empty text"),
    (deep(100), "more than 64 levels"),
]


@pytest.mark.parametrize(("mapping", "wanted"), BROKEN)
def test_a_dict_that_cannot_be_read_is_refused_with_what_there_is(mapping: dict[str, Any], wanted: str) -> None:
    with pytest.raises(FilterError, match=wanted):
        condition_of(mapping)


def test_a_dict_may_say_what_does_not_hold() -> None:
    assert condition_of({"p": {"$empty": False}}) == ~F("p").is_empty()
    assert condition_of({"$or": [{"a": 1}]}) == condition_of({"$and": [{"a": 1}]}) == condition_of({"a": 1})
    assert condition_of({"when": {"$gte": datetime(2026, 1, 1, tzinfo=UTC)}}) == parse('when >= "2026-01-01"')


def test_what_is_given_in_another_kind_is_told() -> None:
    own = models.Filter(must_not=[models.HasIdCondition(has_id=[1])])
    assert filter_of(own) is own
    assert filter_of(None) is None
    assert filter_of({}) is None
    with pytest.raises(TypeError, match=r"where is a mapping.*a text.*not 3"):
        filter_of(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


NAMED = st.sampled_from(["price", "offers[].price", "octant.source", "id", "and", "count", "größe", "-x", "9"])
ODD = st.text(st.characters(exclude_characters='"', codec="utf-8"), min_size=1).map(lambda name: f'"{name}"[0].b[]')
KEYS = NAMED | ODD
TEXTS = st.text()
WORDS = st.text(min_size=1)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
NUMBERS = INTEGERS | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.booleans() | NUMBERS | TEXTS
ZONES: st.SearchStrategy[Any] = st.one_of(st.none(), st.timezones())
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=ZONES) | st.dates()
PLACES = st.tuples(st.floats(-90, 90), st.floats(-180, 180))
RINGS = st.lists(PLACES, min_size=3, max_size=5, unique=True).map(tuple)
COUNTS = st.integers(0, 2**63 - 1)


def interval(kind: type[Range | Count], key: str, sides: tuple[str, str], bounds: tuple[Any, Any]) -> Range | Count:
    given: dict[str, Any] = {side: bound for side, bound in zip(sides, bounds, strict=True) if side}
    return kind(key, **given)


def intervals(kind: type[Range | Count], bounds: st.SearchStrategy[Any]) -> st.SearchStrategy[Range | Count]:
    sides = st.tuples(st.sampled_from(["", "gt", "gte"]), st.sampled_from(["", "lt", "lte"])).filter(any)
    return st.builds(interval, st.just(kind), KEYS, sides, st.tuples(bounds, bounds))


def box(key: str, one: tuple[float, float], other: tuple[float, float]) -> Box:
    return Box(key, max(one, other)[0], one[1], min(one, other)[0], other[1])


ON_OBJECTS = st.one_of(
    st.builds(Equals, KEYS, SCALARS),
    st.builds(OneOf, KEYS, st.lists(SCALARS, min_size=1).map(tuple)),
    st.builds(NoneOf, KEYS, (st.lists(TEXTS, min_size=1) | st.lists(INTEGERS, min_size=1)).map(tuple)),
    *(st.builds(kind, KEYS, WORDS) for kind in (FullText, AnyWord, Phrase, Prefix, Substring)),
    intervals(Range, NUMBERS),
    intervals(Range, MOMENTS),
    intervals(Count, COUNTS),
    st.builds(Radius, KEYS, st.floats(-90, 90), st.floats(-180, 180), st.floats(0, 1e7)),
    st.builds(box, KEYS, PLACES, PLACES),
    st.builds(Polygon, KEYS, RINGS, st.lists(RINGS, max_size=2).map(tuple)),
    st.builds(Empty, KEYS),
    st.builds(Null, KEYS),
)
ON_POINTS = st.one_of(
    st.builds(Ids, st.lists(TEXTS, min_size=1).map(tuple)),
    st.builds(HasVector, TEXTS),
    st.integers(1, 2**63 - 1).flatmap(lambda total: st.builds(Slice, st.integers(0, total - 1), st.just(total))),
)


def combined(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    several = st.lists(inner, min_size=2, max_size=4).map(tuple)
    fewest = several.flatmap(lambda some: st.builds(AtLeast, st.integers(1, len(some)), st.just(some)))
    return st.one_of(st.builds(And, several), st.builds(Or, several), st.builds(Not, inner), fewest)


NESTABLE = st.recursive(ON_OBJECTS, lambda inner: combined(inner) | st.builds(Nested, KEYS, inner), max_leaves=6)
CONDITIONS = st.recursive(NESTABLE | ON_POINTS, combined, max_leaves=6)


@settings(deadline=None)  # the cores that tests run on are shared
@given(CONDITIONS)
def test_what_is_printed_is_read_as_the_same(condition: Condition) -> None:
    again = parse(str(condition))
    assert again == condition
    assert again.filter() == condition.filter()


@settings(deadline=None)  # the cores that tests run on are shared
@given(st.text(st.sampled_from("ab.,()\"'`=<>~!1- \\[]") | st.characters(codec="utf-8"), max_size=20))
def test_any_other_text_is_read_or_refused_and_no_more(text: str) -> None:
    with contextlib.suppress(FilterError):
        assert parse(str(parse(text))) == parse(text)


def test_the_hypotheses_leave_out_no_condition() -> None:
    def kinds(kind: type[object]) -> Iterator[str]:
        for one in kind.__subclasses__():
            yield one.__name__
            yield from kinds(one)

    drawn = {And, Or, Not, AtLeast, Ids, HasVector, Slice, Equals, OneOf, NoneOf, FullText, AnyWord, Phrase, Prefix}
    drawn |= {Substring, Range, Count, Radius, Box, Polygon, Empty, Null, Nested}
    assert set(kinds(Condition)) - {OnKey.__name__, OnText.__name__} == {kind.__name__ for kind in drawn}
    assert issubclass(FilterError, OctantError)
    assert issubclass(FilterError, ValueError)
    assert isinstance(F("a").count, Counted)
