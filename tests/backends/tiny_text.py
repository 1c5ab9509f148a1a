"""Tiny text models with random weights, made on the spot and saved as their libraries save them."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from octant.encoding import Encoder, Role
from octant.media import Text
from octant.vectors import Array, stack

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
WORDS = ("red", "bird", "drum", "river", "the", "query", "passage", "sings", ".", ",", ":", "/", "'", "-", "_")
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{one}" for one in LETTERS), *WORDS]

RAGGED = ["red bird", "x", "a drum, the river. " * 3, "", "the bird sings", "the river: a red drum - sings"]
LONG = "red bird drum river " * 20 + "x y z the " * 20

SHAPE = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "initializer_range": 0.3,
}


def texts(*contents: str) -> list[Text]:
    return [Text(content) for content in contents]


def encoded(encoder: Encoder[Text], contents: Sequence[str], role: Role = Role.DOCUMENT) -> Array:
    return stack(encoder.encode(texts(*contents), role))


def seeded() -> Any:
    """Torch, seeded, so that weights are the same each time."""
    torch: Any = importlib.import_module("torch")
    torch.manual_seed(0)
    return torch


def tokenizer(*, longest: int = 32, side: str = "right") -> Any:
    transformers: Any = importlib.import_module("transformers")
    return transformers.BertTokenizer(
        vocab={word: index for index, word in enumerate(VOCABULARY)}, model_max_length=longest, padding_side=side
    )


def bert(folder: Path, kind: str = "BertModel", **given: Any) -> Path:
    transformers: Any = importlib.import_module("transformers")
    seeded()
    config = transformers.BertConfig(**(SHAPE | {"max_position_embeddings": 64} | given))
    getattr(transformers, kind)(config).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def altered(source: Path, target: Path, change: Callable[[dict[str, Any]], object], inside: str = ".") -> Path:
    """A copy of a checkpoint with other tensors."""
    shutil: Any = importlib.import_module("shutil")
    safetensors: Any = importlib.import_module("safetensors.torch")
    shutil.copytree(source, target)
    file = target / inside / "model.safetensors"
    tensors: dict[str, Any] = dict(safetensors.load_file(file))
    change(tensors)
    safetensors.save_file(tensors, file, metadata={"format": "pt"})
    return target


def configured(source: Path, target: Path, **given: Any) -> Path:
    """A copy of a checkpoint with other values in its config."""
    shutil: Any = importlib.import_module("shutil")
    shutil.copytree(source, target)
    file = target / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | given), encoding="utf-8")
    return target


def digest(encoder: Encoder[Any]) -> str:
    return encoder.spec.identity.rpartition("@")[2]


class Listener:
    """A web server that counts what it is asked for: a text with its address must not be fetched."""

    def __init__(self) -> None:
        asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_error(404)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.asked = asked
        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/x.jpg"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def unit(matrix: Any) -> Array:
    rows = np.asarray(matrix, np.float32)
    result: Array = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return result
