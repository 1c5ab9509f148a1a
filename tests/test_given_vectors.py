"""Vectors that come with items: made elsewhere, stored as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import numpy as np
import pytest

import octant
from octant import (
    ByVector,
    Collection,
    Composed,
    EncoderSpec,
    Field,
    Item,
    ItemError,
    Kind,
    LateInteraction,
    Modality,
    Query,
    Role,
    Schema,
    SchemaMismatch,
    Several,
    Space,
    Sparse,
    Stage,
    Text,
    TextIndex,
)
from octant.collection import AsyncCollection
from octant.config import open_async
from octant.stores import Client, Place
from octant.stores.edge import EdgeClient
from octant.stores.local import LocalClient
from octant.vectors import Vector


class Elsewhere:
    """An encoder that is only a name: whoever asks it to encode is wrong."""

    def __init__(self, dim: int | None = 3, kind: Kind = Kind.DENSE) -> None:
        self.spec = EncoderSpec("elsewhere", Modality.TEXT, dim, kind)

    def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
        raise AssertionError(f"asked to encode {batch} as {role}")


def given(name: str = "embedding", dim: int | None = 3, kind: Kind = Kind.DENSE, **more: Any) -> Field:
    space = Space(name, Elsewhere(dim, kind))
    return Field(name, space, Modality.TEXT, answers=frozenset(), given=True, **more)


def schema() -> Schema:
    return Schema(given(), TextIndex("words", "title"))


@pytest.fixture(params=["edge", "local", "worker", "server"])
def collection(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Collection]:
    """An empty collection whose vectors are given; without words where a store may not have them."""
    if request.param == "server":
        url: str = request.getfixturevalue("server_url")
        with octant.open(f"given-{uuid4().hex}", url=url, schema=Schema(given())) as opened:
            yield opened
            opened.client.delete_collection(opened.name)
        return
    if request.param == "worker":
        with octant.open("given", path=tmp_path / "db", schema=Schema(given()), worker=True) as opened:
            yield opened
        return
    client: Client = (EdgeClient if request.param == "edge" else LocalClient)(tmp_path / "db")
    with Collection(client, "given", Schema(given()), Place(tmp_path / "db", None)) as opened:
        opened.prepare()
        yield opened


def notes(*, first: Sequence[float] = (1, 0, 0)) -> list[Item]:
    return [
        Item("a", {"text": Text("alpha")}, {"n": 1}, vectors={"embedding": first}),
        Item("b", {"text": Text("beta")}, {"n": 2}, vectors={"embedding": np.array([0, 1, 0])}),
        Item("bare", {"text": Text("no vector")}, {"n": 3}),
        Item("empty", {}, {"n": 4}),
    ]


def nearest(collection: Collection, vector: Sequence[float]) -> list[str]:
    return [hit.id for hit in collection.search(Query(ByVector(vector), fields=("embedding",)))]


def stored(collection: Collection, name: str) -> dict[str, list[float]]:
    [item] = collection.get([name], vectors=True)
    return {field: np.asarray(vector).tolist() for field, vector in item.vectors.items()}


def test_given_vectors_are_stored_and_searched(collection: Collection) -> None:
    report = collection.add(notes())
    assert (report.added, report.failed) == (4, [])
    assert nearest(collection, [1, 0.1, 0]) == ["a", "b"], "an item without a vector is in no search by vector"
    assert stored(collection, "a") == {"embedding": [1, 0, 0]}
    assert stored(collection, "bare") == {}
    assert collection.count("n >= 3") == 2


def test_what_has_not_changed_is_not_written(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    collection.add(notes())

    def refused(*args: Any, **named: Any) -> Any:
        raise AssertionError("something was written")

    monkeypatch.setattr(collection.client, "upsert", refused)
    report = collection.add(notes())
    assert (report.unchanged, report.encoded) == (4, 0)


def test_another_vector_of_the_same_text_is_another_content(collection: Collection) -> None:
    collection.add(notes())
    report = collection.add(notes(first=(0, 0, 1)))
    assert (report.updated, report.unchanged) == (1, 3)
    assert stored(collection, "a") == {"embedding": [0, 0, 1]}
    collection.add(Item("a", {"text": Text("alpha")}, {"n": 1}))
    assert stored(collection, "a") == {}, "an item that brings no vector any more has none"


def test_the_same_text_with_another_vector_does_not_take_over_the_first(collection: Collection) -> None:
    collection.add(notes())
    collection.add(Item("c", {"text": Text("alpha")}, vectors={"embedding": [0, 0, 1]}))
    assert stored(collection, "c") == {"embedding": [0, 0, 1]}


@pytest.mark.parametrize(
    ("vectors", "reason"),
    [
        ({"embedding": [1, 0]}, r"brings one of \[2\] for field 'embedding', which holds one of \[dim\] with dim = 3"),
        ({"embedding": []}, r"brings one of \[0\]"),
        ({"embedding": [[1, 0, 0]]}, r"brings one of \[1, 3\]"),
        ({"embedding": Sparse((1,), (1.0,))}, "brings a sparse vector"),
        ({"embeding": [1, 0, 0]}, "'embeding', which is no field; there are embedding"),
        ({"embedding": [1, 0, float("nan")]}, "is not finite"),
        ({"embedding": [1, 0, 1e300]}, "is not finite"),
        ({"embedding": [1, 0, None]}, "is not finite"),
    ],
)
def test_a_vector_that_does_not_fit_is_told_by_item(
    collection: Collection, vectors: dict[str, Any], reason: str
) -> None:
    wrong = Item("wrong", {"text": Text("alpha")}, vectors=vectors)
    with pytest.raises(ItemError, match=f"item 'wrong'.*{reason}"):
        collection.schema.check(wrong)
    report = collection.add([wrong, *notes()])
    assert [one.source for one in report.failed] == ["wrong"]
    assert report.added == 4


@pytest.mark.parametrize(
    ("vector", "reason"),
    [
        (Sparse((-1,), (1.0,)), "has the index -1; indices are whole numbers, from 0 to 4,294,967,295"),
        (Sparse((2**32,), (1.0,)), "has the index 4294967296"),
        (Sparse((2**33,), (1.0,)), "has the index 8589934592"),
        (Sparse(cast("Any", (1.5,)), (1.0,)), "has the index 1.5"),
        (Sparse(cast("Any", ("x",)), (1.0,)), "has the index 'x'"),
        (Sparse(cast("Any", (True,)), (1.0,)), "has the index True"),
        (Sparse((1,), cast("Any", ("x",))), "has the value 'x', no number"),
        (Sparse((1,), cast("Any", (1 + 2j,))), "has the value .*2j"),
        (Sparse((1,), cast("Any", (None,))), "has the value None"),
        (Sparse((1, 2), (1.0, float("nan"))), "is not finite"),
        (Sparse((1,), (1e300,)), "is not finite"),
    ],
)
def test_a_sparse_vector_that_does_not_fit_is_told_by_item(tmp_path: Path, vector: Sparse, reason: str) -> None:
    with octant.open("x", path=tmp_path, schema=Schema(given("terms", None, Kind.SPARSE)), worker=False) as kinds:
        report = kinds.add([Item("wrong", {}, vectors={"terms": vector}), Item("b", {}, vectors={"terms": LARGEST})])
        assert (report.added, [one.source for one in report.failed]) == (1, ["wrong"])
        with pytest.raises(ItemError, match=f"item 'wrong'.*{reason}"):
            kinds.schema.check(Item("wrong", {}, vectors={"terms": vector}))
        [item] = kinds.get(["b"], vectors=True)
        assert item.vectors["terms"] == LARGEST


LARGEST = Sparse((0, 2**32 - 1), (1.0, 2.0))
"""With the greatest index that there is."""


@pytest.mark.parametrize(
    "vectors", [{"embedding": "abc"}, {"embedding": [[1], [1, 2]]}, [1, 2], {"embedding": np.array([1 + 2j, 0, 0])}]
)
def test_what_is_no_vector_is_a_type_error(vectors: Any) -> None:
    with pytest.raises(TypeError, match="item 'x'"):
        Item("x", {}, vectors=vectors)


def test_an_item_has_a_copy_of_its_vectors() -> None:
    mine = [1.0, 0.0, 0.0]
    item = Item("x", {}, vectors={"embedding": mine})
    mine[0] = 7.0
    assert np.asarray(item.vectors["embedding"]).tolist() == [1, 0, 0]
    assert np.asarray(item.vectors["embedding"]).dtype == np.float32


def test_an_item_without_a_vector_is_refused_where_media_are_encoded() -> None:
    from schemas import words_schema

    with pytest.raises(ItemError, match="it has no media"):
        words_schema().check(Item("x", {}))


def test_a_given_vector_stands_in_for_what_an_encoder_would_make(tmp_path: Path) -> None:
    from schemas import words_schema

    mine = np.eye(64, dtype=np.float32)[5]
    with octant.open("mixed", path=tmp_path / "db", schema=words_schema(), worker=False) as mixed:
        mixed.add([Item("mine", {"t": Text("red")}, vectors={"text": mine}), Item("theirs", {"t": Text("red")})])
        [one, other] = mixed.get(["mine", "theirs"], vectors=True)
        assert np.array_equal(np.asarray(one.vectors["text"]), mine)
        assert not np.array_equal(np.asarray(other.vectors["text"]), mine)
        assert set(one.vectors) == {"text", "words"}, "the other fields are encoded as ever"


def test_an_item_that_is_read_with_its_vectors_keeps_them(collection: Collection, tmp_path: Path) -> None:
    collection.add(notes())
    with octant.open("copy", path=tmp_path / "copy", schema=Schema(given()), worker=False) as copy:
        assert copy.add(collection.items(vectors=True)).added == 4
        assert nearest(copy, [0, 1, 0.1]) == nearest(collection, [0, 1, 0.1])
        assert sorted((item.id, item.metadata["n"]) for item in copy.items()) == [
            ("a", 1),
            ("b", 2),
            ("bare", 3),
            ("empty", 4),
        ]


def test_items_are_read_page_by_page_and_by_filter(collection: Collection) -> None:
    collection.add(Item(str(n), {}, {"n": n}) for n in range(600))
    assert sorted(int(item.id) for item in collection.items()) == list(range(600))
    assert sorted(int(item.id) for item in collection.items("n < 3")) == [0, 1, 2]


def test_items_are_deleted_by_filter_and_by_id(collection: Collection) -> None:
    collection.add(notes())
    collection.delete(["a"], where="n >= 3")
    assert [item.id for item in collection.items()] == ["b"]
    collection.delete(where="n > 100")
    collection.delete()
    assert collection.count() == 1
    with pytest.raises(ValueError, match="remove every item"):
        collection.delete(where={})


def test_fields_of_given_vectors_take_part_where_a_vector_came() -> None:
    both = Schema(given(), given("other"))
    payload = {"octant": {"media": {"text": {"modality": "text", "text": "alpha"}}, "vectors": ["other"]}}
    assert both.taking_part(payload) == ["other"]
    del payload["octant"]["vectors"]
    assert both.taking_part(payload) == []


def test_words_and_a_vector_are_one_question(tmp_path: Path) -> None:
    with octant.open("hybrid", path=tmp_path / "db", schema=schema(), worker=False) as hybrid:
        hybrid.add(
            [
                Item("near", {}, {"title": "something else"}, vectors={"embedding": [1, 0, 0]}),
                Item("said", {}, {"title": "claw hammer"}, vectors={"embedding": [0, 1, 0]}),
                Item("words alone", {}, {"title": "hammer"}),
            ]
        )
        asked = Composed((ByVector([1, 0.1, 0]), Text("claw hammer")))
        hits = hybrid.search(Query(asked, fields=("embedding", "words"), explain=True))
        assert {hit.id for hit in hits} == {"near", "said", "words alone"}
        legs = {hit.id: {leg.field for leg in hit.explanation.legs if leg.rank} for hit in hits if hit.explanation}
        assert legs == {"near": {"embedding"}, "said": {"embedding", "words"}, "words alone": {"words"}}
        assert hybrid.search("hammer")[0].id == "words alone"
        hybrid.calibrate()


def test_sparse_and_multi_vectors_can_be_given(tmp_path: Path) -> None:
    tokens = given("tokens", kind=Kind.MULTI)
    photos = given("photos", several=Several.MULTIVECTOR)
    made = Schema(given(), given("terms", None, Kind.SPARSE), tokens, photos)
    with octant.open("kinds", path=tmp_path / "db", schema=made, worker=False) as kinds:
        rows = np.eye(3, dtype=np.float32)[:2]
        vectors = {"embedding": [1, 0, 0], "terms": Sparse((3, 7), (0.5, 2.0)), "tokens": rows, "photos": rows}
        report = kinds.add([Item("a", {}, vectors=vectors), Item("b", {}, vectors={"embedding": [0.9, 0.1, 0]})])
        assert report.failed == []
        [item] = kinds.get(["a"], vectors=True)
        assert item.vectors["terms"] == Sparse((3, 7), (0.5, 2.0))
        assert np.array_equal(np.asarray(item.vectors["tokens"]), rows)
        [hit] = kinds.search(Query(ByVector(Sparse((7,), (1.0,))), fields=("terms",)))
        assert (hit.id, hit.score) == ("a", 2.0)
        again = Query(ByVector([0.9, 0.1, 0]), fields=("embedding", "tokens"), limit=1)
        assert kinds.search(again)[0].id == "a"
        with pytest.raises(octant.StoreError, match="reranker compares"):
            kinds.search(Query(ByVector([1, 0, 0]), fields=("embedding",), rerank=(Stage(LateInteraction("nothing")),)))
        kinds.calibrate()


def test_a_schema_of_given_vectors_is_another(tmp_path: Path) -> None:
    space = Space("embedding", Elsewhere())
    encoded = Schema(Field("embedding", space, Modality.TEXT, answers=frozenset()))
    made = Schema(given())
    assert made.differences(encoded.metadata()) == ["field 'embedding': given was None, is True"]
    assert encoded.differences(made.metadata()) == ["field 'embedding': given was True, is None"]
    octant.open("x", path=tmp_path, schema=made, worker=False).close()
    with pytest.raises(SchemaMismatch, match="given was True"):
        octant.open("x", path=tmp_path, schema=encoded, worker=False)


def test_a_schema_of_given_vectors_asks_no_encoder_how_to_cut() -> None:
    assert Schema(given()).budget(Modality.TEXT).tokens is None


async def test_awaited_it_is_the_same(tmp_path: Path) -> None:
    async with await open_async("given", path=tmp_path, schema=Schema(given())) as awaited:
        assert isinstance(awaited, AsyncCollection)
        assert (await awaited.add(notes())).added == 4
        assert sorted([item.id async for item in awaited.items("n <= 2")]) == ["a", "b"]
        [item] = await awaited.get(["a"], vectors=True)
        assert np.asarray(item.vectors["embedding"]).tolist() == [1, 0, 0]
        await awaited.delete(["a"], where="n > 2")
        assert [item.id async for item in awaited.items()] == ["b"]
        assert [hit.id for hit in await awaited.search(Query(ByVector([0, 1, 0]), fields=("embedding",)))] == ["b"]
