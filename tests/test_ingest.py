"""The pipeline: everything that can be stored is stored, and the rest is reported."""

import threading
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from qdrant_client.http import models
from schemas import words_schema

from octant import EncoderSpec, Field, Image, Item, MediaError, Modality, Role, Schema, Skipped, Space, Text
from octant.ingest import Arrival, Progress, ingest
from octant.vectors import Vector


class Shelf:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def write(self, points: list[models.PointStruct]) -> None:
        self.batches.append([(point.payload or {})["octant"]["id"] for point in points])

    @property
    def ids(self) -> list[str]:
        return [one for batch in self.batches for one in batch]


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
    shelf = Shelf()
    report = ingest(texts(*"abcdefg"), words_schema(), shelf.write, batch_size=3)
    assert shelf.batches == [["a", "b", "c"], ["d", "e", "f"], ["g"]]
    assert report.points == 7
    assert report.added == {Modality.TEXT: 7}
    assert not report.failed
    assert not report.skipped


def test_all_broken_media_of_a_batch_are_left_out_at_once_and_the_rest_stored() -> None:
    shelf, encoder = Shelf(), Picky()
    report = ingest(texts("a", "bad 1", "b", "bad 2", "c"), picky_schema(encoder), shelf.write)
    assert shelf.ids == ["a", "b", "c"]
    assert [(one.source, one.reason) for one in report.failed] == [
        ("bad 1", "broken; mend it"),
        ("bad 2", "broken; mend it"),
    ]
    assert encoder.batches == [5, 3]


def test_a_batch_of_nothing_but_broken_media_stores_nothing() -> None:
    shelf = Shelf()
    report = ingest(texts("bad 1", "bad 2"), picky_schema(Picky()), shelf.write)
    assert shelf.batches == []
    assert len(report.failed) == 2


def test_an_encoder_error_that_names_no_item_is_raised_and_not_swallowed() -> None:
    class Elsewhere(Picky):
        def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
            raise MediaError(Text("not of this batch"), "nothing to do with it")

    with pytest.raises(MediaError, match="nothing to do with it"):
        ingest(texts("a"), picky_schema(Elsewhere()), Shelf().write)


def test_a_second_item_of_the_same_id_is_reported_and_the_first_kept() -> None:
    shelf = Shelf()
    twins: list[Arrival] = [Item("x", {"text": Text("first")}), Item("x", {"text": Text("second")})]
    report = ingest(twins, words_schema(), shelf.write)
    assert shelf.ids == ["x"]
    assert report.failed[0].source == "x"
    assert "first is kept" in report.failed[0].reason


def test_what_adapters_could_not_read_is_in_the_report() -> None:
    arrivals: list[Arrival] = [
        Skipped("a.xyz", "not a kind that octant reads"),
        MediaError(Image(b""), "it is empty"),
        *texts("a"),
    ]
    report = ingest(arrivals, words_schema(), Shelf().write)
    assert [one.source for one in report.skipped] == ["a.xyz"]
    assert [one.reason for one in report.failed] == ["it is empty"]
    assert report.points == 1
    assert report.as_dict()["failed"] == [{"source": "Image(<0 bytes>)", "reason": "it is empty"}]


def test_an_item_that_is_broken_when_it_is_described_is_reported() -> None:
    shelf = Shelf()
    items: list[Arrival] = [Item("torn", {"image": Image(b"no image at all")}), *texts("a")]
    report = ingest(items, words_schema(), shelf.write)
    assert shelf.ids == ["a"]
    assert report.failed[0].source == "torn"


def test_a_store_that_refuses_ends_the_run_with_its_own_error() -> None:
    def refuse(points: list[models.PointStruct]) -> None:
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="disk is full"):
        ingest(texts(*"abc"), words_schema(), refuse)


def test_points_are_counted_only_when_they_are_stored() -> None:
    seen: list[Progress] = []
    shelf = Shelf()

    def write(points: list[models.PointStruct]) -> None:
        shelf.write(points)
        assert sum(p.done for p in seen[-1:]) <= len(shelf.ids)

    report = ingest(texts(*"abcdefgh"), words_schema(), write, batch_size=2, progress=seen.append)
    assert seen[-1].done == report.points == 8
    assert [p.done for p in seen] == sorted(p.done for p in seen)


def test_memory_does_not_grow_with_the_corpus() -> None:
    """At most two batches wait to be encoded, and one to be written."""
    given, stored, ahead = 0, 0, 0

    def endless() -> Iterator[Arrival]:
        nonlocal given, ahead
        for i in range(400):
            given += 1
            ahead = max(ahead, given - stored)
            yield Item(str(i), {"text": Text(f"text {i}")})

    def write(points: list[models.PointStruct]) -> None:
        nonlocal stored
        stored += len(points)

    ingest(endless(), words_schema(), write, batch_size=10)
    assert stored == 400
    assert ahead <= 5 * 10


def test_writing_goes_on_while_the_next_batch_is_encoded() -> None:
    encoding_second = threading.Event()

    class Watched(Picky):
        def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
            if len(self.batches) == 1:
                encoding_second.set()
            return super().encode(batch, role)

    def write(points: list[models.PointStruct]) -> None:
        assert encoding_second.wait(timeout=10), "the second batch was not encoded while the first was being written"

    report = ingest(texts(*"abcd"), picky_schema(Watched()), write, batch_size=2)
    assert report.points == 4


def test_the_report_reads_well() -> None:
    report = ingest([*texts("a", "b"), Skipped("c.xyz", "not a kind that octant reads")], words_schema(), Shelf().write)
    assert str(report).startswith("2 items stored (2 text) in ")
    assert "c.xyz: not a kind that octant reads" in str(report)


def test_items_with_metadata_that_no_store_keeps_are_reported_and_the_rest_stored() -> None:
    shelf = Shelf()
    items: list[Arrival] = [*texts("a"), Item("bad", {"text": Text("b")}, {"price": float("nan")}), *texts("c")]
    report = ingest(items, words_schema(), shelf.write)
    assert shelf.ids == ["a", "c"]
    assert report.failed[0].source == "bad"
    assert "metadata.price is nan" in report.failed[0].reason


def test_what_came_before_a_source_failed_is_stored() -> None:
    def breaks_off() -> Iterator[Arrival]:
        yield from texts(*"abcde")
        raise RuntimeError("the table ends here")

    shelf = Shelf()
    with pytest.raises(RuntimeError, match="table ends here"):
        ingest(breaks_off(), words_schema(), shelf.write, batch_size=2)
    assert shelf.ids == list("abcde")


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ingest([], words_schema(), Shelf().write, batch_size=0)
