"""What octant costs on top of the encoders and the store, as ratios measured in one run.

    python benchmarks/overhead.py [--images 200] [--queries 200] [--json]

ingest / encode-only   items per second of `Collection.add` over those of encoding the same media in the same batches
search / bare          latency of `Collection.search` over that of encoding the query and calling the store by hand
import, --help         seconds in a fresh interpreter, and as a multiple of a bare `python -c pass`

The two sides of every ratio are interleaved, round by round, so that noise on the machine falls on both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import soundfile
from rich.console import Console
from rich.table import Table

import octant
from octant.encoding import Role
from octant.media import Audio, Image, Media, Modality, Text
from octant.plan import make_plans
from octant.query import Query
from octant.schema import Schema

ROUNDS = 3


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def media_folder(root: Path, count: int) -> dict[Modality, list[Path]]:
    """Files like those that people have: 640x480 JPEGs, 5 s FLACs, paragraphs. Seeded."""
    rng = np.random.default_rng(0)
    made: dict[Modality, list[Path]] = {modality: [] for modality in Modality}
    for i in range(count):
        coarse = rng.integers(0, 255, (12, 16, 3), dtype=np.uint8)
        picture = PIL.Image.fromarray(coarse).resize((640, 480), PIL.Image.Resampling.BICUBIC)
        made[Modality.IMAGE].append(root / f"{i}.jpg")
        picture.save(made[Modality.IMAGE][-1], quality=85)
        made[Modality.AUDIO].append(root / f"{i}.flac")
        soundfile.write(made[Modality.AUDIO][-1], rng.normal(0, 0.1, 5 * 22050).astype(np.float32), 22050)
        made[Modality.TEXT].append(root / f"{i}.txt")
        words = rng.choice(["dog", "rain", "house", "red", "runs", "over", "the", "street", "music"], 60)
        made[Modality.TEXT][-1].write_text(" ".join(words) + f" {i}", encoding="utf-8")
    return made


def load(modality: Modality, path: Path) -> Media:
    match modality:
        case Modality.TEXT:
            return Text(path.read_text(encoding="utf-8"))
        case Modality.IMAGE:
            return Image(path)
        case Modality.AUDIO:
            return Audio(path)


def encode_only(schema: Schema, modality: Modality, paths: Sequence[Path], batch: int) -> None:
    """Encode the files for all the fields that take them, and nothing else."""
    fields = [field for field in schema.fields.values() if field.modality is modality]
    for start in range(0, len(paths), batch):
        media = [load(modality, path) for path in paths[start : start + batch]]
        for field in fields:
            field.space.encode(media, modality, Role.DOCUMENT)


def ingest_ratio(modality: Modality, paths: Sequence[Path], schema: Schema, batch: int) -> dict[str, float]:
    encode_only(schema, modality, paths[:batch], batch)  # load and warm the model
    alone: list[float] = []
    whole: list[float] = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as home, octant.open("b", path=home, schema=schema, worker=False) as mine:
            whole.append(seconds(lambda: mine.add(paths, batch_size=batch)))
            assert mine.count() == len(paths)
        alone.append(seconds(lambda: encode_only(schema, modality, paths, batch)))
    encode, add = statistics.median(alone), statistics.median(whole)
    return {"encode-only items/s": len(paths) / encode, "add items/s": len(paths) / add, "ratio": encode / add}


def search_ratio(query: Media, into: Modality, schema: Schema, points: Sequence[Path], rounds: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as home, octant.open("b", path=home, schema=schema, worker=False) as mine:
        mine.add(points)
        asked = Query(query, (into,))

        def bare() -> None:
            [plan] = make_plans([asked], schema)
            [leg] = plan.legs
            mine.client.query_points("b", query=leg.ask(), using=leg.using, limit=10, with_payload=True)

        def search() -> None:
            mine.search(asked)

        bare()
        search()
        pairs = [(seconds(bare), seconds(search)) for _ in range(rounds)]
    alone, whole = (statistics.median(column) for column in zip(*pairs, strict=True))
    return {"encode + bare query ms": 1e3 * alone, "search ms": 1e3 * whole, "ratio": whole / alone}


def start_seconds(arguments: Sequence[str]) -> float:
    command = [sys.executable, *arguments]
    return min(seconds(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(7))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=200, help="files of each modality")
    parser.add_argument("--queries", type=int, default=200, help="searches of each kind")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    schema = octant.starter()
    rows: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        files = media_folder(Path(folder), options.items)
        for modality, paths in files.items():
            rows[f"ingest {modality}"] = ingest_ratio(modality, paths, schema, options.batch)
        every = [path for paths in files.values() for path in paths]
        queries: dict[str, tuple[Media, Modality]] = {
            "text → image": (Text("a dog in the rain"), Modality.IMAGE),
            "image → audio": (Image(files[Modality.IMAGE][0]), Modality.AUDIO),
            "audio → audio": (Audio(files[Modality.AUDIO][0]), Modality.AUDIO),
        }
        for name, (query, into) in queries.items():
            rows[f"search {name}"] = search_ratio(query, into, schema, every, options.queries)
    bare = start_seconds(["-c", "pass"])
    for name, arguments in {
        "import octant": ["-c", "import octant"],
        "octant --help": ["-m", "octant", "--help"],
    }.items():
        took = start_seconds(arguments)
        rows[name] = {"seconds": took, "bare python seconds": bare}
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    table = Table(
        "what", "measured", "ratio", title="octant over its parts (medians; aims: ingest ≥ 0.9, search ≤ 1.2)"
    )
    for name, row in rows.items():
        measured = ", ".join(f"{key} {value:.3g}" for key, value in row.items() if key != "ratio")
        table.add_row(name, measured, f"{row['ratio']:.2f}" if "ratio" in row else "")
    Console().print(table)


if __name__ == "__main__":
    main()
