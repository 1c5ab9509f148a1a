"""The stores under test: Edge in process, Edge in a worker, local mode on disk, and a server where there is one.

The oracle is local mode in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from store_cases import fill

from octant.stores import Client, open_store
from octant.stores.local import LocalClient


@pytest.fixture(scope="session", params=["edge", "worker", "local", "server"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Each store in turn."""
    path = tmp_path_factory.mktemp("store")
    engine: str = request.param
    if engine == "server":
        client: Client = open_store(url=request.getfixturevalue("server_url"), timeout=60)
    elif engine == "local":
        client = LocalClient(path)
    else:
        client = open_store(path=path, worker=engine == "worker")
    yield client
    client.close()


@pytest.fixture(scope="session")
def oracle() -> Iterator[Client]:
    """Local mode in memory: pure Python, and what the others are compared with."""
    client = LocalClient(None)
    fill(client)
    yield client
    client.close()


@pytest.fixture(scope="session")
def filled(store: Client, oracle: Client) -> Iterator[tuple[Client, Client]]:
    """A store and the oracle with the same points in the collections `things` and `other`."""
    fill(store)
    yield store, oracle
    for name in ("things", "other"):
        store.delete_collection(name)


@pytest.fixture
def fresh(store: Client, oracle: Client) -> Iterator[Callable[[], tuple[Client, Client, str]]]:
    """Make the store, the oracle and the name of a collection that neither has yet."""
    made: list[str] = []

    def make() -> tuple[Client, Client, str]:
        made.append(f"test-{uuid4().hex}")
        return store, oracle, made[-1]

    yield make
    for name in made:
        for client in (store, oracle):
            if client.collection_exists(name):
                client.delete_collection(name)
