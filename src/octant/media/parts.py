"""Parts of a medium: seconds of a sound, a region of a picture, a page of a document, a frame of a film."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Frame", "ImagePart", "Page", "Region", "Span", "fields_of", "image_part_from"]


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds of a sound, or of a film's sound track."""

    start: float
    end: float

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"a span begins at 0 s or later and ends after it begins, not {self.start} to {self.end}")


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of the upright image, in pixels from its left and top."""

    left: int
    top: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if min(self.left, self.top) < 0 or min(self.width, self.height) < 1:
            raise ValueError(f"a region lies within its image and has pixels, not {self}")


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a PDF document, rendered; the first is 1."""

    page: int

    def __post_init__(self) -> None:
        if self.page < 1:
            raise ValueError(f"the first page is 1, not {self.page}")


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame of a film that is shown at a second."""

    second: float

    def __post_init__(self) -> None:
        if self.second < 0:
            raise ValueError(f"a film begins at second 0, not {self.second}")


ImagePart = Region | Page | Frame


def image_part_from(noted: Mapping[str, Any]) -> ImagePart:
    """Read a part of an image back from its fields, as `dataclasses.asdict` wrote them."""
    if "page" in noted:
        return Page(noted["page"])
    return Frame(noted["second"]) if "second" in noted else Region(**noted)


def fields_of(part: Span | ImagePart) -> dict[str, Any]:
    """The fields of a part as plain data, for a payload."""
    return asdict(part)
