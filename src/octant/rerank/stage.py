"""Stages judge the best hits again, one after the other, and `rank` sorts by what they say."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NoReturn

from octant.errors import OctantError, RerankError
from octant.item import Hit, StageScore
from octant.rerank.contract import InField, Judge, PerQuery, Reranker
from octant.rerank.decoded import Decoded

if TYPE_CHECKING:
    from octant.query import Query

__all__ = ["Stage", "StageNote", "rank"]


@dataclass(frozen=True, slots=True)
class Stage:
    """A reranker, and how much it may take."""

    reranker: Judge
    candidates: int = 50
    """How many of the best hits it looks at; the others keep their order below them."""
    deadline: float | None = None
    """Seconds after which the order before it stands; None waits for it."""

    def __post_init__(self) -> None:
        given: object = self.reranker  # callers without a type checker give anything
        if not (hasattr(given, "score") or hasattr(given, "for_query")) or isinstance(given, type):
            raise TypeError(f"a stage takes a reranker, such as ByFunction(function), not {given!r}")
        if self.candidates < 1:
            raise ValueError(f"a stage looks at one candidate or more, not {self.candidates}")
        if self.deadline is not None and not self.deadline > 0:
            raise ValueError(f"a deadline is a number of seconds above 0, not {self.deadline}; leave the stage out")


@dataclass(frozen=True, slots=True)
class StageNote:
    """What became of a stage."""

    name: str
    judged: int
    """How many hits it gave a score to."""
    seconds: float
    note: str = ""
    """Why some or all hits keep their earlier order; empty where none does."""


def rank(
    query: Query, hits: Sequence[Hit], stages: Sequence[Stage], fields: Mapping[str, InField] | None = None
) -> tuple[list[Hit], list[StageNote]]:
    """Let stages judge hits, best first, and sort them: returns the hits in their new order, and a note per stage.

    Hits of equal score keep their order; those that a reranker cannot judge come below the judged, those beyond its
    candidates below these. A hit's score is that of the last stage that judged it; where it has an explanation, every
    stage is added to it. A stage that is not done by its deadline changes nothing: the earlier order comes back at
    once, and what it is at is stopped at its next slice. A medium that several stages decode is read once.
    `fields` has the vectors of the fields that `compared(stages)` names.

    Raises RerankError, with the reranker's error as its cause, where one fails or gives no number for a hit.
    """
    ranked = list(hits)
    decoded = Decoded([stage.reranker for stage in stages])
    notes: list[StageNote] = []
    for stage in stages:
        start = time.perf_counter()
        scoring = _Scoring(stage, query, ranked[: stage.candidates], fields or {}, decoded)
        scores, late = scoring.scores_in_time()
        seconds = time.perf_counter() - start
        if scores is None:
            order: list[int] = list(range(len(ranked)))
            notes.append(StageNote(stage.reranker.name, 0, seconds, late))
        else:
            order = [i for _, i in sorted((-score, i) for i, score in enumerate(scores))]
            order += range(len(scores), len(ranked))
            judged = sum(score > -math.inf for score in scores)
            left = "" if judged == len(scores) else f"{len(scores) - judged} of {len(scores)} hits stay below: "
            note = left and f"{left}it has nothing to judge them by"
            notes.append(StageNote(stage.reranker.name, judged, seconds, note))
        ranked = [_placed(ranked[i], i, place, stage.reranker, scores) for place, i in enumerate(order)]
    return ranked, notes


def _placed(hit: Hit, before: int, after: int, reranker: Judge, scores: Sequence[float] | None) -> Hit:
    """A hit in its new place, with what the stage made of it."""
    given = None if scores is None or before >= len(scores) or scores[before] == -math.inf else scores[before]
    explanation = hit.explanation
    if explanation is not None:
        scored = StageScore(reranker.name, given, before + 1, after + 1)
        explanation = replace(explanation, stages=(*explanation.stages, scored))
    # an order among hits, as MMR is one, says nothing of a hit alone
    score = hit.score if given is None or getattr(reranker, "keeps_scores", False) else given
    return replace(hit, score=score, explanation=explanation)


_LATE: dict[int, threading.Thread] = {}
"""The threads that were too late, by the id of the reranker that still works in them."""


_MOST_LATE = 8
"""Threads that may be late at once: work that nobody waits for must not pile up."""


@dataclass(slots=True)
class _Scoring:
    """The scoring of one stage, slice by slice; in a thread of its own where there is a deadline."""

    stage: Stage
    query: Query
    hits: Sequence[Hit]
    fields: Mapping[str, InField]
    decoded: Decoded
    scores: list[float] = field(default_factory=list[float])
    error: BaseException | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)

    def scores_in_time(self) -> tuple[list[float] | None, str]:
        """The scores; or None, and why there are none."""
        if self.stage.deadline is None:
            self._run()
        elif late := self._run_until(self.stage.deadline):
            return None, f"late: {late} in {self.stage.deadline:g} s; the earlier order stands"
        if self.error is not None:
            self._raise(self.error)
        return self.scores, ""

    def _run_until(self, deadline: float) -> str:
        """Run in a thread, and wait so long; says how far it came where that was too short."""
        start = time.monotonic()
        key = id(self.stage.reranker)
        # one that is still late for an earlier query is not asked twice at once: late work would pile up
        if len(_LATE) >= _MOST_LATE and key not in _LATE:
            return f"0 of {len(self.hits)} hits judged, {len(_LATE)} others being late,"
        if (late := _LATE.get(key)) is not None:
            late.join(deadline)
            if late.is_alive():
                return f"0 of {len(self.hits)} hits judged, being busy with an earlier query,"
        thread = threading.Thread(target=self._run, name=f"octant-rerank-{self.stage.reranker.name}", daemon=True)
        thread.start()
        try:
            in_time = self.done.wait(max(0.0, deadline - (time.monotonic() - start)))
        finally:
            self.stop.set()
        if in_time:
            return ""
        _LATE[key] = thread
        if self.done.is_set():  # it ended just now, and may have looked before it was noted
            _LATE.pop(key, None)
        return f"{len(self.scores)} of {len(self.hits)} hits judged"

    def _run(self) -> None:
        try:
            size: int | None = getattr(self.stage.reranker, "batch_size", None)
            size = size or max(len(self.hits), 1)
            reranker = self._reranker() if self.hits else None
            for start in range(0, len(self.hits), size):
                if self.stop.is_set() or reranker is None:
                    return
                part = self.hits[start : start + size]
                self.scores.extend(self._checked(reranker.score(self.query, self.decoded.of(part)), len(part)))
        except BaseException as error:  # it is raised again where it is waited for
            self.error = error
        finally:
            self.done.set()
            if _LATE.get(id(self.stage.reranker)) is threading.current_thread():
                _LATE.pop(id(self.stage.reranker), None)

    def _reranker(self) -> Reranker:
        given = self.stage.reranker
        return given.for_query(self.query, self.fields) if isinstance(given, PerQuery) else given

    def _checked(self, scores: Sequence[float], hits: int) -> list[float]:
        name = self.stage.reranker.name
        numbers = [float(score) for score in scores]
        if len(numbers) != hits:
            raise RerankError(name, f"gave {len(numbers)} scores for {hits} hits; give one for each, in order")
        if any(math.isnan(number) for number in numbers):
            raise RerankError(name, "gave a score that is not a number; give -inf for a hit that it cannot judge")
        return numbers

    def _raise(self, error: BaseException) -> NoReturn:
        if isinstance(error, RerankError) or not isinstance(error, Exception):
            raise error
        reason = str(error) if isinstance(error, OctantError) else f"{type(error).__name__}: {error}"
        raise RerankError(self.stage.reranker.name, reason) from error
