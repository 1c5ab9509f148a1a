"""Reading files without being caught: what vanishes, blocks, loops or is too large becomes a MediaError."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

from octant.errors import MediaError
from octant.media.signature import HEAD

__all__ = ["Known", "content_hash", "open_regular", "open_source", "read_bytes", "require_size", "why"]

T = TypeVar("T")

_REASONS = {
    errno.ENOENT: "does not exist (any more); restore it or leave it out",
    errno.ENOTDIR: "does not exist: a part of its path is not a folder; correct the path",
    errno.EACCES: "may not be read; give its reader permission (chmod +r)",
    errno.EPERM: "may not be read; give its reader permission (chmod +r)",
    errno.EISDIR: "is a folder; pass the files in it",
    errno.ELOOP: "is a symbolic link that leads back to itself; remove the link",
    errno.ENAMETOOLONG: "has a name too long for this file system; shorten it",
}

_OTHER_KINDS = (
    (stat.S_ISDIR, "is a folder; pass the files in it"),
    (stat.S_ISFIFO, "is a pipe, not a file; write its content to a file first"),
    (stat.S_ISSOCK, "is a socket, not a file; leave it out"),
    (stat.S_ISCHR, "is a device, not a file; leave it out"),
    (stat.S_ISBLK, "is a device, not a file; leave it out"),
)


def why(error: OSError | ValueError) -> str:
    """Say why the system refused a path, and what to do."""
    if isinstance(error, OSError):
        known = _REASONS.get(error.errno or 0)
        return known or f"cannot be read ({error.strerror or error}); check the disk or copy it elsewhere"
    return f"has a name that no file can have ({error}); correct the path"


@contextmanager
def open_regular(path: Path, about: object) -> Generator[tuple[io.BufferedReader, os.stat_result]]:
    """Open a regular file, and nothing that could block. MediaError about `about` when it cannot be read."""
    try:
        _require_regular(path.stat(), about)
        # the file may have been exchanged since, so open without waiting and look again
        with open(path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            _require_regular(status, about)
            yield file, status
    except (OSError, ValueError) as error:
        raise MediaError(about, why(error)) from error


def read_bytes(source: Path | bytes, about: object, limit: int) -> bytes:
    """Read all of a file or blob of at most `limit` bytes. MediaError about `about` when it is larger or empty."""
    if isinstance(source, bytes):
        require_size(len(source), about, limit)
        return source
    with open_regular(source, about) as (file, status):
        require_size(status.st_size, about, limit)
        return file.read(status.st_size)


@contextmanager
def open_source(source: Path | bytes, about: object, limit: int) -> Generator[tuple[BinaryIO, bytes, int]]:
    """Open a file or blob of at most `limit` bytes without reading it: a stream, its first bytes, its size.

    MediaError about `about` when it cannot be read, is empty or larger.
    """
    if isinstance(source, bytes):
        require_size(len(source), about, limit)
        yield io.BytesIO(source), source[:HEAD], len(source)
        return
    with open_regular(source, about) as (file, status):
        require_size(status.st_size, about, limit)
        head = file.read(HEAD)
        file.seek(0)
        yield file, head, status.st_size


def content_hash(source: Path | bytes, about: object, limit: int) -> str:
    """Hash all of a file or blob: SHA-256 in hex. A file is read in blocks, and once for as long as it is the same."""
    if isinstance(source, bytes):
        require_size(len(source), about, limit)
        return hashlib.sha256(source).hexdigest()
    with open_regular(source, about) as (file, status):
        require_size(status.st_size, about, limit)
        return _HASHES.of(source, status, lambda: hashlib.file_digest(file, "sha256").hexdigest())


def require_size(size: int, about: object, limit: int) -> None:
    """Refuse an empty or too large file or blob."""
    if size == 0:
        raise MediaError(about, "is empty (0 bytes); export or download it again")
    if size > limit:
        remedy = "shrink it or pass limits=Limits(bytes=...)"
        raise MediaError(about, f"has {size:,} bytes, more than the limit of {limit:,}; {remedy}")


def _require_regular(status: os.stat_result, about: object) -> None:
    for is_kind, reason in _OTHER_KINDS:
        if is_kind(status.st_mode):
            raise MediaError(about, reason)


def _without_waiting(path: str, flags: int) -> int:
    # O_NONBLOCK does not exist on Windows, where opening does not block either
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


class Known(Generic[T]):
    """What was learned of the files that were read last, so that each of a file's many parts need not learn it anew.

    A file is the same while its place, size and times are. Times are coarse: what changed a moment ago may change
    once more without showing it, so nothing is kept of such a file (git calls such entries racy).
    """

    _SETTLED = 2.0
    """Seconds without a change; FAT, the coarsest file system, counts in two."""

    def __init__(self, most: int = 256) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int, int, int, int, int], T] = OrderedDict()

    def of(self, path: Path, status: os.stat_result, learn: Callable[[], T]) -> T:
        """What is known of a file, or is learned now."""
        # the change time tells files that were exchanged by a copy that keeps the modification time
        times = (status.st_mtime_ns, status.st_ctime_ns)
        key = (str(path), status.st_dev, status.st_ino, status.st_size, *times)
        settled = time.time() - max(times) / 1e9 > self._SETTLED
        with self._lock:
            if settled and key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        learned = learn()
        if settled:
            with self._lock:
                self._kept[key] = learned
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        return learned


_HASHES = Known[str]()
