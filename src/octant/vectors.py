"""Vectors as values: dense (1-D array), multi (2-D array) and sparse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Kind", "Sparse", "Vector", "as_vectors", "normalize", "stack"]

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


def as_vectors(given: Mapping[str, Vector | Sequence[float]], whose: str) -> dict[str, Vector]:
    """Copy vectors by name as octant holds them: float32 arrays, or Sparse. TypeError where one is neither."""
    named: object = given  # callers without a type checker give anything
    if not isinstance(named, Mapping):
        raise TypeError(f"{whose}: vectors come by the name of a field, such as {{'embedding': [...]}}, not {named!r}")
    made: dict[str, Vector] = {}
    for name, vector in given.items():
        if isinstance(vector, Sparse):
            made[name] = vector
            continue
        try:
            if np.iscomplexobj(vector):
                raise TypeError("complex numbers, whose imaginary parts would be lost")
            with np.errstate(over="ignore"):  # what is too large for float32 is told as not finite, by its item
                made[name] = np.array(vector, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{whose}: vector {name!r} is a list or an array of numbers, or Sparse ({error})") from None
    return made


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
