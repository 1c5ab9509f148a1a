"""qdrant-client's own clients, of a server or of local mode, brought to what octant promises of every store.

Errors are octant's, numpy rows are welcome, fused results come in one order, senseless requests are refused alike.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from httpx import HTTPError
from qdrant_client import AsyncQdrantClient, QdrantClient
from qdrant_client.http import models
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from octant.errors import StoreError
from octant.stores.checks import check_request
from octant.stores.forward import AsyncForwarded, Forwarded
from octant.stores.requests import listed, request_from
from octant.stores.ties import exhaustive, settle, widen

__all__ = ["AsyncWrapped", "Wrapped", "client_errors"]

Hits = list[models.ScoredPoint]


class Wrapped(Forwarded):
    """A QdrantClient behind octant's promises."""

    def __init__(self, client: QdrantClient, where: str) -> None:
        self._client = client
        self._where = where

    def _call(self, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if method == "query_points":
            name, request = request_from(args, kwargs)
            return self._query(name, [request])[0]
        if method == "query_batch_points":
            return self._query(*args, **kwargs)
        with client_errors(self._where):
            return getattr(self._client, method)(*listed(args), **listed(dict(kwargs)))

    def _query(self, collection_name: str, requests: Sequence[models.QueryRequest]) -> list[models.QueryResponse]:
        for request in requests:
            check_request(request)
        responses = self._run(collection_name, [widen(request) for request in requests])
        for request, response in zip(requests, responses, strict=True):
            settled = settle(request, response.points)
            if settled is None:
                settled = settle(request, self._run(collection_name, [exhaustive(request)])[0].points)
            response.points = settled or []
        return responses

    def _run(self, collection_name: str, requests: Sequence[models.QueryRequest]) -> list[models.QueryResponse]:
        with client_errors(self._where):
            return self._client.query_batch_points(collection_name, listed(list(requests)))

    def info(self) -> models.VersionInfo:
        """Say which version of Qdrant answers."""
        with client_errors(self._where):
            return self._client.info()

    def hasten_index(self) -> list[str]:
        with client_errors(self._where):
            names = [collection.name for collection in self._client.get_collections().collections]
            return [name for name in names if self._client.get_collection(name).status in _BUSY]

    def close(self) -> None:
        self._client.close()


class AsyncWrapped(AsyncForwarded):
    """An AsyncQdrantClient behind octant's promises."""

    def __init__(self, client: AsyncQdrantClient, where: str) -> None:
        self._client = client
        self._where = where

    async def _call(self, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if method == "query_points":
            name, request = request_from(args, kwargs)
            return (await self._query(name, [request]))[0]
        if method == "query_batch_points":
            return await self._query(*args, **kwargs)
        with client_errors(self._where):
            return await getattr(self._client, method)(*listed(args), **listed(dict(kwargs)))

    async def _query(self, collection_name: str, requests: Sequence[models.QueryRequest]) -> list[models.QueryResponse]:
        for request in requests:
            check_request(request)
        responses = await self._run(collection_name, [widen(request) for request in requests])
        for request, response in zip(requests, responses, strict=True):
            settled = settle(request, response.points)
            if settled is None:
                settled = settle(request, (await self._run(collection_name, [exhaustive(request)]))[0].points)
            response.points = settled or []
        return responses

    async def _run(self, collection_name: str, requests: Sequence[models.QueryRequest]) -> list[models.QueryResponse]:
        with client_errors(self._where):
            return await self._client.query_batch_points(collection_name, listed(list(requests)))

    async def info(self) -> models.VersionInfo:
        """Say which version of Qdrant answers."""
        with client_errors(self._where):
            return await self._client.info()

    async def hasten_index(self) -> list[str]:
        with client_errors(self._where):
            names = [collection.name for collection in (await self._client.get_collections()).collections]
            return [name for name in names if (await self._client.get_collection(name)).status in _BUSY]

    async def close(self) -> None:
        await self._client.close()


_BUSY = (models.CollectionStatus.YELLOW, models.CollectionStatus.GREY)


@contextmanager
def client_errors(where: str) -> Generator[None]:
    """Turn the errors of qdrant-client, of its server and of its local mode into octant's."""
    try:
        yield
    except StoreError:
        raise
    except UnexpectedResponse as error:
        raise StoreError(f"{where} refused the request: {_detail(error)}") from error
    except (ResponseHandlingException, HTTPError, ConnectionError) as error:
        reason = error.source if isinstance(error, ResponseHandlingException) else error
        raise StoreError(f"{where} does not answer: {reason}; is it running, and is the URL right?") from error
    except (ApiException, ValueError, TypeError, KeyError, IndexError, AssertionError, NotImplementedError) as error:
        raise StoreError(f"{where} refused the request: {error}") from error


def _detail(error: UnexpectedResponse) -> str:
    try:
        status: Any = error.structured()["status"]
        return str(status["error"])
    except (ValueError, KeyError, TypeError):
        return f"status {error.status_code} {error.reason_phrase}"
