"""Items become documents, and documents items again.

A document holds words and JSON-safe metadata. What cannot be said in words, an image or a sound, is named by its URI
under the one reserved key, `octant`; its bytes are never in a document.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

from langchain_core.documents import Document

from octant import Audio, Frame, Hit, Image, Item, Media, Page, Region, Span, Text

__all__ = ["OCTANT", "document_of", "document_of_hit", "item_of", "score_of", "with_score"]

OCTANT = "octant"
"""The reserved metadata key: `media` names an item's images and sounds; all else in it is about one answer."""

_OURS = {"media", "score", "own_score", "explanation", "earlier_score", "notes", "children", "parent"}
_NAMED_BY = ("title", "caption", "description")
"""The metadata that stands for what an item without a text is about, the first that is there."""


def document_of(item: Item, payload: Mapping[str, Any] | None = None) -> Document:
    """Turn an item into a document: its texts are the content, its metadata stay as they are.

    An item with images or sounds has metadata["octant"]["media"] as well: for each medium its name and modality and,
    as far as there are any, `uri`, `mime_type`, `start` and `end` (seconds), `page`, `second`, `region`.
    `payload` is the stored one, where it is at hand: it knows MIME types by content, and media that were given in
    memory. An item without a text is described by its title, caption or description, else by its files' names.
    """
    metadata = dict(item.metadata)
    entries = _entries(item, payload)
    texts = [medium.content for medium in item.media.values() if isinstance(medium, Text)]
    content = "\n\n".join(texts) if texts else _described(item.id, metadata, entries)
    if any(entry["modality"] != "text" for entry in entries):
        metadata[OCTANT] = {"media": entries}
    return Document(id=item.id, page_content=content, metadata=metadata)


def document_of_hit(hit: Hit, *, explain: bool = False) -> Document:
    """Turn a hit into a document with its score; with `explain` also metadata["octant"]["explanation"].

    The score is metadata["octant"]["score"], and metadata["score"] too where the item has no "score" of its own.
    """
    document = document_of(hit.item, hit.payload)
    document.metadata.update(with_score(document.metadata, float(hit.score)))
    if explain and hit.explanation is not None:
        plain = json.loads(json.dumps(asdict(hit.explanation), default=float))
        document.metadata[OCTANT]["explanation"] = plain
    return document


def with_score(metadata: Mapping[str, Any], score: float) -> dict[str, Any]:
    """Metadata with a score in the place of the one that octant gave before; a score of the user's own stays."""
    given: Any = metadata.get(OCTANT)
    own: dict[str, Any] = dict(cast("Mapping[str, Any]", given)) if isinstance(given, Mapping) else {}
    if "score" in metadata and "score" not in own:
        own["own_score"] = True
    own["score"] = score
    return {**metadata, **({} if own.get("own_score") else {"score": score}), OCTANT: own}


def score_of(metadata: Mapping[str, Any]) -> Any:
    """The score that octant gave, else what stands under "score"; None where there is none."""
    own: Any = metadata.get(OCTANT)
    found = cast("Mapping[str, Any]", own).get("score") if isinstance(own, Mapping) else None
    return metadata.get("score") if found is None else found


def item_of(document: Document, id: str, *, text: str = "text") -> Item:
    """Turn a document into an item of this id: its content is a medium called `text`, its metadata stay as they are.

    What metadata say of the answer that it was found in, such as the score, is not the item's, and left out.

    Where metadata["octant"]["media"] names files, the item has these media again: check them with `media_in`, if the
    document may come from anywhere. Raises ValueError for a medium that is not a file, as it cannot be had back.
    """
    given: Any = document.metadata.get(OCTANT)
    if not isinstance(given, Mapping) or not set(cast("Mapping[str, Any]", given)) <= _OURS:
        return Item(id, {text: Text(document.page_content)}, document.metadata)  # octant itself refuses its own key
    metadata = {key: value for key, value in document.metadata.items() if key != OCTANT}
    own = cast("Mapping[str, Any]", given)
    if "score" in own and not own.get("own_score") and metadata.get("score") == own["score"]:
        del metadata["score"]
    entries: Sequence[Mapping[str, Any]] = own.get("media", ())
    return Item(id, _media(id, document.page_content, metadata, entries, text), metadata)


def _entries(item: Item, payload: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    noted: Mapping[str, Mapping[str, Any]] = (payload or {}).get(OCTANT, {}).get("media", {})
    several = sum(isinstance(medium, Text) for medium in item.media.values()) > 1
    found: list[dict[str, Any]] = []
    for name in noted or item.media:
        medium, note = item.media.get(name), noted.get(name, {})
        entry: dict[str, Any] = {"name": name, "modality": str(note["modality"] if medium is None else medium.modality)}
        if isinstance(medium, Text):
            found.append({**entry, "text": medium.content} if several else entry)
            continue
        mime: str | None = note.get("mime")
        if medium is not None and isinstance(medium.source, Path):
            entry["uri"] = medium.source.absolute().as_uri()
            mime = mime or mimetypes.guess_type(medium.source.name)[0]
        if mime is not None:
            entry["mime_type"] = mime
        found.append(entry if medium is None else {**entry, **_part(medium)})
    return found


def _part(medium: Image | Audio) -> dict[str, Any]:
    part = medium.span if isinstance(medium, Audio) else medium.part
    match part:
        case None:
            return {}
        case Span():
            return {"start": part.start, "end": part.end}
        case Page():
            return {"page": part.page}
        case Frame():
            return {"second": part.second}
        case Region():
            return {"region": asdict(part)}


def _described(id: str, metadata: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> str:
    """What stands for the content of an item without a text."""
    named = [metadata[key] for key in _NAMED_BY if isinstance(metadata.get(key), str) and metadata[key].strip()]
    if named:
        return str(named[0])
    words = [_in_words(entry) for entry in entries if entry["modality"] != "text"]
    return ", ".join(words) if words else id


def _in_words(entry: Mapping[str, Any]) -> str:
    words: list[str] = [entry["modality"]]
    if "uri" in entry:
        words.append(_path(entry["uri"]).name)
    if "start" in entry:
        words.append(f"from {entry['start']:g} s to {entry['end']:g} s")
    if "page" in entry:
        words.append(f"page {entry['page']}")
    if "second" in entry:
        words.append(f"at {entry['second']:g} s")
    return " ".join(words)


def _media(
    id: str, content: str, metadata: Mapping[str, Any], entries: Sequence[Mapping[str, Any]], text: str
) -> dict[str, Media]:
    texts = [entry["name"] for entry in entries if entry["modality"] == "text"]
    if len(texts) > 1 and content != "\n\n".join(entry["text"] for entry in entries if entry["name"] in texts):
        raise ValueError(
            f"document {id!r} stands for an item of several texts ({', '.join(texts)}) and its content was changed: "
            "change the texts in metadata['octant']['media'] as well, or leave that key out"
        )
    media: dict[str, Media] = {}
    for entry in entries:
        if entry["modality"] == "text":
            media[entry["name"]] = Text(entry.get("text", content))
        else:
            media[entry["name"]] = _file(id, entry)
    if not media or (not texts and content and content != _described(id, metadata, entries)):
        media.setdefault(text, Text(content))  # a caption that was given to what had no words
    return media


def _file(id: str, entry: Mapping[str, Any]) -> Image | Audio:
    if "uri" not in entry:
        raise ValueError(
            f"document {id!r}: {entry['modality']} {entry['name']!r} was given in memory, and a document does not hold "
            "it; add the item itself with collection.add(Item(...))"
        )
    path = _path(entry["uri"])
    if entry["modality"] == "audio":
        return Audio(path, span=Span(entry["start"], entry["end"]) if "start" in entry else None)
    if "page" in entry:
        return Image(path, part=Page(entry["page"]))
    if "second" in entry:
        return Image(path, part=Frame(entry["second"]))
    return Image(path, part=Region(**entry["region"]) if "region" in entry else None)


def _path(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise ValueError(f"{uri!r} is not the URI of a file here; save it, and give Path(...).absolute().as_uri()")
    return Path(url2pathname(parts.path))
