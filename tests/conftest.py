"""A Qdrant server for the tests that want one.

It is found, in this order: OCTANT_TEST_QDRANT_URL, a `qdrant` program on PATH, the Docker image qdrant/qdrant if it is
here already. Without one these tests skip and say so.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from octant.errors import StoreError
from octant.stores import open_store

NO_SERVER = "no Qdrant server: set OCTANT_TEST_QDRANT_URL, put qdrant on PATH, or pull the image qdrant/qdrant"


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Qdrant server, started for these tests if need be."""
    given = os.environ.get("OCTANT_TEST_QDRANT_URL")
    if given:
        yield given
    elif shutil.which("qdrant"):
        yield from _program(tmp_path_factory.mktemp("qdrant"))
    elif _has_image():
        yield from _container()
    else:
        pytest.skip(NO_SERVER)


def _program(folder: Path) -> Iterator[str]:
    port = _free_port()
    settings = {
        "QDRANT__SERVICE__HOST": "127.0.0.1",
        "QDRANT__SERVICE__HTTP_PORT": str(port),
        "QDRANT__SERVICE__GRPC_PORT": str(_free_port()),
        "QDRANT__STORAGE__STORAGE_PATH": str(folder / "storage"),
        "QDRANT__STORAGE__SNAPSHOTS_PATH": str(folder / "snapshots"),
        "QDRANT__TELEMETRY_DISABLED": "true",
        "QDRANT__LOG_LEVEL": "WARN",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["qdrant"], cwd=folder, env={**os.environ, **settings}, stdout=log, stderr=log)
        try:
            yield _answering(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait()


def _has_image() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    found = subprocess.run([docker, "image", "inspect", "qdrant/qdrant"], capture_output=True, check=False)
    return found.returncode == 0


def _container() -> Iterator[str]:
    from testcontainers.core.container import DockerContainer

    with DockerContainer("qdrant/qdrant").with_exposed_ports(6333) as container:
        yield _answering(f"http://{container.get_container_host_ip()}:{container.get_exposed_port(6333)}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answering(url: str) -> str:
    for _ in range(150):
        try:
            open_store(url=url).close()
        except StoreError:
            time.sleep(0.2)
        else:
            return url
    raise TimeoutError(f"the server at {url} does not answer")
