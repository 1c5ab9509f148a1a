"""How alike vectors are: the store's own measures, in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from qdrant_client.http.models import Distance

from octant.vectors import Array, Sparse, Vector, normalize

__all__ = ["similarities"]


def similarities(distance: Distance, asked: Vector, found: Sequence[Vector]) -> Array:
    """Compare one vector with n others: an array of n float32, higher is more alike.

    Dense vectors by cosine or dot product, sparse ones by dot product, multivectors by MaxSim: the sum over the rows of
    `asked` of the similarity to the nearest row (Khattab, Zaharia, SIGIR 2020). ValueError for other distances: they
    grow with what is unlike.
    """
    if isinstance(asked, Sparse):
        values = dict(zip(asked.indices, asked.values, strict=True))
        return np.array([_dot(values, cast("Sparse", one)) for one in found], dtype=np.float32)
    if distance not in (Distance.COSINE, Distance.DOT):
        raise ValueError(f"similarities are cosines or dot products; vectors of distance {distance} are not compared")
    rows = [_rows(distance, cast("Array", one)) for one in found]
    if not rows:
        return np.zeros(0, dtype=np.float32)
    # summed in doubles, so that equal vectors are equally alike wherever they stand
    alike = _rows(distance, asked) @ np.concatenate(rows).T
    if len(rows) == alike.shape[1]:  # a single row each: there is no nearest to look for
        sums: Array = alike.sum(axis=0).astype(np.float32)
        return sums
    ends = np.cumsum([len(one) for one in rows])[:-1]
    return np.array([part.max(axis=1).sum() for part in np.split(alike, ends, axis=1)], dtype=np.float32)


def _rows(distance: Distance, vector: Array) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    matrix = np.atleast_2d(vector)
    unit = normalize(matrix) if distance is Distance.COSINE else matrix
    return cast("np.ndarray[tuple[int, int], np.dtype[np.float64]]", unit.astype(np.float64))


def _dot(values: dict[int, float], other: Sparse) -> float:
    return sum(values.get(index, 0.0) * value for index, value in zip(other.indices, other.values, strict=True))
