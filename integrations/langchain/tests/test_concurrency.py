"""Two hundred questions at once on one event loop: no errors, and each answer is that of a question asked alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_octant import OctantVectorStore
from langchain_octant.parents import OctantParentRetriever
from langchain_octant.retriever import OctantMultimodalRetriever, OctantRetriever

import octant
from octant import Image, Item, Text

COLOURS = ("red", "blue", "green", "white", "black", "golden", "wooden", "tiny")
THINGS = ("cup", "chair", "violin", "boat", "lamp", "clock", "shoe", "garden", "bridge", "dog")
ITEMS = [
    Item(f"{colour}-{thing}", {"title": Text(f"a {colour} {thing}")}, {"thing": thing, "price": n})
    for n, (colour, thing) in enumerate((colour, thing) for colour in COLOURS for thing in THINGS)
]
QUESTIONS = [f"{colour} {thing} number {n}" for n in range(3) for colour in COLOURS for thing in THINGS][:200]


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[octant.Collection]:
    with octant.open("things", path=tmp_path_factory.mktemp("sync")) as opened:
        opened.add(ITEMS)
        yield opened


@pytest.fixture
async def awaited(tmp_path: Path) -> AsyncIterator[octant.AsyncCollection]:
    async with await octant.open_async("things", path=tmp_path) as opened:
        await opened.add(ITEMS)
        yield opened


def ids(answers: list[list[Document]]) -> list[list[str | None]]:
    return [[document.id for document in answer] for answer in answers]


async def test_two_hundred_at_once_answer_as_one_after_the_other(
    collection: octant.Collection, awaited: octant.AsyncCollection
) -> None:
    expected = [OctantRetriever(collection=collection).invoke(question) for question in QUESTIONS]
    assert len(expected) == 200
    assert len({tuple(one) for one in ids(expected)}) > 40  # answers differ, so a mix-up would show
    retriever = OctantRetriever(async_collection=awaited)
    assert ids(await asyncio.gather(*(retriever.ainvoke(question) for question in QUESTIONS))) == ids(expected)
    assert ids(await retriever.abatch(QUESTIONS)) == ids(expected)


async def test_two_hundred_at_once_over_a_sync_collection_run_in_threads(collection: octant.Collection) -> None:
    retriever = OctantRetriever(collection=collection)
    expected = [retriever.invoke(question) for question in QUESTIONS]
    assert ids(await asyncio.gather(*(retriever.ainvoke(question) for question in QUESTIONS))) == ids(expected)


async def test_filters_groups_and_composed_questions_keep_apart(
    collection: octant.Collection, awaited: octant.AsyncCollection
) -> None:
    plain = OctantMultimodalRetriever(async_collection=awaited, k=3)
    grouped = OctantParentRetriever(async_collection=awaited, k=3, parent_key="thing", fields=("text",))
    filtered = [f"price < {10 + n % 60}" for n in range(len(QUESTIONS))]
    asked = await asyncio.gather(
        *(plain.ainvoke([question, "wood"], filter=where) for question, where in zip(QUESTIONS, filtered, strict=True)),
        *(grouped.ainvoke(question) for question in QUESTIONS[:40]),
    )
    by_sync = OctantMultimodalRetriever(collection=collection, k=3)
    wanted = [by_sync.invoke([question, "wood"], filter=f) for question, f in zip(QUESTIONS, filtered, strict=True)]
    by_group = OctantParentRetriever(collection=collection, k=3, parent_key="thing", fields=("text",))
    wanted += [by_group.invoke(question) for question in QUESTIONS[:40]]
    assert ids(asked) == ids(wanted)


async def test_one_that_fails_or_is_cancelled_does_not_disturb_the_others(
    collection: octant.Collection, awaited: octant.AsyncCollection, tmp_path: Path
) -> None:
    retriever = OctantMultimodalRetriever(async_collection=awaited)
    missing = Image(tmp_path / "none.jpg")
    tasks = [
        asyncio.ensure_future(retriever.ainvoke(missing if n % 10 == 0 else question))
        for n, question in enumerate(QUESTIONS)
    ]
    await asyncio.sleep(0)
    for task in tasks[5::10]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    by_sync = OctantMultimodalRetriever(collection=collection)
    for n, answer in enumerate(answers):
        if n % 10 == 0:
            assert isinstance(answer, octant.MediaError | ExceptionGroup)
        elif n % 10 == 5:
            assert isinstance(answer, asyncio.CancelledError)
        else:
            assert isinstance(answer, list)
            assert ids([answer]) == ids([by_sync.invoke(QUESTIONS[n])])


class Together(Embeddings):
    """Answers questions only once so many are being embedded at the same time."""

    def __init__(self, together: int) -> None:
        self.together, self.inside, self.all_in = together, 0, asyncio.Event()
        self.model = "together"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[1.0, float(len(text))] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        assert text == "dimension", "it was not awaited"
        return [1.0, 0.0]

    async def aembed_query(self, text: str) -> list[float]:
        self.inside += 1
        if self.inside == self.together:
            self.all_in.set()
        await self.all_in.wait()
        return [1.0, float(len(text))]


@pytest.mark.parametrize("how", ["store", "scores", "mmr", "retriever", "multimodal", "parents"])
async def test_questions_are_embedded_side_by_side(tmp_path: Path, how: str) -> None:
    embedding = Together(10)
    texts = ["a" * n for n in range(1, 21)]
    store = await OctantVectorStore.afrom_texts(texts, embedding, ids=texts, path=tmp_path)
    collection = store.async_collection
    assert collection is not None
    async with collection:
        found = await asyncio.gather(*(_first(store, collection, how, text) for text in texts[:10]))
    assert embedding.inside == 10
    assert [document.id for document in found] == texts[:10]


async def _first(store: OctantVectorStore, held: octant.AsyncCollection, how: str, asked: str) -> Document:
    match how:
        case "store":
            return (await store.asimilarity_search(asked, k=2))[0]
        case "scores":
            return (await store.asimilarity_search_with_score(asked, k=2))[0][0]
        case "mmr":
            return (await store.amax_marginal_relevance_search(asked, k=2, lambda_mult=1.0))[0]
        case "retriever":
            return (await OctantRetriever(async_collection=held, k=2).ainvoke(asked))[0]
        case "multimodal":
            return (await OctantMultimodalRetriever(async_collection=held, k=2).ainvoke(asked))[0]
        case _:
            return (await OctantParentRetriever(async_collection=held, k=2).ainvoke(asked))[0]
