"""What a user does with a collection, on every kind of store."""

import asyncio
import inspect
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from qdrant_client.http import models
from schemas import words_schema

import octant
from octant import AsyncCollection, Audio, Collection, Image, Item, Modality, Query, SchemaMismatch, StoreError, Text

RED = np.full((8, 8, 3), [255, 0, 0], dtype=np.uint8)
HUM = np.sin(np.arange(800, dtype=np.float32))


@pytest.fixture(params=["embedded", "worker", "server"])
def collection(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Collection]:
    """An empty collection: in this process, in a worker, and on a server where there is one."""
    if request.param == "server":
        url: str = request.getfixturevalue("server_url")
        with octant.open(f"test-{uuid4().hex}", url=url, schema=words_schema()) as opened:
            yield opened
            opened.client.delete_collection(opened.name)
    else:
        worker = request.param == "worker"
        with octant.open("lib", path=tmp_path / "db", schema=words_schema(), worker=worker) as opened:
            yield opened


def shop() -> list[Item]:
    return [
        Item("shoe", {"title": Text("red running shoe"), "photo": Image(RED)}, {"price": 59.9, "in_stock": True}),
        Item("boot", {"title": Text("brown leather boot")}, {"price": 120.0, "in_stock": False}),
        Item("bell", {"title": Text("red bell"), "sound": Audio(HUM, rate=8000)}, {"price": 9.0, "in_stock": True}),
    ]


def test_what_was_added_is_found(collection: Collection) -> None:
    report = collection.add(shop())
    assert report.points == 3
    assert report.modalities == {Modality.TEXT: 3, Modality.IMAGE: 1, Modality.AUDIO: 1}
    assert [hit.id for hit in collection.search("leather boot", into="text", limit=1)] == ["boot"]
    assert collection.search(Image(RED), into="image")[0].id == "shoe"
    assert collection.search(Audio(HUM, rate=8000), into="audio")[0].id == "bell"


def test_a_hit_has_the_payload_and_the_item(collection: Collection) -> None:
    collection.add(shop())
    hit = collection.search("red running shoe")[0]
    assert hit.payload["price"] == 59.9
    assert hit.metadata == {"price": 59.9, "in_stock": True}
    assert hit.text == "red running shoe"
    assert hit.payload["octant"]["media"]["photo"]["width"] == 8


def test_where_narrows_by_text_number_and_boolean(collection: Collection) -> None:
    collection.add(shop())
    assert {hit.id for hit in collection.search("red", where={"in_stock": True})} == {"shoe", "bell"}
    assert {hit.id for hit in collection.search("red", where={"price": 120.0})} == {"boot"}
    assert collection.count({"in_stock": False}) == 1


def test_into_keeps_to_the_modalities_that_are_named(collection: Collection) -> None:
    collection.add(shop())
    assert {hit.id for hit in collection.search("red", into="image")} == {"shoe"}
    assert {hit.id for hit in collection.search("red", into=["image", "audio"])} == {"shoe", "bell"}


def test_adding_again_replaces(collection: Collection) -> None:
    collection.add(shop())
    collection.add(Item("shoe", {"title": Text("blue sandal")}))
    assert collection.count() == 3
    [shoe] = collection.get(["shoe"])
    assert shoe.media == {"title": Text("blue sandal")}
    assert "price" not in shoe.metadata


def test_deleted_items_are_gone_and_unknown_ids_are_no_error(collection: Collection) -> None:
    collection.add(shop())
    collection.delete(["shoe", "no such item"])
    assert collection.count() == 2
    assert collection.get(["shoe"]) == []


def test_a_str_is_a_text_and_never_a_path(collection: Collection, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret")
    collection.add(str(secret))
    [hit] = collection.search(str(secret), into="text")
    assert hit.text == str(secret)


def test_a_path_is_a_file_or_a_folder(collection: Collection, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("a red boot")
    (folder / "deep" / "b.md").write_text("a brown shoe")
    assert collection.add(folder).points == 2
    [hit] = collection.search("a brown shoe", into="text", where={"folder": "deep"})
    assert hit.metadata["name"] == "b.md"
    assert collection.add([folder / "a.txt", Text("loose")]).points == 2
    assert collection.count() == 3, "a file that was added with its folder is the same item"


def test_an_empty_folder_adds_nothing_and_is_no_error(collection: Collection, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    report = collection.add(tmp_path / "empty")
    assert (report.points, report.failed, report.skipped) == (0, [], [])


def test_what_cannot_be_added_is_a_type_error_that_says_what_can(collection: Collection) -> None:
    with pytest.raises(TypeError, match="give a Path, a str"):
        collection.add([3])  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="cannot search with"):
        collection.search(3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="choose from text, image, audio"):
        collection.search("a", into="smell")
    with pytest.raises(TypeError, match="a Query says itself"):
        collection.search(Query(Text("a")), limit=3)


def test_many_queries_are_one_round_trip(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    collection.add(shop())
    calls: list[int] = []
    real = collection.client.query_batch_points

    def counted(name: str, requests: Sequence[models.QueryRequest]) -> list[models.QueryResponse]:
        calls.append(len(requests))
        return real(name, requests)

    monkeypatch.setattr(collection.client, "query_batch_points", counted)
    collection.search("anything")  # the first search over several fields measures what chance scores
    calls.clear()
    found = collection.search_many([Query(Text("leather boot")), Query(Image(RED), into=(Modality.IMAGE,))])
    assert [hits[0].id for hits in found] == ["boot", "shoe"]
    assert calls == [2]


def test_ids_are_a_sequence_and_not_a_text_of_characters(collection: Collection) -> None:
    collection.add([Item("s", {"t": Text("a")}), Item("sku-1", {"t": Text("b")})])
    with pytest.raises(TypeError, match=r"write \['sku-1'\]"):
        collection.delete("sku-1")
    with pytest.raises(TypeError, match=r"write \['sku-1'\]"):
        collection.get("sku-1")
    assert collection.count() == 2


@pytest.mark.parametrize("wrong", [{"title": "x"}, None, 5, b"bytes"])
def test_sources_of_no_kind_are_told_and_not_taken_apart(collection: Collection, wrong: Any) -> None:
    with pytest.raises(TypeError, match="give a Path, a str"):
        collection.add(wrong)


def test_the_same_content_twice_is_skipped_and_a_number_matches_whatever_its_kind(collection: Collection) -> None:
    report = collection.add(["same", "same", Item("n", {"t": Text("n")}, {"price": 60.0})])
    assert (report.points, len(report.skipped), report.failed) == (2, 1, [])
    assert collection.count({"price": 60}) == collection.count({"price": [60, 70]}) == 1


def test_a_file_that_is_reached_by_two_roots_is_read_once(collection: Collection, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a red boot")
    report = collection.add([tmp_path / "in", tmp_path / "in" / "a.txt"])
    assert (report.points, len(report.skipped), report.failed) == (1, 1, [])


def test_an_index_that_a_crash_prevented_is_made_on_opening(tmp_path: Path) -> None:
    with octant.open("lib", path=tmp_path, schema=words_schema()) as first:
        first.add(shop())
        first.client.delete_payload_index("lib", "octant.modalities")
    with octant.open("lib", path=tmp_path, schema=words_schema()) as second:
        assert second.info().modalities["text"] == 3


def test_a_process_can_hold_many_collections_of_a_database(tmp_path: Path) -> None:
    with octant.open("one", path=tmp_path, schema=words_schema()) as one:
        again = octant.open("one", path=tmp_path, schema=words_schema())
        with octant.open("two", path=tmp_path, schema=words_schema()) as two:
            one.add(shop())
            assert (again.count(), two.count()) == (3, 0)
        again.close()
        again.close()
        assert one.count() == 3, "the store stays open for who is left"
        with pytest.raises(StoreError, match="was closed"):
            again.count()
    with octant.open("one", path=tmp_path, schema=words_schema()) as reopened:
        assert reopened.count() == 3


def test_a_worker_that_died_is_replaced_on_opening(tmp_path: Path) -> None:
    first = octant.open("one", path=tmp_path, schema=words_schema(), worker=True)
    first.add(shop())
    os.kill(int((tmp_path / ".lock").read_text().split()[0]), signal.SIGKILL)
    with pytest.raises(StoreError, match="open again"):
        first.count()
    with octant.open("one", path=tmp_path, schema=words_schema(), worker=True) as second:
        assert second.count() == 3
    first.close()


async def test_a_worker_that_died_is_replaced_on_opening_awaited(tmp_path: Path) -> None:
    first = await octant.open_async("one", path=tmp_path, schema=words_schema())
    await first.add(shop())
    os.kill(int((tmp_path / ".lock").read_text().split()[0]), signal.SIGKILL)
    with pytest.raises(StoreError, match="open again"):
        await first.count()
    async with await octant.open_async("one", path=tmp_path, schema=words_schema()) as second:
        assert await second.count() == 3
    await first.close()


async def test_an_event_loop_can_hold_many_collections_of_a_database(tmp_path: Path) -> None:
    one, two = await asyncio.gather(
        *(octant.open_async(name, path=tmp_path, schema=words_schema()) for name in ("one", "two"))
    )
    await one.add(shop())
    assert (await one.count(), await two.count()) == (3, 0)
    await two.close()
    assert await one.count() == 3
    await one.close()
    with octant.open("one", path=tmp_path, schema=words_schema()) as reopened:
        assert reopened.count() == 3


def test_reading_makes_no_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no database in"):
        octant.open("lib", path=tmp_path / "typo", schema=words_schema(), create=False)
    assert not (tmp_path / "typo").exists()


async def test_a_cancelled_add_stops_writing(tmp_path: Path) -> None:
    def endless() -> Iterator[Item]:
        for n in range(1_000_000):
            yield Item(str(n), {"t": Text(f"text {n}")})

    async with await octant.open_async("lib", path=tmp_path, schema=words_schema()) as collection:
        begun = asyncio.Event()
        adding = asyncio.create_task(collection.add(endless(), batch_size=8, progress=lambda _: begun.set()))
        await begun.wait()
        adding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await adding
        await asyncio.sleep(0.5)
        stopped = await collection.count()
        await asyncio.sleep(0.3)
        assert await collection.count() == stopped


def test_info_counts_modalities_and_names_encoders(collection: Collection, tmp_path: Path) -> None:
    collection.add(shop())
    info = collection.info()
    assert info.points == 3
    assert info.modalities == {"text": 3, "image": 1, "audio": 1}
    assert info.fields["image"].encoders["image"] == "hashing-64@1"
    if collection.place.url is None:
        assert str(tmp_path) in info.location
        assert info.bytes_on_disk
    else:
        assert info.location == collection.place.url
        assert info.bytes_on_disk is None


def test_everything_is_there_after_closing_and_opening_again(tmp_path: Path) -> None:
    with octant.open("lib", path=tmp_path, schema=words_schema()) as first:
        first.add(shop())
        before = first.search("red running shoe").as_dicts()
    with octant.open("lib", path=tmp_path, schema=words_schema()) as second:
        assert second.count() == 3
        assert second.search("red running shoe").as_dicts() == before


def test_another_model_is_refused_with_the_difference(tmp_path: Path) -> None:
    octant.open("lib", path=tmp_path, schema=words_schema(64)).close()
    with pytest.raises(SchemaMismatch) as caught:
        octant.open("lib", path=tmp_path, schema=words_schema(32))
    assert "hashing-64@1" in str(caught.value)
    assert "hashing-32@1" in str(caught.value)
    assert "dim was 64, is 32" in str(caught.value)
    assert "open it with what it was built with (schema=" in str(caught.value)  # what loses nothing comes first
    octant.open("lib", path=tmp_path, schema=words_schema(64)).close()


def test_a_collection_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    octant.open("lib", path=tmp_path, schema=words_schema()).close()
    with pytest.raises(StoreError, match=r"no collection 'lob'.*there: lib.*octant index"):
        octant.open("lob", path=tmp_path, schema=words_schema(), create=False)


def test_path_and_url_exclude_one_another(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not both"):
        octant.open("lib", path=tmp_path, url="http://localhost:6333", schema=words_schema())


async def test_the_async_twin_gives_the_same_answers(tmp_path: Path) -> None:
    with octant.open("lib", path=tmp_path / "sync", schema=words_schema()) as plain:
        plain.add(shop())
        wanted = [plain.search(q, limit=1).as_dicts() for q in ("red running shoe", "leather boot")]
        wanted_info = plain.info()
    async with await octant.open_async("lib", path=tmp_path / "async", schema=words_schema()) as awaited:
        assert (await awaited.add(shop())).points == 3
        assert [(await awaited.search(q, limit=1)).as_dicts() for q in ("red running shoe", "leather boot")] == wanted
        assert (await awaited.info()).modalities == wanted_info.modalities
        assert (await awaited.get(["boot"]))[0].id == "boot"
        await awaited.delete(["boot"])
        assert await awaited.count() == 2


def test_the_async_class_is_the_sync_one_with_await() -> None:
    def verbs(of: type) -> dict[str, object]:
        return {n: f for n, f in vars(of).items() if inspect.isfunction(f) and not n.startswith("_")}

    assert verbs(Collection).keys() == verbs(AsyncCollection).keys()
    for name, plain in verbs(Collection).items():
        awaited = verbs(AsyncCollection)[name]
        assert inspect.isfunction(plain)
        if inspect.isgeneratorfunction(plain):
            assert inspect.isasyncgenfunction(awaited)
            here, there = inspect.signature(plain), inspect.signature(awaited)
            assert here.parameters == there.parameters
            assert str(here.return_annotation).replace("Iterator", "AsyncIterator") == there.return_annotation
        else:
            assert inspect.iscoroutinefunction(awaited)
            assert inspect.signature(plain) == inspect.signature(awaited)
        assert inspect.getdoc(plain) == inspect.getdoc(awaited)
