"""Boosts: one formula, computed by Edge, by local mode and by Python, to the same numbers."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from qdrant_client.http import models

from octant.errors import RerankError
from octant.item import Hit, Item
from octant.media import Text
from octant.payload import point_id
from octant.query import Query
from octant.rerank import Boost, Stage, boost, in_store, rank
from octant.stores import Client, open_store
from octant.stores.local import LocalClient

NOW = datetime(2026, 6, 1, tzinfo=UTC)
THERE = "rerank-boost"
QUERY = Query(Text("cup"))
THINGS: dict[str, tuple[list[float], dict[str, Any]]] = {
    "new": (
        [1.0, 0.1],
        {"popularity": 3, "price": 9.5, "in_stock": True, "published": "2026-05-31T00:00:00Z",
         "shop": {"lat": 52.52, "lon": 13.40}, "maker": {"rating": 4.5}},
    ),
    "old": (
        [0.9, 0.5],
        {"popularity": 250, "price": 20.0, "in_stock": False, "published": "2025-06-01",
         "shop": {"lat": 48.14, "lon": 11.58}, "maker": {"rating": 2}},
    ),
    "far": (
        [0.2, 1.0],
        {"popularity": 40.5, "price": 1.25, "in_stock": True, "published": "2026-04-01T12:30:00+02:00",
         "shop": {"lat": -33.87, "lon": 151.21}, "maker": {"rating": 5}},
    ),
    "bare": ([0.5, 0.6], {}),
}  # fmt: skip

FORMULAS = {
    "score": boost.score(),
    "sum": boost.score() + 0.2 * boost.log1p(boost.key("popularity")),
    "difference": 1 - boost.score() - boost.key("price") / 100,
    "product": boost.score() * (1 + boost.when({"in_stock": True})) * 2,
    "quotient": 2 / (1 + boost.key("price", default=7)),
    "power": boost.key("price", default=2) ** 0.5 + boost.score() ** 2,
    "root": boost.sqrt(boost.key("popularity")) + abs(-boost.score()),
    "logarithms": boost.log(2 + boost.score()) + boost.log10(boost.key("price", default=1)),
    "exponential": boost.exp(-boost.key("price") / 10),
    "nested key": boost.key("maker.rating", default=3) / 5,
    "recency": boost.recency("published", half_life=timedelta(days=30), now=NOW),
    "gauss": boost.gauss_decay(boost.key("price"), 10, half=5),
    "exp": boost.exp_decay(boost.key("price"), boost.score() * 10, half=5),
    "lin": boost.lin_decay(boost.key("price"), 10, half=8),
    "near": boost.near("shop", lat=52.5, lon=13.4, half=300_000),
    "distance": boost.distance("shop", lat=52.5, lon=13.4) / 1_000_000,
    "date": (boost.date("published", default=NOW) - NOW.timestamp()) / 86400 / 365,
    "filter": boost.when(
        models.Filter(
            should=[
                models.FieldCondition(key="price", range=models.Range(lt=5)),
                models.FieldCondition(key="popularity", range=models.Range(gt=100)),
            ]
        )
    ),
}


@pytest.fixture(scope="module", params=["edge", "local", "server"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    path = tmp_path_factory.mktemp("boost")
    if request.param == "server":
        client: Client = open_store(url=request.getfixturevalue("server_url"))
        client.delete_collection(THERE)
    else:
        client = LocalClient(None) if request.param == "local" else open_store(path=path)
    client.create_collection(THERE, {"dense": models.VectorParams(size=2, distance=models.Distance.COSINE)}, {})
    client.upsert(
        THERE,
        [
            models.PointStruct(id=point_id(name), vector={"dense": vector}, payload={**payload, "octant": {"id": name}})
            for name, (vector, payload) in THINGS.items()
        ],
    )
    yield client
    client.close()


def asked(client: Client, request: models.QueryRequest) -> list[Hit]:
    [found] = client.query_batch_points(THERE, [request])
    payloads = [point.payload or {} for point in found.points]
    return [
        Hit(Item(p["octant"]["id"], {}, {}), point.score, p) for point, p in zip(found.points, payloads, strict=True)
    ]


def search(limit: int = 10) -> models.QueryRequest:
    return models.QueryRequest(query=[1.0, 0.0], using="dense", limit=limit, with_payload=True)


@pytest.mark.parametrize("name", FORMULAS)
def test_the_store_and_python_compute_the_same(name: str, store: Client) -> None:
    stage = Stage(Boost(FORMULAS[name]))
    here, _ = rank(QUERY, asked(store, search()), [stage])
    nested = in_store(search(), [stage], 4, {}, lambda feature: True)
    assert (nested.inside, nested.left, nested.wanted, nested.complete) == ((stage,), (), 4, True)
    there = asked(store, nested.request)
    assert {hit.id: pytest.approx(hit.score, abs=1e-4) for hit in here} == {hit.id: hit.score for hit in there}
    assert [hit.score for hit in there] == pytest.approx([hit.score for hit in here], abs=1e-4)


def hit(score: float = 0.5, **payload: Any) -> Hit:
    return Hit(Item("one", {}, {}), score, payload)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (boost.score() + 0.2 * boost.log1p(boost.key("popularity")), 0.5 + 0.2 * math.log(4)),
        (boost.key("missing", default=2) - boost.score() / 2, 1.75),
        (boost.recency("published", timedelta(days=30), now=NOW), 0.25),
        (boost.recency("missing", timedelta(days=30), now=NOW), 0.0),
        (boost.near("shop", 10, 20, half=1000), 1.0),
        (boost.near("missing", 10, 20, half=1000), 0.0),
        (boost.gauss_decay(boost.key("price"), 10, half=5), 0.5),
        (boost.lin_decay(boost.key("price"), 10, half=2.5), 0.0),
        (2 * boost.when({"in_stock": True}) + boost.when({"in_stock": False}), 2.0),
    ],
)
def test_formulas_have_the_values_that_one_expects(expression: boost.Expression, value: float) -> None:
    shop = {"lat": 10.0, "lon": 20.0}
    one = hit(popularity=3, published="2026-04-02", shop=shop, price=15, in_stock=True)
    assert Boost(expression).score(QUERY, [one]) == [pytest.approx(value)]


def test_a_formula_reads_as_it_was_written() -> None:
    expression = boost.score() + 0.2 * boost.log1p(boost.key("popularity"))
    assert str(expression) == "score + (0.2 * log1p(popularity))"
    assert Boost(expression).name == "boost score + (0.2 * log1p(popularity))"
    assert expression == boost.score() + 0.2 * boost.log1p(boost.key("popularity"))
    assert expression != boost.score() + 0.3 * boost.log1p(boost.key("popularity"))


def test_recency_is_of_the_time_of_the_query() -> None:
    now = datetime.now(UTC)
    expression = boost.recency("published", timedelta(hours=1))
    ago = hit(published=(now - timedelta(hours=1)).isoformat())
    assert Boost(expression).score(QUERY, [ago]) == [pytest.approx(0.5, abs=0.05)]
    assert expression == boost.recency("published", timedelta(hours=1))


def test_what_has_no_value_is_an_error_that_names_the_item() -> None:
    with pytest.raises(RerankError, match=r"item 'one': the formula has no value for it: .*ln\(0"):
        rank(QUERY, [hit()], [Stage(Boost(boost.log(boost.key("popularity"))))])
    with pytest.raises(RerankError, match="item 'one': the formula has no value for it: Expected number"):
        rank(QUERY, [hit(popularity="much")], [Stage(Boost(boost.key("popularity")))])


def test_what_is_no_formula_is_refused() -> None:
    with pytest.raises(ValueError, match=r"key 'price' has two defaults in one formula: 0.0 and 5.0"):
        _ = boost.key("price") + boost.key("price", default=5)
    with pytest.raises(TypeError, match="a payload key is key\\('price'\\)"):
        _ = boost.score() + "price"  # type: ignore[operator] # pyright: ignore[reportOperatorIssue]
    with pytest.raises(TypeError, match="a boost takes an expression"):
        Boost(2.0)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="has_vector or has_id"):
        boost.when(models.Filter(must=[models.HasVectorCondition(has_vector="image")]))
    with pytest.raises(ValueError, match="a distance above 0"):
        boost.gauss_decay(boost.score(), half=0)
