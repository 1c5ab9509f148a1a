"""The text tower: a weighted mean of word-piece rows, mapped into the shared space. Words, not word order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from octant.backends.starter.blas import one_thread
from octant.backends.starter.weights import Weights, identity
from octant.encoding import EncoderSpec, Role
from octant.errors import MediaError
from octant.media import Modality, Text
from octant.vectors import Array, Vector, normalize

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["TextEncoder"]

PREPROCESSING = 1
DIM = 384
UNKNOWN = 100
"""The word piece of a word that the vocabulary cannot spell; it carries no meaning."""
TOKENS = 256
"""A mean of the words of a longer text is about everything and nothing."""
TOKENS_AT_ONCE = 16_384
"""Bounds the rows gathered at a time: 16 MB."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The loaded tower. Rows are int8; `scale` holds each row's step times its weight."""

    tokenizer: Tokenizer
    table: NDArray[np.int8]
    scale: Array
    weight: Array
    head: Array
    bias: Array
    mean: Array
    turn: Array


class TextEncoder:
    """Text of any length into the shared space; nothing is truncated."""

    def __init__(self, weights: Weights | None = None) -> None:
        self._weights = weights or Weights()
        self._lock = Lock()
        self._loaded: Tables | None = None
        sums = (self._weights.checksum("text.npz"), self._weights.checksum("tokenizer.json"))
        self.spec = EncoderSpec(identity("text", PREPROCESSING, *sums), Modality.TEXT, DIM, tokens=TOKENS)

    def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:  # noqa: ARG002
        """Encode texts; an ExceptionGroup with one MediaError for each that has no known word."""
        tables = self._tables()
        encodings = tables.tokenizer.encode_batch_fast([text.content for text in batch], add_special_tokens=False)
        ids = [np.array(encoding.ids, np.int32) for encoding in encodings]
        ids = [row[row != UNKNOWN] for row in ids]
        errors = [MediaError(text, why_empty(text)) for text, row in zip(batch, ids, strict=True) if not len(row)]
        if errors:
            raise ExceptionGroup(f"{len(errors)} of {len(batch)} texts cannot be encoded", errors)
        vectors: list[Vector] = []
        with one_thread():
            for part in portions(ids):
                vectors.extend(project(tables, part))
        return vectors

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Where the word pieces of a text lie: start and end in characters, in order."""
        encoding = self._tables().tokenizer.encode(text, add_special_tokens=False)
        return encoding.offsets

    def _tables(self) -> Tables:
        with self._lock:
            if self._loaded is None:
                self._loaded = load(self._weights)
            return self._loaded


def load(weights: Weights) -> Tables:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(weights.read("tokenizer.json").decode("utf-8"))
    # MiniLM's file pads and truncates; padding would be averaged in as words
    tokenizer.no_padding()
    tokenizer.no_truncation()
    arrays = weights.arrays("text.npz")
    floats = {name: array.astype(np.float32) for name, array in arrays.items() if name != "table"}
    return Tables(tokenizer=tokenizer, table=arrays["table"].astype(np.int8, copy=False), **floats)


def portions(ids: Sequence[NDArray[np.int32]]) -> list[list[NDArray[np.int32]]]:
    """Group texts so that a group gathers at most TOKENS_AT_ONCE rows, long texts by themselves."""
    groups: list[list[NDArray[np.int32]]] = []
    room = 0
    for row in ids:
        if len(row) > room:
            groups.append([])
            room = TOKENS_AT_ONCE
        groups[-1].append(row)
        room -= len(row)
    return groups


def project(tables: Tables, ids: Sequence[NDArray[np.int32]]) -> Array:
    """Pool the rows of each text and map them into the shared space: [n, 384] of unit length."""
    if len(ids) == 1 and len(ids[0]) > TOKENS_AT_ONCE:
        pooled = pool_long(tables, ids[0])
    else:
        flat = np.concatenate(ids)
        starts = np.cumsum([0, *(len(row) for row in ids[:-1])])
        rows = tables.table[flat] * tables.scale[flat, None]
        mass = np.add.reduceat(tables.weight[flat], starts)[:, None]
        pooled = (np.add.reduceat(rows, starts) / mass).astype(np.float32)
    raw: Array = (pooled @ tables.head + tables.bias).astype(np.float32)
    framed: Array = ((normalize(raw) - tables.mean) @ tables.turn).astype(np.float32)
    return normalize(framed)


def pool_long(tables: Tables, ids: NDArray[np.int32]) -> Array:
    """Pool one long text by counting its distinct word pieces: memory stays bounded by the vocabulary."""
    distinct, counts = np.unique(ids, return_counts=True)
    times = counts.astype(np.float32)
    total = (times * tables.scale[distinct]) @ tables.table[distinct].astype(np.float32)
    mean: Array = (total / (times @ tables.weight[distinct]))[None].astype(np.float32)
    return mean


def why_empty(text: Text) -> str:
    if not text.content.strip():
        return "the text is empty; leave this medium out of the item"
    return "none of its words is known to the starter's vocabulary; describe it in words, or use another text encoder"
