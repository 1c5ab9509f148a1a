"""Families are found by any member and come back once each, whole, with what found them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from langchain_core.documents import Document
from langchain_octant.parents import OctantParentRetriever, family

import octant
from octant import Image, Item, Modality, Text
from octant.sample import write

ANIMALS = Document(
    id="animals",
    page_content="A long report about animals, in many words.",
    metadata={"year": 2024, "title": "Animals"},
)
KITCHEN = Document(id="kitchen", page_content="A long report about kitchens.", metadata={"year": 2026})
CHILDREN = {
    "animals": [
        Document(page_content="Zebras have black and white stripes", metadata={"chapter": 1}),
        Document(page_content="Cats sleep for most of the day", metadata={"chapter": 2}),
        Document(page_content="Zebras live in herds on the savanna", metadata={"chapter": 3}),
    ],
    "kitchen": [
        Document(page_content="How to bake bread with yeast"),
        Document(id="espresso", page_content="Espresso is brewed under pressure"),
    ],
}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    write(folder)
    return folder


def items(sample: Path) -> list[Item]:
    photo = Item("canyon-photo", {"photo": Image(sample / "photos" / "canyon.jpg")})
    summary = Document(page_content="Red stone arches under a blue sky, on our holiday")
    return [
        *family(ANIMALS, CHILDREN["animals"]),
        *family(KITCHEN, CHILDREN["kitchen"]),
        *family(photo, [summary]),
    ]


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory, sample: Path) -> Iterator[octant.Collection]:
    with octant.open("families", path=tmp_path_factory.mktemp("db")) as opened:
        opened.add(items(sample))
        yield opened


def test_a_family_is_found_by_any_child_and_comes_back_once(collection: octant.Collection) -> None:
    retriever = OctantParentRetriever(collection=collection, k=3, children=4, fields=("text",))
    for asked, wanted, child in (
        ("striped zebras", "animals", "animals#1"),
        ("a sleeping cat", "animals", "animals#2"),
        ("coffee from a machine", "kitchen", "espresso"),
    ):
        found = retriever.invoke(asked)
        assert len({one.id for one in found}) == len(found)
        assert found[0].id == wanted
        assert found[0].metadata["octant"]["children"][0]["id"] == child
        assert found[0].metadata["score"] == found[0].metadata["octant"]["children"][0]["score"]
        assert [one.metadata["score"] for one in found] == sorted(
            (one.metadata["score"] for one in found), reverse=True
        )


def test_the_original_comes_back_as_it_was_added(collection: octant.Collection) -> None:
    [found] = OctantParentRetriever(collection=collection, k=1).invoke("striped zebras")
    assert (found.id, found.page_content) == ("animals", ANIMALS.page_content)
    assert {key: value for key, value in found.metadata.items() if key not in ("score", "octant")} == ANIMALS.metadata


def test_a_photo_is_found_by_its_summary_and_comes_back_by_reference(
    collection: octant.Collection, sample: Path
) -> None:
    [found] = OctantParentRetriever(collection=collection, k=1, into="text").invoke("arches of red stone, holiday")
    assert found.id == "canyon-photo"
    assert found.metadata["octant"]["children"][0]["id"] == "canyon-photo#1"
    [media] = found.metadata["octant"]["media"]
    assert media["uri"] == (sample / "photos" / "canyon.jpg").as_uri()


def test_the_best_children_are_named_best_first(collection: octant.Collection) -> None:
    retriever = OctantParentRetriever(collection=collection, k=1, children=2, into="text")
    [found] = retriever.invoke("zebras")
    named = found.metadata["octant"]["children"]
    assert {one["id"] for one in named} == {"animals#1", "animals#3"}
    assert named[0]["score"] >= named[1]["score"]


def test_filters_are_asked_of_the_members(collection: octant.Collection) -> None:
    retriever = OctantParentRetriever(collection=collection, k=3, fields=("text",))
    assert [one.id for one in retriever.invoke("striped zebras", filter="year > 2025")] == ["kitchen"]
    [found] = retriever.invoke("striped zebras", filter="chapter = 2")
    assert found.metadata["octant"]["children"][0]["id"] == "animals#2"


def test_an_original_that_the_filter_does_not_match_is_not_read(tmp_path: Path) -> None:
    with octant.open("tenants", path=tmp_path) as opened:
        opened.add(
            [
                Item("A-secret", {"t": Text("the plans of tenant a")}, {"tenant": "a", "doc": "A-secret"}),
                Item("b-1", {"t": Text("whatever tenant b writes")}, {"tenant": "b", "doc": "A-secret"}),
            ]
        )
        retriever = OctantParentRetriever(collection=opened, parent_key="doc", fields=("text",))
        [found] = retriever.invoke("plans", filter={"tenant": "b"})
        assert (found.id, found.page_content) == ("b-1", "whatever tenant b writes")
        assert found.metadata["octant"]["parent"] == "A-secret"
        assert [one["id"] for one in found.metadata["octant"]["children"]] == ["b-1"]
        [own] = retriever.invoke("plans", filter={"tenant": "a"})
        assert own.id == "A-secret"
        assert "parent" not in own.metadata["octant"]


def test_an_original_names_what_was_given_in_memory(tmp_path: Path, sample: Path) -> None:
    photo = Item("p", {"photo": Image((sample / "photos" / "cat.jpg").read_bytes())})
    with octant.open("memory", path=tmp_path) as opened:
        opened.add(family(photo, [Document(page_content="a tabby cat")]))
        [found] = OctantParentRetriever(collection=opened, into="text").invoke("a tabby cat")
        assert found.metadata["octant"]["media"] == [{"name": "photo", "modality": "image", "mime_type": "image/jpeg"}]


def test_it_finds_as_many_families_as_are_asked_for_however_many_children_one_has(tmp_path: Path) -> None:
    many = [Document(page_content=f"zebra number {n}") for n in range(120)]
    with octant.open("many", path=tmp_path) as opened:
        opened.add([*family(Document(id="herd", page_content="a herd"), many), *family(KITCHEN, CHILDREN["kitchen"])])
        found = OctantParentRetriever(collection=opened, k=2, fields=("text",)).invoke("zebra")
    assert [one.id for one in found] == ["herd", "kitchen"]


def test_pieces_of_files_stand_for_their_files(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    words = {"zebra.md": "Zebras graze on the savanna. ", "bread.md": "Bread is baked with yeast and flour. "}
    for name, sentence in words.items():
        (tmp_path / "docs" / name).write_text("\n\n".join(f"Part {n}. " + sentence * 12 for n in range(12)))
    with octant.open("files", path=tmp_path / "db") as opened:
        report = opened.add(tmp_path / "docs")
        assert report.added > 4
        found = OctantParentRetriever(collection=opened, k=5, fields=("text",)).invoke("zebras grazing")
    uris = [(tmp_path / "docs" / name).as_uri() for name in words]
    assert [one.metadata["octant"]["parent"] for one in found] == uris
    assert "Zebras" in found[0].page_content


def test_another_key_may_hold_a_family_together(tmp_path: Path) -> None:
    with octant.open("products", path=tmp_path) as opened:
        opened.add(
            [
                Item("shoe", {"title": Text("red running shoe")}, {"product": "shoe"}),
                Item("shoe-41", {"title": Text("red running shoe, size 41")}, {"product": "shoe"}),
                Item("hat", {"title": Text("blue hat")}, {"product": "hat"}),
                Item("loose", {"title": Text("red running shoe laces")}),
            ]
        )
        found = OctantParentRetriever(collection=opened, parent_key="product", fields=("text",)).invoke("running shoe")
    assert [one.id for one in found] == ["shoe", "hat"]


# one source


def test_a_family_that_is_added_again_loses_its_old_children(tmp_path: Path) -> None:
    with octant.open("again", path=tmp_path) as opened:
        opened.add(family(ANIMALS, CHILDREN["animals"]))
        assert opened.add(family(ANIMALS, CHILDREN["animals"])).unchanged == 4
        opened.add(family(ANIMALS, CHILDREN["animals"][:1]))
        assert opened.count() == 2
        opened.delete(["animals"])
        assert opened.count() == 0


def test_members_have_ids_and_the_metadata_of_the_original() -> None:
    first, *others = family(KITCHEN, CHILDREN["kitchen"])
    assert [item.id for item in (first, *others)] == ["kitchen", "kitchen#1", "espresso"]
    assert all(item.metadata["year"] == 2026 for item in others)
    assert [item.origin.part for item in (first, *others) if item.origin] == [0, 1, 2]
    assert others[0].media == {"text": Text("How to bake bread with yeast")}


def test_families_without_proper_ids_are_refused() -> None:
    with pytest.raises(ValueError, match="has no id"):
        family(Document(page_content="x"), [])
    with pytest.raises(ValueError, match="'a'"):
        family(Document(id="a", page_content="x"), [Document(id="a", page_content="y")])


def test_pictures_that_documents_name_are_read_under_roots_alone(sample: Path, tmp_path: Path) -> None:
    media = [{"name": "photo", "modality": "image", "uri": (sample / "photos" / "cat.jpg").as_uri()}]
    photo = Document(page_content="image cat.jpg", metadata={"octant": {"media": media}})
    first, second = family(KITCHEN, [photo], roots=[sample])
    assert second.media == {"photo": Image(sample / "photos" / "cat.jpg")}
    for roots in ([], [tmp_path]):
        with pytest.raises(octant.MediaError, match="roots"):
            family(KITCHEN, [photo], roots=roots)
        with pytest.raises(octant.MediaError, match="roots"):
            family(Document(id="p", page_content="", metadata=photo.metadata), [], roots=roots)
    assert first.id == "kitchen"


# async


@pytest.fixture
async def awaited(tmp_path: Path, sample: Path) -> AsyncIterator[octant.AsyncCollection]:
    async with await octant.open_async("families", path=tmp_path / "async") as opened:
        await opened.add(items(sample))
        yield opened


async def test_awaited_it_finds_the_same(collection: octant.Collection, awaited: octant.AsyncCollection) -> None:
    by_sync = OctantParentRetriever(collection=collection, k=3, children=2)
    questions = ["striped zebras", "espresso", "red arches", "bread"]
    expected = [by_sync.invoke(asked) for asked in questions]
    retriever = OctantParentRetriever(async_collection=awaited, k=3, children=2)
    found = await asyncio.gather(*(retriever.ainvoke(asked) for asked in questions))
    for some, others in zip(found, expected, strict=True):
        assert [one.id for one in some] == [one.id for one in others]
        for one, other in zip(some, others, strict=True):
            assert one.metadata["score"] == pytest.approx(other.metadata["score"], rel=1e-4)
            assert one.page_content == other.page_content
    assert await by_sync.ainvoke("bread") == expected[3]


def test_one_that_holds_an_async_collection_alone_says_so(collection: octant.Collection) -> None:
    with pytest.raises(ValueError, match="give an octant collection"):
        OctantParentRetriever()
    assert OctantParentRetriever(collection=collection, into="image").into == (Modality.IMAGE,)
