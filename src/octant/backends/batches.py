"""Batches of one model: media decoded side by side, like lengths together, as many at once as this machine likes."""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Generic, TypeVar

from octant.errors import MediaError
from octant.media import Media

__all__ = ["Batches", "cut", "decoded"]

M = TypeVar("M", bound=Media)
P = TypeVar("P")
R = TypeVar("R")

_SMALLEST, _LARGEST = 8, 64
"""Media per forward pass that are tried, doubled each time. On a CPU many are slower: they leave its cache."""
_PROBES = 3
"""Runs that are compared: of the best size so far, of the one beyond it, and of the best again."""
_SHARE = 0.9
"""A larger batch must cost less than this share of the smaller one's time per unit: else it is not worth its memory."""
_REMEMBERED = 64
"""Runs from which is told what a pass costs: enough that one which was disturbed does not count for much."""
_START = 0.2
"""What a pass costs at least beside its units, as a share of those of the runs that were measured: a cost of nothing is
noise, and would run media one by one; and in an ingest each pass waits for the threads that read."""


def decoded(prepare: Callable[[M], P], batch: Sequence[M]) -> list[P]:
    """Prepare media in a few threads, in order.

    Raises an ExceptionGroup with one MediaError for each that cannot be decoded, as `Encoder.encode` must.
    """
    results = [_attempt(prepare, batch[0])] if len(batch) == 1 else list(_side_by_side(prepare, batch))
    if errors := [result for result in results if isinstance(result, MediaError)]:
        raise ExceptionGroup(f"{len(errors)} of {len(batch)} media cannot be decoded", errors)
    return [result for result in results if not isinstance(result, MediaError)]


class Batches(Generic[P, R]):
    """Runs a model over prepared media, longest first, in batches of like length; the results are in order.

    `run` takes prepared media and returns one result for each. Little of a padded batch is padding then. How many are
    run at once is found out on the work itself, as soon as there is enough of it, and kept; so is what a pass costs
    beside its length, and a batch is smaller where more would be padded than another pass costs. Whoever gives `size`
    gets batches of that size.
    """

    def __init__(self, run: Callable[[Sequence[P]], Sequence[R]], *, size: int | None = None) -> None:
        self._run = run
        self._size = size
        self._lock = Lock()
        self._best = _SMALLEST
        self._probed: list[tuple[int, float]] = []
        """Units of length and seconds of the runs by which the size was found: of several sizes, so they are kept."""
        self._lately: deque[tuple[int, float]] = deque(maxlen=_REMEMBERED)
        """Those of the last other runs."""
        self._costs: list[float] = []
        """Seconds for a unit, of the runs that are compared."""
        self._is_warm = False

    @property
    def size(self) -> int:
        """How many are run at once, as far as is known."""
        return self._size or self._best

    def __call__(self, prepared: Sequence[P], lengths: Sequence[int]) -> list[R]:
        """Run all: one result each, in order. `lengths` are tokens, frames, or 1 where all are alike."""
        # longest first: what would not fit into memory fails at once, and buffers are never enlarged
        order = sorted(range(len(prepared)), key=lambda i: -lengths[i])
        results: dict[int, R] = {}
        ahead: list[int] = []
        """The sizes of the batches to come, the last one first."""
        at = 0
        with self._lock:
            while at < len(order):
                left = len(order) - at
                wanted = self._size or self._wanted()
                is_known = self._size is not None or wanted > left
                if is_known and not ahead and len(self._probed) >= _PROBES:
                    start = _start_of([*self._probed, *self._lately])
                    ahead = cut([lengths[i] for i in order[at:]], self.size, start)[::-1]
                size = ahead.pop() if ahead else self.size if is_known else wanted
                places = order[at : at + size]
                began = time.perf_counter()
                made = self._run([prepared[i] for i in places])
                self._note(time.perf_counter() - began, len(places), max(1, lengths[places[0]]), is_probe=not is_known)
                results.update(zip(places, made, strict=True))
                at += len(places)
        return [results[i] for i in range(len(prepared))]

    def _wanted(self) -> int:
        """The size to run next. A larger one is tried between two runs of the best: what comes later is shorter."""
        return 2 * self._best if len(self._costs) == 1 else self._best

    def _note(self, seconds: float, count: int, longest: int, *, is_probe: bool) -> None:
        """Learn from a run; settle once a larger batch is not worth it."""
        if not self._is_warm:  # the first run of a model loads and plans
            self._is_warm = True
            return
        (self._probed if is_probe else self._lately).append((count * longest, seconds))
        if not is_probe:
            return
        self._costs.append(seconds / (count * longest))
        if len(self._costs) < _PROBES:
            return
        before, larger, after = self._costs
        self._costs = []
        if larger < _SHARE * (before + after) / 2:
            self._best *= 2
        else:
            self._size = self._best
        if self._best == _LARGEST:
            self._size = _LARGEST


def _start_of(measured: Sequence[tuple[int, float]]) -> float:
    """What a pass costs beside its units, in units: where the line through what was measured begins.

    Infinity where more units took no longer.
    """
    units = sum(one for one, _ in measured) / len(measured)
    seconds = sum(took for _, took in measured) / len(measured)
    spread = sum((one - units) ** 2 for one, _ in measured)
    risen = sum((one - units) * (took - seconds) for one, took in measured)
    if risen <= 0:
        return math.inf
    return max(_START * units, seconds * spread / risen - units)


def cut(lengths: Sequence[int], size: int, start: float) -> list[int]:
    """Cut media, longest first, into batches of at most `size`, so that all of them cost the least together.

    A batch costs `start` units, and beside them those of its longest medium, once for each that is in it.
    """
    costs = [0.0] * (len(lengths) + 1)
    sizes = [0] * len(lengths)
    for at in reversed(range(len(lengths))):
        most = min(size, len(lengths) - at)
        # where it makes no difference the first ones are whole, and the last one is small
        costs[at], sizes[at] = min(
            ((start + n * lengths[at] + costs[at + n], n) for n in range(most, 0, -1)), key=lambda one: one[0]
        )
    found: list[int] = []
    at = 0
    while at < len(lengths):
        found.append(sizes[at])
        at += sizes[at]
    return found


def _side_by_side(prepare: Callable[[M], P], batch: Sequence[M]) -> Iterator[P | MediaError]:
    with ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1)), thread_name_prefix="octant-decode") as pool:
        waiting: list[Future[P | MediaError]] = [pool.submit(_attempt, prepare, medium) for medium in batch]
        for future in waiting:
            yield future.result()


def _attempt(prepare: Callable[[M], P], medium: M) -> P | MediaError:
    """Return the error instead of raising it: the rest of the batch goes on."""
    try:
        return prepare(medium)
    except MediaError as error:
        return error
