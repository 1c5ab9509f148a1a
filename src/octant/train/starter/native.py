"""The axes of the native vectors, which compare looks and sounds within one modality."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from octant.train.starter.places import unit

__all__ = ["native_axes", "whitening"]

Array = NDArray[np.float32]


def native_axes(
    features: Array, labels: Sequence[Hashable | None], *, shrinkage: float, count: int
) -> tuple[Array, Array]:
    """Find a mean [d] and axes [d, count] for features scaled to unit length.

    Principal axes, after what varies within a label is made to count less. That helps with kinds of things that were
    never labelled too, as long as the shrinkage is strong.
    """
    rows = unit(features)
    mean = rows.mean(0)
    whiten = whitening(rows, labels, shrinkage=shrinkage)
    _, _, axes = np.linalg.svd((rows - mean) @ whiten, full_matrices=False)
    return mean, (whiten @ axes[:count].T).astype(np.float32)


def whitening(rows: Array, labels: Sequence[Hashable | None], *, shrinkage: float) -> Array:
    """Find the map [d, d] that makes the spread within labels round; `shrinkage` 1 leaves everything as it is."""
    members: dict[Hashable, list[int]] = {}
    for index, label in enumerate(labels):
        if label is not None:
            members.setdefault(label, []).append(index)
    spread = np.concatenate([rows[group] - rows[group].mean(0) for group in members.values()])
    strength, axes = np.linalg.eigh(spread.T @ spread / len(spread))
    strength = np.maximum(strength, 0)
    strength = (1 - shrinkage) * strength + shrinkage * strength.mean()
    return (axes * strength**-0.5).astype(np.float32)
