"""Whatever a user may add, as items: paths, media, items, texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import cast

from octant.adapters.files import file_id, items_from_paths
from octant.errors import MediaError
from octant.ingest import Arrival
from octant.item import Item, Skipped
from octant.media import DEFAULT_LIMITS, Audio, Image, Limits, Media, Text, fingerprint

__all__ = ["Source", "arrivals"]

Source = Path | Item | Text | Image | Audio | str


def arrivals(sources: Source | Iterable[Source], limits: Limits = DEFAULT_LIMITS) -> Iterator[Arrival]:
    """Turn sources into items, one at a time: a `Path` is a file or a folder, a `str` is a text, never a path.

    A medium of its own becomes an item under its modality's name, with its path or its content for an id.
    """
    known: set[str] = set()
    for is_path, group in groupby(_listed(sources), key=_is_path):
        if is_path:  # together, so that a file that is reached twice is read once
            yield from items_from_paths(cast("Iterable[Path]", group), limits=limits)
            continue
        for source in cast("Iterable[Item | Media | str]", group):
            yield source if isinstance(source, Item) else _alone(source, limits, known)


def _listed(sources: Source | Iterable[Source]) -> Iterable[Source]:
    if isinstance(sources, Path | Item | Text | Image | Audio | str):
        return [sources]
    given: object = sources  # callers without a type checker give anything
    if isinstance(given, Mapping | bytes) or not isinstance(given, Iterable):
        raise TypeError(f"cannot add {given!r}; {_TAKEN}")
    return sources


def _is_path(source: Source) -> bool:
    return isinstance(source, Path)


_TAKEN = "give a Path, a str (a text), Text, Image, Audio or an Item, or an iterable of these"


def _alone(source: Media | str, limits: Limits, known: set[str]) -> Arrival:
    medium = Text(source, limits) if isinstance(source, str) else source
    given: object = medium
    if not isinstance(given, Text | Image | Audio):
        raise TypeError(f"cannot add {given!r}; {_TAKEN}")
    try:
        path = getattr(medium, "source", None)
        name = file_id(path) if isinstance(path, Path) else f"sha256:{fingerprint(medium)}"
    except MediaError as error:
        return error
    if name in known:
        return Skipped(repr(medium), "the same content was given before in this run")
    known.add(name)
    return Item(name, {medium.modality.value: medium})
