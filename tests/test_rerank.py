"""Stages, budgets and deadlines: only `rank` sorts, and what comes too late changes nothing."""

import gc
import math
import threading
from collections.abc import Sequence
from pathlib import Path

import PIL.Image
import pytest

from octant.encoding import EncoderSpec, Role
from octant.errors import MediaError, OctantError, RerankError
from octant.item import Explanation, Hit, Item, StageScore
from octant.media import Image, Media, Modality, Text, decode_image, picture
from octant.media.source import read_bytes
from octant.query import Query
from octant.rerank import ByFunction, InSpace, Stage, rank
from octant.space import Space
from octant.vectors import Vector, normalize

QUERY = Query(Text("cup"))


def hits(*ids: str, explain: bool = False) -> list[Hit]:
    """Hits whose scores fall from 1 by tenths."""
    return [
        Hit(Item(name, {"text": Text(name)}), 1 - i / 10, explanation=Explanation(1 - i / 10, ()) if explain else None)
        for i, name in enumerate(ids)
    ]


def by(scores: dict[str, float], batch_size: int | None = None) -> ByFunction:
    """A reranker that knows the scores of hits by their ids."""

    def known(query: Query, found: Sequence[Hit]) -> list[float]:
        return [scores[hit.id] for hit in found]

    return ByFunction(known, batch_size)


def ids(ranked: Sequence[Hit]) -> str:
    return "".join(hit.id for hit in ranked)


def test_hits_come_in_the_order_of_their_scores() -> None:
    ranked, [note] = rank(QUERY, hits("a", "b", "c"), [Stage(by({"a": 1, "b": 3, "c": 2}))])
    assert [(hit.id, hit.score) for hit in ranked] == [("b", 3.0), ("c", 2.0), ("a", 1.0)]
    assert (note.name, note.judged, note.note) == ("known", 3, "")


def test_equal_scores_keep_their_order() -> None:
    ranked, _ = rank(QUERY, hits("a", "b", "c", "d"), [Stage(by({"a": 1, "b": 2, "c": 1, "d": 2}))])
    assert ids(ranked) == "bdac"


def test_hits_beyond_the_candidates_keep_their_order_and_score_below() -> None:
    ranked, [note] = rank(QUERY, hits("a", "b", "c", "d"), [Stage(by({"a": 0, "b": 1}), candidates=2)])
    assert [(hit.id, round(hit.score, 1)) for hit in ranked] == [("b", 1.0), ("a", 0.0), ("c", 0.8), ("d", 0.7)]
    assert note.judged == 2


def test_what_cannot_be_judged_stays_below_the_judged_in_its_order() -> None:
    scores = {"a": -math.inf, "b": -5.0, "c": -math.inf, "d": -4.0}
    ranked, [note] = rank(QUERY, hits("a", "b", "c", "d", "e"), [Stage(by(scores), candidates=4)])
    assert ids(ranked) == "dbace"
    assert ranked[2].score == 1.0, "it keeps its score"
    assert (note.judged, note.note) == (2, "2 of 4 hits stay below: it has nothing to judge them by")


def test_stages_follow_one_another_each_with_its_budget() -> None:
    first, second = by({"a": 1, "b": 2, "c": 3, "d": 4}), by({"d": 1, "c": 2})
    ranked, notes = rank(QUERY, hits("a", "b", "c", "d"), [Stage(first), Stage(second, candidates=2)])
    assert ids(ranked) == "cdba"
    assert [note.judged for note in notes] == [4, 2]


def test_a_stage_sees_the_scores_of_the_one_before() -> None:
    def doubled(query: Query, found: Sequence[Hit]) -> list[float]:
        return [2 * hit.score for hit in found]

    ranked, _ = rank(QUERY, hits("a", "b"), [Stage(by({"a": 3, "b": 5})), Stage(ByFunction(doubled))])
    assert [hit.score for hit in ranked] == [10, 6]


def test_each_stage_is_explained_where_that_was_asked_for() -> None:
    stages = [Stage(by({"a": 1, "b": 2}), candidates=2), Stage(by({"b": -math.inf, "a": 1, "c": 5}))]
    ranked, _ = rank(QUERY, hits("a", "b", "c", explain=True), stages)
    assert ids(ranked) == "cab"
    noted = {hit.id: hit.explanation.stages for hit in ranked if hit.explanation}
    assert noted["a"] == (StageScore("known", 1.0, 1, 2), StageScore("known", 1.0, 2, 2))
    assert noted["b"] == (StageScore("known", 2.0, 2, 1), StageScore("known", None, 1, 3))
    assert noted["c"] == (StageScore("known", None, 3, 3), StageScore("known", 5.0, 3, 1))
    unexplained, _ = rank(QUERY, hits("a", "b", "c"), stages)
    assert ids(unexplained) == "cab"
    assert unexplained[0].explanation is None


def test_a_reranker_is_called_with_slices_of_its_batch_size() -> None:
    seen: list[str] = []

    def noted(query: Query, found: Sequence[Hit]) -> list[float]:
        seen.append(ids(found))
        return [0.0] * len(found)

    rank(QUERY, hits("a", "b", "c", "d", "e"), [Stage(ByFunction(noted, 2))])
    rank(QUERY, hits("a", "b", "c", "d", "e"), [Stage(ByFunction(noted))])
    assert seen == ["ab", "cd", "e", "abcde"]


def test_no_hits_and_no_stages_are_no_error() -> None:
    assert rank(QUERY, [], [Stage(by({}))])[0] == []
    assert rank(QUERY, [], [Stage(by({}), deadline=5)])[0] == []
    assert ids(rank(QUERY, hits("a", "b"), [])[0]) == "ab"


@pytest.mark.parametrize("deadline", [None, 60.0])
def test_a_reranker_that_fails_is_named(deadline: float | None) -> None:
    def broken(query: Query, found: Sequence[Hit]) -> list[float]:
        raise KeyError("price")

    with pytest.raises(RerankError, match="reranker 'broken': KeyError: 'price'") as raised:
        rank(QUERY, hits("a"), [Stage(ByFunction(broken), deadline=deadline)])
    assert isinstance(raised.value, OctantError)
    assert isinstance(raised.value.__cause__, KeyError)


@pytest.mark.parametrize(("scores", "reason"), [([1.0], "1 scores for 2 hits"), ([1.0, math.nan], "not a number")])
def test_scores_that_are_none_are_refused(scores: list[float], reason: str) -> None:
    def wrong(query: Query, found: Sequence[Hit]) -> list[float]:
        return scores

    with pytest.raises(RerankError, match=f"reranker 'wrong': gave .*{reason}"):
        rank(QUERY, hits("a", "b"), [Stage(ByFunction(wrong))])


def test_budgets_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="one candidate or more, not 0"):
        Stage(by({}), candidates=0)
    with pytest.raises(ValueError, match="above 0, not 0"):
        Stage(by({}), deadline=0)
    with pytest.raises(TypeError, match="takes a reranker, such as ByFunction"):
        Stage(len)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


class Slow:
    """A reranker that waits to be let go on after its first slice."""

    name = "slow"
    batch_size = 1

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.called: list[str] = []

    def score(self, query: Query, hits: Sequence[Hit]) -> list[float]:
        self.called.append(ids(hits))
        if len(self.called) > 1:
            self.go_on.wait(60)
        return [float(ord(hits[0].id))]


def test_a_late_stage_leaves_the_earlier_order_and_stops_at_its_next_slice() -> None:
    slow = Slow()
    found = hits("a", "b", "c", "d", explain=True)
    ranked, [note] = rank(QUERY, found, [Stage(slow, deadline=0.2)])
    assert ids(ranked) == "abcd"
    assert [hit.score for hit in ranked] == [hit.score for hit in found]
    assert (note.judged, note.note) == (0, "late: 1 of 4 hits judged in 0.2 s; the earlier order stands")
    assert note.seconds >= 0.2
    assert ranked[0].explanation
    assert ranked[0].explanation.stages == (StageScore("slow", None, 1, 1),)
    [thread] = [thread for thread in threading.enumerate() if thread.name == "octant-rerank-slow"]
    slow.go_on.set()
    thread.join(60)
    assert not thread.is_alive()
    assert slow.called == ["a", "b"], "the rest was not judged"


def test_a_late_stage_is_not_asked_again_before_it_has_ended_and_is_afterwards() -> None:
    slow = Slow()
    rank(QUERY, hits("a", "b"), [Stage(slow, deadline=0.05)])
    ranked, [note] = rank(QUERY, hits("a", "b"), [Stage(slow, deadline=0.05)])
    assert ids(ranked) == "ab"
    assert "0 of 2 hits judged, being busy with an earlier query" in note.note
    assert slow.called == ["a", "b"], "late work does not pile up"
    slow.go_on.set()
    ranked, [note] = rank(QUERY, hits("a", "b"), [Stage(slow, deadline=60)])
    assert (ids(ranked), note.note) == ("ba", "")


def test_the_next_stage_runs_after_a_late_one() -> None:
    slow = Slow()
    ranked, notes = rank(QUERY, hits("a", "b"), [Stage(slow, deadline=0.05), Stage(by({"a": 1, "b": 2}))])
    slow.go_on.set()
    assert ids(ranked) == "ba"
    assert [bool(note.note) for note in notes] == [True, False]


def test_a_stage_in_time_leaves_no_thread_behind() -> None:
    ranked, [note] = rank(QUERY, hits("a", "b"), [Stage(by({"a": 1, "b": 2}), deadline=60)])
    assert (ids(ranked), note.note) == ("ba", "")
    gc.collect()
    for thread in threading.enumerate():
        if thread.name.startswith("octant-rerank"):
            thread.join(60)
            assert not thread.is_alive()


class Brightness:
    """An encoder of pictures: their mean colour."""

    spec = EncoderSpec("brightness@1", Modality.IMAGE, 3)

    def encode(self, batch: Sequence[Image], role: Role) -> list[Vector]:
        """Encode pictures; like every encoder it decodes them itself."""
        import numpy as np

        broken: list[MediaError] = []
        vectors: list[Vector] = []
        for image in batch:
            try:
                pixels = np.asarray(decode_image(image, shortest=self.spec.pixels), dtype=np.float32)
                vectors.append(normalize(pixels.mean(axis=(0, 1))))
            except MediaError as error:
                broken.append(error)
        if broken:
            raise ExceptionGroup("pictures that cannot be read", broken)
        return vectors


COLOURS = {"red": (250, 10, 10), "green": (10, 250, 10), "blue": (10, 10, 250)}


@pytest.fixture
def photos(tmp_path: Path) -> list[Hit]:
    """Hits with a photo each, of one colour, and one that has a text alone."""
    found: list[Hit] = []
    for name, colour in COLOURS.items():
        PIL.Image.new("RGB", (8, 8), colour).save(tmp_path / f"{name}.png")
        found.append(Hit(Item(name, {"photo": Image(tmp_path / f"{name}.png")}), 0.5))
    return [*found, Hit(Item("text", {"text": Text("blue")}), 0.4)]


def test_a_second_space_judges_by_the_medium_that_is_nearest(photos: list[Hit], tmp_path: Path) -> None:
    both: dict[str, Media] = {**photos[0].item.media, "back": photos[2].item.media["photo"]}
    found = [photos[1], photos[0], Hit(Item("both", both), 0.3), photos[3]]
    query = Query(Image(tmp_path / "blue.png"))
    ranked, [note] = rank(query, found, [Stage(InSpace(Space("colour", Brightness())))])
    assert [hit.id for hit in ranked[:1]] == ["both"]
    assert ranked[0].score == pytest.approx(1.0, abs=1e-5)
    assert ranked[-1].id == "text"
    assert (note.name, note.judged) == ("space colour", 3)


def test_a_file_that_is_gone_is_not_judged(photos: list[Hit], tmp_path: Path) -> None:
    query = Query(Image(PIL.Image.open(tmp_path / "green.png")))
    (tmp_path / "green.png").unlink()
    ranked, [note] = rank(query, photos, [Stage(InSpace(Space("colour", Brightness())))])
    assert [hit.id for hit in ranked[2:]] == ["green", "text"]
    assert note.judged == 2


def test_a_space_that_cannot_read_the_query_says_so(photos: list[Hit]) -> None:
    with pytest.raises(RerankError, match="space colour has no encoder for text; it reads image"):
        rank(QUERY, photos, [Stage(InSpace(Space("colour", Brightness())))])


def test_media_that_several_stages_decode_are_read_once(photos: list[Hit], monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[object] = []

    def counting(source: Path | bytes, about: object, limit: int) -> bytes:
        read.append(source)
        return read_bytes(source, about, limit)

    monkeypatch.setattr(picture, "read_bytes", counting)
    query = Query(Image(PIL.Image.new("RGB", (8, 8), COLOURS["blue"])))
    stages = [Stage(InSpace(Space(name, Brightness()), batch_size=2)) for name in ("one", "two", "three")]
    ranked, _ = rank(query, photos, stages)
    assert len(read) == 3, "each photo once, over three stages"
    assert ranked[0].item.media == {"photo": photos[2].item.media["photo"]}, "hits keep their references"
    assert isinstance(ranked[0].item.media["photo"].source, Path)  # type: ignore[union-attr] # pyright: ignore[reportAttributeAccessIssue,reportUnknownMemberType]
    rank(query, photos, stages[:1])
    assert len(read) == 6, "nothing is remembered from one ranking to the next"
