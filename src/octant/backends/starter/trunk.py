"""One decode and one forward pass for all encoders of a modality."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Lock
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from octant.backends.starter.weights import threads
from octant.errors import MediaError
from octant.media import Media
from octant.vectors import normalize

__all__ = ["Trunk", "ahead", "attempt", "project"]

M = TypeVar("M", bound=Media)
P = TypeVar("P")

Features = NDArray[np.float32]


class Trunk(Generic[M]):
    """Remembers the features of the last media it saw, by identity, so that a second encoder gets them for free.

    `forward` turns media into features, or into the MediaError that kept one from being decoded. One batch runs at a
    time: the towers use every thread there is, and a second field of the same items waits instead of working twice.
    """

    def __init__(self, forward: Callable[[Sequence[M]], Iterable[Features | MediaError]]) -> None:
        self._forward = forward
        self._lock = Lock()
        self._seen: dict[int, Seen[M]] = {}

    def features(self, batch: Sequence[M], reader: object) -> list[Features]:
        """Return the features of each medium; an ExceptionGroup with one MediaError for each that cannot be decoded.

        What could be decoded is remembered in that case too: encoding the rest again costs nothing. A reader that asks
        for the same medium twice gets it decoded again, for a file may have changed in between.
        """
        with self._lock:
            known = {key: seen for key, seen in self._seen.items() if reader not in seen.readers}
            fresh = list({id(medium): medium for medium in batch if id(medium) not in known}.values())
            results = list(self._forward(fresh)) if fresh else []
            for medium, features in zip(fresh, results, strict=True):
                if not isinstance(features, MediaError):
                    known[id(medium)] = Seen(medium, features, frozenset())
            entries = {id(medium): known[id(medium)] for medium in batch if id(medium) in known}
            errors = [result for result in results if isinstance(result, MediaError)]
            self._seen = entries if errors else after(entries, reader)
        if errors:
            raise ExceptionGroup(f"{len(errors)} of {len(batch)} media cannot be decoded", errors)
        return [entries[id(medium)].features for medium in batch]


@dataclass(frozen=True, slots=True)
class Seen(Generic[M]):
    """The features of a medium, and who has had them. The medium is kept: its id is only its own while it lives."""

    medium: M
    features: Features
    readers: frozenset[object]


def after(entries: dict[int, Seen[M]], reader: object) -> dict[int, Seen[M]]:
    """Note that `reader` has had the features, and forget those that two readers have had."""
    return {
        key: replace(seen, readers=seen.readers | {reader}) for key, seen in entries.items() if len(seen.readers) == 0
    }


def project(features: Features, mean: Features, axes: Features) -> Features:
    """Map features, scaled to unit length, onto a tower's native axes: [n, d] → [n, k] of unit length."""
    mapped: Features = ((normalize(features) - mean) @ axes).astype(np.float32)
    return normalize(mapped)


def ahead(prepare: Callable[[M], P], batch: Sequence[M], lookahead: int) -> Iterator[P | MediaError]:
    """Prepare media in a few threads, in order, at most `lookahead` of them ahead of the consumer."""
    if len(batch) == 1:
        yield attempt(prepare, batch[0])
        return
    with ThreadPoolExecutor(threads(), thread_name_prefix="octant-decode") as pool:
        waiting: list[Future[P | MediaError]] = []
        for medium in batch:
            waiting.append(pool.submit(attempt, prepare, medium))
            if len(waiting) > lookahead:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()


def attempt(prepare: Callable[[M], P], medium: M) -> P | MediaError:
    """Return the error instead of raising it: the rest of the batch goes on."""
    try:
        return prepare(medium)
    except MediaError as error:
        return error
