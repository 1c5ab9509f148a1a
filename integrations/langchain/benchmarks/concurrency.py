"""Is the event loop free while two hundred questions are asked at once? Aim: never blocked for more than 50 ms.

    python integrations/langchain/benchmarks/concurrency.py [--points 10000] [--at-once 200] [--rounds 5]

A heartbeat wakes every millisecond beside `asyncio.gather` of so many `ainvoke`, and notes how late it is: that is how
long everybody else on the loop waits. Four are measured by turns in one process:

- `octant`      OctantRetriever over an AsyncCollection (embedded store, text encoder of the offline starter)
- `threads`     the same over a Collection: every question in a thread of asyncio's pool
- `langchain`   a retriever that finds nothing and only awaits once: what LangChain itself costs the loop
- `idle`        half a second of a single question that only waits: how late this machine makes a heartbeat by itself

The longest single step (one callback of the loop) is noted beside it: a heartbeat can be late because of one long
step, or of two hundred short ones in a row. So is the gap in time that the loop's own thread computed: what is left of
the gap without other processes, which take the processor away, and other threads, which hold Python's lock. Answers are
compared with `invoke`'s, one after the other.

A full pass of Python's garbage collector over what libraries have imported stops the loop for longer than all of this.
As a server would, the benchmark calls `gc.freeze()` once everything is open; `--no-freeze` shows what it is without.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_octant.retriever import OctantRetriever

import octant

AIM_MS = 50.0


class Nothing(BaseRetriever):
    """What LangChain costs without a search."""

    seconds: float = 0.001

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        del query, run_manager
        return []

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        del query, run_manager
        await asyncio.sleep(self.seconds)
        return []


class Steps:
    """The durations of the callbacks that a loop runs, while it is watched."""

    def __init__(self) -> None:
        self.longest = (0.0, "")

    def __enter__(self) -> Steps:
        self.run: Any = asyncio.Handle._run  # pyright: ignore[reportPrivateUsage]
        run, steps = self.run, self

        def timed(handle: Any) -> None:
            start = time.perf_counter()
            run(handle)
            took = time.perf_counter() - start
            if took > steps.longest[0]:
                steps.longest = (took, _named(handle))

        asyncio.Handle._run = timed  # type: ignore[method-assign]  # pyright: ignore[reportPrivateUsage]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.Handle._run = self.run  # type: ignore[method-assign]  # pyright: ignore[reportPrivateUsage]


def _named(handle: Any) -> str:
    """What a callback was: the innermost coroutine of a task, else the function."""
    task: Any = getattr(handle._callback, "__self__", None)
    if not hasattr(task, "get_coro"):
        return str(getattr(handle._callback, "__qualname__", handle._callback))
    coroutine: Any = task.get_coro()
    name = coroutine.__qualname__
    while getattr(coroutine, "cr_await", None) is not None and hasattr(coroutine.cr_await, "__qualname__"):
        coroutine = coroutine.cr_await
        name = coroutine.__qualname__
    return str(name)


@dataclass(frozen=True)
class Round:
    """One round: milliseconds of the longest gap, wall and computed, and of the longest step; seconds of the whole."""

    answers: list[Any]
    gap: float
    computed: float
    step: float
    what: str
    seconds: float


async def heartbeat(gaps: list[tuple[float, float]]) -> None:
    """Wake every millisecond and note the time between two beats in ms, on the wall and of this thread."""
    last, own = time.perf_counter(), time.thread_time()
    while True:
        await asyncio.sleep(0.001)
        now, computed = time.perf_counter(), time.thread_time()
        gaps.append(((now - last) * 1e3, (computed - own) * 1e3))
        last, own = now, computed


async def measured(retriever: BaseRetriever, questions: Sequence[str]) -> Round:
    """Ask all at once, with the heartbeat beside."""
    gaps: list[tuple[float, float]] = []
    beat = asyncio.create_task(heartbeat(gaps))
    await asyncio.sleep(0.01)
    gaps.clear()
    start = time.perf_counter()
    with Steps() as steps:
        answers = await asyncio.gather(*(retriever.ainvoke(one) for one in questions), return_exceptions=True)
        await asyncio.sleep(0.005)
    seconds = time.perf_counter() - start
    beat.cancel()
    walls, computed = zip(*gaps, strict=True)
    return Round(answers, max(walls), max(computed), steps.longest[0] * 1e3, steps.longest[1], seconds)


def things(count: int) -> list[str]:
    """Titles of a few words each, all different."""
    colours = ("red", "blue", "green", "white", "black", "golden", "wooden", "tiny", "old", "broken")
    kinds = ("cup", "chair", "violin", "boat", "lamp", "clock", "shoe", "garden", "bridge", "dog")
    return [f"{colours[n % 10]} {kinds[n // 10 % 10]}, lot {n // 100}" for n in range(count)]


async def main(points: int, at_once: int, rounds: int, *, freeze: bool) -> None:
    titles = things(points)
    items = [octant.Item(str(n), {"title": octant.Text(title)}, {"price": n % 97}) for n, title in enumerate(titles)]
    questions = [f"{titles[n * 37 % points]} please" for n in range(at_once)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with octant.open("things", path=folder / "sync", worker=False) as collection:
            collection.add(items)
            by_sync = OctantRetriever(collection=collection)
            expected = [[one.id for one in by_sync.invoke(question)] for question in questions]
            async with await octant.open_async("things", path=folder / "async") as awaited:
                await awaited.add(items)
                tried: dict[str, BaseRetriever] = {
                    "octant": OctantRetriever(async_collection=awaited),
                    "threads": by_sync,
                    "langchain": Nothing(),
                    "idle": Nothing(seconds=0.5),
                }
                for retriever in tried.values():
                    await retriever.ainvoke(questions[0])
                if freeze:
                    gc.collect()
                    gc.freeze()
                found: dict[str, list[Round]] = {name: [] for name in tried}
                for _ in range(rounds):
                    for name, retriever in tried.items():
                        found[name].append(await measured(retriever, questions[:1] if name == "idle" else questions))
    print(f"{at_once} questions at once over {points:,} points, {rounds} rounds by turns; gaps and steps in ms")
    print("           worst gap  median   best  computed  longest step  s a round  errors  unlike sync")
    for name, several in found.items():
        gaps = [one.gap for one in several]
        longest = max(several, key=lambda one: one.step)
        answers = [one.answers for one in several]
        errors = sum(isinstance(answer, BaseException) for one in answers for answer in one)
        unlike = 0 if isinstance(tried[name], Nothing) else sum(_unlike(one, expected) for one in answers)
        print(
            f"{name:9} {max(gaps):10.1f} {statistics.median(gaps):7.1f} {min(gaps):6.1f} "
            f"{max(one.computed for one in several):9.1f} {longest.step:13.1f} "
            f"{statistics.median(one.seconds for one in several):10.2f} {errors:7} {unlike:12}   {longest.what}"
        )
    worst = max(one.gap for one in found["octant"])
    print(f"aim: worst gap of octant below {AIM_MS:g} ms: {'met' if worst < AIM_MS else 'MISSED'} ({worst:.1f} ms)")


def _unlike(answers: Sequence[Any], expected: Sequence[Sequence[str | None]]) -> int:
    """How many answers are not those of a question asked alone."""
    found = [None if isinstance(one, BaseException) else [document.id for document in one] for one in answers]
    return sum(one is not None and one != other for one, other in zip(found, expected, strict=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="How long is the event loop blocked by many questions at once?")
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--at-once", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-freeze", action="store_true", help="leave the garbage collector as it is")
    given = parser.parse_args()
    asyncio.run(main(given.points, given.at_once, given.rounds, freeze=not given.no_freeze))
