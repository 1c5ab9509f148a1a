"""From items to stored points: describe, encode and upsert side by side, and a report of what became of each.

arrivals ─▶ describe (threads, ahead) ─▶ Schema.points (caller's thread) ─▶ write (one batch behind) ─▶ Report
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, cast

from qdrant_client.http import models

from octant.errors import ItemError, MediaError
from octant.item import Item, Skipped
from octant.media import Image, Modality, data_url, describe, thumbnail
from octant.payload import payload_of
from octant.schema import Prepared, Schema

__all__ = ["Arrival", "Progress", "Report", "Write", "ingest"]

Arrival = Item | Skipped | MediaError | ItemError
"""What an adapter yields: an item, a source that is none of octant's business, or one that is broken."""
Write = Callable[[list[models.PointStruct]], None]
"""Stores points, durably, before it returns."""


@dataclass(slots=True, repr=False)
class Report:
    """What became of the sources of one `add`."""

    points: int = 0
    """Points stored: items added or replaced."""
    added: dict[Modality, int] = field(default_factory=dict[Modality, int])
    """How many of them have a medium of each modality."""
    skipped: list[Skipped] = field(default_factory=list[Skipped])
    """Sources of no kind that octant reads."""
    failed: list[Skipped] = field(default_factory=list[Skipped])
    """Sources that ought to have worked, with what to do about each."""
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The report as plain data, for JSON."""
        return {
            "points": self.points,
            "added": {modality.value: count for modality, count in self.added.items()},
            "skipped": [{"source": s.source, "reason": s.reason} for s in self.skipped],
            "failed": [{"source": s.source, "reason": s.reason} for s in self.failed],
            "seconds": round(self.seconds, 3),
        }

    def __repr__(self) -> str:
        kinds = ", ".join(f"{count} {modality}" for modality, count in self.added.items()) or "nothing"
        left_out = [f"{len(s)} {word}" for s, word in ((self.skipped, "skipped"), (self.failed, "failed")) if s]
        lines = [f"{self.points} items stored ({kinds}) in {self.seconds:.1f} s" + "".join(f", {x}" for x in left_out)]
        lines += [f"  {one.source}: {one.reason}" for one in (*self.failed, *self.skipped)]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an `add` has come; given to its `progress` callback after every batch."""

    done: int
    skipped: int
    failed: int
    seconds: float
    current: str
    """The source that was read last."""


def ingest(
    arrivals: Iterable[Arrival],
    schema: Schema,
    write: Write,
    *,
    batch_size: int = 32,
    thumbnails: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Store every item that can be stored, and report the rest.

    One bad medium never loses another item: it is left out and its batch encoded without it. What `write` raises
    ends the run; batches written before stay. What `arrivals` raises ends it too, after what had arrived is stored.
    `thumbnails` is the longest side, in pixels, of those to keep.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")
    start = time.perf_counter()
    ended: list[Exception] = []
    report = Report()
    with (
        ThreadPoolExecutor(max_workers=2, thread_name_prefix="octant-describe") as describers,
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="octant-upsert") as writer,
    ):
        prepare = partial(_prepare, schema=schema, thumbnails=thumbnails)
        ready = _ahead(describers, prepare, _once(_guarded(arrivals, ended)), batch_size)
        writing: tuple[list[Prepared], Future[None]] | None = None
        while batch := list(islice(ready, batch_size)):
            prepared = _keep(batch, report)
            points, stored = _points(schema, prepared, report)
            _finish(writing, report)
            writing = (stored, writer.submit(write, points)) if points else None
            report.seconds = time.perf_counter() - start
            if progress is not None:
                current = _source(prepared[-1].item) if prepared else ""
                progress(Progress(report.points, len(report.skipped), len(report.failed), report.seconds, current))
        _finish(writing, report)
    report.seconds = time.perf_counter() - start
    if progress is not None:
        progress(Progress(report.points, len(report.skipped), len(report.failed), report.seconds, ""))
    if ended:
        raise ended[0]
    return report


def _guarded(arrivals: Iterable[Arrival], ended: list[Exception]) -> Iterator[Arrival]:
    """End where the source fails, and keep the error: what came before it is still to be stored."""
    try:
        yield from arrivals
    except Exception as error:
        ended.append(error)


def _once(arrivals: Iterable[Arrival]) -> Iterator[Arrival]:
    """Let each id through once: two items of one id would overwrite one another in silence."""
    seen: set[str] = set()
    for arrival in arrivals:
        if not isinstance(arrival, Item):
            yield arrival
        elif arrival.id in seen:
            yield ItemError(arrival.id, "its id was given before in this run; the first is kept, give this one its own")
        else:
            seen.add(arrival.id)
            yield arrival


def _prepare(arrival: Arrival, schema: Schema, thumbnails: int | None) -> Prepared | Skipped:
    """Describe an item's media; what is not an item passes through. Runs in a thread and never raises OctantError."""
    if not isinstance(arrival, Item):
        return arrival if isinstance(arrival, Skipped) else _Failed.of(arrival)
    try:
        schema.check(arrival)
        described = {name: describe(medium) for name, medium in arrival.media.items()}
        images = {n: m for n, m in arrival.media.items() if isinstance(m, Image)} if thumbnails else {}
        small = {name: data_url("image/webp", thumbnail(image, thumbnails or 0)) for name, image in images.items()}
        return Prepared(arrival, payload_of(arrival, described, small))
    except (MediaError, ItemError) as error:
        return _Failed.of(error, arrival)


class _Failed(Skipped):
    """A source that ought to have worked."""

    __slots__ = ()

    @classmethod
    def of(cls, error: MediaError | ItemError, item: Item | None = None) -> _Failed:
        if item is not None:
            return cls(_source(item), error.reason)
        if isinstance(error, ItemError):
            return cls(error.item_id, error.reason)
        source = getattr(error.media, "source", error.media)
        return cls(str(source) if isinstance(source, Path) else repr(error.media), error.reason)


def _ahead(
    executor: ThreadPoolExecutor,
    prepare: Callable[[Arrival], Prepared | Skipped],
    arrivals: Iterator[Arrival],
    batch_size: int,
) -> Iterator[Prepared | Skipped]:
    """Map in order, at most two batches ahead of the consumer, so that memory does not grow with the corpus."""
    waiting: deque[Future[Prepared | Skipped]] = deque()
    while True:
        fresh = islice(arrivals, 2 * batch_size - len(waiting))
        waiting.extend(executor.submit(prepare, arrival) for arrival in fresh)
        if not waiting:
            return
        yield waiting.popleft().result()


def _keep(batch: Sequence[Prepared | Skipped], report: Report) -> list[Prepared]:
    """Write down what was left out, and give back the rest."""
    for one in batch:
        if isinstance(one, _Failed):
            report.failed.append(one)
        elif isinstance(one, Skipped):
            report.skipped.append(one)
    return [one for one in batch if isinstance(one, Prepared)]


def _points(schema: Schema, batch: list[Prepared], report: Report) -> tuple[list[models.PointStruct], list[Prepared]]:
    """Encode a batch, without the items whose media turn out to be undecodable."""
    while batch:
        try:
            return schema.points(batch), batch
        except (ItemError, ExceptionGroup) as error:
            reasons = _reasons(error, batch)
            if not reasons:
                raise
            report.failed.extend(_Failed(_source(batch[i].item), reason) for i, reason in reasons.items())
            batch = [one for i, one in enumerate(batch) if i not in reasons]
    return [], []


def _reasons(error: Exception, batch: Sequence[Prepared]) -> dict[int, str]:
    """Which places of the batch the error is about, and why; empty where it is about something else."""
    if isinstance(error, ExceptionGroup):
        inner = cast("tuple[Exception, ...]", error.exceptions)  # pyright: ignore[reportUnknownMemberType]
        found = [_reasons(one, batch) for one in inner]
        return {place: reason for one in found for place, reason in one.items()} if all(found) else {}
    if isinstance(error, ItemError):
        return {i: error.reason for i, one in enumerate(batch) if one.item.id == error.item_id}
    return {}


def _finish(writing: tuple[list[Prepared], Future[None]] | None, report: Report) -> None:
    """Wait for a batch to be stored, and count it only then."""
    if writing is None:
        return
    stored, written = writing
    written.result()
    report.points += len(stored)
    for one in stored:
        for modality in {medium.modality for medium in one.item.media.values()}:
            report.added[modality] = report.added.get(modality, 0) + 1


def _source(item: Item) -> str:
    sources = (getattr(medium, "source", None) for medium in item.media.values())
    return next((str(source) for source in sources if isinstance(source, Path)), item.id)
