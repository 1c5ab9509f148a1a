"""Films become frames every few seconds and windows of their sound, by reference."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_media import cut, mp4
from moving_media import chirp, film

from octant.adapters.adapter import File, Piece
from octant.adapters.audio import AudioAdapter
from octant.adapters.video import VideoAdapter
from octant.encoding import Budget
from octant.errors import MediaError
from octant.item import Skipped
from octant.media import Audio, Frame, Image, Limits, Span, decode_audio, decode_image
from octant.media.signature import HEAD, mime_of


def written(path: Path, content: bytes, limits: Limits | None = None) -> File:
    path.write_bytes(content)
    return File(path, content[:HEAD], mime_of(content[:HEAD]), len(content), limits or Limits())


def pieces(adapter: VideoAdapter, file: File, seconds: float | None = 10.0) -> list[Piece]:
    given = list(adapter.pieces(file, Budget(seconds=seconds)))
    assert all(isinstance(piece, Piece) for piece in given), given
    return [piece for piece in given if isinstance(piece, Piece)]


def refusal(read: Callable[[], object]) -> MediaError:
    with pytest.raises(MediaError) as caught:
        read()
    return caught.value


def test_a_film_becomes_frames_and_windows_of_its_sound(tmp_path: Path) -> None:
    file = written(tmp_path / "film.mp4", film(12, chirp(12, 48_000)))
    given = pieces(VideoAdapter(), file)
    images = [Piece({"image": Image(file.path, part=Frame(s))}, {"second": s}) for s in (0, 5, 10)]
    sounds = [
        Piece({"audio": Audio(file.path, span=Span(*b))}, {"start_second": b[0], "end_second": b[1]})
        for b in ((0, 10), (2, 12))
    ]
    assert given == [*images, *sounds]
    for piece in given:
        for medium in piece.media.values():
            assert decode_image(medium).size == (96, 64) if isinstance(medium, Image) else True
            assert len(decode_audio(medium, 8000)) == 80_000 if isinstance(medium, Audio) else True


@pytest.mark.parametrize(("every", "count"), [(1, 12), (2.5, 5), (5, 3), (11.9, 2), (12, 1), (60, 1), (0.1, 120)])
def test_frames_are_taken_every_so_many_seconds_and_all_can_be_seen(every: float, count: int, tmp_path: Path) -> None:
    given = pieces(VideoAdapter(every=every), written(tmp_path / "film.mp4", film(12)))
    assert [piece.metadata["second"] for piece in given] == pytest.approx([every * n for n in range(count)])
    last = given[-1].media["image"]
    assert isinstance(last, Image)
    assert decode_image(last).mode == "RGB"


def test_films_without_sound_or_without_pictures(tmp_path: Path) -> None:
    silent = written(tmp_path / "silent.mp4", film(6))
    assert [list(piece.media) for piece in pieces(VideoAdapter(), silent)] == [["image"]] * 2
    sound = film(0, chirp(12, 48_000), pictures=None)
    heard = pieces(VideoAdapter(), written(tmp_path / "sound.mp4", sound))
    assert [list(piece.media) for piece in heard] == [["audio"]] * 2
    deaf = list(VideoAdapter(sound=False).pieces(written(tmp_path / "deaf.mp4", sound), Budget()))
    assert [type(one) for one in deaf] == [Skipped]
    both = written(tmp_path / "both.mp4", film(6, chirp(6, 48_000)))
    assert [list(piece.media) for piece in pieces(VideoAdapter(sound=False), both)] == [["image"]] * 2


def test_the_sound_is_cut_by_the_window_or_not_at_all(tmp_path: Path) -> None:
    file = written(tmp_path / "film.mp4", film(6, chirp(6, 48_000)))

    def spans(adapter: VideoAdapter, seconds: float | None) -> list[tuple[float, float]]:
        given = [piece.metadata for piece in pieces(adapter, file, seconds) if "audio" in piece.media]
        return [(known["start_second"], known["end_second"]) for known in given]

    assert spans(VideoAdapter(), None) == [(0, 6)]
    assert spans(VideoAdapter(), 3) == [(0, 3), (3, 6)]
    assert spans(VideoAdapter(window=4), 3) == [(0, 4), (2, 6)]


def test_long_films_are_refused_with_a_remedy(tmp_path: Path) -> None:
    file = written(tmp_path / "film.mp4", film(12), Limits(seconds=10))
    error = refusal(lambda: pieces(VideoAdapter(), file))
    assert error.media == file.path
    assert error.reason.startswith("lasts 12 s, more than the limit of 10 s; ")
    assert "Limits(seconds=...)" in error.reason
    large = written(tmp_path / "large.mp4", film(12), Limits(pixels=100))
    assert "pixels" in refusal(lambda: pieces(VideoAdapter(), large)).reason


@pytest.mark.parametrize("container", ["mp4", "webm", "matroska", "avi"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_a_film_that_is_cut_off_is_refused_by_its_path(container: str, share: float, tmp_path: Path) -> None:
    pictures, codec = {"webm": ("libvpx", "libopus"), "avi": ("mpeg4", "pcm_s16le")}.get(container, ("libx264", "aac"))
    content = film(20, chirp(20, 48_000), container=container, pictures=pictures, codec=codec)
    file = written(tmp_path / "film", cut(content, share))
    error = refusal(lambda: pieces(VideoAdapter(), file))
    assert (error.media, "again" in error.reason) == (file.path, True)


def test_a_header_that_promises_too_much_makes_no_frames_of_nothing(tmp_path: Path) -> None:
    content = bytearray(film(8, container="matroska"))
    place = content.find(b"\x44\x89\x88") + 3  # Matroska: Duration, a float of 8 bytes, in milliseconds
    assert struct.unpack(">d", content[place : place + 8])[0] == pytest.approx(8000)
    content[place : place + 8] = struct.pack(">d", 600_000)
    file = written(tmp_path / "film.mkv", bytes(content))
    assert "is cut off after 8.0 of 600.0 s" in refusal(lambda: pieces(VideoAdapter(), file)).reason
    content[place : place + 8] = struct.pack(">d", 1e12)
    file = written(tmp_path / "film.mkv", bytes(content))
    assert "more than the limit" in refusal(lambda: pieces(VideoAdapter(), file)).reason


def test_a_header_that_promises_too_little_is_not_believed(tmp_path: Path) -> None:
    content = bytearray(film(8, container="matroska"))
    place = content.find(b"\x44\x89\x88") + 3
    content[place : place + 8] = struct.pack(">d", 2000)
    given = pieces(VideoAdapter(every=1), written(tmp_path / "film.mkv", bytes(content)))
    assert len(given) == 8


@pytest.mark.parametrize(
    ("name", "content", "film_taken", "sound_taken"),
    [
        ("a.mp4", mp4(b"isom"), True, False),
        ("a", mp4(b"isom"), True, False),
        ("a.m4a", mp4(b"isom"), False, True),
        ("a.mp4", mp4(b"M4A "), False, True),
        ("a.webm", b"\x1aE\xdf\xa3", True, False),
        ("a.weba", b"\x1aE\xdf\xa3", False, True),
        ("a.wmv", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", True, False),
        ("a.wma", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", False, True),
        ("a.mp4", b"\x8b\x00\x01", True, False),
        ("a.mp4", b"%PDF-1.7", True, False),
        ("a.mp4", b"\x89PNG\r\n\x1a\n", False, False),
    ],
)
def test_every_container_has_one_adapter(
    name: str, content: bytes, film_taken: bool, sound_taken: bool, tmp_path: Path
) -> None:
    file = written(tmp_path / name, content)
    assert (VideoAdapter().takes(file), AudioAdapter().takes(file)) == (film_taken, sound_taken)


def test_what_is_no_film_is_refused(tmp_path: Path) -> None:
    assert (
        "begins like no film" in refusal(lambda: pieces(VideoAdapter(), written(tmp_path / "a.mp4", b"\x8b\1"))).reason
    )
    assert "PDF" in refusal(lambda: pieces(VideoAdapter(), written(tmp_path / "a.mp4", b"%PDF-1.7"))).reason
    assert "empty" in refusal(lambda: pieces(VideoAdapter(), written(tmp_path / "a.mp4", b""))).reason


def test_without_the_extra_a_film_is_skipped_and_says_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    (one,) = VideoAdapter().pieces(written(tmp_path / "a.mp4", film(1)), Budget())
    assert isinstance(one, Skipped)
    assert "pip install 'octant-search[video]'" in one.reason


def test_options_are_checked_and_make_the_identity() -> None:
    for options in ({"every": 0}, {"every": -1.0}, {"window": 0}):
        with pytest.raises(ValueError, match="0"):
            VideoAdapter(**options)  # pyright: ignore[reportArgumentType]
    adapters = [VideoAdapter(), VideoAdapter(every=1), VideoAdapter(sound=False), VideoAdapter(window=3)]
    assert len({adapter.identity for adapter in adapters}) == 4
