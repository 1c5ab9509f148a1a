"""One live Edge shard: every call of the engine passes here, in order, with its errors named.

The engine holds Python's global lock for the whole of every call, so a lock around each call costs nothing. There are
two: `_engine` is held for single calls and around a swap; `_writing` keeps writers out while the folder is copied, and
lets readers through.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from threading import RLock
from typing import TypeAlias, TypeVar

import qdrant_edge as qe

from octant.errors import StoreError, StoreLocked

__all__ = ["Shard", "engine_errors"]

R = TypeVar("R")

Recorded: TypeAlias = tuple[qe.UpdateOperation, bool]
"""An operation, and whether it failed on the live shard."""

RECORDED_POINTS = 100_000
"""Points that may be written during an optimisation before it is given up: they are kept in memory to be replayed."""
FLUSHED_POINTS = 20_000
"""Points between two flushes, so that the log stays short and the flushes too."""
ROUNDS = 20
"""Rounds of catching up with the writers before they are made to wait for the last one."""


class Shard:
    """A shard that many threads can read and write, and that can be replaced by an optimised copy of itself."""

    def __init__(self, folder: Path, live: qe.EdgeShard) -> None:
        self.folder = folder
        self._live = live
        self._engine = RLock()
        self._writing = RLock()
        self._unflushed = 0
        self._closed = False
        self._recorded: list[Recorded] | None = None
        self._recorded_points = 0

    @classmethod
    def create(cls, folder: Path, config: qe.EdgeConfig) -> Shard:
        """Make an empty shard in a new folder."""
        with engine_errors(folder):
            folder.mkdir(parents=True)
            return cls(folder, qe.EdgeShard.create(str(folder), config))

    @classmethod
    def load(cls, folder: Path) -> Shard:
        """Open a shard, replaying what its write-ahead log holds."""
        with engine_errors(folder):
            return cls(folder, qe.EdgeShard.load(str(folder)))

    def read(self, call: Callable[[qe.EdgeShard], R]) -> R:
        """Run a call that changes nothing."""
        with engine_errors(self.folder), self._engine:
            return call(self._live)

    def write(self, operation: qe.UpdateOperation, points: int) -> None:
        """Apply an operation; when this returns it survives kill -9. `points` is about how many it touches."""
        with self._writing, engine_errors(self.folder):
            try:
                with self._engine:
                    self._live.update(operation)
            except Exception:
                self._record(operation, points, failed=True)  # the engine may have applied a part of it
                raise
            self._record(operation, points, failed=False)
            self._unflushed += max(points, 1)
            if self._unflushed >= FLUSHED_POINTS:
                self.flush_if_written()

    def flush_if_written(self) -> None:
        """Write everything to its place on disk, which keeps the log short."""
        with engine_errors(self.folder), self._writing, self._engine:
            if self._unflushed and not self._closed:
                self._live.flush()
                self._unflushed = 0

    def copy_to(self, target: Path, copy: Callable[[Path, Path], None]) -> None:
        """Copy the folder as of now and record the operations that follow. Reads go on meanwhile, writes wait."""
        with self._writing:
            if self._closed:
                raise StoreError(f"{self.folder} is closed")
            self.flush_if_written()
            with engine_errors(self.folder):
                copy(self.folder, target)
            self._recorded, self._recorded_points = [], 0

    def adopt(self, folder: Path, commit: Callable[[], None]) -> Path | None:
        """Replace the live shard by its optimised copy, brought up to date; return the old folder, to be removed.

        `commit` makes the copy the truth on disk; it is called with writers kept out, when the copy has everything.
        None: too much was written meanwhile, or the shard was closed, and the copy is of no use any more.
        """
        with engine_errors(folder):
            fresh = qe.EdgeShard.load(str(folder))
            for spent in range(ROUNDS):
                with self._writing:
                    if self._closed or self._recorded is None:
                        fresh.close()
                        return None
                    batch, self._recorded, self._recorded_points = self._recorded, [], 0
                    if len(batch) <= 1 or spent == ROUNDS - 1:
                        return self._replace(folder, fresh, batch, commit)
                _replay(fresh, batch)
        return None

    def forget_recorded(self) -> None:
        """Stop recording: there is no copy to be brought up to date any more."""
        with self._writing:
            self._recorded = None

    def close(self) -> None:
        """Flush and give the folder back."""
        with engine_errors(self.folder), self._writing, self._engine:
            if not self._closed:
                self._closed = True
                self._live.flush()
                self._live.close()

    def _replace(self, folder: Path, fresh: qe.EdgeShard, last: list[Recorded], commit: Callable[[], None]) -> Path:
        _replay(fresh, last)
        fresh.flush()
        with self._engine:
            expected = self._live.count(_EVERY)
        if (found := fresh.count(_EVERY)) != expected:
            fresh.close()
            raise StoreError(f"the optimised copy has {found} points and the collection {expected}: left as it was")
        commit()
        with self._engine:
            old, old_folder = self._live, self.folder
            self._live, self.folder, self._recorded = fresh, folder, None
        old.close()
        return old_folder

    def _record(self, operation: qe.UpdateOperation, points: int, *, failed: bool) -> None:
        if self._recorded is None:
            return
        self._recorded.append((operation, failed))
        self._recorded_points += points
        if self._recorded_points > RECORDED_POINTS:
            self._recorded = None


_EVERY = qe.CountRequest(exact=True, filter=None)


def _replay(shard: qe.EdgeShard, operations: list[Recorded]) -> None:
    for operation, failed in operations:
        with suppress(Exception) if failed else nullcontext():
            shard.update(operation)


@contextmanager
def engine_errors(folder: Path) -> Generator[None]:
    """Turn the engine's errors, all bare exceptions told apart by their text, into octant's."""
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(f"{folder}: {error.strerror or error}") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise StoreError(f"the engine cannot read the request: {_first_line(error)}") from error
    except Exception as error:  # the binding raises nothing more specific
        if type(error) is not Exception:
            raise
        raise _named(folder, str(error)) from error


def _named(folder: Path, text: str) -> StoreError:
    if "WouldBlock" in text:
        return StoreLocked(folder, "or in a process forked from one that had: a fork keeps the lock while it lives")
    for sign, message in _KNOWN:
        if sign in text:
            return StoreError(message.format(_first_line(text)))
    return StoreError(_first_line(text))


_KNOWN = (
    ("process cancelled by service", "the formula uses a variable that some points lack; give it one in `defaults`"),
    ("Shard is not initialized", "the collection was deleted, or the database closed, while it was in use"),
    ("No range index for `order_by`", "{}; create_payload_index with an integer, float or datetime schema makes one"),
    ("No appropriate index for faceting", "{}; create_payload_index with a keyword, integer, bool or uuid schema"),
    ("No space left", "{}; free some space on the disk of the database"),
)


def _first_line(error: object) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else repr(error)
