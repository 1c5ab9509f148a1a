"""Texts of made-up words, and the scores that BM25 gives them, by hand."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

__all__ = ["average_length", "bm25", "texts"]

VOCABULARY = [f"w{number}" for number in range(200)]


def texts(count: int, seed: int = 3) -> list[str]:
    """Texts of 1 to 60 words, common ones and rare ones as in a language."""
    random = np.random.default_rng(seed)
    share = 1 / np.arange(1, len(VOCABULARY) + 1)
    return [
        " ".join(random.choice(VOCABULARY, size=int(random.integers(1, 60)), p=share / share.sum()))
        for _ in range(count)
    ]


def average_length(documents: list[str]) -> float:
    return sum(len(document.split()) for document in documents) / len(documents)


def bm25(documents: list[str], query: str, k: float, b: float) -> dict[int, float]:
    """The formula, by hand."""
    counts = [Counter(document.split()) for document in documents]
    scores: dict[int, float] = {}
    for term in set(query.split()):
        df = sum(term in count for count in counts)
        idf = math.log((len(documents) - df + 0.5) / (df + 0.5) + 1)
        for place, count in enumerate(counts):
            if term in count:
                evened = k * (1 - b + b * count.total() / average_length(documents))
                scores[place] = scores.get(place, 0) + idf * count[term] * (k + 1) / (count[term] + evened)
    return scores
