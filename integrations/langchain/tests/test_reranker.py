"""Documents are reranked by octant's rerankers, keep both scores, and are judged by their pictures where allowed."""

from __future__ import annotations

import asyncio
import copy
import math
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from langchain_core.documents import Document
from langchain_core.runnables import RunnableLambda
from langchain_octant.reranker import OctantReranker

from octant import (
    Boost,
    ByFunction,
    Hit,
    Image,
    InSpace,
    LateInteraction,
    Mmr,
    Query,
    RerankError,
    Stage,
    Text,
    starter,
)
from octant.rerank.boost import key, score
from octant.sample import QUERIES, write


def length(query: Query, hits: Sequence[Hit]) -> list[float]:
    """Longer texts are better; what has no text cannot be judged."""
    return [float(len(hit.text)) if hit.text else -math.inf for hit in hits]


def docs(*texts: str) -> list[Document]:
    return [Document(id=f"d{i}", page_content=text, metadata={"score": i / 10}) for i, text in enumerate(texts)]


def photo_of(path: Path, id: str) -> Document:
    media = [{"name": "photo", "modality": "image", "uri": path.as_uri(), "mime_type": "image/jpeg"}]
    return Document(id=id, page_content=f"image {path.name}", metadata={"octant": {"media": media}})


def ids(documents: Sequence[Document]) -> list[str | None]:
    return [document.id for document in documents]


def test_documents_are_sorted_and_keep_both_scores() -> None:
    given = docs("a", "ccc", "bb")
    before = copy.deepcopy(given)
    found = OctantReranker(rerank=ByFunction(length)).compress_documents(given, "x")
    assert ids(found) == ["d1", "d2", "d0"]
    assert [one.metadata for one in found] == [
        {"score": 3.0, "octant": {"score": 3.0, "earlier_score": 0.1}},
        {"score": 2.0, "octant": {"score": 2.0, "earlier_score": 0.2}},
        {"score": 1.0, "octant": {"score": 1.0, "earlier_score": 0.0}},
    ]
    assert given == before


def test_a_document_without_a_score_has_no_earlier_one() -> None:
    [found] = OctantReranker(rerank=ByFunction(length)).compress_documents([Document(page_content="abc")], "x")
    assert found == Document(page_content="abc", metadata={"score": 3.0, "octant": {"score": 3.0}})


def test_a_score_of_the_documents_own_stays_and_is_not_the_earlier_one() -> None:
    own = Document(page_content="abc", metadata={"score": 7, "octant": {"score": 0.5, "own_score": True}})
    [found] = OctantReranker(rerank=ByFunction(length)).compress_documents([own], "x")
    assert found.metadata == {"score": 7, "octant": {"score": 3.0, "own_score": True, "earlier_score": 0.5}}


def test_top_n_comes_back() -> None:
    assert ids(OctantReranker(rerank=ByFunction(length), top_n=2).compress_documents(docs("a", "ccc", "bb"), "")) == [
        "d1",
        "d2",
    ]
    assert OctantReranker(rerank=ByFunction(length)).compress_documents([], "x") == []


def test_what_cannot_be_judged_stays_below_with_its_score_and_that_is_said() -> None:
    given = docs("", "bb", "")
    found = OctantReranker(rerank=ByFunction(length)).compress_documents(given, "x")
    assert ids(found) == ["d1", "d0", "d2"]
    assert [one.metadata["score"] for one in found] == [2.0, 0.0, 0.2]
    assert ["earlier_score" in one.metadata["octant"] for one in found] == [True, False, False]
    assert found[0].metadata["octant"]["notes"] == ["length: 2 of 3 hits stay below: it has nothing to judge them by"]


def test_an_earlier_score_is_of_this_reranking() -> None:
    given = Document(id="a", page_content="", metadata={"score": 0.5, "octant": {"earlier_score": 9.0, "media": []}})
    [found] = OctantReranker(rerank=ByFunction(length)).compress_documents([given], "x")
    assert found.metadata["score"] == 0.5
    assert set(found.metadata["octant"]) == {"media", "notes"}


def test_all_documents_are_judged_unless_a_stage_says_otherwise() -> None:
    given = docs(*("x" * n for n in range(1, 81)))
    assert OctantReranker(rerank=ByFunction(length)).compress_documents(given, "x")[0].id == "d79"
    staged = OctantReranker(rerank=Stage(ByFunction(length), candidates=10)).compress_documents(given, "x")
    assert ids(staged)[:11] == [f"d{i}" for i in range(9, -1, -1)] + ["d10"]


def test_several_stages_run_one_after_the_other() -> None:
    cheap = ByFunction(lambda query, hits: [-hit.metadata["price"] for hit in hits])
    given = [Document(id=str(n), page_content="x" * n, metadata={"price": n}) for n in (1, 2, 3, 4)]
    found = OctantReranker(rerank=[ByFunction(length), Stage(cheap, candidates=2)]).compress_documents(given, "x")
    assert ids(found) == ["3", "4", "2", "1"]
    assert [one.metadata["score"] for one in found] == [-3, -4, 2, 1]


def test_boost_sees_scores_and_metadata() -> None:
    given = [Document(id=str(n), page_content="x", metadata={"score": 0.5, "sold": n}) for n in (1, 3, 2)]
    found = OctantReranker(rerank=Boost(score() * key("sold"))).compress_documents(given, "x")
    assert [(one.id, one.metadata["score"]) for one in found] == [("3", 1.5), ("2", 1.0), ("1", 0.5)]


def test_rerankers_see_the_ids_of_documents_and_two_of_one_id_are_two() -> None:
    seen: list[str] = []

    def watch(query: Query, hits: Sequence[Hit]) -> list[float]:
        seen.extend(hit.id for hit in hits)
        return [float(len(hit.text)) for hit in hits]

    given = [Document(id="same", page_content="a"), Document(id="same", page_content="bb")]
    found = OctantReranker(rerank=ByFunction(watch)).compress_documents(given, "x")
    assert [one.page_content for one in found] == ["bb", "a"]
    assert seen == ["same", "same"]


# pictures


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    write(folder)
    return folder / "photos"


def named(photos: Path, *names: str) -> list[Document]:
    return [photo_of(photos / f"{name}.jpg", name) for name in names]


def test_pictures_are_judged_by_what_is_in_them(photos: Path) -> None:
    reranker = OctantReranker(rerank=InSpace(starter().fields["image"].space), roots=(photos,), top_n=1)
    given = named(photos, "canyon", "coffee", "cat", "rocket")
    assert ids(reranker.compress_documents(given, "a tabby cat")) == ["cat"]
    assert ids(reranker.compress_documents(given, "a cup of coffee")) == ["coffee"]


def test_a_picture_can_be_asked_with(photos: Path) -> None:
    reranker = OctantReranker(rerank=InSpace(starter().fields["look"].space), roots=(photos,))
    found = reranker.compress_documents(
        named(photos, "cat", "coffee", "canyon"), Image(QUERIES / "another-view-of-the-canyon.jpg")
    )
    assert found[0].id == "canyon"


def test_without_roots_names_of_files_are_not_judged(photos: Path) -> None:
    judged: list[dict[str, Any]] = []

    def watch(query: Query, hits: Sequence[Hit]) -> list[float]:
        judged.extend(dict(hit.item.media) for hit in hits)
        return [0.0 for _ in hits]

    [described] = named(photos, "cat")
    captioned = photo_of(photos / "cat.jpg", "c")
    captioned.page_content = "my cat"
    found = OctantReranker(rerank=ByFunction(watch)).compress_documents([described, captioned], "a cat")
    assert all("notes" not in one.metadata["octant"] for one in found)
    assert judged == [{}, {"page_content": Text("my cat")}]


def test_a_picture_outside_the_roots_is_not_judged_and_that_is_said(photos: Path, tmp_path: Path) -> None:
    PIL.Image.new("RGB", (32, 32)).save(tmp_path / "secret.png")
    given = [photo_of(tmp_path / "secret.png", "secret"), *named(photos, "cat")]
    reranker = OctantReranker(rerank=InSpace(starter().fields["image"].space), roots=(photos,))
    found = reranker.compress_documents(given, "a cat")
    assert ids(found) == ["cat", "secret"]
    assert "earlier_score" not in found[1].metadata["octant"]
    assert any("not to be found under the allowed roots" in note for note in found[1].metadata["octant"]["notes"])
    assert str(tmp_path) not in str(found[1].metadata["octant"]["notes"])


# async, errors, settings


async def test_awaited_it_runs_beside_the_loop_and_gives_the_same() -> None:
    threads: list[int] = []

    def watch(query: Query, hits: Sequence[Hit]) -> list[float]:
        threads.append(threading.get_ident())
        return length(query, hits)

    reranker = OctantReranker(rerank=ByFunction(watch))
    given = docs("a", "ccc", "bb")
    found = await asyncio.gather(*(reranker.acompress_documents(given, "x") for _ in range(5)))
    assert found == [reranker.compress_documents(given, "x")] * 5
    assert threading.get_ident() not in threads[:5]


def test_it_stands_in_a_chain() -> None:
    reranker = OctantReranker(rerank=ByFunction(length), top_n=1)

    def best(asked: str) -> Sequence[Document]:
        return reranker.compress_documents(docs("a", "bb"), asked)

    chain = RunnableLambda(best)
    assert ids(chain.invoke("x")) == ["d1"]


def test_a_late_stage_leaves_the_order_and_that_is_said() -> None:
    release = threading.Event()

    def slow(query: Query, hits: Sequence[Hit]) -> list[float]:
        release.wait(30)
        return [0.0 for _ in hits]

    try:
        reranker = OctantReranker(rerank=Stage(ByFunction(slow), deadline=0.01))
        found = reranker.compress_documents(docs("a", "bb"), "x")
    finally:
        release.set()
    assert [one.metadata["score"] for one in found] == [0.0, 0.1]
    assert "the earlier order stands" in found[0].metadata["octant"]["notes"][0]


def test_a_reranker_that_fails_is_named() -> None:
    def broken(query: Query, hits: Sequence[Hit]) -> list[float]:
        raise ZeroDivisionError("oh")

    with pytest.raises(RerankError, match="'broken': ZeroDivisionError: oh"):
        OctantReranker(rerank=ByFunction(broken)).compress_documents(docs("a"), "x")


@pytest.mark.parametrize("reranker", [Mmr("image"), LateInteraction("tokens"), Stage(Mmr("image"))])
def test_what_compares_stored_vectors_is_refused(reranker: Any) -> None:
    with pytest.raises(ValueError, match="which documents do not hold"):
        OctantReranker(rerank=reranker)


@pytest.mark.parametrize(
    "bad", [{"rerank": []}, {"rerank": ByFunction(length), "top_n": 0}, {"rerank": ByFunction(length), "k": 1}]
)
def test_settings_that_make_no_sense_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        OctantReranker(**bad)


def test_what_is_no_reranker_is_refused() -> None:
    with pytest.raises(TypeError, match="a stage takes a reranker"):
        OctantReranker(rerank="cross-encoder")
