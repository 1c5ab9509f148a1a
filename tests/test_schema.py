"""Items become points and points become hits again; another schema is told apart."""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_client import QdrantClient
from qdrant_client.http import models
from schemas import words_schema

from octant import EncoderSpec, Field, Image, Item, ItemError, Modality, Role, Schema, Space, Text, UnsupportedModality
from octant.backends.hashing import BagOfWords, Hashing
from octant.media import describe
from octant.payload import item_from_payload, payload_of, point_id
from octant.schema import Prepared
from octant.vectors import Vector

RED = Image(np.full((4, 6, 3), [255, 0, 0], dtype=np.uint8))


def prepared(item: Item) -> Prepared:
    return Prepared(item, payload_of(item, {name: describe(medium) for name, medium in item.media.items()}))


def points(schema: Schema, batch: Sequence[Prepared]) -> list[models.PointStruct]:
    made = schema.points(batch)
    assert not [one for one in made if isinstance(one, ItemError)]
    return [one for one in made if not isinstance(one, ItemError)]


def test_an_item_with_several_media_is_one_point_with_a_vector_for_each() -> None:
    item = Item("sku-1", {"title": Text("red shoe"), "photo": RED}, {"price": 12.5})
    [point] = points(words_schema(), [prepared(item)])
    assert isinstance(point.vector, dict)
    assert set(point.vector) == {"text", "words", "image"}
    assert point.payload is not None
    assert point.payload["price"] == 12.5
    assert point.payload["octant"]["modalities"] == ["image", "text"]
    assert point.payload["octant"]["media"]["photo"]["width"] == 6
    assert point.payload["octant"]["media"]["photo"]["height"] == 4


def test_the_payload_gives_the_item_back() -> None:
    item = Item("one", {"title": Text("hello"), "again": Text("hello")}, {"folder": "pets", "n": 3})
    schema = Schema(Field("title", words_schema().fields["text"].space, Modality.TEXT, of="title"))
    [point] = points(schema, [prepared(item)])
    assert item_from_payload(point.payload or {}, "point") == item


def test_ids_are_uuid5_and_stable() -> None:
    assert point_id("sku-1") == point_id("sku-1")
    assert point_id("sku-1")[14] == "5"
    assert point_id("sku-1") != point_id("sku-2")


def test_octants_own_metadata_key_is_refused() -> None:
    with pytest.raises(ItemError, match="rename it"):
        prepared(Item("x", {"t": Text("a")}, {"octant": 1}))


def test_several_texts_of_an_item_are_read_as_one() -> None:
    item = Item("x", {"title": Text("red shoe"), "photo": RED, "description": Text("for running")})
    assert words_schema().fields["text"].pick(item) == (Text("red shoe\n\nfor running"),)
    named = Schema(Field("title", words_schema().fields["text"].space, Modality.TEXT, of="title"))
    assert named.fields["title"].pick(item) == (Text("red shoe"),)


def test_two_photos_need_a_field_that_names_one() -> None:
    two = Item("x", {"front": RED, "back": RED})
    with pytest.raises(ItemError, match=r"front, back.*Field\(of=\.\.\.\)"):
        words_schema().check(two)
    named = Schema(Field("back", words_schema().fields["image"].space, Modality.IMAGE, of="back"))
    assert named.fields["back"].pick(two) == (RED,)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (np.float32(1.5), 1.5),
        (np.int64(3), 3),
        (np.array([1, 2]), [1, 2]),
        (date(2026, 11, 21), "2026-11-21"),
        (Path("a") / "b", "a/b"),
        ({"colour": ("red", None)}, {"colour": ["red", None]}),
    ],
)
def test_metadata_is_kept_as_every_store_keeps_it(value: object, kept: object) -> None:
    [point] = points(words_schema(), [prepared(Item("x", {"t": Text("a")}, {"k": value}))])
    assert point.payload is not None
    assert point.payload["k"] == kept


def nested(levels: int) -> object:
    return {"a": nested(levels - 1)} if levels else 1


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"price": float("nan")}, "finite"),
        ({"raw": b"bytes"}, "metadata.raw is a bytes"),
        ({"big": 2**70}, "beyond 64 bits"),
        ({"name": "\ud800"}, "surrogates"),
        ({"a.b": 1}, "dot"),
        ({1: 1}, "keys are texts"),
        ({"deep": nested(200)}, "levels deep"),
    ],
)
def test_metadata_that_a_store_cannot_keep_is_refused_by_item_and_key(metadata: dict[str, Any], reason: str) -> None:
    with pytest.raises(ItemError, match=reason) as caught:
        prepared(Item("sku-1", {"t": Text("a")}, metadata))
    assert caught.value.item_id == "sku-1"


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: Item(7, {"t": Text("a")}), "id is a str"),  # pyright: ignore[reportArgumentType]
        (lambda: Item("", {"t": Text("a")}), "not empty"),
        (lambda: Item("x", {"t": "plain"}), "media are Text"),  # pyright: ignore[reportArgumentType]
        (lambda: Item("x", Text("bare")), "media come by name"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_an_item_of_the_wrong_shape_is_told_where_it_is_made(make: Callable[[], Item], error: str) -> None:
    with pytest.raises((TypeError, ValueError), match=error):
        make()


def test_a_vector_that_is_not_finite_is_told_by_item_and_encoder() -> None:
    class Broken:
        spec = EncoderSpec("broken@1", Modality.TEXT, 2)

        def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
            return [np.array([np.nan, 1], dtype=np.float32) for _ in batch]

    schema = Schema(Field("text", Space("s", Broken()), Modality.TEXT))
    [error] = schema.points([prepared(Item("x", {"t": Text("a")}))])
    assert isinstance(error, ItemError)
    assert "broken@1" in error.reason


def test_a_point_that_octant_did_not_make_is_still_an_item() -> None:
    assert item_from_payload({"colour": "red"}, "7") == Item("7", {}, {"colour": "red"})


def test_an_item_that_no_field_takes_is_told_what_the_fields_take() -> None:
    only_text = Schema(Field("words", Space("words", BagOfWords()), Modality.TEXT))
    with pytest.raises(ItemError, match=r"photo \(image\).*take text"):
        only_text.check(Item("x", {"photo": RED}))


def test_a_field_needs_an_encoder_for_its_modality() -> None:
    with pytest.raises(UnsupportedModality, match="audio; it takes text"):
        Field("a", Space("words", BagOfWords()), Modality.AUDIO)


def test_encoders_of_one_space_have_one_dimension() -> None:
    with pytest.raises(ValueError, match="one kind and one dim"):
        Space("s", Hashing(Modality.TEXT, 8), Hashing(Modality.IMAGE, 16))


def test_the_same_schema_fits_and_another_is_told_apart() -> None:
    stored = words_schema().metadata()
    assert words_schema().differences(stored) == []
    other = words_schema(dim=32).differences(stored)
    assert any("dim was 64, is 32" in one for one in other)
    assert any("hashing-64@1" in one and "hashing-32@1" in one for one in other)
    fewer = Schema(Field("text", words_schema().fields["text"].space, Modality.TEXT)).differences(stored)
    assert any("'image' is stored and not in this schema" in one for one in fewer)
    assert words_schema().differences(None) == ["it was not made by octant: its metadata has no schema"]


def test_the_configuration_is_accepted_by_qdrant() -> None:
    schema = words_schema()
    client = QdrantClient(":memory:")
    client.create_collection(
        "c",
        vectors_config=schema.dense_config(),
        sparse_vectors_config=schema.sparse_config(),
        metadata=schema.metadata(),
    )
    info = client.get_collection("c")
    assert schema.differences(info.config.metadata) == []
    assert isinstance(info.config.params.vectors, dict)
    assert info.config.params.vectors["image"] == models.VectorParams(size=64, distance=models.Distance.COSINE)
    client.close()
