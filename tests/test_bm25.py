"""BM25 as sparse vectors: the words of any script, and the scores of the formula on every embedded store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import qdrant_edge as qe
from hypothesis import given
from hypothesis import strategies as st
from lexical_cases import average_length, bm25, texts
from qdrant_client.http import models as m

from octant.backends.bm25 import FAMILY, Bm25, Bm25Options, words
from octant.encoding import Encoder, Role
from octant.errors import EncoderError
from octant.media import Text
from octant.schema import to_qdrant
from octant.stores import Client, open_store
from octant.stores.local import LocalClient
from octant.vectors import Sparse


@pytest.fixture(params=["edge", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    client: Client = open_store(path=tmp_path, worker=False) if request.param == "edge" else LocalClient(None)
    yield client
    client.close()


def indexed(store: Client, encoder: Bm25, documents: list[str]) -> None:
    store.create_collection("texts", sparse_vectors_config={"words": m.SparseVectorParams(modifier=m.Modifier.IDF)})
    vectors = encoder.encode([Text(document) for document in documents], Role.DOCUMENT)
    store.upsert(
        "texts", [m.PointStruct(id=i, vector={"words": to_qdrant(vector)}) for i, vector in enumerate(vectors)]
    )


def found(store: Client, encoder: Bm25, query: str, limit: int) -> dict[Any, float]:
    vector = encoder.encode([Text(query)], Role.QUERY)[0]
    hits = store.query_points("texts", to_qdrant(vector), using="words", limit=limit).points
    return {hit.id: hit.score for hit in hits}


@pytest.mark.parametrize(("k", "b"), [(1.2, 0.75), (2.0, 0.1), (0.5, 1.0), (1.2, 0.0)])
def test_a_store_scores_as_the_formula_does(store: Client, k: float, b: float) -> None:
    documents = texts(150)
    encoder = Bm25(None, k=k, b=b, average_length=average_length(documents))
    indexed(store, encoder, documents)
    for query in texts(8, seed=11):
        expected = bm25(documents, query, k, b)
        scored = found(store, encoder, query, len(documents))
        assert scored == pytest.approx(expected, rel=1e-4)
        assert list(scored.values()) == sorted(scored.values(), reverse=True)


def test_a_text_without_words_finds_nothing_and_is_not_found(store: Client) -> None:
    encoder = Bm25(None)
    indexed(store, encoder, ["one", "…", "two"])
    assert found(store, encoder, "?!", 5) == {}
    assert set(found(store, encoder, "one two", 5)) == {0, 2}


def test_weights_are_those_of_the_engines_own_bm25() -> None:
    model = qe.Bm25(
        qe.Bm25Config(
            k=1.5,
            b=0.6,
            avg_len=30,
            stopwords=qe.StopwordsSet(),
            stemmer=qe.DisabledStemmer(),
            tokenizer=qe.TokenizerType.Word,
        )
    )
    mine = Bm25(None, k=1.5, b=0.6, average_length=30)
    for text in texts(20):
        (vector,) = mine.encode([Text(text)], Role.DOCUMENT)
        assert isinstance(vector, Sparse)
        assert sorted(vector.values) == pytest.approx(sorted(model.embed_document(text).values), rel=1e-5)
        (asked,) = mine.encode([Text(text)], Role.QUERY)
        assert isinstance(asked, Sparse)
        assert asked.values == (1.0,) * len(set(text.split()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't snake_case B-12X 19.9", "don t snake case b 12x 19 9"),
        ("Straße STRASSE ΣΊΣΥΦΟΣ ﬁne １２３", "strasse strasse σίσυφοσ fine 123"),
        ("cafe\u0301 café", "café café"),
        ("soft\u00adhyphen 🎉🏽", "softhyphen"),
        ("हिन्दी भाषा", "हिन्दी भाषा"),
        ("العَرَبِيَّة עברית", "العَرَبِيَّة עברית"),
        ("黒猫のiPhone", "黒 猫 の 黒猫 猫の iphone"),
        ("猫", "猫"),
        ("ไทย", "ไ ท ย ไท ทย"),
        ("학교에 갔다", "학 교 에 학교 교에 갔 다 갔다"),
        ("မြန်", "မြ န် မြန်"),
        ("", ""),
    ],
)
def test_words_of_any_script(text: str, expected: str) -> None:
    assert words(text) == expected.split()


@given(st.text(max_size=80))
def test_no_text_breaks_it(text: str) -> None:
    encoder = Bm25(None)
    document, query = encoder.encode([Text(text)], Role.DOCUMENT)[0], encoder.encode([Text(text)], Role.QUERY)[0]
    assert isinstance(document, Sparse)
    assert isinstance(query, Sparse)
    assert document.indices == query.indices
    assert all(0 <= index < 2**32 for index in document.indices)
    assert all(0 < value <= 2.2 for value in document.values)
    assert words(text.upper()) == words(text.upper().lower()) or not text.isascii()


def test_stems_bring_the_forms_of_a_word_together() -> None:
    assert Bm25().terms("Dogs running; a dog runs") == ["dog", "run", "a", "dog", "run"]
    assert Bm25("german").terms("Häuser Haus") == ["haus", "haus"]
    assert Bm25(None).terms("Dogs running") == ["dogs", "running"]


def test_a_short_text_counts_for_more_than_a_long_one() -> None:
    short, long = Bm25(None).encode([Text("red"), Text("red " + "green " * 500)], Role.DOCUMENT)
    assert isinstance(short, Sparse)
    assert isinstance(long, Sparse)
    assert short.values[0] > long.values[0]


def test_indices_are_the_same_everywhere_and_for_ever() -> None:
    (vector,) = Bm25(None).encode([Text("red bird 黒")], Role.QUERY)
    assert isinstance(vector, Sparse)
    assert vector.indices == INDICES


def test_the_identity_holds_all_that_makes_the_vectors() -> None:
    made: list[Callable[[], Bm25]] = [
        Bm25,
        lambda: Bm25("german"),
        lambda: Bm25(None),
        lambda: Bm25(k=1.3),
        lambda: Bm25(b=0.7),
        lambda: Bm25(average_length=10),
    ]
    assert len({make().spec.identity for make in made}) == len(made)
    assert Bm25().spec.identity == "bm25@1:english-snowball-3.1:k=1.2:b=0.75:average_length=256"
    assert Bm25().spec.idf
    encoder: Encoder[Text] = Bm25()
    assert encoder.spec.tokens is None


@pytest.mark.parametrize("wrong", [{"k": -1.0}, {"b": 1.5}, {"average_length": 0.0}])
def test_senseless_parameters_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="BM25 needs"):
        Bm25(None, **wrong)


def test_an_unknown_language_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'klingon'; there are arabic,.*english.*, and None"):
        Bm25("klingon")


INDICES = (3947933638, 955875117, 3529813349)


def test_it_is_a_family() -> None:
    (encoder,) = FAMILY.load("german", Bm25Options(k=2, average_length=10))
    assert encoder.spec == Bm25("german", k=2, average_length=10).spec
    assert FAMILY.load("none", Bm25Options())[0].spec == Bm25(None).spec
    with pytest.raises(EncoderError, match=r"bm25:klingon.*there is no stemmer for 'klingon'; there are .*english"):
        FAMILY.load("klingon", Bm25Options())
    with pytest.raises(ValueError, match="less than or equal to 1"):
        Bm25Options(b=2)
