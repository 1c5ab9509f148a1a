"""What goes wrong around a database: strangers' folders, short writes, errors that cannot travel."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from qdrant_client.http import models as m

from octant.errors import StoreError
from octant.stores import copying, directory, open_store
from octant.stores.edge import EdgeClient
from octant.stores.pipe import Failure
from octant.stores.worker import AsyncWorkerClient, WorkerClient


def test_a_strangers_directory_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    thesis = tmp_path / "collections" / "my-thesis" / "chapter1.tex"
    thesis.parent.mkdir(parents=True)
    thesis.write_text("years of work")
    with pytest.raises(StoreError, match=r"no meta\.json"):
        EdgeClient(tmp_path)
    assert thesis.read_text() == "years of work"
    assert [entry.name for entry in tmp_path.iterdir()] == ["collections"]


def test_a_database_that_lost_its_catalogue_loses_nothing_more(tmp_path: Path) -> None:
    client = EdgeClient(tmp_path)
    client.create_collection("things", {"dense": m.VectorParams(size=2, distance=m.Distance.DOT)})
    client.upsert("things", [m.PointStruct(id=1, vector={"dense": [1.0, 0.0]})])
    client.close()
    catalogue = (tmp_path / "meta.json").read_text()
    (tmp_path / "meta.json").unlink()
    with pytest.raises(StoreError, match=r"put its meta\.json back"):
        EdgeClient(tmp_path)
    (tmp_path / "meta.json").write_text(catalogue)
    client = EdgeClient(tmp_path)
    assert client.count("things").count == 1
    client.close()


def test_only_folders_of_octants_own_naming_are_swept(tmp_path: Path) -> None:
    EdgeClient(tmp_path).close()
    kept, swept = tmp_path / "collections" / "mine", tmp_path / "collections" / ("0" * 32)
    kept.mkdir()
    swept.mkdir()
    EdgeClient(tmp_path).close()
    assert kept.is_dir()
    assert not swept.exists()


def test_a_copy_is_whole_however_little_the_disk_takes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    source.mkdir()
    content = os.urandom(100_000)
    (source / "file").write_bytes(content)
    write = os.write

    def sparing(file: int, data: memoryview) -> int:
        return write(file, data[:1000])

    monkeypatch.setattr(os, "write", sparing)
    copying.copy_folder(source, tmp_path / "target")
    assert (tmp_path / "target" / "file").read_bytes() == content


def test_an_error_that_cannot_travel_arrives_as_a_store_error_and_the_client_lives_on(tmp_path: Path) -> None:
    client = WorkerClient(tmp_path)
    wrong: Any = {"v": 5}
    with pytest.raises((StoreError, TypeError, AttributeError, ValueError)):
        client.create_collection("things", wrong)
    assert client.get_collections().collections == []
    client.close()


def test_errors_that_no_future_can_carry_become_store_errors() -> None:
    for error in (StopIteration("x"), BaseException("panic")):
        assert isinstance(Failure.of(error).unpack(), StoreError)


def test_an_index_of_no_known_kind_is_told(tmp_path: Path) -> None:
    client = EdgeClient(tmp_path)
    client.create_collection("things", {"dense": m.VectorParams(size=2, distance=m.Distance.DOT)})
    wrong: Any = 5
    with pytest.raises(StoreError, match="no schema of a payload index"):
        client.create_payload_index("things", "price", wrong)
    client.close()


async def test_an_opening_that_is_cancelled_gives_the_lock_back(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(AsyncWorkerClient.open(tmp_path), 0.05)
    open_store(path=tmp_path, worker=False).close()


def test_a_disk_that_is_nearly_full_is_told_before_it_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = EdgeClient(tmp_path)
    client.create_collection("things", {"dense": m.VectorParams(size=2, distance=m.Distance.DOT)})
    monkeypatch.setattr(directory, "ROOM", 1 << 60)
    point = m.PointStruct(id=1, vector={"dense": [1.0, 0.0]})
    with pytest.raises(StoreError, match="free some space"):
        client.upsert("things", [point])
    with pytest.raises(StoreError, match="free some space"):
        client.create_collection("more", {"dense": m.VectorParams(size=2, distance=m.Distance.DOT)})
    monkeypatch.undo()
    client.upsert("things", [point])
    client.close()
