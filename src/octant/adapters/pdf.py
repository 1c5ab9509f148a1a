"""PDF documents as pieces: the text of each page, and the pages as pictures where asked for.

Payload keys: `page` (from 1), `pages`, `title`, `author`, `language`; `start_character` and `end_character`, of the
text of its page, where that was cut.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from octant.adapters.adapter import File, Piece
from octant.adapters.chunks import Document
from octant.adapters.language import language_of
from octant.adapters.plaintext import paragraphs
from octant.adapters.text import check_cutting, text_pieces
from octant.encoding import Budget
from octant.errors import MediaError
from octant.media import Image, Limits, Page
from octant.media.document import open_document
from octant.media.signature import MISTAKEN

__all__ = ["SUFFIXES", "PdfAdapter"]

SUFFIXES = frozenset({".pdf"})

_HYPHEN = re.compile("[\x02\ufffe](?:\r\n)?")
"""What PDFium writes for a hyphen that breaks a word at the end of a line."""
_REMEDY = "index its pages as pictures, PdfAdapter(pages=True), or recognise its text first: ocrmypdf in.pdf out.pdf"


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A page as it was read."""

    number: int
    text: str = ""
    drawn: bool = False
    """Whether there is anything on it."""
    error: MediaError | None = None


@dataclass(frozen=True, slots=True)
class PdfAdapter:
    """PDF documents, page by page. Needs the extra `pdf`."""

    text: bool = True
    """Whether to read the text of the pages."""
    pages: bool = False
    """Whether every page is a picture too: for scans, and for what only the layout tells."""
    tokens: int | None = None
    """The longest chunk, where it shall be shorter than what the encoder reads well."""
    overlap: float = 0.125
    """How much of a chunk, from 0 to 0.5, may repeat the end of the one before it."""
    language: bool = True
    """Whether to note the language."""

    def __post_init__(self) -> None:
        if not (self.text or self.pages):
            raise ValueError("PdfAdapter(text=False, pages=False) would read nothing; ask for one of them")
        check_cutting(self.tokens, self.overlap)

    @property
    def identity(self) -> str:
        cutting = f"tokens={self.tokens} overlap={self.overlap} language={self.language}"
        return f"pdf@1 text={self.text} pages={self.pages} {cutting}"

    def takes(self, file: File) -> bool:
        """Take what is a PDF by its bytes, and what promises to be one and is nothing that another adapter reads."""
        return file.mime == "application/pdf" or (
            file.suffix in SUFFIXES and (file.mime is None or file.mime in MISTAKEN)
        )

    def pieces(self, file: File, budget: Budget) -> Iterator[Piece | MediaError]:
        """Give the pages in order, each as its text, in one chunk or several, and then as a picture."""
        sheets, known = _read(file.path, file.limits, self.text)
        if self.text and not self.pages and not any(sheet.text or sheet.error for sheet in sheets):
            raise MediaError(file.path, f"holds no text on any of its {len(sheets):,} pages, as scans do; {_REMEDY}")
        if self.text and self.language and (language := language_of("\n".join(sheet.text for sheet in sheets))):
            known["language"] = language
        for sheet in sheets:
            noted = {**known, "page": sheet.number}
            if sheet.error is not None:
                yield sheet.error
            if sheet.text:
                document = Document(sheet.text, paragraphs(sheet.text))
                yield from text_pieces(document, file.limits, budget, self.tokens, self.overlap, noted)
            if self.pages:
                yield Piece({"image": Image(file.path, file.limits, part=Page(sheet.number))}, noted)
        unread = [sheet.number for sheet in sheets if sheet.drawn and not sheet.text]
        if self.text and not self.pages and unread:
            yield MediaError(file.path, f"holds no text on {_listed(unread)}, as scans do; {_REMEDY}")


_GIVE_UP = 20
"""Pages in a row that cannot be read, before the rest is not tried."""


def _read(path: Path, limits: Limits, text: bool) -> tuple[list[_Sheet], dict[str, Any]]:
    """Read all pages at once: PDFium works for one thread at a time, and the next piece may be asked for late."""
    with open_document(path, path, limits) as document:
        pages = range(1, len(document) + 1)
        sheets: list[_Sheet] = []
        for number in pages:
            sheets.append(_sheet(document, number, path, limits) if text else _Sheet(number))
            if len(sheets) >= _GIVE_UP and all(sheet.error for sheet in sheets[-_GIVE_UP:]):
                # a few bytes may claim a million pages
                remedy = "repair the document (qpdf in.pdf out.pdf), or export it again"
                reason = f"cannot be read from page {number - _GIVE_UP + 1:,} on, of {len(document):,}; {remedy}"
                sheets[-_GIVE_UP:] = [_Sheet(number, error=MediaError(path, reason))]
                break
        told = {"title": document.get_metadata_value("Title"), "author": document.get_metadata_value("Author")}
    about = {key: " ".join(value.replace("\0", "").split()) for key, value in told.items()}
    return sheets, {"pages": len(sheets), **{key: value for key, value in about.items() if value}}


def _sheet(document: Any, number: int, path: Path, limits: Limits) -> _Sheet:
    pypdfium2: Any = importlib.import_module("pypdfium2")  # it has no types
    try:
        page = document[number - 1]
        try:
            letters = page.get_textpage()
            try:
                found = letters.get_text_bounded()
            finally:
                letters.close()
            drawn = pypdfium2.raw.FPDFPage_CountObjects(page) > 0
        finally:
            page.close()
    except pypdfium2.PdfiumError as error:
        remedy = "repair the document (qpdf in.pdf out.pdf), or export it again"
        reason = f"cannot be read on page {number:,} ({str(error).rstrip('.')}); {remedy}"
        return _Sheet(number, error=MediaError(path, reason))
    text = _HYPHEN.sub("", found).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").strip()
    if len(text) > limits.characters:
        remedy = "pass limits=Limits(characters=...)"
        reason = (
            f"has {len(text):,} characters on page {number:,}, more than the limit of {limits.characters:,}; {remedy}"
        )
        return _Sheet(number, error=MediaError(path, reason))
    return _Sheet(number, text, drawn)


def _listed(numbers: Sequence[int]) -> str:
    """Name pages for a reader: `page 2`, `pages 2, 5-7`; of very many, the first."""
    runs: list[list[int]] = []
    for _, members in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        run = [number for _, number in members]
        runs.append(run)
    names = [f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    shown = ", ".join(names[:10]) + (" and others" if len(names) > 10 else "")
    return f"page{'s' * (len(numbers) > 1)} {shown}"
