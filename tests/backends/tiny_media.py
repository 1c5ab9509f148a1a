"""Pictures and texts that the tests of model families share: sizes and lengths of all kinds, and broken ones."""

from __future__ import annotations

import importlib
import io
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import PIL.Image

from octant.media import Image, Text
from octant.vectors import Vector

TEXTS = [
    "a cat",
    "",
    "A dog runs over the street, and nobody is looking; it was raining.",
    "cat " * 9,
    "https://example.com/x.jpg",
    "naïve 猫 🐈‍⬛ &amp; <|endoftext|>",
]


def library(name: str) -> Any:
    """A library that is only there for some, and whose types say little."""
    return importlib.import_module(name)


def photo(width: int, height: int, seed: int = 0) -> PIL.Image.Image:
    """A picture with edges, gradients and a little noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
    smooth = PIL.Image.fromarray(coarse).resize((width, height), PIL.Image.Resampling.BICUBIC)
    noise = rng.normal(0, 6, (height, width, 3))
    return PIL.Image.fromarray(np.clip(np.asarray(smooth, np.float32) + noise, 0, 255).astype(np.uint8))


def photos() -> list[PIL.Image.Image]:
    """Mixed sizes and shapes."""
    return [
        photo(*size, seed) for seed, size in enumerate([(64, 48), (33, 90), (32, 32), (120, 40), (17, 19), (3, 40)])
    ]


def jpeg(picture: PIL.Image.Image, quality: int = 90) -> bytes:
    """The bytes of a JPEG."""
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=quality)
    return encoded.getvalue()


def with_broken() -> tuple[list[Image], list[int]]:
    """Good images with broken ones among them, and the places of those."""
    cut = jpeg(photo(64, 64))[:400]
    good = [Image(photo(40, 40, seed)) for seed in range(3)]
    return [good[0], Image(b"no image"), good[1], Image(cut), good[2], Image(Path("/no/such.png"))], [1, 3, 5]


def rows(vectors: Sequence[Vector]) -> np.ndarray[Any, Any]:
    """Dense vectors as one matrix."""
    return np.stack([np.asarray(one) for one in vectors])


def first(vectors: Sequence[Vector]) -> np.ndarray[Any, Any]:
    """The only one."""
    (vector,) = vectors
    return np.asarray(vector)


def texts(contents: Sequence[str] = TEXTS) -> list[Text]:
    return [Text(content) for content in contents]


@contextmanager
def server(content: bytes) -> Generator[tuple[str, list[str]]]:
    """A local server that has a picture: its URL, and what was asked of it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = Thread(target=running.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}/photo.jpg", asked
        finally:
            running.shutdown()
            thread.join()
