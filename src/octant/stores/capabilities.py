"""What each store can do: one table, for the code that plans, for the errors it raises and for docs/capabilities.md.

`python -m octant.stores.capabilities` prints the page.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from typing import Literal, Protocol, runtime_checkable

from qdrant_client.http import models

from octant.errors import StoreError
from octant.stores.async_client import AsyncClient
from octant.stores.client import Client
from octant.stores.place import Kind, Place

__all__ = ["Capabilities", "Feature", "How", "Support", "Version", "capabilities_of", "capabilities_of_async", "page"]

How = Literal["native", "emulated", "no"]
Version = tuple[int, int, int]


class Feature(StrEnum):
    """Something that not every store can do, or not every store does by itself."""

    SPARSE = "sparse vectors"
    IDF = "sparse vectors weighed by IDF"
    IDF_CORPUS = "IDF over a filtered corpus"
    MULTIVECTOR = "multivectors (MaxSim)"
    TEXT_QUERY = "BM25 over a text index"
    TEXT_TOKENS = "BM25 over a text index with a stemmer or tokenizer of its own"
    TEXT_CORPUS = "BM25 over a text index with IDF over a filtered corpus"
    PREFETCH = "prefetches and rescoring"
    RRF = "RRF"
    RRF_K = "RRF with k"
    RRF_WEIGHTS = "RRF with weights"
    DBSF = "DBSF"
    FORMULA = "formulas"
    FORMULA_BOUNDS = "max, min and acosh in formulas"
    MMR = "MMR"
    MMR_SPARSE = "MMR over sparse vectors"
    RECOMMEND_AVERAGE = "recommending by average"
    RECOMMEND_BEST = "recommending by best score"
    RECOMMEND_SUM = "recommending by sum of scores"
    DISCOVER = "discovery"
    CONTEXT = "context search"
    FEEDBACK = "relevance feedback"
    ID_QUERY = "point ids as queries"
    LOOKUP_FROM = "vectors of another collection as queries"
    ORDER_BY = "ordering by a payload field"
    SAMPLE = "random samples"
    GROUPS = "groups"
    GROUPS_LOOKUP = "groups with their records of another collection"
    FACET = "facets"
    MATRIX = "distance matrices"
    ACORN = "ACORN"
    TEXT = "full text conditions"
    TEXT_ANY = "conditions of any word"
    PHRASE = "phrase conditions"
    PREFIX = "prefix conditions"
    SUBSTRING = "substring conditions"
    HAS_VECTOR = "has_vector conditions"
    MIN_SHOULD = "min_should"
    DATES = "ranges of dates"
    NESTED = "nested conditions"
    SLICE = "slices"
    PAYLOAD_INDEX = "payload indexes"
    NESTED_INDEX = "nested payload indexes"
    QUANTIZATION = "quantization"
    UPDATE_FILTER = "writing where a filter holds"
    UPDATE_MODE = "inserting only, or updating only"
    VECTOR_NAMES = "adding and removing named vectors"
    METADATA = "metadata of a collection"
    ALIASES = "aliases"
    SNAPSHOTS = "snapshots"


@dataclass(frozen=True, slots=True)
class Support:
    """Whether a store has a feature: by itself, by octant's doing to the same effect, or not."""

    how: How
    note: str = ""
    """How it is emulated, what to know of it, or what is needed instead."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one store can do."""

    engine: Kind
    version: Version | None
    """None where the version of a server cannot be read; it is taken for the newest then."""

    def support(self, feature: Feature) -> Support:
        """Say whether and how the store has a feature."""
        row = _TABLE[feature]
        if self.engine == "edge":
            return row.edge
        if self.engine == "local":
            return row.local
        if self.version is not None and self.version[:2] < row.server:
            return Support("no", f"needs Qdrant {_spelled(row.server)}")
        return Support("native", row.note)

    def can(self, feature: Feature) -> bool:
        """Tell whether the store has a feature, by itself or emulated."""
        return self.support(feature).how != "no"

    def need(self, feature: Feature) -> Support:
        """Return how the store has a feature. Raises StoreError, which says what is needed, where it has not."""
        support = self.support(feature)
        if support.how != "no":
            return support
        row = _TABLE[feature]
        if self.engine == "server":
            newer = _spelled(row.server)
            raise StoreError(f"this server is Qdrant {_spelled(self.version)}, without {feature}; update it to {newer}")
        edge = "" if row.edge.how == "no" else "Qdrant Edge, where it has a wheel, or "
        why = f" ({support.note})" if support.note else ""
        raise StoreError(
            f"{_NAMES[self.engine]} has no support for {feature}{why}; "
            f"that needs {edge}a Qdrant server {_spelled(row.server)} or newer (url=)"
        )


def capabilities_of(client: Client, place: Place) -> Capabilities:
    """Find out what the store of this client, which lies at this place, can do."""
    if place.kind != "server":
        return _embedded(place.kind)
    return Capabilities("server", read_version(client.info()) if isinstance(client, _Versioned) else None)


async def capabilities_of_async(client: AsyncClient, place: Place) -> Capabilities:
    """Find out the same of an asynchronous client."""
    if place.kind != "server":
        return _embedded(place.kind)
    return Capabilities("server", read_version(await client.info()) if isinstance(client, _AsyncVersioned) else None)


def read_version(info: models.VersionInfo) -> Version | None:
    """Read the numbers of a server's version; None for one that has none, such as `dev`."""
    numbers = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", info.version)
    return None if numbers is None else (int(numbers[1]), int(numbers[2]), int(numbers[3] or 0))


def page() -> str:
    """Write docs/capabilities.md."""
    rows = "".join(
        f"| {feature} | {_cell(row.edge)} | {_cell(row.local)} | {_spelled(row.server)}{_noted(row.note)} |\n"
        for feature, row in _TABLE.items()
    )
    return f"{_HEAD}| | embedded (Qdrant Edge) | local mode | server, from |\n|---|---|---|---|\n{rows}"


@runtime_checkable
class _Versioned(Protocol):
    def info(self) -> models.VersionInfo: ...


@runtime_checkable
class _AsyncVersioned(Protocol):
    async def info(self) -> models.VersionInfo: ...


@dataclass(frozen=True, slots=True)
class _Row:
    """From which version on a server has a feature, and what the embedded engines make of it."""

    server: tuple[int, int]
    edge: Support
    local: Support
    note: str = ""
    """What to know of it on a server."""


_NATIVE = Support("native")
_SCANNED = Support("emulated", "accepted, and without effect: every point is compared")
_NOT_OURS = "through `qdrant_client`; octant's `Client` has no method for it"


def _emulated(note: str) -> Support:
    return Support("emulated", note)


def _no(note: str = "") -> Support:
    return Support("no", note)


def _row(major: int, minor: int, *, edge: Support = _NATIVE, local: Support = _NATIVE, note: str = "") -> _Row:
    return _Row((major, minor), edge, local, note)


_TABLE: dict[Feature, _Row] = {
    Feature.SPARSE: _row(1, 7),
    Feature.IDF: _row(1, 10),
    Feature.IDF_CORPUS: _row(1, 19),
    Feature.MULTIVECTOR: _row(1, 10),
    Feature.TEXT_QUERY: _row(1, 20),
    Feature.TEXT_TOKENS: _row(1, 20, local=_no("its text queries know the default word tokenizer alone")),
    Feature.TEXT_CORPUS: _row(1, 20, local=_no()),
    Feature.PREFETCH: _row(1, 10),
    Feature.RRF: _row(1, 10),
    Feature.RRF_K: _row(1, 16),
    Feature.RRF_WEIGHTS: _row(1, 17),
    Feature.DBSF: _row(1, 11),
    Feature.FORMULA: _row(1, 14),
    Feature.FORMULA_BOUNDS: _row(1, 20),
    Feature.MMR: _row(1, 15),
    Feature.MMR_SPARSE: _row(1, 15, edge=_no("the engine's MMR knows dense and multivectors alone")),
    Feature.RECOMMEND_AVERAGE: _row(
        1, 10, edge=_emulated("the average is computed, then the nearest to it are asked for")
    ),
    Feature.RECOMMEND_BEST: _row(1, 10),
    Feature.RECOMMEND_SUM: _row(1, 14),
    Feature.DISCOVER: _row(1, 10),
    Feature.CONTEXT: _row(1, 10),
    Feature.FEEDBACK: _row(1, 17),
    Feature.ID_QUERY: _row(1, 10, edge=_emulated("the vector is read first, and its point left out")),
    Feature.LOOKUP_FROM: _row(1, 10, edge=_emulated("the vectors are read first")),
    Feature.ORDER_BY: _row(
        1,
        10,
        edge=Support("native", "needs a payload index"),
        local=Support("native", "needs no payload index"),
        note="needs a payload index",
    ),
    Feature.SAMPLE: _row(1, 11),
    Feature.GROUPS: _row(1, 11, edge=_emulated("out of plain queries, in two rounds")),
    Feature.GROUPS_LOOKUP: _row(1, 11, edge=_emulated("the records are read one by one")),
    Feature.FACET: _row(
        1,
        12,
        edge=Support("native", "needs a payload index"),
        local=Support("native", "needs no payload index"),
        note="needs a payload index",
    ),
    Feature.MATRIX: _row(1, 12, edge=_no(), local=_no(), note=_NOT_OURS),
    Feature.ACORN: _row(1, 16, local=_SCANNED),
    Feature.TEXT: _row(1, 0),
    Feature.TEXT_ANY: _row(1, 16),
    Feature.PHRASE: _row(1, 15),
    Feature.PREFIX: _row(1, 19),
    Feature.SUBSTRING: _row(1, 20),
    Feature.HAS_VECTOR: _row(1, 13),
    Feature.MIN_SHOULD: _row(1, 8),
    Feature.DATES: _row(1, 8),
    Feature.NESTED: _row(1, 2),
    Feature.SLICE: _row(1, 19),
    Feature.PAYLOAD_INDEX: _row(1, 0, local=_SCANNED),
    Feature.NESTED_INDEX: _row(1, 20, local=_SCANNED),
    Feature.QUANTIZATION: _row(1, 1, local=_SCANNED),
    Feature.UPDATE_FILTER: _row(1, 16),
    Feature.UPDATE_MODE: _row(1, 17),
    Feature.VECTOR_NAMES: _row(1, 18),
    Feature.METADATA: _row(1, 16, edge=_emulated("kept in the database's catalogue")),
    Feature.ALIASES: _row(1, 0, edge=_no(), local=_no(), note=_NOT_OURS),
    Feature.SNAPSHOTS: _row(1, 0, edge=_no("copy the directory instead"), local=_no(), note=_NOT_OURS),
}

_NAMES: dict[Kind, str] = {"edge": "Qdrant Edge", "local": "qdrant-client's local mode", "server": "a Qdrant server"}
_DISTRIBUTIONS: dict[Kind, str] = {"edge": "qdrant-edge-py", "local": "qdrant-client"}

_HEAD = """# What each store can do

Generated from the table that the code uses: `python -m octant.stores.capabilities > docs/capabilities.md`.

Where a store has a feature by itself it is native. *Emulated* is what octant does itself, to the same effect; the
explanation of a search says where that happened. What a store cannot do is refused, with what is needed. Versions of
a server are those that `/points/query` has the feature from; octant itself needs 1.17. The stores are spoken of as they
answer through octant's `Client`; tests ask Edge and local mode for each line.

"""


def _embedded(kind: Kind) -> Capabilities:
    numbers = [int(one) for one in re.findall(r"\d+", version(_DISTRIBUTIONS[kind]))[:3]]
    return Capabilities(kind, (numbers[0], numbers[1], numbers[2]))


def _spelled(numbers: tuple[int, ...] | None) -> str:
    return "of an unknown version" if numbers is None else ".".join(str(number) for number in numbers)


def _cell(support: Support) -> str:
    how = {"native": "yes", "emulated": "*emulated*", "no": "no"}[support.how]
    return how + _noted(support.note)


def _noted(note: str) -> str:
    return f": {note}" if note else ""


if __name__ == "__main__":
    sys.stdout.write(page())
