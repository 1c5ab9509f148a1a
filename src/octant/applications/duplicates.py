"""Near-duplicates of a collection: the same content, pictures that look the same, vectors that nearly coincide."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray
from qdrant_client.http import models

from octant.answer import Ask, Think, View, Walk
from octant.applications.stored import Row, dense_field, narrowed, neighbours, rows
from octant.item import Metadata
from octant.payload import facts_of, standing_of
from octant.query import Where, filter_of
from octant.schema import Field
from octant.show.sheet import as_text
from octant.vectors import Kind

if TYPE_CHECKING:
    from rich.table import Table

    from octant.collection import AsyncCollection, Collection

__all__ = ["Duplicates", "Group", "Pair", "Reason", "near_duplicates"]

Hashes = NDArray[np.uint64]

_PAGE = 512
_BITS = 64
"""Of a perceptual hash."""
_PLAIN = 8
"""A hash with fewer ones, or fewer zeros, is of a picture with next to nothing in it: many have it by chance."""
_BLOCK = 256
"""Hashes that are compared with a run at once."""
_LISTED = 6
"""Items of a group that a table shows."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why two items are taken for the same."""

    measure: str
    """"content" (byte for byte), "look" (perceptual hash) or "similarity" (vectors)."""
    of: str
    """The medium, or the field, that it is about; empty where it is the whole item."""
    value: float
    """The similarity; 1 for the same content; for a look the share of the hash's bits that agree."""

    def __str__(self) -> str:
        match self.measure:
            case "content":
                return "same content"
            case "look":
                return f"{self.of}: {round((1 - self.value) * _BITS)} of {_BITS} bits of look differ"
            case _:
                return f"{self.of}: similarity {self.value:.3f}"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two items that are the same by some reasons."""

    one: str
    other: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Items that hang together by pairs; the ends of a long chain may differ more than any pair of it."""

    ids: tuple[str, ...]
    pairs: tuple[Pair, ...]
    """What holds them together: of many copies, each is paired with the first alone."""


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Groups of near-duplicates, the largest first."""

    groups: tuple[Group, ...]
    looked_at: int
    notes: tuple[str, ...] = ()
    """What was left out and why, in words."""

    def __iter__(self) -> Iterator[Group]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, for JSON."""
        return asdict(self)

    def __rich__(self) -> Table:
        from rich import box
        from rich.table import Column, Table

        extra = sum(len(group.ids) - 1 for group in self.groups)
        laid = Table(
            Column("items", justify="right"),
            Column("ids", overflow="fold"),
            Column("because", overflow="fold", style="dim"),
            title=f"{len(self.groups)} groups of duplicates: {extra} of {self.looked_at:,} items could go",
            title_justify="left",
            caption="\n".join(self.notes) or None,
            caption_justify="left",
            box=box.SIMPLE_HEAD,
        )
        for group in self.groups:
            more = [f"… and {len(group.ids) - _LISTED} more"] if len(group.ids) > _LISTED else []
            why = dict.fromkeys(str(reason) for pair in group.pairs for reason in pair.reasons)
            laid.add_row(str(len(group.ids)), "\n".join([*group.ids[:_LISTED], *more]), "\n".join(list(why)[:_LISTED]))
        return laid

    def __str__(self) -> str:
        return as_text(self.__rich__())


@overload
def near_duplicates(
    collection: Collection,
    *,
    where: Where | None = None,
    similar: float | Mapping[str, float] = 0.98,
    bits: int = 6,
) -> Duplicates: ...
@overload
def near_duplicates(
    collection: AsyncCollection,
    *,
    where: Where | None = None,
    similar: float | Mapping[str, float] = 0.98,
    bits: int = 6,
) -> Awaitable[Duplicates]: ...
def near_duplicates(
    collection: Collection | AsyncCollection,
    *,
    where: Where | None = None,
    similar: float | Mapping[str, float] = 0.98,
    bits: int = 6,
) -> Duplicates | Awaitable[Duplicates]:
    """Group items that are the same, or nearly: content, look, or vectors.

    `similar` is the least similarity, in every field that compares a modality with itself, or by field: other fields
    are then not compared, and with {} none. `bits` is how many of the 64 bits of two perceptual hashes may differ. The
    store is asked for the nearest of every item, so cost grows with items, not with pairs. Pieces of one source, such
    as the windows of a sound, are no duplicates of one another.
    """
    if not 0 <= bits < _BITS // 4:
        raise ValueError(
            f"bits is how many of the {_BITS} bits of a look may differ, 0 to {_BITS // 4 - 1}, not {bits}"
        )
    return collection.run(_duplicates(collection.view, where, similar, bits))


@dataclass(frozen=True, slots=True)
class _Known:
    """What is compared of an item without its vectors."""

    id: str
    source: str
    content: str
    looks: Mapping[str, str]
    """By medium."""


_NEAREST = 16
"""Near ones that are asked for of each item; what has more is held together by the nearest of them."""


def _duplicates(view: View, where: Where | None, similar: float | Mapping[str, float], bits: int) -> Walk[Duplicates]:
    least, notes = _compared(view, similar)
    known = yield from _known(view, where)
    sources = {one.id: one.source for one in known}
    pairs = _Pairs(sources)
    yield Think(partial(_by_content, known, pairs))
    yield Think(partial(_by_look, known, bits, pairs))
    for field, threshold in least.items():
        narrow = yield from narrowed(view, field, where)
        found: list[Row] = yield from rows(view, field, narrow)
        near = yield from neighbours(view, field, found, narrow, _NEAREST, least=threshold)
        for row, several in zip(found, near, strict=True):
            for one in several:
                pairs.add(row.id, one.id, Reason("similarity", field, min(1.0, one.score)))
        if full := sum(len(several) == _NEAREST for several in near):
            notes.append(f"{field}: {full} items have {_NEAREST} near ones or more, of which the nearest are compared")
    groups: tuple[Group, ...] = yield Think(pairs.groups)
    return Duplicates(groups, len(known), tuple(notes))


def _compared(view: View, similar: float | Mapping[str, float]) -> tuple[dict[str, float], list[str]]:
    """The fields whose vectors are compared, and the least similarity in each."""
    if isinstance(similar, Mapping):
        least: dict[str, float] = {dense_field(view, name).name: threshold for name, threshold in similar.items()}
        notes: list[str] = []
    else:
        own = [f for f in view.schema.fields.values() if f.modality in f.answers]
        least = {f.name: float(similar) for f in own if _comparable(f)}
        notes = [
            f"{f.name}: its vectors are not compared, as they have no similarity up to 1"
            for f in own
            if f.name not in least
        ]
    for name, threshold in least.items():
        if not 0 < threshold <= 1:
            raise ValueError(f"similar is a similarity above 0 and up to 1, not {threshold} (field {name!r})")
        if view.schema.fields[name].is_multivector:
            raise ValueError(f"field {name!r} has several vectors an item; name fields of one in similar={{...}}")
    return least, notes


def _comparable(field: Field) -> bool:
    dense = field.space.kind is Kind.DENSE and not field.is_multivector
    return dense and field.space.distance is models.Distance.COSINE


def _known(view: View, where: Where | None) -> Walk[list[_Known]]:
    found: list[_Known] = []
    narrow, offset = filter_of(where), None
    while True:
        asked = {"limit": _PAGE, "offset": offset, "with_payload": True, "with_vectors": False}
        records: list[models.Record]
        records, offset = yield Ask("scroll", (view.name, narrow), asked)
        for record in records:
            payload: Metadata = record.payload or {}
            standing = standing_of(payload)
            if standing is None:  # not made by octant: its vectors alone can be compared
                found.append(_Known(str(record.id), str(record.id), "", {}))
                continue
            facts = {name: facts for name, facts in facts_of(payload).items() if "perceptual_hash" in facts}
            looks = {name: facts["perceptual_hash"] for name, facts in facts.items()}
            found.append(_Known(standing.id, standing.source, standing.content, looks))
        if offset is None:
            return found


class _Pairs:
    """Pairs with their reasons, and what hangs together by them."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = sources
        self._reasons: dict[tuple[str, str], list[Reason]] = {}
        self._parent: dict[str, str] = {}

    def add(self, one: str, other: str, reason: Reason) -> None:
        """Note a reason, unless the two are pieces of one source, or it is known from the other side."""
        if self._sources.get(one, one) == self._sources.get(other, other):
            return
        reasons = self._reasons.setdefault((one, other) if one < other else (other, one), [])
        if not any((known.measure, known.of) == (reason.measure, reason.of) for known in reasons):
            reasons.append(reason)
        first, second = sorted((self._root(one), self._root(other)))
        self._parent[second] = first

    def groups(self) -> tuple[Group, ...]:
        """What hangs together, the largest first."""
        gathered: dict[str, list[Pair]] = {}
        for (one, other), reasons in sorted(self._reasons.items()):
            gathered.setdefault(self._root(one), []).append(Pair(one, other, tuple(reasons)))
        groups = [
            Group(tuple(sorted({name for pair in pairs for name in (pair.one, pair.other)})), tuple(pairs))
            for pairs in gathered.values()
        ]
        return tuple(sorted(groups, key=lambda group: (-len(group.ids), group.ids)))

    def _root(self, name: str) -> str:
        while (above := self._parent.setdefault(name, name)) != name:
            self._parent[name] = self._parent[above]  # shorter the next time
            name = above
        return name


def _by_content(known: Sequence[_Known], pairs: _Pairs) -> None:
    firsts: dict[str, str] = {}
    for one in known:
        if one.content:
            first = firsts.setdefault(one.content, one.id)
            if first != one.id:
                pairs.add(first, one.id, Reason("content", "", 1.0))


def _by_look(known: Sequence[_Known], bits: int, pairs: _Pairs) -> None:
    for medium in dict.fromkeys(name for one in known for name in one.looks):
        alike: dict[int, list[str]] = {}
        for one in known:
            if medium in one.looks:
                alike.setdefault(int(one.looks[medium], 16), []).append(one.id)
        telling = [look for look in alike if _PLAIN <= look.bit_count() <= _BITS - _PLAIN]
        for look in telling:
            first, *others = alike[look]
            for other in others:
                pairs.add(first, other, Reason("look", medium, 1.0))
        for i, j, differ in _near(np.array(telling, dtype=np.uint64), bits):
            pairs.add(alike[telling[i]][0], alike[telling[j]][0], Reason("look", medium, 1 - differ / _BITS))


def _near(hashes: Hashes, bits: int) -> list[tuple[int, int, int]]:
    """Pairs of places whose different hashes differ in so many bits or fewer, and in how many.

    Multi-index hashing (Norouzi, Punjani & Fleet 2012): of bits + 1 pieces of a hash, the two have one in common.
    """
    found: dict[tuple[int, int], int] = {}
    edges = np.linspace(0, _BITS, bits + 2).astype(int).tolist()
    for start, end in pairwise(edges):
        pieces = (hashes >> np.uint64(start)) & np.uint64((1 << (end - start)) - 1)
        order = np.argsort(pieces, kind="stable")
        runs = np.split(order, np.flatnonzero(np.diff(pieces[order])) + 1)
        for run in (run for run in runs if len(run) > 1):
            for at in range(0, len(run), _BLOCK):  # a piece that many have in common makes a long run
                differ = _count(hashes[run[at : at + _BLOCK], None] ^ hashes[None, run[at:]])
                ones, others = np.nonzero(np.triu(differ <= bits, k=1))
                for i, j in zip(ones.tolist(), others.tolist(), strict=True):
                    found[int(run[at + i]), int(run[at + j])] = int(differ[i, j])
    return [(one, other, differ) for (one, other), differ in sorted(found.items())]


def _count(words: Hashes) -> Hashes:
    """The ones in each word: sums of neighbours, in parallel (Warren, "Hacker's Delight", 5-1)."""
    words = words - ((words >> np.uint64(1)) & np.uint64(0x5555555555555555))
    pairs = (words & np.uint64(0x3333333333333333)) + ((words >> np.uint64(2)) & np.uint64(0x3333333333333333))
    nibbles = (pairs + (pairs >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    counts: Hashes = (nibbles * np.uint64(0x0101010101010101)) >> np.uint64(56)
    return counts
