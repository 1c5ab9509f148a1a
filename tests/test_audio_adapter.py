"""Sounds become windows that cover every sample; silence is left out aloud; transcripts and tags come along."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from bad_media import cut, encoded_image, encoded_sound, mp4, noise, photo, tone
from hypothesis import given
from hypothesis import strategies as st

from octant.adapters.acoustics import Levels, descriptors, loudness, sounding
from octant.adapters.adapter import File, Piece
from octant.adapters.audio import AudioAdapter, windows
from octant.encoding import Budget
from octant.errors import MediaError, MissingExtra
from octant.item import Skipped
from octant.media import Audio, Limits, Span, Text, decode_audio
from octant.media.signature import HEAD, mime_of

RATE = 16_000


def found(path: Path, limits: Limits | None = None) -> File:
    content = path.read_bytes()
    return File(path, content[:HEAD], mime_of(content[:HEAD]), len(content), limits or Limits())


def written(path: Path, content: bytes) -> File:
    path.write_bytes(content)
    return found(path)


def pieces(adapter: AudioAdapter, file: File, seconds: float | None = 10.0) -> list[Piece]:
    """All that becomes a point; nothing may be skipped."""
    given = list(adapter.pieces(file, Budget(seconds=seconds)))
    assert all(isinstance(piece, Piece) for piece in given), given
    return [piece for piece in given if isinstance(piece, Piece)]


def bounds(given: list[Piece]) -> list[tuple[float, float]]:
    return [(piece.metadata["start_second"], piece.metadata["end_second"]) for piece in given]


def refusal(read: Callable[[], object]) -> MediaError:
    with pytest.raises(MediaError) as caught:
        read()
    return caught.value


# --- windows


def test_a_sound_is_cut_as_long_as_its_encoder_hears(tmp_path: Path) -> None:
    file = written(tmp_path / "a.wav", encoded_sound(tone(25)))
    given = pieces(AudioAdapter(), file)
    assert bounds(given) == [(0, 10), (10, 20), (15, 25)]
    assert [piece.media for piece in given] == [{"audio": Audio(file.path, span=Span(*pair))} for pair in bounds(given)]
    assert bounds(pieces(AudioAdapter(window=20), file)) == [(0, 20), (5, 25)]
    assert bounds(pieces(AudioAdapter(overlap=3), file)) == [(0, 10), (7, 17), (14, 24), (15, 25)]


def test_what_is_short_enough_is_one_piece_and_not_cut(tmp_path: Path) -> None:
    file = written(tmp_path / "a.wav", encoded_sound(tone(9)))
    for adapter, seconds in ((AudioAdapter(), 10.0), (AudioAdapter(), None), (AudioAdapter(window=9), 2.0)):
        assert pieces(adapter, file, seconds) == [Piece({"audio": Audio(file.path)})]
    assert pieces(AudioAdapter(), written(tmp_path / "b.wav", encoded_sound(tone(10.05)))) == [
        Piece({"audio": Audio(tmp_path / "b.wav")})
    ]


@given(st.integers(1, 4_000_000), st.sampled_from([8000, 44_100, 48_000]), st.floats(0.2, 60), st.floats(0, 0.95))
def test_windows_cover_every_sample(samples: int, own: int, window: float, share: float) -> None:
    seconds = samples / own
    spans = windows(seconds, window, share * window)
    starts = [round(span.start * own) for span in spans]
    ends = [round(span.end * own) for span in spans]
    assert (starts[0], ends[-1]) == (0, samples)
    assert all(start <= end for end, start in zip(ends, starts[1:], strict=False))
    assert starts == sorted(set(starts)) or window * own < 1
    longest = window + 0.1 + 1e-5
    assert all(span.end - span.start <= longest for span in spans)
    assert len(spans) == 1 or all(span.end - span.start >= window - 1e-5 for span in spans)


def test_every_window_can_be_decoded_and_they_are_the_sound(tmp_path: Path) -> None:
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 31 * RATE).astype(np.float32)
    file = written(tmp_path / "a.wav", encoded_sound(wave, subtype="FLOAT"))
    covered = np.zeros(len(wave), bool)
    for piece in pieces(AudioAdapter(), file):
        audio = piece.media["audio"]
        assert isinstance(audio, Audio)
        assert audio.span is not None
        start = round(audio.span.start * RATE)
        samples = decode_audio(audio, RATE)
        assert np.array_equal(samples, wave[start : start + len(samples)])
        covered[start : start + len(samples)] = True
    assert covered.all()


def test_what_is_cut_may_be_longer_than_the_limit_and_what_is_not_may_not(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(encoded_sound(tone(60)))
    file = found(tmp_path / "a.wav", Limits(seconds=20))
    assert len(pieces(AudioAdapter(), file)) == 6
    error = refusal(lambda: pieces(AudioAdapter(), file, None))
    assert (error.media, "lasts 60 s" in error.reason) == (file.path, True)
    assert "lasts 60 s" in refusal(lambda: pieces(AudioAdapter(split_at_silence=True), file)).reason


def test_options_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    for options in ({"window": 0}, {"window": -1.0}, {"overlap": -1}, {"window": 5, "overlap": 5}):
        with pytest.raises(ValueError, match="window"):
            AudioAdapter(**options)  # pyright: ignore[reportArgumentType]
    file = written(tmp_path / "a.wav", encoded_sound(tone(25)))
    with pytest.raises(ValueError, match="overlap"):
        pieces(AudioAdapter(overlap=10), file)


# --- kinds


@pytest.mark.parametrize(
    ("name", "content", "taken"),
    [
        ("a.wav", encoded_sound(tone()), True),
        ("a.dat", encoded_sound(tone()), True),
        ("a.jpg", encoded_sound(tone()), True),
        ("a.m4a", mp4(b"M4A "), True),
        ("a.m4a", mp4(b"isom"), True),
        ("a.mp4", mp4(b"isom"), False),
        ("a.wmv", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", False),
        ("a.wma", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", True),
        ("a.wav", encoded_image(photo(), "PNG"), False),
        ("a.mp3", noise(), True),
        ("a.wav", b"%PDF-1.7", True),
        ("a.bin", noise(), False),
    ],
)
def test_bytes_and_then_names_tell_a_sound(name: str, content: bytes, taken: bool, tmp_path: Path) -> None:
    assert AudioAdapter().takes(written(tmp_path / name, content)) is taken


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (noise(), "begins like no sound"),
        (b"%PDF-1.7", "PDF"),
        (cut(encoded_sound(tone(30))), "again"),
        (cut(encoded_sound(np.random.default_rng(0).uniform(-0.5, 0.5, 30 * RATE), kind="FLAC")), "cut off"),
        (cut(encoded_sound(tone(60), kind="MP3")), "cut off"),
    ],
)
def test_what_is_damaged_is_refused_by_its_path_before_it_is_cut(content: bytes, reason: str, tmp_path: Path) -> None:
    file = written(tmp_path / "a.wav", content)
    error = refusal(lambda: pieces(AudioAdapter(), file))
    assert error.media == file.path
    assert reason in error.reason


# --- silence


def pauses(*parts: tuple[float, float]) -> np.ndarray[Any, Any]:
    """A tone of given amplitudes: (seconds, amplitude) one after another."""
    return np.concatenate([tone(seconds) * 2 * amplitude for seconds, amplitude in parts])


def test_silent_windows_are_left_out_and_reported(tmp_path: Path) -> None:
    file = written(tmp_path / "a.wav", encoded_sound(pauses((10, 0.5), (20, 0.0), (10, 0.5))))
    given = list(AudioAdapter(skip_silence=-60).pieces(file, Budget(seconds=10)))
    kept = [piece for piece in given if isinstance(piece, Piece)]
    assert bounds(kept) == [(0, 10), (30, 40)]
    assert kept[0].metadata["loudness"] == pytest.approx(-9.03, abs=0.05)
    reason = "is quieter than -60 dBFS in 2 of 4 pieces, which were left out: 10 to 20 s, 20 to 30 s"
    assert given[2:] == [Skipped(str(file.path), reason)]
    assert len(pieces(AudioAdapter(), file)) == 4
    assert "loudness" not in pieces(AudioAdapter(), file)[0].metadata


def test_a_silent_file_is_skipped_once_and_says_so(tmp_path: Path) -> None:
    file = written(tmp_path / "a.wav", encoded_sound(np.zeros(30 * RATE, np.float32)))
    reason = "is quieter than -60 dBFS throughout"
    assert list(AudioAdapter(skip_silence=-60).pieces(file, Budget(seconds=10))) == [Skipped(str(file.path), reason)]


def test_loudness_is_measured_in_one_pass_as_of_the_samples(tmp_path: Path) -> None:
    wave = pauses((1.234, 0.5), (0.777, 0.01), (3.3, 0.2))
    (tmp_path / "a.wav").write_bytes(encoded_sound(wave, subtype="FLOAT"))
    levels = Levels(Audio(tmp_path / "a.wav"))
    for span in (Span(0, 1), Span(0.5, 2), Span(1.5, 1.9), Span(0, 5.311), Span(5, 9)):
        part = wave[round(span.start * RATE) : round(span.end * RATE)]
        assert levels.of(span) == pytest.approx(loudness(part), abs=0.1)
    assert loudness(np.ones(100, np.float32)) == 0
    assert loudness(np.zeros(100, np.float32)) == -120
    assert loudness(tone()) == pytest.approx(-9.03, abs=0.01)


def test_a_sound_is_split_at_its_pauses(tmp_path: Path) -> None:
    pytest.importorskip("librosa")
    wave = pauses((2, 0.5), (1, 0.0), (1, 0.3), (0.2, 0.0), (1, 0.3), (2, 0.0), (13, 0.5))
    file = written(tmp_path / "a.wav", encoded_sound(wave))
    given = pieces(AudioAdapter(split_at_silence=True), file)
    expected = [(0, 2), (3, 5.2), (7.2, 17.2), (10.2, 20.2)]
    assert np.abs(np.array(bounds(given)) - expected).max() < 0.1
    assert len(bounds(given)) == len(expected)
    spans = sounding(wave, RATE)
    assert [round(span.end - span.start) for span in spans] == [2, 2, 13]


# --- what is known about it


@dataclass(frozen=True)
class Writer:
    identity: str = "writer@1"

    def __call__(self, audio: Audio) -> str:
        return "" if audio.span is None or audio.span.start == 0 else f" from {audio.span.start:g} s\n"


def test_what_is_said_becomes_a_text_beside_the_sound(tmp_path: Path) -> None:
    file = written(tmp_path / "a.wav", encoded_sound(tone(20)))
    first, second = pieces(AudioAdapter(transcribe=Writer()), file)
    assert list(first.media) == ["audio"]
    assert second.media == {"audio": Audio(file.path, span=Span(10, 20)), "transcript": Text("from 10 s")}


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_tags_come_along(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    with soundfile.SoundFile(path, "w", RATE, 1, format=kind) as out:
        out.title, out.artist, out.album = "Regen", "Wetter", " "
        out.write(tone(12))
    for piece in pieces(AudioAdapter(), found(path)):
        assert {"title": "Regen", "artist": "Wetter"}.items() <= piece.metadata.items()
        assert "album" not in piece.metadata


def test_tags_of_m4a_come_along(tmp_path: Path) -> None:
    pytest.importorskip("av")
    from moving_media import chirp, film

    tags = {"title": "Regen", "artist": "Wetter", "album": "Laut"}
    content = film(0, chirp(12, 44_100), container="ipod", rate=44_100, pictures=None, tags=tags)
    given = pieces(AudioAdapter(), written(tmp_path / "a.m4a", content))
    assert [{**piece.metadata} for piece in given] == [
        {**tags, "start_second": 0, "end_second": 10},
        {**tags, "start_second": pytest.approx(2, abs=0.01), "end_second": pytest.approx(12, abs=0.01)},
    ]


def test_descriptors_tell_sounds_apart(tmp_path: Path) -> None:
    pytest.importorskip("librosa")
    clicks = np.zeros(8 * RATE, np.float32)
    for beat in range(16):  # 120 a minute
        clicks[beat * RATE // 2 : beat * RATE // 2 + 800] = tone(0.05, hertz=1000)
    rng = np.random.default_rng(0)
    sounds = {"low": tone(4, hertz=220), "high": tone(4, hertz=880), "hiss": rng.uniform(-0.3, 0.3, 4 * RATE)}
    measured: dict[str, Any] = {}
    for name, wave in {**sounds, "clicks": clicks, "none": np.zeros(RATE), "short": tone(0.02)}.items():
        (piece,) = pieces(AudioAdapter(descriptors=True), written(tmp_path / name, encoded_sound(wave)))
        measured[name] = piece.metadata
    assert measured["low"]["pitch"] == pytest.approx(220, rel=0.02)
    assert measured["high"]["pitch"] == pytest.approx(880, rel=0.02)
    assert measured["clicks"]["tempo"] == pytest.approx(120, rel=0.05)
    assert measured["clicks"]["onsets"] == pytest.approx(2, abs=0.3)
    for name in ("brightness", "bandwidth", "flatness", "zero_crossings"):
        assert measured["low"][name] < measured["hiss"][name]
    assert measured["low"]["loudness"] == pytest.approx(-9.03, abs=0.1)
    assert measured["low"]["brightness"] == pytest.approx(220, rel=0.3)
    assert measured["none"] == {"loudness": -120}
    assert all(isinstance(value, float) for facts in measured.values() for value in facts.values())


def test_without_librosa_its_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "librosa", None)
    file = written(tmp_path / "a.wav", encoded_sound(tone(2)))
    for adapter in (AudioAdapter(descriptors=True), AudioAdapter(split_at_silence=True)):
        with pytest.raises(MissingExtra, match=r"octant-search\[audio\]"):
            pieces(adapter, file)
    with pytest.raises(MissingExtra):
        descriptors(tone(), RATE)


def test_the_identity_holds_every_option() -> None:
    adapters = [
        AudioAdapter(),
        AudioAdapter(window=5),
        AudioAdapter(overlap=1),
        AudioAdapter(skip_silence=-60),
        AudioAdapter(split_at_silence=True),
        AudioAdapter(descriptors=True),
        AudioAdapter(transcribe=Writer()),
        AudioAdapter(transcribe=Writer("writer@2")),
    ]
    assert len({adapter.identity for adapter in adapters}) == len(adapters)
    assert AudioAdapter(window=5).identity == AudioAdapter(window=5).identity
