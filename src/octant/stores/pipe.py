"""Messages between octant and its own worker process: length, number, pickle, over a private pair of pipes.

Nothing but the two ends of these pipes can write to them, so unpickling is safe here. Errors travel as their class,
their arguments and their attributes, and arrive as what they were. Points, hits and float32 rows, which come in
thousands, are packed by hand: pydantic's and numpy's own ways take five times as long to read.
"""

from __future__ import annotations

import copyreg
import io
import os
import pickle
import struct
import sys
import traceback
from collections import ChainMap
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from qdrant_client.http import models

from octant.errors import StoreError

__all__ = ["Failure", "pack", "receive", "send", "widen"]

PIPE_BYTES = 1 << 20

_HEADER = struct.Struct("<QQ")


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception on its way."""

    kind: type[BaseException]
    args: tuple[Any, ...]
    attributes: dict[str, Any]

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Pack an exception. One that is not octant's own keeps its traceback as a note."""
        if not isinstance(error, Exception) or isinstance(error, StopIteration):
            # a panic of the engine, which cannot be pickled; or what no future can carry
            return cls(StoreError, (f"the engine failed: {type(error).__name__} {error}",), {})
        notes = [
            *getattr(error, "__notes__", []),
            "in the worker process:\n" + "".join(traceback.format_exception(error)),
        ]
        attributes = {name: value for name, value in vars(error).items() if name != "__notes__"}
        foreign = not type(error).__module__.startswith("octant.")
        return cls(type(error), error.args, {**attributes, "__notes__": notes} if foreign else attributes)

    def unpack(self) -> BaseException:
        """Make the exception again, without calling its constructor, which may want other arguments."""
        try:
            error = self.kind.__new__(self.kind, *self.args)
            error.args = self.args
            vars(error).update(self.attributes)
        except Exception:  # a foreign exception that only its own library can make, pydantic's for one
            told = "; ".join(map(str, self.args)) or "\n".join(self.attributes.get("__notes__", ()))
            return StoreError(f"{self.kind.__name__}: {told}")
        return error


def pack(value: Any) -> bytes:
    """Pickle a call or an answer."""
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, protocol=5)
    pickler.dispatch_table = _PACKED
    pickler.dump(value)
    return buffer.getvalue()


def _pack_model(model: BaseModel) -> tuple[Any, ...]:
    return _model, (type(model), model.__dict__)


def _model(kind: type[BaseModel], fields: dict[str, Any]) -> BaseModel:
    return kind.model_construct(**fields)


def _pack_array(array: NDArray[Any]) -> Any:
    if array.dtype == np.float32 and array.ndim == 1:
        return _row, (array.tobytes(),)
    return array.__reduce_ex__(5)


def _row(data: bytes) -> NDArray[np.float32]:
    return np.frombuffer(data, dtype=np.float32)


_PACKED: ChainMap[type[Any], Callable[[Any], Any]] = ChainMap({}, copyreg.dispatch_table)
for _kind in (models.PointStruct, models.PointVectors, models.ScoredPoint, models.Record):
    _PACKED[_kind] = _pack_model
_PACKED[np.ndarray] = _pack_array


def send(pipe: int, number: int, message: bytes) -> None:
    """Write one message, under a number, to a file descriptor."""
    for part in (_HEADER.pack(len(message), number), message):
        view = memoryview(part)
        while view:
            view = view[os.write(pipe, view) :]


def receive(pipe: int) -> tuple[int, Any]:
    """Read one message and its number; one that cannot be read is a Failure. EOFError: the other end is gone."""
    length, number = _HEADER.unpack(_read(pipe, _HEADER.size))
    data = _read(pipe, length)
    try:
        return number, pickle.loads(data)
    except Exception as error:  # anything may go wrong in making objects of other modules
        return number, Failure(StoreError, (f"a message to or from the worker cannot be read: {error!r}",), {})


def widen(pipe: int) -> None:
    """Let a pipe hold a whole batch of points, where the system allows: fewer turns of writing and reading."""
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):  # more than this user may have
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _read(pipe: int, length: int) -> bytearray:
    data = bytearray(length)
    view = memoryview(data)
    while view:
        count = os.readv(pipe, [view]) if hasattr(os, "readv") else _read_into(pipe, view)
        if not count:
            raise EOFError("the other end of the pipe is closed")
        view = view[count:]
    return data


def _read_into(pipe: int, view: memoryview) -> int:
    part = os.read(pipe, min(len(view), PIPE_BYTES))
    view[: len(part)] = part
    return len(part)
