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
from collections.abc import Iterable, Mapping
from datetime import date, time
from math import isfinite
from pathlib import Path, PurePath
from typing import Any, cast
from uuid import UUID

from octant.errors import ItemError
from octant.item import Item
from octant.media import Audio, Description, Image, Media, Modality, Text

__all__ = ["MODALITIES", "item_from_payload", "media_of", "payload_of", "point_id", "thumbnails_of"]

MODALITIES = "octant.modalities"

_OWN = "octant"
_DEEPEST = 32
"""Levels of metadata; the engine's own limit is near 100, and reached only when it reads its log again."""
_NAMESPACE = uuid.UUID("6f7a2f0e-5a0b-4d43-9b8e-0c7a2f5f9e11")


def point_id(item_id: str) -> str:
    """The UUIDv5 of an item's id: the same item is always the same point, so indexing twice replaces."""
    return str(uuid.uuid5(_NAMESPACE, item_id))


def payload_of(item: Item, described: Mapping[str, Description], thumbnails: Mapping[str, str]) -> dict[str, Any]:
    """The payload of an item, from the descriptions and the thumbnails (data URLs) of its media by name."""
    if _OWN in item.metadata:
        raise ItemError(item.id, f"the metadata key {_OWN!r} is octant's own; rename it")
    metadata: dict[str, Any] = _plain(item.metadata, item.id, "metadata", 0)
    media = {name: _entry(medium, described[name], thumbnails.get(name)) for name, medium in item.media.items()}
    modalities = sorted({medium.modality.value for medium in item.media.values()})
    return {**metadata, _OWN: {"id": item.id, "modalities": modalities, "media": media}}


def item_from_payload(payload: Mapping[str, Any], point: str) -> Item:
    """The item of a payload. Media that were given in memory, not by path, cannot be had back and are left out.

    `point` is the point's id, which names the item of a point that octant did not make.
    """
    media = {name: medium for name, entry in media_of(payload).items() if (medium := _medium(entry)) is not None}
    metadata = {key: value for key, value in payload.items() if key != _OWN}
    return Item(payload.get(_OWN, {}).get("id", point), media, metadata)


def media_of(payload: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What a payload notes of each medium, by name; empty for a point that octant did not make."""
    return dict(payload.get(_OWN, {}).get("media", {}))


def thumbnails_of(payload: Mapping[str, Any]) -> dict[str, str]:
    """The thumbnails of a payload, as data URLs by the name of their medium."""
    return {name: entry["thumbnail"] for name, entry in media_of(payload).items() if "thumbnail" in entry}


def _plain(value: Any, item_id: str, where: str, depth: int) -> Any:
    """A metadata value as every store keeps it alike: JSON's own kinds. ItemError names what is none."""
    match value:
        case None | bool():
            return value
        case str():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise ItemError(item_id, f"{where} has characters that no text can have (lone surrogates)") from None
            return str(value)
        case int():
            if not -(2**63) <= value < 2**63:
                raise ItemError(item_id, f"{where} is {value}, beyond 64 bits; give it as a text")
            return int(value)
        case float():
            if not isfinite(value):
                raise ItemError(item_id, f"{where} is {value}; leave it out, or give a finite number")
            return float(value)
        case date() | time():
            return value.isoformat()
        case UUID() | PurePath():
            return str(value)
        case Mapping():
            _bounded(item_id, where, depth)
            entries = cast("Mapping[object, object]", value)
            return {
                _key(key, item_id, where): _plain(one, item_id, f"{where}.{key}", depth + 1)
                for key, one in entries.items()
            }
        case list() | tuple() | set() | frozenset():
            _bounded(item_id, where, depth)
            return [_plain(one, item_id, f"{where}[]", depth + 1) for one in cast("Iterable[object]", value)]
        case _ if type(value).__module__ == "numpy":
            return _plain(value.tolist(), item_id, where, depth)
        case _:
            raise ItemError(
                item_id,
                f"{where} is a {type(value).__name__}; give texts, numbers, booleans, dates, None, lists or mappings",
            )


def _key(key: object, item_id: str, where: str) -> str:
    if not isinstance(key, str):
        raise ItemError(item_id, f"{where} has the key {key!r}; keys are texts")
    if "." in key or not key:
        raise ItemError(item_id, f"{where} has the key {key!r}; filters read a dot as 'within': rename it, or nest")
    return key


def _bounded(item_id: str, where: str, depth: int) -> None:
    if depth >= _DEEPEST:
        raise ItemError(item_id, f"{where[:80]}… is nested more than {_DEEPEST} levels deep; flatten it")


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
        "source": None
        if isinstance(medium, Text) or not isinstance(medium.source, Path)
        else str(medium.source.absolute()),
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
