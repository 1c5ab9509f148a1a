"""A database directory: one lock, one catalogue that is replaced atomically, one folder per collection.

    root/.lock                 held for the life of the client; says who holds it
    root/meta.json             format, engine, collections with their configuration and metadata
    root/collections/<uuid>/   the data of one collection (root/local/ for local mode)

A folder is made before the catalogue names it and removed after the catalogue has forgotten it, so a crash in between
leaves only a folder that nobody names, which the next opening sweeps.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from threading import Lock
from typing import IO, Any, Literal, ParamSpec
from uuid import uuid4

import portalocker

from octant.errors import StoreError, StoreLocked
from octant.stores.kinds import is_mapping

__all__ = ["Directory", "Engine"]

Engine = Literal["edge", "local"]
FORMAT = 1
ROOM = 80 << 20
"""Two segments of the engine's log, 32 MB each, and something to spare."""

P = ParamSpec("P")


class Directory:
    """A database directory that this process holds the lock of."""

    def __init__(self, root: Path, engine: Engine) -> None:
        """Create the directory if needed, lock it, read its catalogue and sweep leftovers.

        Raises StoreLocked if it is open elsewhere, StoreError if it is of another engine, newer, or unreadable.
        """
        self.root = root
        self._engine = engine
        self._saving = Lock()
        _require_ours(root)
        try:
            root.mkdir(parents=True, exist_ok=True)
            self._lock = _acquire(root)
        except OSError as error:
            raise StoreError(f"cannot open a database at {root}: {error.strerror or error}") from error
        try:
            self.collections: dict[str, dict[str, Any]] = self._read(engine)
            if not (root / "meta.json").exists():
                self._save()
            self.folder.mkdir(exist_ok=True)
            if engine == "edge":
                self._sweep()
        except BaseException:
            self.release()
            raise

    @property
    def folder(self) -> Path:
        """Where the collections are; how local mode arranges its own is its business."""
        return self.root / ("collections" if self._engine == "edge" else "local")

    def require_room(self) -> None:
        """Raise StoreError where the disk is nearly full: the engine maps its files, and would be killed."""
        free = shutil.disk_usage(self.root).free
        if free < ROOM:
            raise StoreError(
                f"{free >> 20} MB are free on the disk of {self.root}, and its database needs {ROOM >> 20} to work in: "
                "free some space, or use a directory elsewhere"
            )

    def new_folder(self) -> Path:
        """Name a folder that does not exist yet."""
        return self.folder / uuid4().hex

    def change(self, make: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Make a change to the catalogue and write it so that a crash leaves either the old one or the new one.

        Raises StoreError if it cannot be written; the change is then undone.
        """
        with self._saving:
            before = deepcopy(self.collections)
            try:
                make(*args, **kwargs)
                self._save()
            except OSError as error:
                self._restore(before)
                reason = error.strerror or error
                raise StoreError(f"cannot write the catalogue of the database at {self.root}: {reason}") from error

    def release(self) -> None:
        """Give the lock back."""
        if not self._lock.closed:
            try:
                portalocker.unlock(self._lock)
            finally:
                self._lock.close()

    def abandon(self) -> None:
        """Close this process's copy of the lock without unlocking: in a fork, the parent still holds it."""
        self._lock.close()

    def _save(self) -> None:
        content = {"format": FORMAT, "engine": self._engine, "collections": self.collections}
        beside = self.root / "meta.json.tmp"
        with beside.open("w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, self.root / "meta.json")
        with suppress(OSError):  # the new catalogue is there: to fail now would undo in memory what is done on disk
            _sync_directory(self.root)

    def _restore(self, before: dict[str, dict[str, Any]]) -> None:
        """Go back to what the catalogue was; collections that are open hold on to their entries, so these stay."""
        for name in self.collections.keys() - before.keys():
            del self.collections[name]
        for name, entry in before.items():
            held = self.collections.setdefault(name, {})
            held.clear()
            held.update(entry)

    def _read(self, engine: Engine) -> dict[str, dict[str, Any]]:
        path = self.root / "meta.json"
        if not path.exists():
            return {}
        try:
            content: Any = json.loads(path.read_text(encoding="utf-8"))
            version, written_by, collections = content["format"], content["engine"], content["collections"]
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{path} is not the catalogue of an octant database: {error}") from error
        if version > FORMAT:
            raise StoreError(f"the database at {self.root} has format {version}; this octant reads {FORMAT}: update it")
        if written_by != engine:
            raise StoreError(
                f"the database at {self.root} was written by {_NAMES.get(written_by, written_by)}, and here is only "
                f"{_NAMES[engine]}; open another directory, or index again"
            )
        if not is_mapping(collections):
            raise StoreError(f"{path} is not the catalogue of an octant database: collections is not a table")
        return {name: dict(entry) for name, entry in collections.items()}

    def _sweep(self) -> None:
        """Remove folders that no collection names. One that will not go (still mapped by a dying process) stays."""
        named = {entry.get("folder") for entry in self.collections.values()}
        for path in self.folder.iterdir():
            if path.is_dir() and path.name not in named and _OURS.fullmatch(path.name):
                shutil.rmtree(path, ignore_errors=True)


_NAMES = {"edge": "Qdrant Edge", "local": "qdrant-client's local mode (no Qdrant Edge for this platform)"}


_OURS = re.compile(r"[0-9a-f]{32}")
"""What `new_folder` names folders. Nothing else is ever removed."""


def _require_ours(root: Path) -> None:
    """Raise StoreError where a directory has content and no catalogue: it is somebody else's, or has lost its own."""
    try:
        if (root / "meta.json").exists() or not root.exists():
            return
        first_opening = {".lock", "meta.json.tmp"}
        found = sorted(entry.name for entry in root.iterdir() if entry.name not in first_opening and not _bare(entry))
    except OSError as error:
        raise StoreError(f"cannot open a database at {root}: {error.strerror or error}") from error
    if found and not (root / "meta.json").exists():  # another process may just have made it
        raise StoreError(
            f"{root} holds {', '.join(found[:3])} and no meta.json: no octant database, or one without its catalogue; "
            "use a directory of its own for the database, or put its meta.json back"
        )


def _bare(entry: Path) -> bool:
    return entry.is_dir() and entry.name in ("collections", "local") and not any(entry.iterdir())


def _acquire(root: Path) -> IO[str]:
    path = root / ".lock"
    file = path.open("a+", encoding="utf-8")
    try:
        portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.LockException as error:
        file.close()
        raise StoreLocked(root, _holder(path)) from error
    file.seek(0)
    file.truncate()
    file.write(f"{os.getpid()} {Path(sys.argv[0]).name if sys.argv else ''}\n")
    file.flush()
    return file


def _holder(path: Path) -> str:
    try:
        pid, _, program = path.read_text(encoding="utf-8").strip().partition(" ")
    except OSError:  # Windows refuses to read a locked file
        return "unknown"
    if pid == str(os.getpid()):
        return f"pid {pid}, this very process: use the client that is open already, or close it"
    return f"pid {pid or 'unknown'}" + (f", {program}" if program else "")


def _sync_directory(path: Path) -> None:
    """Make the renaming itself durable, where directories can be synced at all."""
    if sys.platform == "win32":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
