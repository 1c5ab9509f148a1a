"""Films: what they hold, one frame of them, and their sound track, through ffmpeg's libraries (the extra `video`).

Nothing but the file itself is opened: the container's kind is told by its first bytes and not guessed from its
content, so that no playlist can name other files, and what a container refers to is not fetched.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from octant.errors import MediaError
from octant.media.kinds import Limits
from octant.media.signature import MISTAKEN, UNDECODABLE, is_cut_off, mime_of
from octant.media.source import open_source

if TYPE_CHECKING:
    import PIL.Image
    from av import AudioFrame, AudioStream, VideoFrame, VideoStream
    from av.container import InputContainer
    from numpy.typing import NDArray

__all__ = ["Film", "Track", "decode_frame", "film_of", "last_second", "track_blocks", "track_of"]

_DEMUXERS = {
    "audio/mp4": "mov",
    "video/mp4": "mov",
    "video/webm": "matroska",
    "video/x-msvideo": "avi",
    "audio/x-ms-wma": "asf",
    "audio/aac": "aac",
    "audio/amr": "amr",
}
_UNINDEXED = {"aac", "amr"}
"""Frames one after another and no header: where a second lies is known by counting only."""

_PREROLL = {"amr": 5.0}
_USUAL_PREROLL = 0.25
"""Seconds that are decoded before a span: lossy decoders need the past to come to the same samples, speech more."""
_SLACK = 0.05
"""Seconds by which time stamps may be off before it counts as a gap: some containers round them."""
_ZEROS = 1 << 16
_PLANES = 8
"""So many planes of a frame PyAV cannot see: it counts them up to a null pointer, which FFmpeg sets behind fewer only.
Beyond lies what is no plane, and the process dies of reading it (PyAV 18.1)."""


@dataclass(frozen=True, slots=True)
class Film:
    """The facts of a film, or of a container with nothing but sound."""

    seconds: float
    width: int
    """Pixels, of the upright picture; 0 without one."""
    height: int
    has_sound: bool
    has_picture: bool


@dataclass(frozen=True, slots=True)
class Track:
    """The facts of a sound track."""

    seconds: float
    """From the beginning of the film, as its header says; counted where it says nothing."""
    rate: int
    channels: int
    tags: dict[str, str]


def film_of(source: Path | bytes, about: object, limits: Limits) -> Film:
    """Read what a film is. MediaError about `about` when it is no film, is damaged or exceeds `limits.pixels`."""
    with _open(source, about, limits) as container:
        picture, sound = _picture_of(container), _sound_of(container)
        seconds = _declared(container, picture or sound)
        width = height = 0
        if picture is not None:
            _bound(picture, about, limits)
            first = next(container.decode(picture), None)
            if first is None:
                raise MediaError(about, "has no pictures that can be decoded; export or download it again")
            width, height = first.width, first.height
            if _turned(first) in (90, 270):
                width, height = height, width
    if seconds is None:
        seconds = last_second(source, about, limits)
    if seconds <= 0:
        raise MediaError(about, "lasts no time at all; it is cut off, so export or download it again")
    return Film(seconds, width, height, sound is not None, picture is not None)


def decode_frame(source: Path | bytes, about: object, second: float, limits: Limits) -> PIL.Image.Image:
    """Decode the picture that a film shows at a second: upright, 8-bit RGB.

    MediaError about `about` when it is no film, has no pictures, ends before, is damaged or exceeds `limits.pixels`.
    """
    import PIL.Image

    with _open(source, about, limits) as container:
        stream = _picture_of(container)
        if stream is None:
            raise MediaError(about, "has no pictures, only sound; use Audio(...)")
        _bound(stream, about, limits)
        target = _origin(container) + second
        shown = _shown_at(container, stream, target)
        if shown is None:
            raise MediaError(about, "has no pictures that can be decoded; export or download it again")
        # the last picture stays; how long is not always said
        end = (shown.time or 0.0) + float((shown.duration or 0) * (shown.time_base or 0))
        if target > end + 1:
            has = f"ends after {end - _origin(container):.1f} s"
            raise MediaError(about, f"{has} and has no picture at {second:.1f} s; it is cut off or was exchanged")
        pixels = shown.to_ndarray(format="rgb24")
        turned = _turned(shown)
    picture = PIL.Image.fromarray(pixels)
    return picture.transpose(PIL.Image.Transpose[f"ROTATE_{turned}"]) if turned else picture


def track_of(source: Path | bytes, about: object, limits: Limits) -> Track:
    """Read what the sound of a film is. MediaError about `about` when it has none or is damaged."""
    with _open(source, about, limits) as container:
        stream = _sound_of(container)
        if stream is None:
            raise MediaError(about, "has no sound, only pictures; use Image(..., part=Frame(...))")
        _require_codec(stream, about, "sound")
        seconds = _declared(container, stream)
        tags = {**container.metadata, **stream.metadata}
        first = next(container.decode(stream), None)
        if first is None:
            raise MediaError(about, "has no samples; record or export it again")
        rate, channels = first.sample_rate, first.layout.nb_channels
    return Track(last_second(source, about, limits) if seconds is None else seconds, rate, channels, tags)


def track_blocks(
    source: Path | bytes, about: object, limits: Limits, rate: int, start: int, stop: int
) -> Iterator[NDArray[Any]]:
    """Decode the sound of a film from sample `start` up to `stop`, or its end: blocks of samples x channels.

    Sample 0 is where the film begins; where the track begins later, or pauses, there is silence.
    """
    import numpy as np

    at, expected = start, None
    with _open(source, about, limits) as container:
        stream = _sound_of(container)
        if stream is None:
            raise MediaError(about, "has no sound, only pictures; use Image(..., part=Frame(...))")
        _require_codec(stream, about, "sound")
        origin = _origin(container)
        before = _PREROLL.get(container.format.name, _USUAL_PREROLL)
        for frame in _frames_from(container, stream, origin + start / rate - before):
            if frame.sample_rate != rate:
                remedy = "convert it: ffmpeg -i in -ar 48000 out.flac"
                raise MediaError(about, f"changes its rate from {rate:,} to {frame.sample_rate:,} Hz midway; {remedy}")
            block = _samples(frame)
            begin = round((frame.time - origin) * rate) if frame.time is not None else expected or 0
            if expected is not None and abs(begin - expected) <= _SLACK * rate:
                begin = expected
            expected = begin + len(block)
            while at < min(begin, stop):
                silence = min(begin, stop, at + _ZEROS) - at
                yield np.zeros((silence, 1), np.float32)
                at += silence
            heard = block[max(0, at - begin) : max(0, stop - begin)]
            if len(heard):
                yield heard
                at += len(heard)
            if at >= stop:
                return


def last_second(source: Path | bytes, about: object, limits: Limits) -> float:
    """Read the end of a film, and find out when it really ends, whatever its header says; nothing is decoded."""
    with _open(source, about, limits) as container:
        stream = _picture_of(container) or _sound_of(container)
        assert stream is not None  # _open has seen to it
        declared = _declared(container, stream)
        if declared is not None and stream.time_base is not None:
            _seek(container, stream, _origin(container) + max(0.0, declared - 1))
        end = 0.0
        for packet in container.demux(stream):
            if packet.pts is not None:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        return max(0.0, end - _origin(container))


@contextmanager
def _open(source: Path | bytes, about: object, limits: Limits) -> Generator[InputContainer]:
    """Open a container that has pictures or sound. What ffmpeg says inside becomes a MediaError about `about`."""
    with open_source(source, about, limits.bytes) as (file, head, size):
        mime = mime_of(head) or ""
        if mime not in _DEMUXERS:
            other = f"holds {mime}, no film" if mime else "begins like no film that octant knows"
            raise MediaError(about, MISTAKEN.get(mime, f"{other}; export it as MP4 or WebM"))
        if is_cut_off(head, size):
            raise MediaError(about, "is cut off: shorter than its header says; export or download it again")
        try:
            import av
            from av.error import FFmpegError
        except ImportError as error:
            raise MediaError(about, UNDECODABLE[mime]) from error
        try:
            with av.open(
                file,
                "r",
                format=_DEMUXERS[mime],
                metadata_errors="replace",
                container_options={"protocol_whitelist": "none"},
                io_open=_nothing_else,
            ) as container:
                if _picture_of(container) is None and _sound_of(container) is None:
                    raise MediaError(about, "has neither pictures nor sound; export or download it again")
                yield container
        # what PyAV is known to let out for damaged files; its own errors are several of these at once
        except (FFmpegError, ValueError, LookupError, ArithmeticError, RuntimeError, EOFError) as error:
            said = (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")
            raise MediaError(about, f"is damaged or cut off ({said}); export or download it again") from error


def _nothing_else(url: str, flags: int, options: object) -> None:  # noqa: ARG001
    raise ValueError("it refers to another file")


def _picture_of(container: InputContainer) -> VideoStream | None:
    """The first stream of pictures; the cover of an album is none."""
    from av.stream import Disposition

    covers = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
    return next((stream for stream in container.streams.video if not stream.disposition & covers), None)


def _sound_of(container: InputContainer) -> AudioStream | None:
    return next(iter(container.streams.audio), None)


def _origin(container: InputContainer) -> float:
    """The time stamp of second 0; encoders' delays before it are not counted."""
    return max(0.0, (container.start_time or 0) / 1e6)


def _declared(container: InputContainer, stream: VideoStream | AudioStream | None) -> float | None:
    """When a stream ends by its header, from second 0; None where it says nothing reliable."""
    if container.format.name in _UNINDEXED or stream is None:
        return None
    if stream.duration is not None and stream.time_base is not None:
        begins = (stream.start_time or 0) * stream.time_base
        return max(0.0, float(begins + stream.duration * stream.time_base) - _origin(container))
    return None if container.duration is None else container.duration / 1e6


def _bound(stream: VideoStream, about: object, limits: Limits) -> None:
    """Refuse pictures of more than the limit of pixels, now and wherever in the film they grow."""
    _require_codec(stream, about, "pictures")
    pixels = stream.codec_context.width * stream.codec_context.height
    if pixels > limits.pixels:
        remedy = "shrink it or pass limits=Limits(pixels=...)"
        raise MediaError(about, f"has {pixels:,} pixels, more than the limit of {limits.pixels:,}; {remedy}")
    stream.codec_context.options = {"max_pixels": str(limits.pixels)}


def _require_codec(stream: VideoStream | AudioStream, about: object, what: str) -> None:
    """Refuse what no decoder is known for: PyAV's types do not say that such a stream has no context."""
    if cast("object", stream.codec_context) is None:
        raise MediaError(about, f"has {what} of a kind that cannot be decoded; export it as MP4 or WebM")


def _seek(container: InputContainer, stream: VideoStream | AudioStream, second: float) -> None:
    """Go to the key frame before a time stamp; a file that cannot be sought in stays where it is."""
    from av.error import FFmpegError

    if container.format.name in _UNINDEXED or second <= 0:
        return
    with suppress(FFmpegError):
        container.seek(math.floor(Fraction(second) / (stream.time_base or 1)), stream=stream)


def _shown_at(container: InputContainer, stream: VideoStream, second: float) -> VideoFrame | None:
    _seek(container, stream, second)
    shown = None
    for frame in container.decode(stream):
        # some containers round their times to the millisecond
        if shown is not None and (frame.time or 0.0) > second + 1e-3:
            break
        shown = frame
    return shown


def _frames_from(container: InputContainer, stream: AudioStream, second: float) -> Iterator[AudioFrame]:
    """Decode from a time stamp or a little before; what lies before is passed over undecoded."""
    _seek(container, stream, second)
    for packet in container.demux(stream):
        if packet.pts is not None:
            end = (packet.pts + (packet.duration or 0)) * packet.time_base
            if end < second:
                continue
        yield from stream.decode(packet)  # pyright: ignore[reportUnknownMemberType]


def _samples(frame: AudioFrame) -> NDArray[Any]:
    """See a frame as samples x channels of float32, whole numbers scaled by the range of their type."""
    import numpy as np

    if frame.format.is_planar and frame.layout.nb_channels >= _PLANES:
        columns = np.concatenate([_columns(one) for one in _packed(frame)])
    else:
        columns = _columns(frame)
    if columns.dtype.kind == "f":
        return columns.astype(np.float32)
    scale = np.float32(2.0 ** (8 * columns.dtype.itemsize - 1))
    middle = scale if columns.dtype.kind == "u" else np.float32(0.0)
    scaled: NDArray[Any] = (columns.astype(np.float32) - middle) / scale
    return scaled


def _columns(frame: AudioFrame) -> NDArray[Any]:
    array: NDArray[Any] = frame.to_ndarray()
    return array.T if frame.format.is_planar else array.reshape(-1, frame.layout.nb_channels)


def _packed(frame: AudioFrame) -> list[AudioFrame]:
    import av

    packed: list[AudioFrame] = av.AudioResampler(format=frame.format.packed.name).resample(frame)
    return packed


def _turned(frame: VideoFrame) -> int:
    """By how many degrees a picture is to be turned to the left to stand upright: 0, 90, 180 or 270."""
    quarters: int = round(frame.rotation / 90)
    return quarters * 90 % 360
