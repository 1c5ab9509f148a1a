"""A server on this machine that speaks the formats of embedding services, and what tests need to tell it what to do."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import PIL.Image
import soundfile

from octant.backends.api import cohere, gemini, jina, nvidia, openai
from octant.backends.api.openai import CompatibleOptions
from octant.backends.api.service import OwnServerOptions, Waits
from octant.vectors import Array

KEY = "sk-thisIsTheSecret123"
DIM = 256
_URLSAFE = str.maketrans("-_", "+/")


@dataclass
class Request:
    """What a client sent."""

    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class Reply:
    """What a server sends instead of what it would."""

    status: int = 200
    body: Any = None
    """None is the right answer; text is sent as it is, all else as JSON."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    cut: int = 0
    """Bytes that are promised and never sent."""
    change: Callable[[Any], Any] | None = None
    """Make something else of the right answer."""
    before: Callable[[], object] | None = None
    """Done before it answers."""


class Server:
    """Records what it is asked, and answers as `speak` makes of it, after the replies that were queued."""

    def __init__(self, speak: Callable[[Any], Any]) -> None:
        self.requests: list[Request] = []
        self.errors: list[Exception] = []
        self.replies: list[Reply] = []
        self.always: Reply | None = None
        self.closing = threading.Event()
        """Set when the test is over: what blocks waits for it."""
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("content-length", 0))
                request = Request(self.path, dict(self.headers.items()), json.loads(self.rfile.read(length)))
                with server._lock:
                    server.requests.append(request)
                    reply = server.replies.pop(0) if server.replies else server.always or Reply()
                if reply.before is not None:
                    reply.before()
                try:
                    body = speak(request.body) if reply.body is None else reply.body
                    body = body if reply.change is None else reply.change(body)
                except Exception as error:  # what was sent is not of the format: `close` raises it
                    server.errors.append(error)
                    reply, body = Reply(418), {}
                raw = (body if isinstance(body, str) else json.dumps(body)).encode()
                self.send_response(reply.status)
                headers = {"content-type": "application/json", **reply.headers}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(raw) + reply.cut))
                self.end_headers()
                self.wfile.write(raw)
                self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that has given up waiting is no error here."""

        self._http = Quiet(("127.0.0.1", 0), Handler)
        self.port: int = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        if self.errors:
            raise AssertionError("a request is not of the service's format") from self.errors[0]


@contextmanager
def serving(speak: Callable[[Any], Any]) -> Generator[Server]:
    """Serve until the end of the block."""
    server = Server(speak)
    try:
        yield server
    finally:
        server.close()


def vector_of(content: str, dim: int = DIM) -> list[float]:
    """The vector that the servers give a text: numbers by its hash, of no particular length."""
    seed = int.from_bytes(hashlib.sha256(content.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).normal(size=dim).tolist()


def picture_of(encoded: str) -> PIL.Image.Image:
    """The JPEG that was sent as base64; Google's client writes - and _ for + and /, as JSON of protobuf may."""
    picture = PIL.Image.open(io.BytesIO(base64.b64decode(encoded.translate(_URLSAFE), validate=True)))
    assert picture.format == "JPEG"
    return picture


def colour_vector(picture: PIL.Image.Image, dim: int = DIM) -> list[float]:
    """The vector that the servers give an image: its mean colour."""
    colour = np.asarray(picture.convert("RGB"), np.float64).reshape(-1, 3).mean(axis=0)
    return [*(colour + 1).tolist(), *[0.0] * (dim - 3)]


def sound_vector(encoded: str, dim: int = DIM) -> list[float]:
    """The vector that the servers give a sound: how long and how loud it is."""
    samples, rate = soundfile.read(
        io.BytesIO(base64.b64decode(encoded.translate(_URLSAFE), validate=True)), dtype="float32"
    )
    assert rate == 16_000
    assert samples.ndim == 1
    return [len(samples) / rate, float(np.abs(samples).max()), *[0.0] * (dim - 2)]


def unit(row: Sequence[float] | Array) -> Array:
    array = np.asarray(row, np.float64)
    return (array / np.linalg.norm(array)).astype(np.float32)


def speak_openai(body: Any) -> Any:
    """POST /embeddings of OpenAI's format."""
    rows = [vector_of(one, body.get("dimensions", DIM)) for one in body["input"]]
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(rows)],
        "model": body["model"],
        "usage": {"prompt_tokens": 3 * len(rows), "total_tokens": 3 * len(rows)},
    }


def speak_jina(body: Any) -> Any:
    """POST /embeddings of Jina's format."""
    dim = body.get("dimensions", DIM)

    def row(one: Any) -> list[float]:
        if isinstance(one, str):
            return vector_of(one, dim)
        return colour_vector(picture_of(one["image"]), dim) if "image" in one else vector_of(one["text"], dim)

    rows = [row(one) for one in body["input"]]
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(rows)],
        "model": body["model"],
        "usage": {"prompt_tokens": 3 * len(rows), "total_tokens": 3 * len(rows)},
    }


def speak_gemini(body: Any) -> Any:
    """POST models/…:batchEmbedContents of the Gemini API."""

    def row(request: Any) -> list[float]:
        (part,) = request["content"]["parts"]
        dim = request.get("outputDimensionality", DIM)
        if "text" in part:
            return vector_of(part["text"], dim)
        data = part["inline_data"]  # so the client writes it; JSON of protobuf may be written either way
        if data["mime_type"] == "image/jpeg":
            return colour_vector(picture_of(data["data"]), dim)
        assert data["mime_type"] == "audio/wav"
        return sound_vector(data["data"], dim)

    rows = [row(request) for request in body["requests"]]
    return {"embeddings": [{"values": row} for row in rows], "usageMetadata": {"promptTokenCount": 3 * len(rows)}}


def speak_cohere(body: Any) -> Any:
    """POST /v2/embed of Cohere."""
    dim = body.get("output_dimension", DIM)
    if "images" in body:
        head = "data:image/jpeg;base64,"
        assert all(one.startswith(head) for one in body["images"])
        rows = [colour_vector(picture_of(one.removeprefix(head)), dim) for one in body["images"]]
        billed = {"images": len(rows), "image_tokens": 3 * len(rows)}
    else:
        rows = [vector_of(one, dim) for one in body["texts"]]
        billed = {"input_tokens": 3 * len(rows)}
    return {
        "id": "one",
        "response_type": "embeddings_by_type",
        "embeddings": {"float": rows},
        "texts": body.get("texts", []),
        "meta": {"api_version": {"version": "2"}, "billed_units": billed},
    }


@dataclass(frozen=True)
class Provider:
    """One service as the tests of all of them take it."""

    service: str
    load: Callable[..., Any]
    model: str
    variable: str
    speak: Callable[[Any], Any]
    texts_of: Callable[[Any], list[str]]
    """The texts of a request's body."""
    rows_of: Callable[[Any], list[Any]]
    """The vectors of an answer, to be changed in place."""
    most: int
    """Texts that a request may have."""
    path: str
    header: str = "Authorization"
    options: type[OwnServerOptions] = OwnServerOptions
    says: Callable[[str], Any] = lambda message: {"error": {"message": message}}
    """An error in the provider's format."""

    def encoders(self, url: str, *, waits: Waits | None = None, key: Any = None, **options: Any) -> list[Any]:
        """Load its encoders, of `DIM` dimensions, that ask the server at `url`."""
        asked = self.options.model_validate({"dim": DIM, "url": url, **self.extra, **options})
        return list(self.load(self.model, asked, key=key, waits=waits))

    @property
    def extra(self) -> dict[str, Any]:
        own = {"key_env": self.variable}  # a provider's key goes to its own address alone
        return {**own, "shorten": True} if self.options is CompatibleOptions else own


def _openai_rows(answer: Any) -> list[Any]:
    return answer["data"]


PROVIDERS = {
    "openai": Provider(
        "OpenAI",
        openai.load,
        "text-embedding-3-small",
        "OPENAI_API_KEY",
        speak_openai,
        lambda body: body["input"],
        _openai_rows,
        2048,
        "/embeddings",
    ),
    "openai_compatible": Provider(
        "openai_compatible:intfloat/e5-small",
        openai.load_compatible,
        "intfloat/e5-small",
        "MY_SERVERS_KEY",
        speak_openai,
        lambda body: body["input"],
        _openai_rows,
        32,
        "/embeddings",
        options=CompatibleOptions,
    ),
    "nvidia": Provider(
        "NVIDIA",
        nvidia.load,
        "nvidia/llama-nemotron-embed-1b-v2",
        "NVIDIA_API_KEY",
        speak_openai,
        lambda body: body["input"],
        _openai_rows,
        50,
        "/embeddings",
        says=lambda message: {"detail": message},
    ),
    "gemini": Provider(
        "Gemini",
        gemini.load,
        "gemini-embedding-2",
        "GEMINI_API_KEY",
        speak_gemini,
        lambda body: [one["content"]["parts"][0]["text"] for one in body["requests"]],
        lambda answer: answer["embeddings"],
        100,
        "/v1beta/models/gemini-embedding-2:batchEmbedContents",
        header="x-goog-api-key",
    ),
    "cohere": Provider(
        "Cohere",
        cohere.load,
        "embed-v4.0",
        "CO_API_KEY",
        speak_cohere,
        lambda body: body["texts"],
        lambda answer: answer["embeddings"]["float"],
        96,
        "/v2/embed",
        says=lambda message: {"id": "one", "message": message},
    ),
    "jina": Provider(
        "Jina",
        jina.load,
        "jina-embeddings-v4",
        "JINA_API_KEY",
        speak_jina,
        lambda body: [one["text"] for one in body["input"]],
        _openai_rows,
        128,
        "/embeddings",
        says=lambda message: {"detail": message},
    ),
}


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self.now += seconds

    @property
    def waits(self) -> Waits:
        return Waits(clock=lambda: self.now, sleep=self.sleep)
