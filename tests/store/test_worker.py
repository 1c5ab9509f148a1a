"""A database in a worker process: threads, asyncio, errors that travel, deaths on either side."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from qdrant_client.http import models as m

from octant.errors import StoreError, StoreLocked
from octant.stores import Client, open_async_store, open_store
from octant.stores.edge import EdgeClient
from octant.stores.worker import WorkerClient

VECTORS = {"v": m.VectorParams(size=2, distance=m.Distance.DOT)}


def point(point_id: int) -> m.PointStruct:
    return m.PointStruct.model_construct(
        id=point_id, vector={"v": np.array([1, point_id], dtype=np.float32)}, payload={"n": point_id}
    )


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    client = open_store(path=tmp_path, worker=True)
    client.create_collection("a", VECTORS)
    yield client
    client.close()


def worker_pid(path: Path) -> int:
    return int((path / ".lock").read_text().split()[0])


def test_threads_share_a_worker(client: Client) -> None:
    def add(start: int) -> None:
        for point_id in range(start, start + 50):
            client.upsert("a", [point(point_id)])
            assert client.query_points("a", [0.0, 1.0], using="v", limit=1).points

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(0, 400, 50)))
    assert client.count("a").count == 400


def test_errors_arrive_as_what_they_were(client: Client, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no collection 'b'"):
        client.count("b")
    with pytest.raises(StoreLocked, match=rf"pid {worker_pid(tmp_path)}, the worker of {os.getpid()}") as caught:
        WorkerClient(tmp_path)
    assert caught.value.path == tmp_path
    with pytest.raises(TypeError) as wrong:
        client.count(1, 2, 3, 4, 5)  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    assert any("in the worker process" in note for note in wrong.value.__notes__)


def test_a_dead_worker_is_noticed_and_nothing_is_lost(client: Client, tmp_path: Path) -> None:
    client.upsert("a", [point(point_id) for point_id in range(100)])
    os.kill(worker_pid(tmp_path), signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(StoreError, match="open again"):
            client.count("a")
    again = EdgeClient(tmp_path)
    assert again.count("a").count == 100
    again.close()


class Unreadable:
    """Something that can be sent and not be read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return int, ("not a number",)


def test_a_message_that_cannot_be_read_is_an_error_and_no_more(client: Client) -> None:
    with pytest.raises(StoreError, match=r"cannot be read.*not a number"):
        client.update_collection("a", metadata={"x": Unreadable()})
    assert client.count("a").count == 0


def test_a_closed_client_says_so(client: Client) -> None:
    client.close()
    with pytest.raises(StoreError, match="closed"):
        client.count("a")


def test_the_worker_ends_with_its_caller(tmp_path: Path) -> None:
    script = (
        "import os; from pathlib import Path; from octant.stores import open_store\n"
        f"client = open_store(path=Path({str(tmp_path)!r}), worker=True)\n"
        "from qdrant_client.http import models as m\n"
        "client.create_collection('a', {'v': m.VectorParams(size=2, distance=m.Distance.DOT)})\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script], check=False)
    end = time.monotonic() + 20
    while True:  # the lock goes when the worker does
        try:
            client = EdgeClient(tmp_path)
            break
        except StoreLocked:
            assert time.monotonic() < end
            time.sleep(0.05)
    assert client.collection_exists("a")
    client.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_is_refused_and_the_parent_goes_on(client: Client) -> None:
    child = os.fork()
    if child == 0:
        try:
            client.count("a")
        except StoreError as error:
            os._exit(0 if "after forking" in str(error) else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert client.count("a").count == 0


@pytest.mark.skipif(not hasattr(os, "setsid"), reason="signals of terminals are another matter here")
def test_ctrl_c_reaches_the_caller_only(client: Client, tmp_path: Path) -> None:
    assert os.getsid(worker_pid(tmp_path)) != os.getsid(0)
    os.kill(worker_pid(tmp_path), signal.SIGINT)
    assert client.count("a").count == 0


async def test_asyncio_is_not_kept_waiting(tmp_path: Path) -> None:
    client = await open_async_store(path=tmp_path)
    await client.create_collection("a", {"v": m.VectorParams(size=512, distance=m.Distance.DOT)})
    rows = np.random.default_rng(0).standard_normal((3000, 512)).astype(np.float32)
    points = [m.PointStruct.model_construct(id=one, vector={"v": rows[one]}, payload={}) for one in range(3000)]
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.002)
            ticks += 1

    ticking = asyncio.create_task(tick())
    await client.upsert("a", points)
    during = ticks
    answers = await asyncio.gather(
        *(client.query_points("a", rows[one], using="v", limit=1, with_payload=False) for one in range(20))
    )
    ticking.cancel()
    assert [answer.points[0].id for answer in answers] == list(range(20))
    assert during > 5
    with pytest.raises(StoreError, match="no collection"):
        await client.count("b")
    await client.close()
    with pytest.raises(StoreError, match="closed"):
        await client.count("a")


async def test_a_cancelled_call_harms_no_other(tmp_path: Path) -> None:
    client = await open_async_store(path=tmp_path)
    await client.create_collection("a", VECTORS)
    call = asyncio.create_task(client.upsert("a", [point(one) for one in range(2000)]))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await client.count("a")).count in (0, 2000)
    await client.close()


async def test_a_locked_database_is_refused_under_asyncio(client: Client, tmp_path: Path) -> None:
    assert client.collection_exists("a")
    with pytest.raises(StoreLocked):
        await open_async_store(path=tmp_path)
