"""Indexing in the background: nobody asks, nobody waits, nothing is lost."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
from qdrant_client.http import models as m

from octant.errors import StoreLocked
from octant.stores import Client, indexing, wait_for_index
from octant.stores.copying import copy_folder
from octant.stores.edge import EdgeClient

DIM = 4096
POINTS = 1000
"""Few points of many numbers: beyond the size from which graphs are built, and quickly built."""


def make(path: Path, points: int = POINTS) -> EdgeClient:
    client = EdgeClient(path)
    client.create_collection("things", {"dense": m.VectorParams(size=DIM, distance=m.Distance.DOT)})
    add(client, 0, points)
    return client


def row(point_id: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.random.default_rng(point_id).standard_normal(DIM).astype(np.float32)


def add(client: Client, start: int, count: int, note: str = "") -> None:
    points = [
        m.PointStruct.model_construct(id=point_id, vector={"dense": row(point_id)}, payload={"note": note})
        for point_id in range(start, start + count)
    ]
    client.upsert("things", points)


def folders(path: Path) -> list[str]:
    return sorted(folder.name for folder in (path / "collections").iterdir())


def indexed(client: Client) -> int:
    return client.get_collection("things").indexed_vectors_count or 0


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def test_a_large_collection_is_indexed_without_being_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "SETTLED_SECONDS", 0.2)
    client = make(tmp_path)
    assert indexed(client) == 0
    until(lambda: indexed(client) > 0)
    assert client.query_points("things", row(7), using="dense", limit=1).points[0].id == 7
    until(lambda: len(folders(tmp_path)) == 1)
    client.close()
    client = EdgeClient(tmp_path)
    assert indexed(client) > 0
    assert client.hasten_index() == []
    client.close()


def test_a_small_collection_is_left_alone(tmp_path: Path) -> None:
    client = make(tmp_path, points=100)
    assert client.hasten_index() == []
    assert wait_for_index(client)
    client.close()


def test_reads_and_writes_go_on_and_are_kept(tmp_path: Path) -> None:
    client = make(tmp_path)
    assert client.hasten_index() == ["things"]
    written = POINTS
    while client.hasten_index():
        add(client, written, 1, "while indexing")
        client.set_payload("things", {"seen": written}, [written % 400])
        client.delete("things", [written - POINTS + 400])
        assert client.query_points("things", row(written), using="dense", limit=1).points[0].id == written
        written += 1
        time.sleep(0.01)
    assert indexed(client) > 0
    assert written - POINTS >= 5, "a caller that waits for the indexing would get one round, or two"
    during = range(POINTS, written)
    kept = client.retrieve("things", list(during))
    assert {record.id for record in kept if record.payload == {"note": "while indexing"}} == set(during)
    assert client.retrieve("things", [point_id - POINTS + 400 for point_id in during]) == []
    marked = client.retrieve("things", [point_id % 400 for point_id in during])
    assert all(record.payload and record.payload["seen"] >= POINTS for record in marked)
    assert client.count("things").count == POINTS
    client.close()


def test_deleted_points_are_dropped_from_the_index(tmp_path: Path) -> None:
    client = EdgeClient(tmp_path)
    client.create_collection("things", {"dense": m.VectorParams(size=2, distance=m.Distance.DOT)})
    points = [
        m.PointStruct(id=one, vector={"dense": [1.0, one / 7]}, payload={"old": one < 2000}) for one in range(3000)
    ]
    client.upsert("things", points)
    client.delete("things", m.Filter(must=[m.FieldCondition(key="old", match=m.MatchValue(value=True))]))
    assert client.hasten_index() == ["things"]
    assert wait_for_index(client, timeout=60)
    assert client.count("things").count == 1000
    client.close()


def test_closing_abandons_the_work_and_the_next_opening_resumes_it(tmp_path: Path) -> None:
    client = make(tmp_path)
    assert client.hasten_index() == ["things"]
    until(lambda: len(folders(tmp_path)) == 2)
    client.close()
    assert len(folders(tmp_path)) == 1
    client = EdgeClient(tmp_path)
    assert client.count("things").count == POINTS
    assert client.hasten_index() == ["things"]
    assert wait_for_index(client, timeout=60)
    assert indexed(client) > 0
    client.close()


def test_a_collection_deleted_while_it_is_indexed_is_gone(tmp_path: Path) -> None:
    client = make(tmp_path)
    assert client.hasten_index() == ["things"]
    until(lambda: len(folders(tmp_path)) == 2)
    client.delete_collection("things")
    until(lambda: folders(tmp_path) == [])
    assert client.hasten_index() == []
    client.close()


def opened(path: Path) -> EdgeClient:
    """Open the database of a process that was killed; a child that it was just starting may hold the lock a moment."""
    for _ in range(100):
        try:
            return EdgeClient(path)
        except StoreLocked:
            time.sleep(0.05)
    return EdgeClient(path)


def test_kill_9_while_indexing_loses_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    theirs, ours = context.Pipe()
    process = context.Process(target=_index_and_wait, args=(tmp_path, ours))
    process.start()
    assert theirs.poll(60), "indexing has not begun"
    process.kill()
    process.join()
    client = opened(tmp_path)
    assert client.count("things").count == POINTS + 1
    assert client.retrieve("things", [POINTS])[0].payload == {"note": "late"}
    assert wait_for_index(client, timeout=60)
    assert indexed(client) > 0
    until(lambda: len(folders(tmp_path)) == 1)
    client.close()


def _index_and_wait(path: Path, begun: Connection) -> None:
    client = make(path)
    client.hasten_index()
    until(lambda: len(folders(path)) == 2)
    add(client, POINTS, 1, "late")
    begun.send(None)
    time.sleep(60)


def test_copies_keep_their_holes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with (source / "sparse").open("wb") as file:
        file.write(b"begin")
        file.seek(50 << 20)
        file.write(b"middle")
        file.truncate(100 << 20)
    (source / "empty").touch()
    copy_folder(source, tmp_path / "copy")
    assert (tmp_path / "copy" / "sparse").read_bytes() == (source / "sparse").read_bytes()
    assert (tmp_path / "copy" / "empty").stat().st_size == 0
    if hasattr(os, "SEEK_DATA"):
        assert (tmp_path / "copy" / "sparse").stat().st_blocks * 512 < 10 << 20
