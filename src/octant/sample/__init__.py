"""A small collection to try octant with: photos and notes that ship, and synthesised sounds (see LICENSES.md)."""

from __future__ import annotations

import shutil
from pathlib import Path

from octant.sample import sounds

__all__ = ["QUERIES", "write"]

_HERE = Path(__file__).parent

QUERIES = _HERE / "queries"
"""Photos to ask with that are not part of the collection."""


def write(folder: Path) -> list[Path]:
    """Write the collection into `folder`: photos/, sounds/ and notes/, which are returned."""
    for kind in ("photos", "notes"):
        shutil.copytree(_HERE / kind, folder / kind, dirs_exist_ok=True)
    shutil.copy2(_HERE / "LICENSES.md", folder / "LICENSES.md")
    sounds.write(folder / "sounds")
    return [folder / kind for kind in ("photos", "sounds", "notes")]
