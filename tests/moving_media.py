"""Films and the sounds that only ffmpeg's libraries encode, made on the spot by PyAV."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

av: Any = pytest.importorskip("av", reason="the extra `video` is not installed")

Samples = NDArray[np.float32]

__all__ = ["COLOURS", "chirp", "film"]

COLOURS = ("red", "lime", "blue", "yellow", "magenta", "cyan", "white", "black")
"""What a film shows, one second each, over and over; with a grey corner at the top left."""


def chirp(seconds: float, rate: int) -> Samples:
    """A tone that rises by 60 Hz a second: no two moments of it are alike."""
    time = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * (200 + 30 * time) * time)).astype(np.float32)


def film(
    seconds: int = 8,
    sound: Samples | None = None,
    *,
    container: str = "mp4",
    pictures: str | None = "libx264",
    codec: str = "aac",
    rate: int = 48_000,
    turned: int | None = None,
    tags: dict[str, str] | None = None,
    begins: float = 0.0,
    sound_begins: float = 0.0,
) -> bytes:
    """Encode pictures of 96 x 64 at 10 a second (None: none), and a sound of one channel beside them."""
    import PIL.Image

    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        out.metadata.update(tags or {})
        video = out.add_stream(pictures, rate=10) if pictures else None
        # without noise that the decoder would make anew each time
        exact = {"aac_pns": "0"} if codec == "aac" else {}
        audio = out.add_stream(codec, rate=rate, layout="mono", options=exact) if sound is not None else None
        if audio is not None and codec == "wmav2":
            audio.bit_rate = 96_000
        if video is not None:
            video.width, video.height, video.pix_fmt, video.gop_size = 96, 64, "yuv420p", 25
            if turned is not None:
                video.set_display_rotation(turned)
            for number in range(10 * seconds):
                picture = PIL.Image.new("RGB", (96, 64), COLOURS[number // 10 % len(COLOURS)])
                picture.paste("grey", (0, 0, 8, 8))
                frame = av.VideoFrame.from_image(picture)
                frame.pts, frame.time_base = number + round(10 * begins), Fraction(1, 10)
                out.mux(video.encode(frame))
            out.mux(video.encode())
        if audio is not None and sound is not None:
            size = audio.codec_context.frame_size or 1024
            for start in range(0, len(sound), size):
                frame = av.AudioFrame.from_ndarray(sound[None, start : start + size], format="fltp", layout="mono")
                frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
                frame.pts = start + round(sound_begins * rate)
                out.mux(audio.encode(frame))
            out.mux(audio.encode())
    return file.getvalue()


def surround(layout: str, codec: str, container: str) -> bytes:
    """A second of one tone of 380 Hz on all channels, from .1 on the first to .9 on the last."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=48_000, layout=layout)
        loud = np.linspace(0.1, 0.9, stream.layout.nb_channels)
        samples = (np.sin(2 * np.pi * 380 * np.arange(48_000) / 48_000)[:, None] * loud).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout=layout)
        frame.sample_rate = 48_000
        planar = av.AudioResampler(format=stream.format.name, layout=layout, rate=48_000)
        for part in [*planar.resample(frame), None]:
            out.mux(stream.encode(part))
    return file.getvalue()
