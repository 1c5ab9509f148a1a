"""PDF documents: their pages as pictures, by PDFium."""

from __future__ import annotations

import importlib
import math
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octant.errors import MediaError, MissingExtra
from octant.media.kinds import Limits
from octant.media.signature import MISTAKEN, mime_of
from octant.media.source import open_source

if TYPE_CHECKING:
    import PIL.Image

__all__ = ["open_document", "page_size", "render_page"]

_RESOLUTION = 150 / 72
"""Pixels per point at 150 dpi, where nobody asks for another."""

_PASSWORD, _SECURITY = 4, 5
"""FPDF_ERR_PASSWORD and FPDF_ERR_SECURITY of fpdfview.h."""

_PDFIUM = threading.RLock()
"""PDFium is not thread-safe, not even for different documents."""


@contextmanager
def open_document(source: Path | bytes, about: object, limits: Limits) -> Generator[Any]:
    """Open a `pypdfium2.PdfDocument`, alone: while one thread has a document, others that ask for one wait.

    Close its pages within. MissingExtra without pypdfium2; MediaError about `about` for what is no PDF document, is
    damaged or locked, and for any failure of PDFium inside.
    """
    try:
        pypdfium2: Any = importlib.import_module("pypdfium2")  # it has no types
    except ModuleNotFoundError as error:
        raise MissingExtra("pypdfium2", "pdf") from error

    with open_source(source, about, limits.bytes) as (file, head, _), _PDFIUM:
        mime = mime_of(head)
        # PDFium looks for the mark of a PDF further on than the first bytes, so an unknown beginning is its to judge
        if mime not in (None, "application/pdf"):
            raise MediaError(about, MISTAKEN.get(mime, f"holds {mime}, not a PDF document; leave its part out"))
        try:
            document = pypdfium2.PdfDocument(source if isinstance(source, bytes) else file)  # reads what it needs
            try:
                document.init_forms()  # else what was filled into a form would not be drawn
                yield document
            finally:
                document.close()
        except pypdfium2.PdfiumError as error:
            raise MediaError(about, _why(error)) from error


def page_size(source: Path | bytes, about: object, page: int, limits: Limits) -> tuple[int, int]:
    """Width and height in pixels of a page (the first is 1) as `render_page` gives it at 150 dpi."""
    with open_document(source, about, limits) as document, _page(document, about, page) as opened:
        return _size(opened, _scale(about, opened, None, limits))


def render_page(
    source: Path | bytes, about: object, page: int, shortest: int | None, limits: Limits
) -> PIL.Image.Image:
    """Render a page (the first is 1) on white, with its forms and annotations: RGB.

    Its shorter side has `shortest` pixels, or as many as at 150 dpi; fewer where the limit of pixels demands it.
    MediaError about `about` when the document cannot be read or has no such page.
    """
    with open_document(source, about, limits) as document, _page(document, about, page) as opened:
        bitmap = opened.render(scale=_scale(about, opened, shortest, limits))
        try:
            picture: PIL.Image.Image = bitmap.to_pil()
            # Pillow copies what is RGB, and looks into foreign memory, which is freed below, for other modes
            return picture if picture.mode == "RGB" else picture.convert("RGB").copy()
        finally:
            bitmap.close()


@contextmanager
def _page(document: Any, about: object, page: int) -> Generator[Any]:
    pages = len(document)
    if page > pages:
        remedy = "give a page that it has, or index it again if it was exchanged"
        raise MediaError(about, f"has {pages:,} page{'s' * (pages != 1)}, no page {page:,}; {remedy}")
    opened = document[page - 1]
    try:
        yield opened
    finally:
        opened.close()


def _scale(about: object, page: Any, shortest: int | None, limits: Limits) -> float:
    """Pixels per point: what is asked for, or what the limit of pixels allows."""
    width, height = float(page.get_width()), float(page.get_height())
    if not (0 < width < math.inf and 0 < height < math.inf):
        raise MediaError(about, f"has a page of {width} x {height} points; export it again")
    wanted = _RESOLUTION if shortest is None else shortest / min(width, height)
    # sides are rounded up, so the most is where (width * s + 1) * (height * s + 1) = limit
    around, area, pixels = width + height, width * height, limits.pixels
    most = (math.sqrt(around * around + 4 * area * max(0, pixels - 1)) - around) / (2 * area)
    across, down = _size(page, min(wanted, most))
    if not 0 < across * down <= pixels:
        raise MediaError(about, f"has a page too long for {pixels:,} pixels; pass limits=Limits(pixels=...)")
    return min(wanted, most)


def _size(page: Any, scale: float) -> tuple[int, int]:
    width, height = page.get_size()
    return math.ceil(width * scale), math.ceil(height * scale)


def _why(error: Any) -> str:
    if error.err_code in (_PASSWORD, _SECURITY):
        return "is a PDF document that is locked with a password; save a copy without it"
    return f"is a damaged PDF document, or none ({str(error).rstrip('.')}); export or download it again"
