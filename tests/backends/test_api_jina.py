"""Jina."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from api_server import DIM, KEY, Reply, Server, colour_vector, picture_of, serving, speak_jina, unit
from PIL import Image as Pictures
from pydantic import SecretStr

from octant.backends.api.jina import FAMILY, load
from octant.backends.api.service import OwnServerOptions
from octant.encoding import Role
from octant.errors import ServiceError
from octant.media import Image, Modality, Text
from octant.vectors import stack

pytest.importorskip("httpx")

V4, V3, CLIP = "jina-embeddings-v4", "jina-embeddings-v3", "jina-clip-v2"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(speak_jina) as started:
        yield started


def jina(server: Server, model: str = V4, **options: Any) -> dict[Modality, Any]:
    made = load(model, OwnServerOptions.model_validate({"url": server.url, "dim": DIM, **options}), key=SecretStr(KEY))
    return {one.spec.modality: one for one in made}


@pytest.mark.parametrize(
    ("model", "role", "task"),
    [
        (V4, Role.QUERY, "retrieval.query"),
        (V4, Role.DOCUMENT, "retrieval.passage"),
        (V3, Role.QUERY, "retrieval.query"),
        (V3, Role.DOCUMENT, "retrieval.passage"),
        (CLIP, Role.QUERY, "retrieval.query"),
        (CLIP, Role.DOCUMENT, None),
    ],
)
def test_what_is_sent_of_texts(server: Server, model: str, role: Role, task: str | None) -> None:
    jina(server, model)[Modality.TEXT].encode([Text("a"), Text("http://b/c.jpg")], role)
    said = {} if task is None else {"task": task}
    inputs = ["a", "http://b/c.jpg"]
    assert server.requests[0].body == {
        "model": model,
        "input": inputs if model == V3 else [{"text": one} for one in inputs],
        "embedding_type": "float",
        "normalized": True,
        "truncate": False,
        "dimensions": DIM,
        **said,
    }


@pytest.mark.parametrize(
    ("model", "role", "task"),
    [(V4, Role.QUERY, "retrieval.query"), (V4, Role.DOCUMENT, "retrieval.passage"), (CLIP, Role.QUERY, None)],
)
def test_what_is_sent_of_images(server: Server, model: str, role: Role, task: str | None) -> None:
    colours = [(250, 10, 10), (10, 250, 10)]
    media = [Image(Pictures.new("RGB", (40, 30), colour)) for colour in colours]
    made = jina(server, model)[Modality.IMAGE].encode(media, role)
    for row, colour in zip(made, colours, strict=True):
        np.testing.assert_allclose(row, unit(colour_vector(Pictures.new("RGB", (1, 1), colour))), atol=0.02)
    body = server.requests[0].body
    assert body.get("task") == task
    assert [set(one) for one in body["input"]] == [{"image"}, {"image"}]


@pytest.mark.parametrize(("model", "side"), [(V4, 1568), (CLIP, 512)])
def test_images_are_no_larger_than_a_model_sees(server: Server, model: str, side: int) -> None:
    jina(server, model)[Modality.IMAGE].encode([Image(Pictures.new("RGB", (3000, 2000)))], Role.DOCUMENT)
    width, height = picture_of(server.requests[0].body["input"][0]["image"]).size
    assert 0.98 * side * side < width * height <= side * side


def test_vectors_are_placed_by_their_index(server: Server) -> None:
    encoder = jina(server)[Modality.TEXT]
    words = [Text(word) for word in "abc"]
    ordered = encoder.encode(words, Role.DOCUMENT)

    def turned(answer: Any) -> Any:
        answer["data"].reverse()
        return answer

    server.always = Reply(change=turned)
    np.testing.assert_array_equal(encoder.encode(words, Role.DOCUMENT), ordered)

    def same(answer: Any) -> Any:
        for entry in answer["data"]:
            entry["index"] = 0
        return answer

    server.always = Reply(change=same)
    with pytest.raises(ServiceError, match="indices"):
        encoder.encode(words, Role.DOCUMENT)


def test_dimensions_of_models(server: Server) -> None:
    for known in FAMILY.known:
        encoders = jina(server, known.model, dim=None)
        assert tuple(encoders) == known.modalities
        assert {one.spec.dim for one in encoders.values()} == {known.dim}
    assert {one.model: one.dim for one in FAMILY.known} == {V4: 2048, CLIP: 1024, V3: 1024}


@pytest.mark.hub
def test_the_real_service() -> None:
    if not os.environ.get("JINA_API_KEY"):
        pytest.skip("set JINA_API_KEY")
    encoders = {one.spec.modality: one for one in load(CLIP, OwnServerOptions(dim=256))}
    red = Image(Pictures.new("RGB", (64, 64), "red"))
    (text,) = stack(encoders[Modality.TEXT].encode([Text("a red square")], Role.QUERY))
    (image,) = stack(encoders[Modality.IMAGE].encode([red], Role.DOCUMENT))
    assert text.shape == image.shape == (256,)
