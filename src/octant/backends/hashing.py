"""Encoders without a model: same words, same vector. For tests, examples and dry runs."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence

import numpy as np

from octant.encoding import EncoderSpec, Role
from octant.media import Media, Modality, Text, fingerprint
from octant.vectors import Kind, Sparse, Vector, normalize

__all__ = ["BagOfWords", "Hashing"]


class Hashing:
    """Dense counts of a text's hashed words; for an image or a sound, a direction drawn from its content's hash."""

    def __init__(self, modality: Modality, dim: int = 64) -> None:
        self.spec = EncoderSpec(identity=f"hashing-{dim}@1", modality=modality, dim=dim)
        self._dim = dim

    def encode(self, batch: Sequence[Media], role: Role) -> list[Vector]:
        """Encode a batch: one unit vector of `dim` floats per medium."""
        del role  # the same on both sides of a search
        matrix = np.zeros((len(batch), self._dim), dtype=np.float32)
        for row, media in zip(matrix, batch, strict=True):
            if isinstance(media, Text):
                for word in _words(media) or [""]:
                    row[zlib.crc32(word.encode()) % self._dim] += 1.0
            else:
                row += np.random.default_rng(int(fingerprint(media), 16)).standard_normal(self._dim, dtype=np.float32)
        return list(normalize(matrix))


class BagOfWords:
    """Sparse counts of hashed words; stands where BM25 would."""

    def __init__(self) -> None:
        self.spec = EncoderSpec(identity="bag-of-words@1", modality=Modality.TEXT, dim=None, kind=Kind.SPARSE, idf=True)

    def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
        """Encode a batch: one sparse vector per text, word hash -> count."""
        del role
        counted = (Counter(zlib.crc32(word.encode()) for word in _words(text)) for text in batch)
        return [Sparse(tuple(c), tuple(float(n) for n in c.values())) for c in counted]


def _words(text: Text) -> list[str]:
    return text.content.lower().split()
