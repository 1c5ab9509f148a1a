"""Reranking in a second space: encode what is asked and what was found there, and compare."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from octant.encoding import Role
from octant.errors import MediaError
from octant.item import Hit
from octant.media import Media, Modality
from octant.rerank.asked import media_asked
from octant.rerank.contract import InField, Reranker
from octant.rerank.similarity import similarities
from octant.space import Space
from octant.vectors import Vector

if TYPE_CHECKING:
    from octant.query import Query

__all__ = ["InSpace"]


@dataclass(frozen=True, slots=True)
class InSpace:
    """Judge hits in another space, finer than the one they were found in: by the medium of theirs that is nearest.

    A space of multivectors gives late interaction without anything stored. A composed question is the weighted sum of
    the similarities to its parts. A hit none of whose media can be read there is not judged.
    """

    space: Space
    batch_size: int = 16

    @property
    def name(self) -> str:
        return f"space {self.space.name}"

    @property
    def reads(self) -> Mapping[Modality, int | None]:
        """The media that the space's encoders decode, and how finely."""
        finely = {m: self.space.spec(m) for m in self.space.modalities}
        return {m: spec.pixels if m is Modality.IMAGE else spec.rate for m, spec in finely.items()}

    def for_query(self, query: Query, fields: Mapping[str, InField]) -> Reranker:
        """Encode what is asked, once for all slices of hits."""
        del fields
        asked = media_asked(query, self.space.modalities, self.name)
        vectors = [(self.space.encode([m], m.modality, Role.QUERY)[0], weight) for m, weight in asked]
        return _InSpace(self.name, self.space, tuple(vectors))


@dataclass(frozen=True, slots=True)
class _InSpace:
    name: str
    space: Space
    asked: tuple[tuple[Vector, float], ...]

    def score(self, query: Query, hits: Sequence[Hit]) -> list[float]:
        del query
        scores = [-math.inf] * len(hits)
        for modality in sorted(self.space.modalities):
            media = [(i, m) for i, hit in enumerate(hits) for m in hit.item.media.values() if m.modality is modality]
            encoded = _encode(self.space, modality, [medium for _, medium in media])
            known = [(i, vector) for (i, _), vector in zip(media, encoded, strict=True) if vector is not None]
            total = np.zeros(len(known))
            for vector, weight in self.asked:
                total += weight * similarities(self.space.distance, vector, [found for _, found in known])
            for (i, _), score in zip(known, total.tolist(), strict=True):
                scores[i] = max(scores[i], score)
        return scores


def _encode(space: Space, modality: Modality, media: Sequence[Media]) -> list[Vector | None]:
    """A vector of each medium; None for one that cannot be read any more: its file may be gone since."""
    broken: set[int] = set()
    while True:
        places = [i for i in range(len(media)) if i not in broken]
        try:
            vectors = space.encode([media[i] for i in places], modality, Role.DOCUMENT)
        except* MediaError as errors:
            named = {i for i in places for error in _leaves(errors) if error.media is media[i]}
            if not named:
                raise
            broken |= named
        else:
            found = dict(zip(places, vectors, strict=True))
            return [found.get(i) for i in range(len(media))]


def _leaves(group: BaseExceptionGroup[MediaError]) -> list[MediaError]:
    found: list[MediaError] = []
    for one in group.exceptions:
        found.extend(_leaves(one) if isinstance(one, BaseExceptionGroup) else [one])
    return found
