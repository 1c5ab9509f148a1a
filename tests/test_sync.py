"""A collection follows its folders and tables: nothing twice, nothing lost, nothing removed by mistake."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from schemas import words_schema

import octant
from octant import (
    Collection,
    File,
    Item,
    MediaError,
    Piece,
    Reading,
    Table,
    Text,
    TextAdapter,
    TooManyDeletions,
)
from octant.adapters import sources
from octant.encoding import Budget


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    (folder / "drafts").mkdir(parents=True)
    for name in "abcd":
        (folder / f"{name}.txt").write_text(f"text {name}")
    (folder / "drafts" / "e.txt").write_text("text e")
    PIL.Image.fromarray(np.full((8, 8, 3), 200, np.uint8)).save(folder / "p.png")
    return folder


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    with octant.open("lib", path=tmp_path / "db", schema=words_schema(), worker=False) as collection:
        yield collection


def names(collection: Collection) -> set[str]:
    records, _ = collection.client.scroll("lib", limit=1000)
    return {(record.payload or {}).get("name") or (record.payload or {})["octant"]["id"] for record in records}


def counts(report: octant.Report) -> dict[str, int]:
    return {fate: count for fate, count in report.counts().items() if count}


def test_what_vanished_is_removed_and_the_rest_left(collection: Collection, folder: Path) -> None:
    collection.add([folder, Item("elsewhere", {"t": Text("not of the folder")})])
    (folder / "a.txt").unlink()
    shutil.rmtree(folder / "drafts")
    assert counts(collection.sync(folder)) == {"unchanged": 4, "deleted": 2}
    assert names(collection) == {"b.txt", "c.txt", "d.txt", "p.png", "elsewhere"}


def test_add_removes_nothing(collection: Collection, folder: Path) -> None:
    collection.add(folder)
    (folder / "a.txt").unlink()
    assert counts(collection.add(folder)) == {"unchanged": 5}
    assert "a.txt" in names(collection)


def test_a_dry_run_tells_and_changes_nothing(collection: Collection, folder: Path) -> None:
    collection.sync(folder)
    (folder / "a.txt").unlink()
    (folder / "b.txt").write_text("another text")
    (folder / "f.txt").write_text("text f")
    (folder / "c.txt").rename(folder / "renamed.txt")
    before = collection.client.scroll("lib", limit=100, with_vectors=True)
    would = collection.sync(folder, dry_run=True)
    assert counts(would) == {"added": 1, "updated": 1, "moved": 1, "unchanged": 3, "deleted": 1}
    assert would.dry
    assert would.encoded == 2, "as many as the run itself will encode"
    assert collection.client.scroll("lib", limit=100, with_vectors=True) == before
    assert counts(collection.sync(folder)) == counts(would)
    assert names(collection) == {"b.txt", "d.txt", "e.txt", "f.txt", "p.png", "renamed.txt"}


def test_a_disk_that_is_not_mounted_costs_nothing(collection: Collection, folder: Path) -> None:
    collection.sync(folder)
    away = folder.rename(folder.parent / "away")
    report = collection.sync(folder)
    assert "does not exist" in report.failed[0].reason
    folder.mkdir()
    with pytest.raises(TooManyDeletions, match="6 of 6 sources are gone, more than 50%") as refused:
        collection.sync(folder)
    assert (refused.value.vanished, refused.value.sources) == (6, 6)
    assert len(names(collection)) == 6
    folder.rmdir()
    away.rename(folder)
    assert counts(collection.sync(folder)) == {"unchanged": 6}
    shutil.rmtree(folder)
    folder.mkdir()
    assert counts(collection.sync(folder, max_deleted=1.0)) == {"deleted": 6}
    assert names(collection) == set()


def test_a_renamed_folder_moves(collection: Collection, folder: Path) -> None:
    collection.sync(folder.parent / "media")
    renamed = folder.rename(folder.parent / "library")
    report = collection.sync([folder.parent / "library"])
    assert counts(report) == {"moved": 6}
    assert report.encoded == 0
    assert {str(renamed), str(folder)} == {(r.payload or {})["root"] for r in collection.client.scroll("lib")[0]}


def test_what_cannot_be_looked_at_has_not_vanished(
    collection: Collection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.sync(folder)
    scan = os.scandir

    def refusing(path: Path) -> Any:
        if path.name == "drafts":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    (folder / "a.txt").write_bytes(b"\0")
    report = collection.sync(folder)
    assert counts(report) == {"unchanged": 4, "failed": 2}
    assert names(collection) == {"a.txt", "b.txt", "c.txt", "d.txt", "e.txt", "p.png"}


def test_patterns_say_what_is_mirrored(collection: Collection, folder: Path) -> None:
    collection.sync(folder)
    assert counts(collection.sync(folder, Reading(exclude=("drafts/", "*.png")))) == {"unchanged": 4, "deleted": 2}
    assert counts(collection.add(folder, Reading(include=("*.png",)))) == {"added": 1}


def test_only_places_can_be_synced(collection: Collection) -> None:
    with pytest.raises(TypeError, match="places that items can vanish from"):
        collection.sync("a text")
    with pytest.raises(ValueError, match="a share"):
        collection.sync(Path(), max_deleted=5)


def test_a_table_is_mirrored_row_by_row(collection: Collection, tmp_path: Path) -> None:
    shop = tmp_path / "shop.csv"
    shop.write_text("sku,title,price\n1,a cup,5\n2,a pot,7\n3,a pan,9\n4,a lid,2\n")
    table = Table(shop, id="sku", text=["title"])
    assert counts(collection.sync(table)) == {"added": 4}
    shop.write_text("sku,title,price\n1,a cup,5\n2,an iron pot,7\n4,a lid,3\n")
    report = collection.sync(table)
    assert counts(report) == {"unchanged": 1, "updated": 2, "deleted": 1}
    assert report.encoded == 1, "a new price needs no encoder"
    assert names(collection) == {"1", "2", "4"}


def test_files_are_read_again_when_the_way_they_are_read_has_changed(collection: Collection, tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text("\n\n".join(f"This is paragraph number {i} of a book." for i in range(40)))
    time.sleep(2.1)
    assert counts(collection.add(book)) == {"added": 1}
    cut = Reading(adapters=(TextAdapter(tokens=40),))
    report = collection.add(book, cut)
    assert report.added > 3
    assert report.deleted == 1, "the whole text gives way to its chunks"
    assert counts(collection.add(book, cut)) == {"unchanged": report.added}
    assert counts(collection.add(book)) == {"added": 1, "deleted": report.added}


def test_an_unchanged_file_is_not_opened(collection: Collection, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    time.sleep(2.1)
    collection.add(folder)

    def refuse(*_: object) -> None:
        raise AssertionError("a file was read")

    monkeypatch.setattr("octant.adapters.files.open_regular", refuse)
    assert counts(collection.add(folder)) == {"unchanged": 6}


def test_deleting_a_file_deletes_what_was_cut_from_it(collection: Collection, tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text("\n\n".join(f"This is paragraph number {i} of a book." for i in range(40)))
    collection.add(book, Reading(adapters=(TextAdapter(tokens=40),)))
    assert collection.count() > 3
    collection.delete([book.as_uri()])
    assert collection.count() == 0


class Subtitles:
    """An adapter of another package: one piece for each cue."""

    identity = "subtitles@1"

    def takes(self, file: File) -> bool:
        return file.suffix == ".srt"

    def pieces(self, file: File, budget: Budget) -> Iterator[Piece | MediaError]:
        for cue in file.path.read_text().strip().split("\n\n"):
            _, time_, *lines = cue.splitlines()
            yield Piece({"text": Text(" ".join(lines))}, {"cue": time_})


def test_another_package_adds_an_adapter(collection: Collection, tmp_path: Path, monkeypatch: Any) -> None:
    class Point:
        name = "subtitles"

        def load(self) -> type[Subtitles]:
            return Subtitles

    def entry_points(group: str) -> list[Point]:
        return [Point()] if group == "octant.adapters" else []

    monkeypatch.setattr(sources, "entry_points", entry_points)
    sources.installed.cache_clear()
    film = tmp_path / "film.srt"
    film.write_text("1\n00:01\na dog barks\n\n2\n00:05\nit rains\n")
    try:
        assert counts(collection.add(film)) == {"added": 2}
    finally:
        sources.installed.cache_clear()
    hit = collection.search("dog barks", into="text")[0]
    assert (hit.metadata["cue"], hit.metadata["parent"]) == ("00:01", film.as_uri())


async def test_the_async_twin_syncs_too(tmp_path: Path, folder: Path) -> None:
    async with await octant.open_async("lib", path=tmp_path / "db", schema=words_schema()) as collection:
        assert counts(await collection.sync(folder)) == {"added": 6}
        (folder / "a.txt").rename(folder / "z.txt")
        (folder / "b.txt").unlink()
        assert counts(await collection.sync(folder)) == {"moved": 1, "unchanged": 4, "deleted": 1}
        assert counts(await collection.sync(folder)) == {"unchanged": 5}


def test_a_cache_serves_another_collection(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "vectors.db"
    with octant.open("one", path=tmp_path / "db", schema=words_schema(), worker=False, cache=cache) as one:
        one.add(folder)
    schema = words_schema()
    monkeypatch.setattr("octant.backends.hashing.Hashing.encode", None)
    monkeypatch.setattr("octant.backends.hashing.BagOfWords.encode", None)
    with octant.open("two", path=tmp_path / "db", schema=schema, worker=False, cache=cache) as two:
        assert counts(two.add(folder)) == {"added": 6}


def test_photos_are_known_by_their_colours(collection: Collection, folder: Path) -> None:
    PIL.Image.new("RGB", (64, 64), "red").save(folder / "red.png")
    collection.add(folder, Reading(thumbnails=16))
    [hit] = collection.search("anything", into="image", where={"octant.media.image.colours": "red"})
    entry = hit.payload["octant"]["media"]["image"]
    assert hit.metadata["name"] == "red.png"
    assert len(entry["perceptual_hash"]) == 16
    assert entry["thumbnail"].startswith("data:image/webp")
    assert counts(collection.add(folder, Reading(thumbnails=16))) == {"unchanged": 7}
    assert counts(collection.add(folder, Reading(thumbnails=32))) == {"unchanged": 5, "updated": 2}


def test_a_stream_that_breaks_off_loses_nothing(collection: Collection, tmp_path: Path) -> None:
    shop = tmp_path / "shop.csv"
    shop.write_text("sku,title\n1,a cup\n2,a pot\n")
    table = Table(shop, id="sku", text=["title"], name="shop")
    collection.sync(table)
    shop.rename(tmp_path / "elsewhere.csv")
    assert counts(collection.sync(table, max_deleted=1.0)) == {"failed": 1}
    assert names(collection) == {"1", "2"}


def test_a_folder_does_not_say_which_rows_its_tables_have(collection: Collection, folder: Path) -> None:
    shop = folder / "shop.csv"
    shop.write_text("sku,title\n1,a cup\n2,a pot\n")
    collection.add([folder, Table(shop, id="sku", text=["title"])])
    report = collection.sync(folder, max_deleted=1.0)
    assert (report.deleted, report.unchanged) == (0, 6)
    assert "--id COLUMN" in report.skipped[0].reason
    shop.unlink()
    assert collection.sync(folder, max_deleted=1.0).deleted == 2


def test_rows_of_two_tables_do_not_take_each_others_place(collection: Collection) -> None:
    collection.add(Table([{"id": 1, "t": "an apple"}], id="id", text=["t"], name="fruit"))
    report = collection.add(Table([{"id": 1, "t": "a carrot"}], id="id", text=["t"], name="roots"))
    assert "row of fruit" in report.failed[0].reason
    assert collection.search("apple", into="text")[0].id == "1"


def test_a_file_that_a_walk_does_not_meet_has_not_vanished(collection: Collection, folder: Path) -> None:
    hidden = folder / ".hidden.txt"
    hidden.write_text("a hidden text")
    collection.add([folder, hidden])
    assert collection.sync(folder).deleted == 0
    hidden.unlink()
    report = collection.sync(folder)
    assert (report.deleted, report.vanished) == (1, [hidden.as_uri()])


def test_an_adapter_that_fails_costs_its_file_alone(collection: Collection, folder: Path) -> None:
    class Broken(Subtitles):
        identity = "broken@1"

        def takes(self, file: File) -> bool:
            return file.path.name == "b.txt"

        def pieces(self, file: File, budget: Budget) -> Iterator[Piece | MediaError]:
            raise RuntimeError("a fault")

    report = collection.add(folder, Reading(adapters=(Broken(),)))
    assert counts(report) == {"added": 5, "failed": 1}
    assert "'broken' fail (RuntimeError: a fault)" in report.failed[0].reason


def test_mistaken_adapters_are_told() -> None:
    with pytest.raises(TypeError, match="a tuple of adapters"):
        Reading(adapters=TextAdapter())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="a tuple of adapters"):
        Reading(adapters=(TextAdapter,))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_the_order_of_several_texts_is_part_of_their_content(collection: Collection) -> None:
    one, other = Text("one"), Text("other")
    collection.add(Item("x", {"a": one, "b": other}))
    assert collection.add(Item("x", {"b": other, "a": one})).encoded == 1
