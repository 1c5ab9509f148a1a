"""Everything hostile at once, through the command line: nothing crashes, nothing vanishes, memory stays bounded."""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

import octant
from hostile.images import images
from hostile.kinds import FAILED, PARTLY, SKIPPED, STORED, Table, write
from hostile.sounds import sounds
from hostile.texts import texts

pytest.importorskip("resource", reason="this system does not tell how much memory a program took")

CODES = {0, 1, 3}
"""All went well; some of it failed; nothing could be done (see octant.cli). 2 and 130 would be our own fault."""

MOST_MEMORY = 1536 << 20
"""Bytes at the peak. A batch is decoded in full: an image of up to 100 megapixels takes 300 MB as RGB, a long sound
60 MB, and there are two threads that describe and one that encodes; the models and the store take 300 MB. What the
corpus claims to hold is a thousand times more, so that one bomb that is believed would be seen."""

MOST_LINES = 1000
"""Of the report, about one file. Each part of it that is lost may be named, such as the pages of a long document; a
file of a few bytes that claims a million parts must not make a report of a million lines."""

MEASURE = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
with open(sys.argv[1], "w") as told:
    told.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code)
"""
"""Runs a command and writes down its peak memory. A process of its own: what a child is said to have taken is at least
what its parent had when it was born."""


@dataclass(frozen=True)
class Run:
    """One `octant index`, and what it left."""

    code: int
    report: dict[str, Any]
    stderr: str
    memory: int
    database: Path


def index(source: Path, workplace: Path, *, seconds: float = 300) -> Run:
    """Index a file or folder in a process of its own."""
    workplace.mkdir()
    database, peak = workplace / "db", workplace / "peak"
    command = [sys.executable, "-m", "octant", "index", str(source), "--json", "-c", "hostile", "--path", str(database)]
    process = subprocess.Popen(
        [sys.executable, "-c", MEASURE, str(peak), *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="backslashreplace",
        cwd=workplace,
        env={**os.environ, "PYTHONUTF8": "1"},
        start_new_session=True,
    )
    try:
        stdout, stderr = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # the program as well, not only the one that measures it
        raise
    unit = 1 if sys.platform == "darwin" else 1024
    assert stdout, stderr
    return Run(process.returncode, json.loads(stdout), stderr, int(peak.read_text()) * unit, database)


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    """The kinds of each modality, by the name of its folder."""
    return {"text": texts(), "image": images(), "audio": sounds()}


@pytest.fixture(scope="module")
def corpus(tables: dict[str, Table], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them, written."""
    folder = tmp_path_factory.mktemp("hostile").resolve() / "corpus"
    for name, table in tables.items():
        write(table, folder / name)
    return folder


@pytest.fixture(scope="module")
def run(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All of them, indexed at once."""
    return index(corpus, tmp_path_factory.mktemp("run") / "all")


@pytest.fixture(scope="module")
def outcomes(run: Run, corpus: Path) -> dict[tuple[str, str], Counter[str]]:
    """What became of each file, by modality and name: how often it was stored, failed, skipped."""
    found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for path in stored_paths(run.database):
        found[kind_of(path, corpus)][STORED] += 1
    for told in (FAILED, SKIPPED):
        for one in run.report[told]:
            found[kind_of(one["source"], corpus)][told] += 1
    return found


def stored_paths(database: Path) -> set[str]:
    """The paths that points carry."""
    paths: set[str] = set()
    with octant.open("hostile", path=database, worker=False) as collection:
        offset = None
        while True:
            records, offset = collection.client.scroll("hostile", limit=1000, offset=offset, with_payload=["path"])
            paths |= {(record.payload or {})["path"] for record in records}
            if offset is None:
                return paths


def kind_of(source: str, corpus: Path) -> tuple[str, str]:
    """The modality and the name of the file, or of what lies in a folder of that name."""
    if source.startswith(("b'", 'b"')):  # a name that is not Unicode
        source = os.fsdecode(ast.literal_eval(source))
    if source.startswith("file:"):  # an item's id
        source = unquote(urlsplit(source).path)
    relative = Path(source).relative_to(corpus)
    return relative.parts[0], relative.parts[1]


def test_there_are_at_least_sixty_kinds_of_each_modality(
    tables: dict[str, Table],
    corpus: Path,
    outcomes: dict[tuple[str, str], Counter[str]],
    run: Run,
    capsys: pytest.CaptureFixture[str],
) -> None:
    counts = {modality: len(table) for modality, table in tables.items()}
    lines = [", ".join(f"{modality} {count}" for modality, count in counts.items()) + " hostile kinds"]
    for modality in tables:
        became = Counter(told for (of, _), tolds in outcomes.items() if of == modality for told in tolds)
        lines.append(f"  {modality}: " + ", ".join(f"{count} {told}" for told, count in sorted(became.items())))
    lines.append(f"  peak memory {run.memory / 1e6:.0f} MB, {run.report['seconds']} s")
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")
    assert min(counts.values()) >= 60
    occupied = sum(path.lstat().st_blocks * 512 for path in corpus.rglob("*"))
    assert occupied < 60e6


def test_the_run_ends_as_documented_and_without_a_traceback(run: Run) -> None:
    assert run.code == 1, run.stderr
    assert "Traceback" not in run.stderr
    assert "Error:" not in run.stderr


def test_memory_is_bounded(run: Run) -> None:
    assert run.memory < MOST_MEMORY


def test_every_file_is_accounted_for_exactly_once(
    tables: dict[str, Table], outcomes: dict[tuple[str, str], Counter[str]]
) -> None:
    kinds = {(modality, name) for modality, table in tables.items() for name in table}
    assert kinds - set(outcomes) == set(), "dropped in silence"
    assert set(outcomes) - kinds == set(), "out of nowhere"
    wordy = {one: told for one, told in outcomes.items() if told[FAILED] + told[SKIPPED] > MOST_LINES}
    assert not wordy
    several = {one for one, told in outcomes.items() if len(told) > 1}
    assert several == {one for one in several if PARTLY in tables[one[0]][one[1]].outcomes}


def test_every_kind_has_the_outcome_that_it_should(
    tables: dict[str, Table], outcomes: dict[tuple[str, str], Counter[str]], run: Run
) -> None:
    reasons = {one["source"]: one["reason"] for told in (FAILED, SKIPPED) for one in run.report[told]}
    wrong: list[str] = []
    for modality, table in tables.items():
        for name, kind in table.items():
            told = outcomes.get((modality, name), Counter())
            became = PARTLY if len(told) > 1 else next(iter(told), "nothing")
            if became not in kind.outcomes:
                reason = next((r for source, r in reasons.items() if source.endswith(f"{modality}/{name}")), "")
                wrong.append(f"{modality}/{name!r}: {became}, not {'/'.join(sorted(kind.outcomes))}. {reason}")
    assert not wrong, "\n".join(wrong)


def test_every_failure_gives_a_reason_and_a_remedy(run: Run) -> None:
    """The house style: what is wrong; what to do."""
    assert run.report[FAILED]
    without = [one for one in run.report[FAILED] if "; " not in one["reason"] or len(one["reason"]) < 20]
    assert not without
    assert all(one["reason"] for one in run.report[SKIPPED])


@pytest.mark.parametrize("modality", ["text", "image", "audio"])
def test_each_file_alone_ends_as_documented(
    modality: str, tables: dict[str, Table], corpus: Path, tmp_path: Path
) -> None:
    """A sample: every so many kinds, and those whose outcome is certain."""
    certain = [name for name, kind in tables[modality].items() if len(kind.outcomes) == 1]
    sample = certain[:: len(certain) // 3 + 1]
    files = [corpus / modality / name for name in sample]
    with ThreadPoolExecutor(2) as side_by_side:
        runs = list(side_by_side.map(index, files, [tmp_path / str(n) for n in range(len(files))]))
    for name, run in zip(sample, runs, strict=True):
        expected = {STORED: {0}, FAILED: {1, 3}, SKIPPED: {0, 3}}[next(iter(tables[modality][name].outcomes))]
        assert run.code in expected & CODES, f"{name!r}: {run.code}, {run.stderr}"
        assert "Traceback" not in run.stderr


def test_the_corpus_is_the_same_each_time(tables: dict[str, Table], corpus: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    for name, table in tables.items():
        write(table, again / name)
    for path in corpus.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 100e6 and os.access(path, os.R_OK):
            assert path.read_bytes() == (again / path.relative_to(corpus)).read_bytes(), path
    shutil.rmtree(again)
