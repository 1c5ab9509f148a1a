"""The layout of a point's payload. No other module spells its keys.

The item's metadata stands at the top level, under the caller's own names, so that any Qdrant filter reads naturally.
What octant notes itself stands under one key:

octant.id          the item's own id (Qdrant takes integers and UUIDs alone, see `point_id`)
octant.modalities  the modalities of the item's media (indexed: counts and filters)
octant.media       name -> modality, mime, bytes, fingerprint; width, height; seconds, rate, channels; characters;
                   text (a text's content) or source (a file's path) and part (its seconds, page, frame or region);
                   colours, perceptual_hash; thumbnail (a data URL, where asked for)
octant.source      what the item was read from (indexed); several items may come from one source
octant.stamp       what changes when the source may have changed; absent where only its content tells
octant.parts       into how many items the source was cut
octant.content     a hash of the media's fingerprints (indexed): equal where the vectors are equal
octant.thumbnails  the longest side of the thumbnails, where they were asked for
octant.model       what made the vectors, as `Schema.model` names it
octant.vectors     the fields whose vectors came with the item; absent where none did
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from math import isfinite
from pathlib import Path, PurePath
from typing import Any, cast
from uuid import UUID

from octant.errors import ItemError
from octant.item import Item, Origin
from octant.media import Audio, Description, Image, Media, Modality, Span, Text
from octant.media.parts import fields_of, image_part_from
from octant.vectors import Sparse, Vector

__all__ = [
    "CONTENT",
    "MADE",
    "MEDIA",
    "MODALITIES",
    "SOURCE",
    "Standing",
    "StoredMedia",
    "brought_of",
    "content_in",
    "content_of",
    "facts_of",
    "item_from_payload",
    "media_of",
    "payload_of",
    "point_id",
    "standing_of",
    "text_key",
    "thumbnails_of",
    "with_facts",
]

MODALITIES = "octant.modalities"
MEDIA = "octant.media"
SOURCE = "octant.source"
CONTENT = "octant.content"
MADE = ("octant.id", SOURCE, "octant.stamp", "octant.parts", CONTENT, "octant.model")
"""The keys that say how a point was made, but for the media: enough for `standing_of` to tell it from others."""

_OWN = "octant"
_FACTS = {"colours", "perceptual_hash", "thumbnail"}
"""What is learned only by decoding, and follows from the content."""
_DEEPEST = 32
"""Levels of metadata; the engine's own limit is near 100, and reached only when it reads its log again."""
_NAMESPACE = uuid.UUID("6f7a2f0e-5a0b-4d43-9b8e-0c7a2f5f9e11")


def point_id(item_id: str) -> str:
    """The UUIDv5 of an item's id: the same item is always the same point, so indexing twice replaces."""
    return str(uuid.uuid5(_NAMESPACE, item_id))


def payload_of(
    item: Item, described: Mapping[str, Description], model: str = "", thumbnails: int | None = None
) -> dict[str, Any]:
    """The payload of an item, from the descriptions of its media by name, and what makes its vectors.

    `thumbnails` is the longest side, in pixels, of those that `with_facts` will add.
    """
    if _OWN in item.metadata:
        raise ItemError(item.id, f"the metadata key {_OWN!r} is octant's own; rename it")
    metadata: dict[str, Any] = _plain(item.metadata, item.id, "metadata", 0)
    media = {name: _entry(medium, described[name]) for name, medium in item.media.items()}
    origin = item.origin or Origin(item.id)
    own = {
        "id": item.id,
        "modalities": sorted({medium.modality.value for medium in item.media.values()}),
        "media": media,
        "source": origin.source,
        "stamp": origin.stamp,
        "parts": origin.parts,
        "content": content_of(item, described),
        "model": model,
        "thumbnails": thumbnails if any(isinstance(medium, Image) for medium in item.media.values()) else None,
        "vectors": sorted(item.vectors) or None,
    }
    return {**metadata, _OWN: {key: value for key, value in own.items() if value is not None}}


def text_key(medium: str) -> str:
    """The payload key of the text of a medium of this name, for filters and text indexes."""
    return f'{MEDIA}."{medium}".text'


def with_facts(payload: Mapping[str, Any], facts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A payload with more about some of its media, by name: their colours, their thumbnails."""
    own = payload[_OWN]
    media = {name: {**entry, **facts.get(name, {})} for name, entry in own.get("media", {}).items()}
    return {**payload, _OWN: {**own, "media": media}}


def content_of(item: Item, described: Mapping[str, Description]) -> str:
    """Hash what an item's vectors depend on: its media, by name, kind and fingerprint, and the vectors it brings."""
    # in their order: several texts are read as one in it
    noted = [(name, medium.modality.value, described[name].fingerprint) for name, medium in item.media.items()]
    noted += [(name, "vector", _fingerprint(cast("Vector", one))) for name, one in sorted(item.vectors.items())]
    return hashlib.sha256(json.dumps(noted).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Standing:
    """What a stored payload says of how its point was made."""

    id: str
    source: str
    stamp: str | None
    parts: int
    content: str
    model: str
    thumbnails: int | None
    rest: Mapping[str, Any]
    """The metadata and what is noted of the media: where it differs, the point is to be written again."""


def standing_of(payload: Mapping[str, Any]) -> Standing | None:
    """Read how a point was made; None where octant did not make it. One that says less is like no other."""
    own: Mapping[str, Any] = payload.get(_OWN, {})
    if "id" not in own:
        return None
    if "content" not in own:
        return Standing(own["id"], own.get("source", own["id"]), None, 0, "", "", None, {})
    metadata = {key: value for key, value in payload.items() if key != _OWN}
    seen = {name: {k: v for k, v in e.items() if k not in _FACTS} for name, e in own.get("media", {}).items()}
    return Standing(
        own["id"],
        own["source"],
        own.get("stamp"),
        own["parts"],
        own["content"],
        own["model"],
        own.get("thumbnails"),
        {**metadata, _OWN: seen},
    )


def content_in(payload: Mapping[str, Any]) -> str:
    """The hash of the media's fingerprints that a payload notes."""
    content: str = payload[_OWN]["content"]
    return content


def facts_of(payload: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What was learned of the media by decoding them, by name: it holds for the same content."""
    return {name: {k: v for k, v in e.items() if k in _FACTS} for name, e in media_of(payload).items()}


def item_from_payload(payload: Mapping[str, Any], point: str, vectors: Mapping[str, Vector] | None = None) -> Item:
    """The item of a payload. Media that were given in memory, not by path, cannot be had back and are left out.

    `point` is the point's id, which names the item of a point that octant did not make; `vectors` are its own.
    """
    metadata = dict(payload)
    own: Mapping[str, Any] = metadata.pop(_OWN, {})
    # what was stored was checked when it was added: hits are many, and most of their media are not looked at
    item = object.__new__(Item)
    put = object.__setattr__
    put(item, "id", own.get("id", point))
    put(item, "media", StoredMedia(own.get("media", {})))
    put(item, "metadata", metadata)
    put(item, "origin", None)
    put(item, "vectors", {} if vectors is None else vectors)
    return item


class StoredMedia(Mapping[str, Media]):
    """The media of a stored item that can be had back, each made when it is first asked for."""

    def __init__(self, entries: Mapping[str, Mapping[str, Any]]) -> None:
        self._entries = {name: one for name, one in entries.items() if "text" in one or "source" in one}
        self._made: dict[str, Media] = {}

    def __getitem__(self, name: str) -> Media:
        if name not in self._made:
            self._made[name] = _medium(self._entries[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return repr(dict(self))


def media_of(payload: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What a payload notes of each medium, by name; empty for a point that octant did not make."""
    return dict(payload.get(_OWN, {}).get("media", {}))


def brought_of(payload: Mapping[str, Any]) -> list[str]:
    """The fields whose vectors came with the item."""
    return list(payload.get(_OWN, {}).get("vectors", ()))


def thumbnails_of(payload: Mapping[str, Any]) -> dict[str, str]:
    """The thumbnails of a payload, as data URLs by the name of their medium."""
    return {name: entry["thumbnail"] for name, entry in media_of(payload).items() if "thumbnail" in entry}


def _fingerprint(vector: Vector) -> str:
    """Hash a vector by its values."""
    if isinstance(vector, Sparse):
        return hashlib.sha256(repr(sorted(zip(vector.indices, vector.values, strict=True))).encode()).hexdigest()
    return hashlib.sha256(vector.astype("<f4").tobytes()).hexdigest()


def _plain(value: Any, item_id: str, where: str, depth: int) -> Any:
    """A metadata value as every store keeps it alike: JSON's own kinds. ItemError names what is none."""
    kind = cast("type[object]", type(value))
    if value is None or kind is bool or (kind is str and value.isascii()):
        return value
    match value:
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


def _entry(medium: Media, described: Description) -> dict[str, Any]:
    part = None if isinstance(medium, Text) else medium.span if isinstance(medium, Audio) else medium.part
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
        "part": None if part is None else fields_of(part),
    }
    return {key: value for key, value in noted.items() if value is not None}


def _medium(entry: Mapping[str, Any]) -> Media:
    modality = Modality(entry["modality"])
    if modality is Modality.TEXT:
        return Text(entry["text"])
    path, part = Path(entry["source"]), entry.get("part")
    if modality is Modality.IMAGE:
        return Image(path, part=None if part is None else image_part_from(part))
    return Audio(path, span=None if part is None else Span(**part))
