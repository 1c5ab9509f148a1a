"""A Qdrant server: connecting, and refusing one that is too old before it answers with nonsense."""

from __future__ import annotations

import re

from qdrant_client import AsyncQdrantClient, QdrantClient
from qdrant_client.http import models

from octant.errors import StoreError
from octant.stores.wrapped import AsyncWrapped, Wrapped, client_errors

__all__ = ["OLDEST", "connect", "connect_async"]

OLDEST = (1, 17)
"""The oldest server that answers all that octant asks: weights of RRF came with it."""
TIMEOUT_SECONDS = 30


def connect(url: str, *, api_key: str | None = None, timeout: float | None = None) -> Wrapped:
    """Connect to the server at this URL.

    Raises StoreError if it does not answer, refuses the key or is too old.
    """
    client = QdrantClient(url=url, api_key=api_key, timeout=_seconds(timeout), check_compatibility=False)
    try:
        with client_errors(url):
            check_version(url, client.info())
    except BaseException:
        client.close()
        raise
    return Wrapped(client, url)


async def connect_async(url: str, *, api_key: str | None = None, timeout: float | None = None) -> AsyncWrapped:  # noqa: ASYNC109 - handed on, not implemented here
    """Connect to the server at this URL, for asyncio.

    Raises StoreError if it does not answer, refuses the key or is too old.
    """
    client = AsyncQdrantClient(url=url, api_key=api_key, timeout=_seconds(timeout), check_compatibility=False)
    try:
        with client_errors(url):
            check_version(url, await client.info())
    except BaseException:
        await client.close()
        raise
    return AsyncWrapped(client, url)


def check_version(url: str, info: models.VersionInfo) -> None:
    """Raise StoreError for a server that lacks what octant asks for. A version that cannot be read is let through."""
    numbers = re.match(r"(\d+)\.(\d+)", info.version)
    if numbers is not None and (int(numbers[1]), int(numbers[2])) < OLDEST:
        oldest = ".".join(str(number) for number in OLDEST)
        raise StoreError(f"{url} runs Qdrant {info.version}; octant needs {oldest} or newer: update the server")


def _seconds(timeout: float | None) -> int:
    return TIMEOUT_SECONDS if timeout is None else max(1, round(timeout))
