"""What is worth reading of a hit: its name, where it is, what is known of it, and its score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from octant.item import Hit
from octant.media import Media, Text
from octant.payload import media_of

__all__ = ["Face", "clock", "face_of", "figures", "modalities_of", "noted", "shares", "short", "tail"]

_SHOWN_APART = {"path", "name", "folder", "root", "modified"}
"""Metadata of files that a reader sees already in the name and the place, or does not look for."""


@dataclass(frozen=True, slots=True)
class Face:
    """What is worth reading of one hit."""

    name: str
    snippet: str
    place: str
    facts: tuple[str, ...]
    metadata: Mapping[str, str]


def face_of(hit: Hit) -> Face:
    """Pick what is worth reading of a hit, from its payload and its metadata."""
    entries = noted(hit)
    sources = [Path(entry["source"]) for entry in entries.values() if "source" in entry]
    named = [value for key in ("path", "name") if isinstance(value := hit.metadata.get(key), str)]
    path = next(iter(sources), Path(named[0]) if named else None)
    folder = short(path.parent) if path and path.parent != Path() else ""
    metadata = {
        key: ", ".join(map(str, cast("list[object]", value))) if isinstance(value, list) else str(value)
        for key, value in hit.metadata.items()
        if isinstance(value, str | int | float | bool | list) and value not in ("", []) and key not in _SHOWN_APART
    }
    return Face(
        name=path.name if path else hit.id,
        snippet=" ".join(hit.text.split())[:240],
        place=folder,
        facts=tuple(fact for entry in entries.values() if (fact := _fact(entry))),
        metadata=metadata,
    )


def noted(hit: Hit) -> Mapping[str, Mapping[str, Any]]:
    """Tell what is known of each medium, by name: from the payload where the hit was stored, else from the item."""
    return media_of(hit.payload) or {name: _entry(medium) for name, medium in hit.item.media.items()}


def _entry(medium: Media) -> dict[str, Any]:
    said: dict[str, Any] = {"modality": medium.modality.value}
    if isinstance(medium, Text):
        return {**said, "text": medium.content}
    return {**said, "source": str(medium.source)} if isinstance(medium.source, Path) else said


def _fact(entry: Mapping[str, Any]) -> str:
    if "seconds" in entry:
        return clock(entry["seconds"])
    if "width" in entry:
        return f"{entry['width']}×{entry['height']}"
    return f"{entry['characters']} characters" if "characters" in entry else ""


def clock(seconds: float) -> str:
    """Say a duration: 4.0 s, 2:05."""
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def short(folder: Path) -> str:
    """Say where a folder is as one would: from here, or from home."""
    for start, sign in ((Path.cwd, "."), (Path.home, "~")):
        with suppress(OSError, RuntimeError):  # the working folder was removed; nobody has a home here
            if folder.is_relative_to(start()):
                return (Path(sign) / folder.relative_to(start())).as_posix()
    return folder.as_posix()


def modalities_of(hit: Hit) -> list[str]:
    """List the modalities of a hit, also of media that were given in memory."""
    return list(dict.fromkeys(str(entry["modality"]) for entry in noted(hit).values()))


def figures(hits: Sequence[Hit]) -> list[str]:
    """Write scores with three decimals, four where they are small: fused scores are about 1/60."""
    digits = 3 if max((abs(hit.score) for hit in hits), default=0.0) >= 0.1 else 4
    return [f"{hit.score:.{digits}f}" for hit in hits]


def tail(place: str, length: int) -> str:
    """Keep the last folders of a path, as many as fit: those are what differs."""
    while len(place) > length and "/" in place.removeprefix("…/"):
        place = "…/" + place.removeprefix("…/").split("/", 1)[1]
    return place


def shares(hits: Sequence[Hit], *, fused: bool) -> list[float]:
    """Scale scores for bars: similarities to 1, so that weak hits look weak; fused ranks to the best one."""
    top = max((hit.score for hit in hits), default=0.0)
    full = top if fused or top > 1 else 1.0
    return [max(hit.score, 0.0) / full if full > 0 else 0.0 for hit in hits]
