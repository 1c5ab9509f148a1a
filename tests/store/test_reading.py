"""Every store answers the same requests as the oracle does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qdrant_client import QdrantClient
from qdrant_client.http import models as m
from store_cases import DENSE, FILTERS, MOSTLY, REFUSED, REQUESTS, TERMLY, assert_alike, field, only, rounded

from octant.errors import StoreError
from octant.stores import Client

Pair = tuple[Client, Client]


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS.keys())
def test_a_query_is_answered_as_by_the_oracle(
    filled: Pair, request_: m.QueryRequest, request: pytest.FixtureRequest
) -> None:
    store, oracle = filled
    skip_what_the_server_is_too_old_for(request)
    mine, theirs = (client.query_batch_points("things", [request_])[0].points for client in (store, oracle))
    assert_alike(mine, theirs)


def skip_what_the_server_is_too_old_for(request: pytest.FixtureRequest) -> None:
    if "server" in request.node.name and "substring" in request.node.name:
        version = QdrantClient(url=request.getfixturevalue("server_url"), check_compatibility=False).info().version
        if tuple(int(part) for part in version.split(".")[:2]) < (1, 20):
            pytest.skip(f"substring matches came with 1.20, this server is {version}")


def test_a_batch_answers_each_request_in_its_place(filled: Pair) -> None:
    store, _ = filled
    requests = [one for name, one in REQUESTS.items() if name != "filter: substring"]
    together = store.query_batch_points("things", requests)
    for request, response in zip(requests, together, strict=True):
        if request.query is not None:
            assert_alike(response.points, store.query_batch_points("things", [request])[0].points)


@pytest.mark.parametrize("request_", REFUSED.values(), ids=REFUSED.keys())
def test_a_senseless_query_is_refused(filled: Pair, request_: m.QueryRequest) -> None:
    store, _ = filled
    with pytest.raises(StoreError):
        store.query_batch_points("things", [request_])


def test_numpy_rows_are_welcome_as_queries(filled: Pair) -> None:
    store, _ = filled
    row = np.asarray(DENSE, dtype=np.float32)
    expected = store.query_points("things", DENSE, using="dense", limit=5).points
    for query in (row, row.astype(np.float64), m.NearestQuery.model_construct(nearest=row, mmr=None)):
        assert_alike(store.query_points("things", query, using="dense", limit=5).points, expected)


@pytest.mark.parametrize("filter_", FILTERS.values(), ids=FILTERS.keys())
def test_filters_count_as_by_the_oracle(filled: Pair, filter_: m.Filter, request: pytest.FixtureRequest) -> None:
    store, oracle = filled
    skip_what_the_server_is_too_old_for(request)
    assert store.count("things", filter_).count == oracle.count("things", filter_).count


def test_scrolling_reads_every_point_once(filled: Pair) -> None:
    seen: list[list[Any]] = []
    for client in filled:
        ids: list[Any] = []
        offset: Any = None
        while True:
            records, offset = client.scroll("things", limit=37, offset=offset, with_payload=False)
            ids += [record.id for record in records]
            if offset is None:
                break
        seen.append(ids)
    assert seen[0] == seen[1]
    assert len(set(seen[0])) == len(seen[0]) == 240


@pytest.mark.parametrize(
    "order", ["n", m.OrderBy(key="when", direction=m.Direction.DESC), m.OrderBy(key="f", start_from=9.5)]
)
def test_scrolling_in_order(filled: Pair, order: m.OrderByInterface) -> None:
    store, oracle = filled
    pages = [client.scroll("things", FILTERS["true"], limit=20, order_by=order)[0] for client in (store, oracle)]
    assert [(record.id, record.payload) for record in pages[0]] == [(record.id, record.payload) for record in pages[1]]


def test_points_are_read_by_id(filled: Pair) -> None:
    ids: list[int | str] = [3, 9, 210, "00000000-0000-0000-0000-0000000000d2", 100_000]
    read = [client.retrieve("things", ids, with_payload=["n"], with_vectors=True) for client in filled]
    mine, theirs = ({str(one.id): (one.payload, rounded(one.vector)) for one in records} for records in read)
    assert mine == theirs
    assert set(mine) == {"3", "9", "00000000-0000-0000-0000-0000000000d2"}
    assert "multi" not in mine["9"][1]


@pytest.mark.parametrize("key", ["k", "tags", "flag", "n"])
def test_facets(filled: Pair, key: str) -> None:
    store, oracle = filled
    mine, theirs = (
        {(hit.value, hit.count) for hit in client.facet("things", key, FILTERS["range"], limit=300, exact=True).hits}
        for client in (store, oracle)
    )
    assert mine == theirs
    assert len(mine) > 1


@pytest.mark.parametrize(
    "given",
    [
        {"query": DENSE, "using": "dense"},
        {"query": DENSE, "using": "dense", "query_filter": FILTERS["true"], "with_payload": ["n"]},
        {"query": 5, "using": "dense", "limit": 3, "group_size": 5},
        {"query": DENSE, "using": "dense", "limit": 50, "group_size": 2, "score_threshold": 0.1},
        {"query": [0.3, -0.2, 0.5, 0.1, -0.7, 0.2], "using": "euclid"},
        {
            "query": m.FusionQuery(fusion=m.Fusion.DBSF),
            "prefetch": [
                MOSTLY.model_copy(update={"limit": 240}),
                TERMLY.model_copy(update={"limit": 240}),
            ],
        },
    ],
    ids=["plain", "filtered", "by id", "all", "distance", "fused"],
)
@pytest.mark.parametrize("key", ["k", "tags", "n", "deep.er.value"])
def test_groups(filled: Pair, key: str, given: dict[str, Any], request: pytest.FixtureRequest) -> None:
    store, oracle = filled
    if "server" in request.node.name and "fused" in request.node.name:
        pytest.skip("a server fills groups with filtered requests, which change what is fused; others fuse once")
    mine, theirs = (
        equals_by_id(client.query_points_groups("things", key, **given).groups) for client in (store, oracle)
    )
    assert [group.id for group in mine] == [group.id for group in theirs]
    for group, expected in zip(mine, theirs, strict=True):
        assert_alike(group.hits, expected.hits)


def equals_by_id(groups: list[m.PointGroup]) -> list[m.PointGroup]:
    """Sort groups that share their best hit, or its score, by their keys."""
    best = [round(group.hits[0].score, 4) for group in groups]
    return sorted(groups, key=lambda group: (best.index(round(group.hits[0].score, 4)), str(group.id)))


def test_groups_look_up_their_keys_in_another_collection(filled: Pair) -> None:
    lookup = m.WithLookup(collection="other", with_payload=["name"], with_vectors=False)
    mine, theirs = (
        client.query_points_groups("things", "n", DENSE, using="dense", limit=30, with_lookup=lookup).groups
        for client in filled
    )
    assert [(one.id, one.lookup and one.lookup.payload) for one in mine] == [
        (one.id, one.lookup and one.lookup.payload) for one in theirs
    ]
    assert any(one.lookup for one in mine)


def test_fused_ties_come_in_one_order(filled: Pair) -> None:
    """Reciprocal ranks tie in pairs here, and engines order and cut such pairs at random."""
    store, _ = filled
    everything = m.Prefetch(query=DENSE, using="dense", limit=40)
    opposite = m.Prefetch(query=[-one for one in DENSE], using="dense", limit=40)
    for limit in (1, 5, 9):
        seen = {
            tuple(
                point.id
                for point in store.query_points(
                    "things", m.RrfQuery(rrf=m.Rrf(k=60)), prefetch=[everything, opposite], limit=limit
                ).points
            )
            for _ in range(15)
        }
        assert len(seen) == 1


def test_a_collection_describes_itself(filled: Pair) -> None:
    store, oracle = filled
    mine, theirs = (client.get_collection("things") for client in (store, oracle))
    assert mine.points_count == theirs.points_count == 240
    assert mine.config.metadata == {"made": "by tests"}
    assert isinstance(mine.config.params.vectors, dict)
    assert {name: (one.size, one.distance) for name, one in mine.config.params.vectors.items()} == {
        "dense": (8, "Cosine"),
        "dot": (6, "Dot"),
        "euclid": (6, "Euclid"),
        "multi": (4, "Cosine"),
    }
    assert mine.config.params.sparse_vectors is not None
    assert set(mine.config.params.sparse_vectors) == {"words", "plain"}
    assert {"things", "other"} <= {one.name for one in store.get_collections().collections}


def test_what_needs_an_index_says_so(filled: Pair, request: pytest.FixtureRequest) -> None:
    store, _ = filled
    if "local" in request.node.name:
        pytest.skip("local mode needs no indexes")
    with pytest.raises(StoreError, match=r"index"):
        store.facet("things", "deep.er.value")
    with pytest.raises(StoreError, match=r"index"):
        store.scroll("things", order_by="deep.er.value")


def test_an_unknown_collection_is_named(filled: Pair) -> None:
    store, _ = filled
    assert not store.collection_exists("nowhere")
    for call in (
        lambda: store.count("nowhere"),
        lambda: store.query_points("nowhere", DENSE),
        lambda: store.upsert("nowhere", [m.PointStruct(id=1, vector={})]),
        lambda: store.get_collection("nowhere"),
        lambda: store.delete("nowhere", only(field("k", "k1"))),
    ):
        with pytest.raises(StoreError, match="nowhere"):
            call()
