"""Peak memory of `Collection.add`, as the number of items grows.

    python benchmarks/ingest_memory.py [--sizes 1000,2000,20000] [--encoder store|hashing|starter|all] [--json]

Each number comes from a process of its own, which opens a new embedded database, adds so many files in one call and
says how much memory it took at its peak (ru_maxrss; octant keeps the store in the same process here). Half of the files
are 160 x 120 JPEGs, half are texts of 40 words, all made with a fixed seed before the first process starts.

store  the same number of points of the same shape, 64-d, with the same payload indexes, written to the bare store:
       what the engine itself takes
base   the peak of a process that opens the collection and adds the first ten files: Python, the libraries, the models
peak   the peak of adding all of them
own    the highest of its anonymous memory, asked of Linux every 10 ms: what the system cannot take back, unlike the
       pages of the store's files that the peak counts too
ratio  peak, or own, ÷ that of the smallest size; 1 would be memory that does not depend on how much there is to add
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import PIL.Image
from rich.console import Console
from rich.table import Table

CHILD = """
import resource, sys, threading, time
from itertools import islice
from pathlib import Path
import octant

def hashing():
    from octant.backends.hashing import Hashing
    from octant.media import Modality
    shared = octant.Space("hashing", *(Hashing(modality) for modality in Modality))
    return octant.Schema(*(octant.Field(modality.value, shared, modality) for modality in Modality))

def store(path, size):
    import numpy as np
    from qdrant_client.http import models
    from octant.payload import CONTENT, MODALITIES, SOURCE
    from octant.stores import open_store
    client, random = open_store(path=Path(path), worker=False), np.random.default_rng(0)
    params = models.VectorParams(size=64, distance=models.Distance.COSINE)
    client.create_collection("memory", vectors_config={"text": params, "image": params, "audio": params})
    for key in (MODALITIES, SOURCE, CONTENT):
        client.create_payload_index("memory", key, models.PayloadSchemaType.KEYWORD)
    for start in range(0, size, 32):
        client.upsert("memory", [
            models.PointStruct(
                id=number,
                vector={"text": random.standard_normal(64).tolist()},
                payload={"path": f"/a/file/{number}", "octant": {
                    "id": f"file:///a/{number}", "source": f"file:///a/{number}", "content": f"{number:032x}",
                    "modalities": ["text"], "text": "word " * 80}},
            )
            for number in range(start, min(start + 32, size))
        ])
    client.close()

def watch():
    global own
    while sys.platform == "linux":
        status = open("/proc/self/status").read()
        own = max(own, int(status.partition("RssAnon:")[2].split()[0]) * 1024)
        time.sleep(0.01)

folder, database, size, encoder = sys.argv[1:]
own = 0
threading.Thread(target=watch, daemon=True).start()
schema = hashing() if encoder == "hashing" else None
began = time.perf_counter()
if encoder == "store":
    store(database, int(size))
else:
    with octant.open("memory", path=database, schema=schema, worker=False) as collection:
        files = (Path(line.rstrip("\\n")) for line in open(Path(folder) / "list"))
        report = collection.add(islice(files, int(size)))
        assert collection.count() == int(size) and not report.failed, report
unit = 1 if sys.platform == "darwin" else 1024
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, own, time.perf_counter() - began)
"""


def make(folder: Path, count: int) -> None:
    """Write the files, images and texts in turn, and a list of them."""
    random = np.random.default_rng(0)
    words = [f"word{n}" for n in range(4000)] + ["harbour", "dog", "rain", "street", "music", "red", "house"] * 200
    with (folder / "list").open("w", encoding="utf-8") as listed:
        for number in range(count):
            if number % 2:
                path = folder / f"{number}.txt"
                path.write_text(" ".join(random.choice(words, 40)) + f" {number}", encoding="utf-8")
            else:
                path = folder / f"{number}.jpg"
                coarse = random.integers(0, 255, (9, 12, 3), dtype=np.uint8)
                PIL.Image.fromarray(coarse).resize((160, 120), PIL.Image.Resampling.BICUBIC).save(path, quality=80)
            listed.write(f"{path}\n")


def peak(folder: Path, size: int, encoder: str) -> tuple[int, int, float]:
    """Add so many files in a fresh process: its peak in bytes, its own part of it (0 = unknown), and the seconds."""
    with tempfile.TemporaryDirectory() as database:
        command = [sys.executable, "-c", CHILD, str(folder), database, str(size), encoder]
        bytes_, own, seconds = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return int(bytes_), int(own), float(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,2000,5000,10000,20000", help="numbers of items, separated by commas")
    parser.add_argument("--encoder", choices=("store", "hashing", "starter", "all"), default="all")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sizes = sorted(int(size) for size in options.sizes.split(","))
    encoders = ("store", "hashing", "starter") if options.encoder == "all" else (options.encoder,)
    rows: dict[str, list[dict[str, float]]] = {encoder: [] for encoder in encoders}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, sizes[-1])
        base = {encoder: peak(folder, 10, encoder)[0] for encoder in encoders}
        for size in sizes:
            for encoder in encoders:
                bytes_, own, seconds = peak(folder, size, encoder)
                first = rows[encoder][0]["peak"] if rows[encoder] else bytes_
                least = rows[encoder][0]["own"] if rows[encoder] else own
                rows[encoder].append(
                    {
                        "items": size,
                        "base": base[encoder],
                        "peak": bytes_,
                        "ratio": bytes_ / first,
                        "own": own,
                        "own ratio": own / least if least else 0.0,
                        "seconds": seconds,
                    }
                )
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    table = Table(title=f"peak memory of one add (aim: ratio near 1 from {sizes[0]} to {sizes[-1]} items)")
    for column in ("encoder", "items", "base MB", "peak MB", "ratio", "own MB", "own ratio", "items/s"):
        table.add_column(column, justify="left" if column == "encoder" else "right")
    for encoder, measured in rows.items():
        for row in measured:
            megabytes = (f"{row['base'] / 1e6:.0f}", f"{row['peak'] / 1e6:.0f}")
            speed = f"{row['items'] / row['seconds']:.0f}"
            own = (f"{row['own'] / 1e6:.0f}", f"{row['own ratio']:.2f}") if row["own"] else ("unknown", "unknown")
            table.add_row(encoder, f"{row['items']:.0f}", *megabytes, f"{row['ratio']:.2f}", *own, speed)
        table.add_section()
    Console().print(table)


if __name__ == "__main__":
    main()
