"""Where hits' scores come from, for a terminal: a column for each field, then the rerankers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from octant.item import Explanation, Hit, LegScore, StageScore
from octant.show.face import face_of

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from octant.show.hits import Hits

__all__ = ["explained", "explanation_as_dict", "facet_tables"]


def explained(hits: Hits) -> Iterator[RenderableType]:
    """Draw what each field and each reranker made of the hits; then how the answer came about."""
    told = [(hit, hit.explanation) for hit in hits if hit.explanation is not None]
    if told:
        yield _table(told, fused=hits.fused)
    if hits.plan is not None:
        yield f"[dim]{_how(hits)}[/dim]"


def facet_tables(facets: Mapping[str, Mapping[str | int, int]], most: int = 12) -> Iterator[Table]:
    """Draw the most frequent values of each facet."""
    from rich import box
    from rich.table import Table

    for key, counts in facets.items():
        drawn = Table(key, "items", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for value, count in list(counts.items())[:most]:
            drawn.add_row(str(value), str(count))
        if len(counts) > most:
            drawn.add_row(f"… {len(counts) - most} more", "", style="dim")
        yield drawn


def explanation_as_dict(explanation: Explanation) -> dict[str, Any]:
    """The same as plain data, for JSON."""
    return {
        "fused": explanation.fused,
        "legs": [
            {
                "field": leg.field,
                "raw": leg.raw,
                "rank": leg.rank,
                "normalised": leg.normalised,
                "weight": leg.weight,
                "contribution": leg.contribution,
            }
            for leg in explanation.legs
        ],
        "rerankers": [
            {"name": one.name, "score": one.score, "before": one.before, "after": one.after}
            for one in explanation.stages
        ],
    }


def _table(told: Sequence[tuple[Hit, Explanation]], *, fused: bool) -> Table:
    from rich import box
    from rich.table import Column, Table

    fields = list(dict.fromkeys(leg.field for _, one in told for leg in one.legs))
    stages = list(dict.fromkeys(stage.name for _, one in told for stage in one.stages))
    drawn = Table(
        Column("#", justify="right", style="dim"),
        "item",
        Column("search", justify="right"),
        *(Column(name, justify="right") for name in (*fields, *stages)),
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    for rank, (hit, one) in enumerate(told, start=1):
        legs = {leg.field: leg for leg in one.legs}
        after = {stage.name: stage for stage in one.stages}
        drawn.add_row(
            str(rank),
            face_of(hit).name[:28],
            f"{one.fused:.4g}",
            *(_leg(legs.get(name), fused=fused) for name in fields),
            *(_stage(after.get(name)) for name in stages),
        )
    return drawn


def _leg(leg: LegScore | None, *, fused: bool) -> str:
    """0.63 (#2) → +1.40: the score in the field, its rank, and what it adds."""
    if leg is None:
        return "·"
    seen = "not among them" if leg.raw is None else f"{leg.raw:.3f} (#{leg.rank})"
    if leg.raw is None and not leg.contribution:
        return "·"
    return f"{seen} → {leg.contribution:+.3g}" if fused else seen


def _stage(stage: StageScore | None) -> str:
    if stage is None or stage.score is None:
        return "·"
    return f"{stage.score:.3g} (#{stage.before}→#{stage.after})"


def _how(hits: Hits) -> str:
    plan = hits.plan
    if plan is None:
        return ""
    who = "the store" if plan.native else "octant"
    how = f"{len(plan.legs)} fields, {plan.fusion.name} in {who}" if plan.fused else f"field {plan.legs[0].field}"
    took = ", ".join(f"{stage} {1000 * seconds:.1f} ms" for stage, seconds in hits.seconds.items())
    return "; ".join([how, took, *hits.notes])
