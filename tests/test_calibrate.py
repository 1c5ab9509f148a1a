"""Backgrounds are what unrelated pairs score, for a collection and for a query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from qdrant_client.http import models as m
from schemas import words_schema

from octant.calibrate import (
    CAPTIONS,
    COHORT,
    Backgrounds,
    Cohort,
    Sample,
    asking,
    background_of,
    measure,
    read,
    sampling,
)
from octant.encoding import Role
from octant.fusion import Background, Calibrated, Voter
from octant.item import Item
from octant.lexical import TextIndex
from octant.media import Modality, Text, describe
from octant.payload import payload_of, point_id
from octant.schema import Prepared, Schema
from octant.stores import Client, open_store
from octant.stores.local import LocalClient
from octant.vectors import Array, Sparse, Vector

TEXT, IMAGE, AUDIO = Modality.TEXT, Modality.IMAGE, Modality.AUDIO
NAME = "calibrated"
WORDS = ["a", "dog", "cat", "house", "on", "the", "red", "blue", "river", "with", "of", "and", "old", "new", "city"]


def vectors(rng: np.random.Generator, n: int, dim: int = 8) -> Array:
    rows = rng.standard_normal((n, dim)).astype(np.float32)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class TestOneQuery:
    OVERALL = Backgrounds({(TEXT, "photo"): Background(0.1, 0.1, 500)})

    def test_a_cohort_gives_the_hardest_of_what_it_holds(self) -> None:
        axis = np.eye(2, dtype=np.float32)
        angles = np.arccos(np.linspace(0.0, 0.99, 100))
        cohort = Cohort(np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32))
        found = Backgrounds({}, cohorts={"photo": cohort}).of(TEXT, "photo", axis[0])
        highest = np.linspace(0.0, 0.99, 100)[70:]
        assert found is not None
        assert found.mean == pytest.approx(highest.mean(), abs=1e-5)
        assert found.std == pytest.approx(highest.std(ddof=1), abs=1e-5)

    def test_without_a_cohort_the_hardest_are_those_of_a_normal_distribution(self) -> None:
        drawn = np.sort(np.random.default_rng(0).normal(0.1, 0.1, 200_000))[-60_000:]
        found = self.OVERALL.of(TEXT, "photo", np.ones(3, np.float32))
        assert found is not None
        assert (found.mean, found.std) == pytest.approx((drawn.mean(), drawn.std()), abs=2e-3)

    def test_a_cohort_that_is_far_from_the_query_does_not_lower_what_is_noise(self) -> None:
        behind = np.array([[-1.0, 0.0]], np.float32)
        far = Cohort((behind + 0.001 * vectors(np.random.default_rng(0), 30, 2)).astype(np.float32))
        backgrounds = Backgrounds(self.OVERALL.overall, cohorts={"photo": far})
        found, noise = backgrounds.of(TEXT, "photo", np.array([1.0, 0.0], np.float32)), self.OVERALL.of(TEXT, "photo")
        assert found is not None
        assert noise is not None
        assert (found.mean, found.std) == (noise.mean, noise.std / 2)

    def test_few_vectors_are_no_cohort(self) -> None:
        few = Backgrounds({}, cohorts={"photo": Cohort(np.eye(3, dtype=np.float32))})
        assert few.of(TEXT, "photo", np.ones(3, np.float32)) is None

    def test_nothing_known_is_none(self) -> None:
        assert self.OVERALL.of(IMAGE, "photo") is None

    def test_a_query_is_compared_by_its_cosine_where_the_field_is(self) -> None:
        rows = vectors(np.random.default_rng(0), 40)
        query = rows[0] * 7
        cosine, dot = (Backgrounds({}, cohorts={"f": Cohort(rows, how)}).of(TEXT, "f", query) for how in (True, False))
        assert cosine is not None
        assert dot is not None
        assert dot.mean == pytest.approx(7 * cosine.mean, rel=1e-4)

    def test_multivectors_are_compared_by_maxsim(self) -> None:
        rows = vectors(np.random.default_rng(0), 60).reshape(30, 2, 8)
        found = Backgrounds({}, cohorts={"f": Cohort(tuple(rows))}).of(TEXT, "f", rows[0, :1])
        scores = np.sort((rows @ rows[0, 0]).max(axis=1))[-9:]
        assert found is not None
        assert found.mean == pytest.approx(float(scores.mean()), abs=1e-5)

    def test_what_others_know_stands_where_these_know_nothing(self) -> None:
        both = self.OVERALL.over({(TEXT, "photo"): Background(9, 9), (IMAGE, "photo"): Background(0.5, 0.1)})
        assert both.overall[TEXT, "photo"] == Background(0.1, 0.1, 500)
        assert both.overall[IMAGE, "photo"] == Background(0.5, 0.1)


def test_a_background_is_mean_and_std_of_what_is_known() -> None:
    scores = np.array([[np.nan, *range(1, 21)]], np.float32)
    found = background_of(scores)
    assert found is not None
    assert (found.mean, found.std, found.pairs) == pytest.approx((10.5, np.std(np.arange(1, 21)), 20))
    assert background_of(scores[:, :10]) is None
    assert background_of(np.ones((10, 10), np.float32)) is None


def test_backgrounds_survive_json() -> None:
    given = Backgrounds({(TEXT, "photo"): Background(0.1, 0.2, 3)}, {"words": Background(0, 2.0, 9)}, {}, 7, "m")
    assert Backgrounds.from_json(given.as_json()) == given


def test_the_captions_are_all_different() -> None:
    assert len(set(CAPTIONS)) == len(CAPTIONS) == 40


@pytest.fixture(scope="module", params=["edge", "local"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    client = LocalClient(None) if request.param == "local" else open_store(path=tmp_path_factory.mktemp("store"))
    yield client
    client.close()


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema(*words_schema().fields.values(), TextIndex("title", "title"))


@pytest.fixture(scope="module")
def sample(store: Client, schema: Schema) -> Sample:
    rng = np.random.default_rng(0)
    store.create_collection(NAME, vectors_config=schema.dense_config(), sparse_vectors_config=schema.sparse_config())
    for key, kind in schema.payload_indexes().items():
        store.create_payload_index(NAME, key, kind)
    items = [
        Item(f"item {i}", {"text": Text(" ".join(rng.choice(WORDS, 5)))}, {"title": " ".join(rng.choice(WORDS, 5))})
        for i in range(200)
    ]
    points = schema.points([Prepared(one, _payload(one)) for one in items])
    shared = schema.fields["image"].space.dim or 0
    made: list[m.PointStruct] = []
    for i, point in enumerate(points):
        assert isinstance(point, m.PointStruct)
        assert isinstance(point.vector, dict)
        photo = {"image": vectors(rng, 1, shared)[0].tolist()} if i % 2 else {}
        made.append(m.PointStruct(id=point.id, vector={**point.vector, **photo}, payload=point.payload))
    store.upsert(NAME, made)
    return read(schema, store.query_batch_points(NAME, sampling(schema)))


@pytest.fixture(scope="module")
def backgrounds(store: Client, schema: Schema, sample: Sample) -> Backgrounds:
    return measure(schema, sample, store.query_batch_points(NAME, asking(schema, sample)), points=200)


class TestCollection:
    def test_a_sample_is_those_of_the_lowest_ids(self, sample: Sample) -> None:
        lowest = sorted(point_id(f"item {i}") for i in range(200))[:COHORT]
        assert sorted(sample.vectors["text"]) == lowest
        assert len(sample.vectors["image"]) == 100
        assert sample.vectors["audio"] == {}
        assert set(sample.texts) == {"words", "title"}

    def test_every_direction_that_something_tells_of_has_a_background(self, backgrounds: Backgrounds) -> None:
        assert set(backgrounds.overall) == {(TEXT, "text"), (IMAGE, "text"), (TEXT, "image"), (IMAGE, "image")}
        assert backgrounds.overall[TEXT, "text"].pairs == 40 * COHORT
        # an item is not compared with itself
        assert backgrounds.overall[IMAGE, "image"].pairs == 100 * 99
        assert backgrounds.overall[IMAGE, "image"].mean == pytest.approx(0, abs=0.02)
        assert backgrounds.overall[IMAGE, "image"].std == pytest.approx(1 / 8, abs=0.02)

    def test_words_have_one_from_zero(self, backgrounds: Backgrounds) -> None:
        for name in ("words", "title"):
            found = backgrounds.of(TEXT, name)
            assert found is not None
            assert found.mean == 0
            assert 0.3 < found.std < 10

    def test_a_measured_collection_fuses_in_the_store_as_in_the_client(
        self, store: Client, schema: Schema, sample: Sample, backgrounds: Backgrounds
    ) -> None:
        text = Text("old red house")
        dense, sparse = schema.fields["text"].space, schema.fields["words"].space
        query = np.asarray(dense.encode([text], TEXT, Role.QUERY)[0])
        bag = sparse.encode([text], TEXT, Role.QUERY)[0]
        searches = [
            m.Prefetch(query=query.tolist(), using="text", limit=20),
            m.Prefetch(query=query.tolist(), using="image", limit=20),
            m.Prefetch(query=_sparse(bag), using="words", limit=20),
            m.Prefetch(query=schema.texts["title"].query("old red house"), using="title", limit=20),
        ]
        names = ("text", "image", "words", "title")
        keys = (None, None, None, "title")
        voters = [
            Voter(name, weight, backgrounds.of(TEXT, name, query), key)
            for name, weight, key in zip(names, (1.0, 2.0, 1.0, 0.5), keys, strict=True)
        ]
        found = [_scores(store.query_points(NAME, query=s.query, using=s.using, limit=20).points) for s in searches]
        has = {str(p.id): _fields(p) for p in store.scroll(NAME, limit=300, with_vectors=True)[0]}
        fused = {one.id: one.score for one in Calibrated().fuse(voters, found, has.__getitem__)}
        answer = store.query_points(NAME, prefetch=searches, query=Calibrated().query(voters), limit=100).points
        assert _scores(answer) == pytest.approx(fused, abs=1e-4)
        assert sum(score > 0 for score in fused.values()) > 5

    def test_they_are_stale_where_the_collection_has_grown_or_the_model_changed(
        self, schema: Schema, backgrounds: Backgrounds
    ) -> None:
        assert backgrounds.stale(schema, 399) is None
        assert "200 points" in str(backgrounds.stale(schema, 401))
        assert "another model" in str(backgrounds.stale(words_schema(32), 200))


def _payload(item: Item) -> dict[str, Any]:
    return payload_of(item, {name: describe(medium) for name, medium in item.media.items()})


def _sparse(vector: Vector) -> m.SparseVector:
    assert isinstance(vector, Sparse)
    return m.SparseVector(indices=list(vector.indices), values=list(vector.values))


def _scores(points: Sequence[m.ScoredPoint]) -> dict[str, float]:
    return {str(point.id): point.score for point in points}


def _fields(record: m.Record) -> list[str]:
    assert isinstance(record.vector, dict)
    return [*record.vector, "title"]
