"""Google's Gemini API."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from api_server import DIM, KEY, FakeTime, Reply, Server, colour_vector, picture_of, serving, speak_gemini, unit
from PIL import Image as Pictures
from pydantic import SecretStr

from octant.backends.api.gemini import FAMILY, load
from octant.backends.api.service import OwnServerOptions
from octant.encoding import Role
from octant.errors import MediaError, ServiceError
from octant.media import Audio, Image, Modality, Text
from octant.vectors import stack

pytest.importorskip("google.genai")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(speak_gemini) as started:
        yield started


def gemini(server: Server, model: str = "gemini-embedding-2", **options: Any) -> dict[Modality, Any]:
    waits = options.pop("waits", None)
    made = load(
        model,
        OwnServerOptions.model_validate({"url": server.url, "dim": DIM, **options}),
        key=SecretStr(KEY),
        waits=waits,
    )
    return {one.spec.modality: one for one in made}


def tone(seconds: float, loud: float = 0.5, rate: int = 16_000) -> Audio:
    samples = loud * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)
    return Audio(samples.astype(np.float32), rate=rate)


def part_of(request: Any, at: int = 0) -> Any:
    (part,) = request.body["requests"][at]["content"]["parts"]
    return part


@pytest.mark.parametrize(("role", "task"), [(Role.QUERY, "RETRIEVAL_QUERY"), (Role.DOCUMENT, "RETRIEVAL_DOCUMENT")])
def test_the_first_model_is_told_the_task_apart(server: Server, role: Role, task: str) -> None:
    encoders = gemini(server, "gemini-embedding-001")
    assert set(encoders) == {Modality.TEXT}
    encoders[Modality.TEXT].encode([Text("a"), Text("b")], role)
    assert server.requests[0].body == {
        "requests": [
            {
                "model": "models/gemini-embedding-001",
                "content": {"parts": [{"text": word}]},
                "taskType": task,
                "outputDimensionality": DIM,
            }
            for word in "ab"
        ]
    }
    assert encoders[Modality.TEXT].spec.tokens == 2048


@pytest.mark.parametrize(
    ("role", "prompt"), [(Role.QUERY, "task: search result | query: "), (Role.DOCUMENT, "title: none | text: ")]
)
def test_the_second_model_is_told_the_task_in_the_text(server: Server, role: Role, prompt: str) -> None:
    gemini(server)[Modality.TEXT].encode([Text("a"), Text("b")], role)
    body = server.requests[0].body
    # a content for each: of the parts of one content, it makes one vector
    assert [one["content"]["parts"] for one in body["requests"]] == [[{"text": f"{prompt}{word}"}] for word in "ab"]
    assert all("taskType" not in one for one in body["requests"])


def test_images_are_sent_as_jpeg_and_stay_in_order(server: Server) -> None:
    colours = [(250, 10, 10), (10, 250, 10), (10, 10, 250)]
    media = [Image(Pictures.new("RGB", (40, 30), colour)) for colour in colours]
    made = gemini(server)[Modality.IMAGE].encode(media, Role.QUERY)
    for row, colour in zip(made, colours, strict=True):
        np.testing.assert_allclose(row, unit(colour_vector(Pictures.new("RGB", (1, 1), colour))), atol=0.02)
    inline = part_of(server.requests[0])["inline_data"]
    assert inline["mime_type"] == "image/jpeg"
    assert picture_of(inline["data"]).size == (40, 30)


def test_large_images_are_scaled_to_what_models_see(server: Server) -> None:
    gemini(server)[Modality.IMAGE].encode([Image(Pictures.new("RGB", (6000, 1500)))], Role.DOCUMENT)
    width, height = picture_of(part_of(server.requests[0])["inline_data"]["data"]).size
    assert 0.99 * 1568**2 < width * height <= 1568**2
    assert abs(width / height - 4) < 0.01


def test_sounds_are_sent_as_wav(server: Server) -> None:
    loud, soft = gemini(server)[Modality.AUDIO].encode([tone(2, 0.8), tone(1, 0.2, rate=48_000)], Role.DOCUMENT)
    np.testing.assert_allclose(loud[:2], unit([2, 0.8]), atol=0.02)
    np.testing.assert_allclose(soft[:2], unit([1, 0.2]), atol=0.02)
    inline = part_of(server.requests[0])["inline_data"]
    assert inline["mime_type"] == "audio/wav"
    assert base64.urlsafe_b64decode(inline["data"])[:4] == b"RIFF"


def test_long_sounds_are_heard_in_windows(server: Server) -> None:
    encoder = gemini(server)[Modality.AUDIO]
    (made,) = encoder.encode([tone(200)], Role.DOCUMENT)
    sizes = [
        len(base64.urlsafe_b64decode(one["content"]["parts"][0]["inline_data"]["data"])) - 44
        for request in server.requests
        for one in request.body["requests"]
    ]
    assert sum(sizes) == 200 * 16_000 * 2
    assert len(sizes) == 3
    assert max(sizes) <= encoder.spec.seconds * 16_000 * 2
    np.testing.assert_allclose(made[:2], unit([200 / 3, 0.5]), atol=0.01)


def test_what_is_no_image_or_sound_costs_nothing(server: Server) -> None:
    encoders = gemini(server)
    good = Image(Pictures.new("RGB", (8, 8)))
    with pytest.raises(ExceptionGroup) as raised:
        encoders[Modality.IMAGE].encode([good, Image(b"no image"), Image(b"\xff\xd8\xff\xe0none")], Role.DOCUMENT)
    assert len(raised.value.exceptions) == 2
    with pytest.raises(ExceptionGroup) as raised:
        encoders[Modality.AUDIO].encode([tone(1), Audio(b"no sound")], Role.DOCUMENT)
    assert isinstance(raised.value.exceptions[0], MediaError)
    assert server.requests == []


def test_googles_own_way_to_say_when_to_ask_again(server: Server) -> None:
    fake = FakeTime()
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}]
    server.replies = [
        Reply(429, {"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED", "details": details}})
    ]
    assert gemini(server, waits=fake.waits)[Modality.TEXT].encode([Text("a")], Role.QUERY)
    assert fake.slept == [34.0]


def test_googles_own_way_to_refuse_a_key(server: Server) -> None:
    message = "API key not valid. Please pass a valid API key."
    server.always = Reply(400, {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}})
    with pytest.raises(ServiceError, match=r"refuses the key \(HTTP 400.*set GEMINI_API_KEY"):
        gemini(server, key_env="GEMINI_API_KEY")[Modality.TEXT].encode([Text("a")], Role.QUERY)


def test_dimensions_of_models(server: Server) -> None:
    assert {one.model: one.dim for one in FAMILY.known} == {
        "gemini-embedding-001": 3072,
        "gemini-embedding-2": 3072,
        "gemini-embedding-2-preview": 3072,
    }
    for known in FAMILY.known:
        encoders = gemini(server, known.model, dim=None)
        assert tuple(encoders) == known.modalities
        assert {one.spec.dim for one in encoders.values()} == {3072}


@pytest.mark.hub
def test_the_real_service() -> None:
    if not os.environ.get("GEMINI_API_KEY"):
        pytest.skip("set GEMINI_API_KEY")
    encoders = {one.spec.modality: one for one in load("gemini-embedding-2", OwnServerOptions(dim=768))}
    red = Image(Pictures.new("RGB", (64, 64), "red"))
    (text,) = stack(encoders[Modality.TEXT].encode([Text("a red square")], Role.QUERY))
    (image,) = stack(encoders[Modality.IMAGE].encode([red], Role.DOCUMENT))
    (sound,) = stack(encoders[Modality.AUDIO].encode([tone(2)], Role.DOCUMENT))
    assert text.shape == image.shape == sound.shape == (768,)
    assert text @ image > text @ sound
