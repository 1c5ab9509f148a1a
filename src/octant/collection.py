"""A collection: a schema on a Qdrant client. What the user holds, and the only module that talks to the store.

`Collection` and `AsyncCollection` are twins over the same pure parts: `sources` and `ingest` make points, `make_plans`
makes requests, `Schema.hit` makes hits. They differ in nothing but the waiting.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from types import TracebackType
from typing import Any, TypeVar

from qdrant_client.http import models

from octant.adapters import Reading, Source, arrivals, scopes
from octant.answer import Answer, Think, View, Walk, answers, backgrounds, checked, page, planned, vectors_of
from octant.calibrate import Backgrounds
from octant.compute import offload
from octant.errors import SchemaMismatch, StoreError
from octant.ingest import Seen, ingest
from octant.item import Hit, Item
from octant.media import Modality, Text
from octant.payload import MODALITIES, SOURCE, item_from_payload, point_id
from octant.plan import Plan
from octant.query import Asked, Query, Where, filter_of
from octant.report import Progress, Report
from octant.schema import Schema, Vectors
from octant.show import Hits
from octant.standing import Stored
from octant.stores import AsyncClient, Client, Place
from octant.stores.capabilities import Capabilities, capabilities_of, capabilities_of_async
from octant.sync import sweep

__all__ = ["AsyncCollection", "Collection", "FieldInfo", "Info", "Into"]

T = TypeVar("T")
Into = Modality | str | Iterable[Modality | str]
_READING = Reading()
_PAGE = 256
"""Items that are read from the store at once."""


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
        self.view: View
        """Set by `prepare`."""

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
        capabilities = capabilities_of(self.client, self.place)
        self.view = _view(self, stored, capabilities)
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
        with self._changing():
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
        with self._changing():
            return self._run().sync(sources, reading, max_deleted, dry_run, batch_size, progress)

    @contextmanager
    def _changing(self) -> Generator[None]:
        """Forget what is known of the items, once they are others."""
        try:
            yield
        finally:
            self.view.forget()

    def _run(self) -> _Run:
        return _Run(Stored(self.client, self.name), self.schema, self.remembered)

    def search(
        self,
        query: str | Asked | Query,
        *,
        into: Into | None = None,
        where: Where | None = None,
        limit: int | None = None,
        explain: bool = False,
    ) -> Hits:
        """Find the items that are most like a text, an image, a sound, an item, or several of these.

        A `str` is a text, never a path. `into` names the modalities to find, `where` narrows by payload; `Query` has
        all else. With `explain` each hit says what every field made of it.
        """
        return self.search_many([_query(query, into, where, limit, explain)])[0]

    def search_many(self, queries: Sequence[Query]) -> list[Hits]:
        """Answer many queries with one batch per encoder and one round trip."""
        return [_hits(answer) for answer in self.run(answers(queries, self.view))]

    def iterate(self, query: str | Asked | Query, *, page_size: int = 100) -> Iterator[Hit]:
        """Go through all that a query finds, best first, each item once: a page at first, then more at a time.

        `limit` and `offset` of a Query are not looked at. Raises ValueError for a query with rerankers or groups: these
        judge a bounded number of hits.
        """
        plan = self.run(planned(_paged(query, page_size), self.view))
        seen: set[str] = set()
        # twice as many each time: a ranking can only be read from its beginning
        while hits := self.run(page(plan, self.view, seen, max(page_size, len(seen)))):
            yield from hits
            seen.update(hit.id for hit in hits)

    def plan(self, query: str | Asked | Query) -> Plan:
        """Say what would be asked of the store: print it, or read it as data."""
        return self.run(planned(_query(query), self.view))

    def run(self, walk: Walk[T]) -> T:
        """Take a walk: do what it asks for, step by step, and return what comes of it."""
        try:
            step = next(walk)
            while True:
                try:
                    if isinstance(step, Think):
                        result = step.work()
                    else:
                        result = getattr(self.client, step.method)(*step.args, **step.named)
                except Exception as error:
                    step = walk.throw(error)
                else:
                    step = walk.send(result)
        except StopIteration as end:
            value: T = end.value
            return value

    def get(self, ids: Sequence[str], *, vectors: bool = False) -> list[Item]:
        """Read items by their ids; an id that is not there is left out.

        Media that were given in memory, not by path, are not kept: an item read here and added again would lose them.
        With `vectors` the items bring the vectors that are stored (for the cosine, stores keep unit vectors).
        """
        records = self.client.retrieve(self.name, _points_of(ids), with_payload=True, with_vectors=vectors)
        return [_item(record) for record in records]

    def items(self, where: Where | None = None, *, vectors: bool = False) -> Iterator[Item]:
        """Read all items, or those that `where` matches, page by page and in no order that means anything; as `get`."""
        self.run(checked([where], self.view))
        offset: Any = None
        while True:
            records, offset = self.client.scroll(
                self.name, filter_of(where), limit=_PAGE, offset=offset, with_payload=True, with_vectors=vectors
            )
            for record in records:
                yield _item(record)
            if offset is None:
                return

    def delete(self, ids: Sequence[str] = (), *, where: Where | None = None) -> None:
        """Remove items by their ids, with all that was cut from them, and those that `where` matches.

        An id that is not there is no error.
        """
        self.run(checked([where], self.view))
        if selected := _selected(_points_of(ids), ids, where):
            self.client.delete(self.name, selected, wait=True)
            self.view.forget()

    def index_payload(self, key: str, kind: models.PayloadSchemaType | str) -> None:
        """Index a payload key ("keyword", "integer", "float", "bool", "datetime", "geo", "text", "uuid").

        Filters on it become fast, and facets can count it. A schema may name keys to index from the start.
        """
        self.client.create_payload_index(self.name, key, models.PayloadSchemaType(kind))

    def calibrate(self) -> Backgrounds:
        """Measure on a sample what unrelated things score in each field, and store it with the collection.

        Searches over several fields are fused by how far scores stand above that. It is measured by itself at the first
        such search, and again when the collection has grown to twice its size; do it here once a collection is filled,
        so that every process starts from the same.
        """
        found = self.run(backgrounds(self.view, anew=True))
        self.view.backgrounds, self.view.measured, self.view.looked = found, found.as_json(), time.monotonic()
        self.client.update_collection(self.name, metadata=_with_backgrounds(self.schema, found))
        return found

    def count(self, where: Where | None = None) -> int:
        """Count the items, or those that `where` matches."""
        self.run(checked([where], self.view))
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
        self.view: View
        """Set by `prepare`."""

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
        capabilities = await capabilities_of_async(self.client, self.place)
        self.view = _view(self, stored, capabilities)
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
        finally:
            self.view.forget()

    async def search(
        self,
        query: str | Asked | Query,
        *,
        into: Into | None = None,
        where: Where | None = None,
        limit: int | None = None,
        explain: bool = False,
    ) -> Hits:
        """Find the items that are most like a text, an image, a sound, an item, or several of these.

        A `str` is a text, never a path. `into` names the modalities to find, `where` narrows by payload; `Query` has
        all else. With `explain` each hit says what every field made of it.
        """
        return (await self.search_many([_query(query, into, where, limit, explain)]))[0]

    async def search_many(self, queries: Sequence[Query]) -> list[Hits]:
        """Answer many queries with one batch per encoder and one round trip."""
        return [_hits(answer) for answer in await self.run(answers(queries, self.view))]

    async def iterate(self, query: str | Asked | Query, *, page_size: int = 100) -> AsyncIterator[Hit]:
        """Go through all that a query finds, best first, each item once: a page at first, then more at a time.

        `limit` and `offset` of a Query are not looked at. Raises ValueError for a query with rerankers or groups: these
        judge a bounded number of hits.
        """
        plan = await self.run(planned(_paged(query, page_size), self.view))
        seen: set[str] = set()
        # twice as many each time: a ranking can only be read from its beginning
        while hits := await self.run(page(plan, self.view, seen, max(page_size, len(seen)))):
            for hit in hits:
                yield hit
            seen.update(hit.id for hit in hits)

    async def plan(self, query: str | Asked | Query) -> Plan:
        """Say what would be asked of the store: print it, or read it as data."""
        return await self.run(planned(_query(query), self.view))

    async def run(self, walk: Walk[T]) -> T:
        """Take a walk: do what it asks for, step by step, and return what comes of it."""
        try:
            step = next(walk)
            while True:
                try:
                    if isinstance(step, Think):
                        result = await (asyncio.to_thread if step.may_wait else offload)(step.work)
                    else:
                        result = await getattr(self.client, step.method)(*step.args, **step.named)
                except Exception as error:
                    step = walk.throw(error)
                else:
                    step = walk.send(result)
        except StopIteration as end:
            value: T = end.value
            return value

    async def get(self, ids: Sequence[str], *, vectors: bool = False) -> list[Item]:
        """Read items by their ids; an id that is not there is left out.

        Media that were given in memory, not by path, are not kept: an item read here and added again would lose them.
        With `vectors` the items bring the vectors that are stored (for the cosine, stores keep unit vectors).
        """
        records = await self.client.retrieve(self.name, _points_of(ids), with_payload=True, with_vectors=vectors)
        return [_item(record) for record in records]

    async def items(self, where: Where | None = None, *, vectors: bool = False) -> AsyncIterator[Item]:
        """Read all items, or those that `where` matches, page by page and in no order that means anything; as `get`."""
        await self.run(checked([where], self.view))
        offset: Any = None
        while True:
            records, offset = await self.client.scroll(
                self.name, filter_of(where), limit=_PAGE, offset=offset, with_payload=True, with_vectors=vectors
            )
            for record in records:
                yield _item(record)
            if offset is None:
                return

    async def delete(self, ids: Sequence[str] = (), *, where: Where | None = None) -> None:
        """Remove items by their ids, with all that was cut from them, and those that `where` matches.

        An id that is not there is no error.
        """
        await self.run(checked([where], self.view))
        if selected := _selected(_points_of(ids), ids, where):
            await self.client.delete(self.name, selected, wait=True)
            self.view.forget()

    async def index_payload(self, key: str, kind: models.PayloadSchemaType | str) -> None:
        """Index a payload key ("keyword", "integer", "float", "bool", "datetime", "geo", "text", "uuid").

        Filters on it become fast, and facets can count it. A schema may name keys to index from the start.
        """
        await self.client.create_payload_index(self.name, key, models.PayloadSchemaType(kind))

    async def calibrate(self) -> Backgrounds:
        """Measure on a sample what unrelated things score in each field, and store it with the collection.

        Searches over several fields are fused by how far scores stand above that. It is measured by itself at the first
        such search, and again when the collection has grown to twice its size; do it here once a collection is filled,
        so that every process starts from the same.
        """
        found = await self.run(backgrounds(self.view, anew=True))
        self.view.backgrounds, self.view.measured, self.view.looked = found, found.as_json(), time.monotonic()
        await self.client.update_collection(self.name, metadata=_with_backgrounds(self.schema, found))
        return found

    async def count(self, where: Where | None = None) -> int:
        """Count the items, or those that `where` matches."""
        await self.run(checked([where], self.view))
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


def _selected(
    points: list[models.ExtendedPointId], ids: Sequence[str], where: Where | None
) -> models.FilterSelector | None:
    """The points of these ids, those that were cut from the sources that are called so, and those of a filter."""
    narrow = filter_of(where)
    if where is not None and narrow is None:
        raise ValueError("an empty filter would remove every item; say which are to go")
    own = [models.HasIdCondition(has_id=points)] if points else []
    parts = [models.FieldCondition(key=SOURCE, match=models.MatchAny(any=list(ids)))] if points else []
    wanted: list[models.Condition] = [*own, *parts, *([] if narrow is None else [narrow])]
    return models.FilterSelector(filter=models.Filter(should=wanted)) if wanted else None


def _item(record: models.Record) -> Item:
    return item_from_payload(record.payload or {}, str(record.id), vectors_of(record.vector))


def _query(
    query: str | Asked | Query,
    into: Into | None = None,
    where: Where | None = None,
    limit: int | None = None,
    explain: bool = False,
) -> Query:
    if isinstance(query, Query):
        if (into, where, limit) != (None, None, None):
            raise TypeError("a Query says itself what to find: set into, where and limit there, not in search()")
        return replace(query, explain=True) if explain else query
    asked = Text(query) if isinstance(query, str) else query
    wanted = [into] if isinstance(into, str) else list(into or ())
    most = 10 if limit is None else limit
    return Query(asked, tuple(_modality(one) for one in wanted), where, most, explain=explain)


def _paged(query: str | Asked | Query, page_size: int) -> Query:
    asked = _query(query)
    if asked.rerank or asked.group_by is not None or asked.facets:
        raise ValueError("iterate() goes through plain hits: rerankers, groups and facets are for search()")
    return replace(asked, limit=page_size, offset=0)


def _points_of(ids: Sequence[str]) -> list[models.ExtendedPointId]:
    if isinstance(ids, str):
        raise TypeError(f"ids is a sequence; write [{ids!r}]")
    return [point_id(one) for one in ids]


def _missing_indexes(schema: Schema, stored: models.CollectionInfo) -> dict[str, models.PayloadFieldSchema]:
    """Say which payload indexes are still to be made: a crash can fall between a collection and its indexes."""
    return {key: kind for key, kind in schema.payload_indexes().items() if key not in stored.payload_schema}


def _modality(name: Modality | str) -> Modality:
    try:
        return Modality(name)
    except ValueError:
        raise ValueError(f"into={name!r} is no modality; choose from {', '.join(Modality)}") from None


def _hits(answer: Answer) -> Hits:
    return Hits(
        answer.hits,
        answer.plan.query.media,
        fused=answer.plan.fused,
        groups=answer.groups,
        facets=answer.facets,
        plan=answer.plan,
        seconds=answer.seconds,
        notes=answer.notes,
    )


def _view(collection: Collection | AsyncCollection, stored: models.CollectionInfo, capabilities: Capabilities) -> View:
    """What searches know of the collection, from what the store says of it."""
    for text in collection.schema.texts.values():
        for feature in text.features:
            capabilities.need(feature)
    measured = (stored.config.metadata or {}).get("octant", {}).get("backgrounds")
    return View(collection.name, collection.schema, capabilities, measured=measured)


def _with_backgrounds(schema: Schema, measured: Backgrounds) -> dict[str, Any]:
    """The metadata of the collection, with what was measured."""
    said = schema.metadata()
    return {"octant": {**said["octant"], "backgrounds": measured.as_json()}}


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
