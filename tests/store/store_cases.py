"""Points and requests that every store must answer alike, and what alike means."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import numpy as np
import pytest
from qdrant_client.http import models as m

from octant.stores import Client

POINTS = 240
UUIDS = {index: str(UUID(int=index)) for index in range(200, POINTS)}

VECTORS = {
    "dense": m.VectorParams(size=8, distance=m.Distance.COSINE),
    "dot": m.VectorParams(size=6, distance=m.Distance.DOT),
    "euclid": m.VectorParams(size=6, distance=m.Distance.EUCLID),
    "multi": m.VectorParams(
        size=4,
        distance=m.Distance.COSINE,
        multivector_config=m.MultiVectorConfig(comparator=m.MultiVectorComparator.MAX_SIM),
    ),
}
SPARSE = {"words": m.SparseVectorParams(modifier=m.Modifier.IDF), "plain": m.SparseVectorParams()}
INDEXES: dict[str, m.PayloadFieldSchema] = {
    "k": m.PayloadSchemaType.KEYWORD,
    "tags": m.PayloadSchemaType.KEYWORD,
    "n": m.PayloadSchemaType.INTEGER,
    "f": m.PayloadSchemaType.FLOAT,
    "flag": m.PayloadSchemaType.BOOL,
    "when": m.PayloadSchemaType.DATETIME,
    "text": m.TextIndexParams(
        type=m.TextIndexType.TEXT, tokenizer=m.TokenizerType.WORD, lowercase=True, phrase_matching=True
    ),
}

RANDOM = np.random.default_rng(7)
WORDS = ("red", "green", "blue", "bird", "rain", "drum", "piano", "river")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def fill(client: Client) -> None:
    """Make the collections `things` and `other` with the same points everywhere."""
    client.create_collection("things", VECTORS, SPARSE, metadata={"made": "by tests"})
    for field, schema in INDEXES.items():
        client.create_payload_index("things", field, schema)
    for start in range(0, POINTS, 100):
        client.upsert("things", THINGS[start : start + 100])
    client.create_collection("other", {"dense": VECTORS["dense"]})
    client.upsert("other", OTHER)


def point_id(index: int) -> int | str:
    return UUIDS.get(index, index)


def sparse(random: np.random.Generator, terms: int = 5) -> m.SparseVector:
    indices = sorted(int(one) for one in random.choice(40, size=terms, replace=False))
    return m.SparseVector(indices=indices, values=[float(one) for one in random.uniform(0.1, 2, terms).round(3)])


def payload(index: int) -> dict[str, Any]:
    made: dict[str, Any] = {
        "n": index,
        "f": index / 8,
        "k": f"k{index % 7}",
        "tags": [f"t{index % 3}", f"t{index % 5}"],
        "flag": index % 3 == 0,
        "when": (NOON + timedelta(hours=index)).isoformat(),
        "where": {"lon": -10 + index / 8, "lat": 40 + index / 16},
        "text": f"{WORDS[index % 8]} and {WORDS[index // 8 % 8]} {index}",
        "deep": {"er": {"value": index % 4}},
        "items": [{"a": index % 4, "b": index % 6}, {"a": index % 5, "b": index % 3}],
    }
    if index % 11 == 0:
        made["maybe"] = None
    elif index % 5 == 0:
        made["maybe"] = index
    return made


def vectors(index: int) -> dict[str, Any]:
    """Vectors of a point: numpy rows, one of them float64; some points lack some."""
    made: dict[str, Any] = {
        "dense": RANDOM.standard_normal(8).astype(np.float32),
        "dot": RANDOM.standard_normal(6),
        "euclid": RANDOM.standard_normal(6).astype(np.float32).tolist(),
        "multi": RANDOM.standard_normal((1 + index % 4, 4)).astype(np.float32),
    }
    if index % 4:
        made["words"] = sparse(RANDOM)
    if index % 9 == 0:
        del made["multi"]
    return {**made, "plain": sparse(RANDOM, 3)}


THINGS = [
    m.PointStruct.model_construct(id=point_id(index), vector=vectors(index), payload=payload(index))
    for index in range(POINTS)
]
OTHER = [
    m.PointStruct.model_construct(
        id=index, vector={"dense": RANDOM.standard_normal(8).astype(np.float32)}, payload={"name": f"other {index}"}
    )
    for index in range(30)
]

DENSE = [0.3, -0.2, 0.5, 0.1, -0.7, 0.2, 0.05, 0.4]
SIX = [0.3, -0.2, 0.5, 0.1, -0.7, 0.2]
MULTI = [[0.1, 0.9, -0.3, 0.2], [-0.5, 0.1, 0.4, 0.3]]
TERMS = m.SparseVector(indices=[3, 7, 11, 19], values=[1.0, 0.5, 2.0, 1.5])
MOSTLY = m.Prefetch(query=DENSE, using="dense", limit=60)
TERMLY = m.Prefetch(query=TERMS, using="words", limit=60)


def field(key: str, value: str | int | bool) -> m.FieldCondition:
    return m.FieldCondition(key=key, match=m.MatchValue(value=value))


def only(*conditions: m.Condition) -> m.Filter:
    return m.Filter(must=list(conditions))


FILTERS: dict[str, m.Filter] = {
    "text value": only(field("k", "k3")),
    "integer": only(field("n", 17)),
    "true": only(field("flag", True)),
    "false": only(field("flag", False)),
    "in a list": only(field("tags", "t4")),
    "any text": only(m.FieldCondition(key="k", match=m.MatchAny(any=["k1", "k2"]))),
    "any integer": only(m.FieldCondition(key="n", match=m.MatchAny(any=[1, 2, 300]))),
    "none of a list": only(m.FieldCondition(key="n", match=m.MatchAny(any=[]))),
    "except": only(m.FieldCondition(key="k", match=m.MatchExcept(**{"except": ["k1", "k2"]}))),
    "full text": only(m.FieldCondition(key="text", match=m.MatchText(text="red bird"))),
    "text of any": only(m.FieldCondition(key="text", match=m.MatchTextAny(text_any="red piano"))),
    "phrase": only(m.FieldCondition(key="text", match=m.MatchPhrase(phrase="bird and"))),
    "prefix": only(m.FieldCondition(key="k", match=m.MatchPrefix(prefix="k"))),
    "substring": only(m.FieldCondition(key="k", match=m.MatchSubstring(substring="5"))),
    "range": only(m.FieldCondition(key="f", range=m.Range(gt=3.5, lte=20))),
    "dates": only(
        m.FieldCondition(
            key="when", range=m.DatetimeRange(gte=NOON + timedelta(hours=5), lt=NOON + timedelta(hours=50))
        )
    ),
    "box": only(
        m.FieldCondition(
            key="where",
            geo_bounding_box=m.GeoBoundingBox(
                top_left=m.GeoPoint(lon=-9, lat=46), bottom_right=m.GeoPoint(lon=-2, lat=41)
            ),
        )
    ),
    "circle": only(
        m.FieldCondition(key="where", geo_radius=m.GeoRadius(center=m.GeoPoint(lon=-5, lat=42.5), radius=150_000))
    ),
    "polygon": only(
        m.FieldCondition(
            key="where",
            geo_polygon=m.GeoPolygon(
                exterior=m.GeoLineString(
                    points=[m.GeoPoint(lon=x, lat=y) for x, y in ((-9, 40), (0, 40), (0, 46), (-9, 46), (-9, 40))]
                ),
                interiors=[
                    m.GeoLineString(
                        points=[m.GeoPoint(lon=x, lat=y) for x, y in ((-6, 41), (-4, 41), (-4, 44), (-6, 44), (-6, 41))]
                    )
                ],
            ),
        )
    ),
    "values count": only(m.FieldCondition(key="tags", values_count=m.ValuesCount(gte=2))),
    "empty": only(m.IsEmptyCondition(is_empty=m.PayloadField(key="maybe"))),
    "null": only(m.IsNullCondition(is_null=m.PayloadField(key="maybe"))),
    "ids": only(m.HasIdCondition(has_id=[1, 5, point_id(210), 100_000])),
    "has vector": only(m.HasVectorCondition(has_vector="multi")),
    "nested": only(
        m.NestedCondition(nested=m.Nested(key="items", filter=only(field("a", 2), field("b", 2)))),
    ),
    "array path": only(field("items[].a", 3)),
    "deep path": only(field("deep.er.value", 2)),
    "should": m.Filter(should=[field("k", "k1"), field("n", 100)]),
    "must not": m.Filter(must_not=[field("flag", True), field("k", "k2")]),
    "at least": m.Filter(
        min_should=m.MinShould(conditions=[field("flag", True), field("k", "k1"), field("tags", "t1")], min_count=2)
    ),
    "filters in a filter": m.Filter(must=[m.Filter(should=[field("k", "k1"), field("k", "k4")]), field("flag", True)]),
    "slice": only(m.SliceCondition(slice=m.Slice(total=3, index=1))),
}


def ask(**given: Any) -> m.QueryRequest:
    return m.QueryRequest.model_validate({"limit": 12, "with_payload": False, **given})


def recommend(strategy: m.RecommendStrategy | None, positive: Sequence[Any], negative: Sequence[Any] = ()) -> Any:
    return m.RecommendQuery(
        recommend=m.RecommendInput(positive=list(positive), negative=list(negative), strategy=strategy)
    )


AVERAGE, BEST, SUM = m.RecommendStrategy.AVERAGE_VECTOR, m.RecommendStrategy.BEST_SCORE, m.RecommendStrategy.SUM_SCORES

REQUESTS: dict[str, m.QueryRequest] = {
    "dense": ask(query=DENSE, using="dense"),
    "dot": ask(query=SIX, using="dot"),
    "euclid": ask(query=SIX, using="euclid"),
    "multi": ask(query=MULTI, using="multi"),
    "sparse with idf": ask(query=TERMS, using="words"),
    "sparse": ask(query=TERMS, using="plain"),
    "threshold": ask(query=DENSE, using="dense", score_threshold=0.4),
    "threshold of a distance": ask(query=SIX, using="euclid", score_threshold=1.8),
    "offset": ask(query=DENSE, using="dense", offset=7),
    "exact": ask(query=DENSE, using="dense", params=m.SearchParams(exact=True)),
    "ef": ask(query=DENSE, using="dense", params=m.SearchParams(hnsw_ef=200)),
    "payload": ask(query=DENSE, using="dense", with_payload=True),
    "some payload": ask(query=DENSE, using="dense", with_payload=["n", "deep.er"]),
    "payload without": ask(
        query=DENSE, using="dense", with_payload=m.PayloadSelectorExclude(exclude=["items", "text"])
    ),
    "all vectors": ask(query=DENSE, using="dense", with_vector=True),
    "some vectors": ask(query=DENSE, using="dense", with_vector=["multi", "words"]),
    "no query": ask(query=None, limit=15),
    "id as query": ask(query=5, using="dense"),
    "uuid as query": ask(query=point_id(205), using="dense"),
    "nearest id": ask(query=m.NearestQuery(nearest=7), using="words"),
    "id with a filter": ask(query=5, using="dense", filter=FILTERS["must not"]),
    "lookup": ask(query=3, using="dense", lookup_from=m.LookupLocation(collection="other")),
    "lookup of a vector": ask(query=3, using="dense", lookup_from=m.LookupLocation(collection="other", vector="dense")),
    "mmr": ask(query=m.NearestQuery(nearest=DENSE, mmr=m.Mmr(diversity=0.6, candidates_limit=40)), using="dense"),
    "average": ask(query=recommend(AVERAGE, [1, 5], [9]), using="dense"),
    "average by default": ask(query=recommend(None, [1, DENSE]), using="dense"),
    "average of sparse": ask(query=recommend(AVERAGE, [1, 5], [9]), using="words"),
    "average of multi": ask(query=recommend(AVERAGE, [1, 5], [10]), using="multi"),
    "average looked up": ask(
        query=recommend(AVERAGE, [1, 5], [9]), using="dense", lookup_from=m.LookupLocation(collection="other")
    ),
    "best score": ask(query=recommend(BEST, [1, DENSE], [9]), using="dense"),
    "sum of scores": ask(query=recommend(SUM, [1, 5], [9]), using="dense"),
    "negatives only": ask(query=recommend(BEST, [], [9, 10]), using="dense"),
    "discover": ask(
        query=m.DiscoverQuery(discover=m.DiscoverInput(target=4, context=[m.ContextPair(positive=DENSE, negative=8)])),
        using="dense",
    ),
    "feedback": ask(
        query=m.RelevanceFeedbackQuery(
            relevance_feedback=m.RelevanceFeedbackInput(
                target=DENSE,
                feedback=[m.FeedbackItem(example=3, score=0.9), m.FeedbackItem(example=8, score=0.1)],
                strategy=m.NaiveFeedbackStrategy(naive=m.NaiveFeedbackStrategyParams(a=0.7, b=1.0, c=0.5)),
            )
        ),
        using="dense",
    ),
    "order by": ask(query=m.OrderByQuery(order_by=m.OrderBy(key="n", direction=m.Direction.DESC))),
    "rescoring": ask(query=DENSE, using="dense", prefetch=TERMLY),
    "rescoring twice": ask(
        query=MULTI, using="multi", prefetch=m.Prefetch(query=DENSE, using="dense", limit=30, prefetch=[TERMLY])
    ),
    "formula": ask(
        query=m.FormulaQuery(
            formula=m.SumExpression(sum=["$score", m.MultExpression(mult=[0.1, field("flag", True)])])
        ),
        prefetch=MOSTLY,
    ),
    "decay": ask(
        query=m.FormulaQuery(
            formula=m.SumExpression(
                sum=[
                    "$score[0]",
                    m.ExpDecayExpression(
                        exp_decay=m.DecayParamsExpression(
                            x="n",
                            target=m.DivExpression(div=m.DivParams(left=100.0, right=2.0)),
                            scale=20.0,
                            midpoint=0.5,
                        )
                    ),
                ]
            ),
            defaults={"n": 0},
        ),
        prefetch=[MOSTLY],
    ),
    "rrf": ask(query=m.FusionQuery(fusion=m.Fusion.RRF), prefetch=[MOSTLY, TERMLY]),
    "rrf with k": ask(query=m.RrfQuery(rrf=m.Rrf(k=60)), prefetch=[MOSTLY, TERMLY]),
    "rrf with weights": ask(query=m.RrfQuery(rrf=m.Rrf(k=2, weights=[3.0, 1.0])), prefetch=[MOSTLY, TERMLY]),
    "rrf with offset": ask(query=m.RrfQuery(rrf=m.Rrf(k=60)), prefetch=[MOSTLY, TERMLY], offset=9, limit=5),
    "rrf with a filter": ask(
        query=m.RrfQuery(rrf=m.Rrf(k=60)), prefetch=[MOSTLY, TERMLY], filter=FILTERS["true"], with_payload=["n"]
    ),
    "rrf with a threshold": ask(query=m.RrfQuery(rrf=m.Rrf(k=60)), prefetch=[MOSTLY, TERMLY], score_threshold=0.02),
    "dbsf": ask(query=m.FusionQuery(fusion=m.Fusion.DBSF), prefetch=[MOSTLY, TERMLY]),
    "fusion with ids": ask(
        query=m.FusionQuery(fusion=m.Fusion.DBSF),
        prefetch=[m.Prefetch(query=5, using="dense", limit=40), m.Prefetch(query=5, using="words", limit=40)],
    ),
    "fusion of fusions": ask(
        query=m.FusionQuery(fusion=m.Fusion.DBSF),
        prefetch=[m.Prefetch(query=m.FusionQuery(fusion=m.Fusion.DBSF), prefetch=[MOSTLY, TERMLY], limit=50), MOSTLY],
    ),
    **{f"filter: {name}": ask(query=DENSE, using="dense", filter=given) for name, given in FILTERS.items()},
}

REFUSED: dict[str, m.QueryRequest] = {
    "limit 0": ask(query=DENSE, using="dense", limit=0),
    "wrong dimension": ask(query=[1.0, 2.0], using="dense"),
    "unknown vector": ask(query=DENSE, using="nowhere"),
    "k of 0": ask(query=m.RrfQuery(rrf=m.Rrf(k=0)), prefetch=[MOSTLY, TERMLY]),
    "one weight for two": ask(query=m.RrfQuery(rrf=m.Rrf(weights=[1.0])), prefetch=[MOSTLY, TERMLY]),
    "fusion of nothing": ask(query=m.FusionQuery(fusion=m.Fusion.RRF)),
    "unknown id": ask(query=123_456_789, using="dense"),
    "no positives": ask(query=recommend(AVERAGE, [], [3]), using="dense"),
}


def assert_alike(mine: Sequence[m.ScoredPoint], theirs: Sequence[m.ScoredPoint]) -> None:
    """Compare hits: the same scores to four decimals, the same points among equals, the last equals aside."""
    assert [point.score for point in mine] == pytest.approx([point.score for point in theirs], abs=2e-4, rel=1e-4)
    cut = theirs[-1].score if theirs else 0.0
    for point in mine:
        if abs(point.score - cut) > 2e-4:
            same = next((one for one in theirs if one.id == point.id), None)
            assert same is not None, f"{point.id} is not among the expected hits"
            assert abs(same.score - point.score) < 2e-4
            assert point.payload == same.payload
            assert rounded(point.vector) == rounded(same.vector)


def rounded(vector: Any) -> Any:
    """Round the numbers of any vector to three decimals."""
    match vector:
        case m.SparseVector():
            return list(zip(vector.indices, (round(value, 3) for value in vector.values), strict=True))
        case dict():
            return {name: rounded(one) for name, one in cast("Any", vector).items()}
        case list():
            return [rounded(one) for one in cast("Any", vector)]
        case float():
            return round(vector, 3) + 0.0
        case _:
            return vector
