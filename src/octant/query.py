"""What is asked (Query), and the one Qdrant request that answers it (Plan)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from qdrant_client.http import models

from octant.encoder import Role
from octant.errors import MediaError, UnsupportedModality
from octant.media import Audio, Image, Media, Modality, Text
from octant.schema import Field, Schema, to_qdrant
from octant.space import Space
from octant.vectors import Sparse, Vector

__all__ = ["RRF", "Leg", "Plan", "Query", "Where", "condition", "filter_of", "make_plans"]

Where = Mapping[str, Any] | models.Filter


@dataclass(frozen=True, slots=True)
class RRF:
    """Reciprocal rank fusion in the store: score = sum over legs of 1 / (k + rank), rank from 0.

    Cormack, Clarke, Buettcher, SIGIR 2009. k is always sent: Qdrant's plain `Fusion.RRF` means k = 2.
    """

    k: int = 60

    def query(self) -> models.RrfQuery:
        return models.RrfQuery(rrf=models.Rrf(k=self.k))


@dataclass(frozen=True, slots=True)
class Query:
    """One question: a medium, and what to find with it."""

    media: Media
    into: tuple[Modality, ...] = ()
    """Modalities to find; none named = all that the collection's fields can answer."""
    where: Where | None = None
    """A payload filter: Qdrant's own, or key -> value (or list of values) that must all match."""
    limit: int = 10

    def __post_init__(self) -> None:
        media: object = self.media  # callers without a type checker give anything
        if not isinstance(media, Text | Image | Audio):
            raise TypeError(f"cannot search with {media!r}; give a str (a text), Text, Image(path) or Audio(path)")
        wanted: object = self.into
        if not isinstance(wanted, tuple) or not set(cast("tuple[object, ...]", wanted)) <= set(Modality):
            raise TypeError(f"Query(into=...) is a tuple of Modality, not {wanted!r}; search(into=...) takes names too")
        if self.limit < 1:
            raise ValueError(f"limit must be at least 1, not {self.limit}")


@dataclass(frozen=True, slots=True)
class Leg:
    """One search in one field."""

    field: str
    vector: Vector
    floor: float | None = None
    """What is less similar has no part in a fusion."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The legs of a query, which the store searches apart and fuses: one request, as data."""

    query: Query
    legs: tuple[Leg, ...]
    fusion: RRF = RRF()
    depth: int = 50
    """Candidates per leg, at least the query's limit: fusion can only promote what a leg has found."""

    def request(self) -> models.QueryRequest:
        narrow = filter_of(self.query.where)
        if len(self.legs) == 1:
            [leg] = self.legs
            vector = to_qdrant(leg.vector)
            return models.QueryRequest(
                query=vector, using=leg.field, filter=narrow, limit=self.query.limit, with_payload=True
            )
        depth = max(self.depth, self.query.limit)
        searches = [
            models.Prefetch(
                query=to_qdrant(leg.vector), using=leg.field, filter=narrow, limit=depth, score_threshold=leg.floor
            )
            for leg in self.legs
        ]
        return models.QueryRequest(
            prefetch=searches, query=self.fusion.query(), limit=self.query.limit, with_payload=True
        )


def make_plans(queries: Sequence[Query], schema: Schema) -> list[Plan]:
    """Encode queries and lay out their legs. No I/O: a medium is encoded once per space, in one batch per modality.

    Raises UnsupportedModality where no field answers a query, MediaError where its medium cannot be decoded (an
    ExceptionGroup of them where that is true of several).
    """
    answering = [_fields(query, schema) for query in queries]
    legs: list[list[Leg]] = [[] for _ in queries]
    for space in dict.fromkeys(field.space for field in schema.fields.values()):
        for modality in sorted(space.modalities):
            here = [
                (i, fields)
                for i, query in enumerate(queries)
                if query.media.modality is modality and (fields := [f for f in answering[i] if f.space is space])
            ]
            vectors = _encode(space, modality, [queries[i].media for i, _ in here])
            for (i, fields), vector in zip(here, vectors, strict=True):
                legs[i].extend(Leg(f.name, _asking(f, vector), f.floors.get(modality)) for f in fields)
    return [Plan(query, tuple(found)) for query, found in zip(queries, legs, strict=True)]


def _asking(field: Field, vector: Vector) -> Vector:
    """A multivector is asked with one, of a single row where the space gives single vectors."""
    return vector[None] if field.is_multivector and not isinstance(vector, Sparse) and vector.ndim == 1 else vector


def _encode(space: Space, modality: Modality, media: Sequence[Media]) -> list[Vector]:
    try:
        return space.encode(media, modality, Role.QUERY)
    except ExceptionGroup as group:
        broken = cast("tuple[Exception, ...]", group.exceptions)  # pyright: ignore[reportUnknownMemberType]
        if len(broken) == 1 and isinstance(broken[0], MediaError):
            raise broken[0] from None
        raise


def filter_of(where: Where | None) -> models.Filter | None:
    """The filter that `where` means: Qdrant's own as it is, or every key equal to its value (or one of its values)."""
    if where is None or isinstance(where, models.Filter):
        return where
    given: object = where  # callers without a type checker give anything
    if not isinstance(given, Mapping):
        raise TypeError(f"where is a mapping, such as {{'folder': 'pets'}}, or a Qdrant filter, not {given!r}")
    return models.Filter(must=[condition(key, value) for key, value in where.items()]) if where else None


def condition(key: str, value: object) -> models.Condition:
    """The condition that a payload key equals a value, or one of a list of values.

    A number is compared as a range of one value: 60 is 60.0, and Qdrant matches only texts, integers and booleans.
    """
    match value:
        case bool() | str():
            return models.FieldCondition(key=key, match=models.MatchValue(value=value))
        case int() if abs(value) > _EXACT:
            return models.FieldCondition(key=key, match=models.MatchValue(value=value))
        case int() | float():
            return models.FieldCondition(key=key, range=models.Range(gte=value, lte=value))
        case list() | tuple() if value:
            values = cast("Sequence[object]", value)
            texts = [one for one in values if isinstance(one, str)]
            if len(texts) == len(values):
                return models.FieldCondition(key=key, match=models.MatchAny(any=texts))
            return models.Filter(should=[condition(key, one) for one in values])
        case _:
            raise ValueError(
                f"cannot filter {key!r} by {value!r}: give a text, number or boolean, a list of these, "
                "or build a qdrant_client.models.Filter"
            )


_EXACT = 2**53
"""Beyond it, neighbouring integers are one float."""


def _fields(query: Query, schema: Schema) -> list[Field]:
    asked = query.media.modality
    wanted = query.into or tuple(Modality)
    found = [f for f in schema.fields.values() if asked in f.answers and f.modality in wanted]
    if not found:
        pairs = sorted({f"{m} to {f.modality}" for f in schema.fields.values() for m in f.answers})
        into = " or ".join(wanted)
        raise UnsupportedModality(
            asked, f"no field for a search into {into}", f"this schema answers {', '.join(pairs)}"
        )
    return found
