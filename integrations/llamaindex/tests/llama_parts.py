"""What several tests need: an embedding model without weights, and files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from llama_index.core.base.embeddings.base import BaseEmbedding
from PIL import Image

DIM = 64


class Hashed(BaseEmbedding):
    """Each word has a direction of its own: texts with words in common are alike."""

    @classmethod
    def class_name(cls) -> str:
        return "Hashed"

    def _get_text_embedding(self, text: str) -> list[float]:
        rows = [_direction(word) for word in text.lower().split()] or [_direction("")]
        vector = np.sum(rows, axis=0)
        return (vector / np.linalg.norm(vector)).tolist()

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


def _direction(word: str) -> Any:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).standard_normal(DIM)


def picture(path: Path, colour: str) -> Path:
    Image.new("RGB", (64, 48), colour).save(path)
    return path


def sound(path: Path, hertz: float) -> Path:
    soundfile.write(path, 0.5 * np.sin(np.arange(8000) * 2 * np.pi * hertz / 8000), 8000)
    return path
