"""From a query to the requests that answer it: legs, filter, fusion. Pure data, made without a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, cast

import numpy as np
from qdrant_client.http import models

from octant.calibrate import Backgrounds
from octant.encoding import Role
from octant.errors import MediaError, StoreError, UnsupportedModality
from octant.fusion import RRF, Background, Calibrated, Fusion, FusionQuery, Voter
from octant.lexical import TextIndex
from octant.media import Audio, Image, Media, Modality, Text
from octant.payload import point_id
from octant.query import (
    Asked,
    ById,
    ByVector,
    Composed,
    Discover,
    Example,
    Part,
    Query,
    Recommend,
    examples_of,
    filter_of,
)
from octant.rerank import compared
from octant.schema import Field, Schema
from octant.space import Space
from octant.stores.capabilities import Capabilities, Feature
from octant.vectors import Array, Kind, Sparse, Vector, normalize

__all__ = ["Leg", "Plan", "Stored", "make_plans", "touched"]

Stored: TypeAlias = Mapping[str, Mapping[str, Vector]]
"""The stored vectors of the items that queries name: item id -> field -> vector."""
Given: TypeAlias = Vector | models.RecommendQuery | models.DiscoverQuery | models.ContextQuery | models.TextQuery


@dataclass(frozen=True, slots=True)
class Leg:
    """One search in one field."""

    field: str
    query: Given
    weight: float = 1.0
    floor: float | None = None
    """What is less similar has no part in a fusion."""
    background: Background | None = None
    key: str | None = None
    """The payload key of a text index, which has no vectors."""
    above: float | None = None
    """What scores no more is no hit at all: a word that the question leads away from must not find anything."""

    @property
    def using(self) -> str:
        return self.key or self.field

    def least(self, bound: float | None) -> float | None:
        """The score that a hit must reach: of a bound, and of what is no hit at all, the stricter."""
        return max((one for one in (bound, self.above) if one is not None), default=None)

    def ask(self) -> Any:
        """What octant's stores take as the query: Qdrant's models, and a dense vector as a numpy array."""
        if isinstance(self.query, Sparse):
            return models.SparseVector(indices=list(self.query.indices), values=list(self.query.values))
        return self.query


@dataclass(frozen=True, slots=True)
class Plan:
    """The legs of a query and how they become one answer."""

    query: Query
    legs: tuple[Leg, ...]
    fusion: Fusion
    narrow: models.Filter | None = None
    """The payload filter, and without the items that the query names."""
    native: bool = True
    """Whether the store fuses; else the client does the same sums."""
    notes: tuple[str, ...] = ()
    """What was left out or is done elsewhere, in words."""
    compared: Mapping[str, Vector] = field(default_factory=dict[str, Vector])
    """The query's vectors in the fields that its rerankers compare."""

    @property
    def voters(self) -> list[Voter]:
        return [Voter(leg.field, leg.weight, leg.background, leg.key) for leg in self.legs]

    @property
    def reach(self) -> int:
        """How many of the best to bring: what is to be shown, or what rerankers want to look at."""
        wanted = self.query.offset + self.query.limit
        return max([wanted, *(stage.candidates for stage in self.query.rerank)])

    def depth(self, reach: int) -> int:
        """How many candidates of each leg are looked at, to bring so many hits.

        It grows in steps of four times: pages of one depth are pieces of one ranking.
        """
        depth = self.query.depth
        while depth < reach:
            depth *= 4
        return depth

    @property
    def fused(self) -> bool:
        """Whether several legs answer."""
        return len(self.legs) > 1

    def request(self, limit: int) -> models.QueryRequest:
        """The one request that the store answers: a plain search, or prefetches and a fusion.

        Its dense vectors are numpy arrays, which octant's stores take; `as_dict` has all as plain data.
        """
        if not self.fused:
            return self._alone(self.legs[0], limit, self.query.threshold, payload=True)
        depth = self.depth(limit)
        searches = [
            models.Prefetch.model_construct(
                query=leg.ask(),
                using=leg.using,
                filter=self.narrow,
                params=self._params(),
                limit=depth,
                score_threshold=leg.least(leg.floor),
            )
            for leg in self.legs
        ]
        return models.QueryRequest.model_construct(
            prefetch=searches,
            query=self.fusion.query(self.voters),
            limit=limit,
            with_payload=True,
            with_vector=list(self.compared) or None,
        )

    def each(self, depth: int, *, payload: bool = False) -> list[models.QueryRequest]:
        """A request per leg, for its own candidates: to fuse them in the client, or to explain."""
        return [self._alone(leg, depth, leg.floor, payload=payload) for leg in self.legs]

    def _alone(self, leg: Leg, limit: int, bound: float | None, *, payload: bool) -> models.QueryRequest:
        return models.QueryRequest.model_construct(
            query=leg.ask(),
            using=leg.using,
            filter=self.narrow,
            params=self._params(),
            limit=limit,
            score_threshold=leg.least(bound),
            with_payload=payload,
            with_vector=list(self.compared) or None,
        )

    def _params(self) -> models.SearchParams | None:
        return models.SearchParams(exact=True) if self.query.exact else None

    def as_dict(self, *, vectors: bool = True) -> dict[str, Any]:
        """The plan as plain data, for JSON; without `vectors` each is only said to be one."""
        return {
            "legs": [
                {
                    "field": leg.field,
                    "query": _plain(leg.ask()) if vectors else _brief(leg.query),
                    "weight": leg.weight,
                    **({} if leg.floor is None else {"floor": leg.floor}),
                    **({} if leg.background is None else {"background": [leg.background.mean, leg.background.std]}),
                }
                for leg in self.legs
            ],
            "fusion": self.fusion.name if self.fused else None,
            "in": "store" if self.native or not self.fused else "client",
            "filter": None if self.narrow is None else _plain(self.narrow),
            "limit": self.query.limit,
            "offset": self.query.offset,
            "depth": self.depth(self.reach) if self.fused else None,
            "threshold": self.query.threshold,
            "rerank": [stage.reranker.name for stage in self.query.rerank],
            "group_by": self.query.group_by,
            "facets": list(self.query.facets),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        """The plan in a few lines."""
        lines = [f"{leg.field} × {leg.weight:g}: {_brief(leg.query)}" for leg in self.legs]
        how = f"{self.fusion.name} in the {'store' if self.native else 'client'}" if self.fused else "one field"
        after = [stage.reranker.name for stage in self.query.rerank]
        where = [] if self.narrow is None else [f"where {_plain(self.narrow)}"]
        return "\n".join([*lines, *where, " → ".join([how, *after]), *self.notes])


def make_plans(
    queries: Sequence[Query],
    schema: Schema,
    stored: Stored | None = None,
    *,
    backgrounds: Backgrounds | None = None,
    capabilities: Capabilities | None = None,
) -> list[Plan]:
    """Encode queries and lay out their legs. No I/O: a medium is encoded once per space, in one batch per modality.

    `stored` has the vectors of the items that queries name. A query that names no fusion is fused as `_default`
    says: by `Calibrated` where that has won and enough is known, else by `RRF`.

    Raises UnsupportedModality where no field answers a query, MediaError where a medium cannot be decoded (an
    ExceptionGroup of them where that is true of several).
    """
    searched = [_fields(query, schema, stored or {}) for query in queries]
    judged = [[schema.fields[name] for name in _compared(query, schema)] for query in queries]
    read = [[*fields, *more] for fields, more in zip(searched, judged, strict=True)]
    vectors = _encode(queries, read)
    plans: list[Plan] = []
    for query, fields, more in zip(queries, searched, judged, strict=True):
        several = len(fields) + len(_texts(query, schema)) > 1
        calibrated = several and isinstance(query.fusion, Calibrated | None)
        asking = _Asking(query, vectors, stored or {}, backgrounds if calibrated else None)
        if gone := [
            one.id for one in examples_of(query.like) if isinstance(one, ById) and one.id not in (stored or {})
        ]:
            asking.notes.append(f"no item {', '.join(map(repr, gone))} in this collection (any more): asked without")
        legs = [leg for f in asking.readers(fields) if (leg := asking.leg(f)) is not None]
        legs += [leg for text in _texts(query, schema) if (leg := asking.words(text)) is not None]
        if not legs:
            raise StoreError(f"no field can be asked with {_brief(query.like)}: its examples have no vectors in common")
        compared = {f.name: asking.one(f) for f in more}
        chosen, why = (query.fusion, ()) if query.fusion is not None else _default(query.like, legs)
        plan = Plan(query, tuple(legs), chosen, _narrow(query), notes=(*asking.notes, *why), compared=compared)
        plans.append(_laid(plan, capabilities))
    return plans


def _default(like: Asked, legs: Sequence[Leg]) -> tuple[Fusion, tuple[str, ...]]:
    """How legs are fused where a query does not say, and why, if that is to be told.

    Calibrated scores rank mixed collections best for texts and images that ask (docs/fusion.md); they need to know what
    chance would score. For sounds they lost: a field of photos stands out more by chance than the sound itself does.
    """
    if len(legs) == 1 or any(isinstance(one, Audio) for one in _liked(like)):
        return RRF(), ()
    if unknown := [leg.field for leg in legs if leg.background is None]:
        return RRF(), (f"fused by ranks: too little is known of what chance scores in {', '.join(unknown)}",)
    return Calibrated(), ()


def _compared(query: Query, schema: Schema) -> tuple[str, ...]:
    """The fields whose stored vectors the rerankers of a query compare."""
    names = compared(query.rerank)
    if unknown := [name for name in names if name not in schema.fields]:
        raise StoreError(f"a reranker compares field {unknown[0]!r}; this collection has {', '.join(schema.fields)}")
    return names


def _laid(plan: Plan, capabilities: Capabilities | None) -> Plan:
    """Say who does what; refuse what the store cannot do, and a threshold that would mean nothing."""
    if capabilities is not None:
        supports = [(feature, capabilities.need(feature)) for feature in _asked_of(plan)]
        if emulated := [f"{feature}: {support.note}" for feature, support in supports if support.how == "emulated"]:
            plan = replace(plan, notes=(*plan.notes, *emulated))
    if not plan.fused:
        return plan
    if plan.query.threshold is not None and plan.fusion.unit is None:
        raise ValueError(
            f"a threshold means nothing to {plan.fusion.name}, whose scores are ranks: search one field, "
            "or fuse with Calibrated(), whose scores are standard deviations above unrelated pairs"
        )
    query = plan.fusion.query(plan.voters)
    if query is not None and (capabilities is None or all(map(capabilities.can, _features(query)))):
        return plan
    return replace(
        plan, native=False, notes=(*plan.notes, f"{plan.fusion.name} is computed by octant, not by the store")
    )


_STRATEGIES = {
    models.RecommendStrategy.AVERAGE_VECTOR: Feature.RECOMMEND_AVERAGE,
    models.RecommendStrategy.BEST_SCORE: Feature.RECOMMEND_BEST,
    models.RecommendStrategy.SUM_SCORES: Feature.RECOMMEND_SUM,
}


def _asked_of(plan: Plan) -> list[Feature]:
    """What a store must be able to do for the legs and facets of a plan."""
    like = plan.query.like
    return [
        *([_STRATEGIES[like.strategy]] if isinstance(like, Recommend) else []),
        *([Feature.CONTEXT if like.target is None else Feature.DISCOVER] if isinstance(like, Discover) else []),
        *([Feature.TEXT_QUERY] if any(leg.key is not None for leg in plan.legs) else []),
        *([Feature.FACET] if plan.query.facets else []),
    ]


def _features(fusing: FusionQuery) -> tuple[Feature, ...]:
    """What a store must be able to do for a fusion."""
    match fusing:
        case models.RrfQuery():
            return (Feature.RRF_K,) if fusing.rrf.weights is None else (Feature.RRF_K, Feature.RRF_WEIGHTS)
        case models.FusionQuery():
            return (Feature.DBSF,)
        case _:
            return (Feature.FORMULA,)


_LEAST = 1e-6


@dataclass(slots=True)
class _Asking:
    """A query with the vectors of its examples, as fields ask for them."""

    query: Query
    encoded: Mapping[tuple[int, int], Vector]
    """By the identities of a space and a medium."""
    stored: Stored
    backgrounds: Backgrounds | None
    notes: list[str] = field(default_factory=list[str])

    def readers(self, fields: Sequence[Field]) -> list[Field]:
        """The fields to search; not those that read less of a composed question than another one of their modality.

        A photo and words are asked together in the space that reads both, not beside it in one that reads photos alone.
        """
        like = self.query.like
        if not isinstance(like, Composed) or self.query.fields:
            return list(fields)
        dense = [f for f in fields if f.space.kind is not Kind.SPARSE]
        read = {f.name: sum(self.vector(f, part.example) is not None for part in like.parts) for f in dense}
        most = {f.modality: max(read[g.name] for g in dense if g.modality is f.modality) for f in dense}
        return [f for f in fields if f.name not in read or read[f.name] == most[f.modality]]

    def leg(self, f: Field) -> Leg | None:
        """The search in a field; None where the examples that it needs have no vectors there."""
        weight = self.query.weights.get(f.name, 1.0)
        modality = _modality(self.query.like)
        floor = None if modality is None else f.floors.get(modality)
        made = self._query(f)
        if made is None:
            return None
        share, asked = made
        background = None
        # what contexts and recommendations score is no similarity
        if self.backgrounds is not None and isinstance(asked, np.ndarray | Sparse):
            background = self.backgrounds.of(modality or _heaviest(self.query.like), f.name, asked)
        above = _LEAST if isinstance(asked, Sparse) and min(asked.values, default=1.0) < 0 else None
        return Leg(f.name, asked, weight * share, floor, background, above=above)

    def words(self, text: TextIndex) -> Leg | None:
        """The search in a text index: the words of all the texts that the question wants to be near to."""
        like = self.query.like
        parts = like.parts if isinstance(like, Composed) else (Part(like),) if isinstance(like, Text) else ()
        read = [(part.example.content, part.weight) for part in parts if isinstance(part.example, Text)]
        near = [(content, weight) for content, weight in read if weight > 0]
        words = " ".join(content for content, _ in near)
        if not words.strip():
            return None
        if missing := len(parts) - len(near):
            self.notes.append(f"field {text.name!r} cannot read {missing} of {len(parts)} parts")
        share = sum(weight for _, weight in near) / sum(abs(part.weight) for part in parts)
        weight = share * self.query.weights.get(text.name, 1.0)
        background = None if self.backgrounds is None else self.backgrounds.of(Modality.TEXT, text.name)
        return Leg(text.name, text.query(words), weight, None, background, key=text.key)

    def one(self, f: Field) -> Vector:
        """The query as one vector of a field, for what compares vectors again."""
        like = self.query.like
        if isinstance(like, Recommend) and like.strategy is models.RecommendStrategy.AVERAGE_VECTOR:
            # as the store does: the mean of what is liked, moved away from that of what is not
            near, far = self._all(f, like.like), self._all(f, like.unlike)
            if near and f.space.kind is Kind.DENSE and not f.is_multivector:
                mean: Array = np.mean(cast("list[Array]", near), axis=0)
                away: Array = np.mean(cast("list[Array]", far), axis=0) if far else mean
                return mean + mean - away
        made = self._query(f)
        if made is None or not isinstance(made[1], np.ndarray | Sparse):
            raise StoreError(f"field {f.name!r} has no single vector for this query, which a reranker wants to compare")
        return made[1]

    def _query(self, f: Field) -> tuple[float, Given] | None:
        match self.query.like:
            case Composed() as composed:
                return self._composed(f, composed)
            case Recommend() as wanted:
                liked, unlike = self._all(f, wanted.like), self._all(f, wanted.unlike)
                if not liked and (not unlike or wanted.strategy is models.RecommendStrategy.AVERAGE_VECTOR):
                    return None
                found = models.RecommendInput.model_construct(
                    positive=[_listed(v) for v in liked],
                    negative=[_listed(v) for v in unlike],
                    strategy=wanted.strategy,
                )
                return 1.0, models.RecommendQuery.model_construct(recommend=found)
            case Discover() as wanted:
                target = [] if wanted.target is None else self._all(f, [wanted.target])
                pairs = [self._all(f, pair) for pair in wanted.context]
                if len(target) != (wanted.target is not None) or any(len(pair) != 2 for pair in pairs):
                    return None
                context = [
                    models.ContextPair.model_construct(positive=_listed(near), negative=_listed(far))
                    for near, far in pairs
                ]
                if not target:
                    return 1.0, models.ContextQuery.model_construct(context=context)
                within = models.DiscoverInput.model_construct(target=_listed(target[0]), context=context)
                return 1.0, models.DiscoverQuery.model_construct(discover=within)
            case example:
                vector = self.vector(f, example)
                return None if vector is None else (1.0, _shaped(f, vector))

    def _composed(self, f: Field, composed: Composed) -> tuple[float, Given] | None:
        parts = [(vector, part) for part in composed.parts if (vector := self.vector(f, part.example)) is not None]
        if f.is_multivector and any(part.weight < 0 for _, part in parts):
            self.notes.append(
                f"field {f.name!r} compares by MaxSim, which cannot lead away: negative parts are left out"
            )
            parts = [(vector, part) for vector, part in parts if part.weight > 0]
        if not any(part.weight > 0 for _, part in parts):
            return None
        if missing := len(composed.parts) - len(parts):
            self.notes.append(f"field {f.name!r} cannot read {missing} of {len(composed.parts)} parts")
        share = sum(abs(part.weight) for _, part in parts) / sum(abs(part.weight) for part in composed.parts)
        return share, _summed(f, [(vector, part.weight) for vector, part in parts])

    def _all(self, f: Field, examples: Sequence[Example]) -> list[Vector]:
        return [_shaped(f, vector) for one in examples if (vector := self.vector(f, one)) is not None]

    def vector(self, f: Field, example: Example) -> Vector | None:
        """The vector of an example in a field; None where it has none."""
        match example:
            case ById(name):
                return self.stored.get(name, {}).get(f.name)
            case ByVector(given):
                vector: Vector = given if isinstance(given, Sparse) else np.asarray(given, dtype=np.float32)
                sparse = f.space.kind is Kind.SPARSE
                if isinstance(vector, Sparse) != sparse or (
                    not isinstance(vector, Sparse) and vector.shape[-1] != f.space.dim
                ):
                    has = "a sparse vector" if isinstance(vector, Sparse) else f"a vector of {vector.shape[-1]} numbers"
                    wants = "a sparse one" if sparse else f"one of {f.space.dim}"
                    raise StoreError(
                        f"field {f.name!r} was given {has} and takes {wants}; name its fields: fields=(...)"
                    )
                return vector
            case medium:
                return self.encoded.get((id(f.space), id(medium)))


def _shaped(f: Field, vector: Vector) -> Vector:
    """A multivector is asked with one, of a single row where the space gives single vectors."""
    return vector[None] if f.is_multivector and not isinstance(vector, Sparse) and vector.ndim == 1 else vector


def _summed(f: Field, parts: Sequence[tuple[Vector, float]]) -> Vector:
    """The weighted sum of unit vectors; rows beside one another for MaxSim; sums by term for sparse ones."""
    if f.space.kind is Kind.SPARSE:
        sums: dict[int, float] = {}
        for vector, weight in parts:
            for index, value in zip(cast("Sparse", vector).indices, cast("Sparse", vector).values, strict=True):
                sums[index] = sums.get(index, 0.0) + weight * value
        return Sparse(tuple(sums), tuple(sums.values()))
    dense = [(cast("Array", vector), np.float32(weight)) for vector, weight in parts]
    if f.is_multivector:
        return np.concatenate([cast("Array", _shaped(f, vector)) * weight for vector, weight in dense])
    return normalize(np.sum([normalize(vector) * weight for vector, weight in dense], axis=0))


def _encode(queries: Sequence[Query], touched: Sequence[Sequence[Field]]) -> dict[tuple[int, int], Vector]:
    """Encode each medium once in every space that may read it, in one batch per space and modality."""
    wanted: dict[tuple[int, Modality], tuple[Space, dict[int, Media]]] = {}
    for query, fields in zip(queries, touched, strict=True):
        media = [one for one in examples_of(query.like) if isinstance(one, Text | Image | Audio)]
        # a field of given vectors that answers no medium may have no encoder
        for space in dict.fromkeys(f.space for f in fields if f.answers or not f.given):
            for medium in media:
                if medium.modality in space.modalities:
                    _, batch = wanted.setdefault((id(space), medium.modality), (space, {}))
                    batch[id(medium)] = medium
    found: dict[tuple[int, int], Vector] = {}
    for (name, modality), (space, batch) in wanted.items():
        encoded = _encoded(space, modality, list(batch.values()))
        found.update(((name, medium), vector) for medium, vector in zip(batch, encoded, strict=True))
    return found


def _encoded(space: Space, modality: Modality, media: Sequence[Media]) -> list[Vector]:
    try:
        return space.encode(media, modality, Role.QUERY)
    except ExceptionGroup as group:
        broken = cast("tuple[Exception, ...]", group.exceptions)  # pyright: ignore[reportUnknownMemberType]
        if len(broken) == 1 and isinstance(broken[0], MediaError):
            raise broken[0] from None
        raise


def touched(query: Query, schema: Schema, stored: Stored) -> list[str]:
    """Name the fields that a query searches. Raises as `make_plans`."""
    return [*(f.name for f in _fields(query, schema, stored)), *(text.name for text in _texts(query, schema))]


def _fields(query: Query, schema: Schema, stored: Stored) -> list[Field]:
    """The fields that a query searches: those it names, else those that answer one of its (liked) examples."""
    names = [*schema.fields, *schema.texts]
    if unknown := [name for name in query.fields if name not in names]:
        raise StoreError(f"no field {unknown[0]!r} in this collection; it has {', '.join(names)}")
    if unknown := [name for name in query.weights if name not in names]:
        raise StoreError(f"weights name {unknown[0]!r}, which is no field; there are {', '.join(names)}")
    named = [f for f in schema.fields.values() if not query.fields or f.name in query.fields]
    wanted = query.into or tuple(Modality)
    asking = _liked(query.like)
    found = [
        f
        for f in named
        if f.modality in wanted and any(_answers(f, one, stored, by_name=bool(query.fields)) for one in asking)
    ]
    if not found and not (_texts(query, schema) and any(isinstance(one, Text) for one in asking)):
        raise _unanswered(query, schema, asking, stored)
    return found


def _texts(query: Query, schema: Schema) -> list[TextIndex]:
    """The text indexes that a query searches."""
    if query.fields:
        return [schema.texts[name] for name in query.fields if name in schema.texts]
    return list(schema.texts.values()) if Modality.TEXT in (query.into or tuple(Modality)) else []


def _answers(f: Field, example: Example, stored: Stored, *, by_name: bool) -> bool:
    match example:
        case ById(name):
            return f.name in stored.get(name, {})
        case ByVector():
            return True
        case medium:
            return medium.modality in (f.space.modalities if by_name else f.answers)


def _unanswered(query: Query, schema: Schema, asking: Sequence[Example], stored: Stored) -> Exception:
    into = " or ".join(query.into or tuple(Modality))
    named = [one for one in asking if isinstance(one, ById)]
    if missing := [one.id for one in named if one.id not in stored]:
        return StoreError(f"no item {missing[0]!r} in this collection to search with; ids are those that hits show")
    if named and len(named) == len(asking):
        return StoreError(f"item {named[0].id!r} has no vector in the fields of this search into {into}")
    media = [one.modality for one in asking if isinstance(one, Text | Image | Audio)]
    if not media:
        names = ", ".join(query.fields) or "any field"
        return StoreError(f"a vector cannot be asked of {names} into {into}; name fields of vectors of that modality")
    asked = media[0]
    pairs = sorted({f"{m} to {f.modality}" for f in schema.fields.values() for m in f.answers})
    where = (
        f"no field for a search into {into}" if not query.fields else f"none of the fields {', '.join(query.fields)}"
    )
    return UnsupportedModality(asked, where, f"this schema answers {', '.join(pairs)}")


def _liked(like: Asked) -> list[Example]:
    """The examples that a question wants to be near to; where there are none, those it leads away from."""
    match like:
        case Composed():
            return [part.example for part in like.parts if part.weight > 0]
        case Recommend():
            return list(like.like or like.unlike)
        case Discover():
            return [like.target] if like.target is not None else [near for near, _ in like.context]
        case example:
            return [example]


def _modality(like: Asked) -> Modality | None:
    """The one modality of all the media that a question wants to be near to, if there is one."""
    modalities = {one.modality if isinstance(one, Text | Image | Audio) else None for one in _liked(like)}
    return modalities.pop() if len(modalities) == 1 else None


def _heaviest(like: Asked) -> Modality | None:
    """The modality of the medium that counts most in a composed question."""
    parts = like.parts if isinstance(like, Composed) else ()
    media = [(part.weight, part.example) for part in parts if isinstance(part.example, Text | Image | Audio)]
    return max(media, key=lambda one: one[0])[1].modality if media else None


def _narrow(query: Query) -> models.Filter | None:
    narrow = filter_of(query.where)
    named = [one.id for one in examples_of(query.like) if isinstance(one, ById)]
    if not named:
        return narrow
    mentioned = models.HasIdCondition(has_id=[point_id(one) for one in dict.fromkeys(named)])
    return models.Filter(must=None if narrow is None else [narrow], must_not=[mentioned])


def _listed(vector: Vector) -> Any:
    asked = Leg("", vector).ask()
    return asked.tolist() if isinstance(asked, np.ndarray) else asked


def _plain(value: Any) -> Any:
    """Qdrant's models and arrays as plain data, without what is not set."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    dump = getattr(value, "model_dump", None)
    return dump(mode="json", exclude_none=True) if dump is not None else value


def _brief(asked: Any) -> str:
    match asked:
        case np.ndarray():
            return f"vector of {' × '.join(map(str, asked.shape))}"  # pyright: ignore[reportUnknownMemberType,reportUnknownArgumentType]
        case Sparse():
            return f"sparse vector of {len(asked.indices)}"
        case Text():
            return repr(asked.content[:60])
        case _:
            return type(asked).__name__
