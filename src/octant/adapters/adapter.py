"""The contract of every adapter: a file becomes pieces, one for each point.

A package adds one by an entry point in the group `octant.adapters`, which names a callable that makes it:

    [project.entry-points."octant.adapters"]
    subtitles = "mypackage:SubtitlesAdapter"
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from octant.encoding import Budget
from octant.errors import MediaError
from octant.item import Metadata, Skipped
from octant.media import Limits, Media

__all__ = ["Adapter", "File", "Piece"]


@dataclass(frozen=True, slots=True)
class File:
    """A file that was found, looked at just enough to know what it is."""

    path: Path
    """Absolute."""
    head: bytes
    """Its first 4096 bytes, or all of a shorter one."""
    mime: str | None
    """By its first bytes; None for text and for what octant does not know."""
    size: int
    limits: Limits

    @property
    def suffix(self) -> str:
        """The suffix of its name, in lower case, with the dot."""
        return self.path.suffix.lower()


@dataclass(frozen=True, slots=True)
class Piece:
    """What becomes one point: media by name, and what is known about them."""

    media: Mapping[str, Media]
    metadata: Metadata = field(default_factory=dict[str, Any])


class Adapter(Protocol):
    """Cuts files of its kinds into pieces, by reference where it can. Implement it; do not inherit it."""

    @property
    def identity(self) -> str:
        """Name, version and every option: files are read again where it has changed."""
        ...

    def takes(self, file: File) -> bool:
        """Say whether this file is for this adapter, by its first bytes and then by its suffix; read nothing."""
        ...

    def pieces(self, file: File, budget: Budget) -> Iterator[Piece | Skipped | MediaError]:
        """Cut a file, in order.

        Yield or raise a MediaError about `file.path` for what cannot be read; yield Skipped for what is left out on
        purpose.
        """
        ...
