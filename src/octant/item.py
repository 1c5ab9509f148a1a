"""What goes in (Item), what comes out (Hit), and what was left out (Skipped)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from octant.media import Media, Modality, Text

__all__ = ["Hit", "Item", "Metadata", "Skipped"]

Metadata = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to find: its media by name (a title, a photo, a sound) and its metadata."""

    id: str
    """Any string that stays the same for the same thing; adding it again replaces it."""
    media: Mapping[str, Media]
    metadata: Metadata = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Hit:
    """An item that was found."""

    item: Item
    score: float
    """Higher is better. A similarity where one field answered; a fused rank score where several did."""
    payload: Metadata = field(default_factory=dict[str, Any])
    """The point's payload as stored: the item's metadata, and what octant noted about its media."""

    @property
    def id(self) -> str:
        return self.item.id

    @property
    def metadata(self) -> Metadata:
        return self.item.metadata

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The modalities of the item's media, each once, in their order."""
        return tuple(dict.fromkeys(medium.modality for medium in self.item.media.values()))

    @property
    def text(self) -> str:
        """The item's first text; empty where it has none."""
        return next((m.content for m in self.item.media.values() if isinstance(m, Text)), "")


@dataclass(frozen=True, slots=True)
class Skipped:
    """A source that did not become a point, and why."""

    source: str
    reason: str
