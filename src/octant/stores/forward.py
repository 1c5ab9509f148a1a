"""Forwarding: the methods of `Client`, once, passed on to wherever the store is.

Each method takes its signature and its docstring from the protocol, so there is nothing to keep in step by hand. A
class that forwards says in `_call` how: over a pipe, to a client of qdrant-client, with a lock around.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from octant.stores.async_client import AsyncClient
from octant.stores.client import Client

__all__ = ["AsyncForwarded", "Forwarded"]

P = ParamSpec("P")
R = TypeVar("R")


class _Caller(Protocol):
    def _call(self, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any: ...


def _forward(method: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[_Caller, P], R]:
    @wraps(method)
    def call(self: _Caller, /, *args: P.args, **kwargs: P.kwargs) -> R:
        # of an async class, what `_call` returns is the coroutine that R is then
        result: R = self._call(method.__name__, args, kwargs)  # pyright: ignore[reportPrivateUsage]
        return result

    return call


class Forwarded(ABC):
    """A `Client` that passes every method on."""

    @abstractmethod
    def _call(self, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Run one method where the store is, and return what it returns or raise what it raises."""

    @abstractmethod
    def hasten_index(self) -> list[str]:
        """Index what is due without waiting for writes to pause; return the collections that are not done yet."""

    @abstractmethod
    def close(self) -> None:
        """Give the store back; what was acknowledged is kept."""

    collection_exists = _forward(Client.collection_exists)
    create_collection = _forward(Client.create_collection)
    get_collection = _forward(Client.get_collection)
    get_collections = _forward(Client.get_collections)
    update_collection = _forward(Client.update_collection)
    delete_collection = _forward(Client.delete_collection)
    upsert = _forward(Client.upsert)
    update_vectors = _forward(Client.update_vectors)
    delete_vectors = _forward(Client.delete_vectors)
    delete = _forward(Client.delete)
    set_payload = _forward(Client.set_payload)
    overwrite_payload = _forward(Client.overwrite_payload)
    delete_payload = _forward(Client.delete_payload)
    clear_payload = _forward(Client.clear_payload)
    create_payload_index = _forward(Client.create_payload_index)
    delete_payload_index = _forward(Client.delete_payload_index)
    create_vector_name = _forward(Client.create_vector_name)
    delete_vector_name = _forward(Client.delete_vector_name)
    query_points = _forward(Client.query_points)
    query_batch_points = _forward(Client.query_batch_points)
    query_points_groups = _forward(Client.query_points_groups)
    retrieve = _forward(Client.retrieve)
    scroll = _forward(Client.scroll)
    count = _forward(Client.count)
    facet = _forward(Client.facet)


class AsyncForwarded(ABC):
    """An `AsyncClient` that passes every method on."""

    @abstractmethod
    async def _call(self, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Run one method where the store is, and return what it returns or raise what it raises."""

    @abstractmethod
    async def hasten_index(self) -> list[str]:
        """Index what is due without waiting for writes to pause; return the collections that are not done yet."""

    @abstractmethod
    async def close(self) -> None:
        """Give the store back; what was acknowledged is kept."""

    collection_exists = _forward(AsyncClient.collection_exists)
    create_collection = _forward(AsyncClient.create_collection)
    get_collection = _forward(AsyncClient.get_collection)
    get_collections = _forward(AsyncClient.get_collections)
    update_collection = _forward(AsyncClient.update_collection)
    delete_collection = _forward(AsyncClient.delete_collection)
    upsert = _forward(AsyncClient.upsert)
    update_vectors = _forward(AsyncClient.update_vectors)
    delete_vectors = _forward(AsyncClient.delete_vectors)
    delete = _forward(AsyncClient.delete)
    set_payload = _forward(AsyncClient.set_payload)
    overwrite_payload = _forward(AsyncClient.overwrite_payload)
    delete_payload = _forward(AsyncClient.delete_payload)
    clear_payload = _forward(AsyncClient.clear_payload)
    create_payload_index = _forward(AsyncClient.create_payload_index)
    delete_payload_index = _forward(AsyncClient.delete_payload_index)
    create_vector_name = _forward(AsyncClient.create_vector_name)
    delete_vector_name = _forward(AsyncClient.delete_vector_name)
    query_points = _forward(AsyncClient.query_points)
    query_batch_points = _forward(AsyncClient.query_batch_points)
    query_points_groups = _forward(AsyncClient.query_points_groups)
    retrieve = _forward(AsyncClient.retrieve)
    scroll = _forward(AsyncClient.scroll)
    count = _forward(AsyncClient.count)
    facet = _forward(AsyncClient.facet)
