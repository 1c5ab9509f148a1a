"""Eleven things with hand-made vectors, and an oracle that says in numpy what a search of them must find.

A vector is three whole numbers whose length is whole, too, and the queries are the axes: the picture of `pot` is
(7, 4, 4), of length 9, so that its cosine to the text query is 7/9, to the image query 4/9, to the audio query 4/9. All
else of the oracle is the textbook's formula of each fusion and a sort; filters and rerankers are in `test_matrix`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from qdrant_client.http import models

from octant import Audio, Encoder, Field, Image, Item, Kind, Media, Modality, Schema, Space, Sparse, Text
from octant.encoding import EncoderSpec, Role
from octant.payload import point_id
from octant.vectors import Vector

__all__ = [
    "AXES",
    "FIELDS",
    "QUERIES",
    "THINGS",
    "WORDS",
    "Leg",
    "Ranking",
    "Thing",
    "background",
    "calibrated",
    "dbsf",
    "found",
    "items",
    "mmr",
    "relative",
    "rrf",
    "schema",
    "sort",
    "unit",
    "vector_of",
    "zscore",
]

Whole: TypeAlias = tuple[int, int, int]
Pair: TypeAlias = tuple[Whole, Whole]
"""A medium's vector in the space `meaning`, and in the space `style`."""
Row: TypeAlias = NDArray[np.float64]
TEXT, IMAGE, AUDIO = Modality.TEXT, Modality.IMAGE, Modality.AUDIO


@dataclass(frozen=True)
class Thing:
    id: str
    media: Mapping[Modality, Pair]
    words: str = ""
    shelf: str = ""
    price: float | None = None
    stars: float | None = None
    new: bool = False

    @property
    def metadata(self) -> dict[str, Any]:
        held = {"shelf": self.shelf or None, "price": self.price, "stars": self.stars, "new": self.new}
        return {key: value for key, value in held.items() if value is not None}


THINGS = [
    Thing("tea", {TEXT: ((5, 2, 14), (3, 4, 12))}, "green tea tea", "a", 4.0, 3.0, True),
    Thing("mug", {TEXT: ((1, 12, 12), (8, 1, 4)), IMAGE: ((2, 6, 9), (2, 2, 1))}, "mug tea", "a", 12.0, 5.0),
    Thing(
        "pot",
        {TEXT: ((6, 2, 9), (2, 3, 6)), IMAGE: ((7, 4, 4), (9, 12, 8)), AUDIO: ((10, 2, 11), (2, 5, 14))},
        "tea tea tea",
        "a",
        35.0,
        1.0,
    ),
    Thing("drum", {TEXT: ((1, 4, 8), (6, 9, 2)), AUDIO: ((6, 3, 2), (1, 2, 2))}, "drum", "b", 80.0, 4.0, True),
    Thing(
        "bell",
        {TEXT: ((3, 12, 4), (12, 12, 1)), IMAGE: ((2, 10, 11), (11, 2, 10)), AUDIO: ((4, 7, 4), (7, 6, 6))},
        "green green green bell",
        "b",
        17.0,
        2.0,
    ),
    Thing("book", {TEXT: ((14, 5, -2), (-12, 3, 4))}, "book", "c", 9.0, 4.0),
    Thing("rain", {IMAGE: ((3, 6, 2), (5, 14, 2)), AUDIO: ((2, 9, 6), (4, 8, 1))}, "", "b", 2.0, 5.0),
    Thing("lamp", {IMAGE: ((8, 12, 9), (4, 4, 7))}, "", "c", 27.0, 3.0, True),
    Thing("vase", {IMAGE: ((2, 1, -2), (-9, 6, 2))}, "", "a", 61.0, 2.0),
    Thing("wind", {AUDIO: ((4, 3, 12), (10, 15, 6))}, "", "c", 14.0, 1.0),
    Thing("hall", {AUDIO: ((2, 14, -5), (-9, 8, 12))}),
]
WORDS = ["green", "tea", "mug", "drum", "bell", "book"]
AXES: dict[Modality, Whole] = {TEXT: (1, 0, 0), IMAGE: (0, 1, 0), AUDIO: (0, 0, 1)}
ASKED = 99
"""The number that stands for the query, as a pixel and as a sample; things are numbered from 1."""
QUERIES: dict[Modality, Media] = {
    TEXT: Text("green tea"),
    IMAGE: Image(np.full((2, 2, 3), ASKED, dtype=np.uint8)),
    AUDIO: Audio(np.full(8, ASKED / 100, dtype=np.float32), rate=8000),
}


@dataclass(frozen=True)
class Looked:
    """An encoder that looks vectors up."""

    modality: Modality
    space: int

    @property
    def spec(self) -> EncoderSpec:
        return EncoderSpec(identity="table@1", modality=self.modality, dim=3)

    def encode(self, batch: Sequence[Any], role: Role) -> list[Vector]:
        return [np.array(self._look_up(_number(medium)), dtype=np.float32) for medium in batch]

    def _look_up(self, number: int) -> Whole:
        return AXES[self.modality] if number == ASKED else THINGS[number - 1].media[self.modality][self.space]


class Counted:
    """How often each word stands in a text, by its place in `WORDS`."""

    spec = EncoderSpec(identity="words@1", modality=TEXT, dim=None, kind=Kind.SPARSE, idf=True)

    def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
        counts = [counted(text.content) for text in batch]
        return [Sparse(tuple(WORDS.index(word) for word in c), tuple(map(float, c.values()))) for c in counts]


def counted(text: str) -> dict[str, int]:
    return {word: text.split().count(word) for word in dict.fromkeys(text.split())}


def _number(medium: Media) -> int:
    match medium:
        case Text():
            return next((n for n, thing in enumerate(THINGS, 1) if thing.words == medium.content), ASKED)
        case Image():
            pixels: Any = medium.source
            return int(pixels[0, 0, 0])
        case Audio():
            samples: Any = medium.source
            return round(float(samples[0]) * 100)


def schema() -> Schema:
    """Two spaces that hold all modalities, and the words of texts."""
    fields: list[Field] = []
    for number, name in enumerate(("meaning", "style")):
        encoders: list[Encoder[Any]] = [Looked(modality, number) for modality in Modality]
        space = Space(name, *encoders)
        fields += [Field(f"{modality}{'_style' * number}", space, modality) for modality in Modality]
    words = Field("words", Space("words", Counted()), TEXT)
    return Schema(*fields, words, indexed={"shelf": models.PayloadSchemaType.KEYWORD})


FIELDS: dict[str, Modality] = {name: one.modality for name, one in schema().fields.items()}


def items() -> list[Item]:
    """The things as they are added: texts, pixels, samples."""
    made: list[Item] = []
    for number, thing in enumerate(THINGS, start=1):
        media: dict[Modality, Media] = {
            TEXT: Text(thing.words),
            IMAGE: Image(np.full((2, 2, 3), number, dtype=np.uint8)),
            AUDIO: Audio(np.full(8, number / 100, dtype=np.float32), rate=8000),
        }
        made.append(Item(thing.id, {str(m): media[m] for m in Modality if m in thing.media}, thing.metadata))
    return made


# -- the oracle ---------------------------------------------------------------------------------------------------

Ranking: TypeAlias = list[tuple[str, float]]
"""Ids and scores, best first."""


@dataclass(frozen=True)
class Leg:
    """What a search in one field finds."""

    name: str
    scores: Mapping[str, float]
    """Best first."""
    weight: float = 1.0
    mean: float = 0.0
    std: float = 1.0
    has: frozenset[str] = field(default_factory=frozenset[str])
    """All that have a vector in the field."""


def unit(vector: Sequence[float] | Row) -> Row:
    row: Row = np.asarray(vector, dtype=np.float64)
    return row / np.linalg.norm(row)


def vector_of(thing: Thing, name: str) -> Row | dict[str, float] | None:
    """What a thing has in a field."""
    if FIELDS[name] not in thing.media:
        return None
    if name == "words":
        return {word: float(count) for word, count in counted(thing.words).items()}
    return unit(thing.media[FIELDS[name]][name.endswith("_style")])


def found(name: str, asked: Row | Mapping[str, float], keep: Callable[[Thing], bool], weight: float = 1.0) -> Leg:
    """Compare what is asked with all that has a vector in the field: cosines, or products of words times their IDF."""
    held: dict[str, Any] = {t.id: vector for t in THINGS if (vector := vector_of(t, name)) is not None}
    kept = [thing.id for thing in THINGS if thing.id in held and keep(thing)]
    if isinstance(asked, Mapping):
        sums = {one: _words_in_common(asked, held[one], list(held.values())) for one in kept}
        scores = {one: total for one, total in sums.items() if total is not None}
    else:
        scores = {one: float(unit(asked) @ held[one]) for one in kept}
    mean, std = background(name)
    return Leg(name, dict(sort(scores)), weight, mean, std, frozenset(held))


def _words_in_common(asked: Mapping[str, float], one: Any, corpus: Sequence[Any]) -> float | None:
    common = [word for word in asked if word in one]
    frequency = {word: sum(word in other for other in corpus) for word in common}
    idf = {word: math.log(1 + (len(corpus) - n + 0.5) / (n + 0.5)) for word, n in frequency.items()}
    return sum(asked[word] * one[word] * idf[word] for word in common) if common else None


def background(name: str) -> tuple[float, float]:
    """The mean and the deviation of unrelated pairs, as they are given to `Calibrated`: some are below the mean."""
    return {"text": (0.3, 0.1), "image": (0.2, 0.25), "audio": (0.1, 0.5), "words": (1.0, 1.0)}.get(name, (-1.0, 0.5))


def sort(scores: Mapping[str, float]) -> Ranking:
    """Highest first; what is equal, but for the noise of floats, in the order of the points' ids, as octant has it."""
    return sorted(scores.items(), key=lambda one: (-round(one[1], 6), point_id(one[0])))


def rrf(k: int) -> Callable[[Sequence[Leg]], Ranking]:
    def fuse(legs: Sequence[Leg]) -> Ranking:
        return _summed([{one: 1 / (k - 1 + r / leg.weight) for r, one in enumerate(leg.scores, 1)} for leg in legs])

    return fuse


def dbsf(legs: Sequence[Leg]) -> Ranking:
    return _summed([{one: leg.weight * (0.5 + z / 6) for one, z in _standard(leg).items()} for leg in legs])


def zscore(legs: Sequence[Leg]) -> Ranking:
    candidates = {one for leg in legs for one in leg.scores}
    parts: list[dict[str, float]] = []
    for leg in legs:
        z = _standard(leg)
        last = min(z.values(), default=0.0)
        parts.append({one: leg.weight * z.get(one, last) if one in leg.has else 0.0 for one in candidates})
    return _summed(parts)


def relative(legs: Sequence[Leg]) -> Ranking:
    parts: list[dict[str, float]] = []
    for leg in legs:
        low, high = min(leg.scores.values(), default=0.0), max(leg.scores.values(), default=0.0)
        parts.append(
            {one: leg.weight * ((s - low) / (high - low) if high > low else 1) for one, s in leg.scores.items()}
        )
    return _summed(parts)


def calibrated(legs: Sequence[Leg]) -> Ranking:
    """Stouffer's: the sum of weight · z over the root of the sum of weight², of the legs that one takes part in."""
    parts = [{o: leg.weight * max(0.0, (s - leg.mean) / leg.std) for o, s in leg.scores.items()} for leg in legs]
    return sort({o: z / math.sqrt(sum(leg.weight**2 for leg in legs if o in leg.has)) for o, z in _summed(parts)})


def _standard(leg: Leg) -> dict[str, float]:
    values = np.array(list(leg.scores.values()))
    std = values.std(ddof=1) if len(values) > 1 else 0.0
    return {one: float((score - values.mean()) / std) if std else 0.0 for one, score in leg.scores.items()}


def _summed(parts: Sequence[Mapping[str, float]]) -> Ranking:
    total: dict[str, float] = {}
    for part in parts:
        for one, share in part.items():
            total[one] = total.get(one, 0.0) + share
    return sort(total)


def mmr(ranking: Ranking, name: str, asked: Row, diversity: float) -> Ranking:
    """Maximal marginal relevance: always the best of (1 - diversity) · relevance - diversity · nearest chosen."""
    held: dict[str, Any] = {thing.id: vector_of(thing, name) for thing in THINGS}
    left = [one for one, _ in ranking if held[one] is not None]
    chosen: list[str] = []
    while left:
        values = [
            float(asked @ held[one])
            if not chosen
            else (1 - diversity) * float(asked @ held[one])
            - diversity * max(float(held[c] @ held[one]) for c in chosen)
            for one in left
        ]
        chosen.append(left.pop(int(np.argmax(values))))
    scores = dict(ranking)
    return [(one, scores[one]) for one in [*chosen, *(one for one in scores if held[one] is None)]]
