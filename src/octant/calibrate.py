"""How the scores of unrelated things lie, in a collection and for a query: what `fusion.Calibrated` measures from.

Scores of different fields are not of one scale (the modality gap: in a shared space texts are closer to a text than any
image is; Liang et al., "Mind the Gap", 2022), and some queries are close to everything. So a query is compared with a
cohort, a sample of what a field holds, and a score counts by how far it stands above the hardest of them: adaptive
score normalisation, as speaker verification has it (Matějka et al., "Analysis of Score Normalization in Multilingual
Speaker Recognition", Interspeech 2017). Where a whole field has nothing to do with a query, the hardest of its cohort
are still noise: the cohort never counts for less than what unrelated pairs of all queries reach.

No I/O: `sampling` says what to ask the store and `read` reads it, `asking` and `measure` are the second round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from typing import Any, cast

import numpy as np
from qdrant_client.http import models
from qdrant_client.local.payload_value_extractor import value_by_key

from octant.encoding import Role
from octant.fusion import Background
from octant.media import Modality, Text
from octant.payload import media_of
from octant.schema import Field, Schema, to_qdrant
from octant.vectors import Array, Kind, Sparse, Vector, normalize

__all__ = [
    "CAPTIONS",
    "COHORT",
    "Backgrounds",
    "Cohort",
    "Sample",
    "asking",
    "background_of",
    "measure",
    "read",
    "sampling",
]

COHORT = 128
"""How many vectors of a field stand for all. Twice as many order no better (docs/fusion.md)."""
HARDEST = 0.3
"""The share of a cohort that a score is measured from: the rest tells nothing of what competes with it."""
TAIL_MEAN, TAIL_STD = 1.159, 0.514
"""Mean and standard deviation of the highest HARDEST of a normal distribution, in its standard deviations."""
FEWEST = 20
"""What is estimated from fewer vectors, or overlaps, says nothing."""
WORDS = 4
"""A query of words is as long as this: stored texts are cut to it where they stand for queries."""
ASKED = 32
"""How many stored texts stand for queries of words."""

CAPTIONS = (
    "a person", "two people talking", "a house by a lake", "a red car on the road", "the history of a city",
    "how to repair a bicycle", "a plate of food", "music for dancing", "a map of the world", "children playing",
    "a document with numbers", "a mountain in winter", "software for a computer", "a river in the forest",
    "a football match", "an old book", "a telephone call", "money and the bank", "the night sky", "a wedding", "a dog",
    "flowers in the garden", "an airplane", "a chair and a table", "a letter to a friend", "a hospital",
    "a train station", "the sea", "a school", "an engine", "a painting", "clothes", "a glass of water",
    "birds singing", "rain and wind", "a knife", "a city at night", "a machine in a factory", "a cat", "a baby",
)  # fmt: skip
"""What anybody may ask for: for a given collection most of it is unrelated, which its own texts are not."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """Vectors that stand for all that a field holds."""

    vectors: Array | tuple[Array, ...]
    """One a row; those of several rows each by itself."""
    cosine: bool = True

    def __len__(self) -> int:
        return len(self.vectors)

    def hardest(self, query: Array) -> Background | None:
        """The background of a query: those of the cohort that are most like it."""
        scores = _similarities([normalize(query) if self.cosine else query], self.vectors)[0]
        many = round(HARDEST * len(scores))
        hardest = np.partition(scores, -many)[-many:]
        mean = float(hardest.sum()) / many
        around = hardest - np.float32(mean)
        std = sqrt(float(around @ around) / (many - 1))  # twice as fast as numpy's: every leg of a search waits for it
        return Background(mean, std, len(scores)) if std > 0 else None


@dataclass(frozen=True, slots=True)
class Backgrounds:
    """The backgrounds of a collection's fields, by the modality of the query."""

    overall: Mapping[tuple[Modality, str], Background]
    """Of all queries of a modality: their mean and standard deviation over unrelated pairs."""
    words: Mapping[str, Background] = field(default_factory=dict[str, Background])
    """Of fields that are searched by their words, from 0: what does not overlap is not found."""
    cohorts: Mapping[str, Cohort] = field(default_factory=dict[str, Cohort], repr=False)
    """By field, a sample of its vectors. Not part of the JSON: `read` gives them anew."""
    points: int = 0
    """How many the collection had."""
    model: str = ""
    """What turned items into vectors then, as `Schema.model` names it."""
    empty: frozenset[str] = frozenset()
    """The fields that held nothing, where chance has no part. As the cohorts not part of the JSON."""

    def of(self, asked: Modality | None, field: str, query: Vector | None = None) -> Background | None:
        """The background of one query in a field: the hardest of what is unrelated to it; None where nothing tells.

        `asked` is None where a query is composed of several modalities: the cohort alone tells then. `query` is what
        the field is asked with, if that is one dense vector (or a multivector).
        """
        if field in self.words:
            return self.words[field]
        if field in self.empty:
            return Background(0.0, 1.0)
        overall, cohort = None if asked is None else self.overall.get((asked, field)), self.cohorts.get(field)
        own = None
        if query is not None and not isinstance(query, Sparse) and cohort is not None and len(cohort) >= FEWEST:
            own = cohort.hardest(query)
        if overall is None:
            return own
        hard = Background(overall.mean + TAIL_MEAN * overall.std, TAIL_STD * overall.std, overall.pairs)
        if own is None:
            return hard
        # a cohort that is all alike must not make much of chance; where it is not, its own spread orders better
        return Background(max(own.mean, hard.mean), max(own.std, hard.std / 2), hard.pairs)

    def over(self, others: Mapping[tuple[Modality, str], Background]) -> Backgrounds:
        """The same, with what others know where these know nothing."""
        return replace(self, overall={**others, **self.overall})

    def stale(self, schema: Schema, points: int) -> str | None:
        """Say why they should be measured again: another model, or a collection twice or half as large."""
        if self.model != schema.model():
            return "another model made the vectors they were measured on"
        if not self.points / 2 <= points <= self.points * 2:
            return f"the collection had {self.points} points when they were measured, and has {points}"
        return None

    def as_json(self) -> dict[str, Any]:
        """As plain data, for the metadata of the collection."""
        overall = [
            {"asked": asked.value, "field": name, "mean": one.mean, "std": one.std, "pairs": one.pairs}
            for (asked, name), one in self.overall.items()
        ]
        words = {name: {"mean": one.mean, "std": one.std, "pairs": one.pairs} for name, one in self.words.items()}
        return {"points": self.points, "model": self.model, "overall": overall, "words": words}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Backgrounds:
        """Read what `as_json` wrote; the cohorts are still to be read from the store."""
        return cls(
            {(Modality(one["asked"]), one["field"]): _background(one) for one in data["overall"]},
            {name: _background(one) for name, one in data["words"].items()},
            points=data["points"],
            model=data["model"],
        )


@dataclass(frozen=True, slots=True)
class Sample:
    """Points of a collection, by field."""

    vectors: Mapping[str, Mapping[str, Array]]
    """Field -> point id -> its vector there."""
    cosine: frozenset[str]
    """The fields whose similarity is the cosine."""
    texts: Mapping[str, Mapping[str, str]]
    """Field that is searched by its words -> point id -> its text."""
    empty: frozenset[str]
    """The fields that hold nothing."""

    def cohorts(self) -> dict[str, Cohort]:
        """What queries are compared with."""
        return {
            name: Cohort(_rows(list(points.values())), name in self.cosine)
            for name, points in self.vectors.items()
            if points
        }


def sampling(schema: Schema) -> list[models.QueryRequest]:
    """The requests of a sample: of each field those with the lowest ids, which are hashes and so as good as drawn.

    The same points answer until others come, so that scores do not change from one process to the next.
    """
    of_fields = [
        models.QueryRequest(
            filter=models.Filter(must=[models.HasVectorCondition(has_vector=f.name)]),
            limit=COHORT,
            with_vector=[f.name],
            with_payload=f.space.kind is Kind.SPARSE,
        )
        for f in schema.fields.values()
    ]
    of_texts = [
        models.QueryRequest(
            filter=models.Filter(must_not=[models.IsEmptyCondition(is_empty=models.PayloadField(key=text.key))]),
            limit=COHORT,
            with_payload=[text.key],
        )
        for text in schema.texts.values()
    ]
    return [*of_fields, *of_texts]


def read(schema: Schema, answers: Sequence[models.QueryResponse]) -> Sample:
    """Read the answers to `sampling`, in their order."""
    vectors: dict[str, dict[str, Array]] = {}
    texts: dict[str, dict[str, str]] = {}
    names = [*schema.fields, *schema.texts]
    empty = frozenset(name for name, answer in zip(names, answers, strict=True) if not answer.points)
    for f, answer in zip(schema.fields.values(), answers, strict=False):
        if f.given and not f.answers and f.space.kind is Kind.SPARSE:
            continue  # there is no encoder to ask how far texts overlap
        if f.space.kind is Kind.SPARSE:
            texts[f.name] = {str(p.id): words for p in answer.points if (words := _text(f, p.payload or {}))}
        elif f.space.distance in (models.Distance.COSINE, models.Distance.DOT):
            vectors[f.name] = {str(p.id): _stored(f, p) for p in answer.points}
    for text, answer in zip(schema.texts.values(), answers[len(schema.fields) :], strict=True):
        found = {str(p.id): value_by_key(p.payload or {}, text.key) or [] for p in answer.points}
        texts[text.name] = {one: values[0] for one, values in found.items() if values and isinstance(values[0], str)}
    return Sample(vectors, frozenset(f.name for f in schema.fields.values() if _is_cosine(f)), texts, empty)


def asking(schema: Schema, sample: Sample) -> list[models.QueryRequest]:
    """The requests that tell how far texts overlap that have nothing to do with one another. Encodes queries."""
    requests: list[models.QueryRequest] = []
    for name, texts in sample.texts.items():
        among = models.HasIdCondition(has_id=list(texts))
        chosen = list(texts.items())[:ASKED]
        queries = _queries_of_words(schema, name, [" ".join(text.split()[:WORDS]) for _, text in chosen])
        requests += [
            models.QueryRequest(
                query=query,
                using=using,
                filter=models.Filter(must=[among], must_not=[models.HasIdCondition(has_id=[one])]),
                limit=COHORT,
                with_payload=False,
            )
            for (one, _), (using, query) in zip(chosen, queries, strict=True)
        ]
    return requests


def measure(
    schema: Schema, sample: Sample, answers: Sequence[models.QueryResponse] = (), *, points: int = 0
) -> Backgrounds:
    """Estimate the backgrounds from a sample, and from the answers to what `asking` asked. Encodes captions."""
    overall: dict[tuple[Modality, str], Background] = {}
    captions: dict[str, dict[str, Array]] = {}
    for f in schema.fields.values():
        held = sample.vectors.get(f.name, {})
        for asked in sorted(f.answers) if held else ():
            if asked is Modality.TEXT:
                if f.space.name not in captions:
                    captions[f.space.name] = _captions(f)
                queries = captions[f.space.name]
            else:
                alike = [g for g in schema.fields.values() if g.space is f.space and g.modality is asked]
                queries = {one: _one_of(g, v) for g in alike for one, v in sample.vectors.get(g.name, {}).items()}
            if (found := _between(queries, held)) is not None:
                overall[asked, f.name] = found
    words: dict[str, Background] = {}
    left = iter(answers)
    for name, texts in sample.texts.items():
        scores = [
            p.score for _, answer in zip(range(min(ASKED, len(texts))), left, strict=False) for p in answer.points
        ]
        if len(scores) >= FEWEST and (std := float(np.std(scores))) > 0:
            words[name] = Background(0.0, std, len(scores))
    return Backgrounds(overall, words, sample.cohorts(), points, schema.model(), sample.empty)


def background_of(scores: Array) -> Background | None:
    """The background of the scores of unrelated pairs; NaN is none. None where they are few, or all the same.

    Mean and standard deviation: median and MAD, and trimmed estimates, order worse (docs/fusion.md). What few related
    pairs there are belongs to it: it widens the scale of fields whose scores spread most.
    """
    known = scores[~np.isnan(scores)]
    if known.size < FEWEST or not (std := float(known.std())) > 0:
        return None
    return Background(float(known.mean()), std, int(known.size))


def _between(queries: Mapping[str, Array], held: Mapping[str, Array]) -> Background | None:
    """The background of pairs of different items."""
    if not queries:
        return None
    scores = _similarities(list(queries.values()), _rows(list(held.values())))
    places = {one: place for place, one in enumerate(held)}
    for row, one in enumerate(queries):
        if one in places:
            scores[row, places[one]] = np.nan
    return background_of(scores)


def _similarities(queries: Sequence[Array], held: Array | tuple[Array, ...]) -> Array:
    """The similarity of every query and stored vector: a dot product, or MaxSim where one of them has several rows."""
    if isinstance(held, np.ndarray) and all(one.ndim == 1 for one in queries):
        plain: Array = queries[0][None] @ held.T if len(queries) == 1 else np.stack(queries) @ held.T
        return plain
    return np.array(
        [[(np.atleast_2d(q) @ np.atleast_2d(one).T).max(axis=1).sum() for one in held] for q in queries], np.float32
    )


def _rows(vectors: Sequence[Array]) -> Array | tuple[Array, ...]:
    return np.stack(vectors) if all(one.ndim == 1 for one in vectors) else tuple(vectors)


def _captions(f: Field) -> dict[str, Array]:
    encoded = f.space.encode([Text(one) for one in CAPTIONS], Modality.TEXT, Role.QUERY)
    return {
        f"caption {place}": normalize(one) if _is_cosine(f) else one
        for place, one in enumerate(encoded)
        if not isinstance(one, Sparse)
    }


def _stored(f: Field, point: models.ScoredPoint) -> Array:
    vector = np.asarray(cast("dict[str, Any]", point.vector)[f.name], np.float32)
    return normalize(vector) if _is_cosine(f) else vector


def _one_of(f: Field, vector: Array) -> Array:
    """A stored vector as a query: of several media of an item one, as a query has one."""
    return vector[0] if vector.ndim == 2 and f.space.kind is Kind.DENSE else vector


def _is_cosine(f: Field) -> bool:
    return f.space.distance is models.Distance.COSINE


def _text(f: Field, payload: Mapping[str, Any]) -> str:
    entries = media_of(payload)
    return next((e["text"] for name, e in entries.items() if "text" in e and f.of in (None, name)), "")


def _queries_of_words(schema: Schema, name: str, texts: Sequence[str]) -> list[tuple[str, Any]]:
    """What a field that is searched by its words is asked with: the `using` and the query of a request."""
    if name in schema.texts:
        return [(schema.texts[name].key, schema.texts[name].query(text)) for text in texts]
    vectors = schema.fields[name].space.encode([Text(text) for text in texts], Modality.TEXT, Role.QUERY)
    return [(name, to_qdrant(vector)) for vector in vectors]


def _background(data: Mapping[str, Any]) -> Background:
    return Background(data["mean"], data["std"], data["pairs"])
