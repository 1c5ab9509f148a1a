"""Opening a store: a directory (embedded) or a URL (server), in this process or in a worker."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, runtime_checkable

from octant.errors import StoreError
from octant.stores.async_client import AsyncClient
from octant.stores.client import Client
from octant.stores.directory import Engine

__all__ = ["Indexing", "OctantWarning", "open_async_store", "open_store", "wait_for_index"]


class OctantWarning(UserWarning):
    """Something works, but not as well as it could."""


@runtime_checkable
class Indexing(Protocol):
    """A store that can be asked to index now. Every store that `open_store` opens is one."""

    def hasten_index(self) -> list[str]:
        """Index what is due without waiting for writes to pause; return the collections that are not done yet."""
        ...


def open_store(
    *,
    path: Path | None = None,
    url: str | None = None,
    api_key: str | None = None,
    timeout: float | None = None,
    worker: bool | None = None,
) -> Client:
    """Open the embedded database at `path`, or the Qdrant server at `url`: exactly one of the two.

    `worker` says whether an embedded database gets a process of its own. By default it does where blocking Python, or
    being forked, would hurt: under asyncio, off the main thread, in a notebook or at a prompt. A script does without.
    """
    if url is not None and path is None:
        from octant.stores.server import connect

        return connect(url, api_key=api_key, timeout=timeout)
    directory, engine = _embedded(path, url), _engine()
    if _wants_worker() if worker is None else worker:
        from octant.stores.worker import WorkerClient

        return WorkerClient(directory, engine)
    if engine == "local":
        from octant.stores.local import LocalClient

        return LocalClient(directory)
    from octant.stores.edge import EdgeClient

    return EdgeClient(directory)


async def open_async_store(
    *,
    path: Path | None = None,
    url: str | None = None,
    api_key: str | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 - of the client's requests, not of this call
) -> AsyncClient:
    """Open the same for asyncio; an embedded database gets a process of its own."""
    if url is not None and path is None:
        from octant.stores.server import connect_async

        return await connect_async(url, api_key=api_key, timeout=timeout)
    from octant.stores.worker import AsyncWorkerClient

    return await AsyncWorkerClient.open(_embedded(path, url), _engine())


def wait_for_index(client: Client, timeout: float | None = None) -> bool:
    """Wait until all that is worth indexing is indexed; False when the time is over first. For batch jobs."""
    until = None if timeout is None else time.monotonic() + timeout
    while isinstance(client, Indexing) and client.hasten_index():
        if until is not None and time.monotonic() >= until:
            return False
        time.sleep(POLL_SECONDS)
    return True


POLL_SECONDS = 0.2


def _embedded(path: Path | None, url: str | None) -> Path:
    if path is None or url is not None:
        raise StoreError(
            "open a store with path=... (a directory, embedded) or with url=... (a server), one of the two"
        )
    return path.expanduser()


def _engine() -> Engine:
    if _has_edge():
        return "edge"
    warnings.warn(
        "Qdrant Edge has no wheel for this platform, so qdrant-client's local mode stands in: the same answers, but "
        "slow beyond ten thousand points; use a Qdrant server (url=...) for more",
        OctantWarning,
        stacklevel=3,
    )
    return "local"


def _has_edge() -> bool:
    try:
        return find_spec("qdrant_edge") is not None
    except ValueError:  # a module that is barred or half imported
        return False


def _wants_worker() -> bool:
    if getattr(sys, "frozen", False):
        return False  # sys.executable is the application, not Python
    if hasattr(sys, "ps1") or threading.current_thread() is not threading.main_thread():
        return True
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
