"""From items to stored points: read, compare, decode, encode and upsert side by side; nothing twice, nothing lost.

arrivals ─▶ read what changed ─▶ compare ─▶ decode ─▶ Schema.points ─▶ write ─▶ Report
(caller)    (threads)            (caller)   (threads)  (a thread)       (a thread)

The caller's thread walks the sources and gathers what is decoded; it hands over a window of items whenever the encoder
is free, so neither waits for the other while there is work for both.

What a run knows it reads from the collection itself: there is no journal that could tell otherwise. A point says which
source it came from, what that looked like (stamp), what its media hold (content) and what made its vectors (model).
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import unquote, urlsplit

from qdrant_client.http import models

from octant.errors import ItemError, MediaError, MissingExtra
from octant.item import Item, Origin, Skipped
from octant.media import Audio, Image, Media, Modality, Text, data_url, decode_audio, decode_image, describe, thumbnail
from octant.media.facts import dominant_colours, perceptual_hash
from octant.payload import Standing, content_in, facts_of, media_of, payload_of, point_id, standing_of, with_facts
from octant.report import Progress, Report
from octant.schema import Prepared, Schema, Vectors
from octant.standing import Found, Stored

__all__ = ["Arrival", "Deferred", "Seen", "ingest", "is_gone", "once"]


class Deferred(Protocol):
    """A source that is known, and not read yet: where its stamp stands already it need not be."""

    @property
    def source(self) -> str:
        """Its identity, as in `Origin.source`."""
        ...

    @property
    def stamp(self) -> str | None: ...

    def items(self) -> Sequence[Item | Skipped | MediaError | ItemError]:
        """Read it. Runs in a thread."""
        ...


Arrival = Item | Deferred | Skipped | MediaError | ItemError
"""What an adapter yields: an item, a source of items, one that is none of octant's business, or one that is broken."""

A = TypeVar("A")
B = TypeVar("B")

_READERS = max(2, min(8, os.cpu_count() or 2))
_GROUP = 256
"""Sources about which the store is asked at once."""
_SMALL = 512
"""The shorter side of the pictures that facts and thumbnails are taken from, where the encoders do not say theirs."""
_HELD = 2 * 1024 * 1024
"""Bytes of decoded pixels or samples that may wait for the encoder; what is larger is decoded by it."""
_WINDOW = 64 * 1024 * 1024
"""Bytes of decoded media that are encoded and stored at once."""
_WINDOW_SECONDS = 4.0
"""How long a window should take: a crash repeats no more, what is stored can be searched, and of texts there are enough
to find many of like length."""
_PATIENCE = 0.1
"""Seconds that the encoder waits for a whole batch before it takes a part of one."""


@dataclass(slots=True)
class Seen:
    """Which sources a run has met: a sync deletes the others."""

    sources: set[str] = field(default_factory=set[str])
    unread: list[str] = field(default_factory=list[str])
    """Identities of files, folders, tables, rows that could not be read: nothing in them is known to be gone."""
    taken: set[str] = field(default_factory=set[str])
    """Ids of items whose vectors went to an item of the same content, because their own source is gone."""


def ingest(
    arrivals: Iterable[Arrival],
    schema: Schema,
    stored: Stored,
    *,
    batch_size: int = 32,
    thumbnails: int | None = None,
    remembered: Vectors | None = None,
    progress: Callable[[Progress], None] | None = None,
    seen: Seen | None = None,
    dry: bool = False,
) -> Report:
    """Store every item that can be stored and is not stored yet, and report the rest.

    One bad medium never loses another item. What the store raises ends the run; what was written before stays, and the
    next run goes on from there. What `arrivals` raises ends it too, after what had arrived is stored.
    `thumbnails` is the longest side, in pixels, of those to keep. `dry` compares, and neither encodes nor writes.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")
    run = _Run(schema, stored, batch_size, thumbnails, remembered, progress, seen, dry)
    return run.whole(arrivals)


@dataclass(frozen=True, slots=True)
class _Judged:
    """An item that is to be written: with the vectors and facts that stand already, or with what has to be made."""

    prepared: Prepared
    fate: str
    """"added", "updated", "moved"; or "unchanged" where no more than its stamp is new."""
    last: bool
    """Whether it is the last item of its source."""
    vectors: dict[str, Any] | None = None
    facts: Mapping[str, Mapping[str, Any]] | None = None


@dataclass(slots=True)
class _Window:
    """What is encoded and stored together."""

    items: list[_Judged] = field(default_factory=list[_Judged])
    weight: int = 0
    """Bytes that they hold in memory."""
    kinds: Counter[Modality | None] = field(default_factory=Counter[Modality | None])
    """How many media there are of each; an item that has none counts as one of None."""
    since: float = field(default_factory=time.perf_counter)

    def put(self, one: _Judged) -> None:
        media = one.prepared.item.media.values()
        self.items.append(one)
        self.weight += sum(map(_weight, media)) + sum(
            getattr(v, "nbytes", 0) for v in one.prepared.item.vectors.values()
        )
        kinds: list[Modality | None] = [medium.modality for medium in media]
        self.kinds.update(kinds or [None])

    @property
    def batch(self) -> int:
        """How many media there are of the most frequent kind: each is encoded by itself, whatever else there is."""
        return max(self.kinds.values())


@dataclass(frozen=True, slots=True)
class _Made:
    """A window that was encoded, and is being written."""

    points: list[tuple[models.PointStruct, _Judged]]
    failed: list[_Failed]
    encoded: int
    batch: int
    """As of its window."""
    seconds: float
    """How long encoding took."""
    written: Future[None]


@dataclass(frozen=True, slots=True)
class _Broken:
    """An item that cannot be looked at."""

    item: Item
    why: _Failed


_Part = Prepared | _Broken | Skipped | MediaError | ItemError
_Read = tuple[str, Sequence[_Part], bool]
"""A source, what it holds, and whether it ends with that: of a stream the items of one source come one by one."""


class _Run:
    """One run of the pipeline. Its methods are the stages, in order; what they share is the report."""

    def __init__(
        self,
        schema: Schema,
        stored: Stored,
        batch_size: int,
        thumbnails: int | None,
        remembered: Vectors | None,
        progress: Callable[[Progress], None] | None,
        seen: Seen | None,
        dry: bool,
    ) -> None:
        self.schema, self.stored, self.remembered = schema, stored, remembered
        self.batch_size, self.thumbnails, self.dry = batch_size, thumbnails, dry
        self.progress, self.seen = progress, seen
        self.model, self.pixels, self.rate = schema.model(), schema.pixels(), schema.rate()
        self.report = Report(dry=dry)
        self.started = time.perf_counter()
        self.fresh = stored.is_empty()
        self.suspects: dict[str, set[str]] = {}
        """Sources that stand in another shape, with the ids that they have now: what else they have is stale."""
        self.kept: dict[str, set[str]] = {}
        """The ids that sources of several parts have now, as far as they were met."""
        self.there: dict[str, set[str]] = {}
        """The ids that stand of those of them that were looked up."""
        self.emptied: set[str] = set()
        """Those of them that hold nothing now, and are well."""
        self.ends: set[str] = set()
        """Those of them that were read to their end: what was not met of another may still be there."""
        self.ended: list[Exception] = []
        self.sources = 0
        self.current = ""
        # the first one is small, so that something is found soon
        self.window = max(1, batch_size // 4)
        """How many media of one kind are encoded and stored at once, at most."""
        self.per_second = 0.0
        """How many there were of the window that was encoded last."""
        self.encoder = ThreadPoolExecutor(1, thread_name_prefix="octant-encode")
        self.writer = ThreadPoolExecutor(1, thread_name_prefix="octant-upsert")
        self.encoding: Future[_Made] | None = None
        self.writing: _Made | None = None
        self.stopped = Event()
        self.busy = _Busy()

    def whole(self, arrivals: Iterable[Arrival]) -> Report:
        readers = ThreadPoolExecutor(_READERS, thread_name_prefix="octant-read")
        # of their own: what is looked at next must not queue behind what is decoded for later
        decoders = ThreadPoolExecutor(_READERS, thread_name_prefix="octant-decode")
        try:
            changed = self._changed(once(self._guarded(arrivals)))
            items = self._items(_ahead(readers, self._read, changed, self._most, _is_to_read, _carried))
            loaded = _ahead(decoders, self._load, self._judged(items), self._most, _is_to_decode, self._to_hold)
            windows = self._windows(loaded)
            while True:
                with self._timed("read"):
                    window = next(windows, None)
                if window is None:
                    break
                self._collect()
                self.encoding = self.encoder.submit(self._encode, window)
                fitting = round(self.per_second * _WINDOW_SECONDS)
                self.window = max(self.batch_size, min(fitting, 4 * window.batch, 16 * self.batch_size))
                self.current = _source(window.items[-1].prepared.item)
                self._tell()
            self._collect()
            self._collect()
            with self._timed("write"):
                self._clean()
        finally:
            self.stopped.set()
            for pool in (readers, decoders, self.encoder):
                pool.shutdown(cancel_futures=True)
            self.writer.shutdown()
        self.report.stages["encode"] = self.report.stages.get("encode", 0.0) + self.busy.seconds()
        self.current = ""
        self._tell()
        if self.ended:
            raise self.ended[0]
        return self.report

    def _guarded(self, arrivals: Iterable[Arrival]) -> Iterator[Arrival]:
        """End where the source fails, and keep the error: what came before it is still to be stored."""
        try:
            yield from arrivals
        except Exception as error:
            self.ended.append(error)

    def _changed(self, arrivals: Iterator[Arrival]) -> Iterator[Item | Deferred]:
        """Leave out the sources whose stamp stands already, all items of theirs with it."""
        waiting: list[Deferred] = []
        for arrival in arrivals:
            if isinstance(arrival, Skipped | MediaError | ItemError):
                self._left_out(arrival)
            elif isinstance(arrival, Item):
                yield arrival
            else:
                if self.seen is not None:
                    self.seen.sources.add(arrival.source)
                waiting.append(arrival)
                if len(waiting) == (_GROUP if not self.fresh else 1):
                    yield from self._unknown(waiting)
                    waiting = []
        yield from self._unknown(waiting)

    def _unknown(self, waiting: list[Deferred]) -> list[Deferred]:
        if self.fresh or not waiting:
            return waiting
        with self._timed("lookup"):
            standing = self.stored.of_sources([one.source for one in waiting])
        left: list[Deferred] = []
        for one in waiting:
            items = standing.get(one.source, [])
            stands = (
                one.stamp is not None
                and bool(items)
                and len(items) == items[0].parts
                and all((item.stamp, item.model) == (one.stamp, self.model) for item in items)
            )
            if stands:
                self.report.unchanged += len(items)
                self.sources += 1
                continue
            if items:
                self._suspect(one.source)
                self.there[one.source] = {item.id for item in items}
            left.append(one)
        self._tell()
        return left

    def _read(self, given: Item | Deferred) -> _Read:
        """Read a source, and look at the media of its items without decoding them. Runs in a thread.

        Items are split as the schema wants them: what is linked before what it is linked to, so that the item itself
        is written last, and stands only when all that belongs to it does.
        """
        arrivals = [given] if isinstance(given, Item) else given.items()
        parts: list[_Part] = []
        for one in arrivals:
            parts += map(self._described, reversed(self.schema.split(one))) if isinstance(one, Item) else [one]
        if not isinstance(given, Item):
            return given.source, parts, True
        return given.id, parts, given.origin is None or given.origin.part >= given.origin.parts - 1

    def _described(self, item: Item) -> Prepared | _Broken:
        try:
            self.schema.check(item)
            described = {name: describe(medium) for name, medium in item.media.items()}
            fingerprints = {name: one.fingerprint for name, one in described.items()}
            return Prepared(item, payload_of(item, described, self.model, self.thumbnails), fingerprints)
        except (MediaError, ItemError, MissingExtra) as error:
            return _Broken(item, _Failed.of(error, item))

    def _items(self, read: Iterator[_Read]) -> Iterator[tuple[Prepared | _Broken, bool]]:
        """Pass the items of what was read, one by one, and say which is the last of its source."""
        for source, parts, ends in read:
            items = [one for one in parts if isinstance(one, Prepared | _Broken)]
            if source in self.suspects and ends:
                self.ends.add(source)
                if all(isinstance(one, Skipped) for one in parts):
                    self.emptied.add(source)
            for one in parts:
                if not isinstance(one, Prepared | _Broken):
                    self._left_out(one)
            self.sources += 1
            for i, one in enumerate(items, start=1):
                if self.seen is not None:
                    self.seen.sources.add(_origin(one.item).source)
                yield one, ends and i == len(items)

    def _judged(self, items: Iterator[tuple[Prepared | _Broken, bool]]) -> Iterator[_Judged]:
        """Compare items with what stands, in groups; pass on those that are to be written."""
        group: list[tuple[Prepared, bool]] = []
        weight, since = 0, time.perf_counter()
        for one, last in items:
            if isinstance(one, Prepared):
                group.append((one, last))
                weight += _carried(one.item)
            else:
                source = _origin(one.item).source
                self._left_out(one.why)
                self._keep(source, one.item.id)  # what stands of it is better than nothing
                if last:
                    self.ends.add(source)
            # no more at once than a window takes: what comes slowly is not kept waiting for the rest of a group
            late = time.perf_counter() - since > _PATIENCE
            if self.fresh or late or len(group) >= self.window or weight >= _WINDOW:
                yield from self._compared(group)
                group, weight, since = [], 0, time.perf_counter()
        yield from self._compared(group)

    def _keep(self, source: str, name: str) -> None:
        """Note an id that a source of several parts has now."""
        self.kept.setdefault(source, set()).add(name)

    def _suspect(self, source: str) -> None:
        self.suspects[source] = self.kept.setdefault(source, set())

    def _compared(self, group: list[tuple[Prepared, bool]]) -> Iterator[_Judged]:
        if not group:
            return
        if self.fresh:
            yield from (_Judged(prepared, "added", last) for prepared, last in group)
            return
        with self._timed("lookup"):
            found = self.stored.items([prepared.item.id for prepared, _ in group])
            owns = [_own(prepared) for prepared, _ in group]
            new = {
                own.content for own in owns if own.id not in found or _differs(found[own.id], own.content, self.model)
            }
            alike = self.stored.alike(sorted(new), self.model)
            again = [own.id for own in owns if (one := found.get(own.id)) and self._is_stale(one, own)]
            vectors = self.stored.items(again, vectors=True)
        for (prepared, last), own in zip(group, owns, strict=True):
            if own.id in found and (taken := _is_another_row(found[own.id].standing.source, own.source)):
                self._left_out(_Failed.of(ItemError(prepared.item.id, taken)))
                continue
            judged = self._fate(prepared, own, last, found, alike, vectors)
            several = own.parts > 1 or (own.id in found and found[own.id].standing.parts != own.parts)
            if several or own.source in self.suspects:
                self._keep(own.source, own.id)
            if several and judged is not None and own.source not in self.suspects:
                self._suspect(own.source)
            if last and own.source in self.suspects:
                self.ends.add(own.source)
            elif last:
                self.kept.pop(own.source, None)
            if judged is None:
                self.report.unchanged += 1
            else:
                yield judged

    def _is_stale(self, there: Found, own: Standing) -> bool:
        """Whether the vectors of a stored item are right, and something else that it says is not."""
        return not _differs(there, own.content, self.model) and there.standing != own

    def _fate(
        self,
        prepared: Prepared,
        own: Standing,
        last: bool,
        found: Mapping[str, Found],
        alike: Mapping[str, Found],
        vectors: Mapping[str, Found],
    ) -> _Judged | None:
        """What is to be done with an item; None where it stands as it is."""
        there = found.get(own.id)
        if there is not None and not _differs(there, own.content, self.model):
            if there.standing == own:
                return None
            same = (there.standing.rest, there.standing.thumbnails) == (own.rest, own.thumbnails)
            fate = "unchanged" if same else "updated"
            again = vectors.get(own.id)
            if again is not None and _differs(again, own.content, self.model):
                again = None  # another process has written it since
            return self._taking(again, prepared, own, fate, last)
        twin = alike.get(own.content)
        fate = "added" if there is None else "updated"
        if twin is not None and there is None and is_gone(twin.standing.source):
            fate = "moved"
            if self.seen is not None:
                self.seen.taken.add(twin.standing.id)
        return self._taking(twin, prepared, own, fate, last)

    def _taking(self, twin: Found | None, prepared: Prepared, own: Standing, fate: str, last: bool) -> _Judged:
        """Take over the vectors of an item of the same content; and what was learned of it, where that suffices."""
        if twin is None or twin.vectors is None:
            return _Judged(prepared, fate, last)
        same = twin.standing.thumbnails == own.thumbnails
        return _Judged(prepared, fate, last, twin.vectors, facts_of(twin.payload) if same else None)

    def _load(self, judged: _Judged) -> _Judged | Skipped:
        """Decode what encoders will ask for, and learn what only decoding tells. Runs in a thread."""
        if self.dry or judged.facts is not None:
            return judged
        prepared = judged.prepared
        try:
            loaded: dict[str, Media] = dict(prepared.item.media)
            facts: dict[str, dict[str, Any]] = {}
            for name, medium in prepared.item.media.items():
                if isinstance(medium, Image):
                    loaded[name], facts[name] = self._seen(medium)
                elif isinstance(medium, Audio) and judged.vectors is None:
                    loaded[name] = self._heard(medium, media_of(prepared.payload)[name]["seconds"])
        except (MediaError, ItemError, MissingExtra) as error:
            return _Failed.of(error, prepared.item)
        return replace(judged, prepared=replace(prepared, item=replace(prepared.item, media=loaded)), facts=facts)

    def _seen(self, image: Image) -> tuple[Image, dict[str, Any]]:
        """Decode a picture as its encoders will ask for it, and look at it."""
        picture = decode_image(image, shortest=self.pixels or _SMALL)
        facts: dict[str, Any] = {"colours": dominant_colours(picture), "perceptual_hash": perceptual_hash(picture)}
        if self.thumbnails:
            enough = min(picture.size) >= self.thumbnails
            small = thumbnail(Image(picture, image.limits) if enough else image, self.thumbnails)
            facts["thumbnail"] = data_url("image/webp", small)
        held = self.pixels is not None and 3 * picture.width * picture.height <= _HELD
        return (Image(picture, image.limits) if held else image), facts

    def _heard(self, audio: Audio, seconds: float) -> Audio:
        """Decode a sound at the rate that its encoders ask for, unless it is so long that it had better wait."""
        if self.rate is None or 4 * self.rate * seconds > _HELD:
            return audio
        return Audio(decode_audio(audio, self.rate), self.rate, audio.limits)

    def _windows(self, loaded: Iterator[_Judged | Skipped]) -> Iterator[_Window]:
        """Gather what is encoded and stored together: as much as takes a while, and no more than memory should hold.

        Where the encoder has nothing to do it gets what there is: a batch, or less where that takes long to come.
        """
        window = _Window()
        for one in loaded:
            if isinstance(one, Skipped):
                self._left_out(one)
                continue
            window.put(one)
            if window.batch >= self.window or window.weight >= _WINDOW or (self._is_idle() and self._is_worth(window)):
                yield window
                window = _Window()
        if window.items:
            yield window

    def _is_idle(self) -> bool:
        """Whether the encoder would begin at once. Where the store is what takes long, windows grow instead."""
        is_stored = self.writing is None or self.writing.written.done()
        return is_stored and (self.encoding is None or self.encoding.done())

    def _is_worth(self, window: _Window) -> bool:
        return window.batch >= self.batch_size or time.perf_counter() - window.since > _PATIENCE

    def _most(self) -> int:
        """How many may wait to be read, described or decoded: enough for the next window."""
        return self.window

    def _to_hold(self, judged: _Judged) -> int:
        """About how many bytes of an item will be held once it is decoded."""
        if judged.facts is not None or self.dry:
            return _carried(judged.prepared.item)
        entries = media_of(judged.prepared.payload)
        sounds: list[float] = [
            4 * (self.rate or 0) * entry["seconds"] for entry in entries.values() if "seconds" in entry
        ]
        pictures = sum("width" in entry for entry in entries.values()) if self.pixels else 0
        decoded = pictures * 4 * (self.pixels or 0) ** 2 + round(sum(sound for sound in sounds if sound <= _HELD))
        return _carried(judged.prepared.item) + decoded

    def _collect(self) -> None:
        """Wait for the window that is encoded, and for the one before it to be stored; count both.

        So one upsert is in flight while the next window is encoded.
        """
        with self._timed("encode"):
            made, self.encoding = None if self.encoding is None else self.encoding.result(), None
        with self._timed("write"):
            self._written(self.writing)
        self.writing = made
        if made is None:
            return
        self.report.encoded += made.encoded
        for failed in made.failed:
            self._left_out(failed)
        self.per_second = made.batch / max(made.seconds, 1e-3)

    def _encode(self, window: _Window) -> _Made:
        """Make the points of a window and pass them on to be written. Runs in a thread."""
        began = time.perf_counter()
        with self.busy:
            points, failed, encoded = self._points(window.items)
        finished = [_origin(one.prepared.item).source for one in window.items if one.last]
        written = self.writer.submit(self._write, points, finished, self.writing)
        return _Made(points, failed, encoded, window.batch, time.perf_counter() - began, written)

    def _points(self, window: list[_Judged]) -> tuple[list[tuple[models.PointStruct, _Judged]], list[_Failed], int]:
        """Make the points of a window; what has the same content is encoded once."""
        made: dict[str, models.PointStruct | ItemError] = {}
        fresh: dict[str, Prepared] = {}
        for one in window:
            if one.vectors is None:
                fresh.setdefault(content_in(one.prepared.payload), one.prepared)
        if fresh and not self.dry:
            encoded = self.schema.points(
                list(fresh.values()), batch_size=self.batch_size, remembered=self.remembered, before_each=self._go_on
            )
            made = dict(zip(fresh, encoded, strict=True))
        points: list[tuple[models.PointStruct, _Judged]] = []
        failed: list[_Failed] = []
        for one in window:
            vectors = one.vectors
            if vectors is None and not self.dry:
                point = made[content_in(one.prepared.payload)]
                if isinstance(point, ItemError):
                    item = one.prepared.item
                    failed.append(_Failed.of(ItemError(item.id, point.reason), item))
                    continue
                vectors = point.vector  # type: ignore[assignment]
            payload = with_facts(one.prepared.payload, one.facts) if one.facts else one.prepared.payload
            # not checked again: the payload is made of plain values, the vectors were checked or were stored
            point = models.PointStruct.model_construct(
                id=point_id(one.prepared.item.id), vector=vectors or {}, payload=payload
            )
            points.append((point, one))
        broken = sum(isinstance(point, ItemError) for point in made.values())
        return points, failed, len(fresh) - broken

    def _go_on(self) -> None:
        """End the encoding of a window between two batches, where the run has ended: nobody waits for it."""
        if self.stopped.is_set():
            raise CancelledError

    def _write(
        self, points: list[tuple[models.PointStruct, _Judged]], finished: list[str], before: _Made | None
    ) -> None:
        """Store a window; what is stale of its sources goes first: a crash between the two shows at the next run.

        Where the window `before` failed it is not stored: what is linked stands before what it is linked to.
        """
        if before is not None:
            before.written.result()
        for source in finished:
            if source in self.suspects:
                self._clean_source(source)
        if points and not self.dry:
            self.stored.write([point for point, _ in points])

    def _clean(self) -> None:
        """Remove what is stale of the sources whose last item was not written: it stood already, or is broken.

        A source that broke off keeps what was not met of it.
        """
        for source in self.ends & self.suspects.keys():
            self._clean_source(source)

    def _clean_source(self, source: str) -> None:
        kept = self.suspects.pop(source)
        self.kept.pop(source, None)
        self.ends.discard(source)
        if not kept and source not in self.emptied:
            return  # nothing of it can be read now: what was read of it earlier is better than nothing
        if source in self.there:
            there = self.there.pop(source)
        else:
            there = {standing.id for standing in self.stored.of_sources([source]).get(source, [])}
        stale = sorted(there - kept)
        self.report.deleted += len(stale)
        if stale and not self.dry:
            self.stored.remove(stale)

    def _written(self, made: _Made | None) -> None:
        """Wait for a window to be stored, and count it only then."""
        if made is None:
            return
        made.written.result()
        for _, one in made.points:
            setattr(self.report, one.fate, getattr(self.report, one.fate) + 1)
            if one.fate == "unchanged":
                continue
            for modality in {medium.modality for medium in one.prepared.item.media.values()}:
                self.report.modalities[modality] = self.report.modalities.get(modality, 0) + 1

    def _left_out(self, one: Skipped | MediaError | ItemError) -> None:
        if self.seen is not None and isinstance(one, MediaError) and isinstance(one.media, Path | str):
            self.seen.unread.append(_uri(one.media) if isinstance(one.media, Path) else one.media)
        if self.seen is not None and isinstance(one, ItemError):
            self.seen.unread.append(one.item_id)
        failed = _Failed.of(one) if isinstance(one, MediaError | ItemError) else one
        listed = self.report.failed if isinstance(failed, _Failed) else self.report.skipped
        if not listed or listed[-1] != failed:  # the parts of a source that fail alike are one failure
            listed.append(failed)

    def _tell(self) -> None:
        self.report.seconds = time.perf_counter() - self.started
        if self.progress is not None:
            now = self.report
            self.progress(
                Progress(
                    done=now.points + now.unchanged,
                    skipped=len(now.skipped),
                    failed=len(now.failed),
                    sources=self.sources,
                    modalities=dict(now.modalities),
                    seconds=now.seconds,
                    current=self.current,
                )
            )

    @contextmanager
    def _timed(self, stage: str) -> Generator[None]:
        """Add to a stage how long the encoder had nothing to do for it; what is inside another stage counts once."""
        stages, start = self.report.stages, time.perf_counter() - self.busy.seconds()
        inside = sum(stages.values())
        try:
            yield
        finally:
            nested = sum(stages.values()) - inside
            idle = time.perf_counter() - self.busy.seconds() - start
            stages[stage] = stages.get(stage, 0.0) + idle - nested


class _Busy:
    """How long a thread has been at work, for another one to ask."""

    def __init__(self) -> None:
        self._state: tuple[float, float | None] = 0.0, None
        """Seconds until the last end, and when the present work began: one attribute, so that it is never half new."""

    def __enter__(self) -> None:
        self._state = self._state[0], time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._state = self.seconds(), None

    def seconds(self) -> float:
        done, since = self._state
        return done if since is None else done + time.perf_counter() - since


def once(arrivals: Iterable[Arrival]) -> Iterator[Arrival]:
    """Let each id through once: two items of one id would overwrite one another in silence."""
    seen: set[bytes] = set()
    for arrival in arrivals:
        if not isinstance(arrival, Item):
            yield arrival
            continue
        key = hashlib.blake2b(arrival.id.encode(), digest_size=16).digest()
        if key in seen:
            yield ItemError(arrival.id, "its id was given before in this run; the first is kept, give this one its own")
        else:
            seen.add(key)
            yield arrival


def _ahead(
    pool: ThreadPoolExecutor,
    work: Callable[[A], B],
    given: Iterator[A],
    most: Callable[[], int],
    is_work: Callable[[A], bool],
    weigh: Callable[[A], int] = lambda _: 0,
) -> Iterator[B]:
    """Map in order, so many ahead of the consumer as may wait, so that memory does not grow with the corpus.

    What `is_work` denies is so little that handing it to a thread would cost more. Where the next one is ready, no
    more than two are asked for: when more may wait than before, the consumer does not wait for all of them; and no
    second one, where the first was long in coming.
    """
    waiting: deque[tuple[Future[B] | None, A, int]] = deque()
    weight = 0
    ended = False
    while True:
        left = 2
        while not ended and len(waiting) < most() and weight < _WINDOW and (left > 0 or not _is_ready(waiting[0][0])):
            left -= 1
            began = time.perf_counter()
            for one in given:
                if time.perf_counter() - began > _PATIENCE:
                    left = 0
                heavy = weigh(one)
                weight += heavy
                waiting.append((pool.submit(work, one) if is_work(one) else None, one, heavy))
                break
            else:
                ended = True
        if not waiting:
            return
        made, one, heavy = waiting.popleft()
        weight -= heavy
        yield work(one) if made is None else made.result()


def _is_ready(made: Future[Any] | None) -> bool:
    return made is None or made.done()


def _carried(given: Item | Deferred) -> int:
    """Bytes of the media that an item holds in memory, as rows of tables do."""
    return sum(map(_weight, given.media.values())) if isinstance(given, Item) else 0


def _is_to_read(given: Item | Deferred) -> bool:
    return not isinstance(given, Item) or any(not isinstance(medium, Text) for medium in given.media.values())


def _is_to_decode(judged: _Judged) -> bool:
    return judged.facts is None and any(not isinstance(m, Text) for m in judged.prepared.item.media.values())


class _Failed(Skipped):
    """A source that ought to have worked."""

    __slots__ = ()

    @classmethod
    def of(cls, error: MediaError | ItemError | MissingExtra, item: Item | None = None) -> _Failed:
        reason = str(error) if isinstance(error, MissingExtra) else error.reason
        if item is not None:
            return cls(_source(item), reason)
        if isinstance(error, MissingExtra):
            return cls("", reason)
        if isinstance(error, ItemError):
            return cls(error.item_id, error.reason)
        source = getattr(error.media, "source", error.media)
        return cls(str(source) if isinstance(source, Path | str) else repr(error.media), error.reason)


def _own(prepared: Prepared) -> Standing:
    return cast("Standing", standing_of(prepared.payload))  # octant made it, so there is one


def _origin(item: Item) -> Origin:
    return item.origin or Origin(item.id)


def _differs(there: Found, content: str, model: str) -> bool:
    return (there.standing.content, there.standing.model) != (content, model)


def _is_another_row(there: str, source: str) -> str | None:
    """Why a row may not take the place of an item: it is one of another table, which numbers its rows alike."""
    table, is_row, _ = there.partition("#")
    if not is_row or "#" not in source or table == source.partition("#")[0] or is_gone(there):
        return None
    return f"is the id of a row of {table}, too; give the rows of one of them other ids, or another collection"


def is_gone(source: str) -> bool:
    """Whether a stored item's source was a file that is not there any more."""
    if not source.startswith("file://"):
        return False
    return not os.path.exists(unquote(urlsplit(source.split("#")[0]).path))


def _uri(path: Path) -> str:
    try:
        return Path(os.path.realpath(path)).as_uri()
    except (OSError, ValueError):
        return path.absolute().as_uri()


def _weight(medium: Media) -> int:
    """Bytes that a medium holds in memory."""
    if isinstance(medium, Text):
        return len(medium.content)
    source = medium.source
    if isinstance(source, Path):
        return 0
    if isinstance(source, bytes):
        return len(source)
    size: int = getattr(source, "nbytes", 0) or 3 * getattr(source, "width", 0) * getattr(source, "height", 0)
    return size


def _source(item: Item) -> str:
    sources = (getattr(medium, "source", None) for medium in item.media.values())
    path = next((str(source) for source in sources if isinstance(source, Path)), None)
    return path or str(item.metadata.get("path") or item.id)
