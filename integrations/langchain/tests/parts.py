"""Small encoders without a model, embeddings that count, and media that are made on the spot."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import soundfile
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from octant import Audio, EncoderSpec, Field, Image, Media, Modality, Role, Schema, Space, Sparse, Text

DIM = 32


class Words:
    """An encoder of texts, and of images and sounds by the words of their files' names. Same words, same vector."""

    def __init__(self, modality: Modality, dim: int = DIM) -> None:
        self.spec = EncoderSpec(identity=f"words-{dim}@1", modality=modality, dim=dim)
        self.encoded = 0

    def encode(self, batch: Sequence[Media], role: Role) -> list[NDArray[np.float32] | Sparse]:
        self.encoded += len(batch)
        return [_counted(_words(medium), self.spec.dim or DIM) for medium in batch]


def pixels_schema() -> Schema:
    """Texts, images and sounds in one space."""
    space = Space("shared", *(Words(modality) for modality in Modality))
    return Schema(*(Field(modality.value, space, modality) for modality in Modality))


class CountingEmbeddings(Embeddings):
    """LangChain embeddings of the same kind, which count what they embed."""

    def __init__(self, model: str = "counting", dim: int = DIM) -> None:
        self.model, self.dim = model, dim
        self.documents = 0
        self.queries = 0

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.documents += len(texts)
        return [_counted(text.lower().split(), self.dim).tolist() for text in texts]

    def embed_query(self, text: str) -> list[float]:
        self.queries += 1
        return _counted(text.lower().split(), self.dim).tolist()


def picture(folder: Path, name: str, colour: str = "red") -> Path:
    """Write a small picture; its name says what the encoder sees in it."""
    path = folder / name
    PIL.Image.new("RGB", (16, 12), colour).save(path)
    return path


def sound(folder: Path, name: str, hertz: float = 440.0) -> Path:
    """Write half a second of a tone."""
    path = folder / name
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * hertz * np.arange(8000) / 16000), 16000)
    return path


def _words(medium: Media) -> list[str]:
    if isinstance(medium, Text):
        return medium.content.lower().split()
    assert isinstance(medium, Image | Audio)
    return medium.source.stem.lower().split("_") if isinstance(medium.source, Path) else ["grey", "cat", "memory"]


def _counted(words: Sequence[str], dim: int) -> NDArray[np.float32]:
    row = np.full(dim, 0.01, dtype=np.float32)
    for word in words:
        row[zlib.crc32(word.encode()) % dim] += 1.0
    return (row / np.linalg.norm(row)).astype(np.float32)
