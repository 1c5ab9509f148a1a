"""NVIDIA NIM."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from api_server import DIM, KEY, Server, serving, speak_openai
from pydantic import SecretStr

from octant.backends.api.nvidia import FAMILY, load
from octant.backends.api.service import OwnServerOptions
from octant.encoding import Role
from octant.errors import EncoderError, ServiceError
from octant.media import Text
from octant.vectors import stack

pytest.importorskip("openai")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(speak_openai) as started:
        yield started


@pytest.mark.parametrize(("role", "said"), [(Role.QUERY, "query"), (Role.DOCUMENT, "passage")])
def test_what_is_sent(server: Server, role: Role, said: str) -> None:
    options = OwnServerOptions(url=server.url, dim=DIM)
    (encoder,) = load("nvidia/llama-nemotron-embed-1b-v2", options, key=SecretStr(KEY))
    encoder.encode([Text("a"), Text("data:image/png;base64,AAAA")], role)
    assert server.requests[0].body == {
        "model": "nvidia/llama-nemotron-embed-1b-v2",
        "input": ["a", "data:image/png;base64,AAAA"],
        "dimensions": DIM,
        "encoding_format": "float",
        "input_type": said,
        "truncate": "NONE",
        "modality": "text",
    }
    assert FAMILY.roles


def test_the_hosted_service_wants_a_key_and_a_nim_of_ones_own_does_not(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NVIDIA_API_KEY", raising=False)
    with pytest.raises(ServiceError, match="NVIDIA_API_KEY"):
        load("nvidia/nv-embedqa-e5-v5", OwnServerOptions())
    monkeypatch.setenv("NVIDIA_API_KEY", KEY)
    (encoder,) = load("mine", OwnServerOptions(url=server.url, dim=DIM))
    encoder.encode([Text("a")], Role.QUERY)
    assert KEY not in str(server.requests[0].headers)
    assert "authorization" not in {name.lower() for name in server.requests[0].headers}
    assert load("mine", OwnServerOptions(url="http://nim-box:8000/v1", dim=DIM))


def test_texts_are_read_as_far_as_the_model_reads(server: Server) -> None:
    options: Any = OwnServerOptions(url=server.url)
    specs = {one.model: load(one.model, options, key=SecretStr(KEY))[0].spec for one in FAMILY.known}
    assert {model: (spec.dim, spec.tokens) for model, spec in specs.items()} == {
        "nvidia/nv-embedqa-e5-v5": (1024, 512),
        "nvidia/llama-3.2-nv-embedqa-1b-v2": (2048, 8192),
        "nvidia/llama-nemotron-embed-1b-v2": (2048, 8192),
    }
    with pytest.raises(EncoderError, match="no other"):
        load("nvidia/nv-embedqa-e5-v5", OwnServerOptions(dim=512), key=SecretStr(KEY))


@pytest.mark.hub
def test_the_real_service() -> None:
    if not os.environ.get("NVIDIA_API_KEY"):
        pytest.skip("set NVIDIA_API_KEY")
    (encoder,) = load("nvidia/nv-embedqa-e5-v5", OwnServerOptions())
    (made,) = stack(encoder.encode([Text("a cat")], Role.QUERY))
    assert made.shape == (1024,)
