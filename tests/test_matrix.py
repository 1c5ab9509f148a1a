"""Every way to ask, to fuse, to rerank and to filter gives what arithmetic says, on Qdrant Edge and in local mode.

The things, their vectors and the arithmetic are in `matrix_parts`. To try another fusion, reranker or filter add a line
to its table: octant's object, and the function that says what it must do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from matrix_parts import (
    AXES,
    FIELDS,
    QUERIES,
    THINGS,
    Leg,
    Ranking,
    Thing,
    background,
    calibrated,
    dbsf,
    found,
    items,
    mmr,
    relative,
    rrf,
    schema,
    sort,
    unit,
    vector_of,
    zscore,
)
from qdrant_client.http import models

from octant import AsyncCollection, Collection, Hit, Modality, Query
from octant.calibrate import Backgrounds
from octant.filters import F, Where
from octant.fusion import DBSF, RRF, Background, Calibrated, Fusion, RelativeScore, ZScore
from octant.query import ById, ByVector, Composed, Discover, Part, Recommend
from octant.rerank import Boost, ByFunction, Mmr, Stage
from octant.rerank.boost import key, score
from octant.stores import Place, open_store
from octant.stores.local import LocalClient
from octant.stores.worker import AsyncWorkerClient

ALL = len(THINGS)
NOISE = 2e-5
"""Edge keeps and compares vectors in single precision."""
TEXT, IMAGE, AUDIO = Modality.TEXT, Modality.IMAGE, Modality.AUDIO
BY_ID = {thing.id: thing for thing in THINGS}
BACKGROUNDS = Backgrounds({}, {name: Background(*background(name)) for name in FIELDS})
"""As they are given, whatever the query: what `octant.calibrate` would estimate has tests of its own."""
WEIGHTS = {"text": 2.0, "words": 0.25, "image_style": 3.0, "audio": 0.5}


@pytest.fixture(scope="module", params=["edge", "local"])
def collection(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    """The eleven things on each engine in turn."""
    path: Path | None = None
    if request.param == "edge":
        path = tmp_path_factory.mktemp("matrix")
    client = LocalClient(None) if path is None else open_store(path=path, worker=False)
    with Collection(client, "matrix", schema(), Place(path)) as made:
        made.prepare()
        assert made.add(items()).points == ALL
        made.view.backgrounds, made.view.looked = BACKGROUNDS, math.inf
        yield made


# -- the tables of the matrix -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """What is searched, and the field that MMR compares there."""

    name: str
    compared: str
    into: tuple[Modality, ...] = ()
    fields: tuple[str, ...] = ()

    def searched(self, asking: Modality) -> list[str]:
        """The fields of the search, by the rules of the schema: words are asked by texts alone."""
        kept = [n for n in FIELDS if not self.fields or n in self.fields]
        return [n for n in kept if (not self.into or FIELDS[n] in self.into) and (n != "words" or asking is TEXT)]


TARGETS = [
    Target("texts", "text", (TEXT,)),
    Target("images", "image", (IMAGE,)),
    Target("sounds", "audio_style", (AUDIO,)),
    Target("images and sounds", "image", (IMAGE, AUDIO)),
    Target("all", "image"),
    Target("one field", "image", fields=("image",)),
    Target("two fields of two modalities", "text_style", fields=("text_style", "audio_style")),
]

Fuse: TypeAlias = Callable[[Sequence[Leg]], Ranking]


@dataclass(frozen=True)
class Fusing:
    fusion: Fusion
    oracle: Fuse
    weights: Mapping[str, float] = field(default_factory=dict[str, float])


FUSIONS = {
    "rrf": Fusing(RRF(), rrf(60)),
    "rrf of k = 2, by weight": Fusing(RRF(2), rrf(2), WEIGHTS),
    "dbsf": Fusing(DBSF(), dbsf),
    "dbsf by weight": Fusing(DBSF(), dbsf, WEIGHTS),
    "z-score": Fusing(ZScore(), zscore),
    "z-score by weight": Fusing(ZScore(), zscore, WEIGHTS),
    "relative score": Fusing(RelativeScore(), relative),
    "relative score by weight": Fusing(RelativeScore(), relative, WEIGHTS),
    "calibrated": Fusing(Calibrated(), calibrated),
    "calibrated by weight": Fusing(Calibrated(), calibrated, WEIGHTS),
}


def near_twenty(query: Query, hits: Sequence[Hit]) -> list[float]:
    """A user's function: what costs about twenty; what has no price it cannot judge."""
    return [-abs(hit.metadata["price"] - 20) if "price" in hit.metadata else -math.inf for hit in hits]


def by_price(ranking: Ranking, target: Target, asking: Modality) -> Ranking:
    prices = {one: BY_ID[one].price for one, _ in ranking}
    judged = {one: -abs(price - 20) for one, price in prices.items() if price is not None}
    return [*sorted(judged.items(), key=lambda one: -one[1]), *((o, s) for o, s in ranking if o not in judged)]


def by_stars(ranking: Ranking, target: Target, asking: Modality) -> Ranking:
    boosted = [(one, s + 0.07 * (BY_ID[one].stars or 0.0)) for one, s in ranking]
    return sorted(boosted, key=lambda one: -round(one[1], 6))


def by_unlikeness(ranking: Ranking, target: Target, asking: Modality) -> Ranking:
    return mmr(ranking, target.compared, unit(AXES[asking]), 0.4)


Rerank: TypeAlias = Callable[[Ranking, Target, Modality], Ranking]


@dataclass(frozen=True)
class Reranking:
    stages: Callable[[Target], tuple[Stage, ...]]
    oracle: Sequence[tuple[int, Rerank]]
    """How many of the best each judges, and to what order."""

    def __call__(self, ranking: Ranking, target: Target, asking: Modality) -> Ranking:
        for candidates, rerank in self.oracle:
            ranking = [*rerank(ranking[:candidates], target, asking), *ranking[candidates:]]
        return ranking


PRICE, STARS = ByFunction(near_twenty), Boost(score() + 0.07 * key("stars"))
RERANKERS = {
    "nothing": Reranking(lambda _: (), ()),
    "a function": Reranking(lambda _: (Stage(PRICE),), [(50, by_price)]),
    "a function, of four": Reranking(lambda _: (Stage(PRICE, candidates=4),), [(4, by_price)]),
    "a boost": Reranking(lambda _: (Stage(STARS),), [(50, by_stars)]),
    "a boost, of four": Reranking(lambda _: (Stage(STARS, candidates=4),), [(4, by_stars)]),
    "mmr": Reranking(lambda target: (Stage(Mmr(target.compared, 0.4)),), [(50, by_unlikeness)]),
    "a boost, then mmr of five": Reranking(
        lambda target: (Stage(STARS), Stage(Mmr(target.compared, 0.4), candidates=5)),
        [(50, by_stars), (5, by_unlikeness)],
    ),
}


def _cheap(thing: Thing) -> bool:
    return thing.price is not None and thing.price < 20


NOT_ON_A = models.FieldCondition(key="shelf", match=models.MatchValue(value="a"))
FILTERS: dict[str, tuple[Where | None, Callable[[Thing], bool]]] = {
    "no filter": (None, lambda _: True),
    "equality": ({"shelf": "a"}, lambda thing: thing.shelf == "a"),
    "a range": ("price < 20", _cheap),
    "and, or": (
        '(price < 20 and shelf = "a") or new = true',
        lambda thing: (_cheap(thing) and thing.shelf == "a") or thing.new,
    ),
    "Python": (
        F("shelf").one_of("a", "b") & ~(F("stars") >= 4),
        lambda thing: thing.shelf in ("a", "b") and not (thing.stars or 0) >= 4,
    ),
    "Qdrant's own": (models.Filter(must_not=[NOT_ON_A]), lambda thing: thing.shelf != "a"),
    "has a shelf": (~F("shelf").is_empty(), lambda thing: bool(thing.shelf)),
}


@dataclass(frozen=True)
class Case:
    """One query, as octant is asked it, and what it must find."""

    name: str
    query: Query
    legs: Sequence[Leg]
    fused: Ranking
    """Before the rerankers."""
    wanted: Ranking


def cases(fusing: str, reranking: str, filtering: str) -> list[Case]:
    """All modalities into all targets, with one fusion, one chain of rerankers and one filter."""
    fusion, rerank, (where, keep) = FUSIONS[fusing], RERANKERS[reranking], FILTERS[filtering]
    made: list[Case] = []
    for asking, medium in QUERIES.items():
        for target in TARGETS:
            asked = {
                name: {"green": 1.0, "tea": 1.0} if name == "words" else unit(AXES[asking])
                for name in target.searched(asking)
            }
            legs = [found(name, vector, keep, fusion.weights.get(name, 1.0)) for name, vector in asked.items()]
            if not legs:
                continue
            fused = fusion.oracle(legs) if len(legs) > 1 else list(legs[0].scores.items())
            query = Query(
                medium,
                target.into,
                where,
                limit=ALL,
                fields=target.fields,
                weights=fusion.weights,
                fusion=fusion.fusion,
                rerank=rerank.stages(target),
            )
            made.append(Case(f"{asking} → {target.name}", query, legs, fused, rerank(fused, target, asking)))
    return made


def check(case: str, hits: Sequence[Hit], wanted: Ranking) -> None:
    """Compare with what must be found. Scores that only the noise of floats tells apart may stand either way."""
    assert [hit.score for hit in hits] == pytest.approx([s for _, s in wanted], abs=NOISE), case
    runs: list[set[str]] = []
    for i, (one, s) in enumerate(wanted):
        if i and abs(s - wanted[i - 1][1]) < NOISE:
            runs[-1].add(one)
        else:
            runs.append({one})
    ids = iter(hit.id for hit in hits)
    assert [{next(ids) for _ in run} for run in runs] == runs, case


# -- the matrix ---------------------------------------------------------------------------------------------------


def test_no_two_things_are_equally_near_in_a_field() -> None:
    """Else ranks would be the store's choice, and nothing to calculate."""
    for case in cases("rrf", "nothing", "no filter"):
        for leg in case.legs:
            scores = list(leg.scores.values())
            assert all(a - b > 0.01 for a, b in pairwise(scores)), (case.name, leg)


@pytest.mark.parametrize("filtering", FILTERS)
@pytest.mark.parametrize("reranking", RERANKERS)
@pytest.mark.parametrize("fusing", FUSIONS)
def test_every_modality_finds_in_every_target_what_arithmetic_says(
    collection: Collection, fusing: str, reranking: str, filtering: str
) -> None:
    asked = cases(fusing, reranking, filtering)
    answered = collection.search_many([case.query for case in asked])
    for case, hits in zip(asked, answered, strict=True):
        check(case.name, hits, case.wanted)


@pytest.mark.parametrize("reranking", RERANKERS)
@pytest.mark.parametrize("fusing", FUSIONS)
def test_explaining_changes_nothing_and_adds_up(collection: Collection, fusing: str, reranking: str) -> None:
    asked = cases(fusing, reranking, "no filter")
    plain = collection.search_many([case.query for case in asked])
    explained = collection.search_many([replace(case.query, explain=True) for case in asked])
    for case, hits, told in zip(asked, plain, explained, strict=True):
        assert [hit.id for hit in told] == [hit.id for hit in hits], case.name
        assert [hit.score for hit in told] == pytest.approx([hit.score for hit in hits], abs=1e-6), case.name
        fused = dict(case.fused)
        for hit in told:
            assert hit.explanation is not None
            assert hit.explanation.fused == pytest.approx(fused[hit.id], abs=NOISE), case.name
            given = sum(leg.contribution for leg in hit.explanation.legs)
            assert given == pytest.approx(hit.explanation.fused, abs=NOISE), case.name
            for leg, wanted in zip(hit.explanation.legs, case.legs, strict=True):
                assert leg.field == wanted.name
                assert leg.raw == pytest.approx(wanted.scores.get(hit.id), abs=NOISE), case.name
                ranks = {one: rank for rank, one in enumerate(wanted.scores, start=1)}
                assert leg.rank == ranks.get(hit.id), case.name
            assert len(hit.explanation.stages) == len(case.query.rerank), case.name


@pytest.mark.parametrize("reranking", RERANKERS)
@pytest.mark.parametrize("fusing", ["rrf of k = 2, by weight", "dbsf by weight", "calibrated"])
def test_pages_are_parts_of_the_whole(collection: Collection, fusing: str, reranking: str) -> None:
    for case in cases(fusing, reranking, "no filter"):
        pages = [replace(case.query, offset=offset, limit=4) for offset in range(0, ALL + 4, 4)]
        paged = [hit for page in collection.search_many(pages) for hit in page]
        check(case.name, paged, case.wanted)


@pytest.mark.parametrize("size", [2, ALL, 100])
@pytest.mark.parametrize("fusing", FUSIONS)
def test_going_through_all_gives_each_once(collection: Collection, fusing: str, size: int) -> None:
    for case in cases(fusing, "nothing", "no filter"):
        check(case.name, list(collection.iterate(case.query, page_size=size)), case.wanted)


@pytest.mark.parametrize("engine", ["edge", "local"])
async def test_what_is_awaited_is_the_same(engine: Any, tmp_path: Path) -> None:
    client = await AsyncWorkerClient.open(tmp_path / "db", engine)
    async with AsyncCollection(client, "matrix", schema(), Place(tmp_path / "db")) as awaited:
        await awaited.prepare()
        assert (await awaited.add(items())).points == ALL
        awaited.view.backgrounds, awaited.view.looked = BACKGROUNDS, math.inf
        for fusing in FUSIONS:
            for reranking in RERANKERS:
                asked = cases(fusing, reranking, "and, or")
                answered = await awaited.search_many([replace(case.query, explain=True) for case in asked])
                for case, hits in zip(asked, answered, strict=True):
                    check(f"{fusing}, {reranking}, {case.name}", hits, case.wanted)
            for case in cases(fusing, "nothing", "no filter"):
                check(case.name, [hit async for hit in awaited.iterate(case.query, page_size=3)], case.wanted)
        [one] = await awaited.search_many([Query(ById("pot"), fields=("image",))])
        check("by id", one, nearest_to("pot", "image"))


@pytest.mark.parametrize("size", [1, 2, 5, ALL])
@pytest.mark.parametrize("fusing", ["calibrated", "rrf"])
def test_equals_come_in_the_order_of_their_ids_however_they_are_paged(
    collection: Collection, fusing: str, size: int
) -> None:
    """No score of `style` stands out of this background, and each of two legs puts its own first: all tie in pairs."""
    dull = Backgrounds({}, {name: Background(2.0, 1.0) for name in FIELDS})
    given, collection.view.backgrounds = collection.view.backgrounds, dull
    try:
        fusion = FUSIONS[fusing].fusion
        asked = Query(QUERIES[AUDIO], fields=("text_style", "audio_style"), fusion=fusion, limit=size)
        pages = [replace(asked, offset=offset) for offset in range(0, ALL, size)]
        for several in (pages, [replace(page, explain=True) for page in pages]):
            hits = [hit for page in collection.search_many(several) for hit in page]
            assert len(hits) == len({hit.id for hit in hits})
            assert [hit.id for hit in hits] == [one for one, _ in sort({hit.id: hit.score for hit in hits})]
    finally:
        collection.view.backgrounds = given


# -- other ways to ask --------------------------------------------------------------------------------------------


def own(name: str, field: str) -> Any:
    """A thing's own vector in a field."""
    vector = vector_of(BY_ID[name], field)
    assert vector is not None
    return vector


def others(*names: str) -> Callable[[Thing], bool]:
    return lambda thing: thing.id not in names


def nearest_to(name: str, field: str) -> Ranking:
    return list(found(field, own(name, field), others(name)).scores.items())


def judged(field: str, score: Callable[[Any], float], *without: str) -> Ranking:
    """Score all that have a vector in a field, but for those that are asked with."""
    held = {thing.id: vector_of(thing, field) for thing in THINGS if thing.id not in without}
    return sort({one: score(vector) for one, vector in held.items() if vector is not None})


def test_an_item_finds_others_by_its_own_vectors(collection: Collection) -> None:
    for name, thing in BY_ID.items():
        fields = [one for one in FIELDS if FIELDS[one] in thing.media]
        legs = [found(one, own(name, one), others(name)) for one in fields]
        check(name, collection.search(Query(ById(name), limit=ALL, fusion=RRF())), rrf(60)(legs))
    check("image", collection.search(Query(ById("pot"), fields=("image",))), nearest_to("pot", "image"))
    check("words", collection.search(Query(ById("pot"), fields=("words",))), nearest_to("pot", "words"))


def test_a_vector_of_the_callers_asks_the_fields_that_are_named(collection: Collection) -> None:
    vector = (2.0, -1.0, 0.5)
    legs = [found(name, unit(vector), others()) for name in ("image", "audio")]
    check("one", collection.search(Query(ByVector(vector), fields=("image",))), list(legs[0].scores.items()))
    asked = Query(ByVector(np.array(vector)), fields=("image", "audio"), fusion=RelativeScore(), limit=ALL)
    check("two", collection.search(asked), relative(legs))


def test_a_composed_question_is_the_weighted_sum_of_its_parts(collection: Collection) -> None:
    """Like the text, half as much like the picture, and not like the sound: (1, 1/2, -1) in both spaces."""
    like = Composed((QUERIES[TEXT], Part(QUERIES[IMAGE], 0.5)), unlike=(QUERIES[AUDIO],))
    direction = unit((1.0, 0.5, -1.0))
    for name in ("image", "audio_style"):
        wanted = list(found(name, direction, others()).scores.items())
        check(name, collection.search(Query(like, fields=(name,))), wanted)
    # words can be asked with the text alone: 1 of the weights 1 + 1/2 + 1
    words = found("words", {"green": 1.0, "tea": 1.0}, others(), 1 / 2.5)
    legs = [found("text", direction, others()), found("text_style", direction, others()), words]
    asked = Query(like, into=(TEXT,), fusion=ZScore(), limit=ALL)
    check("texts", collection.search(asked), zscore(legs))


def test_a_composed_question_may_name_items(collection: Collection) -> None:
    like = Composed((ById("rain"), Part(QUERIES[TEXT], 2.0)), unlike=(ById("bell"),))
    asked = own("rain", "image") + 2 * unit(AXES[TEXT]) - own("bell", "image")
    wanted = list(found("image", asked, others("rain", "bell")).scores.items())
    check("composed", collection.search(Query(like, fields=("image",))), wanted)


def test_recommending_by_average_asks_from_the_mean_away_from_the_other_mean(collection: Collection) -> None:
    like = Recommend((ById("pot"), ById("bell")), (ById("vase"),))
    for name in ("image", "image_style"):
        mean = (own("pot", name) + own("bell", name)) / 2
        asked = mean + mean - own("vase", name)
        wanted = list(found(name, asked, others("pot", "bell", "vase")).scores.items())
        check(name, collection.search(Query(like, fields=(name,))), wanted)


def test_recommending_by_the_best_score_judges_by_the_nearest_example(collection: Collection) -> None:
    def best(vector: Any) -> float:
        """Qdrant's: what is liked and what is not each by its nearest, squeezed into 0 to 1 and -1 to 0."""
        like = max(float(vector @ own(name, "image")) for name in ("pot", "bell"))
        unlike = float(vector @ own("vase", "image"))
        return _squeezed(like) if like > unlike else -_squeezed(unlike)

    asked = Recommend((ById("pot"), ById("bell")), (ById("vase"),), models.RecommendStrategy.BEST_SCORE)
    wanted = judged("image", best, "pot", "bell", "vase")
    check("best score", collection.search(Query(asked, fields=("image",))), wanted)


def test_recommending_by_the_sum_of_scores_needs_nothing_liked(collection: Collection) -> None:
    for like, unlike in ((("pot", "rain"), ("vase",)), ((), ("pot", "rain"))):
        asked = Recommend(tuple(map(ById, like)), tuple(map(ById, unlike)), models.RecommendStrategy.SUM_SCORES)

        def summed(vector: Any, like: Sequence[str] = like, unlike: Sequence[str] = unlike) -> float:
            near = sum(float(vector @ own(name, "image")) for name in like)
            return near - sum(float(vector @ own(name, "image")) for name in unlike)

        wanted = judged("image", summed, *like, *unlike)
        check(f"{like} {unlike}", collection.search(Query(asked, fields=("image",))), wanted)


def test_discovery_ranks_by_pairs_first_and_by_the_target_among_equals(collection: Collection) -> None:
    asked = Discover(QUERIES[TEXT], ((ById("pot"), ById("vase")), (QUERIES[IMAGE], QUERIES[AUDIO])))

    def discovered(vector: Any) -> float:
        pairs = ((own("pot", "image"), own("vase", "image")), (unit(AXES[IMAGE]), unit(AXES[AUDIO])))
        ranks = sum(1 if float(vector @ near) > float(vector @ far) else -1 for near, far in pairs)
        return ranks + _squeezed(float(vector @ unit(AXES[TEXT])))

    wanted = judged("image", discovered, "pot", "vase")
    check("discovery", collection.search(Query(asked, fields=("image",))), wanted)


def test_a_context_without_a_target_counts_how_far_one_is_on_the_wrong_side(collection: Collection) -> None:
    """Of each pair d = near - far counts as d / (1 - d) where it is below 0, else as 0."""
    asked = Discover(None, ((QUERIES[TEXT], QUERIES[AUDIO]), (QUERIES[IMAGE], QUERIES[AUDIO])))
    x, y, z = (unit(AXES[m]) for m in (TEXT, IMAGE, AUDIO))

    def lost(vector: Any) -> float:
        sides = [min(float(vector @ (near - z)), 0.0) for near in (x, y)]
        return sum(side / (1 - side) for side in sides)

    check("context", collection.search(Query(asked, fields=("image",))), judged("image", lost))


def test_a_threshold_leaves_out_what_scores_less_in_the_unit_of_the_search(collection: Collection) -> None:
    for asking in Modality:
        alone = found("image", unit(AXES[asking]), others())
        asked = Query(QUERIES[asking], fields=("image",), threshold=0.4)
        check("a cosine", collection.search(asked), [(o, s) for o, s in alone.scores.items() if s >= 0.4])
        for fusing, least in (("dbsf", 1.0), ("z-score", 0.5), ("relative score", 1.0), ("calibrated", 2.0)):
            case = next(c for c in cases(fusing, "nothing", "no filter") if c.name == f"{asking} → all")
            check(
                fusing,
                collection.search(replace(case.query, threshold=least)),
                [(one, s) for one, s in case.wanted if s >= least],
            )


@pytest.mark.parametrize("fusing", FUSIONS)
def test_groups_gather_the_best_of_each_value(collection: Collection, fusing: str) -> None:
    # what is in no group takes no part in the ranks and the spreads that are fused, as with Qdrant's own groups
    for case in cases(fusing, "nothing", "has a shelf"):
        groups: dict[str, Ranking] = {}
        for one, s in case.wanted:
            groups.setdefault(BY_ID[one].shelf, []).append((one, s))
        for size in (1, 2):
            hits = collection.search(replace(case.query, where=None, limit=3, group_by="shelf", group_size=size))
            wanted = {shelf: members[:size] for shelf, members in groups.items()}
            assert [group.key for group in hits.groups] == list(wanted), case.name
            for group in hits.groups:
                check(case.name, group.hits, wanted[str(group.key)])


@pytest.mark.parametrize("filtering", FILTERS)
def test_facets_count_what_the_filter_matches(collection: Collection, filtering: str) -> None:
    where, keep = FILTERS[filtering]
    shelves = [thing.shelf for thing in THINGS if keep(thing) and thing.shelf]
    hits = collection.search(Query(QUERIES[TEXT], where=where, facets=("shelf",)))
    assert hits.facets == {"shelf": {shelf: shelves.count(shelf) for shelf in set(shelves)}}


def _squeezed(x: float) -> float:
    """Qdrant's fast sigmoid of a score."""
    return 0.5 * (x / (1 + abs(x)) + 1)
