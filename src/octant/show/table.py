"""Hits as a table in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from octant.show.face import Face, face_of, figures, modalities_of, shares, tail

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text as Styled

    from octant.show.hits import Hits

__all__ = ["table"]

_COLOURS = {"text": "cyan", "image": "magenta", "audio": "yellow"}
_BAR = 8
"""Width of the score's bar in a table."""
_GAP = 2
"""Room between the columns of a table."""
_SNIPPET = 110
"""How much of a text a table shows."""


def table(hits: Hits, width: int) -> Table:
    """Lay hits out in `width` columns; where room is short, the less important ones are left out."""
    from rich import box
    from rich.table import Column, Table
    from rich.text import Text as Styled

    faces, scores = [face_of(hit) for hit in hits], figures(hits)
    kinds = [Styled(" ").join(Styled(kind, _COLOURS.get(kind, "")) for kind in modalities_of(hit)) for hit in hits]
    abouts = ["  ".join([*f.facts, *(f"{key}={value}" for key, value in f.metadata.items())]) for f in faces]
    taken = [len(str(len(hits))), max(map(len, scores)), max(map(len, kinds)), _BAR]
    room = width - sum(taken) - 6 * _GAP
    places = [tail(face.place, min(30, room // 3)) for face in faces]
    about = min(28, max(map(len, abouts))) if room > 60 else 0
    where = min(30, room // 3, max(map(len, places))) if room > 30 else 0
    what = min(max(16, room - where - about), max(_long(face) for face in faces))

    columns: list[tuple[Column, Sequence[RenderableType]]] = [
        (Column("#", justify="right", style="dim", no_wrap=True), [str(rank) for rank in range(1, len(hits) + 1)]),
        (Column("score", justify="right", no_wrap=True), scores),
        (
            Column(width=_BAR if room > 30 else 0, style="blue"),
            ["━" * round(_BAR * share) for share in shares(hits, fused=hits.fused)],
        ),
        (Column(no_wrap=True), kinds),
        (Column("what", width=what), [_named(face, max(24, 2 * what - 8)) for face in faces]),
        (Column("where", width=where, no_wrap=True, overflow="ellipsis", style="dim"), list(map(Styled, places))),
        (Column("about", width=about, no_wrap=True, overflow="ellipsis", style="dim"), list(map(Styled, abouts))),
    ]
    kept = [(column, cells) for column, cells in columns if column.width != 0]
    laid = Table(
        *(column for column, _ in kept),
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, _GAP - 1, 0, 0),
    )
    for row in zip(*(cells for _, cells in kept), strict=True):
        laid.add_row(*row)
    return laid


def _named(face: Face, length: int) -> Styled:
    from rich.text import Text as Styled

    named = Styled(face.name, "bold")
    if face.part:
        named.append(f" {face.part}", "not bold cyan")
    return named.append(f"\n{_cut(face.snippet, min(_SNIPPET, length))}", "not bold") if face.snippet else named


def _long(face: Face) -> int:
    return max(len(f"{face.name} {face.part}"), min(len(face.snippet), _SNIPPET))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
