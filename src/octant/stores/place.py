"""Where a collection lies, and what keeps it: for people, and for the size on disk."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, TypeAlias

__all__ = ["Kind", "Place"]

Kind: TypeAlias = Literal["edge", "local", "server"]
"""What answers: the engine of an embedded database, or a server."""

_DISTRIBUTIONS = {"edge": ("Qdrant Edge", "qdrant-edge-py"), "local": ("qdrant-client local mode", "qdrant-client")}


@dataclass(frozen=True, slots=True)
class Place:
    """A database directory, or the URL of a server."""

    directory: Path | None
    url: str | None = None

    def __str__(self) -> str:
        return self.url or str((self.directory or Path()).absolute())

    @property
    def kind(self) -> Kind:
        """Tell what keeps the points; what has neither a directory nor a URL is local mode in memory."""
        if self.url is not None:
            return "server"
        kind: Kind = "local" if self.directory is None else self._catalogue()["engine"]
        return kind

    @property
    def engine(self) -> str:
        """Name what keeps the points, with its version where it is embedded."""
        if self.directory is None:
            return "Qdrant server"
        name, distribution = _DISTRIBUTIONS[self._catalogue()["engine"]]
        return f"{name} {version(distribution)}"

    def bytes_on_disk(self, collection: str) -> int | None:
        """Measure what a collection takes, in bytes that are really allocated; None on a server.

        The engine's files are sparse: their apparent sizes add up to a hundred times as much.
        """
        if self.directory is None:
            return None
        catalogue = self._catalogue()
        if catalogue["engine"] == "local":
            folder = self.directory / "local" / "collection" / collection
        else:
            folder = self.directory / "collections" / str(catalogue["collections"][collection]["folder"])
        return sum(_allocated(Path(at) / name) for at, _, names in os.walk(folder) for name in names)

    def _catalogue(self) -> dict[str, Any]:
        path = (self.directory or Path()) / "meta.json"
        catalogue: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return catalogue


def _allocated(path: Path) -> int:
    try:
        status = path.stat()
    except FileNotFoundError:  # the engine replaces files while it runs
        return 0
    return status.st_blocks * 512 if hasattr(status, "st_blocks") else status.st_size
