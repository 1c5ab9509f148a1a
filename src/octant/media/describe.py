"""What a medium is, without decoding it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octant.errors import MediaError
from octant.media.kinds import Audio, Image, Media, Text
from octant.media.picture import check_array, orientation, pillow_errors, read_header, require_pixels
from octant.media.signature import HEAD, mime_of
from octant.media.sound import check_samples, open_sound
from octant.media.source import open_regular, read_bytes, require_size

if TYPE_CHECKING:
    import PIL.Image
    from numpy.typing import NDArray

__all__ = ["Description", "describe", "fingerprint"]


@dataclass(frozen=True, slots=True)
class Description:
    """The facts of a medium. What does not apply to its kind, or cannot be known, is None."""

    mime: str | None
    """None for pixels and samples in memory, which have no encoding."""
    bytes: int
    """Size of the file or blob, of the text in UTF-8, or of the pixels or samples in memory."""
    fingerprint: str
    """SHA-256 in hex of those bytes; for pixels and samples of their shape, type and rate as well."""
    width: int | None = None
    """Pixels, of the upright image."""
    height: int | None = None
    """Pixels, of the upright image."""
    seconds: float | None = None
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

    An encoded file and its decoded pixels or samples are different content. MediaError when it cannot be read.
    """
    if isinstance(media, Text):
        return hashlib.sha256(_utf8(media)).hexdigest()
    source = media.source
    if isinstance(source, Path):
        with open_regular(source, media) as (file, status):
            require_size(status.st_size, media, media.limits.bytes)
            return hashlib.file_digest(file, "sha256").hexdigest()
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    return _describe_image(media).fingerprint if isinstance(media, Image) else _describe_audio(media).fingerprint


def _describe_text(text: Text) -> Description:
    encoded = _utf8(text)
    return Description("text/plain", len(encoded), hashlib.sha256(encoded).hexdigest(), characters=len(text.content))


def _describe_image(image: Image) -> Description:
    source = image.source
    if isinstance(source, (bytes, Path)):
        data = read_bytes(source, image, image.limits.bytes)
        with pillow_errors(image), read_header(image, data) as opened:
            width, height = _upright_size(opened)
        mime = mime_of(data[:HEAD])
        return Description(mime, len(data), hashlib.sha256(data).hexdigest(), width=width, height=height)

    import PIL.Image

    if not isinstance(source, PIL.Image.Image):
        checked = check_array(image, source)
        digest = _hash_of_array("image", checked)
        return Description(None, checked.nbytes, digest, width=checked.shape[1], height=checked.shape[0])
    with pillow_errors(image):
        require_pixels(image, source.width, source.height)
        pixels = source.tobytes()
        palette = source.getpalette("RGBA") if source.mode in ("P", "PA") else None
        width, height = _upright_size(source)
    seen_as = (source.mode, source.size, palette, source.info.get("transparency"), orientation(source))
    digest = hashlib.sha256(f"image {seen_as}".encode() + pixels).hexdigest()
    return Description(None, len(pixels), digest, width=width, height=height)


def _describe_audio(audio: Audio) -> Description:
    source = audio.source
    if isinstance(source, (bytes, Path)):
        data = read_bytes(source, audio, audio.limits.bytes)
        with open_sound(audio, data) as opened:
            length, rate, channels = opened.frames, opened.samplerate, opened.channels
        return Description(
            mime_of(data[:HEAD]),
            len(data),
            hashlib.sha256(data).hexdigest(),
            seconds=length / rate,
            rate=rate,
            channels=channels,
        )
    rate = audio.rate or 1
    samples = check_samples(audio, source, rate)
    return Description(
        None,
        samples.nbytes,
        _hash_of_array(f"audio {rate}", samples),
        seconds=len(samples) / rate,
        rate=rate,
        channels=samples.shape[1],
    )


def _upright_size(opened: PIL.Image.Image) -> tuple[int, int]:
    """Width and height as they will be once the EXIF orientation is applied; 5 to 8 lie on their side."""
    return opened.size if orientation(opened) < 5 else (opened.height, opened.width)


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
