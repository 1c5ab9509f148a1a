"""Text files: bytes to characters, without guessing an encoding, and characters to paragraphs."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from octant.adapters.chunks import Block
from octant.errors import MediaError
from octant.media import Limits, Text
from octant.media.source import read_bytes

__all__ = ["paragraphs", "require_text", "text_from_file"]

_BLANK = re.compile(r"(?:\r\n?|\n)[^\S\r\n]*(?:\r\n?|\n)\s*")


def text_from_file(path: Path, limits: Limits) -> Text:
    """Read a text file: UTF-8, or UTF-16 with a byte order mark. MediaError about `path` for anything else."""
    content = _decoded(path, read_bytes(path, path, limits.bytes))
    require_text(content, path, limits)
    return Text(content, limits)


def require_text(content: str, path: Path, limits: Limits) -> None:
    """Refuse what is no text, is empty, or is longer than the limit of characters. MediaError about `path`."""
    if "\0" in content:
        raise MediaError(path, f"has a NUL at character {content.index(chr(0)):,}: it is not text; leave it out")
    if not content.strip():
        raise MediaError(path, "holds nothing but white space; write something in it or leave it out")
    if len(content) > limits.characters:
        remedy = "split it or pass limits=Limits(characters=...)"
        raise MediaError(
            path, f"has {len(content):,} characters, more than the limit of {limits.characters:,}; {remedy}"
        )


def paragraphs(text: str) -> list[Block]:
    """The paragraphs of a plain text: what blank lines part."""
    return [Block(0), *(Block(match.end()) for match in _BLANK.finditer(text) if match.end() < len(text))]


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
