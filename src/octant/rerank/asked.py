"""What a query asks with, as rerankers that encode it read it: media with their weights."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from octant.errors import OctantError, UnsupportedModality
from octant.media import Audio, Image, Media, Modality, Text
from octant.query import Composed

if TYPE_CHECKING:
    from octant.query import Query

__all__ = ["media_asked"]


def media_asked(query: Query, reads: Collection[Modality], who: str) -> list[tuple[Media, float]]:
    """The media of a question that a model can read, each with its weight: one of weight 1, or the parts of several.

    Raises UnsupportedModality where it can read none of them; OctantError for what is asked by ids, by vectors or by a
    context, which hold no media.
    """
    match query.like:
        case Text() | Image() | Audio():
            media: list[tuple[Media, float]] = [(query.like, 1.0)]
        case Composed():
            parts = [(part.example, part.weight) for part in query.like.parts]
            media = [(example, weight) for example, weight in parts if isinstance(example, Text | Image | Audio)]
        case _:
            media = []
    if not media:
        kind = type(query.like).__name__
        raise OctantError(f"{who} reads texts, pictures and sounds, and this asks by {kind}; leave the stage out")
    readable = [(medium, weight) for medium, weight in media if medium.modality in reads]
    if not readable:
        raise UnsupportedModality(media[0][0].modality, who, f"it reads {', '.join(sorted(reads))}")
    return readable
