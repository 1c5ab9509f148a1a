"""Conditions find what they say, on Qdrant Edge with and without payload indexes, and in local mode."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from qdrant_client.http import models

from octant.filters import check, filter_of, known_of, parse
from octant.payload import point_id
from octant.stores import Client, open_store
from octant.stores.local import LocalClient

SHOES: dict[str, dict[str, Any]] = {
    "red": {
        "title": "Red shoe, size 42",
        "sku": "A-1",
        "brand": "acme",
        "price": 10,
        "in_stock": True,
        "tags": ["sale", "new"],
        "made": "2026-01-01",
        "place": {"lat": 52.52, "lon": 13.40},  # Berlin
        "offers": [{"id": 1, "price": 3, "stock": 0}, {"id": 2, "price": 9, "stock": 5}],
        "odd name": {"x": 1},
    },
    "blue": {
        "title": "Blue shoe",
        "sku": "A-2",
        "brand": "b",
        "price": 20.0,
        "in_stock": False,
        "tags": ["sale"],
        "made": "2026-01-02T12:00:00+00:00",
        "place": {"lat": 48.86, "lon": 2.35},  # Paris
        "offers": [{"id": 3, "price": 3, "stock": 2}],
    },
    "leather": {
        "title": "Shoe of red leather",
        "sku": "B-1",
        "brand": "core",
        "price": 60,
        "tags": [],
        "made": "2026-02-01T00:00:00+02:00",  # in January by UTC
        "place": {"lat": 52.40, "lon": 13.06},  # Potsdam
    },
    "hat": {"title": "Hat", "brand": "acme", "price": 2**60, "id": "own", "place": {"lat": -17.8, "lon": 178.0}},
    "bare": {"brand": None},
}
ALL = set(SHOES)
PICTURED = {"red", "blue"}

FOUND: dict[str, set[str]] = {
    'brand = "acme"': {"red", "hat"},
    "in_stock = true": {"red"},
    "in_stock = false": {"blue"},
    "in_stock != true": ALL - {"red"},
    "price = 60": {"leather"},
    "price = 20": {"blue"},
    f"price = {2**60}": {"hat"},
    f"price = {2**60 + 1}": set(),
    f"price in (10, {2**60})": {"red", "hat"},
    "price < 20": {"red"},
    "price <= 20": {"red", "blue"},
    "10 < price <= 60": {"blue", "leather"},
    "price > 60": {"hat"},
    'brand in ("acme", "b")': {"red", "blue", "hat"},
    'brand not in ("acme", "b")': {"leather", "bare"},
    'none_of(brand, "acme", "b")': {"leather"},
    "none_of(price, 10)": {"blue", "leather", "hat"},
    'tags = "sale"': {"red", "blue"},
    'none_of(tags, "sale")': {"red"},
    'not tags = "sale"': {"leather", "hat", "bare"},
    "tags in ('new', 'old')": {"red"},
    'title ~ "red shoe"': {"red", "leather"},
    'title ~ "SHOE"': {"red", "blue", "leather"},
    'title ~ "sho"': set(),
    'any_word(title, "hat blue")': {"blue", "hat"},
    'phrase(title, "red shoe")': {"red"},
    'phrase(title, "red leather")': {"leather"},
    'prefix(sku, "A-")': {"red", "blue"},
    'prefix(sku, "a-")': set(),
    'substring(sku, "-1")': {"red", "leather"},
    'made >= "2026-01-02"': {"blue", "leather"},
    '"2026-01-01" <= made <= "2026-01-01"': {"red"},
    'made < "2026-02-01"': {"red", "blue", "leather"},
    'made < "2026-01-31T22:00:00Z"': {"red", "blue"},
    'made <= "2026-02-01T00:00:00+02:00"': {"red", "blue", "leather"},
    'made = "2026-01-01"': {"red"},
    "geo_radius(place, 52.52, 13.40, 1000)": {"red"},
    "geo_radius(place, 52.52, 13.40, 30000)": {"red", "leather"},
    "geo_box(place, 53, 13, 52, 14)": {"red", "leather"},
    "geo_box(place, 0, 170, -20, -170)": {"hat"},
    "geo_polygon(place, (52, 13), (53, 13), (53, 14), (52, 14))": {"red", "leather"},
    "geo_polygon(place, (52, 13), (53, 13), (53, 14), (52, 14), hole((52.3, 13), (52.5, 13), (52.5, 13.2)))": {"red"},
    "count(tags) >= 2": {"red"},
    "count(tags) = 1": {"blue"},
    "0 < count(tags) < 5": {"red", "blue"},
    "empty(brand)": {"bare"},
    "empty(tags)": {"leather", "hat", "bare"},
    "null(brand)": {"bare"},
    "null(tags)": set(),
    "not empty(in_stock)": {"red", "blue"},
    "nested(offers, price < 5 and stock > 0)": {"blue"},
    "offers[].price < 5 and offers[].stock > 0": {"red", "blue"},
    "nested(offers, not price < 5)": {"red"},
    "nested(offers, `id` = 2)": {"red"},
    "offers[0].price = 9": set(),
    "offers[1].price = 9": {"red"},
    'id in ("red", "hat", "gone")': {"red", "hat"},
    'id != "red"': ALL - {"red"},
    '`id` = "own"': {"hat"},
    "has(image)": PICTURED,
    "not has(image) and not has('text')": set(),
    "`odd name.x` = 1": {"red"},
    "at_least(2, brand = 'acme', price < 30, in_stock = false)": {"red", "blue"},
    "at_least(1, brand = 'acme', in_stock = false)": {"red", "blue", "hat"},
    "brand = 'acme' or price = 60": {"red", "leather", "hat"},
    "brand = 'acme' and not (price = 10 or price = 60)": {"hat"},
    "not brand = 'acme' and not price < 50": {"leather", "bare"},
    "not not brand = 'acme'": {"red", "hat"},
    "slice(0, 1)": ALL,
    'octant.source = "shop"': {"red"},
}

INDEXES: dict[str, models.PayloadFieldSchema] = {
    "brand": models.PayloadSchemaType.KEYWORD,
    "tags": models.PayloadSchemaType.KEYWORD,
    "sku": models.PayloadSchemaType.KEYWORD,
    "in_stock": models.PayloadSchemaType.BOOL,
    "price": models.PayloadSchemaType.FLOAT,
    "made": models.PayloadSchemaType.DATETIME,
    "place": models.PayloadSchemaType.GEO,
    "offers[].price": models.PayloadSchemaType.INTEGER,
    "title": models.TextIndexParams(
        type=models.TextIndexType.TEXT, tokenizer=models.TokenizerType.WORD, lowercase=True, phrase_matching=True
    ),
}


@pytest.fixture(scope="module", params=["edge", "edge with indexes", "local"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    edge: bool = request.param != "local"
    client = open_store(path=tmp_path_factory.mktemp("shop")) if edge else LocalClient(None)
    single = models.VectorParams(size=2, distance=models.Distance.COSINE)
    client.create_collection("shop", {"text": single, "image": single})
    if request.param == "edge with indexes":
        for key, schema in INDEXES.items():
            client.create_payload_index("shop", key, schema)
    points = [
        models.PointStruct(
            id=point_id(name),
            vector={"text": [1.0, 0.5], **({"image": [0.5, 1.0]} if name in PICTURED else {})},
            payload={**payload, "octant": {"id": name, "source": "shop" if name == "red" else "elsewhere"}},
        )
        for name, payload in SHOES.items()
    ]
    client.upsert("shop", points)
    yield client
    client.close()


def found(shop: Client, text: str) -> set[str]:
    records, _ = shop.scroll("shop", scroll_filter=filter_of(text), limit=100)
    return {(record.payload or {})["octant"]["id"] for record in records}


@pytest.mark.parametrize(("text", "names"), FOUND.items(), ids=FOUND.keys())
def test_a_condition_finds_what_it_says(shop: Client, text: str, names: set[str]) -> None:
    assert found(shop, text) == names
    hits = shop.query_points("shop", [1.0, 0.5], using="text", query_filter=filter_of(text), limit=100).points
    assert {hit.id for hit in hits} == {point_id(name) for name in names}


def test_slices_share_all_items_out(shop: Client) -> None:
    parts = [found(shop, f"slice({index}, 3)") for index in range(3)]
    assert sum(map(len, parts)) == len(ALL)
    assert parts[0] | parts[1] | parts[2] == ALL


def test_each_condition_that_qdrant_has_is_among_them() -> None:
    kinds = {*get_args(models.Condition), *get_args(models.Match), *get_args(models.RangeInterface)}
    kinds |= {models.GeoRadius, models.GeoBoundingBox, models.GeoPolygon, models.ValuesCount, models.MinShould}
    asked = repr([parse(text).filter() for text in FOUND])
    assert {kind.__name__ for kind in kinds if f"{kind.__name__}(" not in asked} == set()


def test_what_is_asked_is_known_from_the_same_payloads(shop: Client) -> None:
    indexes = shop.get_collection("shop").payload_schema
    for known in (known_of(SHOES.values(), {}), known_of(SHOES.values(), indexes)):
        for text in FOUND:
            check(parse(text), known)
