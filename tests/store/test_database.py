"""An embedded database on disk: reopened, locked, killed, forked, swept."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from qdrant_client.http import models as m
from store_cases import DENSE, INDEXES, fill
from store_writer import read_state, state_after, write

from octant.errors import StoreError, StoreLocked
from octant.stores.directory import FORMAT
from octant.stores.edge import EdgeClient
from octant.stores.local import LocalClient

KILLS = int(os.environ.get("OCTANT_TEST_KILLS", "5"))


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    client = EdgeClient(tmp_path)
    fill(client)
    client.update_collection("things", metadata={"more": [1, {"a": None}]})
    before = client.get_collection("things"), client.query_points("things", DENSE, using="dense", with_vectors=True)
    client.close()
    client = EdgeClient(tmp_path)
    after = client.get_collection("things"), client.query_points("things", DENSE, using="dense", with_vectors=True)
    assert after == before
    assert after[0].config.metadata == {"made": "by tests", "more": [1, {"a": None}]}
    assert set(after[0].payload_schema) == set(INDEXES)
    client.close()


def test_a_closed_database_says_so(tmp_path: Path) -> None:
    client = EdgeClient(tmp_path)
    client.close()
    client.close()
    with pytest.raises(StoreError, match="closed"):
        client.get_collections()


def test_a_second_opening_names_who_holds_it(tmp_path: Path) -> None:
    client = EdgeClient(tmp_path)
    with pytest.raises(StoreLocked, match=f"{os.getpid()}.*this very process"):
        EdgeClient(tmp_path)
    script = f"from pathlib import Path; from octant.stores.edge import EdgeClient; EdgeClient(Path({str(tmp_path)!r}))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "StoreLocked" in found.stderr
    assert f"pid {os.getpid()}" in found.stderr
    client.close()
    EdgeClient(tmp_path).close()


def test_formats_are_not_mixed(tmp_path: Path) -> None:
    LocalClient(tmp_path / "local").close()
    with pytest.raises(StoreError, match="local mode"):
        EdgeClient(tmp_path / "local")
    EdgeClient(tmp_path / "edge").close()
    client = EdgeClient(tmp_path / "edge")
    client.create_collection("a", {"v": m.VectorParams(size=2, distance=m.Distance.DOT)})
    client.close()
    with pytest.raises(StoreError, match="Qdrant Edge"):
        LocalClient(tmp_path / "edge")


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    client = EdgeClient(tmp_path)
    client.create_collection("a", {"v": m.VectorParams(size=2, distance=m.Distance.DOT)})
    client.close()
    catalogue = json.loads((tmp_path / "meta.json").read_text())
    (tmp_path / "meta.json").write_text(json.dumps({**catalogue, "format": FORMAT + 1}))
    with pytest.raises(StoreError, match="update"):
        EdgeClient(tmp_path)
    (tmp_path / "meta.json").write_text("nonsense")
    with pytest.raises(StoreError, match="catalogue"):
        EdgeClient(tmp_path)


def test_a_folder_that_nobody_names_is_swept(tmp_path: Path) -> None:
    client = EdgeClient(tmp_path)
    client.create_collection("a", {"v": m.VectorParams(size=2, distance=m.Distance.DOT)})
    client.close()
    orphan = tmp_path / "collections" / "0123456789abcdef0123456789abcdef"
    orphan.mkdir()
    (orphan / "file").write_text("left by a crash")
    EdgeClient(tmp_path).close()
    assert not orphan.exists()
    assert len(list((tmp_path / "collections").iterdir())) == 1


def test_a_place_that_cannot_be_a_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(StoreError, match="file"):
        EdgeClient(tmp_path / "file")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_is_refused_and_the_parent_goes_on(tmp_path: Path) -> None:
    client = EdgeClient(tmp_path)
    client.create_collection("a", {"v": m.VectorParams(size=2, distance=m.Distance.DOT)})
    child = os.fork()
    if child == 0:
        try:
            client.count("a")
        except StoreError as error:
            os._exit(0 if "after forking" in str(error) else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert client.count("a").count == 0
    client.close()
    EdgeClient(tmp_path).close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["octant.stores.edge"])
    dice = random.Random(KILLS)
    for kill in range(KILLS):
        path = tmp_path / str(kill)
        theirs, ours = context.Pipe()
        process = context.Process(target=write, args=(path, ours))
        process.start()
        ours.close()
        assert theirs.poll(60), "the writer has not begun"
        time.sleep(dice.uniform(0, 0.5))
        process.kill()
        process.join()
        acknowledged = 0
        try:
            while True:
                acknowledged = theirs.recv() + 1
        except EOFError:
            pass
        client = EdgeClient(path)
        found = read_state(client)
        assert found in (state_after(acknowledged), state_after(acknowledged + 1))
        assert client.count("things").count == len(found)
        client.upsert("things", [m.PointStruct(id=0, vector={"dense": np.zeros(16).tolist()}, payload={})])
        client.close()


def test_threads_may_share_a_client(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    client = EdgeClient(tmp_path)
    client.create_collection("a", {"v": m.VectorParams(size=2, distance=m.Distance.DOT)})

    def add(start: int) -> int:
        for point_id in range(start, start + 100):
            client.upsert("a", [m.PointStruct(id=point_id, vector={"v": [1.0, float(point_id)]})])
            client.query_points("a", [1.0, 1.0], using="v")
        return start

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(add, range(0, 400, 100))) == [0, 100, 200, 300]
    assert client.count("a").count == 400
    client.close()


def test_a_catalogue_that_cannot_be_written_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = EdgeClient(tmp_path)
    client.create_collection("a", {"v": m.VectorParams(size=2, distance=m.Distance.DOT)}, metadata={"x": 1})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(StoreError, match="No space left"):
            client.create_collection("b", {"v": m.VectorParams(size=2, distance=m.Distance.DOT)})
        with pytest.raises(StoreError, match="No space left"):
            client.update_collection("a", metadata={"x": 2})
    assert [one.name for one in client.get_collections().collections] == ["a"]
    assert client.get_collection("a").config.metadata == {"x": 1}
    client.create_collection("b", {"v": m.VectorParams(size=2, distance=m.Distance.DOT)})
    client.close()
    again = EdgeClient(tmp_path)
    assert [one.name for one in again.get_collections().collections] == ["a", "b"]
    again.close()
