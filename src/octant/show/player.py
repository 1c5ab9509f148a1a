"""Pictures and sounds as HTML that holds them."""

from __future__ import annotations

import html
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from octant.errors import OctantError
from octant.media import Audio, Image, data_url, decode_audio, thumbnail
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
_PLAYABLE = {"WAV": "audio/wav", "WAVEX": "audio/wav", "FLAC": "audio/flac", "OGG": "audio/ogg", "MP3": "audio/mpeg"}
"""Container (as libsndfile calls it) -> mime, of what every present browser plays."""


def picture(image: Image) -> str:
    """Show a small version of an image; a note where its file is gone."""
    try:
        small = data_url("image/webp", thumbnail(image, _THUMBNAIL))
    except (OctantError, OSError):
        return _gone("image", image.source)
    return f"<img alt='' src='{small}'>"


def player(audio: Audio) -> str:
    """Show a waveform and a player with the sound inside; what was left out of a long one is said."""
    import soundfile

    try:
        samples, rate, sound, mime, seconds = _excerpt(audio)
    except (OctantError, OSError, soundfile.LibsndfileError):
        return _gone("sound", audio.source)
    clipped = seconds > len(samples) / rate + 0.1
    said = f"<small>the first {_SECONDS:.0f} s of {clock(seconds)}</small>" if clipped else ""
    return f"{_wave(samples)}<audio controls preload='metadata' src='{data_url(mime, sound)}'></audio>{said}"


def _excerpt(audio: Audio) -> tuple[NDArray[Any], int, bytes, str, float]:
    """The sound's first seconds as samples, their rate, the same as a file, its mime; and its whole length."""
    import soundfile

    if not isinstance(audio.source, Path | bytes):
        rate = audio.rate or 16_000
        whole = decode_audio(audio, rate)
        samples = whole[: int(_SECONDS * rate)]
        return samples, rate, _ogg(samples, rate), "audio/ogg", len(whole) / rate
    with soundfile.SoundFile(io.BytesIO(audio.source) if isinstance(audio.source, bytes) else audio.source) as file:
        rate, seconds, container = int(file.samplerate), file.frames / file.samplerate, str(file.format)
        samples = cast("NDArray[Any]", file.read(int(_SECONDS * rate), dtype="float32", always_2d=True))
    size = len(audio.source) if isinstance(audio.source, bytes) else audio.source.stat().st_size
    if seconds <= _SECONDS and size <= _BYTES and container in _PLAYABLE:
        raw = audio.source if isinstance(audio.source, bytes) else audio.source.read_bytes()
        return samples, rate, raw, _PLAYABLE[container], seconds
    return samples, rate, _ogg(samples, rate), "audio/ogg", seconds


def _ogg(samples: NDArray[Any], rate: int) -> bytes:
    import soundfile

    file = io.BytesIO()
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    with soundfile.SoundFile(file, "w", rate, channels, format="OGG", subtype="VORBIS") as out:
        for start in range(0, len(samples), 1 << 14):  # one long write overflows the stack of libsndfile's encoder
            out.write(samples[start : start + (1 << 14)])
    return file.getvalue()


def _wave(samples: NDArray[Any], bars: int = 72) -> str:
    """The envelope of a sound as a small inline drawing."""
    import numpy as np

    level = np.abs(samples).reshape(len(samples), -1).max(axis=1)
    parts = [float(part.max()) if len(part) else 0.0 for part in np.array_split(level, bars)]
    heights = [1 + 35 * part / (max(parts) or 1.0) for part in parts]
    lines = "".join(f"M{4 * i + 2} {40 - height:.1f}v{2 * height:.1f}" for i, height in enumerate(heights))
    return f"<svg viewBox='0 0 {4 * bars} 80' preserveAspectRatio='none' aria-hidden='true'><path d='{lines}'/></svg>"


def _gone(kind: str, source: object) -> str:
    where = f" at {html.escape(short(source.parent))}" if isinstance(source, Path) else ""
    return f"<p class='gone'>this {kind} can no longer be read{where}</p>"
