"""WebDataset shards as items: tar archives in which the files of one sample follow one another and share a name."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Self, cast

from octant.adapters.files import uri_of
from octant.adapters.stream import text_from_bytes
from octant.errors import ItemError, MediaError
from octant.item import Item, Origin, Skipped
from octant.media import DEFAULT_LIMITS, Audio, Image, Limits, Media
from octant.media.source import open_regular, require_size

__all__ = ["Shards"]

_TEXT = {"txt", "text", "caption", "cls", "md"}
_IMAGE = {"avif", "bmp", "gif", "heic", "heif", "jp2", "jpe", "jpeg", "jpg", "pbm", "pgm", "png", "pnm", "ppm"}.union(
    {"tif", "tiff", "webp"}
)
_AUDIO = {"aac", "aif", "aiff", "au", "caf", "flac", "m4a", "mp3", "oga", "ogg", "opus", "wav"}
_NAME = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)", re.DOTALL)
"""The key of a sample, and what its member is, after the first dot of the last name."""

_HEADERS = 4 * 1024 * 1024
"""Bytes that the headers of a member may take; a sane one takes 512."""
_BLOCK = 512
_READ_AHEAD = 64 * 1024
_DAMAGE = (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, ValueError, ArithmeticError)


@dataclass(frozen=True, slots=True)
class Shards:
    """Samples of WebDataset shards (.tar, .tar.gz, .tar.bz2, .tar.xz; .tar.zst from Python 3.14), read in order.

    Members `a/b.jpg`, `a/b.txt` and `a/b.json` are one sample, `a/b`. Texts (txt, md, caption, cls), pictures and
    sounds are its media, named `text`, `image` and `audio`, or by what the name says: `caption`, `cls`, and `left` for
    `left.jpg`. JSON is its metadata. Nothing is unpacked to disk, and nothing unpickled. A sample that cannot be read
    becomes an ItemError, and the others go on.
    """

    paths: Path | Sequence[Path]
    limits: Limits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        given: object = self.paths
        if isinstance(given, Path):
            return
        if isinstance(given, str) or not isinstance(given, Sequence):
            raise TypeError(f"shards are a Path or a list of Paths, not {given!r}; write Shards(Path(...))")
        for path in cast("Sequence[object]", given):
            if not isinstance(path, Path):
                raise TypeError(f"shards are a Path or a list of Paths, not {path!r}; write Shards(Path(...))")

    @property
    def scope(self) -> str | None:
        """What the sources of its samples begin with: the URI of the shard and `#`; None where there are several."""
        listed = self._listed
        return f"{uri_of(listed[0])}#" if len(listed) == 1 else None

    @property
    def _listed(self) -> Sequence[Path]:
        return [self.paths] if isinstance(self.paths, Path) else self.paths

    def items(self) -> Iterator[Item | Skipped | MediaError | ItemError]:
        """Read the samples, one at a time. A MediaError about a shard says that the rest of it cannot be read."""
        for path in self._listed:
            try:
                yield from _samples(path, self.limits)
            except MediaError as error:
                yield error


@dataclass(slots=True)
class _Sample:
    key: str
    members: dict[str, bytes] = field(default_factory=dict[str, bytes])
    marks: list[str] = field(default_factory=list[str])
    """Size and time of each member; empty of what has no time."""
    bytes: int = 0
    wrong: str | None = None
    """Why the sample cannot become an item."""


class _Cut(Exception):
    """The archive is no archive from here on; says why."""


class _Header(tarfile.TarInfo):
    """A header that tells a damaged archive from an ended one: `tarfile` itself ends in silence at both."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        if len(buf) < _BLOCK:
            raise _Cut("it ends without its end mark")
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if any(buf):  # else it is the end mark
                raise _Cut(f"{error} in a header") from error
            raise


class _Metered:
    """The bytes of an archive, as many as are allowed: headers may claim, and compress to nothing, any size."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.allowed = 0

    def read(self, size: int) -> bytes:
        if self.allowed <= 0:
            raise _Cut(f"the headers of a member are larger than {_HEADERS:,} bytes")
        data = self._file.read(size)
        self.allowed -= len(data)
        return data


def _samples(path: Path, limits: Limits) -> Iterator[Item | Skipped | MediaError | ItemError]:
    with open_regular(path, path) as (raw, status):
        require_size(status.st_size, path, status.st_size)
        at: list[str] = []
        try:
            yield from _read(_Metered(_opened(raw, path)), uri_of(path), limits, at)
        except (_Cut, *_DAMAGE) as error:
            where = f", at sample {at[-1]!r}" if at else ""
            remedy = "the samples before are kept; download or write it again for the others"
            raise MediaError(path, f"is cut off or damaged{where} ({error}); {remedy}") from error


def _read(
    metered: _Metered, uri: str, limits: Limits, at: list[str]
) -> Iterator[Item | Skipped | MediaError | ItemError]:
    """Gather members to samples. `at` ends with the key of the one that is being read."""
    seen: set[str] = set()
    foreign: set[str] = set()
    sample: _Sample | None = None
    for member, content in _members(metered):
        name = f"{uri}#{member.name}"
        hostile = _hostile(member)
        if hostile is not None:
            yield MediaError(name, hostile)
            continue
        if member.isdir():
            continue
        named = _NAME.fullmatch(member.name.removeprefix("./"))
        if named is None:
            yield Skipped(name, "is called like no member of a sample: <key>.<kind>")
            continue
        key, kind = named.group(1), named.group(2).lower()
        if sample is None or sample.key != key:
            if sample is not None:
                yield _item(sample, uri, limits)
            sample = _Sample(key)
            at[:] = [key]
            if key in seen:
                sample.wrong = "has members in two places of the shard; sort them: tar --sort=name -cf ..."
            seen.add(key)
        if _family(kind) is not None:
            _take(sample, kind, member, content, limits)
        elif kind not in foreign:  # once for each kind: there may be one in every sample
            foreign.add(kind)
            yield Skipped(name, f"is of the kind .{kind}, which octant leaves out here")
    if sample is not None:
        yield _item(sample, uri, limits)


def _opened(raw: IO[bytes], path: Path) -> IO[bytes]:
    """Look through compression, told by the first bytes."""
    head = raw.read(6)
    raw.seek(0)
    if head.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
    if head.startswith(b"BZh"):
        return cast("IO[bytes]", bz2.BZ2File(raw))
    if head.startswith(b"\xfd7zXZ\0"):
        return cast("IO[bytes]", lzma.LZMAFile(raw))
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        try:
            zstd: Any = import_module("compression.zstd")
        except ModuleNotFoundError:
            name = path.name.removesuffix(".zst")
            remedy = f"use Python 3.14 or unpack it: zstd -d {path.name} -o {name}"
            raise MediaError(path, f"is compressed with Zstandard, which this Python cannot read; {remedy}") from None
        return cast("IO[bytes]", zstd.ZstdFile(raw))
    return raw


def _members(metered: _Metered) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """The members in order, with a reader for the content of files."""
    metered.allowed = _HEADERS
    with tarfile.open(fileobj=cast("Any", metered), mode="r|", tarinfo=_Header) as archive:
        while (member := archive.next()) is not None:
            # what is not read of it is passed over on the way to the next
            metered.allowed = member.size + _HEADERS + 2 * _READ_AHEAD
            yield member, archive.extractfile(member) if member.isfile() and not member.issparse() else None
            archive.members = []  # type: ignore[attr-defined]  # it would keep them all


def _hostile(member: tarfile.TarInfo) -> str | None:
    """Why a member is nothing that a shard should hold."""
    parts = member.name.replace("\\", "/").split("/")
    if member.name.startswith(("/", "\\")) or re.match("[A-Za-z]:", member.name):
        return "has an absolute name, which could be written anywhere; write the shard again without"
    if ".." in parts:
        return "has a name that leads out of its folder (..); write the shard again without"
    if any("\ud800" <= character <= "\udfff" for character in member.name) or "\0" in member.name:
        return "has a name that is not UTF-8; rename it and write the shard again"
    if member.issym() or member.islnk():
        return "is a link; write the shard again with the files that links lead to (tar -h)"
    if member.issparse():
        return "is a sparse file; write the shard again with plain ones"
    if not (member.isfile() or member.isdir()):
        return "is a device or a pipe; write the shard again without"
    return None


def _family(kind: str) -> str | None:
    """What a member is by the last part of its kind."""
    last = kind.rpartition(".")[2]
    if last == "json":
        return "metadata"
    return "text" if last in _TEXT else "image" if last in _IMAGE else "audio" if last in _AUDIO else None


def _take(sample: _Sample, kind: str, member: tarfile.TarInfo, content: IO[bytes] | None, limits: Limits) -> None:
    """Read a member into its sample, or note what is wrong with it."""
    if sample.wrong is not None:
        return
    try:
        require_size(member.size, member.name, limits.bytes)
    except MediaError as error:
        sample.wrong = f"{kind} {error.reason}"
        return
    sample.bytes += member.size
    if sample.bytes > limits.bytes:
        remedy = "shrink them or pass limits=Limits(bytes=...)"
        sample.wrong = f"its members have more than {limits.bytes:,} bytes together; {remedy}"
    elif kind in sample.members:
        sample.wrong = f"has two members .{kind}; write each once"
    else:
        data = content.read() if content is not None else b""
        if len(data) != member.size:
            raise _Cut("unexpected end of data")
        sample.members[kind] = data
        sample.marks.append(f"{kind} {member.size} {member.mtime}" if member.mtime > 0 else "")


def _item(sample: _Sample, uri: str, limits: Limits) -> Item | Skipped | ItemError:
    name = f"{uri}#{sample.key}"
    if sample.wrong is not None:
        return ItemError(name, sample.wrong)
    media: dict[str, Media] = {}
    metadata: dict[str, Any] = {}
    for kind, data in sample.members.items():
        family = _family(kind)
        front, _, last = kind.rpartition(".")
        try:
            if family == "metadata":
                metadata.update({front: _json(data)} if front else _mapping(data))
                continue
            called = front or (last if last in ("caption", "cls") else cast("str", family))
            if called in media:
                raise ValueError(f"is a second medium {called!r}; give it a name of its own, such as .second.{last}")
            media[called] = _medium(cast("str", family), data, limits)
        except (ValueError, RecursionError) as error:
            return ItemError(name, f".{kind} {error}")
    if not media:
        return Skipped(name, "has no text, image or sound")
    stamp = "; ".join(sample.marks) if all(sample.marks) else None
    return Item(name, media, metadata, Origin(name, stamp))


def _medium(family: str, data: bytes, limits: Limits) -> Media:
    if family == "text":
        return text_from_bytes(data, limits)
    return Image(data, limits) if family == "image" else Audio(data, limits=limits)


def _mapping(data: bytes) -> Mapping[str, Any]:
    value = _json(data)
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object; write {...}, or call it <key>.<name>.json")
    return cast("dict[str, Any]", value)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise ValueError(f"is not JSON ({error}); write it again") from error
    except RecursionError as error:
        raise ValueError("is JSON that nests too deeply; flatten it") from error
