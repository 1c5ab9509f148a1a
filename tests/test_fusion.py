"""Each fusion gives what its formula says, and the same in the store and in the client."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count, pairwise
from math import sqrt

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from qdrant_client.http import models as m

from octant.fusion import DBSF, RRF, Background, Calibrated, Found, Fused, Fusion, RelativeScore, Voter, ZScore
from octant.stores import Client, open_store
from octant.stores.local import LocalClient

FUSIONS: list[Fusion] = [RRF(), RRF(2), DBSF(), ZScore(), RelativeScore(), Calibrated()]
IN_STORE: list[Fusion] = [RRF(), RRF(2), DBSF(), Calibrated()]
LEGS = ("photo", "title", "words")
COLLECTION = count()


def everywhere(_: str) -> Collection[str]:
    return LEGS


def scores(fused: Sequence[Fused]) -> dict[str, float]:
    return {one.id: one.score for one in fused}


class TestSums:
    TWO = (Voter("photo"), Voter("title"))
    FOUND: Sequence[Found] = ({"a": 0.9, "b": 0.5, "c": 0.1}, {"c": 7.0, "d": 5.0})

    def test_rrf_sums_reciprocal_ranks(self) -> None:
        fused = RRF().fuse(self.TWO, self.FOUND, everywhere)
        assert [one.id for one in fused] == ["c", "a", "b", "d"]
        assert scores(fused) == pytest.approx({"c": 1 / 62 + 1 / 60, "a": 1 / 60, "b": 1 / 61, "d": 1 / 61})

    def test_rrf_weights_act_on_ranks(self) -> None:
        voters = (Voter("photo", 3.0), Voter("title", 0.5))
        assert scores(RRF(2).fuse(voters, self.FOUND, everywhere)) == pytest.approx(
            {"a": 0.75, "b": 0.6, "c": 0.5 + 1 / 3, "d": 0.2}
        )

    def test_dbsf_spans_three_standard_deviations_each_way(self) -> None:
        fused = scores(DBSF().fuse(self.TWO, self.FOUND, everywhere))
        half = 1 / sqrt(2) / 6
        assert fused == pytest.approx({"a": 0.5 + 1 / 6, "b": 0.5, "c": 0.5 - 1 / 6 + 0.5 + half, "d": 0.5 - half})

    def test_zscore_counts_the_missed_as_last_and_the_absent_as_average(self) -> None:
        has: Mapping[str, tuple[str, ...]] = {"a": ("photo",), "b": LEGS, "c": LEGS, "d": ("title",)}
        fused = scores(ZScore().fuse(self.TWO, self.FOUND, has.__getitem__))
        half = 1 / sqrt(2)
        assert fused == pytest.approx({"a": 1.0, "b": -half, "c": -1 + half, "d": -half})

    def test_relative_score_goes_from_the_last_to_the_first(self) -> None:
        voters = (Voter("photo", 2.0), Voter("title", 0.5))
        assert scores(RelativeScore().fuse(voters, self.FOUND, everywhere)) == pytest.approx(
            {"a": 2.0, "b": 1.0, "c": 0.5, "d": 0.0}
        )

    def test_calibrated_measures_from_the_background(self) -> None:
        voters = (Voter("photo", 1.0, Background(0.3, 0.1)), Voter("title", 3.0, Background(4.0, 2.0)))
        has: Mapping[str, tuple[str, ...]] = {"a": ("photo",), "b": ("photo", "title"), "c": LEGS, "d": ("title",)}
        fused = scores(Calibrated().fuse(voters, self.FOUND, has.__getitem__))
        # of a leg alone its z; of both their weighted sum over the root of 1 + 9
        assert fused == pytest.approx({"a": 6.0, "b": 2.0 / sqrt(10), "c": 4.5 / sqrt(10), "d": 0.5})

    def test_a_background_says_which_score_stands_so_far_above_it(self) -> None:
        background = Background(0.3, 0.1)
        voter = Voter("photo", background=background)
        [one] = Calibrated().fuse([voter], [{"a": background.at(1.5)}], everywhere)
        assert one.score == pytest.approx(1.5)

    def test_calibrated_says_which_field_has_no_background(self) -> None:
        for act in (
            lambda: Calibrated().query([Voter("photo")]),
            lambda: Calibrated().fuse([Voter("photo")], [{"a": 1.0}], everywhere),
        ):
            with pytest.raises(ValueError, match="'photo' has no background"):
                act()

    @pytest.mark.parametrize("fusion", FUSIONS)
    def test_nothing_found_is_nothing(self, fusion: Fusion) -> None:
        voters = [Voter("photo", 1.0, Background(0.0, 1.0))]
        assert fusion.fuse(voters, [{}], everywhere) == []
        assert fusion.fuse([], [], everywhere) == []

    @pytest.mark.parametrize("fusion", FUSIONS)
    def test_equals_come_in_the_order_of_their_ids(self, fusion: Fusion) -> None:
        voters = [Voter(name, 1.0, Background(0.0, 1.0)) for name in ("photo", "title")]
        fused = fusion.fuse(voters, [{"b": 1.0}, {"a": 1.0}], lambda _: ())
        assert [one.id for one in fused] == ["a", "b"]

    def test_a_fusion_that_bounds_nothing_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at least 1"):
            RRF(0)
        with pytest.raises(ValueError, match="std of 0"):
            Background(0.5, 0.0)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_who_runs_where(fusion: Fusion) -> None:
    even = [Voter(name, 1.0, Background(0.0, 1.0)) for name in LEGS]
    uneven = [replace(even[0], weight=2.0), *even[1:]]
    assert (fusion.query(even) is not None) == (fusion in IN_STORE)
    assert (fusion.query(uneven) is not None) == (fusion in IN_STORE and fusion != DBSF())


@pytest.fixture(scope="module", params=["edge", "local"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    client = LocalClient(None) if request.param == "local" else open_store(path=tmp_path_factory.mktemp("fusion"))
    yield client
    client.close()


# small integers and the dot product: scores are exact, so that ties are ties in every precision
coordinates = st.lists(st.integers(-3, 3).map(float), min_size=2, max_size=2)
points = st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(LEGS, coordinates)), min_size=1, max_size=12)
asked = st.lists(st.tuples(st.sampled_from(LEGS), coordinates, st.integers(1, 12)), min_size=1, max_size=4)
weights = st.sampled_from([1.0, 1.0, 0.5, 2.0, 0.0])


@given(points, asked, st.data())
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
def test_store_and_client_agree(
    store: Client,
    held: list[dict[str, list[float]]],
    searches: list[tuple[str, list[float], int]],
    data: st.DataObject,
) -> None:
    name = f"fusion{next(COLLECTION)}"
    dot = m.VectorParams(size=2, distance=m.Distance.DOT)
    store.create_collection(name, vectors_config=dict.fromkeys(LEGS, dot))
    try:
        ids = [f"00000000-0000-0000-0000-{i:012}" for i in range(len(held))]
        store.upsert(name, [m.PointStruct(id=i, vector=dict(v), payload={}) for i, v in zip(ids, held, strict=True)])
        legs = [m.Prefetch(query=vector, using=field, limit=limit) for field, vector, limit in searches]
        found = [_found(store, name, leg) for leg in legs]
        _assume_that_ties_are_kept(store, name, legs, found)
        voters = [
            Voter(field, data.draw(weights), Background(data.draw(st.sampled_from([-1.0, 0.0, 2.5])), 1.5))
            for field, _, _ in searches
        ]
        for fusion in FUSIONS:
            fused = fusion.fuse(voters, found, dict(zip(ids, held, strict=True)).__getitem__)
            for one in fused:
                assert sum(leg.contribution for leg in one.legs) == pytest.approx(one.score)
                assert [leg.field for leg in one.legs] == [voter.field for voter in voters]
            if (query := fusion.query(voters)) is not None:
                answer = store.query_points(name, prefetch=legs, query=query, limit=100).points
                assert {str(p.id): p.score for p in answer} == pytest.approx(scores(fused), abs=1e-4)
                for before, after in pairwise(answer):
                    assert before.score >= after.score - 1e-4
    finally:
        store.delete_collection(name)


def _found(store: Client, name: str, leg: m.Prefetch) -> Found:
    answer = store.query_points(name, query=leg.query, using=leg.using, limit=leg.limit or 10).points
    return {str(p.id): p.score for p in answer}


def _assume_that_ties_are_kept(store: Client, name: str, legs: list[m.Prefetch], found: Sequence[Found]) -> None:
    """Which of equals is ranked first in a leg is the store's choice: skip the case where it chooses anew."""
    for leg, before in zip(legs, found, strict=True):
        again = store.query_points(name, prefetch=[leg], query=RRF(2).query([Voter("")]), limit=100).points
        assume([str(p.id) for p in again] == list(before))
