"""Killed at any moment and run again, an ingest gives the collection of a run that nobody disturbed."""

import multiprocessing
import os
import random
import shutil
import time
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, cast

import numpy as np
import PIL.Image
import pytest
from ingest_runner import run, schema

import octant

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kill -9 and forked servers are POSIX's")

DATABASES = 5
KILLS = 3
"""Of each database while it is first filled, and again while it follows a folder that has changed: 30 in all."""


forked = multiprocessing.get_context("forkserver")
forked.set_forkserver_preload(["ingest_runner"])  # importing the engine takes longer than what is to be interrupted


def start(database: Path, folder: Path, verb: str) -> tuple[ForkServerProcess, "Connection[Any, Any]"]:
    ours, theirs = cast("tuple[Connection[Any, Any], Connection[Any, Any]]", forked.Pipe())
    process = forked.Process(target=run, args=(str(database), str(folder), verb, theirs))
    process.start()
    theirs.close()
    assert ours.poll(60)
    assert ours.recv() == "begins"
    return process, ours


def finish(database: Path, folder: Path, verb: str) -> float:
    process, connection = start(database, folder, verb)
    began = time.perf_counter()
    assert "items stored" in connection.recv()
    took = time.perf_counter() - began
    process.join()
    assert process.exitcode == 0
    return took


def killed(database: Path, folder: Path, verb: str, after: float) -> bool:
    """Whether it was still at work when it was killed."""
    process, connection = start(database, folder, verb)
    at_work = not connection.poll(after)
    process.kill()
    process.join()
    return at_work


def contents(database: Path) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    with octant.open("lib", path=database, schema=schema(), worker=False, create=False) as collection:
        records, _ = collection.client.scroll("lib", limit=10_000, with_vectors=True)
    return {str(record.id): (record.payload or {}, record.vector or {}) for record in records}  # type: ignore[misc]


def assert_same(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert found.keys() == wanted.keys()
    for point, (payload, vectors) in wanted.items():
        assert found[point][0] == payload
        assert found[point][1].keys() == vectors.keys()
        for name, vector in vectors.items():
            np.testing.assert_allclose(found[point][1][name], vector, atol=1e-6)


def settle(folder: Path) -> None:
    """Let files be old: what was written a moment ago is looked at again, and would be told from an older run."""
    for path in sorted(folder.rglob("*")):
        os.utime(path, (1_700_000_000, 1_700_000_000 + len(path.name)))
    time.sleep(2.1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media") / "folder"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(60):
        words = [f"word{rng.integers(500)}" for _ in range(int(rng.integers(5, 40)))]
        paragraphs = [" ".join(words[j : j + 12]) + "." for j in range(0, len(words), 12)]
        (folder / f"note{i}.txt").write_text("\n\n".join(paragraphs))
    for i in range(60):
        PIL.Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(folder / f"photo{i}.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    settle(folder)
    return folder


def changed(folder: Path) -> Path:
    """The same folder later: files were edited, cut, renamed, added and removed."""
    later = folder.parent / "later"
    shutil.copytree(folder, later)
    for i in range(20):
        (later / f"note{i}.txt").unlink()
    for i in range(20, 30):
        (later / f"note{i}.txt").rename(later / f"renamed{i}.txt")
    for i in range(30, 40):
        (later / f"note{i}.txt").write_text(f"a few words {i}")
    for i in range(40, 50):
        content = (later / f"note{i}.txt").read_text()
        (later / f"note{i}.txt").write_text(f"A new beginning of some words {i}.\n\n" + content)
    for i in range(10):
        (later / f"photo{i}.png").replace(later / f"photo{i + 20}.png")
    settle(later)
    shutil.rmtree(folder)
    later.rename(folder)
    return folder


def test_thirty_kills(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))  # where the server of forks finds what to preload
    chance = random.Random(30)
    calm = tmp_path / "calm"
    took = finish(calm, folder, "add")
    wanted = contents(calm)
    assert len(wanted) > 200, "the texts were cut into parts"

    hit = 0
    databases = [tmp_path / str(i) for i in range(DATABASES)]
    for database in databases:
        hit += sum(killed(database, folder, "add", chance.uniform(0, took * 0.6)) for _ in range(KILLS))
        finish(database, folder, "add")
        assert_same(contents(database), wanted)

    changed(folder)
    took = finish(calm, folder, "sync")
    wanted_later = contents(calm)
    assert wanted_later != wanted
    fresh = tmp_path / "fresh"
    finish(fresh, folder, "add")
    assert_same(wanted_later, contents(fresh))
    for database in databases:
        hit += sum(killed(database, folder, "sync", chance.uniform(0, took * 0.6)) for _ in range(KILLS))
        finish(database, folder, "sync")
        assert_same(contents(database), wanted_later)

    assert hit >= 2 * DATABASES * KILLS * 0.6, f"only {hit} kills hit a process at work"
