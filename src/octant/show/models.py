"""How families of encoders and their models look in a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from octant.family import Family
from octant.media import Modality
from octant.vectors import Kind

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["family_table", "install_lines", "model_table"]


def family_table(families: Iterable[Family]) -> Table:
    """Lay out families: what they read, and whether they can run here."""
    table = _table("family", "models", "reads", "vectors", "here?")
    for family in families:
        reads = {modality for known in family.known for modality in known.modalities}
        kinds = {known.kind for known in family.known}
        _add(
            table,
            family.name,
            family.summary,
            ", ".join(modality for modality in Modality if modality in reads),
            ", ".join(kind for kind in Kind if kind in kinds),
            _here(family),
        )
    return table


def install_lines(families: Iterable[Family]) -> list[str]:
    """The lines that install what is not here, each with the families that it is for: to be copied, so never folded."""
    missing: dict[str, list[str]] = {}
    for family in families:
        if not family.is_installed:
            missing.setdefault(family.install, []).append(family.name)
    return [f"{install}  # {', '.join(names)}" for install, names in missing.items()]


def model_table(families: Iterable[Family]) -> Table:
    """Lay out the models that are known by name, and the options of their families."""
    table = _table("model", "reads", "dim", "licence", "note")
    for family in families:
        for known in family.known:
            _add(
                table,
                f"{family.name}:{known.model}",
                ", ".join(known.modalities),
                "" if known.dim is None else str(known.dim),
                known.licence,
                known.note,
            )
        if family.options.model_fields:
            _add(table, "", "", "", "", f"options: {', '.join(family.options.model_fields)}")
        table.add_section()
    return table


def _add(table: Table, *cells: str) -> None:
    """Add a row as it stands: the brackets of an extra are no markup."""
    from rich.text import Text

    table.add_row(*map(Text, cells))


def _here(family: Family) -> str:
    if not family.is_installed:
        return "no"
    return f"yes; wants ${family.key}" if family.key else "yes"


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
