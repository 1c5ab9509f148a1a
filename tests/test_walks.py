"""The walks of docs/architecture.md: the functions that a datum passes, in this order, once each."""

import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from schemas import words_schema

import octant
from octant import Image

INDEX_A_FOLDER = [
    "collection.Collection.add",
    "ingest.ingest",
    "adapters.sources.arrivals",
    "adapters.files.files_in",
    "adapters.files.FoundFile.items",
    "adapters.text.TextAdapter.pieces",
    "schema.Schema.check",
    "schema.Field.pick",
    "media.describe.describe",
    "payload.payload_of",
    "schema.Schema.points",
    "space.Space.encode",
    "backends.hashing.Hashing.encode",
    "schema.to_qdrant",
    "payload.point_id",
    "stores.edge.EdgeClient.upsert",
]
SEARCH = [
    "collection.Collection.search",
    "collection.Collection.search_many",
    "answer.answers",
    "plan.make_plans",
    "space.Space.encode",
    "backends.hashing.Hashing.encode",
    "filters.filter_of",
    "plan.Plan.request",
    "stores.edge.EdgeClient.query_batch_points",
    "schema.Schema.hit",
    "payload.item_from_payload",
]
SEARCH_AWAITED = [
    "collection.AsyncCollection.search",
    "collection.AsyncCollection.search_many",
    "answer.answers",
    "compute.offload",  # make_plans and Plan.request, in the thread for such work, which runs already
    "stores.worker.AsyncWorkerClient._call",
    "schema.Schema.hit",
]


@contextmanager
def calls() -> Generator[list[str]]:
    """Every function of octant that is entered, in all threads, in order."""
    seen: list[str] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        name = frame.f_globals.get("__name__", "")
        if event == "call" and name.startswith("octant."):
            seen.append(f"{name.removeprefix('octant.')}.{frame.f_code.co_qualname}")

    profile: Callable[[FrameType, str, Any], None] = note
    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        yield seen
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def firsts(seen: list[str], wanted: list[str]) -> list[str]:
    """The wanted functions in the order in which each was first entered."""
    return sorted((name for name in wanted if name in seen), key=seen.index)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    media = tmp_path / "media"
    media.mkdir()
    (media / "note.txt").write_text("the dog likes the park")
    return media


def test_index_a_folder(folder: Path, tmp_path: Path) -> None:
    with octant.open("lib", path=tmp_path / "db", schema=words_schema()) as collection:
        with calls() as seen:
            report = collection.add(folder)
        assert report.points == 1
    assert firsts(seen, INDEX_A_FOLDER) == INDEX_A_FOLDER


def test_search_by_image_into_audio(folder: Path, tmp_path: Path) -> None:
    with octant.open("lib", path=tmp_path / "db", schema=words_schema()) as collection:
        collection.add([folder, octant.Audio(np.zeros(100, dtype=np.float32), rate=8000)])
        with calls() as seen:
            hits = collection.search(Image(np.zeros((4, 4, 3), dtype=np.uint8)), into="audio", where={}, limit=5)
        assert len(hits) == 1
    assert firsts(seen, SEARCH) == SEARCH
    assert seen.count("stores.edge.EdgeClient.query_batch_points") == 1, "one round trip"
    assert seen.count("backends.hashing.Hashing.encode") == 1, "the query is encoded once"


async def test_search_awaited(folder: Path, tmp_path: Path) -> None:
    async with await octant.open_async("lib", path=tmp_path / "db", schema=words_schema()) as collection:
        await collection.add(folder)
        await collection.search("anything")  # the first one measures what chance scores
        with calls() as seen:
            hits = await collection.search("dog park", into="text")
        assert hits[0].metadata["name"] == "note.txt"
    assert firsts(seen, SEARCH_AWAITED) == SEARCH_AWAITED
