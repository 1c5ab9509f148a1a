"""Vectors as values: dense (1-D array), multi (2-D array) and sparse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Kind", "Sparse", "Vector", "normalize", "stack"]

Array = NDArray[np.float32]


class Kind(StrEnum):
    """What a vector is made of."""

    DENSE = "dense"
    MULTI = "multi"
    SPARSE = "sparse"


@dataclass(frozen=True, slots=True)
class Sparse:
    """A sparse vector: distinct indices, and one finite value for each."""

    indices: tuple[int, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.indices) != len(self.values) or len(set(self.indices)) != len(self.indices):
            raise ValueError("a sparse vector needs distinct indices and one value for each")


Vector = Array | Sparse


def normalize(matrix: Array) -> Array:
    """Scale each row of a [n, d] (or one [d]) array to unit length; a zero row stays zero."""
    norms = np.linalg.norm(matrix, axis=-1, keepdims=True)
    scaled: Array = (matrix / np.maximum(norms, 1e-12)).astype(np.float32)
    return scaled


def stack(vectors: Sequence[Vector]) -> Array:
    """Stack dense vectors as one [n, d] matrix; TypeError where one is sparse."""
    rows = [vector for vector in vectors if not isinstance(vector, Sparse)]
    if len(rows) != len(vectors):
        raise TypeError("sparse vectors have no dense form")
    return np.stack(rows)
