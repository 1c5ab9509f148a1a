"""Late interaction and MMR: in the store and in the client, the same order."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from qdrant_client.http import models

from octant.errors import RerankError
from octant.item import Explanation, Hit, Item, StageScore
from octant.media import Text
from octant.payload import point_id
from octant.query import Query
from octant.rerank import (
    Boost,
    ByFunction,
    InField,
    LateInteraction,
    Mmr,
    Nested,
    Stage,
    boost,
    compared,
    explained,
    in_store,
    rank,
)
from octant.rerank.similarity import similarities
from octant.schema import to_qdrant
from octant.stores import Client, open_store
from octant.stores.capabilities import Feature
from octant.stores.local import LocalClient
from octant.vectors import Array, Sparse, Vector, normalize

THERE = "rerank-vectors"
QUERY = Query(Text("cup"))
N = 40
RANDOM = np.random.default_rng(5)
DENSE: Array = RANDOM.normal(size=(N, 6)).astype(np.float32)
TOKENS: list[Array] = [RANDOM.normal(size=(2 + i % 4, 5)).astype(np.float32) for i in range(N)]
ASKED: dict[str, Vector] = {
    "dense": RANDOM.normal(size=6).astype(np.float32),
    "dot": RANDOM.normal(size=6).astype(np.float32),
    "tokens": RANDOM.normal(size=(3, 5)).astype(np.float32),
}
DISTANCES = {"dense": models.Distance.COSINE, "dot": models.Distance.DOT, "tokens": models.Distance.COSINE}
# two of each of the first ten: what MMR is for; every seventh has no tokens
DENSE[10:20] = DENSE[:10]
DOT: Array = RANDOM.normal(size=(N, 6)).astype(np.float32)
VECTORS: dict[str, dict[str, Vector]] = {
    f"item-{i}": {"dense": DENSE[i], "dot": DOT[i], **({"tokens": TOKENS[i]} if i % 7 else {})} for i in range(N)
}


def params(field: str) -> models.VectorParams:
    several = models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)
    size = 5 if field == "tokens" else 6
    config = several if field == "tokens" else None
    return models.VectorParams(size=size, distance=DISTANCES[field], multivector_config=config)


@pytest.fixture(scope="module", params=["edge", "local", "server"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    path = tmp_path_factory.mktemp("vectors")
    if request.param == "server":
        client: Client = open_store(url=request.getfixturevalue("server_url"))
        client.delete_collection(THERE)
    else:
        client = LocalClient(None) if request.param == "local" else open_store(path=path)
    client.create_collection(THERE, {field: params(field) for field in DISTANCES}, {})
    points = [
        models.PointStruct(
            id=point_id(name),
            vector={field: to_qdrant(vector) for field, vector in vectors.items()},
            payload={"octant": {"id": name}, "popularity": i % 5},
        )
        for i, (name, vectors) in enumerate(VECTORS.items())
    ]
    client.upsert(THERE, points)
    yield client
    client.close()


def search(field: str = "dense", limit: int = 10) -> models.QueryRequest:
    return models.QueryRequest(query=to_qdrant(ASKED[field]), using=field, limit=limit, with_payload=True)


def answer(client: Client, request: models.QueryRequest) -> list[Hit]:
    [found] = client.query_batch_points(THERE, [request])
    return [
        Hit(Item((point.payload or {})["octant"]["id"], {}, {}), point.score, point.payload or {})
        for point in found.points
    ]


def in_fields(stages: Sequence[Stage]) -> dict[str, InField]:
    """What a search hands to `rank`: here with the vectors of all points."""
    return {
        field: InField(
            DISTANCES[field],
            ASKED[field],
            {name: vectors[field] for name, vectors in VECTORS.items() if field in vectors},
        )
        for field in compared(stages)
    }


def wrapped(request: models.QueryRequest, stages: Sequence[Stage], wanted: int) -> Nested:
    return in_store(request, stages, wanted, ASKED, lambda feature: True)


def client_side(client: Client, request: models.QueryRequest, stages: Sequence[Stage], wanted: int) -> list[Hit]:
    reach = max([wanted, *(stage.candidates for stage in stages)])
    found = answer(client, request.model_copy(update={"limit": reach}))
    return rank(QUERY, found, stages, in_fields(stages))[0][:wanted]


@pytest.mark.parametrize("field", ["dense", "dot", "tokens"])
@pytest.mark.parametrize("diversity", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("candidates", [8, 30])
def test_mmr_chooses_the_same_in_the_store_and_here(
    field: str, diversity: float, candidates: int, store: Client
) -> None:
    stages = [Stage(Mmr(field, diversity), candidates)]
    nested = wrapped(search(field), stages, 8)
    assert (nested.inside, nested.complete) == (tuple(stages), True)
    there = answer(store, nested.request)
    here = client_side(store, search(field), stages, 8)
    assert [hit.id for hit in here] == [hit.id for hit in there]
    assert [hit.score for hit in here] == pytest.approx([hit.score for hit in there], abs=1e-4)


def test_mmr_by_hand() -> None:
    """Two that are the same and near, one that is a little farther and else: lambda = 0.5.

    First a (0.8, the last of two equals comes first in the store: b). Then a: 0.4 - 0.5 * 1 = -0.1,
    c: 0.3 - 0.5 * 0 = 0.3.
    """
    found = {"a": [0.8, 0.6, 0], "b": [0.8, 0.6, 0], "c": [0.6, -0.8, 0]}
    vectors: dict[str, Vector] = {name: np.array(v, dtype=np.float32) for name, v in found.items()}
    field = InField(models.Distance.COSINE, np.array([1, 0, 0], dtype=np.float32), vectors)
    hits = [Hit(Item(name, {}), score) for name, score in [("a", 0.8), ("b", 0.8), ("c", 0.6), ("no vector", 0.5)]]
    ranked, [note] = rank(QUERY, hits, [Stage(Mmr("f", 0.5))], {"f": field})
    assert [hit.id for hit in ranked] == ["b", "c", "a", "no vector"]
    assert [hit.score for hit in ranked] == [0.8, 0.6, 0.8, 0.5], "scores stay: it is an order among hits"
    assert note.judged == 3
    ranked, _ = rank(QUERY, hits[:3], [Stage(Mmr("f", 0.0))], {"f": field})
    assert [hit.id for hit in ranked][2] == "c", "diversity 0 is similarity alone"


@pytest.mark.parametrize("field", ["tokens", "dot"])
def test_late_interaction_scores_the_same_in_the_store_and_here(field: str, store: Client) -> None:
    stages = [Stage(LateInteraction(field), 25)]
    nested = wrapped(search(), stages, 10)
    there = answer(store, nested.request)
    here = client_side(store, search(), stages, 10)
    assert len(there) == nested.wanted == 10
    assert [hit.id for hit in here] == [hit.id for hit in there]
    assert [hit.score for hit in here] == pytest.approx([hit.score for hit in there], abs=1e-4)


def test_a_short_answer_of_late_interaction_says_that_it_is_not_complete(store: Client) -> None:
    stages = [Stage(LateInteraction("tokens"), N)]
    nested = wrapped(search(), stages, N)
    there = answer(store, nested.request)
    assert len(there) < nested.wanted
    assert not nested.complete
    here = client_side(store, search(), stages, N)
    assert len(here) == N
    assert [hit.id for hit in here[: len(there)]] == [hit.id for hit in there]


def test_maxsim_by_hand() -> None:
    asked = np.array([[1, 0], [0, 2]], dtype=np.float32)
    one = np.array([[2, 0], [1, 1]], dtype=np.float32)
    assert similarities(models.Distance.DOT, asked, [one]).tolist() == [2 + 2]
    assert similarities(models.Distance.COSINE, asked, [one]).tolist() == pytest.approx([1 + 0.5**0.5])
    assert similarities(models.Distance.DOT, asked[1], [one[1]]).tolist() == [2]
    assert similarities(models.Distance.DOT, Sparse((1, 5), (2.0, 3.0)), [Sparse((5, 9), (4.0, 1.0))]).tolist() == [12]
    assert similarities(models.Distance.COSINE, normalize(asked), []).tolist() == []
    with pytest.raises(ValueError, match="cosines or dot products"):
        similarities(models.Distance.EUCLID, asked, [one])


def test_a_cascade_in_the_store_gives_the_same_as_one_in_the_client(store: Client) -> None:
    boosted = Boost(boost.score() + boost.key("popularity") / 7 + boost.score() ** 2)
    stages = [Stage(boosted, 30), Stage(Boost(boost.score() / (1 + boost.key("popularity"))), 30)]
    nested = wrapped(search(), [*stages, Stage(LateInteraction("tokens"), 30)], 5)
    assert [stage.reranker.name[:5] for stage in nested.inside] == ["boost", "boost", "late "]
    there = answer(store, nested.request)
    here = client_side(store, search(), [*stages, Stage(LateInteraction("tokens"), 30)], 5)
    assert [hit.id for hit in here] == [hit.id for hit in there]


def test_stages_in_the_store_are_explained_by_the_answers_to_their_steps(store: Client) -> None:
    boosted = Stage(Boost(boost.score() + boost.key("popularity") + boost.score() ** 3), 30)
    again = Stage(Boost(boost.score() / (1 + boost.key("popularity"))), 30)
    nested = wrapped(search("dot"), [boosted, again], 5)
    hits = [replace(hit, explanation=Explanation(hit.score, ())) for hit in answer(store, search("dot", 30))]
    assert len(nested.steps) == 2
    for stage, request in zip(nested.inside, nested.steps, strict=True):
        hits = explained(hits, answer(store, request), stage)
    there = answer(store, nested.request)
    assert [hit.id for hit in hits] == [hit.id for hit in there]
    here = [replace(hit, explanation=Explanation(hit.score, ())) for hit in answer(store, search("dot", 30))]
    client = {hit.id: hit for hit in rank(QUERY, here, [boosted, again])[0]}
    for hit in hits:
        same = client[hit.id].explanation
        assert hit.explanation
        assert same
        assert [(one.name, one.before, one.after) for one in hit.explanation.stages] == [
            (one.name, one.before, one.after) for one in same.stages
        ]
        assert hit.explanation.stages[1] == StageScore(
            again.reranker.name, hit.score, hit.explanation.stages[0].after, hit.explanation.stages[1].after
        )


def test_only_what_gives_the_same_order_runs_in_the_store() -> None:
    function = Stage(ByFunction(lambda query, hits: [0.0] * len(hits)), 20)
    formula, late, mmr = Stage(Boost(boost.score()), 30), Stage(LateInteraction("tokens"), 30), Stage(Mmr("dense"), 30)

    def inside(*stages: Stage, wanted: int = 10, request: models.QueryRequest | None = None) -> int:
        return len(wrapped(request or search(), stages, wanted).inside)

    assert inside(formula, mmr) == 1, "MMR over another query than the nearest in its field"
    assert inside(mmr, formula) == 1, "Edge does not choose by MMR in a prefetch"
    assert inside(formula, formula, late) == 3
    assert inside(function, formula) == 0
    assert inside(formula, function) == 1
    assert inside(formula, Stage(formula.reranker, 29)) == 1, "it would cut among equals at random"
    assert inside(late, formula) == 1, "what has no vector would be missing from the next stage"
    assert inside(formula, wanted=31) == 0, "the store would not give back the others"
    assert inside(Stage(formula.reranker, 10), function) == 0
    assert inside(Stage(formula.reranker, 30, deadline=1)) == 0, "the store knows no deadline"
    assert inside(Stage(LateInteraction("unknown"), 30)) == 0
    assert inside(mmr, request=search("tokens")) == 0
    without = in_store(search(), [formula], 10, ASKED, lambda feature: feature is not Feature.FORMULA)
    assert (without.inside, without.left, without.request.limit) == ((), (formula,), 30)
    assert wrapped(search(), [formula, function], 10).request.limit == 20


def hybrid() -> models.QueryRequest:
    legs = [models.Prefetch(query=to_qdrant(ASKED[one]), using=one, limit=15) for one in ("dense", "dot")]
    fusion = models.RrfQuery(rrf=models.Rrf(k=60))
    return models.QueryRequest(prefetch=legs, query=fusion, limit=10, with_payload=True)


def test_a_fused_search_is_boosted_in_the_store_where_nothing_is_cut_among_equals(store: Client) -> None:
    formula = Boost(boost.score() + boost.key("popularity") / 1000)
    assert wrapped(hybrid(), [Stage(formula, 29)], 10).inside == ()
    stages = [Stage(formula, 30)]
    nested = wrapped(hybrid(), stages, 30)
    assert nested.inside == tuple(stages)
    there = {hit.id: hit.score for hit in answer(store, nested.request)}
    here = {hit.id: hit.score for hit in client_side(store, hybrid(), stages, 30)}
    assert here == pytest.approx(there, abs=1e-4)


def test_fields_to_bring_vectors_of_are_named() -> None:
    stages = [Stage(Mmr("dense")), Stage(LateInteraction("tokens")), Stage(Mmr("dense")), Stage(Boost(boost.score()))]
    assert compared(stages) == ("dense", "tokens")


def test_a_field_that_cannot_be_compared_is_an_error() -> None:
    with pytest.raises(RerankError, match="no vector in field 'dense'"):
        rank(QUERY, [Hit(Item("a", {}), 1.0)], [Stage(Mmr("dense"))])
    words = InField(models.Distance.DOT, Sparse((1,), (1.0,)), {})
    with pytest.raises(RerankError, match="sparse vectors"):
        rank(QUERY, [Hit(Item("a", {}), 1.0)], [Stage(LateInteraction("words"))], {"words": words})
    with pytest.raises(ValueError, match="within 0 and 1"):
        Mmr("dense", diversity=1.5)
