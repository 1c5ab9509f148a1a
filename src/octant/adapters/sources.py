"""Whatever a user may add, as items: paths, tables, media, items, texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from itertools import groupby
from pathlib import Path
from typing import cast

from octant.adapters.adapter import Adapter
from octant.adapters.audio import AudioAdapter
from octant.adapters.files import FileReader, file_id, files_in, uri_of
from octant.adapters.image import ImageAdapter
from octant.adapters.patterns import Patterns
from octant.adapters.pdf import PdfAdapter
from octant.adapters.stream import Stream
from octant.adapters.text import HtmlAdapter, MarkdownAdapter, TextAdapter
from octant.adapters.video import VideoAdapter
from octant.errors import MediaError
from octant.ingest import Arrival
from octant.item import Item, Skipped
from octant.media import DEFAULT_LIMITS, Audio, Image, Limits, Media, Modality, Text, fingerprint
from octant.schema import Schema

__all__ = ["Reading", "Source", "arrivals", "installed", "scopes"]

Source = Path | Stream | Item | Text | Image | Audio | str


@dataclass(frozen=True, slots=True)
class Reading:
    """How sources are read."""

    adapters: tuple[Adapter, ...] = ()
    """Adapters with options of your own, such as AudioAdapter(window=5); they are asked before the others."""
    include: tuple[str, ...] = ()
    """Patterns as in .gitignore: only the files of folders that match one are read."""
    exclude: tuple[str, ...] = ()
    """Patterns as in .gitignore: the files and folders that match are not."""
    limits: Limits = DEFAULT_LIMITS
    """How large a file or a text may be; media that are given as such bring limits of their own."""
    thumbnails: int | None = None
    """Keep small pictures in the payload, of that many pixels on the longest side."""

    def __post_init__(self) -> None:
        given: object = self.adapters  # callers without a type checker give anything
        if not isinstance(given, tuple) or any(isinstance(one, type) or not hasattr(one, "takes") for one in given):
            raise TypeError(f"adapters is a tuple of adapters, such as (AudioAdapter(window=5),), not {given!r}")


def arrivals(
    sources: Source | Iterable[Source], reading: Reading, schema: Schema, unread: list[str] | None = None
) -> Iterator[Arrival]:
    """Turn sources into items, one at a time: a `Path` is a file or a folder, a `str` is a text, never a path.

    A medium of its own becomes an item under its modality's name, with its path or its content for an id.
    `unread` takes the scopes of the streams that could not be read to their end.
    """
    known: set[str] = set()
    read: set[str] = set()
    for is_path, group in groupby(_listed(sources), key=_is_path):
        if is_path:  # together, so that a file that is reached twice is read once
            yield from files_in(cast("Iterable[Path]", group), _reader(reading, schema), _patterns(reading), read)
            continue
        for source in cast("Iterable[Stream | Item | Media | str]", group):
            if isinstance(source, Item):
                yield source
            elif _is_stream(source):
                for one in cast("Stream", source).items():
                    if isinstance(one, MediaError) and unread is not None:
                        unread.append(cast("Stream", source).scope or "")
                    yield one
            else:
                yield _alone(cast("Media | str", source), reading.limits, known)


def scopes(sources: Source | Iterable[Source]) -> tuple[list[str], list[str], Iterable[Source]]:
    """Say how the identities of all that can come from these sources begin: of paths, of streams; and give them back.

    TypeError for a source that is no place, such as a text: nothing can vanish from it. A folder's whole content is
    meant, so `include` and `exclude` decide what has vanished, too.
    """
    listed = list(_listed(sources))
    places: list[str] = []
    streams: list[str] = []
    for source in listed:
        if isinstance(source, Path):
            places.append(uri_of(source))
        elif _is_stream(source) and (scope := cast("Stream", source).scope) is not None:
            streams.append(scope)
        else:
            remedy = "give Paths, tables or shards one by one: places that items can vanish from"
            raise TypeError(f"cannot sync with {source!r}; {remedy}")
    return places, streams, listed


def _reader(reading: Reading, schema: Schema) -> FileReader:
    budgets = {modality: schema.budget(modality) for modality in Modality}
    return FileReader((*reading.adapters, *installed()), budgets, reading.limits, f"thumbnails={reading.thumbnails}")


def _patterns(reading: Reading) -> Patterns | None:
    return Patterns(reading.include, reading.exclude) if reading.include or reading.exclude else None


@cache
def installed() -> Sequence[Adapter]:
    """The adapters of other packages, by name, and then octant's own: what is special goes first."""
    others = sorted(entry_points(group="octant.adapters"), key=lambda one: one.name)
    made: list[Adapter] = [one.load()() for one in others]
    made += [HtmlAdapter(), MarkdownAdapter(), TextAdapter(), PdfAdapter()]
    made += [VideoAdapter(), ImageAdapter(), AudioAdapter()]
    return made


def _listed(sources: Source | Iterable[Source]) -> Iterable[Source]:
    if isinstance(sources, Path | Item | Text | Image | Audio | str) or _is_stream(sources):
        return [cast("Source", sources)]
    given: object = sources  # callers without a type checker give anything
    if isinstance(given, Mapping | bytes) or not isinstance(given, Iterable):
        raise TypeError(f"cannot add {given!r}; {_TAKEN}")
    return cast("Iterable[Source]", sources)


def _is_path(source: Source) -> bool:
    return isinstance(source, Path)


def _is_stream(source: object) -> bool:
    return hasattr(source, "scope") and callable(getattr(source, "items", None))


_TAKEN = "give a Path, a str (a text), Text, Image, Audio, an Item or a Table, or an iterable of these"


def _alone(source: Media | str, limits: Limits, known: set[str]) -> Arrival:
    medium = Text(source, limits) if isinstance(source, str) else source
    given: object = medium
    if not isinstance(given, Text | Image | Audio):
        raise TypeError(f"cannot add {given!r}; {_TAKEN}")
    try:
        path = getattr(medium, "source", None)
        whole = isinstance(path, Path) and getattr(medium, "part", getattr(medium, "span", None)) is None
        name = file_id(cast("Path", path)) if whole else f"sha256:{fingerprint(medium)}"
    except MediaError as error:
        return error
    if name in known:
        return Skipped(repr(medium), "the same content was given before in this run")
    known.add(name)
    return Item(name, {medium.modality.value: medium})
