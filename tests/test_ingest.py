"""The pipeline: everything that can be stored is stored once, and the rest is reported."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_client.http import models
from schemas import words_schema

from octant import (
    EncoderSpec,
    Field,
    Image,
    Item,
    MediaError,
    Modality,
    Origin,
    Progress,
    Report,
    Role,
    Schema,
    Several,
    Skipped,
    Space,
    Text,
    VectorCache,
)
from octant.backends.hashing import Hashing
from octant.errors import StoreError
from octant.ingest import Arrival, ingest
from octant.standing import Found, Stored
from octant.stores.local import LocalClient
from octant.vectors import Vector


class Shelf(Stored):
    """A collection in memory, which remembers what was written to it in which batches."""

    def __init__(self, schema: Schema) -> None:
        self.client = LocalClient(None)  # read here while another thread writes
        self.client.create_collection(
            "shelf", vectors_config=schema.dense_config(), sparse_vectors_config=schema.sparse_config()
        )
        super().__init__(self.client, "shelf")
        self.batches: list[list[str]] = []

    def write(self, points: list[models.PointStruct]) -> None:
        super().write(points)
        self.batches.append([(point.payload or {})["octant"]["id"] for point in points])

    @property
    def ids(self) -> list[str]:
        return [one for batch in self.batches for one in batch]

    def contents(self) -> dict[str, dict[str, Any]]:
        records, _ = self.client.scroll("shelf", limit=10_000)
        return {(record.payload or {})["octant"]["id"]: record.payload or {} for record in records}


class Picky:
    """An encoder of texts that finds out only when it decodes that some of them are broken."""

    spec = EncoderSpec("picky@1", Modality.TEXT, 2)

    def __init__(self) -> None:
        self.batches: list[int] = []

    def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
        self.batches.append(len(batch))
        if bad := [MediaError(text, "broken; mend it") for text in batch if "bad" in text.content]:
            raise ExceptionGroup("undecodable", bad)
        return [np.ones(2, dtype=np.float32) for _ in batch]


def texts(*contents: str) -> list[Arrival]:
    return [Item(content, {"text": Text(content)}) for content in contents]


def picky_schema(encoder: Picky) -> Schema:
    return Schema(Field("text", Space("picky", encoder), Modality.TEXT))


def test_items_are_stored_in_order_and_in_batches() -> None:
    shelf = Shelf(words_schema())
    report = ingest(texts(*"abcdefg"), words_schema(), shelf, batch_size=8)
    assert shelf.batches[0] == ["a", "b"], "the first is small, so that something is found soon"
    assert shelf.ids == list("abcdefg")
    assert report.points == 7
    assert (report.added, report.modalities, report.encoded) == (7, {Modality.TEXT: 7}, 7)
    assert not report.failed
    assert not report.skipped


def test_all_broken_media_of_a_batch_are_left_out_at_once_and_the_rest_stored() -> None:
    encoder = Picky()
    schema = picky_schema(encoder)
    shelf = Shelf(schema)
    report = ingest(texts("a", "bad 1", "b", "bad 2", "c"), schema, shelf)
    assert shelf.ids == ["a", "b", "c"]
    assert [(one.source, one.reason) for one in report.failed] == [
        ("bad 1", "broken; mend it"),
        ("bad 2", "broken; mend it"),
    ]
    assert encoder.batches == [5, 3]


def test_a_batch_of_nothing_but_broken_media_stores_nothing() -> None:
    schema = picky_schema(Picky())
    shelf = Shelf(schema)
    report = ingest(texts("bad 1", "bad 2"), schema, shelf)
    assert shelf.batches == []
    assert len(report.failed) == 2


def test_an_encoder_error_that_names_no_item_is_raised_and_not_swallowed() -> None:
    class Elsewhere(Picky):
        def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
            raise MediaError(Text("not of this batch"), "nothing to do with it")

    with pytest.raises(MediaError, match="nothing to do with it"):
        ingest(texts("a"), picky_schema(Elsewhere()), Shelf(picky_schema(Elsewhere())))


def test_a_second_item_of_the_same_id_is_reported_and_the_first_kept() -> None:
    shelf = Shelf(words_schema())
    twins: list[Arrival] = [Item("x", {"text": Text("first")}), Item("x", {"text": Text("second")})]
    report = ingest(twins, words_schema(), shelf)
    assert shelf.ids == ["x"]
    assert report.failed[0].source == "x"
    assert "first is kept" in report.failed[0].reason


def test_what_adapters_could_not_read_is_in_the_report() -> None:
    arrivals: list[Arrival] = [
        Skipped("a.xyz", "not a kind that octant reads"),
        MediaError(Image(b""), "it is empty"),
        *texts("a"),
    ]
    report = ingest(arrivals, words_schema(), Shelf(words_schema()))
    assert [one.source for one in report.skipped] == ["a.xyz"]
    assert [one.reason for one in report.failed] == ["it is empty"]
    assert report.points == 1
    assert report.as_dict()["failed"] == [{"source": "Image(<0 bytes>)", "reason": "it is empty"}]


def test_an_item_that_is_broken_when_it_is_described_is_reported() -> None:
    shelf = Shelf(words_schema())
    items: list[Arrival] = [Item("torn", {"image": Image(b"no image at all")}), *texts("a")]
    report = ingest(items, words_schema(), shelf)
    assert shelf.ids == ["a"]
    assert report.failed[0].source == "torn"


def test_a_store_that_refuses_ends_the_run_with_its_own_error() -> None:
    class Full(Shelf):
        def write(self, points: list[models.PointStruct]) -> None:
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="disk is full"):
        ingest(texts(*"abc"), words_schema(), Full(words_schema()))


def test_points_are_counted_only_when_they_are_stored() -> None:
    seen: list[Progress] = []
    shelf = Shelf(words_schema())

    def told(now: Progress) -> None:
        seen.append(now)
        assert now.done <= len(shelf.ids)

    report = ingest(texts(*"abcdefgh"), words_schema(), shelf, batch_size=2, progress=told)
    assert seen[-1].done == report.points == 8
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert seen[-1].sources == 8
    assert seen[-1].modalities == {Modality.TEXT: 8}


def test_memory_does_not_grow_with_the_corpus() -> None:
    """A few batches wait to be read, described and decoded, and one to be written."""
    given, ahead = 0, 0

    shelf = Shelf(words_schema())

    def endless() -> Iterator[Arrival]:
        nonlocal given, ahead
        for i in range(3000):
            given += 1
            ahead = max(ahead, given - len(shelf.ids))
            yield Item(str(i), {"text": Text(f"text {i}")})

    ingest(endless(), words_schema(), shelf, batch_size=10)
    assert len(shelf.ids) == 3000
    windows = max(len(batch) for batch in shelf.batches)
    assert windows <= 16 * 10
    assert ahead <= 6 * windows, "one is written, one encoded, one is loaded, one described, one read"


def test_a_slow_store_gets_larger_windows_and_not_one_for_every_batch() -> None:
    """So many round trips would cost more than the encoder: what is decoded in the meantime goes along."""

    class Far(Shelf):
        def write(self, points: list[models.PointStruct]) -> None:
            time.sleep(0.3)
            super().write(points)

    def one_by_one() -> Iterator[Arrival]:
        for one in texts(*map(str, range(300))):
            time.sleep(0.002)  # the store takes as long as 150 of them
            yield one

    schema = words_schema()
    shelf = Far(schema)
    ingest(one_by_one(), schema, shelf, batch_size=8)
    assert len(shelf.ids) == 300
    assert len(shelf.batches) <= 25, "by batches of 8 they would be more than 33"


@pytest.mark.parametrize("breaks", [True, False])
def test_a_stream_that_ends_within_a_source_keeps_what_was_not_met_of_it(breaks: bool) -> None:
    """It broke off, or nobody waits for it any more: what did not come has not vanished."""

    def pages(version: int) -> list[Arrival]:
        return [
            Item(f"book.{page}", {"text": Text(f"{version} {page}")}, {}, Origin("book", str(version), page, 4))
            for page in range(4)
        ]

    def half() -> Iterator[Arrival]:
        yield from pages(2)[:2]
        if breaks:
            raise RuntimeError("the connection broke")

    schema = words_schema()
    shelf = Shelf(schema)
    ingest(pages(1), schema, shelf)
    with pytest.raises(RuntimeError, match="connection broke") if breaks else nullcontext():
        ingest(half(), schema, shelf)
    assert sorted(shelf.contents()) == [f"book.{page}" for page in range(4)]
    assert ingest(pages(2), schema, shelf).deleted == 0
    assert {one["octant"]["media"]["text"]["text"] for one in shelf.contents().values()} == {"2 0", "2 1", "2 2", "2 3"}


def test_vectors_are_not_taken_from_an_item_that_changes_meanwhile() -> None:
    """What is compared and what is written goes on side by side: an item found by its content may be another by now."""

    class Telling(Picky):
        def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
            return [np.array([1.0, len(text.content)], np.float32) for text in batch]

    schema = picky_schema(Telling())

    class Racing(Shelf):
        def items(self, ids: Sequence[str], *, vectors: bool = False) -> dict[str, Found]:
            if vectors:
                ingest([Item("a", {"text": Text("of another length")})], schema, Stored(self.client, "shelf"))
            return super().items(ids, vectors=vectors)

    shelf = Racing(schema)
    ingest([Item("a", {"text": Text("one")}, {"v": 1})], schema, shelf)
    ingest([Item("b", {"text": Text("one")}), Item("a", {"text": Text("one")}, {"v": 2})], schema, shelf)
    records, _ = shelf.client.scroll("shelf", with_vectors=True)
    found = {(record.payload or {})["octant"]["id"]: record for record in records}
    for record in found.values():
        payload = record.payload or {}
        vector: Any = record.vector
        expected = [1.0, len(payload["octant"]["media"]["text"]["text"])]
        assert np.allclose(vector["text"], np.array(expected) / np.linalg.norm(expected), atol=1e-5)
    assert sorted(found) == ["a", "b"]


def test_items_without_media_make_windows_like_others() -> None:
    schema = Schema(Field("vector", Space("given", Picky()), Modality.TEXT, given=True))
    shelf = Shelf(schema)
    vector = np.ones(2, np.float32)
    items: list[Arrival] = [Item("0", {"text": Text("one that has a text")}, vectors={"vector": vector})]
    items += [Item(str(i), {}, vectors={"vector": vector}) for i in range(1, 1000)]
    ingest(items, schema, shelf, batch_size=4)
    assert len(shelf.ids) == 1000
    assert max(len(batch) for batch in shelf.batches) <= 16 * 4


def test_writing_goes_on_while_the_next_batch_is_encoded() -> None:
    encoding_second = threading.Event()

    class Watched(Picky):
        def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
            if len(self.batches) == 1:
                encoding_second.set()
            return super().encode(batch, role)

    class Waiting(Shelf):
        def write(self, points: list[models.PointStruct]) -> None:
            assert encoding_second.wait(timeout=10), "the second batch was not encoded while the first was written"
            super().write(points)

    schema = picky_schema(Watched())
    report = ingest(texts(*"abcd"), schema, Waiting(schema), batch_size=2)
    assert report.points == 4


def test_a_window_behind_one_that_could_not_be_stored_is_not_stored_either() -> None:
    """What is linked stands before what it is linked to, and an item is whole when its last part stands."""
    refused = threading.Event()

    class Refusing(Shelf):
        def write(self, points: list[models.PointStruct]) -> None:
            if not refused.is_set():
                refused.set()
                raise RuntimeError("the server is restarting")
            super().write(points)

    shelf = Refusing(words_schema())
    with pytest.raises(RuntimeError, match="restarting"):
        ingest(texts(*"abcdefgh"), words_schema(), shelf, batch_size=2)
    assert shelf.ids == []


def test_ctrl_c_ends_the_encoding_between_two_batches_and_keeps_what_was_encoded() -> None:
    encoding, stopped = threading.Event(), threading.Event()

    class Slow(Picky):
        def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
            if len(self.batches) == 2:
                encoding.set()
                assert stopped.wait(timeout=10)
                time.sleep(0.3)  # until the run has noticed
            return super().encode(batch, role)

    def interrupted() -> Iterator[Arrival]:
        yield from texts(*"abcdefghijklmnopqrstuvwxyz")
        assert encoding.wait(timeout=10)
        stopped.set()
        raise KeyboardInterrupt

    encoder = Slow()
    schema = picky_schema(encoder)
    shelf = Shelf(schema)
    with pytest.raises(KeyboardInterrupt):
        ingest(interrupted(), schema, shelf, batch_size=2)
    assert encoder.batches == [1, 2, 2], "the third window has more batches than one"
    assert shelf.ids == list("abc")


@pytest.mark.parametrize("stands", ["", "a"])
def test_what_comes_slowly_is_stored_before_there_is_a_batch_of_it(stands: str) -> None:
    schema = words_schema()
    shelf = Shelf(schema)
    ingest(texts(*stands), schema, shelf)
    late: list[int] = []

    def slowly() -> Iterator[Arrival]:
        for given, one in enumerate(texts(*map(str, range(20))), start=1):
            yield one
            time.sleep(0.15)
            until = time.monotonic() + 10  # a busy machine may store late, but it does so before the next one is given
            while given - (len(shelf.ids) - len(stands)) > 3 and time.monotonic() < until:
                time.sleep(0.01)
            late.append(given - (len(shelf.ids) - len(stands)))

    ingest(slowly(), schema, shelf, batch_size=32)
    assert max(late) <= 3, "how many were given and not yet stored"
    assert shelf.ids == [*stands, *map(str, range(20))]


def test_batches_hold_texts_of_like_length() -> None:
    class Measured(Picky):
        def __init__(self) -> None:
            super().__init__()
            self.lengths: list[list[int]] = []

        def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
            self.lengths.append([len(text.content) for text in batch])
            return super().encode(batch, role)

    encoder = Measured()
    schema = picky_schema(encoder)
    given = texts(*("x" * (1 + 37 * i % 64) for i in range(64)))
    shelf = Shelf(schema)
    ingest(given, schema, shelf, batch_size=4)
    assert all(batch == sorted(batch) for batch in encoder.lengths)
    spread = [max(batch) - min(batch) for batch in encoder.lengths[-4:]]
    assert sum(spread) / len(spread) < 32, "a batch of 4 out of 64 random lengths would spread over 40"
    assert len(shelf.ids) == 64


def test_the_report_reads_well() -> None:
    given = [*texts("a", "b"), Skipped("c.xyz", "not a kind that octant reads")]
    report = ingest(given, words_schema(), Shelf(words_schema()))
    assert str(report).startswith("2 items stored (2 text) in ")
    assert "c.xyz: not a kind that octant reads" in str(report)


def test_items_with_metadata_that_no_store_keeps_are_reported_and_the_rest_stored() -> None:
    shelf = Shelf(words_schema())
    items: list[Arrival] = [*texts("a"), Item("bad", {"text": Text("b")}, {"price": float("nan")}), *texts("c")]
    report = ingest(items, words_schema(), shelf)
    assert shelf.ids == ["a", "c"]
    assert report.failed[0].source == "bad"
    assert "metadata.price is nan" in report.failed[0].reason


def test_what_came_before_a_source_failed_is_stored() -> None:
    def breaks_off() -> Iterator[Arrival]:
        yield from texts(*"abcde")
        raise RuntimeError("the table ends here")

    shelf = Shelf(words_schema())
    with pytest.raises(RuntimeError, match="table ends here"):
        ingest(breaks_off(), words_schema(), shelf, batch_size=2)
    assert shelf.ids == list("abcde")


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ingest([], words_schema(), Shelf(words_schema()), batch_size=0)


class Counted(Hashing):
    """Counts what it is asked to encode."""

    def __init__(self, modality: Modality = Modality.TEXT) -> None:
        super().__init__(modality, 16)
        self.encoded = 0

    def encode(self, batch: Sequence[Any], role: Role) -> list[Vector]:
        self.encoded += len(batch)
        return super().encode(batch, role)


def counted_schema(*encoders: Counted, **field: Any) -> Schema:
    return Schema(*(Field(e.spec.modality, Space("counted", e), e.spec.modality, **field) for e in encoders))


@pytest.fixture
def encoder() -> Counted:
    return Counted()


@pytest.fixture
def run(encoder: Counted) -> Callable[..., Report]:
    schema = counted_schema(encoder)
    shelf = Shelf(schema)

    def run(*items: Arrival, **options: Any) -> Report:
        return ingest(items, schema, shelf, **options)

    run.shelf = shelf  # type: ignore[attr-defined]
    return run


def fates(report: Report) -> tuple[int, int, int, int, int, int]:
    return report.added, report.updated, report.moved, report.unchanged, report.deleted, report.encoded


def test_the_same_items_again_are_neither_encoded_nor_written(run: Any, encoder: Counted) -> None:
    assert fates(run(*texts(*"abc"))) == (3, 0, 0, 0, 0, 3)
    assert fates(run(*texts(*"abc"))) == (0, 0, 0, 3, 0, 0)
    assert encoder.encoded == 3
    assert len(run.shelf.batches) == 1


def test_new_metadata_is_written_with_the_vectors_that_stand(run: Any, encoder: Counted) -> None:
    run(Item("a", {"text": Text("one")}, {"price": 1}))
    before = run.shelf.client.retrieve("shelf", [run.shelf.client.scroll("shelf")[0][0].id], with_vectors=True)[0]
    assert fates(run(Item("a", {"text": Text("one")}, {"price": 2}))) == (0, 1, 0, 0, 0, 0)
    after = run.shelf.client.retrieve("shelf", [before.id], with_vectors=True)[0]
    assert after.payload["price"] == 2
    assert after.vector == before.vector
    assert encoder.encoded == 1


def test_new_content_is_encoded_and_replaces_the_old(run: Any, encoder: Counted) -> None:
    run(Item("a", {"text": Text("one")}))
    assert fates(run(Item("a", {"text": Text("two")}))) == (0, 1, 0, 0, 0, 1)
    assert run.shelf.contents()["a"]["octant"]["media"]["text"]["text"] == "two"
    assert encoder.encoded == 2


def test_equal_content_is_encoded_once_within_a_run_and_across_runs(run: Any, encoder: Counted) -> None:
    assert fates(run(Item("a", {"text": Text("same")}), Item("b", {"text": Text("same")}))) == (2, 0, 0, 0, 0, 1)
    assert fates(run(Item("c", {"text": Text("same")}))) == (1, 0, 0, 0, 0, 0)
    assert encoder.encoded == 1
    records, _ = run.shelf.client.scroll("shelf", with_vectors=True)
    assert len({tuple(record.vector["text"]) for record in records}) == 1


def test_what_was_made_by_another_model_is_made_again(tmp_path: Path) -> None:
    one, other = Counted(), Counted()
    other.spec = EncoderSpec("another@2", Modality.TEXT, 16)
    shelf = Shelf(counted_schema(one))
    ingest(texts("a"), counted_schema(one), shelf)
    report = ingest(texts("a"), counted_schema(other), shelf)
    assert (report.updated, report.encoded, other.encoded) == (1, 1, 1)


def test_a_cache_spares_the_encoder_in_another_collection(tmp_path: Path, encoder: Counted) -> None:
    schema = counted_schema(encoder)
    cache = VectorCache(tmp_path / "vectors.db")
    first, second = Shelf(schema), Shelf(schema)
    ingest(texts(*"abc"), schema, first, remembered=cache)
    ingest(texts(*"abcd"), schema, second, remembered=VectorCache(tmp_path / "vectors.db"))
    assert encoder.encoded == 4

    def vectors(shelf: Shelf) -> dict[str, Any]:
        return {r.payload["octant"]["id"]: r.vector for r in shelf.client.scroll("shelf", with_vectors=True)[0]}  # type: ignore[index]

    assert {one: vectors(second)[one] for one in "abc"} == vectors(first)


def test_a_dry_run_compares_and_leaves_all_as_it_is(run: Any, encoder: Counted) -> None:
    run(*texts(*"ab"))
    before = run.shelf.contents()
    report = run(Item("a", {"text": Text("new")}), *texts("b", "c"), dry=True)
    assert (report.added, report.updated, report.unchanged, report.dry) == (1, 1, 1, True)
    assert run.shelf.contents() == before
    assert encoder.encoded == 2


class Cut:
    """A source that is cut into parts, as a file is."""

    def __init__(self, source: str, stamp: str | None, *contents: str | None) -> None:
        self.source, self.stamp, self.contents, self.read = source, stamp, contents, 0

    def items(self) -> list[Item | MediaError]:
        self.read += 1
        names = [self.source] if len(self.contents) == 1 else [f"{self.source}#{i}" for i in range(len(self.contents))]
        return [
            MediaError(Path(self.source), "is torn; mend it")
            if content is None
            else Item(names[i], {"text": Text(content)}, {}, Origin(self.source, self.stamp, i, len(self.contents)))
            for i, content in enumerate(self.contents)
        ]


def test_a_source_whose_stamp_stands_is_not_read(run: Any) -> None:
    run(Cut("book", "1", "a", "b", "c"))
    again = Cut("book", "1", "a", "b", "c")
    assert fates(run(again)) == (0, 0, 0, 3, 0, 0)
    assert again.read == 0


def test_a_source_of_another_stamp_is_read_and_what_is_equal_is_not_encoded(run: Any) -> None:
    run(Cut("book", "1", "a", "b", "c"))
    assert fates(run(Cut("book", "2", "a", "B", "c"))) == (0, 1, 0, 2, 0, 1)
    once_more = Cut("book", "2", "a", "B", "c")
    run(once_more)
    assert once_more.read == 0, "the stamp of the unchanged parts was renewed too"


@pytest.mark.parametrize("after", [("a", "b"), ("ab",), ("x", "a", "b", "c", "d"), ("c",)])
def test_what_is_stale_of_a_source_is_removed(run: Any, after: tuple[str, ...]) -> None:
    run(Cut("book", "1", "a", "b", "c"), *texts("elsewhere"))
    run(Cut("book", "2", *after))
    there = {one: payload["octant"]["media"]["text"]["text"] for one, payload in run.shelf.contents().items()}
    names = ["book"] if len(after) == 1 else [f"book#{i}" for i in range(len(after))]
    assert there == {**dict(zip(names, after, strict=True)), "elsewhere": "elsewhere"}


def test_a_source_that_cannot_be_read_now_keeps_what_was_read_of_it(run: Any) -> None:
    run(Cut("book", "1", "a", "b"))
    report = run(Cut("book", "2", None))
    assert len(report.failed) == 1
    assert set(run.shelf.contents()) == {"book#0", "book#1"}


def test_a_source_with_a_broken_part_is_read_again_until_it_is_whole(run: Any) -> None:
    assert len(run(Cut("book", "1", "a", None, "c")).failed) == 1
    again = Cut("book", "1", "a", None, "c")
    assert len(run(again).failed) == 1, "what failed is not forgotten because the rest stands"
    assert again.read == 1
    assert fates(run(Cut("book", "1", "a", "b", "c"))) == (1, 0, 0, 2, 0, 1)


def test_a_renamed_file_keeps_its_vectors(run: Any, encoder: Counted, tmp_path: Path) -> None:
    old, new = tmp_path / "old name.txt", tmp_path / "new.txt"
    old.write_text("x")
    run(Cut(old.as_uri(), "1", "content"))
    old.rename(new)
    assert fates(run(Cut(new.as_uri(), "1", "content"))) == (0, 0, 1, 0, 0, 0)
    assert encoder.encoded == 1


def photos(*seeds: int) -> dict[str, Image]:
    return {f"photo{seed}": Image(np.full((8, 8, 3), seed, np.uint8)) for seed in seeds}


def test_several_photos_become_a_multivector() -> None:
    encoder = Counted(Modality.IMAGE)
    schema = counted_schema(encoder, several=Several.MULTIVECTOR)
    shelf = Shelf(schema)
    ingest([Item("one", photos(1)), Item("three", photos(2, 3, 4))], schema, shelf)
    records, _ = shelf.client.scroll("shelf", with_vectors=True)
    assert {(r.payload or {})["octant"]["id"]: len(r.vector["image"]) for r in records} == {"one": 1, "three": 3}  # type: ignore[index,arg-type,call-overload]


def test_several_photos_become_linked_points_and_go_when_they_are_gone() -> None:
    encoder = Counted(Modality.IMAGE)
    schema = counted_schema(encoder, several=Several.LINKED)
    shelf = Shelf(schema)
    ingest([Item("cup", photos(1, 2, 3), {"price": 5})], schema, shelf)
    contents = shelf.contents()
    assert set(contents) == {"cup", "cup#photo2", "cup#photo3"}
    assert contents["cup#photo2"]["parent"] == "cup"
    assert contents["cup#photo3"]["price"] == 5
    report = ingest([Item("cup", photos(1, 3), {"price": 5})], schema, shelf)
    assert set(shelf.contents()) == {"cup", "cup#photo3"}
    assert (report.deleted, report.encoded) == (1, 0)


def test_only_dense_fields_hold_several_vectors() -> None:
    from octant.backends.hashing import BagOfWords

    with pytest.raises(ValueError, match="multivector of dense"):
        Field("words", Space("words", BagOfWords()), Modality.TEXT, several=Several.MULTIVECTOR)


class Emptied(Cut):
    def items(self) -> Any:
        return [Skipped(self.source, "is silent from its beginning to its end")]


def test_a_source_that_holds_nothing_any_more_is_removed(run: Any) -> None:
    run(Cut("tape", "1", "a", "b"), *texts("c"))
    report = run(Emptied("tape", "2"))
    assert (report.deleted, len(report.skipped)) == (2, 1)
    assert set(run.shelf.contents()) == {"c"}


def test_linked_photos_that_were_renamed_leave_nothing_behind() -> None:
    encoder = Counted(Modality.IMAGE)
    schema = counted_schema(encoder, several=Several.LINKED)
    shelf = Shelf(schema)

    def named(**seeds: int) -> Item:
        return Item("x", {name: Image(np.full((8, 8, 3), seed, np.uint8)) for name, seed in seeds.items()})

    ingest([named(front=1, back=2, top=3)], schema, shelf)
    ingest([named(front=1, side=4, top=3)], schema, shelf)
    assert set(shelf.contents()) == {"x", "x#side", "x#top"}
    ingest([named(side=4, front=1, top=3)], schema, shelf)
    assert set(shelf.contents()) == {"x", "x#front", "x#top"}
    report = ingest([named(side=4, front=1, top=3)], schema, shelf)
    assert fates(report) == (0, 0, 0, 3, 0, 0)


def test_a_part_that_cannot_be_read_now_keeps_what_stands_of_it(run: Any, tmp_path: Path) -> None:
    photo = tmp_path / "photo.bin"
    schema_run = run
    schema_run(Cut("book", "1", "a", "b", "c"))

    class Torn(Cut):
        def items(self) -> Any:
            first, second, third = super().items()
            return [first, Item(second.id, {"image": Image(photo)}, {}, second.origin), third]  # type: ignore[union-attr]

    report = schema_run(Torn("book", "2", "a", "b", "c"))
    assert len(report.failed) == 1
    assert set(run.shelf.contents()) == {"book#0", "book#1", "book#2"}


class Failing(Shelf):
    """A store that goes away after so many writes."""

    left = 0

    def write(self, points: list[models.PointStruct]) -> None:
        if not self.left:
            raise StoreError("it is gone")
        self.left -= 1
        super().write(points)


@pytest.mark.parametrize("batch_size", [1, 2, 4, 8])
def test_a_stream_that_was_broken_off_within_a_source_loses_nothing_when_it_comes_again(batch_size: int) -> None:
    """Of a stream the items of one source come one by one: the first of them are no whole source."""
    pages: list[Arrival] = [
        Item(f"{book}.{page}", {"text": Text(f"book {book} page {page}")}, {}, Origin(f"#{book}", None, page, 3))
        for book in range(3)
        for page in range(3)
    ]
    for writes in range(1, len(pages)):
        shelf = Failing(words_schema())
        shelf.left = writes
        try:
            ingest(pages, words_schema(), shelf, batch_size=batch_size)
        except StoreError:
            stood = len(shelf.contents())
            shelf.left = 100
            report = ingest(pages, words_schema(), shelf, batch_size=batch_size)
            assert fates(report)[:5] == (len(pages) - stood, 0, 0, stood, 0), f"after {writes} writes"
        assert len(shelf.contents()) == len(pages)
