"""The contract of sources that are no files: the rows of a table, the samples of a shard, the objects of a bucket."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Protocol

from octant.ingest import Arrival
from octant.media import Limits, Text

__all__ = ["Stream", "check_text", "text_from_bytes"]


class Stream(Protocol):
    """A source that yields items one at a time, and what it cannot read. Implement it; do not inherit it."""

    @property
    def scope(self) -> str | None:
        """What every `Origin.source` of it begins with, and that of nothing else; None where there is no such text."""
        ...

    def items(self) -> Iterator[Arrival]:
        """Read it from its beginning. A MediaError says that (the rest of) the source cannot be read."""
        ...


def text_from_bytes(data: bytes, limits: Limits) -> Text:
    """Decode UTF-8, or UTF-16 with a byte order mark. ValueError says what is wrong with it and what to do."""
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        content = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        name = "UTF-16" if wide else "UTF-8"
        raise ValueError(f"is not {name} ({error.reason} at byte {error.start:,}); convert it to UTF-8") from error
    if not content.strip():
        raise ValueError("holds nothing but white space; write something in it or leave it out")
    return check_text(content, limits)


def check_text(content: str, limits: Limits) -> Text:
    """Make a text of characters that every store can hold. ValueError says why it is none and what to do."""
    if len(content) > limits.characters:
        remedy = "split it or pass limits=Limits(characters=...)"
        raise ValueError(f"has {len(content):,} characters, more than the limit of {limits.characters:,}; {remedy}")
    if "\0" in content:
        raise ValueError(f"has a NUL at character {content.index(chr(0)):,}: it is not text; leave it out")
    try:
        content.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"has half a character (a lone surrogate) at {error.start:,}; write it again") from error
    return Text(content, limits)
