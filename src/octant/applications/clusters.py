"""Clusters of a collection: what its items are about, without being told what to look for."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast, overload

import numpy as np
from numpy.typing import NDArray
from qdrant_client.http import models

from octant.answer import Ask, Think, View, Walk
from octant.applications.stored import Row, counted, dense_field, narrowed, rows
from octant.errors import MissingExtra
from octant.item import Item
from octant.media import Modality, Text
from octant.payload import item_from_payload
from octant.query import Where
from octant.schema import Field
from octant.show.sheet import as_text
from octant.vectors import Array, normalize

if TYPE_CHECKING:
    from rich.table import Table

    from octant.collection import AsyncCollection, Collection

__all__ = ["Cluster", "Clusters", "clusters_of"]

_NAMED = 3
"""Words or values in the name of a cluster."""
_LONGEST = 40
"""Characters of a value that may name a cluster."""
_SHOWN = 3
"""Typical items that are shown of each cluster."""
_SEED = 0
"""k-means begins at random; the same collection has the same clusters."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Items that lie together."""

    name: str
    """What its items have in common and others have not: words of their texts, values of their metadata."""
    ids: tuple[str, ...]
    """The most typical first."""
    tightness: float
    """The mean cosine between its items and their middle."""


@dataclass(frozen=True, slots=True)
class Clusters:
    """The clusters of a field, the largest first."""

    field: str
    clusters: tuple[Cluster, ...]
    alone: tuple[str, ...]
    """Items that lie in none."""
    of: int
    """How many items have a vector in this field; where they are more than `looked_at`, that was a sample."""

    @property
    def looked_at(self) -> int:
        """How many items were clustered."""
        return sum(len(one.ids) for one in self.clusters) + len(self.alone)

    def __iter__(self) -> Iterator[Cluster]:
        return iter(self.clusters)

    def __len__(self) -> int:
        return len(self.clusters)

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, for JSON."""
        return asdict(self)

    def __rich__(self) -> Table:
        from rich import box
        from rich.table import Column, Table

        sample = "" if self.looked_at == self.of else f", a sample of {self.of:,}"
        laid = Table(
            Column("cluster", overflow="fold", style="bold"),
            Column("items", justify="right"),
            Column("tightness", justify="right"),
            Column("such as", overflow="fold", style="dim"),
            title=f"{self.field}: {self.looked_at:,} items{sample}, {len(self.alone):,} in no cluster",
            title_justify="left",
            box=box.SIMPLE_HEAD,
        )
        for one in self.clusters:
            laid.add_row(one.name, str(len(one.ids)), f"{one.tightness:.2f}", "\n".join(one.ids[:_SHOWN]))
        return laid

    def __str__(self) -> str:
        return as_text(self.__rich__())


@overload
def clusters_of(
    collection: Collection,
    field: str,
    *,
    where: Where | None = None,
    count: int | None = None,
    smallest: int = 5,
    sample: int = 5_000,
) -> Clusters: ...
@overload
def clusters_of(
    collection: AsyncCollection,
    field: str,
    *,
    where: Where | None = None,
    count: int | None = None,
    smallest: int = 5,
    sample: int = 5_000,
) -> Awaitable[Clusters]: ...
def clusters_of(
    collection: Collection | AsyncCollection,
    field: str,
    *,
    where: Where | None = None,
    count: int | None = None,
    smallest: int = 5,
    sample: int = 5_000,
) -> Clusters | Awaitable[Clusters]:
    """Group the items of a field by their vectors, and name the groups.

    With `count`, into that many (k-means); without, into as many as there are dense regions of `smallest` items or
    more, and what lies between belongs to none (HDBSCAN, Campello, Moulavi & Sander 2013). At most `sample` items are
    looked at, drawn evenly. MissingExtra without scikit-learn: pip install 'octant-search[analysis]'.
    """
    if (count is not None and count < 2) or smallest < 2 or sample < 2:
        raise ValueError(f"clusters_of(count={count}, smallest={smallest}, sample={sample}): each is 2 or more")
    _sklearn()  # before anything is read
    walk = _clusters(collection.view, field, where, count, smallest, sample)
    return collection.run(walk)


def _clusters(
    view: View, field: str, where: Where | None, count: int | None, smallest: int, sample: int
) -> Walk[Clusters]:
    own = dense_field(view, field)
    narrow = yield from narrowed(view, field, where)
    found: list[Row] = yield from rows(view, field, narrow, sample, payload=True)
    there = yield from counted(view, narrow)
    least = smallest if count is None else count
    if len(found) < least:
        return Clusters(field, (), tuple(row.id for row in found), there)
    # an item of several vectors lies at their mean
    vectors = normalize(np.stack([row.vector.reshape(-1, row.vector.shape[-1]).mean(axis=0) for row in found]))
    labels: NDArray[np.int64] = yield Think(partial(_labelled, vectors, count, smallest))
    places = [np.flatnonzero(labels == label) for label in range(int(labels.max(initial=-1)) + 1)]
    places.sort(key=len, reverse=True)  # stable: of one size, in the order of their first items
    middles = [normalize(vectors[members].mean(axis=0)) for members in places]
    words: list[list[str]] = yield Think(partial(_words, found, places))
    texts = yield from _nearest_texts(view, own, middles) if not all(words) else _nothing(len(places))
    made = [
        _cluster(found, vectors, members, middle, ", ".join(telling) or text or f"cluster {number}")
        for number, (members, middle, telling, text) in enumerate(zip(places, middles, words, texts, strict=True), 1)
    ]
    alone = tuple(found[i].id for i in np.flatnonzero(labels < 0).tolist())
    return Clusters(field, tuple(made), alone, there)


def _cluster(found: Sequence[Row], vectors: Array, members: NDArray[np.int64], middle: Array, name: str) -> Cluster:
    near = vectors[members] @ middle
    order: list[int] = members[np.argsort(-near, kind="stable")].tolist()
    return Cluster(name, tuple(found[i].id for i in order), float(near.mean()))


def _labelled(vectors: Array, count: int | None, smallest: int) -> NDArray[np.int64]:
    """The cluster of each row; -1 = none."""
    library = _sklearn()
    if count is None:
        # of unit vectors, the order of Euclidean distances is that of cosines; trees are slower, 18 times at 384-d
        how = library.HDBSCAN(min_cluster_size=smallest, algorithm="brute", copy=True)
    else:
        how = library.KMeans(n_clusters=count, n_init=4, random_state=_SEED)
    labels: NDArray[np.int64] = np.asarray(how.fit_predict(vectors), dtype=np.int64)
    return labels


def _sklearn() -> Any:
    """The clusterings of scikit-learn, which has no types."""
    try:
        return import_module("sklearn.cluster")
    except ModuleNotFoundError as error:
        raise MissingExtra("scikit-learn", "analysis") from error


def _words(found: Sequence[Row], places: Sequence[NDArray[np.int64]]) -> list[list[str]]:
    """What is frequent within each cluster and rare in the others.

    Scored as a class-based TF-IDF (Grootendorst, "BERTopic", 2022); an item counts once for a word or value, and what a
    fifth of a cluster does not have is not what it is about.
    """
    members_of: list[list[int]] = [members.tolist() for members in places]
    counts = [Counter(word for i in members for word in _telling(found[i])) for members in members_of]
    overall = Counter[str]()
    for one in counts:
        overall.update(one)
    mean = sum(overall.values()) / max(1, len(counts))
    named: list[list[str]] = []
    for one, members in zip(counts, members_of, strict=True):
        scores = {
            word: n / len(members) * math.log(1 + mean / overall[word])
            for word, n in one.items()
            if n >= max(2, len(members) / 5) and n / len(members) > 1.5 * overall[word] / len(found)
        }
        named.append(sorted(scores, key=lambda word: (-scores[word], word))[:_NAMED])
    return named


def _telling(row: Row) -> set[str]:
    """The words of an item's texts, and the short texts of its metadata."""
    item = item_from_payload(row.payload, row.point)
    words = {word for word in re.findall(r"[^\W\d_]{3,}", _text(item).lower()) if word not in _COMMON}
    values = {one for value in item.metadata.values() for one in _texts(value)}
    return words | {value for value in values if value.lower() not in words}


def _texts(value: object) -> list[str]:
    several = cast("Sequence[object]", value) if isinstance(value, list) else [value]
    return [one for one in several if isinstance(one, str) and 0 < len(one) <= _LONGEST]


_COMMON = frozenset(
    {"and", "are", "but", "can", "for", "from", "has", "have", "its", "not", "that", "the", "their", "them", "there"}
    | {"they", "this", "was", "were", "what", "when", "which", "with", "you", "your"}
)
"""Words that are about nothing; those of other languages are mostly frequent in all clusters alike."""


def _nothing(many: int) -> Walk[list[str]]:
    return [""] * many
    yield  # a walk of no steps


def _nearest_texts(view: View, field: Field, middles: Sequence[Array]) -> Walk[list[str]]:
    """The text that is nearest to each middle, where the collection holds texts in the same space."""
    texts = [f for f in view.schema.fields.values() if f.modality is Modality.TEXT and f.space is field.space]
    if not texts:
        return [""] * len(middles)
    requests = [
        models.QueryRequest.model_construct(query=middle.tolist(), using=texts[0].name, limit=1, with_payload=True)
        for middle in middles
    ]
    found: list[models.QueryResponse] = yield Ask("query_batch_points", (view.name, requests))
    return [_titled(answer.points[0]) if answer.points else "" for answer in found]


def _titled(point: models.ScoredPoint) -> str:
    lines = _text(item_from_payload(point.payload or {}, str(point.id))).strip().splitlines()
    return lines[0][:_LONGEST] if lines else ""


def _text(item: Item) -> str:
    return "\n".join(medium.content for medium in item.media.values() if isinstance(medium, Text))
