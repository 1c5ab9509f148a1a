"""Sounds decoded: one channel, float32, at the rate that is asked for."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octant.errors import MediaError
from octant.media.kinds import Audio
from octant.media.signature import HEAD, MISTAKEN, UNDECODABLE, mime_of
from octant.media.source import read_bytes

if TYPE_CHECKING:
    import numpy as np
    import soundfile
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

__all__ = ["check_samples", "decode_audio", "open_sound"]

_READABLE = {"audio/wav", "audio/flac", "audio/ogg", "audio/mpeg", "audio/aiff", "audio/basic", "audio/x-caf"}
_WHOLE = {"int8", "int16", "int32", "uint8", "uint16"}

_BLOCK = 1 << 17
"""Samples that are decoded at a time, over all channels: a block is one channel at the new rate before the next."""

_LOUDEST = 64.0
"""Samples beyond this are not loud but wrongly scaled: whole numbers that were cast to float."""

_MOST_CHANNELS = 64
"""More than this is an array that lies on its side."""

_RATES = (100, 1_000_000)
_UNKNOWN_LENGTH = 1 << 60


def decode_audio(audio: Audio, rate: int) -> Samples:
    """Decode a sound to 1-D float32 samples, around [-1, 1], at `rate` Hz.

    Channels are averaged, whole numbers scaled by the range of their type, rates converted by soxr (HQ).
    MediaError when the sound cannot be read, is damaged or empty, is something else, has samples that are not
    numbers, or exceeds its limits.
    """
    import numpy as np

    if isinstance(audio.source, (bytes, Path)):
        with open_sound(audio, read_bytes(audio.source, audio, audio.limits.bytes)) as opened:
            pieces = list(_at_rate(_checked(audio, _file_blocks(audio, opened)), opened.samplerate, rate))
    else:
        own = audio.rate or rate
        pieces = list(_at_rate(_checked(audio, _array_blocks(audio, audio.source, own)), own, rate))
    samples = np.concatenate(pieces) if pieces else np.empty(0, np.float32)
    if samples.size == 0:
        raise MediaError(audio, f"lasts less than one sample at {rate:,} Hz; leave it out")
    return samples


@contextmanager
def open_sound(audio: Audio, data: bytes) -> Generator[soundfile.SoundFile]:
    """Open encoded bytes and check their length, decoding nothing. Errors inside become MediaErrors about `audio`."""
    import soundfile

    mime = mime_of(data[:HEAD])
    if mime not in _READABLE:
        raise MediaError(audio, _not_a_sound(mime))
    if _is_cut_off(data):
        raise MediaError(audio, "is cut off: shorter than its header says; export or download it again")
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as opened:
            if opened.frames >= _UNKNOWN_LENGTH:
                remedy = "write it again: ffmpeg -i in.flac out.flac"
                raise MediaError(audio, f"does not say how long it is, like all that is written to a pipe; {remedy}")
            _require_length(audio, opened.frames, opened.samplerate)
            yield opened
    except soundfile.LibsndfileError as error:
        reason = f"is damaged or cut off ({error.error_string.rstrip('.')}); export or download it again"
        raise MediaError(audio, reason) from error


def check_samples(audio: Audio, array: NDArray[Any], rate: int) -> NDArray[Any]:
    """See an array as samples x channels; refuse one of another shape or type, or longer than its limit."""
    if array.ndim not in (1, 2) or (array.ndim == 2 and not 1 <= array.shape[1] <= _MOST_CHANNELS):
        shape = " x ".join(str(n) for n in array.shape)
        remedy = "octant reads samples, or samples x channels; transpose it (array.T), or pass sounds one by one"
        raise MediaError(audio, f"is an array of shape {shape}; {remedy}")
    if array.dtype.kind != "f" and array.dtype.name not in _WHOLE:
        raise MediaError(audio, f"is an array of {array.dtype}; pass float32 or int16")
    _require_length(audio, len(array), rate)
    return array[:, None] if array.ndim == 1 else array


def _require_length(audio: Audio, samples: int, rate: int) -> None:
    """Refuse a sound of no samples, of a rate out of range, or longer than its limit."""
    low, high = _RATES
    if not low <= rate <= high:
        raise MediaError(audio, f"has {rate:,} samples per second, not within {low} to {high:,}; correct its rate")
    if samples == 0:
        raise MediaError(audio, "has no samples; record or export it again")
    limit = audio.limits.seconds
    if samples > limit * rate:
        remedy = "cut it into parts or pass limits=Limits(seconds=...)"
        raise MediaError(audio, f"lasts {samples / rate:,.0f} s, more than the limit of {limit:,.0f} s; {remedy}")


def _not_a_sound(mime: str | None) -> str:
    if mime is None:
        return "begins like no sound that octant knows: it is damaged or something else; export it as WAV or FLAC"
    if mime.startswith("image/"):
        return f"holds an image ({mime}), not sound; use Image(...)"
    return UNDECODABLE.get(mime) or MISTAKEN.get(mime) or f"holds {mime}, not sound; export it as WAV or FLAC"


def _is_cut_off(data: bytes) -> bool:
    """Compare the size that RIFF and FORM headers declare; libsndfile would silently take what is there."""
    order = {b"RIFF": "little", b"RIFX": "big", b"FORM": "big"}.get(data[:4])
    if order is None:
        return False
    declared = 8 + int.from_bytes(data[4:8], "little" if order == "little" else "big")
    # writers to a pipe leave 0 or a huge number; some are wrong by a padding byte or so
    return len(data) + 8 < declared < 0x7FFF_F000


def _file_blocks(audio: Audio, opened: soundfile.SoundFile) -> Iterator[NDArray[Any]]:
    """Decode block by block: a header may lie about the length, so neither time nor memory is spent on its word."""
    step = max(1, _BLOCK // opened.channels)
    read = 0
    while len(block := opened.read(step, dtype="float32", always_2d=True)):
        read += len(block)
        yield block
    # the lengths of lossy formats are estimates
    if read < 0.99 * opened.frames:
        found = f"{read / opened.samplerate:.1f} of {opened.frames / opened.samplerate:.1f} s"
        raise MediaError(audio, f"is cut off after {found}; export or download it again")


def _array_blocks(audio: Audio, array: NDArray[Any], rate: int) -> Iterator[NDArray[Any]]:
    """Yield samples x channels as float32, whole numbers scaled by the range of their type."""
    import numpy as np

    columns = check_samples(audio, array, rate)
    kind = array.dtype.kind
    scale = np.float32(1.0 if kind == "f" else 2.0 ** (8 * array.dtype.itemsize - 1))
    middle = scale if kind == "u" else np.float32(0.0)
    step = max(1, _BLOCK // columns.shape[1])
    for start in range(0, len(columns), step):
        with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, and is refused as such
            block = columns[start : start + step].astype(np.float32)
        yield block if kind == "f" else (block - middle) / scale


def _checked(audio: Audio, blocks: Iterator[NDArray[Any]]) -> Iterator[Samples]:
    """Average the channels and refuse samples that are not numbers, or are wrongly scaled."""
    import numpy as np

    for block in blocks:
        channels = block.shape[1]
        with np.errstate(invalid="ignore", over="ignore"):
            # a product is 40 times faster than mean(axis=1)
            mono = block[:, 0] if channels == 1 else block @ np.full(channels, 1 / channels, np.float32)
        peak = float(np.abs(mono).max(initial=0.0))
        if not np.isfinite(peak):
            raise MediaError(audio, "has samples that are not numbers (NaN or infinite); set them to 0 first")
        if peak > _LOUDEST:
            remedy = "octant expects floats around [-1, 1]; divide 16-bit values by 32768"
            raise MediaError(audio, f"has samples of {peak:,.0f}; {remedy}")
        yield np.ascontiguousarray(mono)


def _at_rate(blocks: Iterator[Samples], own: int, rate: int) -> Iterator[Samples]:
    """Convert the rate block by block; the result is that of converting all at once, bit for bit."""
    import numpy as np
    import soxr  # pyright: ignore[reportMissingTypeStubs]

    if own == rate:
        yield from blocks
        return
    stream = soxr.ResampleStream(own, rate, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)
