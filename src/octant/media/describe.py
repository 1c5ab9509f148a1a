"""What a medium is, without decoding it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octant.errors import MediaError
from octant.media.kinds import Audio, Image, Media, Text
from octant.media.parts import Frame, ImagePart, Page, Region, Span, fields_of
from octant.media.picture import (
    check_array,
    orientation,
    pillow_errors,
    read_header,
    require_pixels,
    require_within,
    upright_size,
)
from octant.media.signature import mime_of
from octant.media.sound import check_samples, sound_facts
from octant.media.source import content_hash, open_source

if TYPE_CHECKING:
    import PIL.Image
    from numpy.typing import NDArray

__all__ = ["Description", "describe", "fingerprint"]


@dataclass(frozen=True, slots=True)
class Description:
    """The facts of a medium. What does not apply to its kind, or cannot be known, is None.

    Of a part, its own size, seconds and fingerprint, and the type and the bytes of the whole that it lies in.
    """

    mime: str | None
    """None for pixels and samples in memory, which have no encoding."""
    bytes: int
    """Size of the file or blob, of the text in UTF-8, or of the pixels or samples in memory."""
    fingerprint: str
    """SHA-256 in hex of those bytes; for pixels and samples of their shape, type and rate as well; and of the part."""
    width: int | None = None
    """Pixels, of the upright image; of a page at 150 dpi."""
    height: int | None = None
    """Pixels, of the upright image; of a page at 150 dpi."""
    seconds: float | None = None
    """How long it lasts; a span ends where the sound does."""
    rate: int | None = None
    """Samples per second."""
    channels: int | None = None
    characters: int | None = None


def describe(media: Media) -> Description:
    """Read a medium once, and decode no more than its header. MediaError when it cannot be, or exceeds its limits."""
    match media:
        case Text():
            return _describe_text(media)
        case Image():
            return _describe_image(media)
        case Audio():
            return _describe_audio(media)


def fingerprint(media: Media) -> str:
    """Hash the content of a medium: equal content gives equal SHA-256 (hex), wherever it lies.

    Different parts of one file are different content, and so are an encoded file and its decoded pixels or samples.
    MediaError when it cannot be read.
    """
    if isinstance(media, Text):
        return hashlib.sha256(_utf8(media)).hexdigest()
    source = media.source
    if isinstance(source, (bytes, Path)):
        return _of_part(content_hash(source, media, media.limits.bytes), _part_of(media))
    return _describe_image(media).fingerprint if isinstance(media, Image) else _describe_audio(media).fingerprint


def _describe_text(text: Text) -> Description:
    encoded = _utf8(text)
    return Description("text/plain", len(encoded), hashlib.sha256(encoded).hexdigest(), characters=len(text.content))


def _describe_image(image: Image) -> Description:
    source, limit = image.source, image.limits.bytes
    if not isinstance(source, (bytes, Path)):
        return _describe_pixels(image, source)
    # the size first: a file that is no image is refused before all of it is read
    mime, size = _head(source, image, limit)
    width, height = _picture_size(image, source)
    digest = _of_part(content_hash(source, image, limit), image.part)
    return Description(mime, size, digest, width=width, height=height)


def _picture_size(image: Image, source: Path | bytes) -> tuple[int, int]:
    """Width and height of an encoded image or of its part, decoding nothing."""
    match image.part:
        case Page(page):
            from octant.media.document import page_size

            return page_size(source, image, page, image.limits)
        case Frame(second):
            from octant.media.movie import film_of

            film = film_of(source, image, image.limits)
            if not film.has_picture:
                raise MediaError(image, "has no pictures, only sound; use Audio(...)")
            # what a header says is not exact; decode_frame is as generous
            if second > film.seconds + 1:
                reason = f"ends after {film.seconds:.1f} s and has no picture at {second:.1f} s"
                raise MediaError(image, f"{reason}; it is cut off or was exchanged")
            return film.width, film.height
        case _:
            with (
                open_source(source, image, image.limits.bytes) as (file, _, _),
                pillow_errors(image),
                read_header(image, file) as opened,
            ):
                region = require_within(image, upright_size(opened))
            return region.width, region.height


def _describe_pixels(image: Image, source: PIL.Image.Image | NDArray[Any]) -> Description:
    import PIL.Image

    part = image.part
    if part is not None and not isinstance(part, Region):
        raise MediaError(image, f"is pixels in memory, which have no {part}; leave the part out, or give a Region")
    if not isinstance(source, PIL.Image.Image):
        checked = check_array(image, source)
        digest = _of_part(_hash_of_array("image", checked), part)
        region = require_within(image, (checked.shape[1], checked.shape[0]))
        return Description(None, checked.nbytes, digest, width=region.width, height=region.height)
    with pillow_errors(image):
        require_pixels(image, source.width, source.height)
        pixels = source.tobytes()
        palette = source.getpalette("RGBA") if source.mode in ("P", "PA") else None
        region = require_within(image, upright_size(source))
    seen_as = (source.mode, source.size, palette, source.info.get("transparency"), orientation(source))
    digest = _of_part(hashlib.sha256(f"image {seen_as}".encode() + pixels).hexdigest(), part)
    return Description(None, len(pixels), digest, width=region.width, height=region.height)


def _describe_audio(audio: Audio) -> Description:
    source, limit = audio.source, audio.limits.bytes
    if isinstance(source, (bytes, Path)):
        mime, size = _head(source, audio, limit)
        seconds, rate, channels = sound_facts(audio)
        digest = content_hash(source, audio, limit)
    else:
        rate = audio.rate or 1
        samples = check_samples(audio, source, rate)
        mime, size, channels = None, samples.nbytes, samples.shape[1]
        seconds = len(samples) / rate
        digest = _hash_of_array(f"audio {rate}", samples)
    if audio.span is not None:  # it begins before the sound ends: that was checked with its length
        seconds = min(audio.span.end, seconds) - audio.span.start
    return Description(mime, size, _of_part(digest, audio.span), seconds=seconds, rate=rate, channels=channels)


def _head(source: Path | bytes, about: object, limit: int) -> tuple[str | None, int]:
    """MIME type and size of a file or blob."""
    with open_source(source, about, limit) as (_, head, size):
        return mime_of(head), size


def _part_of(media: Image | Audio) -> ImagePart | Span | None:
    return media.part if isinstance(media, Image) else media.span


def _of_part(digest: str, part: ImagePart | Span | None) -> str:
    """The fingerprint of a part of what has this fingerprint."""
    if part is None:
        return digest
    # as floats: Span(1, 2) is Span(1.0, 2.0)
    numbers = " ".join(repr(float(value)) for value in fields_of(part).values())
    return hashlib.sha256(f"{digest} {type(part).__name__} {numbers}".encode()).hexdigest()


def _hash_of_array(kind: str, array: NDArray[Any]) -> str:
    import numpy as np

    little = array.dtype.newbyteorder("<")  # so that every machine gets the same
    digest = hashlib.sha256(f"{kind} {array.dtype.name} {array.shape}".encode())
    digest.update(np.ascontiguousarray(array, dtype=little).data)
    return digest.hexdigest()


def _utf8(text: Text) -> bytes:
    limit = text.limits.characters
    if len(text.content) > limit:
        remedy = "split it or pass limits=Limits(characters=...)"
        raise MediaError(text, f"has {len(text.content):,} characters, more than the limit of {limit:,}; {remedy}")
    try:
        return text.content.encode()
    except UnicodeEncodeError as error:
        reason = f"has half a surrogate pair at character {error.start:,}, which is not Unicode; remove it"
        raise MediaError(text, reason) from error
