"""Outliers of a collection: items that are far even from what is nearest to them."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, overload

from octant.answer import Think, View, Walk
from octant.applications.stored import Neighbour, Row, counted, dense_field, narrowed, neighbours, rows
from octant.query import Where
from octant.show.sheet import as_text

if TYPE_CHECKING:
    from rich.table import Table

    from octant.collection import AsyncCollection, Collection

__all__ = ["Outlier", "Outliers", "outliers_of"]


@dataclass(frozen=True, slots=True)
class Outlier:
    """An item, and how far it is from its neighbours."""

    id: str
    distance: float
    """1 - similarity, the mean over the nearest."""
    deviation: float
    """How many standard deviations that is above what is usual; beyond 3 is odd."""
    nearest: str
    """The item that is most like it all the same."""


@dataclass(frozen=True, slots=True)
class Outliers:
    """The oddest items, oddest first, and what is usual among the others."""

    field: str
    items: tuple[Outlier, ...]
    usual: float
    """The median distance of all that were looked at."""
    looked_at: int
    of: int
    """How many items there are with a vector in this field; where they are more, those looked at are a sample."""

    def __iter__(self) -> Iterator[Outlier]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, for JSON."""
        return asdict(self)

    def __rich__(self) -> Table:
        from rich import box
        from rich.table import Column, Table

        sample = "" if self.looked_at == self.of else f", a sample of {self.of:,}"
        laid = Table(
            Column("item", overflow="fold"),
            Column("distance", justify="right"),
            Column("deviation", justify="right"),
            Column("nearest", overflow="fold", style="dim"),
            title=f"{self.field}: {self.looked_at:,} items{sample}, usually {self.usual:.3f} from their nearest",
            title_justify="left",
            box=box.SIMPLE_HEAD,
        )
        for one in self.items:
            laid.add_row(one.id, f"{one.distance:.3f}", f"{one.deviation:+.1f}", one.nearest)
        return laid

    def __str__(self) -> str:
        return as_text(self.__rich__())


@overload
def outliers_of(
    collection: Collection,
    field: str,
    *,
    where: Where | None = None,
    k: int = 10,
    limit: int = 10,
    sample: int = 20_000,
) -> Outliers: ...
@overload
def outliers_of(
    collection: AsyncCollection,
    field: str,
    *,
    where: Where | None = None,
    k: int = 10,
    limit: int = 10,
    sample: int = 20_000,
) -> Awaitable[Outliers]: ...
def outliers_of(
    collection: Collection | AsyncCollection,
    field: str,
    *,
    where: Where | None = None,
    k: int = 10,
    limit: int = 10,
    sample: int = 20_000,
) -> Outliers | Awaitable[Outliers]:
    """Find the items whose k nearest neighbours are the farthest on average (Angiulli & Pizzuti 2002).

    The store finds the neighbours, among all that `where` matches; at most `sample` items are judged, drawn evenly.
    With k above the number of its copies an item that is odd together with them is found as well.
    """
    if k < 1 or limit < 1 or sample < 2:
        raise ValueError(
            f"outliers_of(k={k}, limit={limit}, sample={sample}) needs k and limit of 1, a sample of 2 or more"
        )
    return collection.run(_outliers(collection.view, field, where, k, limit, sample))


def _outliers(view: View, field: str, where: Where | None, k: int, limit: int, sample: int) -> Walk[Outliers]:
    dense_field(view, field)
    narrow = yield from narrowed(view, field, where)
    found = yield from rows(view, field, narrow, sample)
    there = yield from counted(view, narrow)
    near = yield from neighbours(view, field, found, narrow, k)
    judged: Outliers = yield Think(partial(_judged, field, found, near, limit, there))
    return judged


def _judged(field: str, found: Sequence[Row], near: Sequence[Sequence[Neighbour]], limit: int, there: int) -> Outliers:
    far = {row.id: 1 - fmean(one.score for one in several) for row, several in zip(found, near, strict=True) if several}
    nearest = {row.id: several[0].id for row, several in zip(found, near, strict=True) if several}
    if not far:
        return Outliers(field, (), 0.0, len(found), there)
    usual = median(far.values())
    # the median of deviations, as a few odd items must not make the odd usual (Leys et al. 2013)
    spread = 1.4826 * median(abs(distance - usual) for distance in far.values()) or 1e-9
    oddest = sorted(far, key=lambda name: (-far[name], name))[:limit]
    listed = tuple(Outlier(name, far[name], (far[name] - usual) / spread, nearest[name]) for name in oddest)
    return Outliers(field, listed, usual, len(found), there)
