"""Clusters with names, and outliers: on vectors whose groups are made by hand."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

import octant
from octant.applications.clusters import clusters_of
from octant.applications.outliers import outliers_of
from octant.encoding import Role
from octant.media import Image, Media, Modality, Text
from octant.vectors import Vector

pytest.importorskip("sklearn")


class Somewhere:
    """Media say where they are: the first pixel of a picture, the first three words of a text."""

    def __init__(self, modality: Modality) -> None:
        self.spec = octant.EncoderSpec(identity="somewhere@1", modality=modality, dim=3)

    def encode(self, batch: Sequence[Media], role: Role) -> list[Vector]:
        return [np.array(_place(one), dtype=np.float32) for one in batch]


def _place(medium: Media) -> list[float]:
    if isinstance(medium, Text):
        return [float(word) for word in medium.content.split()[:3]]
    assert isinstance(medium, Image)
    assert isinstance(medium.source, np.ndarray)
    return [float(value) for value in medium.source[0, 0]]


def around(rng: np.random.Generator, *middle: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    place = np.array(middle) + rng.integers(-6, 7, 3)
    return np.tile(np.clip(place, 1, 255).astype(np.uint8), (4, 4, 1))


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[octant.Collection]:
    space = octant.Space("place", Somewhere(Modality.TEXT), Somewhere(Modality.IMAGE))
    schema = octant.Schema(octant.Field("image", space, Modality.IMAGE), octant.Field("text", space, Modality.TEXT))
    rng = np.random.default_rng(0)
    kinds = {"Shoe": (240, 20, 20), "Hat": (240, 110, 20), "": (240, 20, 110)}
    items = [
        octant.Item(
            f"{kind or 'blue'}{n}", {"photo": Image(around(rng, *middle))}, {"kind": kind, "sku": f"s{kind}{n}"}
        )
        for (kind, middle), many in zip(kinds.items(), (20, 15, 10), strict=True)
        for n in range(many)
    ]
    items.append(octant.Item("odd", {"photo": Image(around(rng, 20, 200, 240))}, {"kind": "odd"}))
    items.append(octant.Item("word", {"note": Text("9 1 4 is how the sea looks")}))
    with octant.open("shop", schema=schema, path=tmp_path / "db") as opened:
        opened.add(items)
        yield opened


@pytest.mark.parametrize("count", [None, 3])
def test_groups_are_found_and_named_by_what_they_share(collection: octant.Collection, count: int | None) -> None:
    found = clusters_of(collection, "image", count=count, where={"kind": ["Shoe", "Hat", ""]})
    assert [(one.name, len(one.ids)) for one in found] == [
        ("Shoe", 20),
        ("Hat", 15),
        ("9 1 4 is how the sea looks", 10),
    ]
    assert all(name.startswith("Shoe") for name in found.clusters[0].ids)
    assert all(one.tightness > 0.99 for one in found)
    assert found.alone == ()
    assert (found.looked_at, found.of) == (45, 45)


def test_what_lies_between_dense_regions_belongs_to_none(collection: octant.Collection) -> None:
    found = clusters_of(collection, "image")
    assert found.alone == ("odd",)
    shown = str(found)
    assert "46 items, 1 in no cluster" in shown
    assert "Shoe" in shown
    assert found.as_dict()["clusters"][0]["name"] == "Shoe"


def test_a_large_collection_is_sampled_and_says_so(collection: octant.Collection) -> None:
    found = clusters_of(collection, "image", sample=20, smallest=3)
    assert (found.looked_at, found.of) == (20, 46)
    assert "20 items, a sample of 46" in str(found)
    assert found == clusters_of(collection, "image", sample=20, smallest=3), "the same sample every time"


def test_too_few_items_are_in_no_cluster(collection: octant.Collection) -> None:
    found = clusters_of(collection, "image", where={"kind": "odd"})
    assert (found.clusters, found.alone) == ((), ("odd",))


def test_wrong_arguments_are_refused(collection: octant.Collection) -> None:
    with pytest.raises(ValueError, match="each is 2 or more"):
        clusters_of(collection, "image", count=1)
    with pytest.raises(octant.StoreError, match="no field 'look' in this collection; it has image, text"):
        clusters_of(collection, "look")
    with pytest.raises(ValueError, match="needs k and limit"):
        outliers_of(collection, "image", k=0)


def test_without_scikit_learn_it_says_what_to_install(
    collection: octant.Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(octant.MissingExtra, match=r"octant-search\[analysis\]"):
        clusters_of(collection, "image")


def test_the_item_that_is_far_from_all_is_the_outlier(collection: octant.Collection) -> None:
    found = outliers_of(collection, "image", k=3, limit=2)
    assert found.items[0].id == "odd"
    assert found.items[0].deviation > 10 > found.items[1].deviation
    assert found.items[0].distance > 0.2 > found.usual
    assert len(found) == 2
    shown = str(found)
    assert "odd" in shown
    assert "46 items, usually 0.00" in shown.replace("\n", " ")
    assert found.as_dict()["items"][0]["id"] == "odd"


def test_the_distance_is_the_mean_over_the_nearest(tmp_path: Path) -> None:
    space = octant.Space("place", Somewhere(Modality.TEXT))
    schema = octant.Schema(octant.Field("text", space, Modality.TEXT))
    with octant.open("three", schema=schema, path=tmp_path / "db") as opened:
        opened.add(
            [octant.Item(name, {"t": Text(place)}) for name, place in (("x", "1 0 0"), ("y", "0 1 0"), ("d", "3 4 0"))]
        )
        found = outliers_of(opened, "text", k=2)
        # cosines: x·y 0, x·d 0.6, y·d 0.8
        assert {one.id: round(one.distance, 4) for one in found} == {"x": 0.7, "y": 0.6, "d": 0.3}
        assert found.items[0].nearest == "d"
        assert found.usual == pytest.approx(0.6)


def test_nothing_to_judge_is_no_outlier(collection: octant.Collection) -> None:
    assert len(outliers_of(collection, "image", where={"kind": "odd"})) == 0
    assert len(outliers_of(collection, "image", where={"kind": "none"})) == 0


async def test_both_are_the_same_awaited(tmp_path: Path) -> None:
    space = octant.Space("place", Somewhere(Modality.TEXT))
    schema = octant.Schema(octant.Field("text", space, Modality.TEXT))
    async with await octant.open_async("few", schema=schema, path=tmp_path / "db") as opened:
        await opened.add([octant.Item(f"i{n}", {"t": Text(f"1 {n % 2} 0.{n} w{n}")}) for n in range(12)])
        assert (await clusters_of(opened, "text", count=2)).looked_at == 12
        assert len(await outliers_of(opened, "text", k=2, limit=3)) == 3
