from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")

import pytest
from haystack_integrations.document_stores.octant import OctantDocumentStore


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A database that stays open: its process is started once, not for every test."""
    path = tmp_path_factory.mktemp("octant")
    keeper = OctantDocumentStore("kept open", path=str(path), embedding_dim=2)
    assert keeper.count_documents() == 0
    yield path
    keeper.close()


@pytest.fixture
def document_store(database: Path) -> Iterator[OctantDocumentStore]:
    """A new collection of documents that bring embeddings of 768 numbers."""
    store = OctantDocumentStore(uuid4().hex, path=str(database))
    yield store
    store.client.client.delete_collection(store.collection)
    store.close()
