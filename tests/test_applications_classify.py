"""Classes by their names, with probabilities that examples calibrate."""

import csv
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import models

import octant
from octant.applications.classify import Classified, Classifier, calibration_error
from octant.encoding import Role
from octant.media import Image, Media, Modality, Text
from octant.vectors import Kind, Sparse, Vector

DATA = Path(__file__).parents[2] / "shared" / "data"
WORDS = ("cat", "dog", "bird")


class Direct:
    """Texts stand where a table says; pictures say themselves where they stand."""

    def __init__(self, modality: Modality) -> None:
        self.spec = octant.EncoderSpec(identity="direct@1", modality=modality, dim=3)

    def encode(self, batch: Sequence[Media], role: Role) -> list[Vector]:
        return [np.array(_place(medium), dtype=np.float32) for medium in batch]


def _place(medium: Media) -> list[float]:
    if isinstance(medium, Text):
        return [float(word in medium.content) for word in WORDS]
    assert isinstance(medium, Image)
    assert isinstance(medium.source, np.ndarray)
    return [float(value) for value in medium.source[0, :3, 0] / 255]


def seen(*place: float) -> Image:
    """A picture that stands at a place, from 0 to 255."""
    return Image(np.repeat(np.array([place], dtype=np.uint8)[..., None], 3, axis=2))


def fields() -> dict[str, octant.Field]:
    space = octant.Space("meaning", Direct(Modality.TEXT), Direct(Modality.IMAGE))
    schema = octant.Schema(octant.Field("image", space, Modality.IMAGE), octant.Field("text", space, Modality.TEXT))
    return dict(schema.fields)


@pytest.fixture
def zoo() -> Classifier:
    return Classifier.zero_shot(WORDS, fields()["image"])


def test_a_picture_is_of_the_class_that_it_is_nearest_to(zoo: Classifier) -> None:
    cat, bird = zoo.classify([seen(200, 20, 20), seen(0, 100, 250)])
    assert (cat.label, bird.label) == ("cat", "bird")
    assert list(bird.probabilities) == ["bird", "dog", "cat"], "the most probable first"
    assert sum(bird.probabilities.values()) == pytest.approx(1)


def test_probabilities_are_a_softmax_of_cosines_by_the_temperature(zoo: Classifier) -> None:
    [found] = Classifier(zoo.field, zoo.labels, zoo.classes, temperature=0.5).classify([seen(3, 4, 0)])
    raised = np.exp(np.array([0.6, 0.8, 0.0]) / 0.5)
    assert found.probabilities["dog"] == pytest.approx(raised[1] / raised.sum(), abs=1e-6)


def test_a_label_can_go_by_several_names_and_stands_at_their_mean() -> None:
    pets = Classifier.zero_shot({"pet": ("cat", "dog"), "bird": ("bird",)}, fields()["image"])
    assert pets.classes[0] == pytest.approx([0.5**0.5, 0.5**0.5, 0])
    assert [one.label for one in pets.classify([seen(0, 200, 0), seen(0, 0, 9)])] == ["pet", "bird"]


def test_templates_are_averaged() -> None:
    both = Classifier.zero_shot(("cat", "dog"), fields()["image"], templates=("{}", "{} beside a bird"))
    mean = np.array([1, 0, 0]) + np.array([0.5**0.5, 0, 0.5**0.5])
    assert both.classes[0] == pytest.approx(mean / np.linalg.norm(mean)), "the mean of unit vectors"


def test_the_temperature_is_the_likeliest_one(zoo: Classifier) -> None:
    rng = np.random.default_rng(0)
    media = [seen(*rng.integers(1, 255, 3)) for _ in range(600)]
    cosines = np.stack([np.array(_place(one)) / np.linalg.norm(_place(one)) for one in media])
    odds = np.exp(cosines / 0.25)
    labels = [WORDS[rng.choice(3, p=row / row.sum())] for row in odds]
    fitted = zoo.fit(media[:300], labels[:300])
    assert fitted.temperature == pytest.approx(0.25, rel=0.3)
    assert fitted.examples == 300
    before, after = (calibration_error(one.classify(media[300:]), labels[300:]) for one in (zoo, fitted))
    assert after < 0.1 < 0.3 < before
    changed = [one.label for one in fitted.classify(media[300:])]
    assert changed == [one.label for one in zoo.classify(media[300:])], "a temperature changes no answer"


def test_examples_of_nothing_make_none_of_these_an_answer(zoo: Classifier) -> None:
    known = [seen(*place) for place in ((250, 9, 9), (9, 250, 9), (9, 9, 250), (250, 40, 9))]
    odd = [seen(90, 90, 90), seen(100, 90, 95), seen(80, 90, 85)]
    assert zoo.classify(odd)[0].label is not None, "it was never shown what is none of the classes"
    fitted = zoo.fit([*known, *odd], ["cat", "dog", "bird", "cat", None, None, None])
    assert [one.label for one in fitted.classify([*known, *odd])] == ["cat", "dog", "bird", "cat", None, None, None]
    assert fitted.classify(odd)[0].probabilities[None] > 0.5


def test_examples_that_are_told_apart_perfectly_do_not_ask_for_an_infinite_scale(zoo: Classifier) -> None:
    fitted = zoo.fit([seen(200, 1, 1), seen(1, 200, 1)], ["cat", "dog"])
    assert 0.01 < fitted.temperature < 10


def test_examples_that_contradict_the_classes_are_refused(zoo: Classifier) -> None:
    with pytest.raises(ValueError, match="contradict"):
        zoo.fit([seen(200, 1, 1), seen(1, 200, 1), seen(1, 1, 200)], ["dog", "bird", "cat"])


def test_wrong_labels_and_media_are_refused_with_a_remedy(zoo: Classifier) -> None:
    with pytest.raises(ValueError, match="no class is called 'fox'"):
        zoo.fit([seen(1, 1, 1)], ["fox"])
    with pytest.raises(ValueError, match="a label for each"):
        zoo.fit([seen(1, 1, 1)], [])
    with pytest.raises(TypeError, match="field 'image' is about image"):
        zoo.classify([Text("cat")])
    with pytest.raises(ValueError, match="there twice"):
        Classifier.zero_shot(("cat", "cat"), fields()["image"])
    with pytest.raises(ValueError, match="two labels"):
        Classifier.zero_shot(("cat",), fields()["image"])
    with pytest.raises(TypeError, match="labels is a sequence"):
        Classifier.zero_shot("cat", fields()["image"])
    with pytest.raises(TypeError, match="sequence of names"):
        Classifier.zero_shot({"a": "cat", "b": "dog"}, fields()["image"])
    with pytest.raises(ValueError, match="the name of the class"):
        Classifier.zero_shot(WORDS, fields()["image"], templates=("a photo",))


def test_a_field_that_no_text_can_be_compared_with_is_refused() -> None:
    look = octant.Field("look", octant.Space("look", Direct(Modality.IMAGE)), Modality.IMAGE)
    with pytest.raises(octant.UnsupportedModality, match="whose space reads texts"):
        Classifier.zero_shot(WORDS, look)


def test_a_sparse_field_is_refused() -> None:
    class Words:
        spec = octant.EncoderSpec("words@1", Modality.TEXT, None, Kind.SPARSE)

        def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
            return [Sparse((1,), (1.0,)) for _ in batch]

    with pytest.raises(ValueError, match="dense"):
        Classifier.zero_shot(WORDS, octant.Field("words", octant.Space("words", Words()), Modality.TEXT))


def test_the_calibration_error_is_the_gap_between_sureness_and_truth() -> None:
    found = [Classified("a", 0.8, {}), Classified("a", 0.8, {}), Classified("b", 0.55, {}), Classified("b", 0.55, {})]
    # |2 · 0.8 - 1| of one bin and |2 · 0.55 - 2| of the other, of four
    assert calibration_error(found, ["a", "b", "b", "b"]) == pytest.approx((0.6 + 0.9) / 4)
    assert calibration_error([Classified("a", 1.0, {})], ["a"]) == 0
    with pytest.raises(ValueError, match="a label for each"):
        calibration_error([], [])


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[octant.Collection]:
    schema = octant.Schema(*fields().values(), indexed={"shelf": models.PayloadSchemaType.INTEGER})
    with octant.open("zoo", schema=schema, path=tmp_path / "db") as opened:
        opened.add(
            [
                octant.Item("tom", {"photo": seen(200, 10, 10)}, {"shelf": 1}),
                octant.Item("rex", {"photo": seen(10, 200, 10)}, {"shelf": 2}),
                octant.Item("note", {"note": Text("a bird")}, {"shelf": 1}),
            ]
        )
        yield opened


def test_stored_items_are_classified_by_their_vectors(collection: octant.Collection) -> None:
    zoo = Classifier.zero_shot(WORDS, collection.schema.fields["image"])
    assert {name: one.label for name, one in zoo.classify_items(collection).items()} == {"tom": "cat", "rex": "dog"}
    assert list(zoo.classify_items(collection, {"shelf": 2})) == ["rex"]
    assert zoo.classify_items(collection, {"shelf": 3}) == {}


async def test_it_is_the_same_awaited(tmp_path: Path) -> None:
    schema = octant.Schema(*fields().values())
    async with await octant.open_async("zoo", schema=schema, path=tmp_path / "db") as opened:
        await opened.add(octant.Item("tom", {"photo": seen(200, 10, 10)}))
        zoo = Classifier.zero_shot(WORDS, schema.fields["image"])
        assert (await zoo.classify_items(opened))["tom"].label == "cat"


def test_a_collection_of_other_vectors_is_refused(collection: octant.Collection) -> None:
    zoo = Classifier.zero_shot(WORDS, octant.starter().fields["image"])
    with pytest.raises(ValueError, match="this classifier is for vectors"):
        zoo.classify_items(collection)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no real media: {DATA} is not there")
def test_a_calibration_is_true_of_real_photos_that_it_has_not_seen() -> None:
    fruit = {
        "Apple",
        "Banana",
        "Kiwi",
        "Lemon",
        "Lime",
        "Mango",
        "Melon",
        "Orange",
        "Peach",
        "Pear",
        "Pineapple",
        "Plum",
    }
    packed = {"Juice", "Milk", "Oatghurt", "Oat-Milk", "Sour-Cream", "Sour-Milk", "Soyghurt", "Soy-Milk", "Yoghurt"}
    green = {
        "Asparagus",
        "Aubergine",
        "Cabbage",
        "Carrots",
        "Cucumber",
        "Leek",
        "Pepper",
        "Potato",
        "Tomato",
        "Zucchini",
    }
    names = {"fruit": fruit, "a carton of dairy or juice": packed, "vegetable": green}
    kinds = {label: name for name, several in names.items() for label in several}
    with (DATA / "grocery" / "labels.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] in kinds]
    random.Random(0).shuffle(rows)
    media = [Image(DATA / "grocery" / row["file"]) for row in rows[:200]]
    labels = [kinds[row["label"]] for row in rows[:200]]
    shop = Classifier.zero_shot(list(names), octant.starter().fields["image"])
    fitted = shop.fit(media[:100], labels[:100])
    before, after = shop.classify(media[100:]), fitted.classify(media[100:])
    assert np.mean([one.label == label for one, label in zip(after, labels[100:], strict=True)]) > 0.8
    assert _surprise(after, labels[100:]) < _surprise(before, labels[100:])


def _surprise(found: Sequence[Classified], labels: Sequence[str]) -> float:
    """The mean negative log-likelihood: what calibration makes smaller."""
    return -float(np.mean([np.log(one.probabilities[label]) for one, label in zip(found, labels, strict=True)]))
