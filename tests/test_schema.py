"""Items become points and points become hits again; another schema is told apart."""

import numpy as np
import pytest
from qdrant_client import QdrantClient
from qdrant_client.http import models
from schemas import words_schema

from octant import Field, Image, Item, ItemError, Modality, Schema, Space, Text, UnsupportedModality
from octant.backends.hashing import BagOfWords, Hashing
from octant.media import describe
from octant.payload import item_from_payload, point_id
from octant.schema import Prepared

RED = Image(np.full((4, 6, 3), [255, 0, 0], dtype=np.uint8))


def prepared(item: Item) -> Prepared:
    return Prepared(item, {name: describe(medium) for name, medium in item.media.items()})


def test_an_item_with_several_media_is_one_point_with_a_vector_for_each() -> None:
    item = Item("sku-1", {"title": Text("red shoe"), "photo": RED}, {"price": 12.5})
    [point] = words_schema().points([prepared(item)])
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
    [point] = schema.points([prepared(item)])
    assert item_from_payload(point.payload or {}) == item


def test_ids_are_uuid5_and_stable() -> None:
    assert point_id("sku-1") == point_id("sku-1")
    assert point_id("sku-1")[14] == "5"
    assert point_id("sku-1") != point_id("sku-2")


def test_octants_own_metadata_key_is_refused() -> None:
    with pytest.raises(ItemError, match="rename it"):
        words_schema().points([prepared(Item("x", {"t": Text("a")}, {"octant": 1}))])


def test_two_media_of_one_modality_need_a_field_that_names_one() -> None:
    two = Item("x", {"title": Text("a"), "body": Text("b")})
    with pytest.raises(ItemError, match=r"title, body.*Field\(of=\.\.\.\)"):
        words_schema().check(two)
    named = Schema(Field("body", words_schema().fields["text"].space, Modality.TEXT, of="body"))
    assert named.fields["body"].pick(two) == Text("b")


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
