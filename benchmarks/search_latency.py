"""What a search costs on top of the store, and how that grows with the collection, on Qdrant Edge.

    python benchmarks/search_latency.py [--sizes 1000,10000,100000] [--queries 300] [--json FILE] [--keep FOLDER]

Clustered unit vectors of 512 numbers (`image`), others of 128 (`text`), sparse vectors of about 30 terms (`words`), and
payloads as octant lays them out, with a keyword, a number and a title. Vectors of queries are given, so that no encoder
is timed. Of each query all the calls below are made, each time in another order: noise falls on all, and so does what
the processor remembers of the same query.

raw                     the engine's own call with a request made before, results left as the engine gives them
bare                    `client.query_points`, which takes and gives qdrant-client's models
search                  `Collection.search` of the same: plan, request, bare query, hits with their items
search, explained       the same with explain=True
in turn                 bare and search once more, by turns, without the others between them: a busy search and nothing
                        else, where the processor has not forgotten either
filtered, grouped       1 % by an indexed keyword; the best hit of each of ten groups
hybrid                  `image`, `text` and `words` in one request, 50 candidates of each, fused by RRF
hybrid, calibrated      the same fused by Calibrated, whose backgrounds are measured in the first, untimed search
its legs, 50 each       the sum of those three searches alone, as bare queries of 50 hits without payloads
its legs, searched      the sum of three `Collection.search`, of 10 hits each

Aims, of medians at the largest size: search ÷ bare ≤ 1.15; explained ÷ not ≤ 2; hybrid ÷ its legs ≤ 1.3. What misses is
printed like the rest.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any
from zlib import crc32

import numpy as np
import qdrant_edge as qe
import typer
from numpy.typing import NDArray
from qdrant_client.http import models
from rich.console import Console
from rich.table import Table

from octant import Collection, Encoder, Field, Image, Item, Kind, Modality, Query, Schema, Space, Sparse, Text
from octant.encoding import EncoderSpec, Role
from octant.fusion import RRF, Calibrated
from octant.media import Description
from octant.payload import payload_of, point_id
from octant.query import ByVector
from octant.stores import Place, open_store, wait_for_index
from octant.vectors import Vector

NAME, DIM, SMALL, CLUSTERS, TERMS, BATCH = "bench", 512, 128, 500, 2000, 1000
GROUPS = 100
Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Given:
    """An encoder that knows the vectors of the queries, which are called by their numbers.

    Any other text has that of some query: what unrelated texts score is measured with such.
    """

    spec: EncoderSpec
    queries: Sequence[Vector]

    def encode(self, batch: Sequence[Any], role: Role) -> list[Vector]:
        del role
        texts = [text.content for text in batch]
        return [self.queries[int(t) if t.isdecimal() else crc32(t.encode()) % len(self.queries)] for t in texts]


@dataclass(frozen=True, slots=True)
class Row:
    """A call, timed: milliseconds."""

    points: int
    call: str
    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """One call over another, of their medians and of their 99th percentiles."""

    points: int
    what: str
    p50: float
    p99: float
    aim: float | None = None

    @property
    def verdict(self) -> str:
        return "" if self.aim is None else f"{'met' if self.p50 <= self.aim else 'MISSED'} (aim {self.aim})"


RATIOS: Sequence[tuple[str, str, str, float | None]] = (
    ("search ÷ bare", "search", "bare", 1.15),
    ("search ÷ bare, in turn", "search, in turn", "bare, in turn", 1.15),
    ("search ÷ raw", "search", "raw", None),
    ("bare ÷ raw", "bare", "raw", None),
    ("explained ÷ not", "search, explained", "search", 2.0),
    ("filtered: search ÷ bare", "filtered", "filtered, bare", None),
    ("grouped: search ÷ bare", "grouped", "grouped, bare", None),
    ("hybrid: search ÷ bare", "hybrid", "hybrid, bare", None),
    ("hybrid: explained ÷ not", "hybrid, explained", "hybrid", 2.0),
    ("hybrid: calibrated ÷ rrf", "hybrid, calibrated", "hybrid", None),
    ("hybrid ÷ its legs, 50 each", "hybrid", "its legs, 50 each", 1.3),
    ("hybrid ÷ its legs, searched", "hybrid", "its legs, searched", 1.3),
)


def main(
    sizes: Annotated[str, typer.Option(help="Sizes of collections, separated by commas.")] = "1000,10000,100000",
    queries: Annotated[int, typer.Option(help="How many queries, each made by all calls.")] = 300,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the numbers here as well.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Keep the collections here, and measure those that are.")] = None,
) -> None:
    """Run the benchmark and print it."""
    rows: list[Row] = []
    for size in map(int, sizes.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            rows += measure(Path(folder) if keep is None else keep / f"{size}", size, queries)
    found = ratios(rows)
    Console().print(_rows(rows))
    Console().print(_ratios(found))
    if json_path is not None:
        verdicts = [{**asdict(one), "verdict": one.verdict} for one in found]
        json_path.write_text(json.dumps({"rows": [asdict(row) for row in rows], "ratios": verdicts}, indent=1))


def clustered(count: int, dim: int, seed: int) -> Matrix:
    """Make unit vectors around common centres."""
    centres = np.random.default_rng(99).standard_normal((CLUSTERS, dim), dtype=np.float32)
    random = np.random.default_rng(seed)
    made = centres[random.integers(CLUSTERS, size=count)]
    made += np.float32(0.7) * random.standard_normal((count, dim), dtype=np.float32)
    unit: Matrix = made / np.linalg.norm(made, axis=1, keepdims=True)
    return unit


def terms(count: int, each: int, seed: int) -> list[Sparse]:
    """Make sparse vectors whose terms are as frequent as words are: few are in many."""
    random = np.random.default_rng(seed)
    drawn = [dict.fromkeys((random.zipf(1.3, each) % TERMS).tolist()) for _ in range(count)]
    return [Sparse(tuple(one), tuple(random.random(len(one)).tolist())) for one in drawn]


def schema(images: Matrix, texts: Matrix, words: Sequence[Sparse]) -> Schema:
    """Three fields that are asked with texts."""

    def given(name: str, dim: int | None, vectors: Sequence[Vector]) -> Encoder[Any]:
        kind = Kind.SPARSE if dim is None else Kind.DENSE
        return Given(EncoderSpec(f"{name}@1", Modality.TEXT, dim, kind, idf=dim is None), vectors)

    unasked = Given(EncoderSpec("pixels@1", Modality.IMAGE, DIM), ())
    return Schema(
        Field("image", Space("image", given("image", DIM, list(images)), unasked), Modality.IMAGE),
        Field("text", Space("text", given("text", SMALL, list(texts))), Modality.TEXT),
        Field("words", Space("words", given("words", None, words)), Modality.TEXT),
        indexed={"group": models.PayloadSchemaType.KEYWORD},
    )


def fill(collection: Collection, size: int) -> None:
    """Write points as an ingest does, without encoders and files, and index them."""
    photo = Description("image/jpeg", 40_000, "0" * 64, 640, 480)
    for start in range(0, size, BATCH):
        count = min(BATCH, size - start)
        images, texts = clustered(count, DIM, start), clustered(count, SMALL, start)
        points: list[models.PointStruct] = []
        for number, words in enumerate(terms(count, 30, start), start=start):
            title = f"thing number {number}"
            item = Item(
                f"thing-{number}",
                {"title": Text(title), "photo": Image(Path(f"/photos/{number}.jpg"))},
                {"group": f"g{number % GROUPS}", "price": number % 997 / 10, "title": title},
            )
            described = {"title": Description(None, len(title), "1" * 64, characters=len(title)), "photo": photo}
            vectors: dict[str, Any] = {
                "image": images[number - start],
                "text": texts[number - start],
                "words": models.SparseVector(indices=list(words.indices), values=list(words.values)),
            }
            payload = payload_of(item, described, "bench")
            points.append(models.PointStruct.model_construct(id=point_id(item.id), vector=vectors, payload=payload))
        collection.client.upsert(collection.name, points)
    wait_for_index(collection.client)


def measure(folder: Path, size: int, queries: int) -> list[Row]:
    """Time all the calls on one size of collection."""
    images, texts, words = (
        clustered(queries, DIM, 1 << 30),
        clustered(queries, SMALL, 1 << 30),
        terms(queries, 6, 1 << 30),
    )
    with Collection(open_store(path=folder, worker=False), NAME, schema(images, texts, words), Place(folder)) as made:
        made.prepare()
        began = time.perf_counter()
        if made.count() < size:
            fill(made, size)
            print(f"{size:,} points: written and indexed in {time.perf_counter() - began:.0f} s")
        calls = all_calls(made, images, texts, words)
        taken: dict[str, list[float]] = {name: [] for name in calls}
        random = np.random.default_rng(0)
        for number in range(-min(20, queries), queries):  # the first ones warm up
            for name in random.permutation(list(calls)).tolist():
                start = time.perf_counter()
                calls[name](number % queries)
                if number >= 0:
                    taken[name].append(1e3 * (time.perf_counter() - start))
        for number in range(queries):
            for name in PAIR if number % 2 else reversed(PAIR):
                start = time.perf_counter()
                calls[name](number)
                taken.setdefault(f"{name}, in turn", []).append(1e3 * (time.perf_counter() - start))
    of_legs = {
        f"its legs, {how}": [sum(parts) for parts in zip(*(taken.pop(f"{one}, {how}") for one in LEGS), strict=True)]
        for how in ("50 each", "searched")
    }
    return [
        Row(size, name, float(np.percentile(times, 50)), float(np.percentile(times, 99)))
        for name, times in {**taken, **of_legs}.items()
    ]


LEGS = ("image", "text", "words")
PAIR = ("bare", "search")


def all_calls(
    collection: Collection, images: Matrix, texts: Matrix, words: Sequence[Sparse]
) -> dict[str, Callable[[int], object]]:
    """The calls that are compared, each of the number of a query."""
    client, search = collection.client, collection.search
    sparse = [models.SparseVector(indices=list(one.indices), values=list(one.values)) for one in words]
    asked: Mapping[str, Sequence[Any]] = {"image": list(images), "text": list(texts), "words": sparse}
    narrow = models.Filter(must=[models.FieldCondition(key="group", match=models.MatchValue(value="g7"))])
    whole: Any = models.RrfQuery(rrf=models.Rrf(k=60))

    def bare(number: int, field: str = "image", limit: int = 10, **more: Any) -> object:
        return client.query_points(NAME, asked[field][number], using=field, limit=limit, **more)

    def fused(number: int) -> object:
        legs = [models.Prefetch.model_construct(query=asked[one][number], using=one, limit=50) for one in LEGS]
        return client.query_points(NAME, prefetch=legs, query=whole, limit=10)

    def image(number: int, **more: Any) -> Query:
        return Query(ByVector(images[number]), fields=("image",), **more)

    def hybrid(number: int, **more: Any) -> object:
        return search(Query(Text(str(number)), fusion=RRF(), **more))

    def leg(field: str) -> dict[str, Callable[[int], object]]:
        return {
            f"{field}, 50 each": lambda number: bare(number, field, 50, with_payload=False),
            f"{field}, searched": lambda number: search(Query(Text(str(number)), fields=(field,))),
        }

    return {
        "raw": raw(collection, images),
        "bare": bare,
        "search": lambda number: search(image(number)),
        "search, explained": lambda number: search(image(number, explain=True)),
        "filtered, bare": lambda number: bare(number, query_filter=narrow),
        "filtered": lambda number: search(image(number, where={"group": "g7"})),
        "grouped, bare": lambda number: client.query_points_groups(
            NAME, "group", asked["image"][number], using="image", limit=10, group_size=1
        ),
        "grouped": lambda number: search(image(number, group_by="group")),
        "hybrid, bare": fused,
        "hybrid": hybrid,
        "hybrid, explained": lambda number: hybrid(number, explain=True),
        "hybrid, calibrated": lambda number: search(Query(Text(str(number)), fusion=Calibrated())),
        **leg("image"),
        **leg("text"),
        **leg("words"),
    }


def raw(collection: Collection, images: Matrix) -> Callable[[int], object]:
    """The engine's own call, without anything of octant around it."""
    opened: Any = collection.client
    shard = opened._collection(NAME).shard  # the engine is octant's own affair; a benchmark may look
    requests = [
        qe.QueryBatchRequest(
            [
                qe.QueryRequest(
                    limit=10,
                    offset=0,
                    query=qe.Query.Nearest(row.data, using="image"),
                    prefetches=[],
                    with_vector=False,
                    with_payload=True,
                    filter=None,
                    score_threshold=None,
                    params=None,
                )
            ]
        )
        for row in images
    ]
    live: Any = shard._live
    return lambda number: live.query_batch(requests[number])


def ratios(rows: Sequence[Row]) -> list[Ratio]:
    """Compare calls of one size with one another; the aims are those of the largest."""
    found: list[Ratio] = []
    sizes = sorted({row.points for row in rows})
    for size in sizes:
        by = {row.call: row for row in rows if row.points == size}
        for what, one, other, aim in RATIOS:
            one_, other_ = by[one], by[other]
            aimed = aim if size == sizes[-1] else None
            found.append(Ratio(size, what, one_.p50 / other_.p50, one_.p99 / other_.p99, aimed))
    return found


def _rows(rows: Sequence[Row]) -> Table:
    sizes = sorted({row.points for row in rows})
    made = Table("call", *(f"{size:,} points: p50, p99" for size in sizes), title="Milliseconds", caption=_growth(rows))
    for call in dict.fromkeys(row.call for row in rows):
        by = {row.points: row for row in rows if row.call == call}
        made.add_row(call, *(f"{by[size].p50:7.3f} {by[size].p99:7.3f}" for size in sizes))
    return made


def _growth(rows: Sequence[Row]) -> str:
    sizes = sorted({row.points for row in rows})
    p50 = {(row.points, row.call): row.p50 for row in rows}
    own = [f"{1e3 * (p50[size, 'search'] - p50[size, 'bare']):.0f}" for size in sizes]
    times = f"{p50[sizes[-1], 'search'] / p50[sizes[0], 'search']:.1f}"
    grown = f"from {sizes[0]:,} to {sizes[-1]:,} points a search takes {times} times as long"
    return f"{grown}; search - bare: {', '.join(own)} µs"


def _ratios(found: Sequence[Ratio]) -> Table:
    sizes = sorted({one.points for one in found})
    made = Table("ratio", *(f"{size:,}: of p50, of p99" for size in sizes), "", title="Ratios, of one run")
    for what in dict.fromkeys(one.what for one in found):
        by = {one.points: one for one in found if one.what == what}
        made.add_row(what, *(f"{by[size].p50:5.2f} {by[size].p99:5.2f}" for size in sizes), by[sizes[-1]].verdict)
    return made


if __name__ == "__main__":
    typer.run(main)
