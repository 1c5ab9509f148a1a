"""Compare the embedded store with qdrant-client's local mode, on this machine, in one run.

    python benchmarks/edge_vs_local.py --points 10000,100000 --json results.json

Every number of a row comes from the same points and the same queries, run in turn. What the embedded store does worse
is printed like the rest. Ratios are Edge ÷ other: of times, below 1 is better; of points per second, above 1.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from qdrant_client.http import models
from rich.console import Console
from rich.table import Table

from octant.stores import Client, open_store, wait_for_index
from octant.stores.local import LocalClient

BATCH = 500
CLUSTERS = 500
SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison. `unit` is ms (lower is better) or points/s (higher is better)."""

    points: int
    what: str
    unit: str
    edge: float
    other: float
    other_is: str

    @property
    def ratio(self) -> float:
        return self.edge / self.other

    @property
    def lost(self) -> bool:
        return self.ratio > 1 if self.unit == "ms" else self.ratio < 1


def main(
    points: Annotated[str, typer.Option(help="Sizes of collections, separated by commas.")] = "10000,100000",
    dim: Annotated[int, typer.Option(help="Numbers per vector.")] = 384,
    queries: Annotated[int, typer.Option(help="Queries per measurement of Edge; local mode gets fewer.")] = 200,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the numbers here as well.")] = None,
) -> None:
    """Run the comparison and print it."""
    warnings.filterwarnings("ignore", message="Local mode is not recommended")
    rows = [row for size in points.split(",") for row in compare(int(size), dim, queries)]
    Console().print(table(rows, dim))
    if json_path is not None:
        json_path.write_text(
            json.dumps([{**asdict(row), "ratio": row.ratio, "lost": row.lost} for row in rows], indent=1)
        )


def compare(size: int, dim: int, queries: int) -> list[Row]:
    """Measure one size of collection."""
    vectors, asked = clustered(size, dim), clustered(queries, dim, seed=1)
    rows: list[Row] = []

    def note(what: str, unit: str, edge: float, other: float, other_is: str = "local") -> None:
        rows.append(Row(size, what, unit, edge, other, other_is))

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "edge"
        as_lists = open_store(path=Path(folder) / "lists", worker=False)
        by_lists = ingest(as_lists, vectors, lists=True)
        as_lists.close()
        edge, local = open_store(path=path, worker=False), LocalClient(None)
        by_rows = ingest(edge, vectors)
        before = {what: ask(edge, asked, filter_) for what, filter_ in KINDS.items()}
        began = time.perf_counter()
        wait_for_index(edge)
        print(f"{size} points: indexed in {time.perf_counter() - began:.1f} s, in another process")
        note("ingest: numpy rows or lists", "points/s", by_rows, by_lists, "lists")
        note("ingest: on disk or in memory", "points/s", by_rows, ingest(local, vectors))
        theirs = {what: few(local, asked, size, filter_) for what, filter_ in KINDS.items()}
        for what, filter_ in KINDS.items():
            note(f"{what}, before indexing", "ms", before[what], theirs[what])
            note(what, "ms", ask(edge, asked, filter_), few(local, asked, size, filter_))
        note("write one point", "ms", write_one(edge, vectors), write_one(local, vectors))
        note("read one point by id", "ms", read_one(edge, size), read_one(local, size))
        print(f"{size} points: recall@10 of the index {recall(edge, vectors, asked):.3f}")
        local.close()
        inside = ask(edge, asked, None, payload=True)
        edge.close()
        began = time.perf_counter()
        edge = open_store(path=path, worker=False)
        ask(edge, asked[:1], None)
        print(f"{size} points: opened, and the first query answered, in {time.perf_counter() - began:.3f} s")
        edge.close()
        worker = open_store(path=path, worker=True)
        ask(worker, asked[:20], None, payload=True)
        note("dense with payloads: worker or not", "ms", ask(worker, asked, None, payload=True), inside, "in process")
        worker.close()
        worker = open_store(path=Path(folder) / "worker", worker=True)
        note("ingest: worker or not", "points/s", ingest(worker, vectors), by_rows, "in process")
        worker.close()
    return rows


def clustered(count: int, dim: int, seed: int = 0) -> NDArray[np.float32]:
    """Make unit vectors around common centres."""
    centres = np.random.default_rng(99).standard_normal((CLUSTERS, dim))
    random = np.random.default_rng(seed)
    made = centres[random.integers(CLUSTERS, size=count)] + 0.7 * random.standard_normal((count, dim))
    unit: NDArray[np.float32] = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
    return unit


def ingest(client: Client, vectors: NDArray[np.float32], *, lists: bool = False) -> float:
    """Write points; return points per second."""
    client.create_collection(
        "things", {"v": models.VectorParams(size=vectors.shape[1], distance=models.Distance.COSINE)}
    )
    client.create_payload_index("things", "group", models.PayloadSchemaType.KEYWORD)
    if hasattr(os, "sync"):
        os.sync()  # what was written before is not to be paid for here
    began = time.perf_counter()
    for first in range(0, len(vectors), BATCH):
        part = vectors[first : first + BATCH]
        rows: list[Any] = part.tolist() if lists else list(part)
        client.upsert("things", [point(first + number, row) for number, row in enumerate(rows)])
    return len(vectors) / (time.perf_counter() - began)


def point(point_id: int, row: Any) -> models.PointStruct:
    payload = {"group": f"g{point_id % round(1 / SHARE)}", "title": f"thing number {point_id}"}
    return models.PointStruct.model_construct(id=point_id, vector={"v": row}, payload=payload)


KINDS: dict[str, models.Filter | None] = {
    "dense": None,
    "dense, 1 % filter": models.Filter(
        must=[models.FieldCondition(key="group", match=models.MatchValue(value="g7"))],
    ),
}


def ask(client: Client, asked: NDArray[np.float32], filter_: models.Filter | None, *, payload: bool = False) -> float:
    """Return the median time of a query in milliseconds."""
    return median_ms(
        lambda number: client.query_points(
            "things", asked[number], using="v", query_filter=filter_, limit=10, with_payload=payload
        ),
        len(asked),
    )


def few(client: Client, asked: NDArray[np.float32], size: int, filter_: models.Filter | None) -> float:
    """Ask local mode, as often as patience allows."""
    return ask(client, asked[: max(5, min(len(asked), 300_000 // size))], filter_)


def recall(client: Client, vectors: NDArray[np.float32], asked: NDArray[np.float32]) -> float:
    """Compare with the true ten nearest."""
    found = 0
    for query in asked:
        true = set(np.argpartition(-(vectors @ query), 10)[:10].tolist())
        hits = client.query_points("things", query, using="v", limit=10, with_payload=False).points
        found += len(true & {hit.id for hit in hits})
    return found / (10 * len(asked))


def write_one(client: Client, vectors: NDArray[np.float32]) -> float:
    return median_ms(lambda number: client.upsert("things", [point(number, vectors[number])]), 100)


def read_one(client: Client, size: int) -> float:
    return median_ms(lambda number: client.retrieve("things", [number * 97 % size], with_vectors=True), 100)


def median_ms(work: Callable[[int], object], times: int) -> float:
    """Return the median time of a call in milliseconds."""
    taken: list[float] = []
    for number in range(times):
        began = time.perf_counter()
        work(number)
        taken.append(time.perf_counter() - began)
    return median(taken) * 1e3


def table(rows: Sequence[Row], dim: int) -> Table:
    """Lay the rows out; losses are marked."""
    made = Table(title=f"Embedded store (Edge) and others, {dim} numbers per vector, medians")
    for column in ("points", "what", "unit", "Edge", "other", "other is", "Edge ÷ other", ""):
        made.add_column(column, justify="left" if column in ("what", "unit", "other is", "") else "right")
    for row in rows:
        edge, other = (f"{value:.3f}" if row.unit == "ms" else f"{value:,.0f}" for value in (row.edge, row.other))
        lost = "[red]loses[/red]" if row.lost else ""
        made.add_row(f"{row.points:,}", row.what, row.unit, edge, other, row.other_is, f"{row.ratio:.4f}", lost)
    return made


if __name__ == "__main__":
    typer.run(main)
