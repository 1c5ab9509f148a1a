"""What an `add` did, and what a collection holds, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from octant.item import Skipped
from octant.media import Modality

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table

    from octant.collection import Info
    from octant.report import Report

__all__ = ["counted", "info_summary", "report_summary"]

_LISTED = 20
"""How many skipped or failed sources are listed; --json has all of them."""


def counted(modalities: Mapping[Modality, int] | Mapping[str, int]) -> str:
    """Say how many items there are of each modality: "14 text, 13 image, 9 audio"."""
    counts = {str(modality): count for modality, count in modalities.items()}
    return ", ".join(f"{counts[modality]} {modality}" for modality in Modality if modality in counts)


def report_summary(report: Report, collection: str, location: str) -> Group:
    """Say what became of the sources of an `add`."""
    from rich.console import Group

    kinds = counted(report.modalities)
    rate = f", {report.rate:.0f} items/s" if report.rate else ""
    fates = {fate: str(count) for fate, count in report.counts().items() if count or fate in ("skipped", "failed")}
    waits = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in report.stages.items() if seconds >= 0.05)
    rows = {
        "would be stored" if report.dry else "stored": f"{report.points}" + (f" ({kinds})" if kinds else ""),
        **fates,
        "to encode" if report.dry else "encoded": f"{report.encoded}",
        "time": f"{report.seconds:.1f} s{rate}",
        "waited for": waits or "nothing",
        "collection": f"{collection} in {location}",
    }
    gone = [Skipped(source, "is gone") for source in report.vanished]
    removed = _left_out("would be removed" if report.dry else "removed", gone, "yellow")
    return Group(
        _pairs(rows), *removed, *_left_out("failed", report.failed, "red"), *_left_out("skipped", report.skipped, "dim")
    )


def info_summary(found: Info) -> Group:
    """Say what a collection holds, where it lies and which encoders made it."""
    from rich import box
    from rich.console import Group
    from rich.table import Table

    kinds = counted(found.modalities)
    encoders = sorted({identity for field in found.fields.values() for identity in field.encoders.values()})
    rows = {
        "collection": found.name,
        "items": f"{found.points}" + (f" ({kinds})" if kinds else ""),
        "store": found.engine,
        "location": found.location,
        "size on disk": _size(found.bytes_on_disk),
        "encoders": "\n".join(encoders),
    }
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column in ("field", "holds", "space", "vectors", "answers"):
        table.add_column(column, overflow="fold")
    for name, field in found.fields.items():
        vectors = f"{field.dim} {field.kind}" if field.dim else field.kind
        table.add_row(name, field.modality, field.space, vectors, ", ".join(m for m in Modality if m in field.answers))
    return Group(_pairs(rows), "", table)


def _left_out(title: str, left_out: Sequence[Skipped], style: str) -> Iterator[RenderableType]:
    from rich.text import Text as Styled

    if left_out:
        yield Styled(f"\n{title}", style)
    for one in left_out[:_LISTED]:
        yield Styled(f"  {one.source}: ").append(one.reason, "dim")
    if len(left_out) > _LISTED:
        yield Styled(f"  and {len(left_out) - _LISTED} more; --json for all", "dim")


def _pairs(rows: Mapping[str, str]) -> Table:
    from rich.table import Table
    from rich.text import Text as Styled

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows.items():
        grid.add_row(name, Styled(value))
    return grid


def _size(count: int | None) -> str:
    if count is None:
        return "not told by a server"
    size, unit = next(
        (count / u, name) for u, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "B")) if count >= u or u == 1
    )
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
