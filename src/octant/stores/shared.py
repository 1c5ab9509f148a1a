"""One client per embedded database and process: its collections share it, and the last one to close it closes it.

The directory is locked for its client, so without this a program could hold one collection of a database at a time, and
a notebook's cell could not be run twice.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any

from octant.errors import StoreError
from octant.stores.async_client import AsyncClient
from octant.stores.client import Client
from octant.stores.forward import AsyncForwarded, Forwarded
from octant.stores.opening import Indexing, open_async_store, open_store

__all__ = ["share", "share_async"]


@dataclass(slots=True)
class _Held:
    client: Client
    shares: int = 0


@dataclass(slots=True)
class _AsyncHeld:
    opening: asyncio.Task[AsyncClient]
    shares: int = 0


_locks = [RLock()]
_held: dict[Path, _Held] = {}
_async_held: dict[tuple[Path, int], _AsyncHeld] = {}
"""By event loop too: a client belongs to the loop that it was opened in."""

if hasattr(os, "register_at_fork"):  # what the parent opened is not the child's, nor is a lock that it held
    os.register_at_fork(after_in_child=lambda: _locks.__setitem__(0, RLock()))
    os.register_at_fork(after_in_child=_held.clear)
    os.register_at_fork(after_in_child=_async_held.clear)


def share(path: Path, *, worker: bool | None = None) -> Client:
    """Open the embedded database at `path`, or take part in the client that this process has opened for it.

    `worker` decides only for the first: who comes later takes what is there.
    """
    key = _key(path)
    with _locks[0]:
        if key in _held and _has_ended(_held[key].client):
            del _held[key]  # who has a share in it keeps its error; who opens now gets a new one
        if key not in _held:
            _held[key] = _Held(open_store(path=path, worker=worker))
        held = _held[key]
        held.shares += 1
    return _Share(key, held)


async def share_async(path: Path) -> AsyncClient:
    """Open the same for asyncio, or take part in what this event loop has opened."""
    key = (_key(path), id(asyncio.get_running_loop()))
    known = _async_held.get(key)
    if known is not None and known.opening.done() and await _has_ended_async(known) and _async_held.get(key) is known:
        del _async_held[key]
    if key not in _async_held:
        _async_held[key] = _AsyncHeld(asyncio.create_task(open_async_store(path=path)))
    held = _async_held[key]
    held.shares += 1
    try:
        client = await asyncio.shield(held.opening)
    except BaseException:
        held.shares -= 1
        if held.shares == 0:
            _async_held.pop(key, None)
            held.opening.cancel()
        raise
    return _AsyncShare(key, held, client)


def _has_ended(client: Client) -> bool:
    """Tell a client whose worker has died, or that is closed."""
    try:
        client.get_collections()
    except StoreError:
        return True
    return False


async def _has_ended_async(held: _AsyncHeld) -> bool:
    try:
        await held.opening.result().get_collections()
    except StoreError:
        return True
    return False


def _key(path: Path) -> Path:
    """One name for a directory, by whatever links it is reached."""
    return Path(os.path.realpath(path))


class _Share(Forwarded):
    """A share in a client: all its methods, and a `close` of its own."""

    def __init__(self, key: Path, held: _Held) -> None:
        self._key = key
        self._held: _Held | None = held

    def _call(self, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        return getattr(self._client(), method)(*args, **kwargs)

    def hasten_index(self) -> list[str]:
        client = self._client()
        return client.hasten_index() if isinstance(client, Indexing) else []

    def close(self) -> None:
        with _locks[0]:
            held, self._held = self._held, None
            if held is None:
                return
            held.shares -= 1
            if held.shares:
                return
            if _held.get(self._key) is held:
                del _held[self._key]
            held.client.close()

    def _client(self) -> Client:
        if self._held is None:
            raise StoreError(f"the collection in {self._key} was closed; open it again")
        return self._held.client


class _AsyncShare(AsyncForwarded):
    """A share in an asynchronous client."""

    def __init__(self, key: tuple[Path, int], held: _AsyncHeld, client: AsyncClient) -> None:
        self._key = key
        self._held: _AsyncHeld | None = held
        self._client = client

    async def _call(self, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        self._check()
        return await getattr(self._client, method)(*args, **kwargs)

    async def hasten_index(self) -> list[str]:
        self._check()
        due: list[str] = await getattr(self._client, "hasten_index")()  # noqa: B009
        return due

    async def close(self) -> None:
        held, self._held = self._held, None
        if held is None:
            return
        held.shares -= 1
        if held.shares == 0:
            if _async_held.get(self._key) is held:
                del _async_held[self._key]
            await self._client.close()

    def _check(self) -> None:
        if self._held is None:
            raise StoreError(f"the collection in {self._key[0]} was closed; open it again")
