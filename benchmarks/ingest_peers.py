"""Adding texts with octant and with its peers, side by side in one run, with the same encoder.

    uv venv peers && uv pip install --python peers -e . langchain-qdrant chromadb lancedb
    peers/bin/python benchmarks/ingest_peers.py [--items 2000] [--rounds 3] [--batch 64] [--json]

All of them embed with the starter's text tower, in batches of the same size, and keep what they store on disk, in a new
folder each round. Texts are sentences made with a fixed seed, all different. What is not installed is named and left
out. octant has one field here, as the others do.

items/s        items added ÷ the seconds from opening the empty store until the call that adds has returned
first ms       from opening an empty store until one item has been added and a search has found it
again s        doing the same again, as a script does that is run twice
encoded again  texts that the second run gave to the encoder
stored         items in the store after both runs: more than there are texts are duplicates

Each peer is used as its documentation begins: langchain-qdrant on qdrant-client's local mode (`add_texts`, ids are its
own), Chroma (`add`, ids are required), LanceDB (one `add` of all rows, which suits it best). Rounds take turns, and
each begins with another one; numbers are medians. What octant loses is printed like the rest.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from qdrant_client import QdrantClient
from qdrant_client.http import models
from rich.console import Console
from rich.table import Table

import octant
from octant.backends.starter import starter
from octant.encoding import EncoderSpec, Role
from octant.media import Modality, Text
from octant.schema import Field, Schema
from octant.space import Space
from octant.vectors import Vector

NAME = "peers"


class Tower:
    """The starter's text tower, which counts what it is given."""

    def __init__(self) -> None:
        self._tower = starter().text
        self.spec: EncoderSpec = self._tower.spec
        self.given = 0

    def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
        self.given += len(batch)
        return self._tower.encode(batch, role)

    def rows(self, texts: Sequence[str], batch: int = 64) -> list[Any]:
        parts = [texts[start : start + batch] for start in range(0, len(texts), batch)]
        return [row for part in parts for row in self.encode([Text(text) for text in part], Role.DOCUMENT)]


class Store(Protocol):
    """What each of them does here."""

    def add(self, texts: Sequence[str]) -> None: ...
    def finds(self, text: str) -> bool: ...
    def count(self) -> int: ...


def _named(module: str) -> Any:
    """Import a peer, of which a type checker knows nothing: it is not installed where the checks run."""
    return importlib.import_module(module)


Open = Callable[[Path, Tower, int], AbstractContextManager[Store]]


class Octant:
    def __init__(self, path: Path, tower: Tower, batch: int) -> None:
        schema = Schema(Field("text", Space("starter", tower), Modality.TEXT))
        self.collection = octant.open(NAME, path=path, schema=schema, worker=False)
        self.batch = batch

    def add(self, texts: Sequence[str]) -> None:
        self.collection.add([Text(text) for text in texts], batch_size=self.batch)

    def finds(self, text: str) -> bool:
        return [hit.text for hit in self.collection.search(text, limit=1)] == [text]

    def count(self) -> int:
        return self.collection.count()

    def close(self) -> None:
        self.collection.close()


def with_octant(path: Path, tower: Tower, batch: int) -> AbstractContextManager[Store]:
    return closing(Octant(path, tower, batch))


def with_langchain(path: Path, tower: Tower, batch: int) -> AbstractContextManager[Store]:
    langchain = _named("langchain_qdrant")
    base: Any = _named("langchain_core.embeddings").Embeddings

    class Wrapped(base):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [row.tolist() for row in tower.rows(texts, batch)]

        def embed_query(self, text: str) -> list[float]:
            return self.embed_documents([text])[0]

    class LangChain:
        def __init__(self) -> None:
            self.client = QdrantClient(path=str(path))
            if not self.client.collection_exists(NAME):
                size = tower.spec.dim or 0
                config = models.VectorParams(size=size, distance=models.Distance.COSINE)
                self.client.create_collection(NAME, vectors_config=config)
            self.store: Any = langchain.QdrantVectorStore(self.client, NAME, Wrapped())

        def add(self, texts: Sequence[str]) -> None:
            self.store.add_texts(list(texts), batch_size=batch)

        def finds(self, text: str) -> bool:
            return [found.page_content for found in self.store.similarity_search(text, k=1)] == [text]

        def count(self) -> int:
            return self.client.count(NAME).count

        def close(self) -> None:
            self.client.close()

    return closing(LangChain())


def with_chroma(path: Path, tower: Tower, batch: int) -> AbstractContextManager[Store]:
    chromadb = _named("chromadb")
    base: Any = chromadb.EmbeddingFunction

    class Wrapped(base):
        def __init__(self) -> None:
            pass

        def __call__(self, input: Any) -> Any:
            return tower.rows(input, batch)

    class Chroma:
        def __init__(self) -> None:
            settings = chromadb.Settings(anonymized_telemetry=False)
            client = chromadb.PersistentClient(str(path), settings)
            self.store: Any = client.get_or_create_collection(
                NAME, embedding_function=Wrapped(), metadata={"hnsw:space": "cosine"}
            )

        def add(self, texts: Sequence[str]) -> None:
            for start in range(0, len(texts), 5000):  # it refuses more at once
                part = list(texts[start : start + 5000])
                self.store.add(ids=[f"{start + number}" for number in range(len(part))], documents=part)

        def finds(self, text: str) -> bool:
            return self.store.query(query_texts=[text], n_results=1)["documents"] == [[text]]

        def count(self) -> int:
            return self.store.count()

    return nullcontext(Chroma())


def with_lance(path: Path, tower: Tower, batch: int) -> AbstractContextManager[Store]:
    lancedb, pa = _named("lancedb"), _named("pyarrow")

    class Lance:
        def __init__(self) -> None:
            database = lancedb.connect(str(path))
            fields = [pa.field("text", pa.string()), pa.field("vector", pa.list_(pa.float32(), tower.spec.dim))]
            self.table: Any = database.create_table(NAME, schema=pa.schema(fields), exist_ok=True)

        def add(self, texts: Sequence[str]) -> None:
            rows = tower.rows(texts, batch)
            self.table.add([{"text": text, "vector": row} for text, row in zip(texts, rows, strict=True)])

        def finds(self, text: str) -> bool:
            [row] = tower.rows([text])
            return [found["text"] for found in self.table.search(row).limit(1).to_list()] == [text]

        def count(self) -> int:
            return self.table.count_rows()

    return nullcontext(Lance())


ALL: dict[str, tuple[str, Open]] = {
    "octant": ("octant-search", with_octant),
    "langchain-qdrant": ("langchain-qdrant", with_langchain),
    "Chroma": ("chromadb", with_chroma),
    "LanceDB": ("lancedb", with_lance),
}


def sentences(count: int) -> list[str]:
    """Sentences of 12 to 60 words, all different."""
    random = np.random.default_rng(0)
    words = ["dog", "rain", "house", "red", "runs", "over", "the", "street", "music", "harbour", "bread", "glass", "a"]
    return [" ".join(random.choice(words, int(random.integers(12, 60)))) + f" number {n}" for n in range(count)]


def measure(open_store: Open, tower: Tower, texts: Sequence[str], batch: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        began = time.perf_counter()
        with open_store(Path(name, "one"), tower, batch) as store:
            store.add(texts[:1])
            if not store.finds(texts[0]):
                raise SystemExit(f"{open_store.__name__}: the first item is not found")
            first = time.perf_counter() - began
        began = time.perf_counter()
        with open_store(Path(name, "all"), tower, batch) as store:
            store.add(texts)
            added = time.perf_counter() - began
            if store.count() != len(texts) or not store.finds(texts[-1]):
                raise SystemExit(f"{open_store.__name__}: {store.count()} of {len(texts)} items are stored")
            given, began = tower.given, time.perf_counter()
            store.add(texts)
            again = time.perf_counter() - began
            encoded = tower.given - given
            return {
                "items/s": len(texts) / added,
                "first ms": 1e3 * first,
                "again s": again,
                "encoded again": encoded,
                "stored": store.count(),
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", message="Local mode is not recommended")
    there: dict[str, Open] = {}
    versions: dict[str, str] = {}
    absent: list[str] = []
    for name, (package, open_store) in ALL.items():
        try:
            versions[name] = importlib.metadata.version(package)
            there[name] = open_store
        except importlib.metadata.PackageNotFoundError:
            absent.append(f"{name}: not installed (uv pip install {package})")
    texts, tower = sentences(options.items), Tower()
    tower.rows(texts[:64])  # load the model
    names = list(there)
    for name in names:  # import all, and touch every file once
        measure(there[name], tower, texts[:64], options.batch)
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for number in range(options.rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            rounds[name].append(measure(there[name], tower, texts, options.batch))
    rows = {n: {key: statistics.median(r[key] for r in done) for key in done[0]} for n, done in rounds.items()}
    lost = losses(rows)
    if options.json:
        print(json.dumps({"rows": rows, "versions": versions, "absent": absent, "octant loses": lost}, indent=2))
        return
    table = Table(title=f"{options.items} texts, one encoder, batches of {options.batch} (medians of {options.rounds})")
    for column in ("store", "items/s", "first ms", "again s", "encoded again", "stored"):
        table.add_column(column, justify="left" if column == "store" else "right")
    for name, row in rows.items():
        speeds = (f"{row['items/s']:.0f}", f"{row['first ms']:.0f}", f"{row['again s']:.2f}")
        stored = f"{row['stored']:.0f}" + (" (twice)" if row["stored"] > options.items else "")
        table.add_row(f"{name} {versions[name]}", *speeds, f"{row['encoded again']:.0f}", stored)
    console = Console()
    console.print(table)
    for line in (*lost, *absent):
        console.print(line)


def losses(rows: dict[str, dict[str, float]]) -> list[str]:
    """Where a peer does better than octant."""
    more_is_better = {"items/s"}
    found: list[str] = []
    for name, row in rows.items():
        for key, value in row.items():
            ours = rows["octant"][key]
            if value != ours and (value > ours) == (key in more_is_better):
                found.append(f"octant loses on {key}: {ours:.4g} against {value:.4g} of {name}")
    return found


if __name__ == "__main__":
    main()
