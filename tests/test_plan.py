"""Plans are data: one snapshot per kind of query, compared as JSON, made without a store.

`python tests/test_plan.py` writes the snapshots anew; read the difference before you commit it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_client.http import models
from schemas import words_schema

from octant import (
    DBSF,
    ById,
    ByVector,
    Calibrated,
    Composed,
    Discover,
    F,
    Image,
    LateInteraction,
    Modality,
    Part,
    Plan,
    Query,
    Recommend,
    RelativeScore,
    Schema,
    Stage,
    Text,
    TextIndex,
    ZScore,
)
from octant.calibrate import Backgrounds
from octant.fusion import Background
from octant.plan import make_plans
from octant.stores.requests import listed

SNAPSHOTS = Path(__file__).parent / "plans"
PIXELS = Image(np.zeros((2, 2, 3), dtype=np.uint8))
STORED = {
    "a": {"text": np.array([1, 0, 0, 0], dtype=np.float32), "image": np.array([0, 1, 0, 0], dtype=np.float32)},
    "b": {"text": np.array([0, 0, 1, 0], dtype=np.float32)},
}
BACKGROUNDS = Backgrounds({(Modality.TEXT, name): Background(0.1, 0.05) for name in ("text", "image")})
RED = Text("red shoe")

QUERIES = {
    "one_field": Query(RED, into=(Modality.AUDIO,), limit=3),
    "several_fields": Query(RED),
    "image": Query(PIXELS, into=(Modality.IMAGE,)),
    "filtered": Query(RED, where=(F("price") < 20) & (F("brand") == "acme"), fields=("text",)),
    "by_id": Query(ById("a")),
    "by_vector": Query(ByVector([1.0, 0.0, 0.0, 0.0]), fields=("text",)),
    "composed": Query(Composed((PIXELS, Part(RED, 0.5)), unlike=(ById("b"),))),
    "recommend": Query(Recommend((ById("a"),), (ById("b"),), models.RecommendStrategy.BEST_SCORE), fields=("text",)),
    "discover": Query(Discover(RED, ((ById("a"), ById("b")),)), fields=("text",)),
    "context": Query(Discover(None, ((ById("a"), ById("b")),)), fields=("text",)),
    "page": Query(RED, limit=20, offset=60),
    "threshold": Query(RED, fields=("text",), threshold=0.3),
    "weights": Query(RED, fields=("text", "words"), weights={"words": 2.0}),
    "dbsf": Query(RED, fields=("text", "words"), fusion=DBSF()),
    "zscore": Query(RED, fields=("text", "words"), fusion=ZScore()),
    "relative": Query(RED, fields=("text", "words"), fusion=RelativeScore()),
    "calibrated": Query(RED, fields=("text", "image"), fusion=Calibrated()),
    "groups_and_facets": Query(RED, fields=("text",), group_by="product", facets=("brand",)),
    "reranked": Query(RED, fields=("words",), rerank=(Stage(LateInteraction("text"), candidates=30),)),
    "exact": Query(RED, fields=("text",), exact=True),
    "words_of_a_payload_key": Query(RED, fields=("titles",)),
}


def schema() -> Schema:
    return Schema(*words_schema(4).fields.values(), TextIndex("titles", "title"))


def plan_of(query: Query) -> Plan:
    [plan] = make_plans([query], schema(), STORED, backgrounds=BACKGROUNDS)
    return plan


def told(plan: Plan) -> Any:
    """A plan and its requests, with numbers that no platform's last digit changes."""
    requests = [plan.request(plan.reach)] if plan.native or not plan.fused else plan.each(plan.query.depth)
    whole = {
        "plan": plan.as_dict(),
        "requests": [listed(one).model_dump(mode="json", exclude_none=True) for one in requests],
    }
    return json.loads(json.dumps(whole), parse_float=lambda digits: round(float(digits), 5))


@pytest.mark.parametrize("kind", QUERIES)
def test_the_plan_of_a_query_is_as_it_was(kind: str) -> None:
    assert told(plan_of(QUERIES[kind])) == json.loads((SNAPSHOTS / f"{kind}.json").read_text("utf-8"))


@pytest.mark.parametrize("kind", QUERIES)
def test_a_plan_prints_its_fields_and_its_fusion(kind: str) -> None:
    plan = plan_of(QUERIES[kind])
    said = str(plan)
    assert all(leg.field in said for leg in plan.legs)
    assert (plan.fusion.name in said) == plan.fused


def test_every_snapshot_has_its_query() -> None:
    assert {path.stem for path in SNAPSHOTS.iterdir()} == set(QUERIES)


if __name__ == "__main__":
    for kind, query in QUERIES.items():
        (SNAPSHOTS / f"{kind}.json").write_text(json.dumps(told(plan_of(query)), indent=1) + "\n", "utf-8")
    sys.stdout.write(f"{len(QUERIES)} written to {SNAPSHOTS}\n")
