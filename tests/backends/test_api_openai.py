"""OpenAI, and servers of its format."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from api_server import DIM, KEY, FakeTime, Reply, Server, serving, speak_openai, unit, vector_of
from pydantic import SecretStr

from octant.backends.api.openai import COMPATIBLE, OPENAI, CompatibleOptions, load, load_compatible
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


def of(*words: str) -> list[Text]:
    return [Text(word) for word in words]


def openai(server: Server, model: str = "text-embedding-3-small", **options: Any) -> Any:
    waits = options.pop("waits", None)
    return load(model, OwnServerOptions(url=server.url, **options), key=SecretStr(KEY), waits=waits)[0]


def compatible(server: Server, **options: Any) -> Any:
    return load_compatible("e5", CompatibleOptions.model_validate({"url": server.url, "dim": DIM, **options}))[0]


def test_the_clients_own_answer_is_the_same(server: Server) -> None:
    import openai as library

    client = library.OpenAI(api_key=KEY, base_url=server.url)
    theirs = client.embeddings.create(model="text-embedding-3-small", input=["a", "b"], dimensions=DIM)
    client.close()
    ours = openai(server, dim=DIM).encode(of("a", "b"), Role.DOCUMENT)
    np.testing.assert_allclose(np.stack(ours), [unit(one.embedding) for one in theirs.data], atol=1e-6)


def test_what_is_sent(server: Server) -> None:
    openai(server, dim=DIM).encode(of("a"), Role.QUERY)
    assert server.requests[0].body == {
        "model": "text-embedding-3-small",
        "input": ["a"],
        "dimensions": DIM,
        "encoding_format": "float",
    }
    with pytest.raises(ServiceError, match="256 numbers, not 1536"):  # the server's own length
        openai(server).encode(of("a"), Role.QUERY)
    assert "dimensions" not in server.requests[1].body


def test_queries_and_documents_are_alike(server: Server) -> None:
    encoder = openai(server, dim=DIM)
    query, document = encoder.encode(of("a"), Role.QUERY), encoder.encode(of("a"), Role.DOCUMENT)
    np.testing.assert_array_equal(query, document)
    assert not OPENAI.roles


@pytest.mark.parametrize(
    ("model", "dim"),
    [("text-embedding-3-small", 1536), ("text-embedding-3-large", 3072), ("text-embedding-ada-002", 1536)],
)
def test_dimensions_of_models(server: Server, model: str, dim: int) -> None:
    assert openai(server, model).spec.dim == dim
    assert openai(server, model, dim=dim).spec.dim == dim
    with pytest.raises(EncoderError, match=f"it has {dim} dimensions"):
        openai(server, model, dim=dim + 1)
    assert {known.model: known.dim for known in OPENAI.known}[model] == dim


def test_a_model_that_cannot_be_shortened(server: Server) -> None:
    with pytest.raises(EncoderError, match="no other"):
        openai(server, "text-embedding-ada-002", dim=256)


def test_a_request_has_room_for_so_many_tokens(server: Server) -> None:
    words = ["abc " * 8000] * 40  # 8,000 tokens each as estimated, of 300,000
    openai(server, dim=DIM).encode(of(*words), Role.DOCUMENT)
    assert sorted(len(request.body["input"]) for request in server.requests) == [3, 37]


def test_vectors_are_placed_by_their_index(server: Server) -> None:
    def turned(answer: Any) -> Any:
        answer["data"].reverse()
        return answer

    server.always = Reply(change=turned)
    made = openai(server, dim=DIM).encode(of("a", "b", "c"), Role.DOCUMENT)
    np.testing.assert_allclose(np.stack(made), [unit(vector_of(one)) for one in "abc"], atol=1e-6)


@pytest.mark.parametrize("indices", [[0, 0], [1, 2], [0, -1], [0, None], [0, "1"]])
def test_indices_of_no_inputs_are_nonsense(server: Server, indices: list[Any]) -> None:
    def changed(answer: Any) -> Any:
        for entry, index in zip(answer["data"], indices, strict=True):
            entry["index"] = index
        return answer

    server.always = Reply(change=changed)
    with pytest.raises(ServiceError, match="indices"):
        openai(server, dim=DIM).encode(of("a", "b"), Role.DOCUMENT)


def test_an_empty_account_is_not_waited_for(server: Server) -> None:
    fake = FakeTime()
    server.always = Reply(
        429, {"error": {"message": "You exceeded your current quota", "type": "x", "code": "insufficient_quota"}}
    )
    with pytest.raises(ServiceError, match="see your quota"):
        openai(server, dim=DIM, waits=fake.waits).encode(of("a"), Role.DOCUMENT)
    assert fake.slept == []
    assert len(server.requests) == 1


def test_a_text_that_is_too_long_is_the_services_to_refuse(server: Server) -> None:
    server.always = Reply(400, {"error": {"message": "maximum context length is 8192 tokens"}})
    with pytest.raises(ServiceError, match="maximum context length is 8192 tokens") as raised:
        openai(server, dim=DIM).encode(of("a"), Role.DOCUMENT)
    assert raised.value.status == 400


# --- servers of its format


def test_a_server_without_a_key_gets_none(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    compatible(server).encode(of("a"), Role.QUERY)
    (request,) = server.requests
    assert "authorization" not in {name.lower() for name in request.headers}
    assert KEY not in str(request.headers)


def test_a_server_without_a_key_that_wants_one(server: Server) -> None:
    server.always = Reply(401, {"detail": "no key"})
    with pytest.raises(ServiceError, match=r"wants a key.*key_env="):
        compatible(server).encode(of("a"), Role.QUERY)


def test_a_server_elsewhere_may_be_asked_in_the_clear_where_there_is_no_key() -> None:
    assert load_compatible("e5", CompatibleOptions(url="http://gpu-box:8000/v1", dim=4))


def test_a_server_must_be_named_with_its_dimension() -> None:
    for options in (CompatibleOptions(dim=4), CompatibleOptions(url="http://localhost:1")):
        with pytest.raises(EncoderError, match=r"\?url=.*dim="):
            load_compatible("e5", options)


def test_dimensions_are_asked_of_a_server_only_where_it_shall_shorten(server: Server) -> None:
    plain, short = compatible(server), compatible(server, dim=16, shorten=True)
    plain.encode(of("a"), Role.QUERY)
    assert short.encode(of("a"), Role.QUERY)[0].shape == (16,)
    assert ["dimensions" in request.body for request in server.requests] == [False, True]
    assert plain.spec.identity != compatible(server, shorten=True).spec.identity


def test_prompts_stand_before_texts_by_role(server: Server) -> None:
    encoder = compatible(server, query_prompt="query: ", document_prompt="passage: ")
    encoder.encode(of("a"), Role.QUERY)
    encoder.encode(of("a"), Role.DOCUMENT)
    assert [request.body["input"] for request in server.requests] == [["query: a"], ["passage: a"]]
    assert encoder.spec.identity != compatible(server).spec.identity
    assert encoder.spec.tokens == 512 - 4  # pas sag e :
    assert COMPATIBLE.roles


def test_long_texts_are_read_in_windows_of_512(server: Server) -> None:
    compatible(server).encode(of("abc " * 513), Role.DOCUMENT)
    (request,) = server.requests
    assert [len(one.split()) for one in request.body["input"]] == [256, 257]


@pytest.mark.hub
def test_the_real_service() -> None:
    if not os.environ.get("OPENAI_API_KEY"):
        pytest.skip("set OPENAI_API_KEY")
    (encoder,) = load("text-embedding-3-small", OwnServerOptions(dim=256))
    cat, kitten, tax = stack(encoder.encode(of("a cat", "a kitten", "tax law"), Role.DOCUMENT))
    assert cat.shape == (256,)
    assert cat @ kitten > cat @ tax
    assert encoder.usage.tokens > 0
