"""The hits of a search, as a tuple that shows itself."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from octant.item import Hit
from octant.media import Media
from octant.show.face import noted
from octant.show.page import fragment
from octant.show.table import table

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

__all__ = ["Hits"]


class Hits(tuple[Hit, ...]):
    """The hits of one search, best first. `print` shows a table, a notebook shows thumbnails and players."""

    query: Media | None
    fused: bool
    """Whether several fields answered: scores are then sums of reciprocal ranks, and no similarities."""

    def __new__(cls, hits: Iterable[Hit] = (), query: Media | None = None, *, fused: bool = False) -> Hits:
        made = super().__new__(cls, hits)
        made.query, made.fused = query, fused
        return made

    @overload
    def __getitem__(self, key: SupportsIndex) -> Hit: ...
    @overload
    def __getitem__(self, key: slice) -> Hits: ...
    def __getitem__(self, key: SupportsIndex | slice) -> Hit | Hits:
        if isinstance(key, slice):
            return Hits(super().__getitem__(key), self.query, fused=self.fused)
        return super().__getitem__(key)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Draw a table as wide as there is room: rank, score, what it is, where it is and what is known of it."""
        yield table(self, options.max_width) if self else "[dim]no hits[/dim]"

    def __str__(self) -> str:
        from rich.console import Console

        sheet = io.StringIO()
        Console(file=sheet, color_system=None).print(self)
        return "\n".join(line.rstrip() for line in sheet.getvalue().splitlines())

    def __repr__(self) -> str:
        return f"<Hits: {', '.join(f'{hit.id} {hit.score:.3f}' for hit in self[:3])}{', …' if len(self) > 3 else ''}>"

    def _repr_html_(self) -> str:
        return fragment(self)

    def as_dicts(self) -> list[dict[str, Any]]:
        """The hits as plain data, for JSON: rank, score, id, metadata and what is noted of each medium."""
        return [
            {
                "rank": rank,
                "score": hit.score,
                "id": hit.id,
                "metadata": dict(hit.metadata),
                "media": {
                    name: {key: value for key, value in entry.items() if key != "thumbnail"}
                    for name, entry in noted(hit).items()
                },
            }
            for rank, hit in enumerate(self, 1)
        ]
