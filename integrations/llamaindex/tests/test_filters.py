"""Every operator and condition, against what LlamaIndex's own in-memory filter answers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.types import FilterCondition, MetadataFilter, MetadataFilters
from llama_index.core.vector_stores.types import FilterOperator as Op
from llama_index.core.vector_stores.utils import build_metadata_filter_fn
from llama_index.vector_stores.octant import OctantVectorStore
from llama_index.vector_stores.octant.filters import filter_from
from llama_parts import DIM

LIBRARY: dict[str, dict[str, Any]] = {
    "a": {"year": 1999, "genre": "Drama", "tags": ["war", "love"], "rating": 4.5, "sold": True},
    "b": {"year": 2005, "genre": "comedy", "tags": ["love"], "rating": 3.0, "size": {"pages": 90}},
    "c": {"year": 2005, "genre": "dramatic comedy", "tags": [], "seen": "2020-05-01"},
    "d": {"year": None, "genre": "", "tags": ["war"], "seen": "2021-01-01T12:00:00"},
    "e": {},
}
NUMBERS = st.sampled_from([1998, 1999, 2001, 2005, 3.0, 4.5])
TEXTS = st.sampled_from(["Drama", "comedy", "dramatic comedy", "none such"])


def single(key: str, values: st.SearchStrategy[Any], *operators: Op) -> st.SearchStrategy[MetadataFilter]:
    return st.builds(MetadataFilter, key=st.just(key), value=values, operator=st.sampled_from(operators))


FILTERS = st.one_of(
    single("year", NUMBERS, Op.EQ, Op.NE, Op.GT, Op.GTE, Op.LT, Op.LTE),
    single("rating", NUMBERS, Op.EQ, Op.NE, Op.GT, Op.GTE, Op.LT, Op.LTE),
    single("genre", TEXTS, Op.EQ, Op.NE),
    single("missing", TEXTS, Op.EQ, Op.NE),
    single("seen", st.sampled_from(["2020-05-01", "2020-06-01", "2022-01-01"]), Op.GT, Op.GTE, Op.LT, Op.LTE),
    single("genre", st.lists(TEXTS, max_size=3), Op.IN, Op.NIN),
    single("year", st.lists(st.sampled_from([1999, 2005, 7]), max_size=3), Op.IN, Op.NIN),
    single("tags", st.lists(st.sampled_from(["war", "love", "none such"]), max_size=3), Op.ANY),
    single("tags", st.lists(st.sampled_from(["war", "love", "none such"]), min_size=1, max_size=3), Op.ALL),
    single("tags", st.sampled_from(["war", "love", "none such"]), Op.CONTAINS),
    single("genre", st.sampled_from(["rama", "com", "dramatic c", "Zz"]), Op.TEXT_MATCH),
    single("genre", st.sampled_from(["COMEDY", "dramatic Comedy", "nonesuch"]), Op.TEXT_MATCH_INSENSITIVE),
    *(single(key, st.none(), Op.IS_EMPTY) for key in ("year", "genre", "tags", "missing")),
)


@pytest.fixture
def library(store: OctantVectorStore) -> OctantVectorStore:
    nodes = [TextNode(id_=name, metadata=about, embedding=[1.0] * DIM) for name, about in LIBRARY.items()]
    store.add(nodes)
    return store


def found(store: OctantVectorStore, filters: MetadataFilters) -> set[str]:
    return {node.node_id for node in store.get_nodes(filters=filters)}


def wanted(filters: MetadataFilters) -> set[str]:
    holds = build_metadata_filter_fn(LIBRARY.__getitem__, filters)
    return {name for name in LIBRARY if holds(name)}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filters=st.lists(FILTERS, min_size=1, max_size=3), condition=st.sampled_from(list(FilterCondition)))
def test_filters_are_those_of_llama_index(
    library: OctantVectorStore, filters: list[MetadataFilter], condition: FilterCondition
) -> None:
    asked = MetadataFilters(filters=list(filters), condition=condition)
    assert found(library, asked) == wanted(asked)


def test_every_operator_and_condition_is_tried() -> None:
    tried = set(Op)
    assert tried == {
        Op.EQ,
        Op.NE,
        Op.GT,
        Op.GTE,
        Op.LT,
        Op.LTE,
        Op.IN,
        Op.NIN,
        Op.ANY,
        Op.ALL,
        Op.CONTAINS,
        Op.TEXT_MATCH,
    } | {
        Op.TEXT_MATCH_INSENSITIVE,
        Op.IS_EMPTY,
    }, "LlamaIndex has a new operator: translate it, and add it above"
    assert set(FilterCondition) == {FilterCondition.AND, FilterCondition.OR, FilterCondition.NOT}


def test_filters_nest(library: OctantVectorStore) -> None:
    recent = MetadataFilter(key="year", value=2000, operator=Op.GT)
    either = MetadataFilters(
        filters=[
            MetadataFilter(key="genre", value="comedy"),
            MetadataFilters(
                filters=[MetadataFilter(key="tags", value="war", operator=Op.CONTAINS)], condition=FilterCondition.NOT
            ),
        ],
        condition=FilterCondition.OR,
    )
    assert found(library, MetadataFilters(filters=[recent, either])) == {"b", "c"}


EVERY = set(LIBRARY)
DIFFERENT: dict[str, list[tuple[str, Op, Any, set[str] | str, set[str] | type[Exception]]]] = {
    "GT, GTE, LT, LTE with a text": [
        ("genre", Op.GT, "a", "cannot compare", {"b", "c"}),
        ("genre", Op.LTE, "a", "cannot compare", {"a", "d"}),
        ("seen", Op.GT, "2021-01-01T12:00:00+01:00", {"d"}, set()),
    ],
    "EQ, NE with None": [
        ("year", Op.EQ, None, "IS_EMPTY asks for what has none", set()),
        ("year", Op.NE, None, "IS_EMPTY asks for what has none", EVERY),
    ],
    "EQ, NE with a list": [
        ("tags", Op.EQ, ["love"], "takes one value", {"b"}),
        ("tags", Op.NE, ["love"], "takes one value", EVERY - {"b"}),
    ],
    "a single value, asked of a list": [
        ("tags", Op.EQ, "love", {"a", "b"}, set()),
        ("tags", Op.NE, "love", {"c", "d", "e"}, EVERY),
        ("tags", Op.IN, ["war"], {"a", "d"}, set()),
        ("tags", Op.NIN, ["war"], {"b", "c", "e"}, EVERY),
    ],
    "CONTAINS, ANY, ALL, asked of a text": [
        ("genre", Op.CONTAINS, "comedy", {"b"}, {"b", "c"}),
        ("genre", Op.ANY, ["comedy", "Dra"], {"b"}, {"a", "b", "c"}),
        ("genre", Op.ALL, ["comedy"], {"b"}, {"b", "c"}),
    ],
    "TEXT_MATCH_INSENSITIVE": [("genre", Op.TEXT_MATCH_INSENSITIVE, "drama", {"a"}, {"a", "c"})],
    "an empty text or list": [
        ("genre", Op.TEXT_MATCH, "", "an empty text", {"a", "b", "c", "d"}),
        ("genre", Op.TEXT_MATCH_INSENSITIVE, "", "an empty text", {"a", "b", "c", "d"}),
        ("tags", Op.ALL, [], "one value or more", {"a", "b", "c", "d"}),
    ],
    "IN, NIN, ANY, ALL with a text": [
        ("genre", Op.IN, "comedy!", "takes a list", {"b", "d"}),
        ("genre", Op.NIN, "comedy!", "takes a list", {"a", "c", "e"}),
        ("genre", Op.ANY, "C", "takes a list", set()),
        ("genre", Op.ALL, "Drm", "takes a list", {"a"}),
    ],
    "True and 1": [
        ("sold", Op.EQ, 1, set(), {"a"}),
        ("sold", Op.GT, 0, set(), {"a"}),
    ],
    "a value of another kind": [
        ("genre", Op.GT, 3, set(), TypeError),
        ("year", Op.TEXT_MATCH, "a", set(), TypeError),
        ("year", Op.CONTAINS, 2005, {"b", "c"}, TypeError),
    ],
    "a key with a dot": [("size.pages", Op.EQ, 90, {"b"}, set())],
}


@pytest.mark.parametrize(
    ("key", "operator", "value", "ours", "theirs"), [case for cases in DIFFERENT.values() for case in cases]
)
def test_what_differs_from_llama_index(
    library: OctantVectorStore,
    key: str,
    operator: Op,
    value: Any,
    ours: set[str] | str,
    theirs: set[str] | type[Exception],
) -> None:
    asked = MetadataFilters(filters=[MetadataFilter(key=key, value=value, operator=operator)])
    if isinstance(ours, str):
        with pytest.raises(ValueError, match=ours):
            found(library, asked)
    else:
        assert found(library, asked) == ours
    if isinstance(theirs, set):
        assert wanted(asked) == theirs
    else:
        with pytest.raises(theirs):
            wanted(asked)


def test_the_readme_lists_what_differs() -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    [table] = re.findall(r"^\| filter \|.*\n\|---.*\n((?:\|.*\n)+)", readme, re.MULTILINE)
    assert [line.split("|")[1].strip() for line in table.splitlines()] == list(DIFFERENT)


def test_nothing_asked_restricts_nothing(library: OctantVectorStore) -> None:
    assert filter_from(None) is None
    assert filter_from(MetadataFilters(filters=[])) is None
    nested = MetadataFilters(filters=[MetadataFilters(filters=[])], condition=FilterCondition.AND)
    assert found(library, nested) == set(LIBRARY)


@pytest.mark.parametrize(
    ("value", "operator", "said"),
    [
        (["a"], Op.EQ, "takes one value"),
        (None, Op.EQ, "IS_EMPTY asks for what has none"),
        ("a", Op.IN, "takes a list"),
        ("a", Op.ALL, "takes a list"),
        (3, Op.TEXT_MATCH, "takes a text"),
        ("abc", Op.GT, "cannot compare"),
    ],
)
def test_what_an_operator_cannot_take_is_told(value: Any, operator: Op, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        filter_from(MetadataFilters(filters=[MetadataFilter(key="k", value=value, operator=operator)]))
