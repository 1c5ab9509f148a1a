"""Telling apart what may arrive where a vector or a payload is expected, in a way that type checkers follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

__all__ = ["is_array", "is_mapping", "is_sequence"]


def is_array(value: object) -> TypeGuard[NDArray[Any]]:
    """Say whether this is a numpy array."""
    return isinstance(value, np.ndarray)


def is_mapping(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Say whether this is a mapping, of names to vectors or of keys to values."""
    return isinstance(value, Mapping)


def is_sequence(value: object) -> TypeGuard[Sequence[Any]]:
    """Say whether this is a sequence that is not text."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
