"""Copying a shard's folder without its holes: an empty shard looks like 140 MB and holds less than one."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

__all__ = ["copy_folder"]

CHUNK = 4 << 20


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder, file by file, leaving holes holes where the system tells them. Other threads run meanwhile."""
    shutil.copytree(source, target, copy_function=_copy_file)


def _copy_file(source: str, target: str) -> str:
    if not hasattr(os, "SEEK_DATA"):
        return shutil.copyfile(source, target)
    with open(source, "rb", buffering=0) as reading, open(target, "wb", buffering=0) as writing:
        size = os.fstat(reading.fileno()).st_size
        os.truncate(writing.fileno(), size)
        position = 0
        while position < size:
            start = _seek(reading.fileno(), position, os.SEEK_DATA, size)
            position = _seek(reading.fileno(), start, os.SEEK_HOLE, size)
            _copy_range(reading.fileno(), writing.fileno(), start, position)
    return target


def _seek(file: int, position: int, whence: int, size: int) -> int:
    if position >= size:
        return size
    try:
        return os.lseek(file, position, whence)
    except OSError as error:
        if error.errno == errno.ENXIO:  # no data after this position
            return size
        if error.errno in (errno.EINVAL, errno.ENOTSUP):  # the file system knows no holes
            return position if whence == os.SEEK_DATA else size
        raise


def _copy_range(reading: int, writing: int, start: int, end: int) -> None:
    os.lseek(reading, start, os.SEEK_SET)
    os.lseek(writing, start, os.SEEK_SET)
    while start < end:
        data = os.read(reading, min(CHUNK, end - start))
        if not data:
            raise OSError(errno.EIO, "the file ended while it was copied")
        start += len(data)
        left = memoryview(data)
        while left:  # a disk that fills up may take a part, and say so only to the next write
            left = left[os.write(writing, left) :]
