"""A second run over a folder in which nothing has changed, against the first.

    python benchmarks/ingest_rerun.py [--items 10000] [--kind image|text|mixed] [--encoder starter|hashing] [--json]

The folder holds so many small files, made with a fixed seed: 160 x 120 JPEGs, texts of 40 words, or both in turn. Both
runs are `Collection.add(folder)` on an embedded database, in fresh processes, as `octant index` would do it.

first   everything is read, described, encoded and written
second  everything is looked at, and nothing encoded or written
ratio   seconds of the first ÷ of the second, with and without the start of the process
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from rich.console import Console
from rich.table import Table

AIM = 50

CHILD = """
import json, sys
from pathlib import Path
import octant

def hashing():
    from octant.backends.hashing import Hashing
    from octant.media import Modality
    shared = octant.Space("hashing", *(Hashing(modality) for modality in Modality))
    return octant.Schema(*(octant.Field(modality.value, shared, modality) for modality in Modality))

folder, database, encoder = sys.argv[1:]
schema = hashing() if encoder == "hashing" else None
with octant.open("rerun", path=database, schema=schema, worker=False) as collection:
    report = collection.add(Path(folder))
    print(json.dumps({**report.as_dict(), "count": collection.count()}))
"""


def make(folder: Path, count: int, kind: str) -> None:
    """Write the files into folders of a thousand."""
    random = np.random.default_rng(0)
    words = ["harbour", "dog", "rain", "street", "music", "red", "house", *(f"word{n}" for n in range(400))]
    for number in range(count):
        place = folder / f"{number // 1000:03}"
        place.mkdir(exist_ok=True)
        if kind == "text" or (kind == "mixed" and number % 2):
            (place / f"{number}.txt").write_text(" ".join(random.choice(words, 40)) + f" {number}", encoding="utf-8")
            continue
        coarse = random.integers(0, 255, (9, 12, 3), dtype=np.uint8)
        picture = PIL.Image.fromarray(coarse).resize((160, 120), PIL.Image.Resampling.BICUBIC)
        picture.save(place / f"{number}.jpg", quality=80)


def run(folder: Path, database: Path, encoder: str) -> dict[str, Any]:
    """Add the folder in a fresh process; its report, and the seconds of the whole process."""
    began = time.perf_counter()
    command = [sys.executable, "-c", CHILD, str(folder), str(database), encoder]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {**json.loads(told), "process seconds": time.perf_counter() - began}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--kind", choices=("image", "text", "mixed"), default="image")
    parser.add_argument("--encoder", choices=("starter", "hashing"), default="starter")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, database = Path(name, "files"), Path(name, "db")
        folder.mkdir()
        make(folder, options.items, options.kind)
        first, second = (run(folder, database, options.encoder) for _ in range(2))
    for report in (first, second):
        if report["failed"] or report["count"] != options.items:
            raise SystemExit(
                f"{report['count']} of {options.items} items stand; the first that failed: {report['failed'][:1]}"
            )
    within = first["seconds"] / second["seconds"]
    whole = first["process seconds"] / second["process seconds"]
    ratios = {"add": within, "whole process": whole}
    if options.json:
        print(json.dumps({"first": first, "second": second, "ratio": ratios}, indent=2))
        return
    title = (
        f"{options.items} {options.kind} files, {options.encoder}: unchanged, run twice (aim: add ≥ {AIM} times faster)"
    )
    table = Table(title=title)
    for column in ("run", "add s", "items/s", "process s", "added", "unchanged", "encoded", "points", "waited for"):
        table.add_column(column, justify="left" if column in ("run", "waited for") else "right")
    for which, report in (("first", first), ("second", second)):
        counts = [str(report[key]) for key in ("added", "unchanged", "encoded", "count")]
        waits = ", ".join(f"{stage} {took:.2f} s" for stage, took in report["stages"].items())
        speed = f"{options.items / report['seconds']:.0f}"
        table.add_row(which, f"{report['seconds']:.2f}", speed, f"{report['process seconds']:.2f}", *counts, waits)
    Console().print(table)
    Console().print(f"second run: add {within:.1f} times faster, the whole process {whole:.1f} times")


if __name__ == "__main__":
    main()
