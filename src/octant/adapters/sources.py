"""Whatever a user may add, as items: paths, media, items, texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from octant.adapters.files import file_id, items_from_paths
from octant.errors import MediaError
from octant.ingest import Arrival
from octant.item import Item
from octant.media import DEFAULT_LIMITS, Audio, Image, Limits, Media, Text, fingerprint

__all__ = ["Source", "arrivals"]

Source = Path | Item | Text | Image | Audio | str


def arrivals(sources: Source | Iterable[Source], limits: Limits = DEFAULT_LIMITS) -> Iterator[Arrival]:
    """Turn sources into items, one at a time: a `Path` is a file or a folder, a `str` is a text, never a path.

    A medium of its own becomes an item under its modality's name, with its path or its content for an id.
    """
    for source in [sources] if isinstance(sources, Path | Item | Text | Image | Audio | str) else sources:
        match source:
            case Item():
                yield source
            case Path():
                yield from items_from_paths([source], limits=limits)
            case str():
                yield _alone(Text(source, limits))
            case Text() | Image() | Audio():
                yield _alone(source)
            case _:  # pyright: ignore[reportUnnecessaryComparison]  (callers without a type checker)
                raise TypeError(f"cannot add {source!r}; give a Path, a str (a text), Text, Image, Audio or an Item")


def _alone(medium: Media) -> Arrival:
    try:
        path = getattr(medium, "source", None)
        name = file_id(path) if isinstance(path, Path) else f"sha256:{fingerprint(medium)}"
    except MediaError as error:
        return error
    return Item(name, {medium.modality.value: medium})
