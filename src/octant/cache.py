"""Vectors remembered on disk, by what was encoded and by which model."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from octant.errors import StoreError
from octant.vectors import Sparse, Vector

__all__ = ["VectorCache"]

_AT_ONCE = 500
"""Keys per question: SQLite takes a limited number of them."""


class VectorCache:
    """Remembers the vectors of media in an SQLite file, so that no collection and no new schema encodes them again.

    The key is the medium's fingerprint and the encoder's identity: another model, revision or preprocessing never
    meets a foreign vector. Several processes may share a file. Beyond `max_bytes` of vectors the oldest are forgotten.
    """

    def __init__(self, path: Path | str, *, max_bytes: int = 4 * 1024**3) -> None:
        self.path = Path(path).expanduser()
        self.max_bytes = max_bytes
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute(
                "CREATE TABLE IF NOT EXISTS vectors"
                " (key BLOB PRIMARY KEY, shape TEXT NOT NULL, content BLOB NOT NULL, made REAL NOT NULL) WITHOUT ROWID"
            )

    def get(self, identity: str, fingerprints: Sequence[str]) -> dict[str, Vector]:
        """The vectors that are remembered, by fingerprint."""
        keys = {_key(identity, one): one for one in fingerprints}
        found: dict[str, Vector] = {}
        with self._open() as database:
            listed = list(keys)
            for start in range(0, len(listed), _AT_ONCE):
                part = listed[start : start + _AT_ONCE]
                marks = ",".join("?" * len(part))
                rows = database.execute(f"SELECT key, shape, content FROM vectors WHERE key IN ({marks})", part)
                found.update((keys[key], _vector(shape, content)) for key, shape, content in rows)
        return found

    def put(self, identity: str, vectors: Mapping[str, Vector]) -> None:
        """Remember vectors by fingerprint."""
        now = time.time()
        rows = [(_key(identity, one), *_written(vector), now) for one, vector in vectors.items()]
        with self._open() as database:
            database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)", rows)
            self._forget(database)

    def _forget(self, database: sqlite3.Connection) -> None:
        """Forget the oldest tenth as long as the file's used pages exceed the limit."""
        [(pages,), (free,), (size,)] = [
            database.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count", "page_size")
        ]
        if (pages - free) * size > self.max_bytes:
            database.execute(
                "DELETE FROM vectors WHERE key IN"
                " (SELECT key FROM vectors ORDER BY made LIMIT (SELECT COUNT(*) / 10 + 1 FROM vectors))"
            )

    def _open(self) -> _Transaction:
        return _Transaction(self.path)


class _Transaction:
    """A connection for one transaction: threads and forked children never share one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._connection = sqlite3.connect(self._path, timeout=60)
            self._connection.execute("PRAGMA synchronous=NORMAL")
        except sqlite3.Error as error:
            raise self._refused(error) from error
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: object) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            connection.commit() if error is None else connection.rollback()
        except sqlite3.Error as failed:
            raise self._refused(failed) from failed
        finally:
            connection.close()
        if isinstance(error, sqlite3.Error):
            raise self._refused(error) from error

    def _refused(self, error: sqlite3.Error) -> StoreError:
        return StoreError(f"the cache {self._path} cannot be used ({error}); delete the file, or name another")


def _key(identity: str, fingerprint: str) -> bytes:
    return hashlib.sha256(f"{identity}\0{fingerprint}".encode()).digest()


def _written(vector: Vector) -> tuple[str, bytes]:
    if isinstance(vector, Sparse):
        indices = np.array(vector.indices, "<u4").tobytes()
        return "sparse", indices + np.array(vector.values, "<f8").tobytes()
    return ",".join(map(str, vector.shape)), np.asarray(vector, "<f4").tobytes()


def _vector(shape: str, content: bytes) -> Vector:
    if shape == "sparse":
        count = len(content) // 12
        indices = np.frombuffer(content[: 4 * count], "<u4").tolist()
        return Sparse(tuple(indices), tuple(np.frombuffer(content[4 * count :], "<f8").tolist()))
    return np.frombuffer(content, "<f4").reshape([int(n) for n in shape.split(",")]).astype(np.float32)
