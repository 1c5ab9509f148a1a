"""An open embedded database: its directory, the collections that are open, what indexes them, and its end."""

from __future__ import annotations

import atexit
import shutil
from pathlib import Path
from threading import RLock
from typing import Any

from octant.errors import StoreError
from octant.stores import forks
from octant.stores.directory import Directory
from octant.stores.edge_collection import EdgeCollection
from octant.stores.indexing import Indexer
from octant.stores.shard import Shard, engine_errors

__all__ = ["EdgeDatabase"]

SEARCH_THREADS = 2
"""Threads per open collection; the engine's own default is eight on two cores."""


class EdgeDatabase:
    """The collections of one directory, opened when they are first used."""

    def __init__(self, path: Path) -> None:
        """Open the database at this directory, or create it.

        Raises StoreLocked if another process has it open, StoreError if it cannot be read.
        """
        self.directory = Directory(path, "edge")
        self.indexer = Indexer(self.directory, lambda: list(self._open.values()))
        self._open: dict[str, EdgeCollection] = {}
        self.changing = RLock()
        """Held while collections come, go or change their shape."""
        self._closed = ""
        forks.watch(self)
        atexit.register(self.close)

    def names(self) -> list[str]:
        """List the collections."""
        self.check_usable()
        return sorted(self.directory.collections)

    def collection(self, name: str) -> EdgeCollection:
        """Return the collection of this name, opened. Raises StoreError if there is none."""
        self.check_usable()
        held = self._open.get(name)
        if held is not None:
            return held
        with self.changing:
            if name not in self._open:
                entry = self.directory.collections.get(name)
                if entry is None:
                    known = ", ".join(repr(name) for name in self.names()) or "none yet"
                    raise StoreError(f"there is no collection {name!r} at {self.directory.root}; it has {known}")
                self.directory.require_room()
                self._open[name] = EdgeCollection(name, entry, Shard.load(self.directory.folder / entry["folder"]))
                if self._open[name].is_due():
                    self.indexer.note_write()
            return self._open[name]

    def create(self, name: str, entry: dict[str, Any]) -> None:
        """Make an empty collection as the entry describes it. Raises StoreError if there is one of this name."""
        self.check_usable()
        with self.changing:
            if name in self.directory.collections:
                raise StoreError(f"there is a collection {name!r} already; delete it or use another name")
            self.directory.require_room()
            folder = self.directory.new_folder()
            entry["folder"] = folder.name
            with engine_errors(folder):
                collection = EdgeCollection.create(name, entry, folder, SEARCH_THREADS)
            self.directory.change(self.directory.collections.update, {name: entry})
            self._open[name] = collection

    def delete(self, name: str) -> bool:
        """Delete a collection; False if there was none."""
        self.check_usable()
        with self.changing:
            if name not in self.directory.collections:
                return False
            held = self._open.pop(name, None)
            if held is not None:
                held.shard.close()
            entry = self.directory.collections[name]
            self.directory.change(self.directory.collections.__delitem__, name)
            shutil.rmtree(self.directory.folder / entry["folder"], ignore_errors=True)
        return True

    def check_usable(self) -> None:
        """Raise StoreError after closing, and in a forked child."""
        if self._closed:
            raise StoreError(f"the database at {self.directory.root} cannot be used: {self._closed}")

    def close(self) -> None:
        """Flush, note what is left to index, and give the directory back."""
        atexit.unregister(self.close)
        if self._closed:
            return
        self.indexer.stop()
        with self.changing:
            self._closed = "it is closed; open it again"
            try:
                for collection in self._open.values():
                    collection.shard.close()
                self.directory.change(self._remember_work)
            finally:
                self._open.clear()
                self.directory.release()

    def after_fork_in_child(self) -> None:
        """Refuse to work in a forked child: the engine's threads are gone there, and a call would hang for ever."""
        atexit.unregister(self.close)
        self._closed = "it was opened before this process was forked; open it after forking"
        self.directory.abandon()

    def _remember_work(self) -> None:
        for collection in self._open.values():
            collection.remember_work()
