"""LangChain's standard suite for vector stores, run against langchain-qdrant and octant side by side.

    python integrations/langchain/benchmarks/standard_peer.py

Each gets an empty store per test. langchain-qdrant runs in qdrant-client's local mode, in memory; octant runs on Qdrant
Edge and on local mode, on disk. Warnings count against nobody. What fails is listed with the error's first line.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from langchain_octant import OctantVectorStore
from langchain_qdrant import QdrantVectorStore
from langchain_tests.integration_tests import VectorStoreIntegrationTests
from qdrant_client import QdrantClient, models

NAMES = {
    "TestLangchainQdrant": "langchain-qdrant, local mode",
    "TestOctantOnEdge": "octant, Qdrant Edge",
    "TestOctantOnLocalMode": "octant, local mode",
}


class TestLangchainQdrant(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self) -> Iterator[QdrantVectorStore]:
        client = QdrantClient(":memory:")
        client.create_collection("t", models.VectorParams(size=6, distance=models.Distance.COSINE))
        yield QdrantVectorStore(client, "t", self.get_embeddings())
        client.close()


class TestOctantOnEdge(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path: Path) -> Iterator[OctantVectorStore]:
        store = OctantVectorStore.open(self.get_embeddings(), path=tmp_path)
        yield store
        assert store.collection is not None
        store.collection.close()


class TestOctantOnLocalMode(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OctantVectorStore]:
        monkeypatch.setitem(sys.modules, "qdrant_edge", None)
        store = OctantVectorStore.open(self.get_embeddings(), path=tmp_path)
        yield store
        assert store.collection is not None
        store.collection.close()


class Counted:
    """What became of each test, by store."""

    def __init__(self) -> None:
        self.outcomes: dict[str, dict[str, str]] = {name: {} for name in NAMES}
        self.reasons: dict[str, dict[str, str]] = {name: {} for name in NAMES}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        _, store, test = report.nodeid.split("::")
        if report.when == "call" or report.failed:
            self.outcomes[store][test] = report.outcome
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            said = str(crash.message if crash is not None else report.longrepr)
            self.reasons[store][test] = said.strip().partition("\n")[0][:110]


def main() -> None:
    """Run the suite and print the table."""
    counted = Counted()
    options = ["-q", "--no-header", "--tb=no", "--no-summary", "-p", "no:cacheprovider", "-c", "/dev/null"]
    asyncio_options = ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"]
    pytest.main([__file__, *options, *asyncio_options, "-W", "ignore"], plugins=[counted])
    packages = ("langchain-core", "langchain-tests", "langchain-qdrant", "qdrant-client")
    print("\n" + ", ".join(f"{name} {version(name)}" for name in packages) + "\n")
    print("| store | passed | failed | skipped |\n|---|---|---|---|")
    for store, name in NAMES.items():
        found = list(counted.outcomes[store].values())
        print(f"| {name} | {found.count('passed')} | {found.count('failed')} | {found.count('skipped')} |")
    for store, name in NAMES.items():
        for test, reason in counted.reasons[store].items():
            print(f"- {name}: `{test}`: {reason}")


if __name__ == "__main__":
    main()
