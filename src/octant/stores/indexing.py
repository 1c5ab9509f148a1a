"""Indexing without being asked, and never in the caller's way.

Edge builds indexes and drops deleted points only in `optimize()`, which freezes the process that calls it. So a thread
here watches what was written. When that is enough to matter and writing has paused, it copies the shard's folder, lets
another process optimise the copy, replays on it what was written meanwhile, and puts it in the place of the live shard.
Until the catalogue names the copy, the old folder is the truth: a crash at any moment loses the work, not the points.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from threading import Condition, Thread
from time import monotonic

from octant.errors import StoreError
from octant.stores import optimize
from octant.stores.copying import copy_folder
from octant.stores.directory import Directory
from octant.stores.edge_collection import EdgeCollection

__all__ = ["Indexer"]

LOG = logging.getLogger(__name__)

SETTLED_SECONDS = 2.0
"""Writes have paused when there was none for this long."""
PATIENCE_SECONDS = 60.0
"""Index all the same when writes have not paused for this long."""
TICK_SECONDS = 0.25


class Indexer:
    """The thread that keeps the collections of one database indexed."""

    def __init__(self, directory: Directory, collections: Callable[[], Iterable[EdgeCollection]]) -> None:
        self._directory = directory
        self._collections = collections
        self._changed = Condition()
        self._thread: Thread | None = None
        self._stopping = False
        self._urgent = False
        self._last_write = 0.0
        self._due_since: dict[str, float] = {}
        self._under_way: str | None = None
        """The collection that is being indexed: not done before its copy has taken its place."""

    def note_write(self) -> None:
        """Remember that something was written, or left to do by an earlier opening, and start watching."""
        self._last_write = monotonic()
        if self._thread is None:
            self._start()

    def hasten(self) -> list[str]:
        """Index what is due without waiting for writes to pause; return the collections that are not done yet."""
        under_way = self._under_way  # read first: what ends after this shows in is_due
        due = [one.name for one in self._collections() if one.name == under_way or one.is_due()]
        if getattr(sys, "frozen", False):
            return []  # no thread can run, see _start
        if due:
            with self._changed:
                self._urgent = True
                self._changed.notify_all()
            if self._thread is None:
                self._start()
        return due

    def stop(self) -> None:
        """Give up what is under way, which loses nothing, and end the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _start(self) -> None:
        with self._changed:
            if self._thread is None and not self._stopping and not getattr(sys, "frozen", False):
                # in a frozen application sys.executable is the application: searches there compare with every point
                self._thread = Thread(target=self._watch, name="octant-index", daemon=True)
                self._thread.start()

    def _watch(self) -> None:
        while not self._wait(TICK_SECONDS):
            for collection in list(self._collections()):
                if self._stopping:
                    return
                try:
                    self._tend(collection)
                except Exception as error:  # the thread lives on: the next collection may do better
                    collection.postpone()
                    LOG.warning("collection %r could not be indexed and stays searchable: %s", collection.name, error)
            with suppress(StoreError):  # one may be closed while it is asked
                self._urgent = self._urgent and any(collection.is_due() for collection in self._collections())

    def _tend(self, collection: EdgeCollection) -> None:
        settled = monotonic() - self._last_write > SETTLED_SECONDS
        if not collection.is_due():
            self._due_since.pop(collection.name, None)
            if settled:
                collection.shard.flush_if_written()
            return
        waited = monotonic() - self._due_since.setdefault(collection.name, monotonic())
        if self._urgent or settled or waited > PATIENCE_SECONDS:
            self._due_since.pop(collection.name)
            self._index(collection)

    def _index(self, collection: EdgeCollection) -> None:
        target = self._directory.new_folder()
        started = monotonic()
        self._under_way = collection.name
        before = collection.unindexed()
        try:
            collection.shard.copy_to(target, _copy)
            if not self._optimised(target):
                collection.postpone()
                return
            old = collection.shard.adopt(target, lambda: self._directory.change(collection.moved_to, target, before))
        finally:
            self._under_way = None
            collection.shard.forget_recorded()
            if collection.shard.folder != target:
                shutil.rmtree(target, ignore_errors=True)
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)
            LOG.info("indexed collection %r in %.1f s", collection.name, monotonic() - started)

    def _optimised(self, target: Path) -> bool:
        """Run the optimiser on the copy; False if it failed or was given up."""
        process = subprocess.Popen(
            [sys.executable, "-P", optimize.__file__, str(target)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,
        )
        try:
            while process.poll() is None:
                if self._wait(TICK_SECONDS):
                    return False
            if process.returncode != 0:
                LOG.warning("the optimiser ended with %s; the collection stays searchable", process.returncode)
            return process.returncode == 0
        finally:
            process.kill()
            process.communicate()

    def _wait(self, seconds: float) -> bool:
        """Sleep, and say whether to stop."""
        with self._changed:
            return self._changed.wait_for(lambda: self._stopping, seconds)


def _copy(source: Path, target: Path) -> None:
    try:
        needed = sum(file.stat().st_blocks * 512 for file in source.rglob("*") if file.is_file())
    except AttributeError:  # no block counts on Windows
        needed = sum(file.stat().st_size for file in source.rglob("*") if file.is_file())
    free = shutil.disk_usage(source).free
    if free < 2 * needed:
        raise StoreError(f"{source} needs about {2 * needed >> 20} MB to be indexed, and {free >> 20} MB are free")
    copy_folder(source, target)
