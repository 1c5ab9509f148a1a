"""Structured queries become filters: each comparator is asked of a collection and compared with plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from itertools import product
from typing import Any

import pytest
from langchain_core.structured_query import Comparator, Comparison, Operation, Operator, StructuredQuery
from langchain_octant.selfquery import OctantTranslator

import octant
from octant import F, FilterError, Item, Query, Text

SHOP: dict[str, dict[str, Any]] = {
    "mug": {"brand": "acme", "price": 8, "sale": True, "tags": ["blue", "tea pot"], "day": "2026-01-31", "sku": "A-1"},
    "cup": {
        "brand": "Acme",
        "price": 12.5,
        "sale": False,
        "tags": ["red"],
        "day": "2026-01-31T18:30:00Z",
        "sku": "A-2",
    },
    "pan": {"brand": "bolt", "price": 45, "sale": False, "tags": ["C++", "red"], "day": "2026-02-01", "sku": "B-1"},
    "pot": {"brand": None, "price": 12, "tags": [], "day": "2026-02-02T00:00:00Z", "sku": "xA-1"},
}
Item_ = dict[str, Any]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[octant.Collection]:
    with octant.open("shop", path=tmp_path_factory.mktemp("db")) as collection:
        collection.add([Item(id, {"title": Text(id)}, metadata) for id, metadata in SHOP.items()])
        yield collection


def found(shop: octant.Collection, directive: Any) -> set[str]:
    text, options = OctantTranslator().visit_structured_query(StructuredQuery("thing", directive))
    assert text == "thing"
    asked = Query(Text(text), where=options["filter"], fields=("text",))  # one field: it leaves none out as unlike
    return {hit.id for hit in shop.search(asked)}


def expected(holds: Callable[[Item_], Any]) -> set[str]:
    return {id for id, item in SHOP.items() if holds(item)}


def day_of(item: Item_) -> datetime:
    moment = datetime.fromisoformat(item["day"])
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


JANUARY_31 = {"date": "2026-01-31", "type": "date"}
FIRST, AFTER = datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
EVENING = {"datetime": "2026-01-31T18:30:00+00:00", "type": "datetime"}
AT = datetime(2026, 1, 31, 18, 30, tzinfo=UTC)

CASES: list[tuple[Comparator, str, Any, Callable[[Item_], Any]]] = [
    (Comparator.EQ, "brand", "acme", lambda i: i["brand"] == "acme"),
    (Comparator.EQ, "price", 12, lambda i: i["price"] == 12),
    (Comparator.EQ, "sale", True, lambda i: i.get("sale") is True),
    (Comparator.EQ, "tags", "red", lambda i: "red" in i["tags"]),
    (Comparator.EQ, "brand", None, lambda i: i["brand"] is None),
    (Comparator.EQ, "day", JANUARY_31, lambda i: FIRST <= day_of(i) < AFTER),
    (Comparator.EQ, "day", date(2026, 1, 31), lambda i: FIRST <= day_of(i) < AFTER),
    (Comparator.EQ, "day", {"date": "2026-01-31"}, lambda i: FIRST <= day_of(i) < AFTER),
    (Comparator.EQ, "day", EVENING, lambda i: day_of(i) == AT),
    (Comparator.NE, "brand", "acme", lambda i: i["brand"] != "acme"),
    (Comparator.NE, "sale", False, lambda i: i.get("sale") is not False),
    (Comparator.NE, "tags", "red", lambda i: "red" not in i["tags"]),
    (Comparator.NE, "brand", None, lambda i: i["brand"] is not None),
    (Comparator.NE, "day", JANUARY_31, lambda i: not FIRST <= day_of(i) < AFTER),
    (Comparator.GT, "price", 12, lambda i: i["price"] > 12),
    (Comparator.GTE, "price", 12, lambda i: i["price"] >= 12),
    (Comparator.LT, "price", 12.5, lambda i: i["price"] < 12.5),
    (Comparator.LTE, "price", 12.5, lambda i: i["price"] <= 12.5),
    (Comparator.GT, "day", JANUARY_31, lambda i: day_of(i) >= AFTER),
    (Comparator.GTE, "day", {"date": "2026-02-01"}, lambda i: day_of(i) >= AFTER),
    (Comparator.LT, "day", date(2026, 2, 1), lambda i: day_of(i) < AFTER),
    (Comparator.LTE, "day", JANUARY_31, lambda i: day_of(i) < AFTER),
    (Comparator.GT, "day", EVENING, lambda i: day_of(i) > AT),
    (Comparator.LTE, "day", EVENING, lambda i: day_of(i) <= AT),
    (Comparator.CONTAIN, "tags", "red", lambda i: "red" in i["tags"]),
    (Comparator.CONTAIN, "tags", "tea", lambda i: any("tea" in tag.split() for tag in i["tags"])),
    (Comparator.CONTAIN, "tags", ["red", "C++"], lambda i: {"red", "C++"} <= set(i["tags"])),
    (Comparator.CONTAIN, "price", 45, lambda i: i["price"] == 45),
    (Comparator.LIKE, "brand", "acme", lambda i: "acme" in str(i["brand"]).lower().split()),
    (Comparator.LIKE, "sku", "A-%", lambda i: i["sku"].startswith("A-")),
    (Comparator.LIKE, "sku", "%A-1%", lambda i: "A-1" in i["sku"]),
    (Comparator.LIKE, "brand", "%", lambda i: i["brand"] is not None),
    (Comparator.IN, "brand", ["acme", "bolt"], lambda i: i["brand"] in ("acme", "bolt")),
    (Comparator.IN, "price", [8, 45], lambda i: i["price"] in (8, 45)),
    (Comparator.IN, "brand", "acme", lambda i: i["brand"] == "acme"),
    (Comparator.IN, "brand", ["acme", None], lambda i: i["brand"] in ("acme", None)),
    (Comparator.IN, "day", [JANUARY_31, {"date": "2026-02-02"}], lambda i: day_of(i).day in (31, 2)),
    (Comparator.NIN, "brand", ["acme", "bolt"], lambda i: i["brand"] not in ("acme", "bolt")),
    (Comparator.NIN, "day", [JANUARY_31], lambda i: not FIRST <= day_of(i) < AFTER),
]


@pytest.mark.parametrize(("comparator", "attribute", "value", "holds"), CASES)
def test_a_comparison_finds_what_python_finds(
    shop: octant.Collection, comparator: Comparator, attribute: str, value: Any, holds: Callable[[Item_], Any]
) -> None:
    wanted = expected(holds)
    assert 0 < len(wanted) < len(SHOP), "a case that tells nothing"
    assert found(shop, Comparison(comparator, attribute, value)) == wanted


def test_every_comparator_and_operator_is_covered() -> None:
    assert {case[0] for case in CASES} == set(Comparator) == set(OctantTranslator.allowed_comparators or ())
    assert set(Operator) == set(OctantTranslator.allowed_operators or ())


RED = Comparison(Comparator.EQ, "tags", "red")
CHEAP = Comparison(Comparator.LT, "price", 12.25)
FIRST_SKU = Comparison(Comparator.LIKE, "sku", "%-1%")
HOLDS: dict[int, Callable[[Item_], bool]] = {
    0: lambda i: "red" in i["tags"],
    1: lambda i: i["price"] < 12.25,
    2: lambda i: "-1" in i["sku"],
}


def none(held: list[bool]) -> bool:
    return not any(held)


JOINED: dict[Operator, Callable[[list[bool]], bool]] = {Operator.AND: all, Operator.OR: any, Operator.NOT: none}


@pytest.mark.parametrize("numbers", [(0,), (0, 1), (1, 2), (0, 1, 2)])
@pytest.mark.parametrize("operator", Operator)
def test_operators_join_conditions(shop: octant.Collection, operator: Operator, numbers: tuple[int, ...]) -> None:
    conditions = (RED, CHEAP, FIRST_SKU)
    joined = JOINED[operator]
    operation = Operation(operator, [conditions[n] for n in numbers])
    assert found(shop, operation) == expected(lambda i: joined([HOLDS[n](i) for n in numbers]))


def test_operations_nest(shop: octant.Collection) -> None:
    for outer, inner in product(Operator, Operator):
        nested = Operation(outer, [Operation(inner, [RED, CHEAP]), FIRST_SKU])
        wanted = expected(lambda i: JOINED[outer]([JOINED[inner]([HOLDS[0](i), HOLDS[1](i)]), HOLDS[2](i)]))  # noqa: B023
        assert found(shop, nested) == wanted


def test_a_whole_query_becomes_a_text_and_options() -> None:
    translator = OctantTranslator(["price"])
    assert translator.visit_structured_query(StructuredQuery("a mug", None)) == ("a mug", {})
    text, options = translator.visit_structured_query(StructuredQuery("a mug", CHEAP, limit=3))
    assert (text, options["k"]) == ("a mug", 3)
    assert options["filter"] == (F("price") < 12.25)


def test_an_unknown_attribute_is_refused_and_what_is_known_is_named() -> None:
    translator = OctantTranslator(["price", "brand"])
    with pytest.raises(
        FilterError, match=r"no attribute 'prize' to filter by; did you mean 'price'\? Known are price, brand"
    ):
        Comparison(Comparator.EQ, "prize", 3).accept(translator)
    nested = Operation(Operator.NOT, [Operation(Operator.OR, [Comparison(Comparator.EQ, "octant.source", "x")])])
    with pytest.raises(FilterError, match=r"'octant.source' to filter by; Known"):
        nested.accept(translator)


def test_without_attributes_octant_refuses_what_no_item_has(shop: octant.Collection) -> None:
    with pytest.raises(FilterError, match="did you mean 'price'"):
        found(shop, Comparison(Comparator.LT, "prize", 3))


@pytest.mark.parametrize(
    ("comparator", "value"),
    [
        (Comparator.IN, []),
        (Comparator.EQ, {"x": 1}),
        (Comparator.EQ, {"date": "soon", "type": "date"}),
        (Comparator.EQ, {"type": "date"}),
        (Comparator.LIKE, 3),
        (Comparator.LIKE, ""),
        (Comparator.LIKE, "a%b"),
        (Comparator.LIKE, "%b"),
        (Comparator.GT, "soon"),
        (Comparator.GT, None),
        (Comparator.EQ, float("nan")),
        (Comparator.EQ, [1, 2]),
    ],
)
def test_values_that_cannot_be_compared_are_refused(comparator: Comparator, value: Any) -> None:
    with pytest.raises(FilterError):
        Comparison(comparator, "price", value).accept(OctantTranslator())


def test_an_operation_of_nothing_is_refused() -> None:
    with pytest.raises(FilterError, match="no arguments"):
        Operation(Operator.AND, []).accept(OctantTranslator())


def test_values_of_a_model_are_never_read_as_filters(shop: octant.Collection) -> None:
    assert found(shop, Comparison(Comparator.EQ, "brand", "acme' or price > 0 or brand = 'x")) == set()
