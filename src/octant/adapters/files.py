"""Files and folders, as items: walked without being caught in them, and looked at just enough to know their kind."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from octant.adapters.plaintext import text_from_file
from octant.errors import MediaError
from octant.item import Item, Skipped
from octant.media import DEFAULT_LIMITS, Audio, Image, Limits, Media, Modality
from octant.media.signature import HEAD, MISTAKEN, UNDECODABLE, mime_of
from octant.media.source import open_regular, require_size, why

__all__ = ["SUFFIXES", "file_id", "items_from_paths"]

_TEXT = ".adoc .asciidoc .markdown .md .org .rst .tex .text .txt"
_IMAGE = ".avif .bmp .dib .gif .heic .heif .j2k .jfif .jp2 .jpe .jpeg .jpg .pbm .pgm .png .pnm .ppm .tif .tiff .webp"
_AUDIO = ".aac .aif .aifc .aiff .amr .au .caf .flac .m4a .m4b .mp3 .oga .ogg .opus .snd .wav .wave .wma"

SUFFIXES = {
    suffix: modality
    for modality, suffixes in ((Modality.TEXT, _TEXT), (Modality.IMAGE, _IMAGE), (Modality.AUDIO, _AUDIO))
    for suffix in suffixes.split()
}
"""What a file's name promises. A file that keeps no promise is reported; one that makes none may be skipped."""


def items_from_paths(
    paths: Iterable[Path], *, limits: Limits = DEFAULT_LIMITS
) -> Iterator[Item | Skipped | MediaError]:
    """Turn files, and the files of folders, into items of one medium each, named for its modality.

    Folders are read recursively in sorted order, links last, and names that begin with a dot left out. A file that
    cannot be read is yielded as a MediaError about its path, and what is no medium as Skipped: neither ends the
    walk. Bytes tell images and sound from one another, whatever the suffix; of those no more than the first few
    are read here.
    """
    entered: set[tuple[int, int]] = set()
    read: set[str] = set()
    for root in paths:
        for found in _walk(root, entered):
            yield _item(found, root, limits, read) if isinstance(found, Path) else found


def file_id(path: Path) -> str:
    """Name a file: the URI of its resolved path, so that it is one item by whatever link it is reached.

    MediaError when there is no such file.
    """
    try:
        return Path(os.path.realpath(path, strict=True)).as_uri()
    except (OSError, ValueError) as error:
        raise MediaError(path, _why(path, error)) from error


def _walk(root: Path, entered: set[tuple[int, int]]) -> Iterator[Path | Skipped | MediaError]:
    """Find the files at or below a root. Links come last, so that a file is known by its own name if it has one.

    `entered` holds device and inode of the folders that were read: a link back to one ends there.
    """
    waiting, links = [root], deque[Path]()
    while waiting or links:
        path = waiting.pop() if waiting else links.popleft()
        if not _is_unicode(path):
            yield MediaError(os.fsencode(path), "has a name that is not UTF-8, which no payload can hold; rename it")
            continue
        try:
            status = path.stat()
            if not stat.S_ISDIR(status.st_mode):
                yield path
                continue
            if (status.st_dev, status.st_ino) in entered:
                yield Skipped(str(path), "is a folder that was already read")
                continue
            entered.add((status.st_dev, status.st_ino))
            with os.scandir(path) as entries:
                shown = sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)
                linked = {entry.name for entry in shown if entry.is_symlink()}
        except (OSError, ValueError) as error:
            yield MediaError(path, _why(path, error))
            continue
        links.extend(path / entry.name for entry in shown if entry.name in linked)
        waiting.extend(path / entry.name for entry in reversed(shown) if entry.name not in linked)


def _item(path: Path, root: Path, limits: Limits, read: set[str]) -> Item | Skipped | MediaError:
    try:
        name = file_id(path)
        if name in read:
            return Skipped(str(path), "is a file that was already read")
        read.add(name)
        with open_regular(path, path) as (file, status):
            head = file.read(HEAD)
        medium = _medium(path, head, status.st_size, limits)
    except MediaError as error:
        return error
    if isinstance(medium, Skipped):
        return medium
    return Item(name, {medium.modality.value: medium}, _metadata(path, root, status))


def _medium(path: Path, head: bytes, size: int, limits: Limits) -> Media | Skipped:
    path = path.absolute()
    suffix = path.suffix.lower()
    promised, mime = SUFFIXES.get(suffix), mime_of(head)
    if promised is not None:
        require_size(size, path, limits.bytes)
    if promised is Modality.TEXT:
        try:
            return text_from_file(path, limits)
        except MediaError as error:
            # a picture or a sound named .txt is what it is; text that merely begins like one has been read
            if mime is None or not mime.startswith(("image/", "audio/")):
                raise MediaError(path, MISTAKEN.get(mime or "", error.reason)) from error
    if mime is not None and mime.startswith("image/"):
        return Image(path, limits)
    if mime is not None and mime.startswith("audio/") and mime not in UNDECODABLE:
        return Audio(path, limits=limits)
    if promised is None and not (mime or "").startswith("audio/"):
        other = f"is no text, image or sound that octant reads ({mime or suffix or 'no suffix'})"
        return Skipped(str(path), UNDECODABLE.get(mime or "", other))
    known = UNDECODABLE.get(mime or "") or MISTAKEN.get(mime or "")
    unknown = f"begins like no {promised} that octant knows: it is damaged, or not what its name says; export it again"
    raise MediaError(path, known or unknown)


def _why(path: Path, error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError) and os.path.islink(path):
        return "is a link to nothing; restore what it leads to, or remove it"
    if isinstance(error, FileNotFoundError) and path.parts[:1] == ("~",):
        return "does not exist; write Path(...).expanduser() for your home folder"
    return why(error)


def _is_unicode(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _metadata(path: Path, root: Path, status: os.stat_result) -> dict[str, Any]:
    path = path.absolute()
    metadata = {"path": str(path), "name": path.name, "folder": path.parent.name, "root": str(root)}
    with suppress(OverflowError, ValueError, OSError):  # some file systems hold times that no calendar has
        metadata["modified"] = datetime.fromtimestamp(status.st_mtime, UTC).isoformat(timespec="seconds")
    return metadata
