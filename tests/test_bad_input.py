"""A folder of everything that goes wrong: what can be stored is, the rest is reported, and nothing is lost."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from bad_media import make_bad_folder

import octant


def test_a_folder_of_bad_files_is_stored_as_far_as_it_can_be(tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    expected = make_bad_folder(folder)
    with octant.open("bad", path=tmp_path / "db") as collection:
        report = collection.add([folder, folder / "vanished.png"], batch_size=8)
        records, _ = collection.client.scroll("bad", limit=100_000)
        stored = {Path((record.payload or {})["path"]).name for record in records}
        assert report.points == collection.count()
    failed = {Path(one.source).name: one.reason for one in report.failed}
    skipped = {Path(one.source).name for one in report.skipped}
    assert {name for name, outcome in expected.items() if outcome == "ok"} == stored
    assert {name for name, outcome in expected.items() if outcome == "reported"} | {"vanished.png"} == set(failed)
    assert {name for name, outcome in expected.items() if outcome == "skipped"} == skipped
    assert all(len(reason) > 10 for reason in failed.values())


def test_long_texts_long_sounds_and_short_sounds_are_embedded_whole(tmp_path: Path) -> None:
    """What stands at the end of a long text counts as much as what stands at its beginning."""
    start = "wheat " * 4000
    with octant.open("long", path=tmp_path) as collection:
        collection.add([octant.Item("tail", {"t": octant.Text(start + "helicopter " * 4000)})])
        collection.add([octant.Item("head", {"t": octant.Text(start + "wheat " * 4000)})])
        assert collection.search("helicopter", into="text")[0].id == "tail"


INGEST = """
import sys
import octant
from schemas import words_schema
with octant.open("kill", path=sys.argv[1], schema=words_schema()) as collection:
    for n in range(10_000):
        collection.add([octant.Item(f"{n}-{i}", {"t": octant.Text(f"text {n} {i}")}, {"n": n}) for i in range(5)])
        print(n, flush=True)
"""


def test_nothing_is_lost_to_kill_9_once_add_has_returned(tmp_path: Path) -> None:
    from schemas import words_schema

    for round_ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", INGEST, str(tmp_path / str(round_))],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        )
        assert child.stdout is not None
        acknowledged = [line for line, _ in zip(child.stdout, range(5 + 7 * round_), strict=False)]
        child.send_signal(signal.SIGKILL)
        acknowledged += child.stdout.readlines()
        child.stdout.close()
        child.wait()
        with octant.open("kill", path=tmp_path / str(round_), schema=words_schema()) as collection:
            for n in range(int(acknowledged[-1]) + 1):
                assert collection.count({"n": n}) == 5, f"add number {n} had returned"
