"""Cohere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from api_server import DIM, KEY, Server, colour_vector, picture_of, serving, speak_cohere, unit
from PIL import Image as Pictures
from pydantic import SecretStr

from octant.backends.api.cohere import FAMILY, load
from octant.backends.api.service import OwnServerOptions
from octant.encoding import Role
from octant.errors import EncoderError, ServiceError
from octant.media import Image, Modality, Text
from octant.vectors import stack

pytest.importorskip("cohere")

HEAD = "data:image/jpeg;base64,"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(speak_cohere) as started:
        yield started


def cohere(server: Server, model: str = "embed-v4.0", **options: Any) -> dict[Modality, Any]:
    made = load(model, OwnServerOptions.model_validate({"url": server.url, "dim": DIM, **options}), key=SecretStr(KEY))
    return {one.spec.modality: one for one in made}


def noise(side: int) -> Image:
    """An image that no codec makes small."""
    return Image(np.random.default_rng(1).integers(0, 256, (side, side, 3), np.uint8))


@pytest.mark.parametrize(("role", "said"), [(Role.QUERY, "search_query"), (Role.DOCUMENT, "search_document")])
def test_what_is_sent_of_texts(server: Server, role: Role, said: str) -> None:
    cohere(server)[Modality.TEXT].encode([Text("a"), Text("b")], role)
    assert server.requests[0].body == {
        "model": "embed-v4.0",
        "texts": ["a", "b"],
        "input_type": said,
        "embedding_types": ["float"],
        "truncate": "NONE",
        "output_dimension": DIM,
    }


@pytest.mark.parametrize("role", list(Role))
def test_what_is_sent_of_images(server: Server, role: Role) -> None:
    encoder = cohere(server)[Modality.IMAGE]
    colours = [(250, 10, 10), (10, 250, 10)]
    made = encoder.encode([Image(Pictures.new("RGB", (40, 30), colour)) for colour in colours], role)
    for row, colour in zip(made, colours, strict=True):
        np.testing.assert_allclose(row, unit(colour_vector(Pictures.new("RGB", (1, 1), colour))), atol=0.02)
    (request,) = server.requests
    assert {name: value for name, value in request.body.items() if name != "images"} == {
        "model": "embed-v4.0",
        "input_type": "image",
        "embedding_types": ["float"],
        "truncate": "NONE",
        "output_dimension": DIM,
    }
    assert encoder.usage.tokens == 6


def test_the_third_version_takes_one_image_at_once(server: Server) -> None:
    encoders = cohere(server, "embed-english-v3.0", dim=None)
    assert encoders[Modality.TEXT].spec.tokens == 512
    with pytest.raises(ServiceError, match="256 numbers, not 1024"):  # the server's own length
        encoders[Modality.IMAGE].encode([noise(8)] * 3, Role.DOCUMENT)
    assert {len(request.body["images"]) for request in server.requests} == {1}
    assert "output_dimension" not in server.requests[0].body


def test_the_fourth_takes_more(server: Server) -> None:
    cohere(server)[Modality.IMAGE].encode([noise(8)] * 17, Role.DOCUMENT)
    assert sorted(len(request.body["images"]) for request in server.requests) == [1, 16]


def test_no_image_is_larger_than_it_may_be(server: Server) -> None:
    cohere(server)[Modality.IMAGE].encode([noise(4000)], Role.DOCUMENT)
    encoded = server.requests[0].body["images"][0].removeprefix(HEAD)
    width, height = picture_of(encoded).size
    assert width * height <= 2_458_624
    assert len(encoded) <= 5_000_000


def test_requests_stay_below_their_size(server: Server) -> None:
    cohere(server)[Modality.IMAGE].encode([noise(1500)] * 8, Role.DOCUMENT)
    assert sum(len(request.body["images"]) for request in server.requests) == 8
    assert len(server.requests) > 1
    assert all(sum(map(len, request.body["images"])) <= 16_000_000 for request in server.requests)


def test_dimensions_of_models(server: Server) -> None:
    for known in FAMILY.known:
        encoders = cohere(server, known.model, dim=None)
        assert tuple(encoders) == known.modalities
        assert {one.spec.dim for one in encoders.values()} == {known.dim}
    for dim in (256, 512, 1024, 1536):
        assert cohere(server, dim=dim)[Modality.TEXT].spec.dim == dim
    with pytest.raises(EncoderError, match="256, 512, 1024, 1536"):
        cohere(server, dim=300)
    with pytest.raises(EncoderError, match="no other"):
        cohere(server, "embed-english-v3.0", dim=256)


@pytest.mark.hub
def test_the_real_service() -> None:
    if not os.environ.get("CO_API_KEY"):
        pytest.skip("set CO_API_KEY")
    encoders = {one.spec.modality: one for one in load("embed-v4.0", OwnServerOptions(dim=256))}
    red = Image(Pictures.new("RGB", (64, 64), "red"))
    (text,) = stack(encoders[Modality.TEXT].encode([Text("a red square")], Role.QUERY))
    (image,) = stack(encoders[Modality.IMAGE].encode([red], Role.DOCUMENT))
    assert text.shape == image.shape == (256,)
