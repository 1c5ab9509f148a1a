"""Pictures and sounds as HTML that holds them."""

from __future__ import annotations

import html
import io
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octant.errors import MediaError, OctantError
from octant.media import Audio, Frame, Image, Limits, Page, Span, data_url, decode_audio, thumbnail
from octant.media.signature import mime_of
from octant.media.sound import sound_facts
from octant.media.source import open_source
from octant.show.face import clock, short

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["picture", "player"]

_THUMBNAIL = 320
"""Longest side, in pixels, of a thumbnail made for a page."""
_SECONDS = 15.0
"""How much of a sound goes onto a page."""
_BYTES = 1 << 20
"""A larger sound file is encoded anew for a page."""
_PLAYABLE = {"audio/wav", "audio/flac", "audio/ogg", "audio/mpeg"}
"""What every present browser plays."""
_RATES = (8_000, 48_000)
"""Samples per second that Vorbis encodes well."""


def picture(image: Image) -> str:
    """Show a small version of an image, or of its part; a note where it cannot be read."""
    # a page or a frame is read out of its file, however large that is; an image is read whole
    shown = replace(image, limits=_any_size(image)) if isinstance(image.part, Page | Frame) else image
    try:
        small = data_url("image/webp", thumbnail(shown, _THUMBNAIL))
    except (OctantError, OSError) as error:
        return _note("image", image.source, error)
    return f"<img alt='' src='{small}'>"


def player(audio: Audio) -> str:
    """Show a waveform and a player with the sound inside, or its span; what was left out of a long one is said."""
    import soundfile

    try:
        samples, sound, mime, seconds = _excerpt(audio)
    except (OctantError, OSError, soundfile.LibsndfileError) as error:
        return _note("sound", audio.source, error)
    clipped = seconds > _SECONDS + 0.1
    said = f"<small>the first {_SECONDS:.0f} s of {clock(seconds)}</small>" if clipped else ""
    return f"{_wave(samples)}<audio controls preload='metadata' src='{data_url(mime, sound)}'></audio>{said}"


def _excerpt(audio: Audio) -> tuple[NDArray[Any], bytes, str, float]:
    """The first seconds of a sound or of its span, as samples and as a file with its mime; and how long it is."""
    begin, end = (0.0, float("inf")) if audio.span is None else (audio.span.start, audio.span.end)
    excerpt = replace(audio, span=Span(begin, min(end, begin + _SECONDS)), limits=_any_size(audio))
    whole, own, _ = sound_facts(excerpt)
    seconds, rate = min(end, whole) - begin, min(max(own, _RATES[0]), _RATES[1])
    samples = decode_audio(excerpt, rate)
    small = _as_it_is(excerpt) if audio.span is None and seconds <= _SECONDS else None
    sound, mime = small or (_ogg(samples, rate), "audio/ogg")
    return samples, sound, mime, seconds


def _any_size(medium: Image | Audio) -> Limits:
    """Limits that let a large file pass: whoever stored it allowed its size, and little of it is read here."""
    return replace(medium.limits, bytes=sys.maxsize)


def _as_it_is(audio: Audio) -> tuple[bytes, str] | None:
    """A small file that browsers play, and its mime: it sounds best untouched."""
    if not isinstance(audio.source, Path | bytes):
        return None
    with open_source(audio.source, audio, audio.limits.bytes) as (file, head, size):
        mime = mime_of(head)
        return (file.read(size), mime) if mime in _PLAYABLE and size <= _BYTES else None


def _ogg(samples: NDArray[Any], rate: int) -> bytes:
    import soundfile

    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, 1, format="OGG", subtype="VORBIS") as out:
        for start in range(0, len(samples), 1 << 14):  # one long write overflows the stack of libsndfile's encoder
            out.write(samples[start : start + (1 << 14)])
    return file.getvalue()


def _wave(samples: NDArray[Any], bars: int = 72) -> str:
    """The envelope of a sound as a small inline drawing."""
    import numpy as np

    parts = [float(np.abs(part).max(initial=0.0)) for part in np.array_split(samples, bars)]
    heights = [1 + 35 * part / (max(parts) or 1.0) for part in parts]
    lines = "".join(f"M{4 * i + 2} {40 - height:.1f}v{2 * height:.1f}" for i, height in enumerate(heights))
    return f"<svg viewBox='0 0 {4 * bars} 80' preserveAspectRatio='none' aria-hidden='true'><path d='{lines}'/></svg>"


def _note(kind: str, source: object, error: Exception) -> str:
    """Say calmly that a file is gone; or, where it is there, why it is not shown and what to do."""
    if isinstance(source, Path) and not os.path.exists(source):
        said = f"this {kind} can no longer be read at {short(source.parent)}"
    elif isinstance(error, MediaError):
        said = f"this {kind} {error.reason}"
    else:
        said = f"this {kind} cannot be shown: {error}"
    return f"<p class='gone'>{html.escape(said)}</p>"
