"""An ingest on many machines, by Ray Data: read, encode on actors, and write to one Qdrant server.

arrivals ─▶ tasks of whole sources ─▶ map_batches(octant.ingest on an actor) ─▶ Reports, summed
(driver)    (references, pickled)     (reads, compares, encodes, upserts)       (driver)

Every worker runs what `Collection.add` runs, so ids, payloads and vectors are the same; and a task that is done again,
because its worker died, finds stored what it had stored, or stores it again under the same ids.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from itertools import groupby
from typing import Any

from octant.adapters import Reading, Source, arrivals
from octant.adapters.files import FoundFile
from octant.collection import Collection
from octant.errors import ItemError, MediaError, MissingExtra, StoreError
from octant.ingest import Arrival, Deferred, once
from octant.ingest import ingest as ingest_here
from octant.item import Item, Skipped
from octant.media import Modality
from octant.report import Report
from octant.schema import Schema
from octant.standing import Stored
from octant.stores import Place, open_store

__all__ = ["ingest"]

_READING = Reading()
_WINDOWS = 4
"""Batches of the encoder in one task: only within a task do reading, encoding and writing go on side by side."""
_ATTEMPTS = 3
"""How often a task is begun. Ray restarts a worker that dies without end, and some file may kill every worker."""


def ingest(
    sources: Source | Iterable[Source],
    reading: Reading = _READING,
    *,
    collection: str,
    schema: Callable[[], Schema],
    url: str,
    api_key: str | None = None,
    workers: int = 2,
    batch_size: int = 32,
) -> Report:
    """Store what `Collection.add` would, on the Qdrant server at `url`, with `workers` processes of Ray.

    Ray runs where `ray.init` said, else on this machine. This process finds the sources, and sends references to the
    workers: they read the files, so paths must lead to the same files everywhere. Items that hold their media in memory
    are sent whole. `schema` is called once here and once in each worker; the collection is made where there is none.
    A task whose worker dies is done again, and what the dead one had stored counts as unchanged then; after the third
    time its sources are reported as failed. The report's `stages` are those of all workers together.
    Needs: pip install 'octant-search[ray]'. Raises as `Collection.add` does, and what Ray raises, for one where no
    worker can be started.
    """
    if workers < 1 or batch_size < 1:
        raise ValueError(f"workers and batch_size must be at least 1, not {workers} and {batch_size}")
    ray, data = _imported("ray"), _imported("ray.data")
    started = time.perf_counter()
    own = schema()
    client = open_store(url=url, api_key=api_key)
    try:
        Collection(client, collection, own, Place(None, url)).prepare()
        left_out: list[Skipped | MediaError | ItemError] = []
        found = _sound(arrivals(sources, reading, own), left_out)
        cut = enumerate(_tasks(found, _WINDOWS * batch_size))
        tasks = [{"task": number, "sources": ray.cloudpickle.dumps(task)} for number, task in cut]
        report = ingest_here(left_out, own, Stored(client, collection))
    finally:
        client.close()
    if tasks:
        attempts = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(_Attempts).remote()
        done = data.from_items(tasks, override_num_blocks=len(tasks)).map_batches(
            _Worker,
            fn_constructor_args=(schema, url, api_key, collection, batch_size, reading.thumbnails, attempts),
            batch_size=1,
            batch_format="pyarrow",
            compute=data.ActorPoolStrategy(size=min(workers, len(tasks))),
        )
        for row in done.iter_rows():
            part: Report | StoreError = ray.cloudpickle.loads(row["report"])
            if isinstance(part, StoreError):
                raise part
            report += part
    report.seconds = time.perf_counter() - started
    return report


class _Worker:
    """What each process of Ray keeps from task to task: the encoders and a connection."""

    def __init__(
        self,
        schema: Callable[[], Schema],
        url: str,
        api_key: str | None,
        collection: str,
        batch_size: int,
        thumbnails: int | None,
        attempts: Any,
    ) -> None:
        self._ray = _imported("ray")
        self._attempts = attempts
        self._schema = schema()
        self._budgets = {modality: self._schema.budget(modality) for modality in Modality}
        self._stored = Stored(open_store(url=url, api_key=api_key), collection)
        self._batch_size, self._thumbnails = batch_size, thumbnails

    def __call__(self, table: Any) -> Any:
        reports = [self._ray.cloudpickle.dumps(self._done(row["task"], row["sources"])) for row in table.to_pylist()]
        return import_module("pyarrow").table({"report": reports})

    def _done(self, number: int, pickled: bytes) -> Report | StoreError:
        task: list[Item | Deferred] = [
            replace(one, reader=replace(one.reader, budgets=self._budgets)) if isinstance(one, FoundFile) else one
            for one in self._ray.cloudpickle.loads(pickled)
        ]
        if self._ray.get(self._attempts.begin.remote(number)) > _ATTEMPTS:
            why = (
                f"was in a task of {len(task)} sources whose worker died {_ATTEMPTS} times; if it did not run out of "
                "memory, one of them kills it: find it with Collection.add, and leave it out"
            )
            return Report(failed=[Skipped(_source(one), why) for one in task])
        try:
            return ingest_here(
                task, self._schema, self._stored, batch_size=self._batch_size, thumbnails=self._thumbnails
            )
        except StoreError as error:  # given back, not raised: Ray would wrap it in errors of its own
            return error


class _Attempts:
    """An actor that outlives the workers, and counts how often each task was begun."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, task: int) -> int:
        self._begun[task] += 1
        return self._begun[task]


def _sound(found: Iterable[Arrival], left_out: list[Skipped | MediaError | ItemError]) -> Iterator[Item | Deferred]:
    """Pass what is to be ingested, each id once: a worker cannot know what another was given."""
    for one in once(found):
        if isinstance(one, Skipped | MediaError | ItemError):
            left_out.append(one)
        else:
            yield one


def _tasks(found: Iterable[Item | Deferred], size: int) -> Iterator[Sequence[Item | Deferred]]:
    """Cut what was found into tasks, and no source in two: what is stale of it can only be told from all of it."""
    task: list[Item | Deferred] = []
    for _, of_source in groupby(found, key=_source):
        task += (_light(one) for one in of_source)
        if len(task) >= size:
            yield task
            task = []
    if task:
        yield task


def _source(one: Item | Deferred) -> str:
    if isinstance(one, Item):
        return one.origin.source if one.origin else one.id
    return one.source


def _light(one: Item | Deferred) -> Item | Deferred:
    """Leave the tokenizers behind: a worker has its own."""
    return replace(one, reader=replace(one.reader, budgets={})) if isinstance(one, FoundFile) else one


def _imported(module: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtra("ray", "ray") from error
