"""Filters, against what Haystack's own in-memory filter answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from haystack import Document
from haystack.errors import FilterError
from haystack.utils.filters import document_matches_filter
from haystack_integrations.document_stores.octant import OctantDocumentStore
from haystack_integrations.document_stores.octant.filters import filter_from
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

DOCUMENTS = [
    Document(id="a", content="one", meta={"n": 1, "kind": "Bird", "when": "2020-01-01", "deep": {"x": 1}}),
    Document(id="b", content="two", meta={"n": 2.5, "kind": "fish", "when": "2020-01-01T12:00:00", "ok": True}),
    Document(id="c", content=None, meta={"n": None, "kind": "fish", "ok": False}),
    Document(id="d", content="two", meta={"when": "2021-06-01T00:00:00", "deep": {"x": 2}}),
]


def comparison(field: str, values: list[Any], *operators: str) -> st.SearchStrategy[dict[str, Any]]:
    parts: dict[str, st.SearchStrategy[Any]] = {
        "field": st.just(field),
        "operator": st.sampled_from(operators),
        "value": st.sampled_from(values),
    }
    return st.fixed_dictionaries(parts)


def logic(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    parts: dict[str, st.SearchStrategy[Any]] = {
        "operator": st.sampled_from(["AND", "OR", "NOT"]),
        "conditions": st.lists(inner, max_size=3),
    }
    return st.fixed_dictionaries(parts)


EQUAL, ORDER, AMONG = ("==", "!="), (">", ">=", "<", "<="), ("in", "not in")
DATES = ["2020-01-01", "2020-01-01T00:00:00", "2020-01-01T12:00:00", "2021-06-01", datetime(2020, 1, 1, 12)]
COMPARISONS = st.one_of(
    comparison("meta.n", [1, 1.0, 2, 2.5, None], *EQUAL, *ORDER),
    comparison("meta.kind", ["Bird", "fish", "none such", None], *EQUAL),
    comparison("meta.when", [*DATES, None], *EQUAL, *ORDER),
    comparison("meta.ok", [True, False, None], *EQUAL),
    comparison("meta.deep.x", [1, 2, None], *EQUAL, *ORDER),
    comparison("meta.missing", [1, None], *EQUAL, *ORDER),
    comparison("kind", ["Bird", None], *EQUAL),
    comparison("id", ["a", "z"], *EQUAL),
    comparison("id", [["a", "b"], ["z"]], *AMONG),
    comparison("content", ["two", None], *EQUAL),
    comparison("meta.kind", [["Bird", "fish"], ["none such"], [], [None, "Bird"]], *AMONG),
    comparison("meta.n", [[1, 2.5], [7]], *AMONG),
    comparison("meta.when", [["2020-01-01T00:00:00"], []], *AMONG),
)
FILTERS = st.recursive(COMPARISONS, logic, max_leaves=4)


@pytest.fixture
def library(document_store: OctantDocumentStore) -> OctantDocumentStore:
    document_store.write_documents(DOCUMENTS)
    return document_store


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filters=FILTERS)
def test_filters_are_those_of_haystack(library: OctantDocumentStore, filters: dict[str, Any]) -> None:
    found = {document.id for document in library.filter_documents(filters)}
    assert found == {document.id for document in DOCUMENTS if document_matches_filter(filters, document)}


def test_a_list_has_a_value_where_haystack_compares_it_as_a_whole(document_store: OctantDocumentStore) -> None:
    document = Document(content="x", meta={"tags": ["a", "b"], "none": []})
    document_store.write_documents([document])
    has = {"field": "meta.tags", "operator": "==", "value": "a"}
    assert document_store.count_documents_by_filter(has) == 1
    assert not document_matches_filter(has, document)
    empty = {"field": "meta.none", "operator": "==", "value": None}
    assert document_store.count_documents_by_filter(empty) == 1, "an empty list is none, as the store has it"


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"field": "meta.n", "operator": "~", "value": 1}, "unknown operator '~'"),
        ({"operator": "XOR", "conditions": []}, "unknown logical operator 'XOR'"),
        ({"field": "meta.tags", "operator": "==", "value": ["a"]}, "as a whole"),
        ({"field": "meta.n", "operator": ">", "value": True}, "takes a number or an ISO date"),
        ({"field": "embedding", "operator": "==", "value": 1}, "not filtered by 'embedding'"),
        ({"field": "meta.n", "operator": "==", "value": object()}, "cannot filter 'n'"),
        ({"operator": "AND", "conditions": ["meta.n"]}, "'operator' is missing|'conditions' is missing"),
    ],
)
def test_what_is_no_filter_is_told(filters: dict[str, Any], said: str) -> None:
    with pytest.raises(FilterError, match=said):
        filter_from(filters)
