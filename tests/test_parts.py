"""Parts of pictures and sounds: cut out as they are seen, described by themselves, and one file is hashed once."""

import hashlib
import io
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from bad_media import deep_grey, encoded_image, encoded_sound, photo, tone

from octant.errors import MediaError
from octant.media import (
    Audio,
    Frame,
    Image,
    Limits,
    Page,
    Region,
    Span,
    decode_image,
    describe,
    fingerprint,
    source,
    thumbnail,
)

REGIONS = [Region(0, 0, 96, 64), Region(0, 0, 1, 1), Region(95, 63, 1, 1), Region(10, 7, 33, 20), Region(40, 3, 50, 61)]


def refusal(decode: Callable[[], object]) -> str:
    with pytest.raises(MediaError) as caught:
        decode()
    return caught.value.reason


def motley(width: int = 96, height: int = 64) -> PIL.Image.Image:
    """A picture without any symmetry, and smooth, so that it looks alike at every scale."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    channels = (x * 200 + y * 50, y**2 * 255, (1 - x) * (0.2 + y * 0.8) * 255)
    return PIL.Image.fromarray(np.stack(channels, axis=2).astype(np.uint8))


def box(region: Region) -> tuple[int, int, int, int]:
    return region.left, region.top, region.left + region.width, region.top + region.height


def upright(region: Region, orientation: int) -> Region:
    """The same region of a picture of 64 x 96, where the orientation lays it on its side."""
    if orientation < 5:
        return region
    return Region(region.top, region.left, region.height, region.width)


# --- regions


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("at", REGIONS)
def test_a_region_is_a_crop_of_the_upright_image(kind: str, orientation: int, at: Region) -> None:
    content, region = encoded_image(motley(), kind, orientation=orientation), upright(at, orientation)
    expected = decode_image(Image(content)).crop(box(region))
    part = Image(content, part=region)
    decoded = decode_image(part)
    described = describe(part)
    assert decoded.mode == "RGB"
    assert decoded.size == (region.width, region.height) == (described.width, described.height)
    assert decoded.tobytes() == expected.tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("at", [Region(0, 0, 800, 600), Region(801, 603, 795, 391), Region(333, 111, 450, 450)])
@pytest.mark.parametrize("shortest", [30, 100, 190, 391])
def test_a_region_of_a_reduced_jpeg_is_the_same_place(orientation: int, at: Region, shortest: int) -> None:
    content = encoded_image(motley(1597, 997), "JPEG", orientation=orientation)
    region = upright(at, orientation)
    whole = decode_image(Image(content)).crop(box(region))
    small = decode_image(Image(content, part=region), shortest=shortest)
    least = min(region.width, region.height)
    divisor = next(n for n in (8, 4, 2, 1) if least // n >= shortest)
    assert min(small.size) >= shortest
    assert 0 <= small.width - region.width / divisor <= 2
    assert 0 <= small.height - region.height / divisor <= 2
    there = np.asarray(whole.resize(small.size, PIL.Image.Resampling.BOX), float)
    assert np.abs(np.asarray(small, float) - there).mean() < 2
    wrong = np.asarray(small.transpose(PIL.Image.Transpose.ROTATE_180), float)
    assert np.abs(wrong - there).mean() > 2  # else the line before could not fail


def test_a_small_region_of_a_large_jpeg_keeps_its_pixels() -> None:
    content = encoded_image(motley(1600, 1000), "JPEG")
    assert decode_image(Image(content), shortest=100).size == (200, 125)
    assert decode_image(Image(content, part=Region(5, 5, 150, 120)), shortest=100).size == (150, 120)
    assert decode_image(Image(content, part=Region(0, 0, 160, 80)), shortest=100).size == (160, 80)


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_deep_pixels_of_a_region_are_scaled_as_in_the_whole(mode: str) -> None:
    image = deep_grey(mode)
    region = Region(1, 1, image.width // 2, image.height // 3)
    whole = decode_image(Image(image)).crop(box(region))
    assert decode_image(Image(image, part=region)).tobytes() == whole.tobytes()


def test_pixels_in_memory_have_regions_too() -> None:
    region = Region(10, 7, 33, 20)
    expected = motley().crop(box(region)).tobytes()
    for pixels in (motley(), np.asarray(motley())):
        part = Image(pixels, part=region)
        assert decode_image(part).tobytes() == expected
        assert (describe(part).width, describe(part).height) == (33, 20)
        assert describe(part).fingerprint == fingerprint(part) != fingerprint(Image(pixels))


@pytest.mark.parametrize(
    "region", [Region(0, 0, 97, 64), Region(0, 0, 96, 65), Region(96, 0, 1, 1), Region(0, 500, 1, 1)]
)
def test_a_region_beyond_its_image_is_refused(region: Region) -> None:
    for given in (encoded_image(photo(), "JPEG"), photo(), np.asarray(photo())):
        part = Image(given, part=region)
        assert refusal(lambda part=part: decode_image(part)).startswith("is 96 x 64, and the region reaches beyond it")
        assert refusal(lambda part=part: describe(part)).startswith("is 96 x 64, and the region reaches beyond it")


def test_a_region_is_judged_upright() -> None:
    content = encoded_image(photo(), "JPEG", orientation=6)
    assert decode_image(Image(content, part=Region(0, 0, 64, 96))).size == (64, 96)
    assert "64 x 96" in refusal(lambda: decode_image(Image(content, part=Region(0, 0, 96, 64))))


def test_the_whole_image_is_measured_before_a_region_of_it_is_decoded() -> None:
    part = Image(encoded_image(photo(), "PNG"), Limits(pixels=6000), Region(0, 0, 2, 2))
    assert "6,144 pixels" in refusal(lambda: decode_image(part))
    assert "6,144 pixels" in refusal(lambda: describe(part))


def test_a_region_has_a_thumbnail() -> None:
    part = Image(encoded_image(photo(400, 200), "JPEG"), part=Region(0, 0, 200, 100))
    small = PIL.Image.open(io.BytesIO(thumbnail(part, 50)))
    assert small.size == (50, 25)
    assert np.asarray(small).mean(axis=(0, 1)).round(-1).tolist() == [250, 0, 0]


# --- pages and frames of what has none


@pytest.mark.parametrize("part", [Page(1), Frame(0.0)])
@pytest.mark.parametrize("given", [photo(), np.zeros((4, 4), np.uint8)])
def test_pixels_in_memory_have_neither_pages_nor_frames(part: Page | Frame, given: Any) -> None:
    assert "pixels in memory" in refusal(lambda: decode_image(Image(given, part=part)))
    assert "pixels in memory" in refusal(lambda: describe(Image(given, part=part)))


def test_a_frame_has_the_size_of_its_film(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as film:
        stream = film.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for n in range(30):
            shown = PIL.Image.new("RGB", (96, 64), ("red", "lime", "blue")[n // 10])
            film.mux(stream.encode(av.VideoFrame.from_image(shown)))
        film.mux(stream.encode())
    for second, colour in ((0.5, 0), (1.5, 1), (2.5, 2)):
        part = Image(path, part=Frame(second))
        decoded = np.asarray(decode_image(part)).mean(axis=(0, 1))
        assert int(decoded.argmax()) == colour
        described = describe(part)
        assert (described.mime, described.width, described.height) == ("video/mp4", 96, 64)
        assert described.bytes == path.stat().st_size
        assert described.fingerprint == fingerprint(part)
    assert "no picture at 9.0 s" in refusal(lambda: describe(Image(path, part=Frame(9))))
    assert len({fingerprint(Image(path, part=Frame(n))) for n in range(3)}) == 3


# --- fingerprints


def test_each_part_has_a_fingerprint_of_its_own_wherever_the_file_lies(tmp_path: Path) -> None:
    content = encoded_image(photo(), "PNG")
    (tmp_path / "a.png").write_bytes(content)
    (tmp_path / "b").write_bytes(content)
    parts = [None, Region(0, 0, 1, 1), Region(0, 0, 1, 2), Region(0, 0, 2, 1), Region(1, 0, 1, 1), Region(0, 1, 1, 1)]
    seen = [fingerprint(Image(content, part=part)) for part in parts]
    assert len(set(seen)) == len(parts)
    assert seen[0] == hashlib.sha256(content).hexdigest()
    for given in (tmp_path / "a.png", tmp_path / "b", content):
        assert [fingerprint(Image(given, part=part)) for part in parts] == seen
        assert [describe(Image(given, part=part)).fingerprint for part in parts] == seen


def test_parts_of_different_kinds_and_equal_numbers_differ() -> None:
    content = encoded_image(photo(), "PNG")
    assert fingerprint(Image(content, part=Page(1))) != fingerprint(Image(content, part=Frame(1)))
    assert fingerprint(Image(content, part=Frame(1))) == fingerprint(Image(content, part=Frame(1.0)))


# --- spans


def test_a_span_is_as_long_as_what_is_heard_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(encoded_sound(tone(3.0)))
    for given, rate in ((path, None), (path.read_bytes(), None), (tone(3.0), 16_000)):
        whole = describe(Audio(given, rate))
        inside = describe(Audio(given, rate, span=Span(0.5, 2)))
        across = describe(Audio(given, rate, span=Span(2, 12)))
        assert [whole.seconds, inside.seconds, across.seconds] == pytest.approx([3, 1.5, 1])
        assert (inside.mime, inside.bytes, inside.rate, inside.channels) == (
            *(whole.mime, whole.bytes, whole.rate, whole.channels),
        )
        assert len({whole.fingerprint, inside.fingerprint, across.fingerprint}) == 3
        assert inside.fingerprint == fingerprint(Audio(given, rate, span=Span(0.5, 2.0)))
        late = Audio(given, rate, span=Span(3, 4))
        assert "before" in refusal(lambda late=late: describe(late))


def test_of_a_long_sound_the_limit_is_for_the_span() -> None:
    content = encoded_sound(tone(3.0))
    assert describe(Audio(content, limits=Limits(seconds=1), span=Span(2, 3))).seconds == pytest.approx(1)
    assert "limit of 1 s" in refusal(lambda: describe(Audio(content, limits=Limits(seconds=1), span=Span(0, 2))))


# --- one file is read and hashed once


class Reads:
    """How many bytes of files are read, and how many are hashed whole."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bytes = self.hashed = 0
        digest, reads = hashlib.file_digest, self

        class Counting(io.FileIO):
            def readinto(self, buffer: Any, /) -> Any:
                read = super().readinto(buffer)
                reads.bytes += read or 0
                return read

        def counting(path: Path, mode: str, opener: Any) -> io.BufferedReader:
            return io.BufferedReader(Counting(path, mode, opener=opener))

        def hashing(file: Any, name: Any, /) -> Any:
            self.hashed += 1
            return digest(file, name)

        monkeypatch.setattr(source, "open", counting, raising=False)
        monkeypatch.setattr(hashlib, "file_digest", hashing)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds after every file was written."""
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 10)


def noisy(path: Path, seed: int = 0) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (1000, 1000, 3)).astype(np.uint8)
    PIL.Image.fromarray(pixels).save(path)
    return path


def tiles(path: Path) -> list[Image]:
    return [Image(path, part=Region(x * 10, y * 10, 10, 10)) for x in range(20) for y in range(15)]


@pytest.mark.usefixtures("later")
def test_three_hundred_parts_of_a_file_hash_it_once(tmp_path: Path, reads: Reads) -> None:
    path = noisy(tmp_path / "a.png")
    size = path.stat().st_size
    described = [describe(part).fingerprint for part in tiles(path)]
    assert len(set(described)) == 300
    assert reads.hashed == 1
    assert size <= reads.bytes < 4 * size
    assert [fingerprint(part) for part in tiles(path)] == described
    assert reads.hashed == 1


@pytest.mark.usefixtures("later")
def test_three_hundred_spans_of_a_sound_hash_it_once(tmp_path: Path, reads: Reads) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(encoded_sound(np.random.default_rng(0).uniform(-0.5, 0.5, 960_000)))
    size = path.stat().st_size
    seen = {describe(Audio(path, span=Span(n / 10, n / 10 + 1))).fingerprint for n in range(300)}
    assert len(seen) == 300
    assert reads.hashed == 1
    assert size <= reads.bytes < size + 300 * (64 << 10)  # and no more than headers besides


@pytest.mark.usefixtures("later")
def test_threads_share_what_was_hashed(tmp_path: Path, reads: Reads) -> None:
    path = noisy(tmp_path / "a.png")
    expected = fingerprint(Image(path))
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(fingerprint, [Image(path)] * 100)) == {expected}
    assert reads.hashed == 1


def test_a_file_that_changed_a_moment_ago_is_hashed_again(tmp_path: Path, reads: Reads) -> None:
    path = noisy(tmp_path / "a.png")
    for part in tiles(path)[:5]:
        describe(part)
    assert reads.hashed == 5


def test_what_was_hashed_too_early_is_not_trusted_later(
    tmp_path: Path, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have changed since, within one tick of the clock of its file system."""
    path = noisy(tmp_path / "a.png")
    now = time.time
    fingerprint(Image(path))
    monkeypatch.setattr(time, "time", lambda: now() + 10)
    fingerprint(Image(path))
    assert reads.hashed == 2
    fingerprint(Image(path))
    assert reads.hashed == 2


def test_a_time_in_the_future_is_not_trusted(tmp_path: Path, reads: Reads) -> None:
    path = noisy(tmp_path / "a.png")
    os.utime(path, (time.time() + 1000, time.time() + 1000))
    assert fingerprint(Image(path)) == fingerprint(Image(path))
    assert reads.hashed == 2


@pytest.mark.usefixtures("later")
def test_a_changed_file_is_hashed_again(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"before")
    assert fingerprint(Image(path)) == hashlib.sha256(b"before").hexdigest()
    path.write_bytes(b"behind")
    assert fingerprint(Image(path)) == hashlib.sha256(b"behind").hexdigest()


@pytest.mark.skipif(os.name != "posix", reason="Windows has no time of the last change of a file's times")
@pytest.mark.usefixtures("later")
def test_a_file_of_the_same_size_and_time_is_not_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"before")
    stamp = path.stat()
    assert fingerprint(Image(path)) == hashlib.sha256(b"before").hexdigest()
    time.sleep(0.02)  # the clock of a file system ticks slowly
    with open(path, "r+b") as file:
        file.write(b"behind")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert fingerprint(Image(path)) == hashlib.sha256(b"behind").hexdigest()


@pytest.mark.usefixtures("later")
def test_only_so_many_hashes_are_kept(tmp_path: Path, reads: Reads) -> None:
    first = tmp_path / "first"
    first.write_bytes(b"first")
    fingerprint(Image(first))
    for n in range(300):
        copy = tmp_path / str(n)
        shutil.copy(first, copy)
        fingerprint(Image(copy))
    fingerprint(Image(first))
    assert reads.hashed == 302
