"""BM25 over a text index: what it asks of a store, and the scores of the formula on every embedded store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lexical_cases import bm25, texts
from qdrant_client.http import models as m

from octant.lexical import TextIndex
from octant.stores import Client, Place, open_store
from octant.stores.capabilities import Feature, capabilities_of
from octant.stores.local import LocalClient

KEY = "octant.media.text.text"
"""Where `payload` puts the text of an item's medium `text`."""
STEMMED = m.TextIndexParams(
    type=m.TextIndexType.TEXT,
    tokenizer=m.TokenizerType.WORD,
    stemmer=m.SnowballParams(type=m.Snowball.SNOWBALL, language=m.SnowballLanguage.ENGLISH),
)


@pytest.fixture(params=["edge", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    client: Client = open_store(path=tmp_path, worker=False) if request.param == "edge" else LocalClient(None)
    yield client
    client.close()


def indexed(store: Client, index: TextIndex, documents: list[str]) -> None:
    """Fill a collection with texts, half of them before there is an index."""
    store.create_collection("texts", {"v": m.VectorParams(size=2, distance=m.Distance.COSINE)})
    points = [
        m.PointStruct(
            id=i, vector={"v": [1.0, i]}, payload={"odd": i % 2, "octant": {"media": {"text": {"text": text}}}}
        )
        for i, text in enumerate(documents)
    ]
    store.upsert("texts", points[: len(points) // 2])
    store.create_payload_index("texts", index.key, index.index_params())
    store.upsert("texts", points[len(points) // 2 :])


def found(store: Client, index: TextIndex, text: str, query_filter: m.Filter | None = None) -> dict[Any, float]:
    hits = store.query_points("texts", index.query(text), index.key, query_filter=query_filter, limit=1000).points
    return {hit.id: hit.score for hit in hits}


@pytest.mark.parametrize(("k", "b"), [(1.2, 0.75), (2.0, 0.1), (0.0, 1.0)])
def test_a_store_scores_as_the_formula_does(store: Client, k: float, b: float) -> None:
    index, documents = TextIndex("words", KEY, k=k, b=b), texts(150)
    indexed(store, index, documents)
    for query in texts(8, seed=11):
        scored = found(store, index, query)
        assert scored == pytest.approx(bm25(documents, query, k, b), rel=1e-4)
        assert list(scored.values()) == sorted(scored.values(), reverse=True)


def test_a_filter_leaves_the_statistics_alone(store: Client) -> None:
    index, documents = TextIndex("words", KEY), texts(60)
    indexed(store, index, documents)
    odd = m.Filter(must=[m.FieldCondition(key="odd", match=m.MatchValue(value=1))])
    everything = found(store, index, documents[0])
    assert found(store, index, documents[0], odd) == {i: s for i, s in everything.items() if i % 2}


def test_it_is_a_leg_like_any_other(store: Client) -> None:
    index, documents = TextIndex("words", KEY), ["red bird", "red drum and bird song", "river"]
    indexed(store, index, documents)
    lexical = m.Prefetch(query=index.query("red bird"), using=index.key, limit=3)
    dense = m.Prefetch(query=[0.0, 1.0], using="v", limit=3)
    fused = store.query_points("texts", m.RrfQuery(rrf=m.Rrf(k=60)), prefetch=[lexical, dense]).points
    assert {hit.id: round(hit.score, 6) for hit in fused} == {
        0: round(1 / 60 + 1 / 62, 6),
        1: round(1 / 61 + 1 / 61, 6),
        2: round(1 / 60, 6),
    }


def test_a_stemmer_is_for_the_stores_that_have_it(tmp_path: Path) -> None:
    index = TextIndex("words", KEY, tokens=STEMMED)
    assert TextIndex("words", KEY).features == (Feature.TEXT_QUERY,)
    assert index.features == (Feature.TEXT_QUERY, Feature.TEXT_TOKENS)
    assert not all(map(capabilities_of(LocalClient(None), Place(None)).can, index.features))
    edge = open_store(path=tmp_path, worker=False)
    assert all(map(capabilities_of(edge, Place(tmp_path)).can, index.features))
    indexed(edge, index, ["a running dog", "a cat"])
    assert set(found(edge, index, "dogs run")) == {0}
    edge.close()


def test_senseless_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="'words' needs k"):
        TextIndex("words", KEY, k=-1)
    with pytest.raises(ValueError, match="'words' needs k"):
        TextIndex("words", KEY, b=2)
