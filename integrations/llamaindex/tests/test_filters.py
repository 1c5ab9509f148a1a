"""Every operator and condition, against what LlamaIndex's own in-memory filter answers."""

from __future__ import annotations

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

LIBRARY: dict[str, dict[str, Any]] = {
    "a": {"year": 1999, "genre": "Drama", "tags": ["war", "love"], "rating": 4.5},
    "b": {"year": 2005, "genre": "comedy", "tags": ["love"], "rating": 3.0},
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
    store.add([TextNode(id_=name, text=f"book {name}", metadata=about) for name, about in LIBRARY.items()])
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


def test_text_match_insensitive_compares_whole_words_where_llama_index_takes_substrings(
    library: OctantVectorStore,
) -> None:
    asked = MetadataFilters(filters=[MetadataFilter(key="genre", value="drama", operator=Op.TEXT_MATCH_INSENSITIVE)])
    assert found(library, asked) == {"a"}
    assert wanted(asked) == {"a", "c"}, "'dramatic comedy' has the characters, not the word"


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
