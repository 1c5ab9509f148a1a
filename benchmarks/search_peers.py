"""Searching with octant and with its peers, side by side in one run, over the same vectors, texts and payloads.

    uv venv peers && uv pip install --python peers -e . langchain-qdrant chromadb lancedb
    peers/bin/python benchmarks/search_peers.py [--sizes 10000,100000] [--queries 100] [--json numbers.json]

Clustered unit vectors of 512 numbers, texts of about 20 made-up words as frequent as words are, and a keyword. What is
asked is a vector (given: no encoder is timed), or that and three words:

dense              the ten nearest
dense, filtered    the ten nearest of the 1 % that have one keyword
hybrid             the vector and the words, fused
hybrid, filtered   the same of that 1 %

Milliseconds are of the call that a user of the store makes, until text and keyword of ten hits are there. recall@10 is
the share of what an exact search finds: by cosine; for a hybrid by RRF (k = 60) over the 50 nearest and the 50 best by
BM25 (k = 1.2, b = .75, no stemming), computed here in numpy. Who fuses otherwise differs from that by right, not by
fault: langchain-qdrant takes k = 2 and 10 candidates of each, and LanceDB has a BM25 of its own.

Each is used as its documentation has it: octant on Qdrant Edge, indexed; LanceDB with IVF_HNSW_SQ (refined by 4, which
its quantised vectors need), a bitmap index and a full-text index without stemming; Chroma with cosine HNSW;
langchain-qdrant on qdrant-client's local mode in memory, up to 10,000 points: it compares with every point in Python.
Of each query all searches are made in all stores, each time in another order. Losses are printed like the rest.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol

import numpy as np
import typer
from numpy.typing import NDArray
from qdrant_client import QdrantClient
from qdrant_client.http import models
from rich.console import Console
from rich.table import Table

from octant import Collection, Encoder, Field, Item, Kind, Modality, Query, Schema, Space, Sparse, Text
from octant.backends.bm25 import Bm25
from octant.encoding import EncoderSpec, Role
from octant.fusion import RRF
from octant.media import Description
from octant.payload import payload_of, point_id
from octant.query import ByVector
from octant.stores import Place, open_store, wait_for_index
from octant.vectors import Vector

NAME, DIM, CLUSTERS, VOCABULARY, BATCH, GROUPS, LOCAL = "peers", 512, 500, 5000, 1000, 100, 10_000
DEPTH, RRF_K = 50, 60
KINDS = ("dense", "dense, filtered", "hybrid", "hybrid, filtered")
Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Data:
    """What all of them hold, and are asked."""

    vectors: Matrix
    texts: Sequence[str]
    asked: Matrix
    words: Sequence[str]
    """The texts of the queries, of three words each."""
    bm25: Bm25

    def group(self, number: int) -> str:
        return f"g{number % GROUPS}"

    def sparse(self, texts: Sequence[str], role: Role) -> list[Sparse]:
        return [one for one in self.bm25.encode([Text(text) for text in texts], role) if isinstance(one, Sparse)]


class Store(Protocol):
    """One of them, filled: how it is asked. Each call returns the numbers of the hits."""

    def dense(self, number: int, group: str | None) -> list[int]: ...
    def hybrid(self, number: int, group: str | None) -> list[int] | None:
        """None: it has no such search."""
        ...

    def close(self) -> None: ...


class Octant:
    def __init__(self, data: Data, folder: Path) -> None:
        self.data = data
        given: Encoder[Any] = Given(data)
        schema = Schema(
            Field("meaning", Space("meaning", given), Modality.TEXT),
            Field("words", Space("words", data.bm25), Modality.TEXT),
            indexed={"group": models.PayloadSchemaType.KEYWORD},
        )
        self.collection = Collection(open_store(path=folder, worker=False), NAME, schema, Place(folder))
        self.collection.prepare()
        for start in range(0, len(data.texts), BATCH):
            numbers = range(start, min(start + BATCH, len(data.texts)))
            sparse = data.sparse([data.texts[number] for number in numbers], Role.DOCUMENT)
            self.collection.client.upsert(NAME, [self._point(n, one) for n, one in zip(numbers, sparse, strict=True)])
        wait_for_index(self.collection.client)

    def _point(self, number: int, sparse: Sparse) -> models.PointStruct:
        text = self.data.texts[number]
        item = Item(str(number), {"text": Text(text)}, {"group": self.data.group(number)})
        payload = payload_of(item, {"text": Description(None, len(text), "0" * 64, characters=len(text))}, "peers")
        vectors: dict[str, Any] = {
            "meaning": self.data.vectors[number],
            "words": models.SparseVector(indices=list(sparse.indices), values=list(sparse.values)),
        }
        return models.PointStruct.model_construct(id=point_id(item.id), vector=vectors, payload=payload)

    def dense(self, number: int, group: str | None) -> list[int]:
        return self._found(Query(ByVector(self.data.asked[number]), fields=("meaning",), where=_where(group)))

    def hybrid(self, number: int, group: str | None) -> list[int] | None:
        return self._found(Query(Text(self.data.words[number]), where=_where(group), fusion=RRF(RRF_K)))

    def _found(self, query: Query) -> list[int]:
        return [int(hit.id) for hit in self.collection.search(query)]

    def close(self) -> None:
        self.collection.close()


def _where(group: str | None) -> dict[str, str] | None:
    return None if group is None else {"group": group}


class Given:
    """An encoder that knows the vectors of the queries by their texts."""

    def __init__(self, data: Data) -> None:
        self.spec = EncoderSpec("given@1", Modality.TEXT, DIM, Kind.DENSE)
        self.vectors = dict(zip(data.words, data.asked, strict=True))

    def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
        del role
        return [self.vectors[text.content] for text in batch]


class LangChain:
    def __init__(self, data: Data, folder: Path) -> None:
        del folder
        langchain = _named("langchain_qdrant")
        sparse_base: Any = langchain.SparseEmbeddings
        base: Any = _named("langchain_core.embeddings").Embeddings
        given = Given(data)

        class Dense(base):
            def embed_documents(self, texts: list[str]) -> list[list[float]]:
                known = given.vectors
                # it asks for the vector of a text of its own, to see how long vectors are
                return [known[text].tolist() if text in known else [0.0] * DIM for text in texts]

            def embed_query(self, text: str) -> list[float]:
                return self.embed_documents([text])[0]

        class Words(sparse_base):
            def embed_documents(self, texts: list[str]) -> list[Any]:
                return [self.embed_query(text) for text in texts]

            def embed_query(self, text: str) -> Any:
                [one] = data.sparse([text], Role.QUERY)
                return langchain.sparse_embeddings.SparseVector(indices=list(one.indices), values=list(one.values))

        self.data = data
        self.client = QdrantClient(":memory:")
        idf = models.SparseVectorParams(modifier=models.Modifier.IDF)
        size = models.VectorParams(size=DIM, distance=models.Distance.COSINE)
        self.client.create_collection(NAME, {"dense": size}, sparse_vectors_config={"words": idf})
        for start in range(0, len(data.texts), BATCH):
            self.client.upsert(NAME, [self._point(n) for n in range(start, min(start + BATCH, len(data.texts)))])
        named = {"vector_name": "dense", "sparse_vector_name": "words"}
        modes = langchain.RetrievalMode
        self.near: Any = langchain.QdrantVectorStore(self.client, NAME, Dense(), vector_name="dense")
        self.both: Any = langchain.QdrantVectorStore(
            self.client, NAME, Dense(), retrieval_mode=modes.HYBRID, sparse_embedding=Words(), **named
        )

    def _point(self, number: int) -> models.PointStruct:
        [one] = self.data.sparse([self.data.texts[number]], Role.DOCUMENT)
        words = models.SparseVector(indices=list(one.indices), values=list(one.values))
        payload = {
            "page_content": self.data.texts[number],
            "metadata": {"group": self.data.group(number), "number": number},
        }
        vectors: dict[str, Any] = {"dense": self.data.vectors[number].tolist(), "words": words}
        return models.PointStruct(id=number, vector=vectors, payload=payload)

    def dense(self, number: int, group: str | None) -> list[int]:
        return self._found(self.near, number, group)

    def hybrid(self, number: int, group: str | None) -> list[int] | None:
        return self._found(self.both, number, group)

    def _found(self, store: Any, number: int, group: str | None) -> list[int]:
        narrow: Any = None
        if group is not None:
            match = models.MatchValue(value=group)
            narrow = models.Filter(must=[models.FieldCondition(key="metadata.group", match=match)])
        found = store.similarity_search_with_score(self.data.words[number], k=10, filter=narrow)
        return [document.metadata["number"] for document, _ in found]

    def close(self) -> None:
        self.client.close()


class Chroma:
    def __init__(self, data: Data, folder: Path) -> None:
        chromadb = _named("chromadb")
        self.data = data
        client = chromadb.PersistentClient(str(folder), chromadb.Settings(anonymized_telemetry=False))
        self.store: Any = client.create_collection(NAME, embedding_function=None, metadata={"hnsw:space": "cosine"})
        for start in range(0, len(data.texts), BATCH):
            numbers = range(start, min(start + BATCH, len(data.texts)))
            self.store.add(
                ids=[str(number) for number in numbers],
                embeddings=data.vectors[start : start + BATCH],
                documents=[data.texts[number] for number in numbers],
                metadatas=[{"group": data.group(number)} for number in numbers],
            )

    def dense(self, number: int, group: str | None) -> list[int]:
        asked = self.data.asked[number : number + 1]
        [found] = self.store.query(query_embeddings=asked, n_results=10, where=_where(group))["ids"]
        return [int(one) for one in found]

    def hybrid(self, number: int, group: str | None) -> list[int] | None:
        del number, group
        return None  # `search` with Rrf raises NotImplementedError but in its cloud

    def close(self) -> None:
        pass


class Lance:
    def __init__(self, data: Data, folder: Path) -> None:
        lancedb, pa = _named("lancedb"), _named("pyarrow")
        index: Any = _named("lancedb.index")
        self.reranker: Any = _named("lancedb.rerankers").RRFReranker(K=RRF_K)
        self.data = data
        fields = [
            pa.field("number", pa.int64()),
            pa.field("text", pa.string()),
            pa.field("group", pa.string()),
            pa.field("vector", pa.list_(pa.float32(), DIM)),
        ]
        self.table: Any = lancedb.connect(str(folder)).create_table(NAME, schema=pa.schema(fields))
        numbers = range(len(data.texts))
        flat = pa.FixedSizeListArray.from_arrays(pa.array(data.vectors.reshape(-1)), DIM)
        groups = pa.array([data.group(number) for number in numbers])
        columns = [pa.array(list(numbers)), pa.array(list(data.texts)), groups, flat]
        self.table.add(pa.Table.from_arrays(columns, schema=pa.schema(fields)))
        self.table.create_index("vector", config=index.HnswSq(distance_type="cosine", num_partitions=1))
        self.table.create_index("group", config=index.Bitmap())
        self.table.create_index("text", config=index.FTS(stem=False, remove_stop_words=False))

    def dense(self, number: int, group: str | None) -> list[int]:
        search = self.table.search(self.data.asked[number]).distance_type("cosine").ef(100).refine_factor(4)
        return self._found(search, group)

    def hybrid(self, number: int, group: str | None) -> list[int] | None:
        search = self.table.search(query_type="hybrid", vector_column_name="vector")
        search = search.vector(self.data.asked[number]).text(self.data.words[number])
        return self._found(search.distance_type("cosine").ef(100).refine_factor(4).rerank(self.reranker), group)

    def _found(self, search: Any, group: str | None) -> list[int]:
        if group is not None:
            search = search.where(f"`group` = '{group}'", prefilter=True)
        return [row["number"] for row in search.select(["number", "text", "group"]).limit(10).to_list()]

    def close(self) -> None:
        pass


PEERS: Mapping[str, tuple[str, Callable[[Data, Path], Store]]] = {
    "octant": ("octant-search", Octant),
    "LanceDB": ("lancedb", Lance),
    "Chroma": ("chromadb", Chroma),
    "langchain-qdrant": ("langchain-qdrant", LangChain),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A kind of search in one store: milliseconds, and the share of what an exact search finds."""

    points: int
    search: str
    store: str
    p50: float
    p99: float
    recall: float


def main(
    sizes: Annotated[str, typer.Option(help="Sizes of collections, separated by commas.")] = "10000",
    queries: Annotated[int, typer.Option(help="How many queries, each asked of every store.")] = 100,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the numbers here as well.")] = None,
) -> None:
    """Run the comparison and print it."""
    os.environ.setdefault("LANCEDB_LOG", "error")  # it warns of each search that its own reranker makes
    warnings.filterwarnings("ignore", message="Local mode is not recommended")
    rows: list[Row] = []
    notes = ["Chroma has no hybrid search but in its cloud"]
    versions: dict[str, str] = {}
    for name, (package, _) in PEERS.items():
        try:
            versions[name] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            notes.append(f"{name}: not installed (uv pip install {package})")
    for size in map(int, sizes.split(",")):
        if size > LOCAL:
            notes.append(f"langchain-qdrant is left out at {size:,} points")
        rows += measure(size, queries, [n for n in versions if n != "langchain-qdrant" or size <= LOCAL])
    lost = losses(rows)
    console = Console()
    console.print(table(rows))
    for line in (*lost, *notes, ", ".join(f"{name} {number}" for name, number in versions.items())):
        console.print(line, soft_wrap=True)
    if json_path is not None:
        found = {"rows": [asdict(row) for row in rows], "versions": versions, "octant loses": lost, "notes": notes}
        json_path.write_text(json.dumps(found, indent=1))


def make(size: int, queries: int) -> Data:
    """Make vectors around common centres, and texts of made-up words."""
    random = np.random.default_rng(7)
    centres = random.standard_normal((CLUSTERS, DIM), dtype=np.float32)

    def near(count: int) -> Matrix:
        made = centres[random.integers(CLUSTERS, size=count)]
        made += np.float32(0.7) * random.standard_normal((count, DIM), dtype=np.float32)
        unit: Matrix = made / np.linalg.norm(made, axis=1, keepdims=True)
        return unit

    def text(length: int) -> str:
        return " ".join(f"w{number}" for number in (random.zipf(1.3, length) % VOCABULARY).tolist())

    texts = [text(int(random.integers(10, 30))) for _ in range(size)]
    # words that are neither in every text nor in none, and no two queries of the same
    words = [" ".join(f"w{n}" for n in random.integers(20, 400, 3).tolist()) for _ in range(queries)]
    bm25 = Bm25(None, average_length=float(np.mean([len(one.split()) for one in texts])))
    return Data(near(size), texts, near(queries), words, bm25)


class Exact:
    """What each query should find: cosines and BM25 of everything."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self.postings: dict[int, list[tuple[int, float]]] = {}
        for number, one in enumerate(data.sparse(data.texts, Role.DOCUMENT)):
            for index, value in zip(one.indices, one.values, strict=True):
                self.postings.setdefault(index, []).append((number, value))

    def find(self, kind: str, number: int, group: str) -> set[int]:
        """The ten best."""
        size = len(self.data.texts)
        kept = np.arange(size)
        if kind.endswith("filtered"):
            kept = np.array([n for n in range(size) if self.data.group(n) == group])
        cosines = self.data.vectors[kept] @ self.data.asked[number]
        nearest = kept[np.argsort(-cosines, kind="stable")[:DEPTH]].tolist()
        if kind.startswith("dense"):
            return set(nearest[:10])
        scores: dict[int, float] = {}
        [asked] = self.data.sparse([self.data.words[number]], Role.QUERY)
        for index in asked.indices:
            found = self.postings.get(index, [])
            idf = float(np.log((size - len(found) + 0.5) / (len(found) + 0.5) + 1))
            for one, value in found:
                scores[one] = scores.get(one, 0.0) + idf * value
        allowed = set(kept.tolist())
        best = sorted((one for one in scores if one in allowed), key=lambda one: -scores[one])[:DEPTH]
        fused: dict[int, float] = {}
        for ranking in (nearest, best):
            for rank, one in enumerate(ranking, start=1):
                fused[one] = fused.get(one, 0.0) + 1 / (RRF_K - 1 + rank)
        return set(sorted(fused, key=lambda one: -fused[one])[:10])


def measure(size: int, queries: int, names: Sequence[str]) -> list[Row]:
    """Fill all of them, then ask them in turn."""
    data = make(size, queries)
    exact = Exact(data)
    times: dict[tuple[str, str], list[float]] = {}
    found: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        stores: dict[str, Store] = {}
        for name in names:
            began = time.perf_counter()
            stores[name] = PEERS[name][1](data, Path(folder, name))
            print(f"{size:,} points in {name}, indexed, in {time.perf_counter() - began:.0f} s")
        random = np.random.default_rng(0)
        pairs = [(kind, name) for kind in KINDS for name in names]
        for turn in range(-3, queries):  # the first ones warm up
            number = turn % queries
            group = data.group(number)
            order: list[int] = random.permutation(len(pairs)).tolist()
            for kind, name in [pairs[place] for place in order]:
                ask = getattr(stores[name], kind.split(",")[0])
                start = time.perf_counter()
                hits = ask(number, group if kind.endswith("filtered") else None)
                took = 1e3 * (time.perf_counter() - start)
                if turn >= 0 and hits is not None:
                    wanted = exact.find(kind, number, group)
                    times.setdefault((kind, name), []).append(took)
                    found.setdefault((kind, name), []).append(len(wanted & set(hits)) / len(wanted))
        for store in stores.values():
            store.close()
    return [
        Row(
            size,
            kind,
            name,
            float(np.percentile(taken, 50)),
            float(np.percentile(taken, 99)),
            float(np.mean(found[kind, name])),
        )
        for kind, name in pairs
        if (taken := times.get((kind, name)))
    ]


def losses(rows: Sequence[Row]) -> list[str]:
    """Where a peer does better than octant."""
    found: list[str] = []
    ours = {(row.points, row.search): row for row in rows if row.store == "octant"}
    for row in rows:
        mine = ours[row.points, row.search]
        at = f"{row.search}, {row.points:,} points"
        if row.p50 < mine.p50:
            found.append(f"octant loses on {at}: {mine.p50:.2f} ms against {row.p50:.2f} of {row.store} (medians)")
        if row.p99 < mine.p99:
            found.append(f"octant loses on {at}: {mine.p99:.2f} ms against {row.p99:.2f} of {row.store} (p99)")
        if row.recall > mine.recall:
            found.append(f"octant loses on {at}: recall@10 {mine.recall:.3f} against {row.recall:.3f} of {row.store}")
    return found


def table(rows: Sequence[Row]) -> Table:
    """Lay the rows out, each with its ratio to octant's."""
    made = Table("points", "search", "store", "p50 ms", "p99 ms", "÷ octant", "recall@10", title="Search, of one run")
    ours = {(row.points, row.search): row.p50 for row in rows if row.store == "octant"}
    for row in rows:
        ratio = f"{row.p50 / ours[row.points, row.search]:.1f}"
        times = (f"{row.p50:.2f}", f"{row.p99:.2f}")
        made.add_row(f"{row.points:,}", row.search, row.store, *times, ratio, f"{row.recall:.3f}")
    return made


def _named(module: str) -> Any:
    """Import a peer, of which a type checker knows nothing: it is not installed where the checks run."""
    return importlib.import_module(module)


if __name__ == "__main__":
    typer.run(main)
