"""Reranking by a function of the user's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from octant.item import Hit

if TYPE_CHECKING:
    from octant.query import Query

__all__ = ["ByFunction"]


@dataclass(frozen=True, slots=True)
class ByFunction:
    """Judge hits by a function of the query and the hits: one number for each, higher is better, -inf = cannot say."""

    function: Callable[[Query, Sequence[Hit]], Sequence[float]]
    batch_size: int | None = None
    """Call it with so many hits at a time, so that a late one can be stopped; None = with all of them at once."""

    @property
    def name(self) -> str:
        named: Any = self.function
        return str(getattr(named, "__name__", type(named).__name__))

    def score(self, query: Query, hits: Sequence[Hit]) -> Sequence[float]:
        """Call the function."""
        return self.function(query, hits)
