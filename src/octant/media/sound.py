"""Sounds decoded: one channel, float32, at the rate that is asked for."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from octant.errors import MediaError
from octant.media.kinds import Audio
from octant.media.movie import track_blocks, track_of
from octant.media.signature import MISTAKEN, UNDECODABLE, is_cut_off, mime_of
from octant.media.source import Known, open_regular, open_source, require_size

if TYPE_CHECKING:
    import numpy as np
    import soundfile
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

__all__ = ["Header", "Sound", "check_samples", "decode_audio", "header_of", "one_channel", "open_sound", "sound_facts"]

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
_AROUND = 256
"""Samples, at the lower of two rates, that reach into a sample when rates are converted; soxr's HQ needs 128."""


@dataclass(frozen=True, slots=True)
class Header:
    """What an encoded sound says of itself."""

    rate: int
    frames: int
    """Samples of each channel."""
    channels: int
    tags: Mapping[str, str]
    """As the file names them, such as title and artist."""


@dataclass(frozen=True, slots=True)
class Sound(Header):
    """An encoded sound, opened."""

    blocks: Callable[[int, int], Iterator[NDArray[Any]]]
    """Decode from one sample up to another: blocks of samples x channels. Once, while it is open."""


def decode_audio(audio: Audio, rate: int) -> Samples:
    """Decode a sound to 1-D float32 samples, around [-1, 1], at `rate` Hz.

    Channels are averaged, whole numbers scaled by the range of their type, rates converted by soxr (HQ).

    Of a span, little more than the span is read and decoded (of MP3, the headers of all frames before it). The
    result is that part of the whole to 1e-5 of full scale, but for two milliseconds where the container rounds its
    times (WebM, Matroska, WMA), for codecs that fill in noise (some AAC), and for AMR, which never forgets (1e-2).
    MediaError when the sound cannot be read, is damaged or empty, is something else, has samples that are not
    numbers, or exceeds its limits.
    """
    import numpy as np

    if isinstance(audio.source, (bytes, Path)):
        with open_sound(audio) as sound:
            pieces = list(_decoded(audio, sound, rate))
    else:
        pieces = list(_decoded(audio, _sound_of_array(audio, audio.source, audio.rate or rate), rate))
    samples = np.concatenate(pieces) if pieces else np.empty(0, np.float32)
    if samples.size == 0:
        raise MediaError(audio, f"lasts less than one sample at {rate:,} Hz; leave it out")
    return samples


def sound_facts(audio: Audio) -> tuple[float, int, int]:
    """Read seconds of the whole sound, its rate and its channels, decoding next to nothing.

    MediaError when the sound cannot be read, is something else, or it, or its span, exceeds its limits.
    """
    if isinstance(audio.source, (bytes, Path)):
        header = header_of(audio)
        return header.frames / header.rate, header.rate, header.channels
    rate = audio.rate or 1
    array = check_samples(audio, audio.source, rate)
    return len(array) / rate, rate, array.shape[1]


_HEADERS = Known[Header](1024)  # an ingest reads up to 512 sources before it looks at the first of them


def header_of(audio: Audio) -> Header:
    """Read the header of a file or bytes, of a file once for as long as it is the same. Errors as of `open_sound`."""
    if not isinstance(audio.source, Path):
        return _read_header(audio)
    with open_regular(audio.source, audio) as (_, status):
        require_size(status.st_size, audio, audio.limits.bytes)
    header = _HEADERS.of(audio.source, status, lambda: _read_header(audio))
    _require_length(audio, header.frames, header.rate)  # it may have been read for other limits, or another span
    return header


def _read_header(audio: Audio) -> Header:
    with open_sound(audio) as sound:
        return Header(sound.rate, sound.frames, sound.channels, sound.tags)


@contextmanager
def open_sound(audio: Audio) -> Generator[Sound]:
    """Open a file or bytes and check their length, decoding next to nothing. Errors become MediaErrors."""
    source, limits = audio.source, audio.limits
    assert isinstance(source, (bytes, Path))
    with open_source(source, audio, limits.bytes) as (file, head, size):
        mime = mime_of(head)
        if mime in _READABLE:
            if is_cut_off(head, size):
                raise MediaError(audio, "is cut off: shorter than its header says; export or download it again")
            with _by_libsndfile(audio, file) as sound:
                _require_length(audio, sound.frames, sound.rate)
                yield sound
            return
    if mime not in UNDECODABLE:
        raise MediaError(audio, _not_a_sound(mime))
    track = track_of(source, audio, limits)
    frames = round(track.seconds * track.rate)
    _require_length(audio, frames, track.rate)

    def blocks(start: int, stop: int) -> Iterator[NDArray[Any]]:
        # a header that says too little is no reason to leave out the rest
        most = stop if audio.span else int(limits.seconds * track.rate) + 1
        decoded = track_blocks(source, audio, limits, track.rate, start, most)
        return _whole(audio, _unpadded(decoded, stop - start, track.rate), track.rate, start, stop)

    yield Sound(track.rate, frames, track.channels, track.tags, blocks)


@contextmanager
def _by_libsndfile(audio: Audio, file: BinaryIO) -> Generator[Sound]:
    import soundfile

    try:
        with soundfile.SoundFile(_readable(file), closefd=False) as opened:
            if opened.frames >= _UNKNOWN_LENGTH:
                remedy = "write it again: ffmpeg -i in.flac out.flac"
                raise MediaError(audio, f"does not say how long it is, like all that is written to a pipe; {remedy}")

            def blocks(start: int, stop: int) -> Iterator[NDArray[Any]]:
                if start:
                    opened.seek(start)
                return _whole(audio, _file_blocks(opened, stop - start), opened.samplerate, start, stop)

            yield Sound(opened.samplerate, opened.frames, opened.channels, opened.copy_metadata(), blocks)
    except soundfile.LibsndfileError as error:
        reason = f"is damaged or cut off ({error.error_string.rstrip('.')}); export or download it again"
        raise MediaError(audio, reason) from error


def _readable(file: BinaryIO) -> BinaryIO | int:
    """What libsndfile reads: a file's descriptor where it can, for it would ask Python for a few bytes at a time."""
    if os.name != "posix" or not isinstance(file, io.BufferedReader):
        return file
    os.lseek(file.fileno(), 0, os.SEEK_SET)  # the buffered file has read ahead
    return file.fileno()


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
    """Refuse a sound of no samples or of a rate out of range; and a sound, or a span of one, beyond its limit."""
    low, high = _RATES
    if not low <= rate <= high:
        raise MediaError(audio, f"has {rate:,} samples per second, not within {low} to {high:,}; correct its rate")
    if samples == 0:
        raise MediaError(audio, "has no samples; record or export it again")
    seconds, limit, span = samples / rate, audio.limits.seconds, audio.span
    if span is not None and span.start >= seconds:
        reason = f"ends after {seconds:,.1f} s, before its span begins ({span.start:,.1f} s)"
        raise MediaError(audio, f"{reason}; it is cut off or was exchanged, so read it anew")
    if span is not None:
        seconds = min(span.end, seconds) - span.start
    if seconds > limit:
        remedy = "cut it into parts or pass limits=Limits(seconds=...)"
        raise MediaError(audio, f"lasts {seconds:,.0f} s, more than the limit of {limit:,.0f} s; {remedy}")


def _not_a_sound(mime: str | None) -> str:
    if mime is None:
        return "begins like no sound that octant knows: it is damaged or something else; export it as WAV or FLAC"
    if mime.startswith("image/"):
        return f"holds an image ({mime}), not sound; use Image(...)"
    return MISTAKEN.get(mime) or f"holds {mime}, not sound; export it as WAV or FLAC"


def _decoded(audio: Audio, sound: Sound, rate: int) -> Iterator[Samples]:
    """Decode all of a sound, or its span: with what lies around it, so that the rate is converted as in the whole."""
    own, span = sound.rate, audio.span
    if span is None:
        yield from _at_rate(one_channel(audio, sound.blocks(0, sound.frames)), own, rate)
        return
    # the whole's samples `first` to `last` at the new rate; begun where a sample of the old falls on one of the new
    first, last = round(span.start * rate), round(span.end * rate)
    common = math.gcd(own, rate)
    around = 0 if own == rate else _AROUND / min(own, rate)
    step = max(0, math.floor((first / rate - around) * common))
    start, ahead = step * (own // common), first - step * (rate // common)
    stop = min(sound.frames, math.ceil((last / rate + around) * own))
    left = last - first
    for block in _at_rate(one_channel(audio, sound.blocks(start, stop)), own, rate):
        heard = block[ahead : ahead + left]
        ahead = max(0, ahead - len(block))
        left -= len(heard)
        yield heard


def _file_blocks(opened: soundfile.SoundFile, frames: int) -> Iterator[NDArray[Any]]:
    """Decode block by block: a header may lie about the length, so neither time nor memory is spent on its word."""
    step = max(1, _BLOCK // opened.channels)
    while frames > 0 and len(block := opened.read(min(step, frames), dtype="float32", always_2d=True)):
        frames -= len(block)
        yield block


def _unpadded(blocks: Iterator[NDArray[Any]], frames: int, rate: int) -> Iterator[NDArray[Any]]:
    """Leave out what fills up the last frame of a codec: what is more than the header says, but less than 0.1 s."""
    held: list[NDArray[Any]] = []
    for block in blocks:
        said, more = block[: max(0, frames)], block[max(0, frames) :]
        frames -= len(block)
        if len(said):
            yield said
        if len(more):
            held.append(more)
        if -frames > rate / 10:
            yield from held
            held.clear()


def _whole(audio: Audio, blocks: Iterator[NDArray[Any]], rate: int, start: int, stop: int) -> Iterator[NDArray[Any]]:
    """Pass on what was decoded, and see that it is neither less than the header says nor more than the limit."""
    at = start
    for block in blocks:
        at += len(block)
        yield block
    if audio.span is None:
        _require_length(audio, at, rate)
    # the lengths of lossy formats are estimates
    if at == start or at < 0.99 * stop:
        found = f"{at / rate:.1f} of {stop / rate:.1f} s"
        raise MediaError(audio, f"is cut off after {found}; export or download it again")


def _sound_of_array(audio: Audio, array: NDArray[Any], rate: int) -> Sound:
    columns = check_samples(audio, array, rate)

    def blocks(start: int, stop: int) -> Iterator[NDArray[Any]]:
        return _array_blocks(columns[start:stop])

    return Sound(rate, len(columns), columns.shape[1], {}, blocks)


def _array_blocks(columns: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield samples x channels as float32, whole numbers scaled by the range of their type."""
    import numpy as np

    kind = columns.dtype.kind
    scale = np.float32(1.0 if kind == "f" else 2.0 ** (8 * columns.dtype.itemsize - 1))
    middle = scale if kind == "u" else np.float32(0.0)
    step = max(1, _BLOCK // columns.shape[1])
    for start in range(0, len(columns), step):
        with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, and is refused as such
            block = columns[start : start + step].astype(np.float32)
        yield block if kind == "f" else (block - middle) / scale


def one_channel(audio: Audio, blocks: Iterator[NDArray[Any]]) -> Iterator[Samples]:
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
