"""A query becomes one request: which fields it touches, and what is sent."""

import numpy as np
import pytest
from qdrant_client.http import models
from schemas import words_schema

from octant import Field, Image, MediaError, Modality, Query, Schema, Text, UnsupportedModality, starter
from octant.filters import condition, filter_of
from octant.plan import make_plans

PIXELS = Image(np.zeros((2, 2, 3), dtype=np.uint8))


def test_a_query_into_one_field_is_a_plain_search() -> None:
    [plan] = make_plans([Query(PIXELS, into=(Modality.AUDIO,), limit=3)], words_schema())
    request = plan.request(plan.query.limit)
    assert request.using == "audio"
    assert request.prefetch is None
    assert request.limit == 3


def test_a_query_into_several_fields_is_one_request_fused_by_rrf_with_k_sent() -> None:
    [plan] = make_plans([Query(Text("red shoe"))], words_schema())
    request = plan.request(plan.query.limit)
    assert isinstance(request.prefetch, list)
    assert {one.using for one in request.prefetch} == {"text", "words", "image", "audio"}
    assert request.query == models.RrfQuery(rrf=models.Rrf(k=60))
    assert {one.limit for one in request.prefetch} == {50}


def test_a_limit_deeper_than_the_candidates_takes_more_candidates() -> None:
    [plan] = make_plans([Query(Text("red shoe"), limit=200)], words_schema())
    prefetch = plan.request(plan.query.limit).prefetch
    assert isinstance(prefetch, list)
    assert {one.limit for one in prefetch} == {200}


def test_the_filter_narrows_every_leg() -> None:
    [plan] = make_plans([Query(Text("shoe"), where={"folder": "pets"})], words_schema())
    wanted = models.Filter(must=[models.FieldCondition(key="folder", match=models.MatchValue(value="pets"))])
    prefetch = plan.request(plan.query.limit).prefetch
    assert isinstance(prefetch, list)
    assert all(one.filter == wanted for one in prefetch)


def test_a_medium_is_encoded_once_per_space_however_many_fields_it_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = words_schema()
    shared = schema.fields["text"].space
    batches: list[int] = []
    encode = shared.encode

    def counted(media: list[Text], modality: Modality, role: object) -> object:
        batches.append(len(media))
        return encode(media, modality, role)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(shared, "encode", counted)
    make_plans([Query(Text("red")), Query(Text("blue"))], schema)
    assert [n for n in batches if n] == [2]


def test_a_field_answers_only_the_queries_that_it_says() -> None:
    space = words_schema().fields["image"].space
    schema = Schema(Field("image", space, Modality.IMAGE, answers=frozenset({Modality.TEXT})))
    with pytest.raises(UnsupportedModality, match="answers text to image"):
        make_plans([Query(PIXELS)], schema)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("pets", models.FieldCondition(key="k", match=models.MatchValue(value="pets"))),
        (3, models.FieldCondition(key="k", range=models.Range(gte=3, lte=3))),
        (2**60, models.FieldCondition(key="k", match=models.MatchValue(value=2**60))),
        (True, models.FieldCondition(key="k", match=models.MatchValue(value=True))),
        (1.5, models.FieldCondition(key="k", range=models.Range(gte=1.5, lte=1.5))),
        (["a", "b"], models.FieldCondition(key="k", match=models.MatchAny(any=["a", "b"]))),
        (
            [2024, "2024"],
            models.Filter(
                should=[
                    models.FieldCondition(key="k", range=models.Range(gte=2024, lte=2024)),
                    models.FieldCondition(key="k", match=models.MatchValue(value="2024")),
                ]
            ),
        ),
    ],
)
def test_a_value_becomes_the_condition_that_qdrant_has_for_it(value: object, wanted: models.Condition) -> None:
    assert condition("k", value) == wanted


@pytest.mark.parametrize("value", [None, [], [None], {"gte": 3}])
def test_a_value_that_cannot_be_matched_is_refused_with_the_key(value: object) -> None:
    with pytest.raises(ValueError, match="cannot filter 'k'"):
        condition("k", value)


def test_qdrants_own_filter_is_taken_as_it_is() -> None:
    own = models.Filter(must_not=[models.HasIdCondition(has_id=[1])])
    assert filter_of(own) is own
    assert filter_of({}) is None


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Query(Text("a"), limit=0)


def test_a_query_that_cannot_be_decoded_is_one_media_error() -> None:
    broken = Query(Image(b"no image"), (Modality.IMAGE,))
    towers = starter()
    with pytest.raises(MediaError, match="cannot read"):
        make_plans([broken], towers)
    with pytest.raises(ExceptionGroup):
        make_plans([broken, Query(Image(b"nor this"), (Modality.IMAGE,))], towers)


def test_what_is_no_more_similar_than_unrelated_things_has_no_part_in_a_fusion() -> None:
    space = words_schema().fields["text"].space
    schema = Schema(
        Field("text", space, Modality.TEXT, floors={Modality.TEXT: 0.2}), Field("image", space, Modality.IMAGE)
    )
    [fused] = make_plans([Query(Text("red"))], schema)
    prefetch = fused.request(10).prefetch
    assert isinstance(prefetch, list)
    assert {one.using: one.score_threshold for one in prefetch} == {"text": 0.2, "image": None}
    [alone] = make_plans([Query(Text("red"), (Modality.TEXT,))], schema)
    assert alone.request(10).score_threshold is None, "who names what to find sees the nearest, however far"


def test_a_query_of_the_wrong_kind_is_told_at_once() -> None:
    with pytest.raises(TypeError, match="give a str"):
        Query("apple")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="tuple of Modality"):
        Query(Text("apple"), into="text")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="where is a mapping"):
        filter_of(3)  # pyright: ignore[reportArgumentType]
