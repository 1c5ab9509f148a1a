"""Texts as pieces: plain text, Markdown and HTML, cut where an encoder could not read all of one at once.

Payload keys: `start_character` and `end_character` where a text was cut (of the file's characters; of HTML, of the text
that it shows), `headings`, `language`, `title`.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from octant.adapters.adapter import File, Piece
from octant.adapters.chunks import Document, cut
from octant.adapters.html import html_from_file
from octant.adapters.language import language_of
from octant.adapters.markdown import read_markdown
from octant.adapters.plaintext import paragraphs, text_from_file
from octant.encoding import Budget
from octant.errors import MediaError
from octant.item import Metadata
from octant.media import Limits, Text
from octant.media.signature import MISTAKEN

__all__ = ["SUFFIXES", "HtmlAdapter", "MarkdownAdapter", "TextAdapter", "check_cutting", "text_pieces"]

_PLAIN = frozenset({".adoc", ".asciidoc", ".org", ".rst", ".tex", ".text", ".txt"})
_MARKDOWN = frozenset({".markdown", ".md"})
_HTML = frozenset({".htm", ".html", ".xhtml"})
SUFFIXES = _PLAIN | _MARKDOWN | _HTML
"""Names that promise a text: a file that does not keep the promise is reported, not left out."""


@dataclass(frozen=True, slots=True)
class TextAdapter:
    """Plain texts, and markup that reads well as it is: UTF-8, or UTF-16 with a byte order mark."""

    tokens: int | None = None
    """The longest chunk, where it shall be shorter than what the encoder reads well."""
    overlap: float = 0.125
    """How much of a chunk, from 0 to 0.5, may repeat the end of the one before it."""
    language: bool = True
    """Whether to note the language."""

    def __post_init__(self) -> None:
        check_cutting(self.tokens, self.overlap)

    @property
    def identity(self) -> str:
        """Name, version and every option."""
        return f"text@1 {_options(self)}"

    def takes(self, file: File) -> bool:
        """Take what is named as one, unless its bytes are a picture, a sound, a film or a document."""
        return _is_text(file, _PLAIN)

    def pieces(self, file: File, budget: Budget) -> Iterator[Piece | MediaError]:
        """Give the text, whole or in chunks."""
        text = _read(file)
        yield from _pieces(self, Document(text, paragraphs(text)), file.limits, budget)


@dataclass(frozen=True, slots=True)
class MarkdownAdapter:
    """Markdown: cut at its headings, with code and tables in one piece where they fit."""

    tokens: int | None = None
    """The longest chunk, where it shall be shorter than what the encoder reads well."""
    overlap: float = 0.125
    """How much of a chunk, from 0 to 0.5, may repeat the end of the one before it."""
    language: bool = True
    """Whether to note the language."""

    def __post_init__(self) -> None:
        check_cutting(self.tokens, self.overlap)

    @property
    def identity(self) -> str:
        """Name, version and every option."""
        return f"markdown@1 {_options(self)}"

    def takes(self, file: File) -> bool:
        """Take what is named as one, unless its bytes are a picture, a sound, a film or a document."""
        return _is_text(file, _MARKDOWN)

    def pieces(self, file: File, budget: Budget) -> Iterator[Piece | MediaError]:
        """Give the text, whole or in chunks."""
        yield from _pieces(self, read_markdown(_read(file)), file.limits, budget)


@dataclass(frozen=True, slots=True)
class HtmlAdapter:
    """Web pages: what they show, cut at their headings."""

    tokens: int | None = None
    """The longest chunk, where it shall be shorter than what the encoder reads well."""
    overlap: float = 0.125
    """How much of a chunk, from 0 to 0.5, may repeat the end of the one before it."""
    language: bool = True
    """Whether to note the language: the one the page declares, or else the one it seems to be in."""

    def __post_init__(self) -> None:
        check_cutting(self.tokens, self.overlap)

    @property
    def identity(self) -> str:
        """Name, version and every option."""
        return f"html@1 {_options(self)}"

    def takes(self, file: File) -> bool:
        """Take what is named as one, unless its bytes are a picture, a sound, a film or a document."""
        return (file.mime == "text/html" and not file.suffix) or _is_text(file, _HTML)

    def pieces(self, file: File, budget: Budget) -> Iterator[Piece | MediaError]:
        """Give the text, whole or in chunks."""
        if file.mime in MISTAKEN and file.mime != "text/html":
            raise MediaError(file.path, MISTAKEN[file.mime])
        yield from _pieces(self, html_from_file(file.path, file.limits), file.limits, budget)


def check_cutting(tokens: int | None, overlap: float) -> None:
    """Refuse options that no text can be cut by."""
    if tokens is not None and tokens < 8:
        raise ValueError(f"tokens is {tokens}; chunks of fewer than 8 tokens mean nothing, give 8 or more, or None")
    if not 0 <= overlap <= 0.5:
        raise ValueError(f"overlap is a part of a chunk from 0 to 0.5, not {overlap}")


def text_pieces(
    document: Document, limits: Limits, budget: Budget, tokens: int | None, overlap: float, known: Metadata
) -> Iterator[Piece]:
    """Cut a document into pieces with a `text` each; `known` is what holds for all of them."""
    most = min((given for given in (tokens, budget.tokens) if given is not None), default=None)
    chunks = cut(document, replace(budget, tokens=most), overlap)
    for chunk in chunks:
        metadata: dict[str, Any] = dict(known)
        if len(chunks) > 1:
            metadata |= {"start_character": chunk.start, "end_character": chunk.end}
        if chunk.headings:
            metadata["headings"] = list(chunk.headings)
        yield Piece({"text": Text(document.text[chunk.start : chunk.end], limits)}, metadata)


def _pieces(
    adapter: TextAdapter | MarkdownAdapter | HtmlAdapter, document: Document, limits: Limits, budget: Budget
) -> Iterator[Piece]:
    language = (document.language or language_of(document.text)) if adapter.language else None
    known = {"title": document.title, "language": language}
    known = {key: value for key, value in known.items() if value is not None}
    return text_pieces(document, limits, budget, adapter.tokens, adapter.overlap, known)


def _options(adapter: TextAdapter | MarkdownAdapter | HtmlAdapter) -> str:
    return f"tokens={adapter.tokens} overlap={adapter.overlap} language={adapter.language}"


def _read(file: File) -> str:
    try:
        return text_from_file(file.path, file.limits).content
    except MediaError as error:
        raise MediaError(file.path, MISTAKEN.get(file.mime or "", error.reason)) from error


def _is_text(file: File, suffixes: frozenset[str]) -> bool:
    """Go by the name, unless the bytes are a picture, a sound, a film or a document, and cannot be read as text."""
    if file.suffix not in suffixes:
        return False
    kind = (file.mime or "").partition("/")[0]
    return (kind not in ("image", "audio", "video") and file.mime != "application/pdf") or _begins_as_text(file.head)


def _begins_as_text(head: bytes) -> bool:
    wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    decoder = codecs.getincrementaldecoder("utf-16" if wide else "utf-8")()
    try:
        return "\0" not in decoder.decode(head)  # the last character may be cut in two
    except UnicodeDecodeError:
        return False
