"""Where the tests' collections lie: Qdrant Edge, local mode, and a server where $OCTANT_TEST_QDRANT_URL names one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from parts import pixels_schema

import octant

SERVER = os.environ.get("OCTANT_TEST_QDRANT_URL")
ENGINES = ["edge", "local", *(["server"] if SERVER else [])]


@pytest.fixture(params=ENGINES)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Where to open a collection: what `octant.open` and `OctantVectorStore.open` take."""
    if request.param == "server":
        name = f"langchain-{uuid4().hex}"
        yield {"collection_name": name, "url": SERVER}
        from qdrant_client import QdrantClient

        client = QdrantClient(url=SERVER)
        client.delete_collection(name)
        client.close()
        return
    if request.param == "local":
        monkeypatch.setitem(sys.modules, "qdrant_edge", None)
    yield {"collection_name": "documents", "path": tmp_path / "database"}


@pytest.fixture
def embedding() -> DeterministicFakeEmbedding:
    """Embeddings without a model: one direction of six for each text."""
    return DeterministicFakeEmbedding(size=6)


@pytest.fixture
def collection(place: dict[str, Any]) -> Iterator[octant.Collection]:
    """An empty collection of texts, images and sounds in one space of 32 dimensions."""
    given = dict(place)
    with octant.open(given.pop("collection_name"), schema=pixels_schema(), **given) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test traces to a service."""
    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the synchronous standard tests to stores that have synchronous methods."""
    left_out = [item for item in items if _is_sync_test_of_async(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def _is_sync_test_of_async(item: pytest.Item) -> bool:
    native = getattr(getattr(item, "cls", None), "is_async_alone", False)
    return native and not item.name.partition("[")[0].endswith(("_async", "OVERRIDE"))
