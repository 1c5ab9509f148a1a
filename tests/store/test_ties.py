"""The order of equals, by hand."""

from __future__ import annotations

from qdrant_client.http import models as m

from octant.stores.ties import exhaustive, settle, widen

FUSED = m.QueryRequest(
    query=m.RrfQuery(rrf=m.Rrf(k=60)),
    prefetch=[m.Prefetch(query=[1.0], limit=50), m.Prefetch(query=[1.0], limit=50)],
    limit=3,
    offset=1,
)


def hit(point_id: int | str, score: float) -> m.ScoredPoint:
    return m.ScoredPoint(id=point_id, version=0, score=score)


def test_a_fused_request_asks_for_more_than_it_needs() -> None:
    asked = widen(FUSED)
    assert asked.offset is None
    assert asked.limit is not None
    assert 4 < asked.limit < 100
    assert exhaustive(FUSED).limit == 100
    assert FUSED.limit == 3


def test_any_other_request_is_left_alone() -> None:
    plain = m.QueryRequest(query=[1.0], limit=3)
    hits = [hit(2, 0.5), hit(1, 0.5)]
    assert widen(plain) is plain
    assert settle(plain, hits) is hits


def test_equals_are_sorted_by_id_numbers_first() -> None:
    hits = [hit("00000000-0000-0000-0000-000000000001", 0.5), hit(7, 0.5), hit(10, 0.5), hit(3, 0.9), hit(1, 0.1)]
    settled = settle(FUSED, hits)
    assert settled is not None
    assert [one.id for one in settled] == [7, 10, "00000000-0000-0000-0000-000000000001"]


def test_equals_that_reach_beyond_what_was_fetched_need_all() -> None:
    reached = widen(FUSED).limit or 0
    assert settle(FUSED, [hit(point_id, 0.5) for point_id in range(reached)]) is None
    everything = settle(FUSED, [hit(point_id, 0.5) for point_id in reversed(range(100))])
    assert everything is not None
    assert [one.id for one in everything] == [1, 2, 3]
