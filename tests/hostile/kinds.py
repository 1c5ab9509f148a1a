"""What a kind of hostile file is, and how a corpus of them is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FAILED", "PARTLY", "SKIPPED", "STORED", "Kind", "Table", "holds", "is_put", "sparse", "write"]

STORED = "stored"
FAILED = "failed"
"""Ought to have worked, and the report says what to do about it."""
SKIPPED = "skipped"
"""None of octant's business, and the report says so."""
PARTLY = "partly"
"""Some of its parts are stored, and the report names those that are not."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How a file is made, and what may become of it.

    Where more than one outcome is named, it depends on the version of a decoder, on which optional packages are
    installed, or is a question of taste. Whatever it is, the file is accounted for.
    """

    put: Callable[[Path], object]
    outcomes: frozenset[str]


Table = dict[str, Kind]
"""Kinds by the name of their file; those that this system cannot make are not in it."""


def holds(content: bytes | str | Callable[[], bytes], *outcomes: str) -> Kind:
    """Make a file of this content: bytes, UTF-8, or what is called for when the corpus is written."""

    def put(path: Path) -> None:
        match content:
            case bytes():
                path.write_bytes(content)
            case str():
                path.write_bytes(content.encode())
            case _:
                path.write_bytes(content())

    return Kind(put, frozenset(outcomes))


def is_put(put: Callable[[Path], object], *outcomes: str) -> Kind:
    """Put something at the path that is more than a file of some bytes."""
    return Kind(put, frozenset(outcomes))


def sparse(path: Path) -> None:
    """Claim ten gigabytes and occupy none."""
    with path.open("wb") as file:
        file.truncate(10 << 30)


def write(table: Table, folder: Path) -> None:
    """Write every kind of a table into a new folder."""
    folder.mkdir(parents=True)
    for name, kind in table.items():
        kind.put(folder / name)
