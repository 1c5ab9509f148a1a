"""What LangChain adds to a search: `retriever.invoke` ÷ `collection.search`, p50. Aim: at most 1.1 at 10,000 points.

    python integrations/langchain/benchmarks/overhead.py [--points 10000] [--times 400]

Three ask the same questions of the same embedded collection, by turns in one process, so that whatever else the machine
does meets all: `octant` is `collection.search`; `bare` is the least retriever that LangChain allows, six lines around
that search; `retriever` is `OctantRetriever`. The questions are new to the encoder every time, as those of users are.
Measured are the usual search (every field that can answer, fused), one field alone, and both awaited.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_octant.retriever import OctantRetriever

import octant

AIM = 1.1
Ask = Callable[[str], Any]


class Bare(BaseRetriever):
    """The least that a retriever can do: what LangChain itself costs."""

    search: Ask

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        del run_manager
        return [Document(page_content=hit.text, metadata={**hit.metadata}) for hit in self.search(query)]

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        del run_manager
        return [Document(page_content=hit.text, metadata={**hit.metadata}) for hit in await self.search(query)]


def things(count: int) -> list[octant.Item]:
    """Items of a few words each, all different."""
    colours = ("red", "blue", "green", "white", "black", "golden", "wooden", "tiny", "old", "broken")
    kinds = ("cup", "chair", "violin", "boat", "lamp", "clock", "shoe", "garden", "bridge", "dog")
    titles = [f"{colours[n % 10]} {kinds[n // 10 % 10]}, lot {n // 100}" for n in range(count)]
    return [octant.Item(str(n), {"title": octant.Text(title)}, {"price": n % 97}) for n, title in enumerate(titles)]


def by_turns(asks: Sequence[Ask], questions: Sequence[str]) -> list[list[float]]:
    """Seconds of each for the same questions; who is first changes every time."""
    taken: list[list[float]] = [[] for _ in asks]
    for n, question in enumerate(questions):
        for at in _turn(n, len(asks)):
            start = time.perf_counter()
            asks[at](question)
            taken[at].append(time.perf_counter() - start)
    return taken


async def awaited_by_turns(asks: Sequence[Ask], questions: Sequence[str]) -> list[list[float]]:
    """As `by_turns`, awaited."""
    taken: list[list[float]] = [[] for _ in asks]
    for n, question in enumerate(questions):
        for at in _turn(n, len(asks)):
            start = time.perf_counter()
            await asks[at](question)
            taken[at].append(time.perf_counter() - start)
    return taken


def _turn(n: int, several: int) -> list[int]:
    return [(n + at) % several for at in range(several)]


def show(what: str, k: int, taken: Sequence[Sequence[float]]) -> None:
    plain, bare, wrapped = (statistics.median(times) * 1e3 for times in taken)
    told = "met" if wrapped / plain <= AIM else "MISSED"
    print(f"{what:20} {k:3} {plain:9.3f} {bare:9.3f} {wrapped:9.3f} {bare / plain:8.3f} {wrapped / plain:8.3f}  {told}")


async def main(points: int, times: int) -> None:
    items = things(points)
    questions = [f"something like a {n} coloured thing" for n in range(times)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with octant.open("things", path=folder / "sync", worker=False) as collection:
            collection.add(items)
            print(f"{points:,} points, {times} questions each; p50 in ms")
            print(f"{'':20}   k    octant      bare retriever   bare ÷   retriever ÷ octant (aim: at most {AIM})")
            for k in (4, 20):
                for what, fields in (("all fields, fused", ()), ("one field", ("text",))):
                    retriever = OctantRetriever(collection=collection, k=k, fields=fields)

                    def search(question: str, k: int = k, fields: tuple[str, ...] = fields) -> octant.Hits:
                        return collection.search(octant.Query(octant.Text(question), limit=k, fields=fields))

                    assert [hit.id for hit in search("a cup")] == [one.id for one in retriever.invoke("a cup")]
                    gc.collect()
                    show(what, k, by_turns((search, Bare(search=search).invoke, retriever.invoke), questions))
        async with await octant.open_async("things", path=folder / "async") as awaited:
            await awaited.add(items)
            by_async = OctantRetriever(async_collection=awaited)

            async def asearch(question: str) -> octant.Hits:
                return await awaited.search(octant.Query(octant.Text(question), limit=4))

            assert [hit.id for hit in await asearch("a cup")] == [one.id for one in await by_async.ainvoke("a cup")]
            gc.collect()
            asks = (asearch, Bare(search=asearch).ainvoke, by_async.ainvoke)
            show("all fields, awaited", 4, await awaited_by_turns(asks, questions))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What does LangChain's face add to a search?")
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=400)
    given = parser.parse_args()
    asyncio.run(main(given.points, given.times))
