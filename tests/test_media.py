"""Media: taken by reference, decoded once, upright, in one form, within limits; refused with a remedy."""

import base64
import io
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import soundfile
import soxr  # pyright: ignore[reportMissingTypeStubs]
from bad_media import (
    cut,
    deep_grey,
    encoded_image,
    encoded_sound,
    mp4,
    nan_wav,
    noise,
    palette,
    photo,
    pixel_bomb,
    png,
    profile_bomb,
    sixteen_minutes,
    streamed_wav,
    text_bomb,
    tone,
    unknown_length_flac,
    wide_flac_claim,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from octant.errors import MediaError
from octant.media import (
    Audio,
    Image,
    Limits,
    Media,
    Modality,
    Text,
    data_url,
    decode_audio,
    decode_image,
    describe,
    fingerprint,
    thumbnail,
)

PIL.Image.init()
AVIF = ["AVIF"] if "AVIF" in PIL.Image.SAVE else []
"""Pillow reads it since 11.3, where it is built with it."""

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def refusal(decode: Callable[[], object]) -> str:
    with pytest.raises(MediaError) as caught:
        decode()
    return caught.value.reason


def corners(image: PIL.Image.Image) -> list[tuple[int, ...]]:
    """Colours near the corners, clockwise from the top left, rounded to 0 or 255."""
    right, bottom = image.width - 3, image.height - 3
    places = ((2, 2), (right, 2), (right, bottom), (2, bottom))
    pixels = np.asarray(image)
    return [tuple(int(v > 127) * 255 for v in pixels[y, x]) for x, y in places]


# --- references


def test_importing_media_loads_no_library() -> None:
    heavy = ["numpy", "PIL", "soundfile", "soxr"]
    code = f"import sys, octant.media; sys.exit(any(name in sys.modules for name in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_string_is_never_taken_for_a_path() -> None:
    source: Any = "photo.jpg"
    with pytest.raises(TypeError, match=r"write Image\(Path\(\.\.\.\)\)"):
        Image(source)
    with pytest.raises(TypeError, match=r"write Audio\(Path\(\.\.\.\)\)"):
        Audio(source)
    path: Any = Path("letter.txt")
    with pytest.raises(TypeError, match="read_text"):
        Text(path)


def test_samples_need_a_rate_and_files_have_their_own() -> None:
    with pytest.raises(TypeError, match="rate="):
        Audio(tone())
    with pytest.raises(TypeError, match="own rate"):
        Audio(b"RIFF", rate=16_000)
    rate: Any = 16_000.0
    with pytest.raises(TypeError, match="int"):
        Audio(tone(), rate=rate)
    with pytest.raises(ValueError, match="positive"):
        Audio(tone(), rate=0)


def test_references_are_equal_by_path_and_bytes_and_by_identity_in_memory() -> None:
    pixels = np.zeros((4, 4), np.uint8)
    assert Image(Path("a")) == Image(Path("a")) != Image(Path("b"))
    assert Image(b"a") == Image(b"a")
    assert Image(pixels) == Image(pixels) != Image(pixels.copy())
    assert Audio(pixels, rate=1) != Audio(pixels, rate=2)
    assert len({Image(Path("a")), Image(Path("a")), Image(pixels), Image(pixels)}) == 2
    unequal: object = Audio(b"a")
    assert Image(b"a") != unequal


def test_references_print_short() -> None:
    assert repr(Image(bytes(2048))) == "Image(<2,048 bytes>)"
    assert repr(Image(photo())) == "Image(<RGB 96 x 64>)"
    assert repr(Audio(tone(), rate=16_000)) == "Audio(<float32 16000>, rate=16000)"
    assert len(repr(Text("wheat " * 10_000))) < 80
    assert [Text("").modality, Image(b"").modality, Audio(b"").modality] == list(Modality)


# --- data URLs


@pytest.mark.parametrize(
    "written", ["image/png;base64", "image/png;name=a.png;BASE64", "application/octet-stream;base64"]
)
def test_a_base64_data_url_holds_its_bytes(written: str) -> None:
    content = encoded_image(photo(), "PNG")
    url = f"data:{written},{base64.b64encode(content).decode()}"
    assert Image.from_data_url(url) == Image(content)
    assert decode_image(Image.from_data_url(data_url("image/png", content))).size == (96, 64)


def test_a_percent_encoded_data_url_holds_its_bytes() -> None:
    assert Audio.from_data_url("data:audio/wav,%52IFF%00%ff") == Audio(b"RIFF\x00\xff")


@pytest.mark.parametrize(
    "url",
    [
        "photo.png",
        "http://example.org/photo.png",
        "data:image/png;base64",
        "data:,hello",
        "data:;base64,aaaa",
        "data:text/plain;base64,aaaa",
        "data:audio/wav;base64,aaaa",
        "data:image/png;base64;name=a,aaaa",
        "data:image/png;base64,aaa",
        "data:image/png;base64,aa aa",
        "data:image/png;base64,aa==aa==",
        "data:image/png;base64,ää==",
        "data:image/png,%zz",
        "data:image/png,ä",
    ],
)
def test_a_malformed_data_url_is_refused(url: str) -> None:
    assert refusal(lambda: Image.from_data_url(url))


def test_a_data_url_is_measured_before_it_is_decoded() -> None:
    small = Limits(bytes=100)
    url = data_url("image/png", bytes(101))
    assert "101 bytes" in refusal(lambda: Image.from_data_url(url, limits=small))
    assert "101 bytes" in refusal(lambda: Image.from_data_url("data:image/png," + "%00" * 101, limits=small))
    assert Image.from_data_url(data_url("image/png", bytes(100)), limits=small).source == bytes(100)


# --- images


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000", "PPM", *AVIF])
def test_every_image_format_becomes_the_same_rgb(kind: str, tmp_path: Path) -> None:
    content = encoded_image(photo(), kind)
    (tmp_path / "file").write_bytes(content)
    for image in (Image(content), Image(tmp_path / "file")):
        decoded = decode_image(image)
        assert (decoded.mode, decoded.size) == ("RGB", (96, 64))
        assert corners(decoded) == [RED, GREEN, WHITE, BLUE]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", *AVIF])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    upright = {
        1: [RED, GREEN, WHITE, BLUE],
        2: [GREEN, RED, BLUE, WHITE],
        3: [WHITE, BLUE, RED, GREEN],
        4: [BLUE, WHITE, GREEN, RED],
        5: [RED, BLUE, WHITE, GREEN],
        6: [BLUE, RED, GREEN, WHITE],
        7: [WHITE, GREEN, RED, BLUE],
        8: [GREEN, WHITE, BLUE, RED],
    }
    image = Image(encoded_image(photo(), kind, orientation=orientation))
    decoded = decode_image(image)
    described = describe(image)
    assert corners(decoded) == upright[orientation]
    assert decoded.size == (described.width, described.height) == ((96, 64) if orientation < 5 else (64, 96))


@pytest.mark.parametrize("value", [0, 9, 65_535])
def test_an_impossible_orientation_is_left_alone(value: int) -> None:
    assert decode_image(Image(encoded_image(photo(), "JPEG", orientation=value))).size == (96, 64)


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "YCbCr", "HSV", "RGBA", "LA", "RGBX", "I", "F", "RGB"])
def test_every_mode_becomes_rgb_without_touching_the_original(mode: str) -> None:
    source = photo().convert(mode)
    before = source.tobytes()
    decoded = decode_image(Image(source))
    assert (decoded.mode, decoded.size, source.mode, source.tobytes()) == ("RGB", (96, 64), mode, before)
    assert np.abs(np.asarray(decoded.convert("L"), float) - np.asarray(photo().convert("L"), float)).mean() < 3


def test_one_bit_is_black_or_white() -> None:
    assert corners(decode_image(Image(PIL.Image.new("1", (8, 8), 1)))) == [WHITE] * 4


def test_cmyk_files_keep_their_colours() -> None:
    assert corners(decode_image(Image(encoded_image(photo().convert("CMYK"), "JPEG")))) == [RED, GREEN, WHITE, BLUE]


@pytest.mark.parametrize(("mode", "kind"), [("I;16", "PNG"), ("I;16", "TIFF"), ("I", "TIFF"), ("F", "TIFF")])
def test_deep_pixels_are_scaled_and_not_clipped(mode: str, kind: str) -> None:
    for image in (Image(deep_grey(mode)), Image(encoded_image(deep_grey(mode), kind))):
        decoded = np.asarray(decode_image(image), int)[:, :, 0].ravel()
        assert np.abs(decoded - np.linspace(0, 255, decoded.size)).max() <= 1


def test_deep_pixels_beyond_the_usual_ranges_are_scaled_by_their_own() -> None:
    ramp = np.linspace(-1000, 1e6, 4096).reshape(64, 64).astype(np.float32)
    decoded = np.asarray(decode_image(Image(PIL.Image.fromarray(ramp))))
    assert (decoded.min(), decoded.max()) == (0, 255)
    assert np.asarray(decode_image(Image(PIL.Image.new("I", (4, 4), -5)))).max() == 0
    assert "NaN" in refusal(lambda: decode_image(Image(PIL.Image.new("F", (4, 4), float("nan")))))


@pytest.mark.parametrize(("mode", "clear"), [("RGBA", (0, 0, 0, 0)), ("LA", (0, 0)), ("PA", (0, 0)), ("La", (0, 0))])
def test_transparency_lies_on_white(mode: str, clear: tuple[int, ...]) -> None:
    assert set(corners(decode_image(Image(PIL.Image.new(mode, (8, 8), clear))))) == {WHITE}
    half = PIL.Image.new("RGBA", (8, 8), (0, 0, 0, 128))
    assert decode_image(Image(half)).getpixel((0, 0)) == (127, 127, 127)


def test_transparent_palettes_lie_on_white() -> None:
    opaque = decode_image(Image(palette()))
    assert corners(opaque) == [RED, GREEN, WHITE, BLUE]
    index = photo().quantize(4).getpixel((2, 2))
    assert isinstance(index, int)
    one = decode_image(Image(palette(index)))
    assert corners(one) == [WHITE, GREEN, WHITE, BLUE]
    several = decode_image(Image(palette(bytes(0 if i == index else 255 for i in range(4)))))
    assert corners(several) == [WHITE, GREEN, WHITE, BLUE]


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    assert corners(decode_image(Image(encoded_image(photo(), kind, frames=3)))) == [RED, GREEN, WHITE, BLUE]


def test_a_large_jpeg_is_decoded_at_a_fraction_of_its_size() -> None:
    image = Image(encoded_image(photo(1600, 1000), "JPEG", orientation=6))
    assert decode_image(image, shortest=224).size == (250, 400)
    assert decode_image(image, shortest=251).size == (500, 800)
    assert decode_image(image, shortest=5000).size == decode_image(image).size == (1000, 1600)
    assert decode_image(Image(encoded_image(photo(1600, 1000), "PNG")), shortest=224).size == (1600, 1000)
    assert corners(decode_image(image, shortest=224)) == [BLUE, RED, GREEN, WHITE]


def test_a_thumbnail_is_small_and_keeps_its_shape() -> None:
    small = PIL.Image.open(io.BytesIO(thumbnail(Image(encoded_image(photo(1600, 1000), "JPEG", orientation=6)), 128)))
    assert (small.format, small.size) == ("WEBP", (80, 128))
    assert corners(small) == [BLUE, RED, GREEN, WHITE]
    tiny = PIL.Image.open(io.BytesIO(thumbnail(Image(photo(40, 30)), 128)))
    assert tiny.size == (40, 30)
    thin = PIL.Image.open(io.BytesIO(thumbnail(Image(photo(20_000, 1)), 128)))
    assert thin.size == (128, 1)
    noisy = np.random.default_rng(0).integers(0, 256, (2000, 2000, 3)).astype(np.uint8)
    assert len(thumbnail(Image(noisy), 256)) < 100_000
    with pytest.raises(ValueError, match="2048"):
        thumbnail(Image(photo()), 10_000)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64", "float16"])
@pytest.mark.parametrize("channels", [None, 1, 3, 4])
def test_arrays_are_images(dtype: str, channels: int | None) -> None:
    unit = np.linspace(0, 1, 48 * 64).reshape(48, 64)
    array = unit if channels is None else np.repeat(unit[:, :, None], channels, axis=2)
    if channels == 4:
        array[:, :, 3] = 1
    full = {"uint8": 255, "uint16": 65_535}.get(dtype, 1)
    decoded = decode_image(Image((array * full).astype(dtype)))
    assert (decoded.mode, decoded.size) == ("RGB", (64, 48))
    assert np.abs(np.asarray(decoded, float)[:, :, 1] - unit * 255).max() <= 1


@pytest.mark.parametrize(
    ("array", "remedy"),
    [
        (np.zeros((3, 48, 64), np.uint8), "transpose"),
        (np.zeros((2, 48, 64, 3), np.uint8), "one by one"),
        (np.zeros(48, np.uint8), "height x width"),
        (np.zeros((48, 64), np.int64), "uint8"),
        (np.zeros((48, 64), bool), "uint8"),
        (np.full((48, 64), 255.0), "array / 255"),
        (np.full((48, 64), np.nan), "array / 255"),
        (np.zeros((0, 64), np.uint8), "no pixels"),
    ],
)
def test_arrays_that_are_no_images_are_refused(array: np.ndarray[Any, Any], remedy: str) -> None:
    assert remedy in refusal(lambda: decode_image(Image(array)))
    assert remedy in refusal(lambda: describe(Image(array)))


def test_pixels_are_counted_before_they_are_decoded(tmp_path: Path) -> None:
    small = Limits(pixels=6000)
    message = "has 6,144 pixels, more than the limit of 6,000; shrink it or pass limits=Limits(pixels=...)"
    assert refusal(lambda: decode_image(Image(encoded_image(photo(), "PNG"), small))) == message
    assert refusal(lambda: decode_image(Image(photo(), small))) == message
    assert refusal(lambda: decode_image(Image(np.zeros((64, 96), np.uint8), small))) == message
    assert refusal(lambda: describe(Image(photo(), small))) == message
    assert decode_image(Image(photo(), Limits(pixels=6144)))


def test_what_the_caller_allows_is_not_refused_by_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow warns of, and then refuses, images by a limit for the whole process; octant has its own."""
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 100)
    assert decode_image(Image(encoded_image(photo(), "PNG"))).size == (96, 64)


@pytest.mark.parametrize("bomb", [pixel_bomb, text_bomb, profile_bomb])
def test_bombs_are_refused_unexploded(bomb: Callable[[], bytes]) -> None:
    content = bomb()
    assert len(content) < 400_000
    assert refusal(lambda: decode_image(Image(content)))
    assert refusal(lambda: describe(Image(content)))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", *AVIF])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_half_an_image_is_refused(kind: str, share: float) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (64, 96, 3)).astype(np.uint8)
    content = encoded_image(PIL.Image.fromarray(pixels), kind)
    assert "again" in refusal(lambda: decode_image(Image(cut(content, share))))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty (0 bytes)"),
        (noise(), "begins like no image"),
        (png(0, 5), "is damaged"),
        (b"<html><body>404", "web page"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (encoded_sound(tone()), "use Audio(...)"),
    ],
)
def test_what_is_no_image_is_refused_with_a_remedy(content: bytes, reason: str) -> None:
    assert reason in refusal(lambda: decode_image(Image(content)))
    assert reason in refusal(lambda: describe(Image(content))) or content == b""


def test_pillow_warnings_stay_inside_and_the_filters_as_they_were() -> None:
    content = palette(b"\x00\x40\x80\xff")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        threads = [threading.Thread(target=lambda: decode_image(Image(content))) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert list(warnings.filters) == before
        assert not caught


# --- sounds


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("WAV", "PCM_U8"),
        ("WAV", "PCM_24"),
        ("WAV", "PCM_32"),
        ("WAV", "FLOAT"),
        ("WAV", "DOUBLE"),
        ("WAV", "ULAW"),
        ("FLAC", "PCM_16"),
        ("FLAC", "PCM_24"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("MP3", None),
        ("AIFF", "PCM_16"),
        ("AU", "PCM_16"),
        ("CAF", "PCM_16"),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_sound_format_becomes_the_same_samples(
    kind: str, subtype: str | None, channels: int, tmp_path: Path
) -> None:
    content = encoded_sound(tone(rate=48_000, channels=channels), 48_000, kind, subtype)
    (tmp_path / "file").write_bytes(content)
    for audio in (Audio(content), Audio(tmp_path / "file")):
        samples = decode_audio(audio, 48_000)
        assert (samples.ndim, samples.dtype.name, samples.flags.c_contiguous) == (1, "float32", True)
        assert abs(len(samples) - 48_000) <= 3000
        middle = samples[len(samples) // 4 : 3 * len(samples) // 4]
        assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(0.5 / channels, rel=0.05)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint8", "uint16", "float16", "float32", "float64"])
def test_arrays_are_sounds_scaled_by_the_range_of_their_type(dtype: str) -> None:
    wave = tone().astype(np.float64)
    if np.dtype(dtype).kind == "f":
        array = wave.astype(dtype)
    else:
        half = float(2 ** (8 * np.dtype(dtype).itemsize - 1))
        array = np.rint(wave * half + (half if np.dtype(dtype).kind == "u" else 0)).astype(dtype)
    samples = decode_audio(Audio(array, rate=16_000), 16_000)
    assert samples.dtype == np.float32
    assert np.abs(samples - wave).max() < 0.005


@pytest.mark.parametrize("channels", [1, 2, 5, 6])
def test_channels_are_averaged(channels: int) -> None:
    array = np.random.default_rng(0).uniform(-1, 1, (16_000, channels)).astype(np.float32)
    samples = decode_audio(Audio(array, rate=16_000), 16_000)
    assert np.abs(samples - array.mean(axis=1)).max() < 1e-6


@pytest.mark.parametrize("own", [1000, 8000, 11_025, 44_100, 96_000, 384_000])
def test_rates_are_converted_as_soxr_does_it_at_once(own: int) -> None:
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 300_000).astype(np.float32)
    samples = decode_audio(Audio(wave, rate=own, limits=Limits(seconds=400)), 16_000)
    expected = soxr.resample(wave, own, 16_000, quality="HQ")  # pyright: ignore[reportUnknownMemberType]
    assert np.array_equal(samples, expected)


def test_ten_milliseconds_are_decoded_whole() -> None:
    assert len(decode_audio(Audio(encoded_sound(tone(0.01, 44_100), 44_100)), 16_000)) == 160
    assert len(decode_audio(Audio(np.zeros(1, np.float32), rate=16_000), 16_000)) == 1
    assert "less than one sample" in refusal(lambda: decode_audio(Audio(np.zeros(1), rate=96_000), 16_000))


def test_seconds_are_judged_by_the_header() -> None:
    long = Audio(sixteen_minutes())
    assert "lasts 960 s, more than the limit of 900 s" in refusal(lambda: decode_audio(long, 16_000))
    assert "limits=Limits(seconds=...)" in refusal(lambda: describe(long))
    assert describe(Audio(sixteen_minutes(), limits=Limits(seconds=960))).seconds == 960
    array = Audio(np.zeros(16_001, np.int16), rate=16_000, limits=Limits(seconds=1))
    assert "lasts" in refusal(lambda: decode_audio(array, 16_000))


def test_a_header_that_lies_costs_neither_time_nor_memory() -> None:
    assert "lasts 4,294,967 s" in refusal(lambda: decode_audio(Audio(wide_flac_claim()), 16_000))
    patient = Limits(seconds=1e7)
    assert "cut off" in refusal(lambda: decode_audio(Audio(wide_flac_claim(), limits=patient), 16_000))
    assert "written to a pipe" in refusal(lambda: decode_audio(Audio(unknown_length_flac()), 16_000))
    assert len(decode_audio(Audio(streamed_wav()), 16_000)) == 16_000


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "AIFF", "MP3", "CAF"])
def test_half_a_sound_is_refused(kind: str) -> None:
    content = cut(encoded_sound(np.random.default_rng(0).uniform(-0.5, 0.5, 160_000), kind=kind))
    assert "again" in refusal(lambda: decode_audio(Audio(content), 16_000))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_samples_that_are_not_numbers_are_refused(bad: float, channels: int) -> None:
    array = tone(channels=channels).astype(np.float64)
    array.flat[-1] = bad
    assert "not numbers" in refusal(lambda: decode_audio(Audio(array, rate=16_000), 8000))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty (0 bytes)"),
        (noise(), "begins like no sound"),
        (nan_wav(), "not numbers"),
        (encoded_sound(np.zeros(0, np.float32)), "has no samples"),
        (encoded_sound(tone() * 30_000, subtype="FLOAT"), "divide 16-bit values by 32768"),
        (b"%PDF-1.7", "PDF"),
        (encoded_image(photo(), "PNG"), "use Image(...)"),
    ],
)
def test_what_is_no_sound_is_refused_with_a_remedy(content: bytes, reason: str) -> None:
    assert reason in refusal(lambda: decode_audio(Audio(content), 16_000))


@pytest.mark.parametrize(
    ("array", "remedy"),
    [
        (np.zeros((2, 16_000), np.float32), "array.T"),
        (np.zeros((2, 2, 2), np.float32), "one by one"),
        (np.zeros((16_000, 0), np.float32), "samples x channels"),
        (np.zeros(0, np.float32), "no samples"),
        (np.zeros(16_000, np.int64), "int16"),
        (np.zeros(16_000, bool), "float32"),
        (np.full(16_000, 20_000.0), "divide"),
    ],
)
def test_arrays_that_are_no_sounds_are_refused(array: np.ndarray[Any, Any], remedy: str) -> None:
    assert remedy in refusal(lambda: decode_audio(Audio(array, rate=16_000), 16_000))


@pytest.mark.parametrize("rate", [1, 99, 2_000_000])
def test_rates_that_nothing_is_recorded_at_are_refused(rate: int) -> None:
    assert "correct its rate" in refusal(lambda: decode_audio(Audio(np.zeros(10), rate=rate), 16_000))


# --- files that cannot be read


def image_of(path: Path) -> object:
    return decode_image(Image(path))


def sound_of(path: Path) -> object:
    return decode_audio(Audio(path), 16_000)


@pytest.mark.parametrize("decode", [image_of, sound_of])
def test_files_that_cannot_be_read_are_refused(decode: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "does not exist" in refusal(lambda: decode(tmp_path / "vanished"))
    assert "folder" in refusal(lambda: decode(tmp_path))
    assert "leads back to itself" in refusal(lambda: decode(tmp_path / "loop"))
    assert "too long" in refusal(lambda: decode(tmp_path / ("a" * 300)))
    assert "no file can have" in refusal(lambda: decode(Path("a\0b")))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes have names on POSIX only")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is a pipe" in refusal(lambda: decode_image(Image(tmp_path / "pipe")))
    assert "is a device" in refusal(lambda: fingerprint(Audio(Path("/dev/zero"))))


def test_bytes_are_counted_before_they_are_read(tmp_path: Path) -> None:
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(300 << 20)
    message = "has 314,572,800 bytes, more than the limit of 268,435,456; shrink it or pass limits=Limits(bytes=...)"
    huge = Image(tmp_path / "huge")
    assert refusal(lambda: describe(huge)) == message
    assert refusal(lambda: fingerprint(huge)) == message
    assert refusal(lambda: decode_image(huge)) == message
    small = Limits(bytes=10)
    assert "more than the limit of 10" in refusal(
        lambda: decode_audio(Audio(encoded_sound(tone()), limits=small), 1000)
    )


# --- descriptions


def test_a_description_tells_what_is_in_the_header(tmp_path: Path) -> None:
    content = encoded_image(photo(), "JPEG", orientation=8)
    (tmp_path / "photo").write_bytes(content)
    image = describe(Image(tmp_path / "photo"))
    assert (image.mime, image.bytes, image.width, image.height) == ("image/jpeg", len(content), 64, 96)
    sound = describe(Audio(encoded_sound(tone(2.5, 44_100, 2), 44_100, "FLAC")))
    assert (sound.mime, sound.seconds, sound.rate, sound.channels) == ("audio/flac", 2.5, 44_100, 2)
    text = describe(Text("größer"))
    assert (text.mime, text.bytes, text.characters, text.width) == ("text/plain", 8, 6, None)
    array = describe(Audio(tone(channels=2), rate=8000))
    assert (array.mime, array.seconds, array.rate, array.channels) == (None, 2.0, 8000, 2)


def test_equal_content_has_equal_fingerprints_wherever_it_lies(tmp_path: Path) -> None:
    content = encoded_image(photo(), "PNG")
    (tmp_path / "a").write_bytes(content)
    same: list[Image] = [Image(tmp_path / "a"), Image(content), Image.from_data_url(data_url("image/png", content))]
    assert len({fingerprint(image) for image in same} | {describe(image).fingerprint for image in same}) == 1
    pixels = np.asarray(photo())
    assert fingerprint(Image(pixels)) == fingerprint(Image(pixels.copy())) == fingerprint(Image(pixels[:, ::1]))
    assert fingerprint(Image(photo())) == fingerprint(Image(photo()))


def test_different_content_has_different_fingerprints() -> None:
    pixels = np.asarray(photo())
    turned = photo().transpose(PIL.Image.Transpose.ROTATE_180)
    media: list[Media] = [
        Text("a"),
        Text("b"),
        Image(photo()),
        Image(turned),
        Image(photo().convert("L")),
        Image(photo().quantize(4)),
        Image(turned.quantize(4)),
        Image(pixels),
        Image(pixels.reshape(96, 64, 3)),
        Image(pixels.view(np.uint8)[:, ::-1]),
        Audio(tone(), rate=16_000),
        Audio(tone(), rate=8000),
        Audio(tone().astype(np.float64), rate=8000),
        Audio(tone(channels=2), rate=8000),
    ]
    prints = [fingerprint(medium) for medium in media]
    assert len(set(prints)) == len(media)
    assert prints == [describe(medium).fingerprint for medium in media]


def test_texts_are_measured_and_must_be_unicode() -> None:
    assert "1,000,001 characters" in refusal(lambda: describe(Text("a" * 1_000_001)))
    assert "surrogate" in refusal(lambda: fingerprint(Text("a\ud800")))
    assert describe(Text("wheat " * 8334)).characters == 50_004


# --- whatever bytes there are

_SEEDS = [
    *(encoded_image(photo(24, 16), kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000", "PPM")),
    encoded_image(photo(24, 16), "JPEG", progressive=True),
    encoded_image(photo(24, 16), "PNG", frames=2),
    palette(0),
    *(encoded_sound(tone(0.05), kind=kind) for kind in ("WAV", "FLAC", "OGG", "AIFF", "AU", "CAF")),
    encoded_sound(tone(0.05, channels=2), subtype="FLOAT"),
]
_HEADS = [b"", *(seed[:16] for seed in _SEEDS), mp4(b"avif")[:24], b"ID3\x04"]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid file with some bytes exchanged, and perhaps its end missing."""
    data = bytearray(draw(st.sampled_from(_SEEDS)))
    for _ in range(draw(st.integers(0, 6))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


def headed() -> st.SearchStrategy[bytes]:
    return st.builds(bytes.__add__, st.sampled_from(_HEADS), st.binary(max_size=300))


@settings(max_examples=150, deadline=None)
@given(st.one_of(damaged(), headed()))
def test_no_bytes_make_decoding_raise_anything_but_media_errors(content: bytes) -> None:
    limits = Limits(pixels=1_000_000, seconds=60)
    with suppress(MediaError):
        assert decode_image(Image(content, limits), shortest=8).mode == "RGB"
    with suppress(MediaError):
        assert np.isfinite(decode_audio(Audio(content, limits=limits), 8000)).all()


@settings(max_examples=50, deadline=None)
@given(st.one_of(damaged(), headed()))
def test_what_can_be_decoded_can_be_described(content: bytes) -> None:
    limits = Limits(pixels=1_000_000, seconds=60)
    try:
        size = decode_image(Image(content, limits)).size
    except MediaError:
        return
    described = describe(Image(content, limits))
    assert (described.width, described.height) == size


def test_soundfile_reads_all_that_octant_promises() -> None:
    assert {"WAV", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF"} <= set(soundfile.available_formats())
