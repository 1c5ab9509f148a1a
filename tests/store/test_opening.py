"""What opens where: embedded or server, in this process or in a worker, Edge or its stand-in."""

from __future__ import annotations

import inspect
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from qdrant_client.http import models as m

from octant.errors import StoreError
from octant.stores import AsyncClient, Client, open_async_store, open_store
from octant.stores.edge import EdgeClient
from octant.stores.server import check_version
from octant.stores.worker import WorkerClient


def test_a_script_gets_it_in_process(tmp_path: Path) -> None:
    client = open_store(path=tmp_path)
    assert isinstance(client, EdgeClient)
    client.close()


async def test_a_running_loop_gets_a_worker(tmp_path: Path) -> None:
    client = open_store(path=tmp_path)
    assert isinstance(client, WorkerClient)
    client.close()


def test_another_thread_gets_a_worker(tmp_path: Path) -> None:
    opened: list[Client] = []
    thread = threading.Thread(target=lambda: opened.append(open_store(path=tmp_path)))
    thread.start()
    thread.join()
    assert isinstance(opened[0], WorkerClient)
    opened[0].close()


def test_a_prompt_gets_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    client = open_store(path=tmp_path)
    assert isinstance(client, WorkerClient)
    client.close()


async def test_one_of_path_and_url(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="one of"):
        open_store()
    with pytest.raises(StoreError, match="one of"):
        open_store(path=tmp_path, url="http://localhost:1")
    with pytest.raises(StoreError, match="one of"):
        await open_async_store()


async def test_a_server_that_does_not_answer_is_named() -> None:
    with pytest.raises(StoreError, match=r"http://127.0.0.1:9 does not answer.*running"):
        open_store(url="http://127.0.0.1:9")
    with pytest.raises(StoreError, match=r"http://127.0.0.1:9 does not answer"):
        await open_async_store(url="http://127.0.0.1:9")


def test_a_server_that_is_too_old_is_refused() -> None:
    check_version("here", m.VersionInfo(title="qdrant", version="1.17.0"))
    check_version("here", m.VersionInfo(title="qdrant", version="dev"))
    with pytest.raises(StoreError, match=r"1\.16\.3.*update"):
        check_version("here", m.VersionInfo(title="qdrant", version="1.16.3"))


async def test_an_asynchronous_client_of_a_server(server_url: str) -> None:
    client = await open_async_store(url=server_url)
    if await client.collection_exists("async-test"):
        await client.delete_collection("async-test")
    await client.create_collection("async-test", {"v": m.VectorParams(size=2, distance=m.Distance.DOT)})
    await client.upsert("async-test", [m.PointStruct(id=1, vector={"v": [1.0, 2.0]})])
    answer = await client.query_points("async-test", [1.0, 0.0], using="v")
    assert [hit.id for hit in answer.points] == [1]
    with pytest.raises(StoreError, match="nowhere"):
        await client.count("nowhere")
    await client.delete_collection("async-test")
    await client.close()


@pytest.mark.parametrize("worker", [True, False])
def test_without_a_wheel_local_mode_stands_in(tmp_path: Path, worker: bool) -> None:
    script = f"""
import sys, warnings
from pathlib import Path
sys.modules["qdrant_edge"] = None
from octant.stores import OctantWarning, open_store
from qdrant_client.http import models as m
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    client = open_store(path=Path({str(tmp_path)!r}), worker={worker})
assert [one.category for one in caught] == [OctantWarning], caught
assert caught[0].filename == {"<string>"!r}, caught[0].filename
client.create_collection("a", {{"v": m.VectorParams(size=2, distance=m.Distance.DOT)}})
client.upsert("a", [m.PointStruct(id=1, vector={{"v": [1.0, 2.0]}})])
client.close()
client = open_store(path=Path({str(tmp_path)!r}), worker={worker})
print(client.count("a").count)
client.close()
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert found.stdout.strip() == "1", found.stderr
    with pytest.raises(StoreError, match="local mode"):
        open_store(path=tmp_path)


def test_the_two_protocols_are_twins() -> None:
    methods = [name for name in vars(Client) if not name.startswith("_")]
    assert methods == [name for name in vars(AsyncClient) if not name.startswith("_")]
    for name in methods:
        one, other = getattr(Client, name), getattr(AsyncClient, name)
        assert inspect.signature(one) == inspect.signature(other)
        assert inspect.getdoc(one) == inspect.getdoc(other)
