"""Ray's workers make the collection that one process makes, though one of them is killed."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import PIL.Image
import pytest
from distributed_parts import DEADLY, FATAL, Pages, schema, stand_in

import octant
from octant import distributed
from octant.errors import MissingExtra, SchemaMismatch, StoreError

pytestmark = pytest.mark.filterwarnings(r"ignore::DeprecationWarning:ray\.")  # of its own options, by itself


@pytest.fixture(scope="module")
def running() -> Iterator[None]:
    """Ray on this machine."""
    pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))  # else Ray leaves one in the home folder
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)  # for the parts
        ray: Any = import_module("ray")
        data: Any = import_module("ray.data")
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 * 2**20)
        data.DataContext.get_current().enable_progress_bars = False
        yield
        ray.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    rng = np.random.default_rng(0)
    for i in range(30):
        words = [f"word{rng.integers(500)}" for _ in range(10 + 3 * i)]
        (folder / f"note{i:02}.txt").write_text(". ".join(words))
    (folder / "note18.txt").write_text(f"a deadly one: {DEADLY}")
    for i in range(12):
        PIL.Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(folder / f"photo{i}.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "other.bin").write_bytes(b"\0\1\2")
    time.sleep(2.1)  # what was written a moment ago has no stamp yet
    return folder


@pytest.fixture(params=["stand-in", "server"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "server":
        yield request.getfixturevalue("server_url")
        return
    with stand_in() as url:
        yield url


def contents(collection: octant.Collection) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    records, _ = collection.client.scroll(collection.name, limit=10_000, with_vectors=True)
    return {str(record.id): (record.payload or {}, record.vector or {}) for record in records}  # type: ignore[misc]


def test_a_killed_worker_changes_nothing(running: None, folder: Path, url: str, tmp_path: Path) -> None:
    calm, diary = tmp_path / "calm", tmp_path / "diary"
    calm.mkdir()
    diary.mkdir()
    (calm / "killed").touch()
    run_of = uuid4().hex  # the server may be shared, and last
    with octant.open(f"calm-{run_of}", url=url, schema=schema(calm)) as collection:
        wanted_report = collection.add([folder, Pages(5)], batch_size=2)
        wanted = contents(collection)
        collection.client.delete_collection(collection.name)
    assert len(wanted) > 70, "the texts were cut into parts"

    run = partial(
        distributed.ingest,
        [folder, Pages(5)],
        collection=f"spread-{run_of}",
        schema=lambda: schema(diary),
        url=url,
        batch_size=2,
    )
    report = run(workers=2)
    assert (diary / "killed").exists()
    workers = [path for path in diary.glob("pid*") if path.name != f"pid{os.getpid()}"]
    assert len(workers) >= 3, "two, and the one that took the place of the dead"
    assert report.unchanged > 0, "the dead one had stored something of its task"
    assert report.added + report.unchanged == wanted_report.added == len(wanted)
    assert sorted(map(repr, report.failed)) == sorted(map(repr, wanted_report.failed))
    assert sorted(map(repr, report.skipped)) == sorted(map(repr, wanted_report.skipped))
    with octant.open(f"spread-{run_of}", url=url, schema=schema(diary), create=False) as collection:
        found = contents(collection)
        assert found == wanted

        again = run(workers=1)
        assert (again.encoded, again.points, again.deleted) == (0, 0, 0)
        assert again.unchanged == len(wanted)
        assert contents(collection) == wanted
        collection.client.delete_collection(collection.name)


def test_what_kills_every_worker_is_reported_and_the_rest_stored(running: None, tmp_path: Path) -> None:
    texts = [octant.Item(str(i), {"text": octant.Text(FATAL if i == 1 else f"harmless {i}")}) for i in range(12)]
    with stand_in() as url:
        report = distributed.ingest(
            texts, collection="lib", schema=partial(schema, tmp_path), url=url, workers=1, batch_size=1
        )
        with octant.open("lib", url=url, schema=schema(tmp_path)) as collection:
            there = {item.id for item in collection.get([str(i) for i in range(12)])}
    assert {"4", "5", "6", "7", "8", "9", "10", "11"} <= there
    assert [one.source for one in report.failed] == ["0", "1", "2", "3"], "the task of the fatal one"
    assert "died 3 times" in report.failed[0].reason
    assert report.added == 8


def test_a_collection_of_another_schema_is_refused(running: None, tmp_path: Path) -> None:
    with stand_in() as url:
        octant.open("lib", url=url, schema=octant.Schema(*list(schema(tmp_path).fields.values())[:1])).close()
        with pytest.raises(SchemaMismatch, match="words"):
            distributed.ingest("a text", collection="lib", schema=lambda: schema(tmp_path), url=url)


def test_what_the_store_raises_in_a_worker_ends_the_run(running: None, tmp_path: Path) -> None:
    (tmp_path / "killed").touch()
    mine = os.getpid()

    def unlike() -> octant.Schema:
        fields = schema(tmp_path).fields
        return schema(tmp_path) if os.getpid() == mine else octant.Schema(fields["image"], _renamed(fields["text"]))

    with stand_in() as url, pytest.raises(StoreError, match="renamed"):
        distributed.ingest("a text", collection="lib", schema=unlike, url=url)


def _renamed(field: octant.Field) -> octant.Field:
    return octant.Field("renamed", field.space, field.modality)


def test_ray_is_asked_for_only_where_it_is_needed() -> None:
    code = "import sys, octant.distributed; sys.exit('ray' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"octant-search\[ray\]"):
        distributed.ingest("a text", collection="lib", schema=lambda: schema(tmp_path), url="http://127.0.0.1:1")


@pytest.mark.parametrize(("workers", "batch_size"), [(0, 32), (2, 0)])
def test_there_is_at_least_one(workers: int, batch_size: int, tmp_path: Path) -> None:
    run = partial(
        distributed.ingest, "a text", collection="lib", schema=partial(schema, tmp_path), url="http://[::1]:1"
    )
    with pytest.raises(ValueError, match="at least 1"):
        run(workers=workers, batch_size=batch_size)
