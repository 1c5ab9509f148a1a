"""Conditions are compared with what is known of the payloads, before a search silently finds nothing."""

from __future__ import annotations

from typing import Any

import pytest
from qdrant_client.http import models

from octant.errors import FilterError
from octant.filters import F, Kind, check, filter_of, known_of, parse, unknown_keys

PAYLOADS: list[dict[str, Any]] = [
    {
        "price": 3,
        "brand": "acme",
        "made": "2026-01-01",
        "in_stock": True,
        "place": {"lat": 1, "lon": 2.5},
        "tags": ["a", "b"],
        "offers": [{"price": 3, "shop": {"name": "x"}}, {"price": 2.5}],
        "spec": {"size": 42},
        "note": None,
        "none": [],
        "grid": [[1, 2]],
        "odd name": 1,
        'un"askable': 1,
        "octant": {"id": "1", "source": "s"},
    },
    {"price": 2.5, "made": "2026-02-31", "mixed": 1},
    {"mixed": "one"},
]
INDEX = {
    "colour": models.PayloadIndexInfo(data_type=models.PayloadSchemaType.KEYWORD, points=0),
    "sold": models.PayloadIndexInfo(data_type=models.PayloadSchemaType.DATETIME, points=0),
    "deep.list[].n": models.PayloadIndexInfo(data_type=models.PayloadSchemaType.INTEGER, points=0),
}
KNOWN = known_of(PAYLOADS, INDEX)


def test_a_sample_and_the_indexes_say_what_the_keys_hold() -> None:
    assert {
        "price": {Kind.INTEGER, Kind.FLOAT},
        "brand": {Kind.TEXT},
        "made": {Kind.TEXT, Kind.DATETIME},
        "in_stock": {Kind.BOOL},
        "place": {Kind.OBJECT, Kind.GEO},
        "place.lat": {Kind.INTEGER},
        "place.lon": {Kind.FLOAT},
        "tags": {Kind.TEXT},
        "offers": {Kind.OBJECT},
        "offers[]": {Kind.OBJECT},
        "offers[].price": {Kind.INTEGER, Kind.FLOAT},
        "offers[].shop": {Kind.OBJECT},
        "offers[].shop.name": {Kind.TEXT},
        "spec": {Kind.OBJECT},
        "spec.size": {Kind.INTEGER},
        "note": set(),
        "none": set(),
        "grid": set(),
        "grid[]": {Kind.INTEGER},
        '"odd name"': {Kind.INTEGER},
        "mixed": {Kind.INTEGER, Kind.TEXT},
        "octant": {Kind.OBJECT},
        "octant.id": {Kind.TEXT},
        "octant.source": {Kind.TEXT},
        "colour": {Kind.TEXT},
        "sold": {Kind.DATETIME, Kind.TEXT},
        "deep": {Kind.OBJECT},
        "deep.list": {Kind.OBJECT},
        "deep.list[]": {Kind.OBJECT},
        "deep.list[].n": {Kind.INTEGER},
    } == KNOWN


@pytest.mark.parametrize(
    "text",
    [
        "price < 3 and brand = 'x' and in_stock = false",
        "made < '2026-01-01' and made ~ '2026'",
        "sold < '2026-01-01' and colour in ('red', 'blue')",
        "geo_radius(place, 1, 2, 3) or place.lat > 1",
        "tags[] = 'a' or tags[0] = 'a' or tags = 'a' or count(tags) > 1",
        "offers[].price < 3 and offers[0].price < 3 and offers[].shop.name = 'x'",
        "nested(offers, price < 3 and not shop.name = 'x')",
        "nested(offers[], price < 3)",
        "nested(deep.list, n = 3)",
        "note = 3 or note = 'x' or none = 3 or null(note) or empty(offers)",
        "grid[] = 1 or grid[][] = 1 or grid[0] = 1",
        "`odd name` = 1",
        "mixed < 3 or mixed = 'one' or mixed in (1, 'one')",
        "octant.media.photo.width > 100 and octant.source = 's'",
        "has(image) or id = 'x' or slice(0, 2)",
    ],
)
def test_what_is_known_passes(text: str) -> None:
    assert unknown_keys(parse(text), KNOWN) == ()
    check(parse(text), KNOWN)


@pytest.mark.parametrize(
    ("text", "keys", "wanted"),
    [
        (
            "prise < 3",
            ("prise",),
            r"to have 'prise'; did you mean 'price'\? Known are \"odd name\", brand, col",
        ),
        ("Brand = 'x'", ("Brand",), "did you mean 'brand'"),
        ("offers.price < 3", ("offers.price",), r"did you mean 'offers\[\].price'"),
        ("nested(offers, prise < 3)", ("offers[].prise",), r"did you mean 'offers\[\].price'"),
        ("nested(offerz, price < 3)", ("offerz", "offerz[].price"), "did you mean 'offers'"),
        ("at_least(1, a = 1, not b = 1) or a = 2", ("a", "b"), "to have 'a'"),
        ("zzzzzz = 1", ("zzzzzz",), "to have 'zzzzzz'; Known are"),
    ],
)
def test_a_key_that_is_not_known_is_refused_with_those_that_are(text: str, keys: tuple[str, ...], wanted: str) -> None:
    assert unknown_keys(parse(text), KNOWN) == keys
    with pytest.raises(FilterError, match=wanted):
        check(parse(text), KNOWN)
    with pytest.raises(FilterError, match=wanted):
        filter_of(text, KNOWN)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "brand < 20",
            r"'brand < 20' compares numbers, but 'brand' holds texts: .* text in quotes \(brand =",
        ),
        (
            "price = '3'",
            r"compares texts, but 'price' holds numbers: compare it with a number \(price < 20\)$",
        ),
        ("price ~ '3'", "compares texts, but 'price'"),
        ("price < '2026-01-01'", "compares dates, but 'price' holds numbers"),
        ("brand < '2026-01-01'", "compares dates, but 'brand' holds texts"),
        ("in_stock = 1", "but 'in_stock' holds booleans: compare it with true or false"),
        ("none_of(in_stock, 'x')", "holds booleans"),
        ("price in ('a', 'b')", "compares texts"),
        ("geo_radius(brand, 1, 2, 3)", "compares places, but 'brand' holds texts"),
        ("spec = 3", r"but 'spec' holds objects: compare it with the keys within it \(spec.name"),
        ("place = 'x'", r"geo_radius\(place, ...\)\) or the keys within it"),
        ("nested(spec, size = 42)", "'spec' holds objects, and no list of them"),
        ("nested(brand, x = 1)", "'brand' holds texts, and no list of objects"),
        ("nested(offers, price = 'x')", r"'price = \"x\"' compares texts, but 'offers\[\].price' holds"),
    ],
)
def test_a_comparison_that_can_find_nothing_is_refused_with_what_can(text: str, wanted: str) -> None:
    with pytest.raises(FilterError, match=wanted):
        check(parse(text), KNOWN)


def test_a_rare_key_passes_once_the_store_has_confirmed_it() -> None:
    rare = F("rare") == 3
    check(rare, {**KNOWN, "rare": frozenset()})
    assert filter_of(rare, {**KNOWN, "rare": frozenset()}) == rare.filter()


def test_of_a_collection_without_metadata_nothing_is_known() -> None:
    with pytest.raises(FilterError, match="nor any metadata at all"):
        check(F("a") == 1, known_of([{"octant": {"id": "x"}}], {}))


def test_of_many_keys_some_are_named() -> None:
    known = known_of([{f"key{index:03}": 1 for index in range(50)}], {})
    with pytest.raises(FilterError, match=r"key000.* and 30 more$"):
        check(F("other") == 1, known)


def test_a_filter_of_qdrants_own_is_not_checked() -> None:
    own = models.Filter(must=[models.IsNullCondition(is_null=models.PayloadField(key="anything"))])
    assert filter_of(own, KNOWN) is own
