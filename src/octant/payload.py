"""The layout of a point's payload. No other module spells its keys.

The item's metadata stands at the top level, under the caller's own names, so that any Qdrant filter reads naturally.
What octant notes itself stands under one key:

octant.id          the item's own id (Qdrant takes integers and UUIDs alone, see `point_id`)
octant.modalities  the modalities of the item's media (indexed: counts and filters)
octant.media       name -> modality, mime, bytes, fingerprint; width, height; seconds, rate, channels; characters;
                   text (a text's content) or source (a file's path); thumbnail (a data URL, where asked for)
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from octant.errors import ItemError
from octant.item import Item
from octant.media import Audio, Description, Image, Media, Modality, Text

__all__ = ["MODALITIES", "item_from_payload", "media_of", "payload_of", "point_id", "thumbnails_of"]

MODALITIES = "octant.modalities"

_OWN = "octant"
_NAMESPACE = uuid.UUID("6f7a2f0e-5a0b-4d43-9b8e-0c7a2f5f9e11")


def point_id(item_id: str) -> str:
    """The UUIDv5 of an item's id: the same item is always the same point, so indexing twice replaces."""
    return str(uuid.uuid5(_NAMESPACE, item_id))


def payload_of(item: Item, described: Mapping[str, Description], thumbnails: Mapping[str, str]) -> dict[str, Any]:
    """The payload of an item, from the descriptions and the thumbnails (data URLs) of its media by name."""
    if _OWN in item.metadata:
        raise ItemError(item.id, f"the metadata key {_OWN!r} is octant's own; rename it")
    media = {name: _entry(medium, described[name], thumbnails.get(name)) for name, medium in item.media.items()}
    modalities = sorted({medium.modality.value for medium in item.media.values()})
    return {**item.metadata, _OWN: {"id": item.id, "modalities": modalities, "media": media}}


def item_from_payload(payload: Mapping[str, Any]) -> Item:
    """The item of a payload. Media that were given in memory, not by path, cannot be had back and are left out."""
    own = payload[_OWN]
    media = {name: medium for name, entry in own["media"].items() if (medium := _medium(entry)) is not None}
    return Item(own["id"], media, {key: value for key, value in payload.items() if key != _OWN})


def media_of(payload: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What a payload notes of each medium, by name; empty for a point that octant did not make."""
    return dict(payload.get(_OWN, {}).get("media", {}))


def thumbnails_of(payload: Mapping[str, Any]) -> dict[str, str]:
    """The thumbnails of a payload, as data URLs by the name of their medium."""
    return {name: entry["thumbnail"] for name, entry in media_of(payload).items() if "thumbnail" in entry}


def _entry(medium: Media, described: Description, thumbnail: str | None) -> dict[str, Any]:
    noted: dict[str, Any] = {
        "modality": medium.modality.value,
        "mime": described.mime,
        "bytes": described.bytes,
        "fingerprint": described.fingerprint,
        "width": described.width,
        "height": described.height,
        "seconds": described.seconds,
        "rate": described.rate,
        "channels": described.channels,
        "characters": described.characters,
        "text": medium.content if isinstance(medium, Text) else None,
        "source": None if isinstance(medium, Text) or not isinstance(medium.source, Path) else str(medium.source),
        "thumbnail": thumbnail,
    }
    return {key: value for key, value in noted.items() if value is not None}


def _medium(entry: Mapping[str, Any]) -> Media | None:
    modality = Modality(entry["modality"])
    if modality is Modality.TEXT:
        return Text(entry["text"])
    if "source" not in entry:
        return None
    return Image(Path(entry["source"])) if modality is Modality.IMAGE else Audio(Path(entry["source"]))
