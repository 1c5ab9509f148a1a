"""Haystack's own tests of document stores: all that there are, sync and async."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from haystack import Document
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from haystack.testing import document_store as sync_suite
from haystack.testing import document_store_async as async_suite
from haystack_integrations.document_stores.octant import OctantDocumentStore


class OnOctant:
    """The store under test, and what equal documents are: in any order, embeddings as far as the cosine goes."""

    @pytest.fixture
    def document_store(self, database: Path) -> Iterator[OctantDocumentStore]:
        store = OctantDocumentStore(uuid4().hex, path=str(database))
        yield store
        store.client.client.delete_collection(store.collection)
        store.close()

    @staticmethod
    def assert_documents_are_equal(received: list[Document], expected: list[Document]) -> None:
        assert len(received) == len(expected)
        for one, other in zip(_sorted(received), _sorted(expected), strict=True):
            here, there = one.to_dict(flatten=False), other.to_dict(flatten=False)
            found, wanted = here.pop("embedding"), there.pop("embedding")
            assert here == there
            assert (found is None) == (wanted is None)
            if wanted is not None:
                assert np.allclose(found, np.array(wanted) / np.linalg.norm(wanted), atol=1e-6)


def _sorted(documents: list[Document]) -> list[Document]:
    return sorted(documents, key=lambda document: document.id)


class TestOctantDocumentStore(
    OnOctant,
    sync_suite.DocumentStoreBaseExtendedTests,
    sync_suite.CountDocumentsByFilterTest,
    sync_suite.CountUniqueMetadataByFilterTest,
    sync_suite.GetMetadataFieldsInfoTest,
    sync_suite.GetMetadataFieldMinMaxTest,
    sync_suite.GetMetadataFieldUniqueValuesTest,
):
    def test_write_documents(self, document_store: OctantDocumentStore) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        document = Document(content="test doc")
        assert document_store.write_documents([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            document_store.write_documents([document], policy=DuplicatePolicy.NONE)
        self.assert_documents_are_equal(document_store.filter_documents(), [document])


class TestOctantDocumentStoreAsync(
    OnOctant,
    async_suite.CountDocumentsAsyncTest,
    async_suite.CountDocumentsByFilterAsyncTest,
    async_suite.CountUniqueMetadataByFilterAsyncTest,
    async_suite.DeleteAllAsyncTest,
    async_suite.DeleteByFilterAsyncTest,
    async_suite.DeleteDocumentsAsyncTest,
    async_suite.FilterDocumentsAsyncTest,
    async_suite.GetMetadataFieldMinMaxAsyncTest,
    async_suite.GetMetadataFieldUniqueValuesAsyncTest,
    async_suite.GetMetadataFieldsInfoAsyncTest,
    async_suite.UpdateByFilterAsyncTest,
    async_suite.WriteDocumentsAsyncTest,
):
    async def test_write_documents_async(self, document_store: OctantDocumentStore) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        document = Document(content="test doc")
        assert await document_store.write_documents_async([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            await document_store.write_documents_async([document])


@pytest.mark.parametrize(
    ("suite", "ours"), [(sync_suite, TestOctantDocumentStore), (async_suite, TestOctantDocumentStoreAsync)]
)
def test_no_suite_of_haystack_is_left_out(suite: object, ours: type) -> None:
    theirs = [kind for name, kind in inspect.getmembers(suite, inspect.isclass) if name.endswith(("Test", "Tests"))]
    assert len(theirs) >= 12
    assert [kind.__name__ for kind in theirs if not issubclass(ours, kind)] == []
