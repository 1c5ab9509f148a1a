"""qdrant-client's local mode, in a directory or in memory: the stand-in where Qdrant Edge has no wheel.

Pure Python: the same answers, hundreds of times slower beyond some ten thousand points. It keeps pickles in SQLite, so
a directory from someone else must not be opened.
"""

from __future__ import annotations

import atexit
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from qdrant_client import QdrantClient
from qdrant_client.http import models

from octant.stores.checks import check_ids
from octant.stores.client import Points
from octant.stores.directory import Directory
from octant.stores.wrapped import Wrapped, client_errors

__all__ = ["LocalClient"]


class LocalClient(Wrapped):
    """A database of local mode. One call at a time: local mode breaks for good under two threads."""

    def __init__(self, path: Path | None) -> None:
        """Open the database at this directory, or create it; None is memory.

        Raises StoreLocked if another process has it open, StoreError if it is one of Qdrant Edge.
        """
        self._lock = RLock()
        self._directory = None if path is None else Directory(path, "local")
        if self._directory is None:
            super().__init__(QdrantClient(":memory:"), "local mode")
            return
        try:
            with client_errors(str(path)):
                super().__init__(QdrantClient(path=str(self._directory.folder)), f"local mode at {path}")
        except BaseException:
            self._directory.release()
            raise
        atexit.register(self.close)

    def _call(self, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if method == "upsert":
            points: Points = kwargs["points"] if "points" in kwargs else args[1]
            check_ids(points.ids if isinstance(points, models.Batch) else [point.id for point in points])
        with self._lock, _quiet():
            return super()._call(method, args, kwargs)

    def _run(self, collection_name: str, requests: Sequence[models.QueryRequest]) -> list[models.QueryResponse]:
        with self._lock, _quiet():
            return super()._run(collection_name, requests)

    def hasten_index(self) -> list[str]:
        return []  # local mode has no indexes

    def close(self) -> None:
        atexit.unregister(self.close)
        with self._lock:
            super().close()
        if self._directory is not None:
            self._directory.release()


@contextmanager
def _quiet() -> Generator[None]:
    """Silence what local mode says about servers' options: they do nothing here, and need not."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Payload indexes have no effect")
        warnings.filterwarnings("ignore", message="Local mode performs exact")
        yield
