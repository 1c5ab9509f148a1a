"""How a search goes, step by step: what the store is asked, and what is computed between.

A walk is a generator that yields `Ask` (a call of the store) and `Think` (work for the processor) and is sent what
comes of them. `Collection` and `AsyncCollection` drive the same walks; they differ in nothing but the waiting.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias, TypeVar

import numpy as np
from qdrant_client.http import models

from octant.calibrate import Backgrounds, asking, measure, read, sampling
from octant.errors import FilterError, StoreError
from octant.filters import F, Kind, Known, Where, check, condition_of, fields_asked, filter_of, known_of, unknown_keys
from octant.fusion import Calibrated, Fused
from octant.item import Explanation, Hit, LegScore
from octant.payload import MEDIA, point_id
from octant.plan import Plan, Stored, make_plans, touched
from octant.query import ById, Query, examples_of
from octant.rerank import Boost, InField, Nested, Stage, explained, in_store, rank
from octant.schema import Schema
from octant.stores.capabilities import Capabilities
from octant.vectors import Sparse, Vector

__all__ = [
    "Answer",
    "Ask",
    "Group",
    "Think",
    "View",
    "Walk",
    "answers",
    "backgrounds",
    "checked",
    "page",
    "planned",
    "vectors_of",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ask:
    """A call of the store's client."""

    method: str
    args: tuple[Any, ...]
    named: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Think:
    """Work for the processor: asyncio does it in a thread."""

    work: Callable[[], Any]
    may_wait: bool = False
    """Whether it may take long, or wait: it must not keep the encoders of other searches waiting."""


Walk: TypeAlias = Generator[Ask | Think, Any, T]


@dataclass(slots=True)
class View:
    """What a search knows of its collection."""

    name: str
    schema: Schema
    capabilities: Capabilities
    backgrounds: Backgrounds | None = None
    """What scores by chance, once it has been measured."""
    measured: Mapping[str, Any] | None = None
    """The same as it is stored with the collection, without the cohorts, which are read again."""
    known: Known | None = None
    """The payload keys that items have and what they hold, once a sample has been read."""
    looked: float = 0.0
    """When it was last looked whether the backgrounds are stale: others may write as well. Seconds, monotonic."""

    def forget(self) -> None:
        """Forget what was learned of the items: they are others now."""
        self.known = self.backgrounds = None


@dataclass(frozen=True, slots=True)
class Group:
    """Hits that have one value of a payload key."""

    key: str | int
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The hits of a query, best first, and how they came about."""

    plan: Plan
    hits: tuple[Hit, ...]
    groups: tuple[Group, ...] = ()
    facets: Mapping[str, Mapping[str | int, int]] = field(default_factory=dict[str, Mapping[str | int, int]])
    """Payload key -> value -> how many items have it, most frequent first."""
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    """By stage: plan, search, fuse, rerank. Queries of one batch share their plan and search."""
    notes: tuple[str, ...] = ()
    """What was emulated, left out or came too late, in words."""


def answers(queries: Sequence[Query], view: View) -> Walk[list[Answer]]:
    """Answer many queries with one batch per encoder and, but for ids, groups and facets, one call of the store."""
    clock = _Clock()
    with clock.stage("plan"):
        yield from checked([query.where for query in queries], view)
        for reranker in (stage.reranker for query in queries for stage in query.rerank):
            if isinstance(reranker, Boost):
                yield from checked([F(key).is_empty() for key in reranker.expression.defaults], view)
        plans, plain, asked = yield from _planned(queries, view, partial(_asked, view))
    with clock.stage("search"):
        found: list[models.QueryResponse] = []
        if plain:
            found = yield Ask("query_batch_points", (view.name, [one for several in asked for one in several]))
    remaining = iter(found)
    taken = iter([[next(remaining).points for _ in several] for several in asked])
    searches = iter(plain)
    answered: list[Answer] = []
    for plan in plans:
        own = clock.copy()
        if plan.query.group_by is None:
            answered.append((yield from _finished(next(searches), next(taken), view, own)))
        else:
            answered.append((yield from _grouped(plan, view, own)))
        if plan.query.facets:
            facets = yield from _facets(plan.query, view)
            answered[-1] = replace(answered[-1], facets=facets)
    return answered


_SAMPLED = 256
"""Payloads that are read to learn which keys there are."""


def checked(wheres: Sequence[Where | None], view: View) -> Walk[None]:
    """Refuse filters on keys that no item has, or of another kind than the key holds. Qdrant's own pass as they are.

    Raises FilterError, which names what is known.
    """
    asked = [condition_of(one) for one in wheres if one is not None and not isinstance(one, models.Filter)]
    for condition in asked:
        if condition is None:
            continue
        if unknown := [name for name in fields_asked(condition) if name not in view.schema.fields]:
            raise FilterError(f"no field {unknown[0]!r} to have; this collection has {', '.join(view.schema.fields)}")
        known = view.known
        if known is None:
            few: tuple[list[models.Record], Any] = yield Ask(
                "scroll",
                (view.name,),
                {"limit": _SAMPLED, "with_payload": models.PayloadSelectorExclude(exclude=[MEDIA])},
            )
            if not few[0]:
                return  # nothing is known of an empty collection, and nothing is found in it
            # an index says what a key would hold, not that an item has it
            known = known_of([record.payload or {} for record in few[0]], {})
        for key in unknown_keys(condition, known):
            # a sample can miss a rare key
            having = (~F(key).is_empty()).filter()
            found: models.CountResult = yield Ask("count", (view.name,), {"count_filter": having, "exact": True})
            if found.count:
                known = {**known, key: frozenset[Kind]()}
        view.known = known
        try:
            check(condition, known)
        except FilterError:
            if unknown_keys(condition, known) or "not " in str(condition):  # which many match for what they have not
                raise
            # a sample can miss a rare kind of value as well
            rare: models.CountResult = yield Ask(
                "count", (view.name,), {"count_filter": condition.filter(), "exact": True}
            )
            if not rare.count:
                raise


def _asked(view: View, plans: list[Plan]) -> tuple[list[Plan], list[_Search], list[list[models.QueryRequest]]]:
    """The plans, and for those without groups what is asked of the store."""
    plain = [_search(plan, view) for plan in plans if plan.query.group_by is None]
    return plans, plain, [search.requests() for search in plain]


def _planned(queries: Sequence[Query], view: View, then: Callable[[list[Plan]], T]) -> Walk[T]:
    """Make plans, and of them what is wanted: one piece of work, so that an event loop is not kept from turning."""
    stored: Stored = {}
    if any(isinstance(one, ById) for query in queries for one in examples_of(query.like)):
        stored = yield from _stored(queries, view)
    fresh = view.backgrounds is not None and time.monotonic() - view.looked <= _LOOK_AGAIN
    if not fresh and any(_wants_backgrounds(query, view.schema, stored) for query in queries):
        if view.backgrounds is not None:
            view.looked = time.monotonic()
            counted: models.CountResult = yield Ask("count", (view.name,), {"exact": False})
            filled = view.backgrounds.empty and counted.count > view.backgrounds.points
            if filled or view.backgrounds.stale(view.schema, counted.count) is not None:
                view.forget()
        if view.backgrounds is None:
            view.backgrounds, view.looked = (yield from backgrounds(view)), time.monotonic()

    def work() -> T:
        known = view.backgrounds
        return then(make_plans(queries, view.schema, stored, backgrounds=known, capabilities=view.capabilities))

    made: T = yield Think(work)
    return made


_LOOK_AGAIN = 30.0
"""Seconds after which it is looked again whether others have made what is known of a collection stale."""


def _wants_backgrounds(query: Query, schema: Schema, stored: Stored) -> bool:
    """Whether a query is to be fused by calibrated scores."""
    if len(query.fields) == 1:
        return False
    return isinstance(query.fusion, Calibrated | None) and len(touched(query, schema, stored)) > 1


def backgrounds(view: View, *, anew: bool = False) -> Walk[Backgrounds]:
    """Measure on a sample of the collection what scores by chance; read it where it is stored, unless `anew`."""
    drawn: list[models.QueryResponse] = yield Ask("query_batch_points", (view.name, sampling(view.schema)))
    sample = read(view.schema, drawn)
    counted: models.CountResult = yield Ask("count", (view.name,), {"exact": False})
    if view.measured is not None and not anew:
        stored = Backgrounds.from_json(view.measured)
        if stored.stale(view.schema, counted.count) is None:
            return replace(stored, cohorts=sample.cohorts(), empty=sample.empty)
    requests: list[models.QueryRequest] = yield Think(partial(asking, view.schema, sample))
    overlaps: list[models.QueryResponse] = []
    if requests:
        overlaps = yield Ask("query_batch_points", (view.name, requests))
    found: Backgrounds = yield Think(partial(measure, view.schema, sample, overlaps, points=counted.count))
    return found


@dataclass(frozen=True, slots=True)
class _Search:
    """The requests of one plan, and what becomes of their answers."""

    plan: Plan
    schema: Schema
    reach: int
    """How many candidates to bring, best first."""
    nested: Nested | None = None
    """The request that runs the first rerankers in the store, if it can."""
    more: int = 1
    """How many more are asked for than wanted, to see what is equal at the cut."""

    @property
    def depth(self) -> int:
        return self.plan.depth(self.reach)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The rerankers that are left to the client."""
        return self.plan.query.rerank if self.nested is None else self.nested.left

    def requests(self) -> list[models.QueryRequest]:
        if not self.plan.native:
            return self.plan.each(self.depth, payload=True)
        if self.nested is not None and not self.plan.query.explain:
            return [self.nested.request]
        explain = self.plan.query.explain and self.plan.fused
        legs = self.plan.each(self.depth) if explain else []
        more = self.more if self.is_settled else 0
        return [self.plan.request(self.reach + more), *legs, *(() if self.nested is None else self.nested.steps)]

    @property
    def is_settled(self) -> bool:
        """Whether equal hits of one field are to be put in one order, so that pages fit together.

        Not where rerankers follow: the store's own, which theirs is compared with, does not.
        """
        return not self.plan.fused and not self.plan.query.rerank

    def is_open(self, found: Sequence[Sequence[models.ScoredPoint]]) -> bool:
        """Whether more hits are equal at the cut than were asked for."""
        if not self.is_settled or self.more >= _EQUALS:
            return False
        [points] = found
        return len(points) == self.reach + self.more and points[-1].score == points[self.reach - 1].score

    def is_short(self, found: Sequence[Sequence[models.ScoredPoint]]) -> bool:
        """Whether rerankers in the store may have lost hits that they could not judge."""
        return self.nested is not None and not self.nested.complete and len(found[-1]) < self.nested.wanted

    def fields(self, found: Sequence[Sequence[models.ScoredPoint]]) -> dict[str, InField]:
        """The vectors that rerankers compare: the query's, and by the id of a hit those of the points."""
        if not self.plan.compared:
            return {}
        # the first answer is the one with payloads
        held = {point.id: point for points in reversed(found) for point in points if point.vector is not None}
        named = [(self.schema.hit(point).id, vectors_of(point.vector)) for point in held.values()]
        return {
            name: InField(self.schema.fields[name].space.distance, asked, {id: v[name] for id, v in named if name in v})
            for name, asked in self.plan.compared.items()
        }

    def hits(self, found: Sequence[Sequence[models.ScoredPoint]]) -> list[Hit]:
        """The candidates, best first, as far as the store has judged them; explained where that was asked for."""
        if self.nested is None:
            return self._found(found)
        if not self.plan.query.explain:
            return [self.schema.hit(point) for point in found[0]]
        steps = len(self.nested.steps)
        hits = self._found(found[:-steps])
        for stage, points in zip(self.nested.inside, found[-steps:], strict=True):
            hits = explained(hits, [self.schema.hit(point) for point in points], stage)
        return hits

    def _found(self, found: Sequence[Sequence[models.ScoredPoint]]) -> list[Hit]:
        """The candidates of the search itself."""
        plan = self.plan
        if not plan.fused:
            [points] = found
            [leg] = plan.legs
            if self.is_settled:
                points = _settled(points)[: self.reach]
            hits = [self.schema.hit(point) for point in points]
            if not plan.query.explain:
                return hits  # the store has left out what is below the threshold
            return [
                replace(h, explanation=Explanation(h.score, (LegScore(leg.field, h.score, i, h.score, 1.0, h.score),)))
                for i, h in enumerate(hits, start=1)
            ]
        if plan.native:
            hits = [self.schema.hit(point) for point in found[0]]
            if plan.query.explain:
                parts = {one.id: one for one in self._fuse(found[1:], {str(p.id): p for p in found[0]})}
                ids = [str(point.id) for point in found[0]]
                hits = [_explained(hit, parts.get(name)) for hit, name in zip(hits, ids, strict=True)]
        else:
            held = {str(point.id): point for leg in reversed(found) for point in leg}
            fused = self._fuse(found, held)[: self.reach]
            hits = [replace(self.schema.hit(held[one.id]), score=one.score) for one in fused]
            if plan.query.explain:
                hits = [_explained(hit, one) for hit, one in zip(hits, fused, strict=True)]
        least = plan.query.threshold
        return hits if least is None else [hit for hit in hits if hit.score >= least]

    def _fuse(
        self, found: Sequence[Sequence[models.ScoredPoint]], points: Mapping[str, models.ScoredPoint]
    ) -> list[Fused]:
        scores = [{str(point.id): point.score for point in leg} for leg in found]

        def takes_part(name: str) -> Collection[str]:
            point = points.get(name)
            return () if point is None else self.schema.taking_part(point.payload or {})

        return self.plan.fusion.fuse(self.plan.voters, scores, takes_part)


def _search(plan: Plan, view: View) -> _Search:
    """A search, with its first rerankers in the store where nothing needs to be known of the order before them."""
    query = plan.query
    whole = _Search(plan, view.schema, plan.reach)
    if not query.rerank or not plan.native or query.threshold is not None:
        return whole
    wanted = query.offset + query.limit
    nested = in_store(plan.request(plan.reach), query.rerank, wanted, plan.compared, view.capabilities.can)
    return replace(whole, nested=nested) if nested.inside else whole


_EQUALS = 256
"""So many hits of one field that are equal at a cut come in one order; beyond that, as the engine has them."""


def _settled(points: Sequence[models.ScoredPoint]) -> list[models.ScoredPoint]:
    """Order equal hits by id; the others stay: of distances such as Euclid's the least is the best."""
    rising = bool(points) and points[0].score < points[-1].score
    return sorted(points, key=lambda point: (point.score if rising else -point.score, str(point.id)))


_FEW = 100
"""Hits that are sooner read than handed to a thread."""


def _finished(search: _Search, found: list[list[models.ScoredPoint]], view: View, clock: _Clock) -> Walk[Answer]:
    """The answer to a search, once it has been judged again."""
    if search.is_short(found) or search.is_open(found):
        search = replace(search, nested=None, more=_EQUALS)
        with clock.stage("search"):
            again: list[models.QueryResponse] = yield Ask("query_batch_points", (view.name, search.requests()))
        found = [one.points for one in again]
    work = partial(_ranked, search, found, clock)
    heavy = bool(search.stages) or not search.plan.native or search.reach > _FEW
    return (yield Think(work, may_wait=bool(search.stages))) if heavy else work()


def _ranked(search: _Search, found: Sequence[Sequence[models.ScoredPoint]], clock: _Clock) -> Answer:
    query = search.plan.query
    with clock.stage("fuse"):
        hits = search.hits(found)
    notes = search.plan.notes
    if search.stages:
        with clock.stage("rerank"):
            hits, noted = rank(query, hits, search.stages, search.fields(found))
        notes = (*notes, *(f"{one.name}: {one.note}" for one in noted if one.note))
    cut = hits[query.offset : query.offset + query.limit]
    return Answer(search.plan, tuple(cut), seconds=clock.seconds, notes=notes)


_ROUNDS = 50
"""Searches for groups at most: each leaves out the groups that were found."""


def _grouped(plan: Plan, view: View, clock: _Clock) -> Walk[Answer]:
    """Gather the best hits by a payload key; search again without the groups that were found until there are enough.

    Rerankers see their candidates once: the groups are those of the candidates then.
    """
    query = plan.query
    key = str(query.group_by)
    yield from checked([F(key).is_empty()], view)
    wanted = query.offset + query.limit
    reach = max(plan.reach, 4 * wanted * query.group_size)
    members: dict[str | int, list[Hit]] = {}
    notes: tuple[str, ...] = ()
    for _ in range(1 if query.rerank else _ROUNDS):
        search = _Search(_without(plan, key, list(members), reach), view.schema, reach)
        with clock.stage("search"):
            found: list[models.QueryResponse] = yield Ask("query_batch_points", (view.name, search.requests()))
        answer = yield from _finished(search, [one.points for one in found], view, clock)
        notes = answer.notes
        before = len(members)
        _gather(answer.hits, key, query.group_size, members)
        if len(members) >= wanted or len(members) == before:
            break
    else:
        if not query.rerank:
            notes = (*notes, f"there may be more groups: {_ROUNDS} searches found {len(members)}")
    cut = list(members)[query.offset : wanted]
    if query.group_size > 1 and not query.rerank:
        yield from _fill(plan, view, key, [one for one in cut if len(members[one]) < query.group_size], members)
    groups = tuple(Group(one, tuple(members[one])) for one in cut)
    if query.rerank and len(members) < wanted:
        notes = (*notes, f"the groups are those of the {reach} candidates that rerankers judged")
    hits = tuple(hit for group in groups for hit in group.hits)
    return Answer(plan, hits, groups, seconds=clock.seconds, notes=notes)


def _without(plan: Plan, key: str, values: Sequence[str | int], reach: int) -> Plan:
    """The same search for `reach` hits, of those that are in a group, and in none of these."""
    out = [F(key).is_empty().qdrant(), *(F(key).one_of(one).qdrant() for one in values)]
    narrow = models.Filter(must=None if plan.narrow is None else [plan.narrow], must_not=out)
    return replace(plan, query=replace(plan.query, offset=0, limit=reach), narrow=narrow)


def _fill(
    plan: Plan, view: View, key: str, short: Sequence[str | int], members: dict[str | int, list[Hit]]
) -> Walk[None]:
    """Look for more hits of the groups that are not full."""
    size = plan.query.group_size
    whole = replace(plan, query=replace(plan.query, offset=0, limit=size))
    searches: list[_Search] = []
    for one in short:
        only = [F(key).one_of(one).qdrant(), *([] if plan.narrow is None else [plan.narrow])]
        searches.append(_Search(replace(whole, narrow=models.Filter(must=only)), view.schema, size))
    if not searches:
        return
    asked = [search.requests() for search in searches]
    found: list[models.QueryResponse] = yield Ask("query_batch_points", (view.name, [r for rs in asked for r in rs]))
    remaining = iter(found)
    for one, search, requests in zip(short, searches, asked, strict=True):
        hits = search.hits([next(remaining).points for _ in requests])
        known = {hit.id for hit in members[one]}
        members[one] = [*members[one], *(hit for hit in hits if hit.id not in known)][:size]


def _gather(hits: Sequence[Hit], key: str, size: int, members: dict[str | int, list[Hit]]) -> None:
    from qdrant_client.local.payload_value_extractor import value_by_key

    for hit in hits:
        values: list[Any] = value_by_key(dict(hit.payload), key) or []
        if wrong := [one for one in values if isinstance(one, bool) or not isinstance(one, str | int | None)]:
            raise StoreError(f"cannot group by {key!r}, which holds {wrong[0]!r}: texts and whole numbers make groups")
        for value in dict.fromkeys(one for one in values if isinstance(one, str | int)):
            several = members.setdefault(value, [])
            if len(several) < size:
                several.append(hit)


def _facets(query: Query, view: View) -> Walk[dict[str, dict[str | int, int]]]:
    counted: dict[str, dict[str | int, int]] = {}
    for key in query.facets:
        yield from checked([F(key).is_empty()], view)
        named = {"facet_filter": filter_of(query.where), "limit": 100, "exact": True}
        try:
            found: models.FacetResponse = yield Ask("facet", (view.name, key), named)
        except StoreError as error:
            remedy = f'collection.index_payload({key!r}, "keyword"), or "integer" or "bool" as it holds'
            why = "which needs a payload index of texts, whole numbers or booleans (other numbers are not counted)"
            raise StoreError(f"cannot count the values of {key!r}, {why}: {remedy}. {error}") from error
        counted[key] = {hit.value: hit.count for hit in found.hits}
    return counted


def _stored(queries: Sequence[Query], view: View) -> Walk[dict[str, dict[str, Vector]]]:
    """Read the vectors of the items that queries name."""
    named = dict.fromkeys(one.id for query in queries for one in examples_of(query.like) if isinstance(one, ById))
    points = {point_id(name): name for name in named}
    records: list[models.Record] = yield Ask(
        "retrieve", (view.name, list(points)), {"with_payload": False, "with_vectors": True}
    )
    return {points[str(record.id)]: vectors_of(record.vector) for record in records}


def vectors_of(stored: Any) -> dict[str, Vector]:
    """The named vectors of a stored point, as octant holds vectors."""
    named: dict[str, Any] = stored or {}
    return {
        name: Sparse(tuple(vector.indices), tuple(vector.values))
        if isinstance(vector, models.SparseVector)
        else np.asarray(vector, dtype=np.float32)
        for name, vector in named.items()
    }


def planned(query: Query, view: View) -> Walk[Plan]:
    """Make the plan of one query, to be read or to be gone through page by page."""
    return (yield from _planned([query], view, lambda plans: plans[0]))


def page(plan: Plan, view: View, seen: Collection[str], size: int) -> Walk[tuple[Hit, ...]]:
    """The next hits of a plan, without the points in `seen`: every item comes once, however deep one goes.

    A fusion over more candidates may order them otherwise, so each page is taken from the whole ranking down to it.
    """
    search = _Search(plan, view.schema, len(seen) + size)
    found: list[models.QueryResponse] = yield Ask("query_batch_points", (view.name, search.requests()))
    hits: list[Hit] = yield Think(partial(search.hits, [one.points for one in found]))
    return tuple([hit for hit in hits if hit.id not in seen][:size])


def _explained(hit: Hit, fused: Fused | None) -> Hit:
    return replace(hit, explanation=Explanation(hit.score, () if fused is None else fused.legs))


@dataclass(slots=True)
class _Clock:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict[str, float])

    def copy(self) -> _Clock:
        return _Clock(dict(self.seconds))

    def stage(self, name: str) -> _Stage:
        return _Stage(self.seconds, name)


class _Stage:
    """A stage while it lasts. Not a generator: a search enters several, and each would cost as much as a hit."""

    __slots__ = ("_began", "_name", "_seconds")

    def __init__(self, seconds: dict[str, float], name: str) -> None:
        self._seconds = seconds
        self._name = name

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._seconds[self._name] = self._seconds.get(self._name, 0.0) + time.perf_counter() - self._began
