"""Searching a collection: what is asked, how it is narrowed, grouped, judged again and explained, on both engines."""

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_client.http import models
from schemas import words_schema

import octant
from octant import (
    ById,
    ByVector,
    Collection,
    Composed,
    Discover,
    F,
    FilterError,
    Hit,
    Image,
    Item,
    Modality,
    Part,
    Query,
    Recommend,
    RelativeScore,
    Schema,
    Stage,
    StoreError,
    Text,
    TextIndex,
)
from octant.rerank import ByFunction, LateInteraction, Mmr, boost

RED = Image(np.full((8, 8, 3), [255, 0, 0], dtype=np.uint8))


def shop() -> list[Item]:
    """Shoes and boots of three brands, one without a brand, and a photo without words."""
    rows = [
        ("a", "red running shoe", "acme", 50),
        ("b", "blue running shoe", "acme", 80),
        ("c", "red leather boot", "bolt", 120),
        ("d", "blue leather boot", "bolt", 90),
        ("e", "red silk shoe", "cord", 200),
        ("f", "plain lace", None, 5),
    ]
    texts = [
        Item(name, {"title": Text(title)}, {"price": price, **({} if brand is None else {"brand": brand})})
        for name, title, brand, price in rows
    ]
    return [*texts, Item("photo", {"photo": RED}, {"brand": "acme", "price": 1})]


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    with octant.open("lib", path=tmp_path / "db", schema=words_schema()) as opened:
        opened.add(shop())
        opened.client.create_payload_index("lib", "brand", models.PayloadSchemaType.KEYWORD)
        yield opened


def ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.id for hit in hits]


def test_a_composed_question_leads_towards_and_away(collection: Collection) -> None:
    both = Query(Composed((Text("running shoe"), Part(Text("blue"), 0.5))), fields=("text",), limit=1)
    assert ids(collection.search(both)) == ["b"]
    away = Query(Composed((Text("running shoe"),), unlike=(Text("blue"),)), fields=("text",), limit=1)
    assert ids(collection.search(away)) == ["a"]


def test_the_sum_of_unit_vectors_is_what_is_asked(collection: Collection) -> None:
    space = collection.schema.fields["text"].space
    one, two = (np.asarray(v) for v in space.encode([Text("red"), Text("boot")], Modality.TEXT, octant.Role.QUERY))
    composed = Query(Composed((Part(Text("red"), 2.0), Part(Text("boot"), 1.0))), fields=("text",))
    given = Query(ByVector(2 * one + two), fields=("text",))
    mine, theirs = collection.search(composed), collection.search(given)
    assert [(h.id, pytest.approx(h.score, abs=1e-5)) for h in mine] == [(h.id, h.score) for h in theirs]


def test_an_item_is_an_example_and_no_hit_of_its_own(collection: Collection) -> None:
    hits = collection.search(Query(ById("a"), fields=("text",)))
    assert "a" not in ids(hits)
    assert set(ids(hits)[:2]) == {"b", "e"}


def test_an_example_that_is_not_there_is_named(collection: Collection) -> None:
    with pytest.raises(StoreError, match="no item 'nowhere'"):
        collection.search(ById("nowhere"))
    with pytest.raises(StoreError, match="'photo' has no vector"):
        collection.search(Query(ById("photo"), into=(Modality.TEXT,)))


def test_photo_and_words_are_asked_in_each_field_that_can_read_one(collection: Collection) -> None:
    hits = collection.search(Composed((RED, Text("silk"))), explain=True)
    assert set(ids(hits)[:2]) == {"photo", "e"}
    assert hits.plan is not None
    assert {leg.field for leg in hits.plan.legs} == {"text", "words", "image", "audio"}
    assert any("'words' cannot read 1 of 2 parts" in note for note in hits.notes)


@pytest.mark.parametrize("strategy", list(models.RecommendStrategy))
def test_recommending_goes_by_liked_and_disliked_items(
    collection: Collection, strategy: models.RecommendStrategy
) -> None:
    hits = collection.search(Query(Recommend((ById("a"),), (ById("d"),), strategy), fields=("text",)))
    assert not {"a", "d"} & set(ids(hits))
    assert ids(hits).index("e") < ids(hits).index("c")


def test_discovery_prefers_the_side_of_the_context(collection: Collection) -> None:
    red = (ById("a"), ById("b"))
    hits = collection.search(Query(Discover(Text("leather boot"), (red,)), fields=("text",)))
    assert ids(hits)[0] == "c"
    around = collection.search(Query(Discover(None, (red,)), fields=("text",)))
    assert around
    assert not {"a", "b"} & set(ids(around))


def test_pages_are_the_whole_in_pieces(collection: Collection) -> None:
    whole = ids(collection.search("red shoe", limit=10))
    pieces = [ids(collection.search(Query(Text("red shoe"), limit=2, offset=at))) for at in range(0, 8, 2)]
    assert [one for page in pieces for one in page] == whole


def test_iterating_gives_each_item_once_and_all_of_them(collection: Collection) -> None:
    assert sorted(ids(list(collection.iterate("red shoe", page_size=2)))) == ["a", "b", "c", "d", "e", "f", "photo"]
    alone = [hit.score for hit in collection.iterate(Query(Text("red"), fields=("text",)), page_size=1)]
    assert alone == sorted(alone, reverse=True)
    with pytest.raises(ValueError, match="plain hits"):
        list(collection.iterate(Query(Text("red"), group_by="brand")))


def test_groups_are_the_best_of_each_and_none_is_missing(collection: Collection) -> None:
    for fields in ((), ("text",)):
        hits = collection.search(Query(Text("red shoe"), fields=fields, group_by="brand", limit=3))
        assert {group.key for group in hits.groups} == {"acme", "bolt", "cord"}
        assert len(hits) == 3
    several = collection.search(Query(Text("red shoe"), fields=("text",), group_by="brand", group_size=2, limit=2))
    assert [len(group.hits) for group in several.groups] in ([2, 1], [1, 2], [2, 2])
    second = collection.search(Query(Text("red shoe"), fields=("text",), group_by="brand", offset=2, limit=2))
    assert len(second.groups) == 1


def test_groups_are_not_under_filled_by_one_that_has_many_items(tmp_path: Path) -> None:
    with octant.open("lib", path=tmp_path / "db", schema=words_schema()) as opened:
        many = [Item(f"m{i}", {"t": Text(f"red shoe {i}")}, {"brand": "big"}) for i in range(150)]
        few = [Item(f"f{i}", {"t": Text("red thing")}, {"brand": f"small{i}"}) for i in range(4)]
        opened.add([*many, *few])
        hits = opened.search(Query(Text("red shoe"), group_by="brand", limit=5))
        assert hits.groups[0].key == "big"
        assert len(hits.groups) == 5


def test_facets_count_all_that_the_filter_matches(collection: Collection) -> None:
    hits = collection.search(Query(Text("shoe"), where="price >= 50", facets=("brand",), limit=1))
    assert hits.facets == {"brand": {"acme": 2, "bolt": 2, "cord": 1}}
    assert len(hits) == 1


@pytest.mark.parametrize(
    "where",
    [
        "price < 100 and brand = 'acme'",
        {"brand": "acme", "price": {"$lt": 100}},
        (F("price") < 100) & (F("brand") == "acme"),
        models.Filter(
            must=[
                models.FieldCondition(key="price", range=models.Range(lt=100)),
                models.FieldCondition(key="brand", match=models.MatchValue(value="acme")),
            ]
        ),
    ],
    ids=["text", "mapping", "builder", "qdrant"],
)
def test_a_filter_may_be_written_in_four_ways(collection: Collection, where: Any) -> None:
    assert set(ids(collection.search("shoe", where=where))) == {"a", "b", "photo"}
    assert collection.count(where) == 3


def test_a_filter_on_what_no_item_has_names_what_they_have(collection: Collection) -> None:
    with pytest.raises(FilterError, match="did you mean 'price'"):
        collection.search("shoe", where="prize < 10")
    with pytest.raises(FilterError, match="'brand' holds texts"):
        collection.count("brand < 10")
    with pytest.raises(FilterError, match="'colour'"):
        collection.search(Query(Text("shoe"), group_by="colour"))


def test_a_rare_key_is_looked_for_before_it_is_refused(tmp_path: Path) -> None:
    with octant.open("lib", path=tmp_path / "db", schema=words_schema()) as opened:
        opened.add([Item(f"i{i}", {"t": Text(f"thing {i}")}, {"n": i}) for i in range(600)])
        opened.add([Item("rare", {"t": Text("thing")}, {"seldom": "yes"})])
        assert opened.count("seldom = 'yes'") == 1


def test_a_key_that_came_later_is_known(collection: Collection) -> None:
    with pytest.raises(FilterError):
        collection.count("season = 'summer'")
    collection.add([Item("new", {"t": Text("sandal")}, {"season": "summer"})])
    assert collection.count("season = 'summer'") == 1


def test_nothing_is_known_of_an_empty_collection(tmp_path: Path) -> None:
    with octant.open("lib", path=tmp_path / "db", schema=words_schema()) as opened:
        assert not opened.search("shoe", where="price < 10")


def test_the_threshold_has_the_unit_of_what_ordered_the_hits(collection: Collection) -> None:
    alone = collection.search(Query(Text("red running shoe"), fields=("text",), threshold=0.6))
    assert alone
    assert all(hit.score >= 0.6 for hit in alone)
    share = collection.search(Query(Text("red running shoe"), fusion=RelativeScore(), threshold=1.0))
    assert ids(share)[0] == "a"
    assert all(hit.score >= 1.0 for hit in share)
    with pytest.raises(ValueError, match="threshold means nothing to rrf"):
        collection.search(Query(Text("red"), fusion=octant.RRF(), threshold=0.5))


def test_the_parts_of_an_explanation_sum_up_to_the_score_and_change_no_order(collection: Collection) -> None:
    for fusion in (octant.RRF(), octant.DBSF(), octant.ZScore(), RelativeScore()):
        query = Query(Text("red shoe"), fusion=fusion)
        plain, told = collection.search(query), collection.search(query, explain=True)
        assert ids(plain) == ids(told)
        for hit in told:
            assert hit.explanation is not None
            assert sum(leg.contribution for leg in hit.explanation.legs) == pytest.approx(hit.score, abs=1e-4)
    assert "zscore is computed by octant" in " ".join(collection.search(Query(Text("a"), fusion=octant.ZScore())).notes)


def test_an_answer_says_how_it_came_about(collection: Collection) -> None:
    hits = collection.search(Query(Text("red shoe"), facets=("brand",), group_by="brand", explain=True))
    assert {"plan", "search", "fuse"} <= hits.seconds.keys()
    shown = str(hits)
    for word in ("text", "words", "rrf", "acme"):
        assert word in shown
    told = json.loads(json.dumps(hits.as_dict()))
    assert told["hits"][0]["explanation"]["legs"]
    assert {row["value"] for row in told["facets"]["brand"]} == {"acme", "bolt", "cord"}
    assert told["groups"][0]["ids"] == [hits.groups[0].hits[0].id]


def tied(hits: Sequence[Hit]) -> list[set[str]]:
    """The order of hits, but for those of equal scores, which each engine may order as it likes."""
    groups: dict[float, set[str]] = {}
    for hit in hits:
        groups.setdefault(round(hit.score, 4), set()).add(hit.id)
    return list(groups.values())


def cheap(query: Query, hits: Sequence[Hit]) -> list[float]:
    return [-float(hit.metadata["price"]) for hit in hits]


def test_rerankers_see_their_candidates_and_pages_are_cut_after_them(collection: Collection) -> None:
    every = Stage(ByFunction(cheap), candidates=7)
    assert ids(collection.search(Query(Text("red shoe"), limit=2, rerank=(every,)))) == ["photo", "f"]
    assert ids(collection.search(Query(Text("red shoe"), limit=2, offset=2, rerank=(every,)))) == ["a", "b"]
    few = Query(Text("red leather boot"), fields=("text",), rerank=(Stage(ByFunction(cheap), candidates=2),))
    assert ids(collection.search(few))[:2] == sorted(ids(collection.search(replaced(few)))[:2], key=price_of)


def replaced(query: Query) -> Query:
    return Query(query.like, fields=query.fields)


def price_of(name: str) -> int:
    return next(item.metadata["price"] for item in shop() if item.id == name)


@pytest.mark.parametrize(
    "reranker",
    [
        boost.Boost(boost.score() + 0.01 * boost.key("price")),
        Mmr("text", diversity=0.5),
        LateInteraction("text"),
    ],
    ids=lambda one: one.name.split()[0],
)
def test_what_the_store_reranks_the_client_reranks_alike(collection: Collection, reranker: Any) -> None:
    query = Query(Text("red shoe"), fields=("text",), limit=5, rerank=(Stage(reranker, candidates=6),))
    calls: list[int] = []
    asked = collection.client.query_batch_points

    def counted(name: str, requests: Sequence[models.QueryRequest]) -> list[models.QueryResponse]:
        calls.append(sum(one.prefetch is not None or isinstance(one.query, models.NearestQuery) for one in requests))
        return asked(name, requests)

    collection.client.query_batch_points = counted  # type: ignore[method-assign]
    inside = collection.search(query)
    assert calls == [1], "the store reranks"
    told = collection.search(query, explain=True)
    assert calls == [1, 1], "and beside it the search is asked, to explain it"
    assert ids(told) == ids(inside)
    assert all(hit.explanation is not None and hit.explanation.stages for hit in told)
    late = collection.search(replace(query, rerank=(Stage(reranker, candidates=6, deadline=60.0),)))
    assert calls == [1, 1, 0], "the store knows no deadlines"
    assert tied(late) == tied(inside)
    # dense scores are the store's own floats
    assert [hit.score for hit in late] == pytest.approx([hit.score for hit in inside], abs=1e-4)


def test_words_of_a_payload_field_are_a_leg_without_vectors(tmp_path: Path) -> None:
    schema = Schema(words_schema().fields["text"], TextIndex("titles", "name"))
    with octant.open("lib", path=tmp_path / "db", schema=schema) as opened:
        names = ["SKU-1 hammer", "SKU-2 saw", "SKU-3 hammer drill"]
        opened.add([Item(name, {"t": Text("a tool")}, {"name": name}) for name in names])
        hits = opened.search(Query(Text("hammer"), fields=("titles",)))
        assert set(ids(hits)) == {"SKU-1 hammer", "SKU-3 hammer drill"}
        both = opened.search("saw", explain=True)
        assert ids(both)[0] == "SKU-2 saw"
        assert both[0].explanation is not None
        assert {leg.field for leg in both[0].explanation.legs} == {"text", "titles"}


def test_a_field_that_is_not_there_is_named(collection: Collection) -> None:
    with pytest.raises(StoreError, match=r"no field 'txet'.*text, words"):
        collection.search(Query(Text("a"), fields=("txet",)))
    with pytest.raises(StoreError, match="weights name 'txet'"):
        collection.search(Query(Text("a"), weights={"txet": 2.0}))


async def test_awaiting_gives_the_same(tmp_path: Path) -> None:
    query = Query(
        Composed((Text("red"), ById("a"))), where="price < 150", rerank=(Stage(ByFunction(cheap)),), explain=True
    )
    with octant.open("lib", path=tmp_path / "one", schema=words_schema()) as plain:
        plain.add(shop())
        wanted = ids(plain.search(query))
        deep = Query(Text("red shoe"), fields=("text",))
        every = tied(list(plain.iterate(deep, page_size=3)))
        plan = plain.plan(query).as_dict()
    async with await octant.open_async("lib", path=tmp_path / "two", schema=words_schema()) as awaited:
        await awaited.add(shop())
        assert ids(await awaited.search(query)) == wanted
        assert tied([hit async for hit in awaited.iterate(deep, page_size=3)]) == every
        assert (await awaited.plan(query)).as_dict() == plan


def many() -> list[Item]:
    words = ["red", "blue", "green", "shoe", "boot", "bell", "lace", "silk", "leather", "running", "plain", "iron"]
    texts = [f"{a} {b}" for a in words for b in words if a != b]
    return [Item(f"t{i}", {"title": Text(text)}) for i, text in enumerate(texts)]


def calls_of(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the batches of queries that are asked from now on."""
    calls: list[int] = []
    asked = collection.client.query_batch_points

    def counted(name: str, requests: Sequence[models.QueryRequest]) -> list[models.QueryResponse]:
        calls.append(len(requests))
        return asked(name, requests)

    monkeypatch.setattr(collection.client, "query_batch_points", counted)
    return calls


def test_what_chance_scores_is_measured_once_and_stored_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dense = Schema(*(f for f in words_schema().fields.values() if f.name != "words"))
    with octant.open("lib", path=tmp_path / "db", schema=dense) as opened:
        opened.add(many())
        calls = calls_of(opened, monkeypatch)
        hits = opened.search("red shoe", explain=True)
        assert hits.plan is not None
        assert (hits.plan.fusion.name, hits.plan.native) == ("calibrated", True)
        assert "shoe" in hits[0].text
        assert len(calls) == 2, "a sample, and the search"
        opened.search("blue boot")
        assert len(calls) == 3, "and no more samples"
        stored = opened.calibrate().as_json()
    with octant.open("lib", path=tmp_path / "db", schema=dense) as again:
        assert again.view.measured == stored
        measured: list[object] = []

        def measure(*given: object, points: int = 0) -> None:
            measured.append((given, points))

        monkeypatch.setattr("octant.answer.measure", measure)
        assert ids(again.search("red shoe")) == ids(hits)
        assert not measured, "what is stored is not measured again"


def test_where_too_little_is_known_of_chance_ranks_are_fused(collection: Collection) -> None:
    hits = collection.search(Query(RED, fields=("text", "image")))
    assert hits.plan is not None
    assert hits.plan.fusion.name == "rrf"
    with pytest.raises(ValueError, match="no background"):
        collection.search(Query(RED, fields=("text", "image"), fusion=octant.Calibrated()))


def test_a_calibrated_threshold_is_in_standard_deviations(tmp_path: Path) -> None:
    dense = Schema(*(f for f in words_schema().fields.values() if f.name != "words"))
    with octant.open("lib", path=tmp_path / "db", schema=dense) as opened:
        opened.add(many())
        hits = opened.search(Query(Text("red shoe"), threshold=1.0, limit=50))
        assert hits
        assert all(hit.score >= 1.0 for hit in hits)
        assert all("red" in hit.text or "shoe" in hit.text for hit in hits)


def copies(count: int) -> list[Item]:
    """Items of which many are equally near to anything."""
    return [
        Item(f"c{i}", {"t": Text(f"red {('shoe', 'boot', 'bell')[i % 3]}")}, {"brand": i % 3}) for i in range(count)
    ]


@pytest.mark.parametrize("fields", [("text",), ("words",)])
def test_pages_of_equal_hits_repeat_and_lose_nothing(tmp_path: Path, fields: tuple[str, ...]) -> None:
    with octant.open("lib", path=tmp_path / "db", schema=words_schema()) as opened:
        opened.add(copies(150))
        whole = ids(opened.search(Query(Text("red shoe"), fields=fields, limit=100)))
        pages = [opened.search(Query(Text("red shoe"), fields=fields, limit=10, offset=at)) for at in range(0, 100, 10)]
        assert [one for page in pages for one in ids(page)] == whole
        assert len(set(whole)) == 100


@pytest.mark.parametrize("fusion", [octant.RRF(), octant.DBSF(), octant.ZScore(), RelativeScore(), octant.Calibrated()])
def test_pages_of_one_depth_are_pieces_of_one_ranking(tmp_path: Path, fusion: Any) -> None:
    dense = Schema(*(f for f in words_schema().fields.values() if f.name != "words"))
    with octant.open("lib", path=tmp_path / "db", schema=dense) as opened:
        opened.add(many())
        asked = Query(Text("red shoe"), fusion=fusion, depth=400)
        whole = [hit.score for hit in opened.search(replace(asked, limit=100))]
        pages = [opened.search(replace(asked, limit=10, offset=at)) for at in range(0, 100, 10)]
        assert [hit.score for page in pages for hit in page] == pytest.approx(whole, abs=1e-5)
        assert len({hit.id for page in pages for hit in page}) == 100


def test_more_candidates_than_a_stage_takes_are_reranked_alike_each_time(tmp_path: Path) -> None:
    with octant.open("lib", path=tmp_path / "db", schema=words_schema()) as opened:
        opened.add(copies(120))
        for reranker in (LateInteraction("text"), boost.Boost(boost.key("brand"))):
            query = Query(Text("red shoe"), limit=20, rerank=(Stage(reranker),))
            first = ids(opened.search(query))
            assert all(ids(opened.search(query)) == first for _ in range(5))
            assert ids(opened.search(query, explain=True)) == first


def test_words_that_a_question_leads_away_from_find_nothing(tmp_path: Path) -> None:
    with octant.open("lib", path=tmp_path / "db", schema=words_schema()) as opened:
        opened.add([Item(t, {"t": Text(t)}) for t in ("red shoe", "blue hat", "white cup")])
        away = Composed((Text("red shoe"),), unlike=(Text("blue hat"),))
        assert ids(opened.search(Query(away, fields=("words",)))) == ["red shoe"]
        assert ids(opened.search(away))[-1] == "blue hat"


def test_groups_are_found_behind_hundreds_of_hits_of_another(tmp_path: Path) -> None:
    with octant.open("lib", path=tmp_path / "db", schema=words_schema()) as opened:
        near = [Item(f"n{i}", {"t": Text(f"red shoe {i}")}, {"brand": "near"}) for i in range(400)]
        opened.add([*near, Item("far", {"t": Text("iron")}, {"brand": "far"})])
        hits = opened.search(Query(Text("red shoe"), fields=("text",), group_by="brand", limit=2))
        assert [group.key for group in hits.groups] == ["near", "far"]
        opened.add([Item("x", {"t": Text("red")}, {"price": 1.5})])
        with pytest.raises(StoreError, match="cannot group by 'price'"):
            opened.search(Query(Text("red"), fields=("text",), group_by="price"))


def test_what_others_add_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("octant.answer._LOOK_AGAIN", -1.0)
    dense = Schema(*(f for f in words_schema().fields.values() if f.name != "words"))
    with (
        octant.open("lib", path=tmp_path / "db", schema=dense) as one,
        octant.open("lib", path=tmp_path / "db", schema=dense) as other,
    ):
        one.search("red shoe")
        assert one.view.backgrounds is not None
        assert "text" in one.view.backgrounds.empty
        other.add(many())
        one.search("red shoe")
        assert one.view.backgrounds is not None
        assert "text" not in one.view.backgrounds.empty
        one.delete([f"t{i}" for i in range(150)])
        assert one.view.backgrounds is None


def test_a_rare_kind_of_value_is_looked_for_before_it_is_refused(tmp_path: Path) -> None:
    with octant.open("lib", path=tmp_path / "db", schema=words_schema()) as opened:
        opened.add([Item(f"i{i}", {"t": Text(f"thing {i}")}, {"size": "L"}) for i in range(600)])
        opened.add([Item("rare", {"t": Text("thing")}, {"size": 42})])
        assert opened.count("size > 40") == 1
        with pytest.raises(FilterError, match="holds"):
            opened.count("size > 50")


def test_names_that_are_not_there_are_errors(collection: Collection) -> None:
    with pytest.raises(FilterError, match="no field 'imgae'"):
        collection.count("has(imgae)")
    with pytest.raises(FilterError, match="'popularty'"):
        collection.search(Query(Text("red"), rerank=(Stage(boost.Boost(boost.key("popularty"))),)))
    with pytest.raises(TypeError, match=r"write rerank=\(Stage"):
        Query(Text("red"), rerank=(Mmr("text"),))  # type: ignore[arg-type]


def test_vectors_are_asked_where_they_fit(collection: Collection) -> None:
    with pytest.raises(ValueError, match="says the fields"):
        Query(Composed((ByVector([1.0]), Text("red"))))
    with pytest.raises(StoreError, match="takes one of 64"):
        collection.search(Query(ByVector([1.0, 2.0]), fields=("text",)))
    with pytest.raises(StoreError, match="a vector cannot be asked"):
        collection.search(Query(ByVector([1.0] * 64), fields=("text",), into=(Modality.IMAGE,)))


def test_what_is_in_no_group_hides_none(tmp_path: Path) -> None:
    with octant.open("lib", path=tmp_path / "db", schema=words_schema()) as opened:
        loose = [Item(f"n{i}", {"t": Text(f"red shoe {i}")}) for i in range(100)]
        opened.add([*loose, Item("far", {"t": Text("iron")}, {"brand": "far"})])
        for fields in (("text",), ()):
            hits = opened.search(Query(Text("red shoe"), fields=fields, group_by="brand", limit=2))
            assert [group.key for group in hits.groups] == ["far"]


async def test_a_late_reranker_keeps_no_other_search_waiting(tmp_path: Path) -> None:
    stop = threading.Event()

    def slow(query: Query, hits: Sequence[Hit]) -> list[float]:
        stop.wait(30)
        return [0.0] * len(hits)

    async with await octant.open_async("lib", path=tmp_path / "db", schema=words_schema()) as awaited:
        await awaited.add(shop())
        await awaited.search("red")
        late = asyncio.create_task(awaited.search(Query(Text("red"), rerank=(Stage(ByFunction(slow)),))))
        await asyncio.sleep(0)
        assert len(await asyncio.wait_for(awaited.search("red shoe"), 20)) > 0
        assert not late.done(), "the other search did not wait for it"
        stop.set()
        assert await late


def test_an_index_makes_no_key_known(collection: Collection) -> None:
    collection.index_payload("barnd", "keyword")
    with pytest.raises(FilterError, match="did you mean 'brand'"):
        collection.count("barnd = 'acme'")
