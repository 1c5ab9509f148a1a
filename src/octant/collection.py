"""A collection: a schema on a Qdrant client. What the user holds, and the only module that talks to the store.

`Collection` and `AsyncCollection` are twins over the same pure parts: `sources` and `ingest` make points, `make_plans`
makes requests, `Schema.hit` makes hits. They differ in nothing but the waiting.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from itertools import takewhile
from types import TracebackType
from typing import Any

from qdrant_client.http import models

from octant.adapters import Reading, Source, arrivals, scopes
from octant.compute import offload
from octant.errors import SchemaMismatch, StoreError
from octant.ingest import Seen, ingest
from octant.item import Item
from octant.media import Media, Modality, Text
from octant.payload import MODALITIES, SOURCE, item_from_payload, point_id
from octant.query import Plan, Query, Where, filter_of, make_plans
from octant.report import Progress, Report
from octant.schema import Schema, Vectors
from octant.show import Hits
from octant.standing import Stored
from octant.stores import AsyncClient, Client, Place
from octant.sync import sweep

__all__ = ["AsyncCollection", "Collection", "FieldInfo", "Info", "Into"]

Into = Modality | str | Iterable[Modality | str]
_READING = Reading()


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """A field of a collection, in words."""

    space: str
    modality: str
    answers: tuple[str, ...]
    """The modalities of the queries that it answers."""
    dim: int | None
    kind: str
    encoders: Mapping[str, str]
    """The identity of the encoder of each modality that the field can be asked with or holds."""


@dataclass(frozen=True, slots=True)
class Info:
    """What a collection holds, where it lies and what made it."""

    name: str
    engine: str
    location: str
    points: int
    modalities: Mapping[str, int]
    """How many items have a medium of each modality."""
    fields: Mapping[str, FieldInfo]
    bytes_on_disk: int | None
    """None where the store is a server: it does not tell."""

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {modality}" for modality, count in self.modalities.items()) or "nothing"
        size = "" if self.bytes_on_disk is None else f", {self.bytes_on_disk / 1e6:.1f} MB on disk"
        return f"{self.name!r}: {self.points} items ({kinds}) on {self.engine} at {self.location}{size}"


class Collection:
    """Items of text, images and audio that can be searched with any of them. Made by `octant.open`."""

    def __init__(
        self, client: Client, name: str, schema: Schema, place: Place, remembered: Vectors | None = None
    ) -> None:
        self.client = client
        self.name = name
        self.schema = schema
        self.place = place
        self.remembered = remembered

    def prepare(self, *, create: bool = True) -> None:
        """Create the collection, or check that the stored one was built with this schema.

        Raises SchemaMismatch with every difference; StoreError where it does not exist and `create` is false.
        """
        if not self.client.collection_exists(self.name):
            if not create:
                raise _missing(self.name, self.place, self.client.get_collections())
            self.client.create_collection(
                self.name,
                vectors_config=self.schema.dense_config(),
                sparse_vectors_config=self.schema.sparse_config(),
                metadata=self.schema.metadata(),
            )
        stored = self.client.get_collection(self.name)
        _check(self.name, self.schema, stored)
        for key, kind in _missing_indexes(self.schema, stored).items():
            self.client.create_payload_index(self.name, key, kind)

    def add(
        self,
        sources: Source | Iterable[Source],
        reading: Reading = _READING,
        *,
        batch_size: int = 32,
        progress: Callable[[Progress], None] | None = None,
    ) -> Report:
        """Store what is in files, folders, tables, media or items, unless it is stored already.

        A `Path` is a file or a folder, a `str` is a text. What has not changed is neither encoded nor written; what has
        is replaced; what was renamed keeps its vectors. Nothing is removed because it vanished: see `sync`.
        What cannot be read is reported and the rest stored. Once this returns, nothing of it is lost, whatever happens
        to the process; if it does not return, doing it again goes on from there.
        """
        return self._run().add(sources, reading, batch_size, progress)

    def sync(
        self,
        sources: Source | Iterable[Source],
        reading: Reading = _READING,
        *,
        max_deleted: float = 0.5,
        dry_run: bool = False,
        batch_size: int = 32,
        progress: Callable[[Progress], None] | None = None,
    ) -> Report:
        """Make the collection mirror files, folders or tables: `add` them, and remove the items that vanished there.

        What lies elsewhere stays, and so does what could not be read now. Raises TooManyDeletions, and removes nothing,
        where more than the share `max_deleted` of the sources that lie there would go: a disk may not be mounted.
        With `dry_run` nothing is encoded, written or removed; the report says what would be.
        """
        return self._run().sync(sources, reading, max_deleted, dry_run, batch_size, progress)

    def _run(self) -> _Run:
        return _Run(Stored(self.client, self.name), self.schema, self.remembered)

    def search(
        self,
        query: str | Media | Query,
        *,
        into: Into | None = None,
        where: Where | None = None,
        limit: int | None = None,
    ) -> Hits:
        """Find the items that are most like a text, an image or a sound.

        A `str` is a text, never a path. `into` names the modalities to find, `where` narrows by payload.
        """
        return self.search_many([_query(query, into, where, limit)])[0]

    def search_many(self, queries: Sequence[Query]) -> list[Hits]:
        """Answer many queries with one batch per encoder and one round trip."""
        plans = make_plans(queries, self.schema)
        answers = self.client.query_batch_points(self.name, [plan.request() for plan in plans])
        return _hits(self.schema, plans, answers)

    def get(self, ids: Sequence[str]) -> list[Item]:
        """Read items by their ids; an id that is not there is left out.

        Media that were given in memory, not by path, are not kept: an item read here and added again would lose them.
        """
        records = self.client.retrieve(self.name, _points_of(ids), with_payload=True)
        return [item_from_payload(record.payload or {}, str(record.id)) for record in records]

    def delete(self, ids: Sequence[str]) -> None:
        """Remove items by their ids, with all that was cut from them; an id that is not there is no error."""
        if points := _points_of(ids):
            self.client.delete(self.name, _with_parts(points, ids), wait=True)

    def count(self, where: Where | None = None) -> int:
        """Count the items, or those that `where` matches."""
        return self.client.count(self.name, count_filter=filter_of(where), exact=True).count

    def info(self) -> Info:
        """Describe what the collection holds, where it lies and which encoders made it."""
        found = self.client.facet(self.name, MODALITIES, limit=len(Modality), exact=True)
        points = self.client.count(self.name, exact=True).count
        return _info(self, points, found)

    def close(self) -> None:
        """Close the store; the collection cannot be used after it."""
        self.client.close()

    def __enter__(self) -> Collection:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class AsyncCollection:
    """Items of text, images and audio that can be searched with any of them. Made by `octant.open_async`."""

    def __init__(
        self, client: AsyncClient, name: str, schema: Schema, place: Place, remembered: Vectors | None = None
    ) -> None:
        self.client = client
        self.name = name
        self.schema = schema
        self.place = place
        self.remembered = remembered

    async def prepare(self, *, create: bool = True) -> None:
        """Create the collection, or check that the stored one was built with this schema.

        Raises SchemaMismatch with every difference; StoreError where it does not exist and `create` is false.
        """
        if not await self.client.collection_exists(self.name):
            if not create:
                raise _missing(self.name, self.place, await self.client.get_collections())
            await self.client.create_collection(
                self.name,
                vectors_config=self.schema.dense_config(),
                sparse_vectors_config=self.schema.sparse_config(),
                metadata=self.schema.metadata(),
            )
        stored = await self.client.get_collection(self.name)
        _check(self.name, self.schema, stored)
        for key, kind in _missing_indexes(self.schema, stored).items():
            await self.client.create_payload_index(self.name, key, kind)

    async def add(
        self,
        sources: Source | Iterable[Source],
        reading: Reading = _READING,
        *,
        batch_size: int = 32,
        progress: Callable[[Progress], None] | None = None,
    ) -> Report:
        """Store what is in files, folders, tables, media or items, unless it is stored already.

        A `Path` is a file or a folder, a `str` is a text. What has not changed is neither encoded nor written; what has
        is replaced; what was renamed keeps its vectors. Nothing is removed because it vanished: see `sync`.
        What cannot be read is reported and the rest stored. Once this returns, nothing of it is lost, whatever happens
        to the process; if it does not return, doing it again goes on from there.
        """
        async with self._run(progress) as (run, tell):
            return await asyncio.to_thread(run.add, sources, reading, batch_size, tell)

    async def sync(
        self,
        sources: Source | Iterable[Source],
        reading: Reading = _READING,
        *,
        max_deleted: float = 0.5,
        dry_run: bool = False,
        batch_size: int = 32,
        progress: Callable[[Progress], None] | None = None,
    ) -> Report:
        """Make the collection mirror files, folders or tables: `add` them, and remove the items that vanished there.

        What lies elsewhere stays, and so does what could not be read now. Raises TooManyDeletions, and removes nothing,
        where more than the share `max_deleted` of the sources that lie there would go: a disk may not be mounted.
        With `dry_run` nothing is encoded, written or removed; the report says what would be.
        """
        async with self._run(progress) as (run, tell):
            return await asyncio.to_thread(run.sync, sources, reading, max_deleted, dry_run, batch_size, tell)

    @asynccontextmanager
    async def _run(
        self, progress: Callable[[Progress], None] | None
    ) -> AsyncGenerator[tuple[_Run, Callable[[Progress], None]]]:
        """A run for a thread, not for offload(): searches would wait behind the whole of it."""
        loop = asyncio.get_running_loop()
        cancelled = threading.Event()

        def tell(progressed: Progress) -> None:
            if progress is not None:
                loop.call_soon_threadsafe(progress, progressed)

        stored = Stored(_FromThread(self.client, loop), self.name)
        try:
            yield _Run(stored, self.schema, self.remembered, lambda: not cancelled.is_set()), tell
        except asyncio.CancelledError:
            cancelled.set()  # a thread cannot be stopped, but it can run out of work
            raise

    async def search(
        self,
        query: str | Media | Query,
        *,
        into: Into | None = None,
        where: Where | None = None,
        limit: int | None = None,
    ) -> Hits:
        """Find the items that are most like a text, an image or a sound.

        A `str` is a text, never a path. `into` names the modalities to find, `where` narrows by payload.
        """
        return (await self.search_many([_query(query, into, where, limit)]))[0]

    async def search_many(self, queries: Sequence[Query]) -> list[Hits]:
        """Answer many queries with one batch per encoder and one round trip."""
        plans = await offload(make_plans, queries, self.schema)
        answers = await self.client.query_batch_points(self.name, [plan.request() for plan in plans])
        return _hits(self.schema, plans, answers)

    async def get(self, ids: Sequence[str]) -> list[Item]:
        """Read items by their ids; an id that is not there is left out.

        Media that were given in memory, not by path, are not kept: an item read here and added again would lose them.
        """
        records = await self.client.retrieve(self.name, _points_of(ids), with_payload=True)
        return [item_from_payload(record.payload or {}, str(record.id)) for record in records]

    async def delete(self, ids: Sequence[str]) -> None:
        """Remove items by their ids, with all that was cut from them; an id that is not there is no error."""
        if points := _points_of(ids):
            await self.client.delete(self.name, _with_parts(points, ids), wait=True)

    async def count(self, where: Where | None = None) -> int:
        """Count the items, or those that `where` matches."""
        return (await self.client.count(self.name, count_filter=filter_of(where), exact=True)).count

    async def info(self) -> Info:
        """Describe what the collection holds, where it lies and which encoders made it."""
        found = await self.client.facet(self.name, MODALITIES, limit=len(Modality), exact=True)
        points = (await self.client.count(self.name, exact=True)).count
        return _info(self, points, found)

    async def close(self) -> None:
        """Close the store; the collection cannot be used after it."""
        await self.client.close()

    async def __aenter__(self) -> AsyncCollection:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()


@dataclass(frozen=True, slots=True)
class _Run:
    """An ingest, as both twins run it: the points are asked and written by this thread."""

    stored: Stored
    schema: Schema
    remembered: Vectors | None
    goes_on: Callable[[], bool] = lambda: True

    def add(
        self,
        sources: Source | Iterable[Source],
        reading: Reading,
        batch_size: int,
        progress: Callable[[Progress], None] | None,
        seen: Seen | None = None,
        dry: bool = False,
    ) -> Report:
        return ingest(
            takewhile(lambda _: self.goes_on(), arrivals(sources, reading, self.schema, seen.unread if seen else None)),
            self.schema,
            self.stored,
            batch_size=batch_size,
            thumbnails=reading.thumbnails,
            remembered=self.remembered,
            progress=progress,
            seen=seen,
            dry=dry,
        )

    def sync(
        self,
        sources: Source | Iterable[Source],
        reading: Reading,
        max_deleted: float,
        dry: bool,
        batch_size: int,
        progress: Callable[[Progress], None] | None,
    ) -> Report:
        if not 0 <= max_deleted <= 1:
            raise ValueError(f"max_deleted is a share of the sources, 0 to 1, not {max_deleted}")
        places, streams, listed = scopes(sources)
        seen = Seen()
        report = self.add(listed, reading, batch_size, progress, seen, dry)
        if self.goes_on():
            patterns = bool(reading.include or reading.exclude)
            sweep(self.stored, places, streams, seen, report, max_deleted=max_deleted, with_patterns=patterns)
        return report


class _FromThread:
    """The methods of a client that an ingest needs, called from a thread and run by the event loop."""

    def __init__(self, client: AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def upsert(self, *given: Any, **named: Any) -> Any:
        return self._wait(self._client.upsert(*given, **named))

    def delete(self, *given: Any, **named: Any) -> Any:
        return self._wait(self._client.delete(*given, **named))

    def retrieve(self, *given: Any, **named: Any) -> Any:
        return self._wait(self._client.retrieve(*given, **named))

    def scroll(self, *given: Any, **named: Any) -> Any:
        return self._wait(self._client.scroll(*given, **named))

    def count(self, *given: Any, **named: Any) -> Any:
        return self._wait(self._client.count(*given, **named))

    def _wait(self, asked: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result()


def _with_parts(points: list[models.ExtendedPointId], ids: Sequence[str]) -> models.FilterSelector:
    """The points of these ids, and those that were cut from the sources that are called so."""
    own = models.HasIdCondition(has_id=points)
    parts = models.FieldCondition(key=SOURCE, match=models.MatchAny(any=list(ids)))
    return models.FilterSelector(filter=models.Filter(should=[own, parts]))


def _query(query: str | Media | Query, into: Into | None, where: Where | None, limit: int | None) -> Query:
    if isinstance(query, Query):
        if (into, where, limit) != (None, None, None):
            raise TypeError("a Query says itself what to find: set into, where and limit there, not in search()")
        return query
    media = Text(query) if isinstance(query, str) else query
    wanted = [into] if isinstance(into, str) else list(into or ())
    return Query(media, tuple(_modality(one) for one in wanted), where, 10 if limit is None else limit)


def _points_of(ids: Sequence[str]) -> list[models.ExtendedPointId]:
    if isinstance(ids, str):
        raise TypeError(f"ids is a sequence; write [{ids!r}]")
    return [point_id(one) for one in ids]


def _missing_indexes(schema: Schema, stored: models.CollectionInfo) -> dict[str, models.PayloadSchemaType]:
    """Say which payload indexes are still to be made: a crash can fall between a collection and its indexes."""
    return {key: kind for key, kind in schema.payload_indexes().items() if key not in stored.payload_schema}


def _modality(name: Modality | str) -> Modality:
    try:
        return Modality(name)
    except ValueError:
        raise ValueError(f"into={name!r} is no modality; choose from {', '.join(Modality)}") from None


def _hits(schema: Schema, plans: Sequence[Plan], answers: Sequence[models.QueryResponse]) -> list[Hits]:
    return [
        Hits([schema.hit(point) for point in answer.points], plan.query.media, fused=len(plan.legs) > 1)
        for plan, answer in zip(plans, answers, strict=True)
    ]


def _check(name: str, schema: Schema, stored: models.CollectionInfo) -> None:
    if differences := schema.differences(stored.config.metadata):
        raise SchemaMismatch(name, differences)


def _missing(name: str, place: Place, there: models.CollectionsResponse) -> StoreError:
    names = ", ".join(sorted(one.name for one in there.collections)) or "none yet"
    return StoreError(
        f"no collection {name!r} in {place} (there: {names}); "
        f"make it with `octant index PATH... -c {name}` or octant.open({name!r})"
    )


def _info(collection: Collection | AsyncCollection, points: int, modalities: models.FacetResponse) -> Info:
    described: Mapping[str, Mapping[str, Any]] = collection.schema.metadata()["octant"]["fields"]
    return Info(
        name=collection.name,
        engine=collection.place.engine,
        location=str(collection.place),
        points=points,
        modalities={str(hit.value): hit.count for hit in modalities.hits},
        fields={
            name: FieldInfo(f["space"], f["modality"], tuple(f["answers"]), f["dim"], f["kind"], f["encoders"])
            for name, f in described.items()
        },
        bytes_on_disk=collection.place.bytes_on_disk(collection.name),
    )
