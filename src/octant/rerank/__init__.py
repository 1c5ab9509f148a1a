"""Judging the best hits again: rerankers, the stages they run in, and `rank`, which alone sorts."""

from octant.rerank.boost import Boost
from octant.rerank.contract import Compares, InField, InStore, PerQuery, ReadsMedia, Reranker
from octant.rerank.encoded import InSpace
from octant.rerank.function import ByFunction
from octant.rerank.nested import Nested, compared, explained, in_store
from octant.rerank.stage import Stage, StageNote, rank
from octant.rerank.vectors import LateInteraction, Mmr

__all__ = [
    "Boost",
    "ByFunction",
    "Compares",
    "InField",
    "InSpace",
    "InStore",
    "LateInteraction",
    "Mmr",
    "Nested",
    "PerQuery",
    "ReadsMedia",
    "Reranker",
    "Stage",
    "StageNote",
    "compared",
    "explained",
    "in_store",
    "rank",
]
