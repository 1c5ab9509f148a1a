"""Files and folders: walked without being caught in them, known by what they are called, where and when.

What is in a file is read by the adapter that takes it, in a thread, and only where the file has changed.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from octant.adapters.adapter import Adapter, File, Piece
from octant.adapters.patterns import Patterns
from octant.encoding import Budget
from octant.errors import ItemError, MediaError, MissingExtra
from octant.item import Item, Origin, Skipped
from octant.media import DEFAULT_LIMITS, Limits, Modality
from octant.media.signature import HEAD, mime_of
from octant.media.source import open_regular, require_size, why

__all__ = ["FileReader", "FoundFile", "file_id", "files_in", "uri_of"]

_TABLES = frozenset({".csv", ".jsonl", ".ndjson", ".parquet", ".tsv"})
_SETTLED = 2.0
"""Seconds: a file that was written just now may be written again without its time telling."""


@dataclass(frozen=True)
class FileReader:
    """How files are read: by which adapters, for which encoders, within which limits."""

    adapters: Sequence[Adapter]
    """The first that takes a file reads it."""
    budgets: dict[Modality, Budget]
    limits: Limits = DEFAULT_LIMITS
    also: str = ""
    """What else makes other points of the same file."""

    @cached_property
    def identity(self) -> str:
        """Hash all that decides what becomes of a file's content."""
        budgets = {m: (b.tokens, b.seconds, b.token_spans is not None) for m, b in sorted(self.budgets.items())}
        said = [adapter.identity for adapter in self.adapters], budgets, self.limits, self.also
        return hashlib.sha256(repr(said).encode()).hexdigest()[:12]

    @cached_property
    def budget(self) -> Budget:
        """What texts and sounds are cut for, in one."""
        text, audio = self.budgets.get(Modality.TEXT, Budget()), self.budgets.get(Modality.AUDIO, Budget())
        return replace(text, seconds=audio.seconds)

    def read(self, path: Path) -> Sequence[Piece | Skipped | MediaError]:
        """Cut a file into pieces. MediaError when it cannot be read, Skipped when it is nothing that is read here."""
        with open_regular(path, path) as (file, status):
            head = file.read(HEAD)
        given = File(path, head, mime_of(head), status.st_size, self.limits)
        adapter = next((one for one in self.adapters if one.takes(given)), None)
        if adapter is None:
            if given.suffix in _TABLES:
                how = "octant index --id COLUMN --text COLUMN, or octant.Table(path, id=..., text=[...])"
                return [Skipped(str(path), f"is a table: say what its columns are: {how}")]
            if ".tar" in path.suffixes[-2:]:
                return [Skipped(str(path), "is an archive; if it is a WebDataset shard, add octant.Shards(path)")]
            known = given.mime or given.suffix or "no suffix"
            return [Skipped(str(path), f"is no text, image or sound that octant reads ({known})")]
        require_size(status.st_size, path, self.limits.bytes)
        try:
            return list(adapter.pieces(given, self.budget))
        except (MediaError, MissingExtra):
            raise
        except Exception as error:  # adapters are anybody's
            known = f"{type(error).__name__}: {error}"
            raise MediaError(
                path, f"makes the adapter {adapter.identity.split('@')[0]!r} fail ({known}); report that to its author"
            ) from error


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that a walk has found, and that is not read yet."""

    path: Path
    """Absolute."""
    root: Path
    """What was given, absolute: the file itself, or a folder above it."""
    source: str
    """Its identity: see `file_id`."""
    status: os.stat_result
    reader: FileReader

    @property
    def stamp(self) -> str | None:
        """Size, times and the way it is read; None while the file may still be being written.

        The time of change is one of them: a file that was put in the place of another may be as old and as large.
        """
        status = self.status
        if abs(time.time() - max(status.st_mtime, status.st_ctime)) < _SETTLED:
            return None
        return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}-{self.reader.identity}"

    def items(self) -> Sequence[Item | Skipped | MediaError | ItemError]:
        """Read it: an item for every piece, of the file's own id where there is but one."""
        try:
            pieces = self.reader.read(self.path)
        except MediaError as error:
            return [error]
        except MissingExtra as error:
            return [MediaError(self.path, str(error))]
        metadata = self._metadata()
        stamp, parts = self.stamp, sum(not isinstance(one, Skipped) for one in pieces)
        found: list[Item | Skipped | MediaError | ItemError] = []
        part = 0
        for one in pieces:
            if isinstance(one, Piece):
                name = self.source if parts == 1 else f"{self.source}#{part}"
                parent = {} if parts == 1 else {"parent": self.source}
                origin = Origin(self.source, stamp, part, parts)
                found.append(Item(name, one.media, {**metadata, **parent, **one.metadata}, origin))
            else:
                found.append(one)
            part += not isinstance(one, Skipped)
        return found

    def _metadata(self) -> dict[str, Any]:
        path = self.path
        metadata = {"path": str(path), "name": path.name, "folder": path.parent.name, "root": str(self.root)}
        with suppress(OverflowError, ValueError, OSError):  # some file systems hold times that no calendar has
            metadata["modified"] = datetime.fromtimestamp(self.status.st_mtime, UTC).isoformat(timespec="seconds")
        return metadata


def files_in(
    paths: Iterable[Path], reader: FileReader, patterns: Patterns | None = None, read: set[str] | None = None
) -> Iterator[FoundFile | Skipped | MediaError]:
    """Find files, and the files of folders.

    Folders are read recursively in sorted order, links last, and names that begin with a dot left out. What cannot be
    looked at is yielded as a MediaError about its path: it does not end the walk. `patterns` are relative to the path
    that is given, and say nothing about a file that is given itself. `read` holds the files that were found before.
    """
    entered: set[tuple[int, int, Path | None]] = set()
    read = set() if read is None else read
    folders: dict[Path, Path] = {}
    for root in paths:
        for found in _walk(root, entered, patterns):
            yield _found(found[0], root, found[1], reader, read, folders) if isinstance(found, tuple) else found


def file_id(path: Path) -> str:
    """Name a file: the URI of its resolved path, so that it is one item by whatever link it is reached.

    MediaError when there is no such file.
    """
    try:
        return Path(os.path.realpath(path, strict=True)).as_uri()
    except (OSError, ValueError) as error:
        raise MediaError(path, _why(path, error)) from error


def uri_of(path: Path) -> str:
    """The URI of a resolved path, whether there is such a file or not."""
    return Path(os.path.realpath(path)).as_uri()


def _found(
    path: Path, root: Path, status: os.stat_result, reader: FileReader, read: set[str], folders: dict[Path, Path]
) -> FoundFile | Skipped | MediaError:
    """Name a file that was found. Each folder is resolved once: that is most of what naming a file costs."""
    try:
        if path.is_symlink() or path == root:
            name = file_id(path)
        else:
            parent = path.parent
            if parent not in folders:
                folders[parent] = Path(os.path.realpath(parent, strict=True))
            name = (folders[parent] / path.name).as_uri()
    except (OSError, ValueError) as error:
        return MediaError(path, _why(path, error))
    except MediaError as error:
        return error
    if name in read:
        return Skipped(str(path), "is a file that was already read")
    read.add(name)
    return FoundFile(path.absolute(), root.absolute(), name, status, reader)


def _walk(
    root: Path, entered: set[tuple[int, int, Path | None]], patterns: Patterns | None
) -> Iterator[tuple[Path, os.stat_result] | Skipped | MediaError]:
    """Find the files at or below a root. Links come last, so that a file is known by its own name if it has one.

    `entered` holds device and inode of the folders that were read: a link back to one ends there. Patterns are about a
    root, so under another one a folder may be entered again.
    """
    waiting, links = [root], deque[Path]()
    while waiting or links:
        path = waiting.pop() if waiting else links.popleft()
        if not _is_unicode(path):
            yield MediaError(os.fsencode(path), "has a name that is not UTF-8, which no payload can hold; rename it")
            continue
        try:
            status = path.stat()
            is_folder = stat.S_ISDIR(status.st_mode)
            if patterns is not None and path is not root:
                relative = PurePosixPath(path.relative_to(root).as_posix())
                if not patterns.keeps(relative, is_folder):
                    continue
            if not is_folder:
                yield path, status
                continue
            folder = (status.st_dev, status.st_ino, root if patterns is not None else None)
            if folder in entered:
                yield Skipped(str(path), "is a folder that was already read")
                continue
            entered.add(folder)
            with os.scandir(path) as entries:
                shown = sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)
                linked = {entry.name for entry in shown if entry.is_symlink()}
        except (OSError, ValueError) as error:
            yield MediaError(path, _why(path, error))
            continue
        links.extend(path / entry.name for entry in shown if entry.name in linked)
        waiting.extend(path / entry.name for entry in reversed(shown) if entry.name not in linked)


def _why(path: Path, error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError) and os.path.islink(path):
        return "is a link to nothing; restore what it leads to, or remove it"
    if isinstance(error, FileNotFoundError) and path.parts[:1] == ("~",):
        return "does not exist; write Path(...).expanduser() for your home folder"
    return why(error)


def _is_unicode(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
