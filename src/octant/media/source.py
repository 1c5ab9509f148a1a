"""Reading files without being caught: what vanishes, blocks, loops or is too large becomes a MediaError."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from octant.errors import MediaError

__all__ = ["open_regular", "read_bytes", "require_size", "why"]

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
