"""What is worth reading of a hit: its name, where in its source it is, what is known of it, and its score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from octant.item import Hit
from octant.media import Audio, Image, Media, Span, Text
from octant.media.parts import ImagePart, fields_of
from octant.payload import media_of

__all__ = [
    "Face",
    "clock",
    "face_of",
    "figures",
    "modalities_of",
    "noted",
    "shares",
    "short",
    "tail",
    "whereabouts",
]

_SHOWN_APART = {"path", "name", "folder", "root", "modified", "perceptual_hash"}
"""Metadata that a reader sees already in the name and the place, or does not look for."""
_MAYBE_TOLD = {"title", "url", "parent"}
"""Metadata that often say what the name says."""
_CONTROLS = dict.fromkeys([*range(32), *range(127, 160)], " ")
"""Characters that a terminal would obey."""


@dataclass(frozen=True, slots=True)
class Face:
    """What is worth reading of one hit."""

    name: str
    part: str
    """Where in its source it is: 0:10–0:20, p. 3, › Setup › Linux; empty for all of it."""
    snippet: str
    place: str
    facts: tuple[str, ...]
    metadata: Mapping[str, str]
    colours: tuple[str, ...]


def face_of(hit: Hit) -> Face:
    """Pick what is worth reading of a hit, from its payload and its metadata."""
    entries = noted(hit)
    name, place, of_file = _named(hit, entries)
    part, said = next((_within(e["part"]) for e in entries.values() if "part" in e), ("", frozenset[str]()))
    if of_file and not part:
        part, said = _part_noted(hit.metadata)
    told = {hit.id, hit.id.rpartition("#")[0], name, Path(name).stem, *part.removeprefix("› ").split(" › ")}
    metadata = {
        _plain(key): text
        for key, value in hit.metadata.items()
        if key not in _SHOWN_APART | said
        and not (key in _MAYBE_TOLD and isinstance(value, str) and value in told)
        and (text := _said(value))
    }
    return Face(
        name=_plain(name),
        part=_plain(part),
        snippet=" ".join(_plain(hit.text[:1000]).split())[:240],
        place=_plain(place),
        facts=tuple(fact for entry in entries.values() if (fact := _fact(entry))),
        metadata=metadata,
        colours=tuple(dict.fromkeys(str(one) for entry in entries.values() for one in entry.get("colours", ()))),
    )


def noted(hit: Hit) -> Mapping[str, Mapping[str, Any]]:
    """Tell what is known of each medium, by name: from the payload where the hit was stored, else from the item."""
    return media_of(hit.payload) or {name: _entry(medium) for name, medium in hit.item.media.items()}


def _entry(medium: Media) -> dict[str, Any]:
    said: dict[str, Any] = {"modality": medium.modality.value}
    if isinstance(medium, Text):
        return {**said, "text": medium.content}
    if isinstance(medium.source, Path):
        said["source"] = str(medium.source)
    part = _part(medium)
    return said if part is None else {**said, "part": fields_of(part)}


def _part(medium: Image | Audio) -> ImagePart | Span | None:
    return medium.span if isinstance(medium, Audio) else medium.part


def whereabouts(medium: Image | Audio) -> str:
    """Say where in its source a medium is: 0:10–0:20, p. 3, (800, 0); nothing for all of it."""
    part = _part(medium)
    return "" if part is None else _within(fields_of(part))[0]


def _named(hit: Hit, entries: Mapping[str, Mapping[str, Any]]) -> tuple[str, str, bool]:
    """The name of a hit, where it lies, and whether it comes from a file."""
    sources = [entry["source"] for entry in entries.values() if "source" in entry]
    given = [value for key in ("path", "name") if isinstance(value := hit.metadata.get(key), str) and value]
    if sources or given:
        path = Path((sources or given)[0])
        return path.name or str(path), short(path.parent) if path.parent != Path() else "", True
    url = hit.metadata.get("url")
    if isinstance(url, str) and url == hit.id:
        folder, _, name = url.rpartition("/")
        return name or url, folder if name else "", False
    return hit.id, "", False


def _within(part: Mapping[str, Any]) -> tuple[str, frozenset[str]]:
    """Say where a part of a source is, from the part's fields; and which metadata adapters note for the same."""
    match part:
        case {"start": start, "end": end}:
            return f"{_moment(start)}–{_moment(end)}", frozenset({"start_second", "end_second"})
        case {"second": second}:
            return _moment(second), frozenset({"second"})
        case {"page": page}:
            return f"p. {page}", frozenset({"page", "pages"})
        case {"left": left, "top": top}:
            return f"({left}, {top})", frozenset()
        case _:
            return "", frozenset()


def _part_noted(metadata: Mapping[str, Any]) -> tuple[str, frozenset[str]]:
    """Say where in its file a text is that was cut out of one; and which metadata say the same."""
    characters = frozenset({"start_character", "end_character"})
    match metadata:
        case {"start_second": int() | float() as start, "end_second": int() | float() as end}:
            return _within({"start": start, "end": end})
        case {"page": int() as page}:
            part, said = _within({"page": page})
            return part, said | characters
        case {"headings": [str(), *_] as headings}:
            return "".join(f" › {heading}" for heading in headings).lstrip(), characters | {"headings"}
        case {"start_character": int() as start}:
            return f"character {start:,}", characters
        case _:
            return "", frozenset()


def _said(value: object) -> str:
    """Say a metadata value in a few characters; nothing for what would take many."""
    match value:
        case bool() | int() | str():
            return _plain(str(value))
        case float():
            return str(round(value, 3) if abs(value) >= 1e-3 else value)
        case list():
            return ", ".join(text for one in cast("list[object]", value) if (text := _said(one)))
        case {"lon": float() | int() as lon, "lat": float() | int() as lat}:
            return f"{lat:.4f}, {lon:.4f}"
        case _:
            return ""


def _plain(text: str) -> str:
    return text.translate(_CONTROLS)


def _fact(entry: Mapping[str, Any]) -> str:
    if "seconds" in entry:
        return "" if "part" in entry else clock(entry["seconds"])  # the part says from when to when
    if "width" in entry:
        return f"{entry['width']}×{entry['height']}"
    return f"{entry['characters']} characters" if "characters" in entry else ""


def clock(seconds: float) -> str:
    """Say a duration: 4.0 s, 2:05."""
    return f"{seconds:.1f} s" if seconds < 60 else _moment(int(seconds))


def _moment(seconds: float) -> str:
    """Say when in a sound or a film: 0:05, 0:07.5, 1:02:05."""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(minutes, 60)
    clear = f"{minutes:.0f}" if not hours else f"{hours:.0f}:{minutes:02.0f}"
    return f"{clear}:{rest:04.1f}".removesuffix(".0")


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
