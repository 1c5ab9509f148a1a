"""Parts of sounds, and frames of films: equal to the same part of the whole, read without the rest."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import PIL.Image
import pytest
import soundfile
from bad_media import cut, encoded_sound, mp4, noise, tone
from hypothesis import example, given, settings
from hypothesis import strategies as st
from moving_media import COLOURS, chirp, film, surround

from octant.errors import MediaError
from octant.media import Audio, Limits, Span, decode_audio, sound
from octant.media.movie import Film, decode_frame, film_of, last_second, track_of
from octant.media.signature import UNDECODABLE
from octant.media.sound import sound_facts
from octant.media.source import open_source

RATE = 16_000
EDGE = 1e-5
"""Of full scale: how far a span may be from that part of the whole, after the conversion of rates."""
SPANS = [Span(0, 1), Span(2.000031, 3.7), Span(5.5, 5.501), Span(8.25, 10), Span(9, 30)]


def refusal(decode: Callable[[], object]) -> str:
    with pytest.raises(MediaError) as caught:
        decode()
    return caught.value.reason


def part_of_whole(audio: Audio, span: Span, rate: int) -> float:
    """The largest difference between a span and that slice of the whole; their lengths must be the same."""
    whole = decode_audio(audio, rate)[round(span.start * rate) : round(span.end * rate)]
    part = decode_audio(Audio(audio.source, audio.rate, audio.limits, span), rate)
    assert len(part) == len(whole) > 0
    return float(np.abs(part - whole).max())


# --- spans


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None)],
)
@pytest.mark.parametrize("span", SPANS)
def test_a_span_is_that_part_of_the_whole(kind: str, subtype: str | None, span: Span, tmp_path: Path) -> None:
    own = 48_000 if subtype == "OPUS" else 44_100
    wave = np.stack([chirp(10, own), np.random.default_rng(0).uniform(-0.2, 0.2, 10 * own)], axis=1)
    content = encoded_sound(wave, own, kind, subtype)
    (tmp_path / "file").write_bytes(content)
    assert part_of_whole(Audio(content), span, RATE) < EDGE
    assert part_of_whole(Audio(tmp_path / "file"), span, own) < EDGE


@pytest.mark.parametrize(
    ("container", "codec", "own"),
    [
        ("ipod", "aac", 44_100),
        ("ipod", "alac", 44_100),
        ("mp4", "aac", 48_000),
        ("adts", "aac", 44_100),
        ("amr", "libopencore_amrnb", 8000),
    ],
)
@pytest.mark.parametrize("span", SPANS)
def test_a_span_of_what_ffmpeg_decodes_is_that_part_of_the_whole(
    container: str, codec: str, own: int, span: Span
) -> None:
    pictures = "libx264" if container == "mp4" else None
    content = film(10, chirp(10, own), container=container, codec=codec, rate=own, pictures=pictures)
    # speech coders remember more than they are given here
    assert part_of_whole(Audio(content), span, RATE) < (1e-2 if container == "amr" else EDGE)


def test_where_times_are_rounded_a_span_is_that_part_to_two_milliseconds() -> None:
    for container, codec, own in (("webm", "libopus", 48_000), ("matroska", "aac", 44_100), ("asf", "wmav2", 44_100)):
        content = film(10, chirp(10, own), container=container, codec=codec, rate=own, pictures=None)
        whole = decode_audio(Audio(content), RATE)
        part = decode_audio(Audio(content, span=Span(4, 6)), RATE)
        shifts = [float(np.abs(part - whole[4 * RATE + n : 4 * RATE + n + len(part)]).max()) for n in range(-32, 33)]
        assert len(part) == 2 * RATE
        assert min(shifts) < 0.15 < float(np.abs(part - whole[4 * RATE + 320 : 4 * RATE + 320 + len(part)]).max())


@pytest.mark.parametrize("own", [1000, 8000, 16_000, 22_050, 44_100, 96_000, 384_000])
@pytest.mark.parametrize("rate", [8000, 16_000, 16_001, 48_000])
def test_rates_are_converted_as_in_the_whole(own: int, rate: int) -> None:
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 3 * own).astype(np.float32)
    for span in (Span(0, 0.4), Span(1.23456, 2.1), Span(2.5, 3)):
        assert part_of_whole(Audio(wave, rate=own), span, rate) < EDGE


def test_spans_side_by_side_are_the_whole() -> None:
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 10 * 44_100).astype(np.float32)
    bounds = [0, 1.1, 1.1003, 4.7, 9.99, 10]
    parts = [decode_audio(Audio(wave, rate=44_100, span=Span(*pair)), RATE) for pair in pairwise(bounds)]
    whole = decode_audio(Audio(wave, rate=44_100), RATE)
    assert len(np.concatenate(parts)) == len(whole)
    assert np.abs(np.concatenate(parts) - whole).max() < EDGE


def test_a_span_must_begin_before_the_sound_ends() -> None:
    content = encoded_sound(tone(2))
    reason = refusal(lambda: decode_audio(Audio(content, span=Span(2, 3)), RATE))
    assert "ends after 2.0 s, before its span begins (2.0 s)" in reason
    assert len(decode_audio(Audio(content, span=Span(1.5, 9)), RATE)) == 8000


def test_the_limit_is_that_of_the_span() -> None:
    short = Limits(seconds=2)
    for audio in (Audio(encoded_sound(tone(5)), limits=short), Audio(tone(5), rate=RATE, limits=short)):
        assert "lasts 5 s, more than the limit of 2 s" in refusal(lambda audio=audio: decode_audio(audio, RATE))
        long = Audio(audio.source, audio.rate, short, Span(1, 4))
        assert "lasts 3 s, more than the limit of 2 s" in refusal(lambda long=long: decode_audio(long, RATE))
        assert len(decode_audio(Audio(audio.source, audio.rate, short, Span(1, 3)), RATE)) == 2 * RATE


# --- no more is read than needed


class Counting:
    """A file that counts in `count` how many bytes are read of it."""

    def __init__(self, file: BinaryIO, count: list[int]) -> None:
        self.seek, self.tell, self._file, self._count = file.seek, file.tell, file, count

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self._count.append(len(content))
        return content

    def readinto(self, buffer: Any) -> int:
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def write(self, _: bytes) -> int:
        raise AssertionError("media are never written")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each read took of the files that sounds are opened from."""
    count: list[int] = []

    @contextmanager
    def counting(source: Path | bytes, about: object, limit: int) -> Generator[tuple[Any, bytes, int]]:
        with open_source(source, about, limit) as (file, head, size):
            yield Counting(file, count), head, size

    for module in ("sound", "movie"):
        monkeypatch.setattr(f"octant.media.{module}.open_source", counting)
    return count


def hour_of_silence(path: Path) -> None:
    """An hour of WAV (16 bit, 44.1 kHz, stereo) that takes no room on the disk, with a click at 3000 s."""
    size = 3600 * 44_100 * 4
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 2, 44_100, 176_400, 4, 16, b"data", size
    )
    with path.open("wb") as file:
        file.write(header)
        file.seek(44 + 3000 * 176_400)
        file.write(b"\xff\x7f" * 4410)
        file.truncate(44 + size)


def test_a_window_of_an_hour_is_read_without_the_hour(tmp_path: Path, counted: list[int]) -> None:
    hour_of_silence(tmp_path / "hour.wav")
    limits = Limits(bytes=1 << 30)
    samples = decode_audio(Audio(tmp_path / "hour.wav", limits=limits, span=Span(2995, 3005)), RATE)
    assert (len(samples), int(np.argmax(np.abs(samples) > 0.5)) // RATE) == (10 * RATE, 5)
    assert 10 * 176_400 <= sum(counted) < 11 * 176_400


@pytest.mark.parametrize(("kind", "share"), [("FLAC", 0.1), ("OGG", 0.3)])
def test_of_a_compressed_file_little_more_than_the_window_is_read(
    kind: str, share: float, tmp_path: Path, counted: list[int]
) -> None:
    with soundfile.SoundFile(tmp_path / "file", "w", 44_100, 1, format=kind) as out:
        for _ in range(300):
            out.write(np.random.default_rng(0).uniform(-0.5, 0.5, 44_100))
    size = (tmp_path / "file").stat().st_size
    decode_audio(Audio(tmp_path / "file", span=Span(250, 260)), RATE)
    assert size / 30 < sum(counted) < size * share


def test_of_a_film_little_more_than_the_window_is_read(tmp_path: Path, counted: list[int]) -> None:
    path = tmp_path / "long.m4a"
    path.write_bytes(film(0, chirp(300, 44_100), container="ipod", rate=44_100, pictures=None))
    decode_audio(Audio(path, span=Span(250, 260)), RATE)
    assert sum(counted) < path.stat().st_size / 4


# --- what ffmpeg decodes


def test_facts_are_those_of_the_whole_sound() -> None:
    content = encoded_sound(tone(5, 44_100, 2), 44_100)
    assert sound_facts(Audio(content, span=Span(1, 2))) == sound_facts(Audio(content)) == (5.0, 44_100, 2)
    assert sound_facts(Audio(tone(2, channels=3), rate=8000)) == (4.0, 8000, 3)
    m4a = film(0, chirp(3, 44_100), container="ipod", rate=44_100, pictures=None, tags={"title": "Rain"})
    assert sound_facts(Audio(m4a)) == (pytest.approx(3, abs=0.001), 44_100, 1)
    assert track_of(m4a, "rain", Limits()).tags["title"] == "Rain"


def test_a_tone_in_m4a_is_that_tone() -> None:
    content = film(0, tone(2, 44_100).astype(np.float32), container="ipod", rate=44_100, pictures=None)
    samples = decode_audio(Audio(content), RATE)
    assert len(samples) == pytest.approx(2 * RATE, abs=2)
    spectrum = np.abs(np.fft.rfft(samples[:RATE]))
    assert int(spectrum.argmax()) == 440
    assert np.sqrt(2 * np.mean(samples[RATE // 2 : RATE] ** 2)) == pytest.approx(0.5, rel=0.02)


def test_sound_that_begins_after_the_pictures_begins_in_silence() -> None:
    content = film(6, tone(2, 48_000).astype(np.float32), sound_begins=3)
    samples = decode_audio(Audio(content), RATE)
    assert np.abs(samples[: int(2.9 * RATE)]).max() < 1e-3
    assert np.sqrt(np.mean(samples[int(3.1 * RATE) : int(4.9 * RATE)] ** 2)) > 0.3
    assert part_of_whole(Audio(content), Span(2.5, 4), RATE) < EDGE


def test_the_length_of_what_ffmpeg_decodes_is_limited() -> None:
    content = film(0, chirp(5, 44_100), container="ipod", rate=44_100, pictures=None)
    assert "lasts 5 s" in refusal(lambda: decode_audio(Audio(content, limits=Limits(seconds=2)), RATE))
    assert "bytes" in refusal(lambda: decode_audio(Audio(content, limits=Limits(bytes=1000)), RATE))
    # the movie and track headers say one second, the samples go on
    lying = shortened(content)
    assert sound_facts(Audio(lying))[0] < 2
    assert "more than the limit of 2 s" in refusal(lambda: decode_audio(Audio(lying, limits=Limits(seconds=2)), RATE))


def shortened(content: bytes) -> bytes:
    """Let the headers of an MP4 that tell how long it is tell a fifth of it."""
    data = bytearray(content)
    for kind, at in ((b"mvhd", 16), (b"mdhd", 16), (b"tkhd", 20)):
        place = data.find(kind) + 4 + at
        data[place : place + 4] = struct.pack(">I", struct.unpack(">I", data[place : place + 4])[0] // 5)
    return bytes(data)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize(("container", "codec"), [("ipod", "aac"), ("ipod", "alac")])
def test_half_of_what_ffmpeg_decodes_is_refused(share: float, container: str, codec: str) -> None:
    content = film(0, chirp(10, 44_100), container=container, codec=codec, rate=44_100, pictures=None)
    assert "again" in refusal(lambda: decode_audio(Audio(cut(content, share)), RATE))
    assert "again" in refusal(lambda: decode_audio(Audio(cut(content, share), span=Span(9, 10)), RATE))


@pytest.mark.parametrize("content", [mp4(b"M4A "), mp4(b"isom"), b"\xff\xf1\x50\x80" + bytes(100), b"\x1aE\xdf\xa3"])
def test_damaged_containers_are_refused(content: bytes) -> None:
    assert "again" in refusal(lambda: decode_audio(Audio(content), RATE))
    assert "again" in refusal(lambda: film_of(content, "film", Limits()))


@pytest.mark.parametrize(
    ("content", "command"),
    [
        (mp4(b"M4A "), "ffmpeg -i in.m4a out.flac"),
        (mp4(b"isom"), "ffmpeg -i in.mp4 out.flac"),
        (b"\xff\xf1\x50\x80" + bytes(100), "ffmpeg -i in.aac out.flac"),
    ],
)
def test_without_the_extra_the_error_names_it(content: bytes, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    for decode in (lambda: decode_audio(Audio(content), RATE), lambda: decode_frame(content, "film", 0, Limits())):
        reason = refusal(decode)
        assert "pip install 'octant-search[video]'" in reason
        assert command in reason


def test_a_film_without_sound_is_no_sound() -> None:
    assert "has no sound" in refusal(lambda: decode_audio(Audio(film(1)), RATE))


# --- frames


def named(picture: PIL.Image.Image) -> str:
    """The colour of the middle of a frame."""
    middle = np.asarray(picture, int)[picture.height // 2, picture.width // 2]
    far = {name: int(np.abs(middle - np.asarray(PIL.Image.new("RGB", (1, 1), name))[0, 0]).sum()) for name in COLOURS}
    return min(far, key=lambda name: far[name])


@pytest.mark.parametrize(
    ("container", "codec"), [("mp4", "libx264"), ("mp4", "mpeg4"), ("webm", "libvpx"), ("matroska", "libx264")]
)
def test_a_frame_is_what_the_film_shows_at_that_second(container: str, codec: str, tmp_path: Path) -> None:
    content = film(8, container=container, pictures=codec)
    (tmp_path / "film").write_bytes(content)
    for second in (0, 0.95, 1, 3, 3.5, 3.95, 4, 7.9, 8):
        expected = COLOURS[min(7, int(second))]
        for source in (content, tmp_path / "film"):
            frame = decode_frame(source, "film", second, Limits())
            assert (frame.mode, frame.size, named(frame)) == ("RGB", (96, 64), expected), second


def test_a_film_says_what_it_is() -> None:
    assert film_of(film(8, chirp(8, 48_000)), "film", Limits()) == Film(8.0, 96, 64, True, True)
    assert film_of(film(2), "film", Limits()) == Film(2.0, 96, 64, False, True)
    sound = film_of(film(0, chirp(3, 44_100), container="ipod", rate=44_100, pictures=None), "film", Limits())
    assert (sound.has_picture, sound.has_sound, sound.width) == (False, True, 0)
    assert last_second(film(8), "film", Limits()) == 8


@pytest.mark.parametrize(
    ("turned", "corner"), [(0, (4, 4)), (90, (4, -4)), (180, (-4, -4)), (-90, (-4, 4)), (270, (-4, 4))]
)
def test_a_film_that_lies_on_its_side_is_set_upright(turned: int, corner: tuple[int, int]) -> None:
    content = film(4, turned=turned)
    frame = decode_frame(content, "film", 3, Limits())
    described = film_of(content, "film", Limits())
    assert frame.size == (described.width, described.height) == ((64, 96) if turned % 180 else (96, 64))
    grey = [place for place in ((4, 4), (4, -4), (-4, -4), (-4, 4)) if is_grey(frame, place)]
    assert grey == [corner]


def is_grey(frame: PIL.Image.Image, place: tuple[int, int]) -> bool:
    pixel = np.asarray(frame, int)[place[1], place[0]]
    return bool(np.abs(pixel - 128).max() < 20)


def test_frames_are_limited_and_must_be_there() -> None:
    content = film(4)
    message = "has 6,144 pixels, more than the limit of 6,000; shrink it or pass limits=Limits(pixels=...)"
    assert refusal(lambda: decode_frame(content, "film", 0, Limits(pixels=6000))) == message
    assert refusal(lambda: film_of(content, "film", Limits(pixels=6000))) == message
    assert "ends after 4.0 s and has no picture at 9.0 s" in refusal(lambda: decode_frame(content, "film", 9, Limits()))
    sound = film(0, chirp(1, 44_100), container="ipod", rate=44_100, pictures=None)
    assert "only sound" in refusal(lambda: decode_frame(sound, "film", 0, Limits()))
    assert "no film" in refusal(lambda: decode_frame(encoded_sound(tone()), "film", 0, Limits()))
    assert "begins like no film" in refusal(lambda: decode_frame(noise(), "film", 0, Limits()))


def test_nothing_is_written_to_the_terminal_and_nothing_else_is_opened(tmp_path: Path) -> None:
    (tmp_path / "cut.mp4").write_bytes(cut(film(8, chirp(8, 48_000)), 0.7))
    # what would be a playlist, were containers told by their content
    (tmp_path / "list.mp4").write_bytes(b"\0\0\0\x18ftypisom#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\ncut.mp4\n")
    code = (
        "import sys; from pathlib import Path; from octant.media import *; from octant.media.movie import *\n"
        "opened = []\n"
        "sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == 'open' else None)\n"
        "for name in ('cut.mp4', 'list.mp4'):\n"
        "    for read in (lambda p: decode_audio(Audio(p), 8000), lambda p: decode_frame(p, p, 7, Limits())):\n"
        f"        try: read(Path({str(tmp_path)!r}) / name)\n"
        "        except Exception as error: print(type(error).__name__)\n"
        f"print(sorted({{Path(name).name for name in opened if name.startswith({str(tmp_path)!r})}}))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stderr == ""
    assert run.stdout.split("\n")[:5] == ["MediaError"] * 4 + ["['cut.mp4', 'list.mp4']"]


_SEEDS = [
    film(1, chirp(1, 48_000)),
    film(0, chirp(0.5, 44_100), container="ipod", codec="alac", rate=44_100, pictures=None),
    film(1, chirp(1, 48_000), container="webm", pictures="libvpx", codec="libopus"),
    film(0, chirp(0.5, 44_100), container="adts", rate=44_100, pictures=None),
    film(1, chirp(0.5, 44_100), container="avi", pictures="mpeg4", codec="pcm_s16le", rate=44_100),
]


@pytest.mark.parametrize(
    ("layout", "codec", "container"),
    [("5.1", "aac", "mp4"), ("7.1", "aac", "mp4"), ("hexadecagonal", "aac", "mp4")],
)
def test_sounds_of_many_channels_are_heard(layout: str, codec: str, container: str) -> None:
    """By their mean, but for what an encoder leaves of a tone on the channel of the deepest ones."""
    content = surround(layout, codec, container)
    heard = decode_audio(Audio(content), 48_000)
    assert len(heard) == pytest.approx(48_000, abs=2100)
    assert 0.28 < np.std(heard[12_000:36_000]) < 0.39  # of a tone of 0.5 it is 0.35
    span = decode_audio(Audio(content, span=Span(0.25, 0.75)), 48_000)
    np.testing.assert_allclose(span, heard[12_000:36_000], atol=1e-4)


def broken(content: bytes, *places: tuple[int, int]) -> bytes:
    """Some bytes exchanged: places and what is there then."""
    changed = bytearray(content)
    for place, byte in places:
        changed[place] = byte
    return bytes(changed)


def unknown(*, pictures: bool, sound: bool) -> bytes:
    """A film of which no decoder is known for the pictures, or the sound: nobody has made up their kinds yet."""
    content = bytearray(film(1, chirp(0.5, 44_100), container="avi", pictures="mpeg4", codec="pcm_s16le", rate=44_100))
    if pictures:
        at = content.find(b"vidsFMP4") + 4
        content[at : at + 4] = b"QQQQ"
        at = content.find(b"FMP4", at)
        content[at : at + 4] = b"QQQQ"
    if sound:
        at = content.find(b"strf", content.find(b"auds")) + 8
        content[at : at + 2] = b"\x99\x77"
    return bytes(content)


def test_pictures_and_sounds_of_an_unknown_kind_are_told_as_such() -> None:
    said = "has {} of a kind that cannot be decoded; export it as MP4 or WebM"
    content = unknown(pictures=True, sound=False)
    assert refusal(lambda: decode_frame(content, "film", 0.5, Limits())) == said.format("pictures")
    assert refusal(lambda: film_of(content, "film", Limits())) == said.format("pictures")
    assert len(decode_audio(Audio(content, span=Span(0.2, 0.4)), 8000)) == 1600
    content = unknown(pictures=False, sound=True)
    assert decode_frame(content, "film", 0.5, Limits()).size == (96, 64)
    assert film_of(content, "film", Limits()).has_sound
    for span in (None, Span(0.2, 0.4)):
        assert said.format("sound") in refusal(lambda: decode_audio(Audio(content, span=span), 8000))  # noqa: B023


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid film with some bytes exchanged, and perhaps its end missing."""
    data = bytearray(draw(st.sampled_from(_SEEDS)))
    for _ in range(draw(st.integers(0, 6))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


@settings(max_examples=100, deadline=None)
@example(unknown(pictures=True, sound=True))
@example(broken(_SEEDS[3], (3, 246), (64, 64), (196, 231)))  # a frame of 62 channels, as its header says
@given(damaged())
def test_no_bytes_make_films_raise_anything_but_media_errors(content: bytes) -> None:
    limits = Limits(pixels=100_000, seconds=5)
    with suppress(MediaError):
        assert decode_frame(content, "film", 0.5, limits).mode == "RGB"
    with suppress(MediaError):
        assert film_of(content, "film", limits).seconds >= 0
    with suppress(MediaError):
        assert len(decode_audio(Audio(content, limits=limits), 8000)) <= 5.1 * 8000
    with suppress(MediaError):
        decode_audio(Audio(content, limits=limits, span=Span(0.2, 0.4)), 8000)


def test_every_kind_that_octant_cannot_decode_by_itself_names_the_extra() -> None:
    assert all("octant-search[video]" in reason and "ffmpeg" in reason for reason in UNDECODABLE.values())


def test_a_header_is_read_once_for_as_long_as_the_file_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, np.zeros(RATE * 2), RATE)
    os.utime(path, (1e9, 1e9))
    past = time.time() + 10  # what changed just now may change again within one tick of the clock
    monkeypatch.setattr(time, "time", lambda: past)
    monkeypatch.setattr(time, "time_ns", lambda: int(past * 1e9))
    read: list[Audio] = []
    opened = sound._read_header  # pyright: ignore[reportPrivateUsage]

    def counting(audio: Audio) -> sound.Header:
        read.append(audio)
        return opened(audio)

    monkeypatch.setattr(sound, "_read_header", counting)
    for _ in range(3):
        assert sound.header_of(Audio(path)).frames == RATE * 2
    assert len(read) == 1
    with pytest.raises(MediaError, match="seconds"):
        sound.header_of(Audio(path, limits=Limits(seconds=1)))
    soundfile.write(path, np.zeros(RATE * 3), RATE)
    assert sound.header_of(Audio(path)).frames == RATE * 3
    assert len(read) == 2
