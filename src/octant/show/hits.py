"""The hits of a search, as a tuple that shows itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from octant.item import Hit
from octant.media import Media
from octant.show.explained import explained, explanation_as_dict, facet_tables
from octant.show.face import noted
from octant.show.page import fragment
from octant.show.sheet import as_text
from octant.show.table import table

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

    from octant.answer import Group
    from octant.plan import Plan

__all__ = ["Hits"]

_NOTHING: Mapping[Any, Any] = {}


class Hits(tuple[Hit, ...]):
    """The hits of one search, best first. `print` shows a table, a notebook shows thumbnails and players."""

    query: Media | None
    fused: bool
    """Whether several fields answered: scores are then those of a fusion, and no similarities."""
    groups: tuple[Group, ...]
    """The same hits by the value of `Query.group_by`."""
    facets: Mapping[str, Mapping[str | int, int]]
    """Payload key -> value -> how many items have it."""
    plan: Plan | None
    """What the store was asked."""
    seconds: Mapping[str, float]
    """By stage: plan (with encoding), search, fuse, rerank."""
    notes: tuple[str, ...]
    """What was emulated, left out or came too late, in words."""

    def __new__(
        cls,
        hits: Iterable[Hit] = (),
        query: Media | None = None,
        *,
        fused: bool = False,
        groups: tuple[Group, ...] = (),
        facets: Mapping[str, Mapping[str | int, int]] = _NOTHING,
        plan: Plan | None = None,
        seconds: Mapping[str, float] = _NOTHING,
        notes: tuple[str, ...] = (),
    ) -> Hits:
        made = super().__new__(cls, hits)
        made.query, made.fused = query, fused
        made.groups, made.facets, made.plan, made.seconds, made.notes = groups, facets, plan, seconds, notes
        return made

    @overload
    def __getitem__(self, key: SupportsIndex) -> Hit: ...
    @overload
    def __getitem__(self, key: slice) -> Hits: ...
    def __getitem__(self, key: SupportsIndex | slice) -> Hit | Hits:
        if isinstance(key, slice):
            made = Hits(super().__getitem__(key), self.query)
            made.__dict__.update(self.__dict__)
            return made
        return super().__getitem__(key)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Draw a table as wide as there is room: rank, score, what it is, where it is and what is known of it."""
        yield table(self, options.max_width) if self else "[dim]no hits[/dim]"
        yield from facet_tables(self.facets)
        if any(hit.explanation is not None for hit in self):
            yield ""
            yield from explained(self)
        elif self.notes:
            yield f"[dim]{'; '.join(self.notes)}[/dim]"

    def __str__(self) -> str:
        return as_text(self)

    def __repr__(self) -> str:
        return f"<Hits: {', '.join(f'{hit.id} {hit.score:.3f}' for hit in self[:3])}{', …' if len(self) > 3 else ''}>"

    def _repr_html_(self) -> str:
        return fragment(self)

    def as_dict(self) -> dict[str, Any]:
        """The whole answer as plain data, for JSON: hits, facets, groups, the plan, seconds by stage, notes."""
        return {
            "hits": self.as_dicts(),
            "groups": [{"key": group.key, "ids": [hit.id for hit in group.hits]} for group in self.groups],
            "facets": {
                key: [{"value": value, "count": count} for value, count in counts.items()]
                for key, counts in self.facets.items()
            },
            "plan": None if self.plan is None else self.plan.as_dict(vectors=False),
            "seconds": dict(self.seconds),
            "notes": list(self.notes),
        }

    def as_dicts(self) -> list[dict[str, Any]]:
        """The hits as plain data, for JSON: rank, score, id, metadata and what is noted of each medium."""
        return [
            {
                "rank": rank,
                "score": hit.score,
                "id": hit.id,
                **({} if hit.explanation is None else {"explanation": explanation_as_dict(hit.explanation)}),
                "metadata": dict(hit.metadata),
                "media": {
                    name: {key: value for key, value in entry.items() if key != "thumbnail"}
                    for name, entry in noted(hit).items()
                },
            }
            for rank, hit in enumerate(self, 1)
        ]
