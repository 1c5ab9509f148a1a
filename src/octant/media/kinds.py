"""The media as values: where their content is, and how much of it may be decoded."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from octant.media.dataurl import parse_data_url
from octant.media.parts import ImagePart, Span

if TYPE_CHECKING:
    import PIL.Image
    from numpy.typing import NDArray

__all__ = ["DEFAULT_LIMITS", "Audio", "Image", "Limits", "Media", "Modality", "Text"]


class Modality(StrEnum):
    """What a medium is perceived as."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a medium may be. What is larger is refused before it is decoded."""

    bytes: int = 256 * 1024 * 1024
    """Size of a file or blob, as it lies on disk."""
    pixels: int = 100_000_000
    """Width times height of an image."""
    seconds: float = 900.0
    """Length of a sound."""
    characters: int = 1_000_000
    """Length of a text."""


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Text:
    """A text, given itself and not by reference."""

    content: str
    limits: Limits = DEFAULT_LIMITS
    modality: ClassVar[Modality] = Modality.TEXT

    def __post_init__(self) -> None:
        if not _is_a(self.content, str):
            raise _mistaken(self.content, "Text takes a str", 'Text(path.read_text("utf-8"))')

    def __repr__(self) -> str:
        return f"Text({_shortened(self.content)!r})"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Image:
    """An image by reference: a file, the bytes of one, a Pillow image, or an array of height x width (x 1, 3 or 4).

    Arrays are uint8, uint16, or floats within [0, 1]. Two images are equal when they have the same path, the same
    bytes, or are the same object in memory; pixels are never compared.
    """

    source: Path | bytes | PIL.Image.Image | NDArray[Any]
    limits: Limits = DEFAULT_LIMITS
    part: ImagePart | None = None
    """A region of it; or, where the file or the bytes are a PDF document or a film, a page or a frame."""
    modality: ClassVar[Modality] = Modality.IMAGE

    def __post_init__(self) -> None:
        if not (_is_a(self.source, Path, bytes) or is_pillow(self.source) or is_array(self.source)):
            raise _mistaken(self.source, "Image takes a Path, bytes, a Pillow image or an array", "Image(Path(...))")

    @classmethod
    def from_data_url(cls, url: str, *, limits: Limits = DEFAULT_LIMITS) -> Image:
        """Take the bytes out of a data URL (base64 or percent-encoded). MediaError when it is not a well-formed one."""
        return cls(parse_data_url(url, kind="image", limit=limits.bytes), limits)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Image)
            and _key(self.source) == _key(other.source)
            and (self.limits, self.part) == (other.limits, other.part)
        )

    def __hash__(self) -> int:
        return hash((Image, _key(self.source), self.part))

    def __repr__(self) -> str:
        part = "" if self.part is None else f", part={self.part}"
        return f"Image({_named(self.source)}{part})"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Audio:
    """A sound by reference: a file, the bytes of one, or an array of samples with its rate in Hz.

    Arrays are samples, or samples x channels, of float, int8, int16, int32 or uint8. Files know their own rate.
    Two sounds are equal when they have the same path, the same bytes, or are the same array in memory.
    """

    source: Path | bytes | NDArray[Any]
    rate: int | None = None
    limits: Limits = DEFAULT_LIMITS
    span: Span | None = None
    """Seconds of it; None is all of it."""
    modality: ClassVar[Modality] = Modality.AUDIO

    def __post_init__(self) -> None:
        samples = is_array(self.source)
        if not (_is_a(self.source, Path, bytes) or samples):
            raise _mistaken(self.source, "Audio takes a Path, bytes or an array", "Audio(Path(...))")
        if samples and self.rate is None:
            raise TypeError("an array of samples does not know its rate; write Audio(samples, rate=...) in Hz")
        if not samples and self.rate is not None:
            raise TypeError("an audio file knows its own rate; write Audio(...) without rate")
        if self.rate is not None and (not _is_a(self.rate, int) or _is_a(self.rate, bool)):
            raise TypeError(f"rate is a whole number of Hz, not {self.rate!r}; write rate=int(...)")
        if self.rate is not None and self.rate <= 0:
            raise ValueError(f"rate is {self.rate} Hz; it must be positive")

    @classmethod
    def from_data_url(cls, url: str, *, limits: Limits = DEFAULT_LIMITS) -> Audio:
        """Take the bytes out of a data URL (base64 or percent-encoded). MediaError when it is not a well-formed one."""
        return cls(parse_data_url(url, kind="audio", limit=limits.bytes), limits=limits)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Audio)
            and _key(self.source) == _key(other.source)
            and (self.rate, self.limits, self.span) == (other.rate, other.limits, other.span)
        )

    def __hash__(self) -> int:
        return hash((Audio, _key(self.source), self.rate, self.span))

    def __repr__(self) -> str:
        rate = "" if self.rate is None else f", rate={self.rate}"
        span = "" if self.span is None else f", span={self.span}"
        return f"Audio({_named(self.source)}{rate}{span})"


Media = Text | Image | Audio


def is_pillow(source: object) -> bool:
    """Tell a Pillow image without loading Pillow: whoever made one has loaded it."""
    return _is_of(source, "PIL.Image", "Image")


def is_array(source: object) -> bool:
    """Tell a numpy array without loading numpy: whoever made one has loaded it."""
    return _is_of(source, "numpy", "ndarray")


def _is_of(source: object, module: str, name: str) -> bool:
    kind = getattr(sys.modules.get(module), name, None)  # another thread may be halfway through loading it
    return kind is not None and isinstance(source, kind)


def _is_a(source: object, *kinds: type) -> bool:
    """Judge a source by what it is and not by its annotation."""
    return isinstance(source, kinds)


def _mistaken(source: object, expected: str, example: str) -> TypeError:
    hint = ""
    if isinstance(source, str):
        hint = f"; for a file write {example}, for words write Text(...), for a data URL use from_data_url"
    elif isinstance(source, bytes | Path):
        hint = f"; write {example}"
    elif isinstance(source, bytearray):
        hint = "; write bytes(...)"
    return TypeError(f"{expected}, not {type(source).__name__}{hint}")


def _key(source: object) -> object:
    """What a source is compared by: value where that is cheap, identity where it holds pixels or samples."""
    return (type(source).__name__, source) if isinstance(source, (Path, bytes)) else id(source)


def _named(source: Any) -> str:
    if isinstance(source, Path):
        return repr(str(source))
    if isinstance(source, bytes):
        return f"<{len(source):,} bytes>"
    if is_array(source):
        return f"<{source.dtype} {' x '.join(str(n) for n in source.shape)}>"
    return f"<{source.mode} {source.width} x {source.height}>"


def _shortened(content: str, length: int = 60) -> str:
    return content if len(content) <= length else content[: length - 1] + "…"
