"""Text files: bytes to characters, without guessing an encoding."""

from __future__ import annotations

import codecs
from pathlib import Path

from octant.errors import MediaError
from octant.media import Limits, Text
from octant.media.source import read_bytes

__all__ = ["text_from_file"]


def text_from_file(path: Path, limits: Limits) -> Text:
    """Read a text file: UTF-8, or UTF-16 with a byte order mark. MediaError about `path` for anything else."""
    content = _decoded(path, read_bytes(path, path, limits.bytes))
    if "\0" in content:
        raise MediaError(path, f"has a NUL at character {content.index(chr(0)):,}: it is not text; leave it out")
    if not content.strip():
        raise MediaError(path, "holds nothing but white space; write something in it or leave it out")
    if len(content) > limits.characters:
        remedy = "split it or pass limits=Limits(characters=...)"
        raise MediaError(
            path, f"has {len(content):,} characters, more than the limit of {limits.characters:,}; {remedy}"
        )
    return Text(content, limits)


def _decoded(path: Path, data: bytes) -> str:
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = "utf-16" if wide else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        # the decoder counts from behind the mark
        offset = error.start + (len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0)
        name = "UTF-16" if wide else "UTF-8"
        remedy = "convert it: iconv -f <its encoding> -t UTF-8 in.txt > out.txt"
        raise MediaError(path, f"is not {name} (byte 0x{data[offset]:02X} at offset {offset:,}); {remedy}") from error
