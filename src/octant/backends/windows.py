"""Media that are longer than a model takes at once, read in windows: nothing of them is cut off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from octant.encoding import TokenSpans
from octant.vectors import Array, normalize

__all__ = ["mean_of_windows", "sound_windows", "text_windows"]


def text_windows(text: str, spans: TokenSpans, limit: int | None) -> Iterator[str]:
    """Halve a text, between words where it has any, until no part has more than `limit` tokens."""
    found = spans(text)
    if limit is None or len(found) <= limit or len(text) == 1:
        yield text
        return
    starts = [start for start, _ in found if 0 < start < len(text)]
    middle = min(starts, key=lambda start: abs(start - found[len(found) // 2][0]), default=len(text) // 2)
    starts = [start for start in starts if text[start - 1].isspace()]
    cut = min(starts, key=lambda start: abs(start - middle), default=middle)
    yield from text_windows(text[:cut], spans, limit)
    yield from text_windows(text[cut:], spans, limit)


def sound_windows(samples: Array, limit: int | None) -> list[Array]:
    """Cut 1-D samples into equal windows of at most `limit` samples."""
    if limit is None or len(samples) <= limit:
        return [samples]
    return np.array_split(samples, -(-len(samples) // limit))


def mean_of_windows(vectors: Sequence[Array], lengths: Sequence[int]) -> Array:
    """One unit vector for the windows of one medium: their unit vectors' mean, weighted by their lengths."""
    if len(vectors) == 1:
        return normalize(vectors[0])
    weights = np.asarray(lengths, np.float32)[:, None]
    mean: Array = (normalize(np.stack(vectors)) * weights).sum(axis=0)
    return normalize(mean)
