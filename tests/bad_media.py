"""Files that go wrong, and odd ones that must not: one maker per case, all made on the spot.

`make_bad_folder` writes them all into one folder and says what must become of each.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import soundfile
from numpy.typing import NDArray

Samples = NDArray[Any]

__all__ = ["encoded_image", "encoded_sound", "make_bad_folder", "photo", "sixteen_minutes", "tone"]


def photo(width: int = 96, height: int = 64) -> PIL.Image.Image:
    """Paint red top left, green top right, blue bottom left, white bottom right."""
    painted = PIL.Image.new("RGB", (width, height), "white")
    painted.paste("red", (0, 0, width // 2, height // 2))
    painted.paste("lime", (width // 2, 0, width, height // 2))
    painted.paste("blue", (0, height // 2, width // 2, height))
    return painted


def encoded_image(
    image: PIL.Image.Image, kind: str, *, orientation: int | None = None, frames: int = 1, progressive: bool = False
) -> bytes:
    """Encode an image, with an EXIF orientation or as an animation whose later frames are black."""
    exif = PIL.Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    file = io.BytesIO()
    if frames > 1:
        later = [PIL.Image.new(image.mode, image.size)] * (frames - 1)
        image.save(file, kind, save_all=True, append_images=later)
    elif progressive:
        image.save(file, kind, progressive=True)
    else:
        image.save(file, kind, exif=exif)
    return file.getvalue()


def tone(seconds: float = 1.0, rate: int = 16_000, channels: int = 1, hertz: float = 440.0) -> Samples:
    """A sine of amplitude 0.5: samples, or samples x channels with all of it in the first channel."""
    wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    if channels == 1:
        return wave.astype(np.float32)
    beside = np.zeros((len(wave), channels), np.float32)
    beside[:, 0] = wave
    return beside


def encoded_sound(samples: Samples, rate: int = 16_000, kind: str = "WAV", subtype: str | None = None) -> bytes:
    """Encode samples (x channels)."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def sixteen_minutes() -> bytes:
    """Sixteen minutes of silence that weigh little: FLAC at 8 kHz."""
    return encoded_sound(np.zeros(960 * 8000, np.int16), 8000, "FLAC")


def make_bad_folder(root: Path) -> dict[str, str]:
    """Fill a folder, and map each file's name to what must become of it: "ok", "reported" or "skipped"."""
    outcomes: dict[str, str] = {}
    for outcome, cases in (("ok", _ODD), ("reported", _BROKEN), ("skipped", _FOREIGN)):
        for name, make in cases.items():
            (root / name).write_bytes(make())
            outcomes[name] = outcome
    (root / ".hidden.jpg").write_bytes(b"left out in silence")
    (root / "empty folder").mkdir()
    if os.name == "posix":
        outcomes |= _links_and_pipes(root)
    if os.name == "posix" and os.geteuid() != 0:
        outcomes |= _unreadable(root)
    return outcomes


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """Write a PNG of the size that it claims, whatever follows."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + body


def pixel_bomb() -> bytes:
    """3.6 gigapixels in a hundred bytes."""
    return png(60_000, 60_000, (b"IDAT", zlib.compress(bytes(1000))))


def text_bomb() -> bytes:
    """A comment of 64 MiB in a few kilobytes."""
    comment = b"Comment\0\0" + zlib.compress(bytes(64 << 20), 1)
    return png(2, 2, (b"zTXt", comment), (b"IDAT", zlib.compress(bytes(14))))


def profile_bomb() -> bytes:
    """A colour profile of 64 MiB in a few kilobytes."""
    profile = b"profile\0\0" + zlib.compress(bytes(64 << 20), 1)
    return png(2, 2, (b"iCCP", profile), (b"IDAT", zlib.compress(bytes(14))))


def deep_grey(kind: str) -> PIL.Image.Image:
    """A ramp from black to white in 16, 32 or floating bits."""
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64)
    if kind == "F":
        return PIL.Image.fromarray((ramp / 65535).astype(np.float32))
    return PIL.Image.fromarray(ramp.astype(np.uint16 if kind == "I;16" else np.int32))


def wide_flac_claim() -> bytes:
    """A second of FLAC whose header claims 68 billion samples."""
    data = bytearray(encoded_sound(tone(), kind="FLAC"))
    data[21] |= 0x0F
    data[22:26] = b"\xff" * 4
    return bytes(data)


def unknown_length_flac() -> bytes:
    """A FLAC as written to a pipe: its header leaves the length open."""
    data = bytearray(encoded_sound(tone(), kind="FLAC"))
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    return bytes(data)


def streamed_wav() -> bytes:
    """A WAV as written to a pipe: its sizes are the largest there are."""
    data = bytearray(encoded_sound(tone()))
    data[4:8] = data[40:44] = b"\xff" * 4
    return bytes(data)


def nan_wav() -> bytes:
    """A float WAV with one sample that is not a number."""
    samples = tone()
    samples[8000] = np.nan
    return encoded_sound(samples, subtype="FLOAT")


def palette(transparency: int | bytes | None = None) -> bytes:
    """A palette PNG: opaque, with one transparent colour, or with an opacity for each."""
    file = io.BytesIO()
    photo().quantize(4).save(file, "PNG", transparency=transparency)
    return file.getvalue()


def noise(size: int = 5000) -> bytes:
    """Bytes of nothing at all, the same each time."""
    return b"\x8b" + np.random.default_rng(0).bytes(size)


def cut(data: bytes, share: float = 0.5) -> bytes:
    """What an interrupted download leaves."""
    return data[: int(len(data) * share)]


def mp4(brand: bytes) -> bytes:
    """The beginning of a file of the MP4 family."""
    return struct.pack(">I4s4sI4s4s", 24, b"ftyp", brand, 0, brand, b"isom") + bytes(2000)


def _grey_alpha() -> bytes:
    half = PIL.Image.new("LA", (32, 32), (0, 0))
    return encoded_image(half, "PNG")


def _textured(width: int = 96, height: int = 64) -> PIL.Image.Image:
    pixels = np.random.default_rng(1).integers(0, 255, (height, width, 3)).astype(np.uint8)
    return PIL.Image.fromarray(pixels)


_Makers = dict[str, Callable[[], bytes]]

_ODD: _Makers = {
    "longer than the limit, and cut into windows.flac": sixteen_minutes,
    "page.html": lambda: b"<!doctype html><p>hello",
    "rotated.jpg": lambda: encoded_image(photo(), "JPEG", orientation=6),
    "UPPER.JPG": lambda: encoded_image(photo(80, 64), "JPEG"),
    "cmyk.jpg": lambda: encoded_image(photo().convert("CMYK"), "JPEG"),
    "sixteen bit.png": lambda: encoded_image(deep_grey("I;16"), "PNG"),
    "thirty-two bit.tif": lambda: encoded_image(deep_grey("I"), "TIFF"),
    "float.tif": lambda: encoded_image(deep_grey("F"), "TIFF"),
    "one bit.png": lambda: encoded_image(photo().convert("1"), "PNG"),
    "one pixel.png": lambda: encoded_image(photo(1, 1), "PNG"),
    "thin.png": lambda: encoded_image(photo(4000, 1), "PNG"),
    "palette.png": lambda: palette(),
    "palette transparent.png": lambda: palette(0),
    "palette opacities.png": lambda: palette(b"\x00\x40\x80\xff"),
    "grey alpha.png": _grey_alpha,
    "colour alpha.webp": lambda: encoded_image(photo().convert("RGBA"), "WEBP"),
    "animated.gif": lambda: encoded_image(photo(), "GIF", frames=3),
    "animated.png": lambda: encoded_image(photo(), "PNG", frames=3),
    "animated.webp": lambda: encoded_image(photo(), "WEBP", frames=3),
    "old.bmp": lambda: encoded_image(photo(), "BMP"),
    "photo without suffix": lambda: encoded_image(photo(72, 64), "JPEG"),
    "photo named.txt": lambda: encoded_image(photo(70, 64), "PNG"),
    "photo named.wav": lambda: encoded_image(photo(66, 64), "PNG"),
    "sound named.jpg": lambda: encoded_sound(tone(0.5)),
    "ten milliseconds.wav": lambda: encoded_sound(tone(0.01)),
    "stereo.wav": lambda: encoded_sound(tone(channels=2)),
    "six channels.wav": lambda: encoded_sound(tone(channels=6)),
    "eight bit.wav": lambda: encoded_sound(tone(rate=8000), 8000, subtype="PCM_U8"),
    "twenty-four bit.wav": lambda: encoded_sound(tone(), subtype="PCM_24"),
    "doubles.wav": lambda: encoded_sound(tone(), subtype="DOUBLE"),
    "ninety-six kHz.flac": lambda: encoded_sound(tone(rate=96_000), 96_000, "FLAC", "PCM_24"),
    "low rate.wav": lambda: encoded_sound(tone(rate=1000, hertz=50), 1000),
    "silence.wav": lambda: encoded_sound(np.zeros(16_000, np.float32)),
    "sound.mp3": lambda: encoded_sound(tone(), kind="MP3"),
    "sound.ogg": lambda: encoded_sound(tone(), kind="OGG"),
    "sound.opus": lambda: encoded_sound(tone(rate=48_000), 48_000, "OGG", "OPUS"),
    "sound.aiff": lambda: encoded_sound(tone(), kind="AIFF"),
    "streamed.wav": streamed_wav,
    "marked.txt": lambda: b"\xef\xbb\xbfa text with a byte order mark",
    "sixteen bit.txt": lambda: "ein Text in UTF-16: größer".encode("utf-16"),
    "lines.md": lambda: b"# A title\r\n\r\nand Windows lines\r\n",
    "fifty thousand characters.txt": lambda: b"wheat " * 8334,
    "Begins like a bitmap.txt": lambda: b"BM is also how a text may begin",
    "Begins like a portable map.txt": lambda: b"P1 2 is also how a text may begin",
}

_BROKEN: _Makers = {
    "empty.jpg": bytes,
    "empty.wav": bytes,
    "empty.txt": bytes,
    "cut.jpg": lambda: cut(encoded_image(_textured(), "JPEG")),
    "cut.png": lambda: cut(encoded_image(_textured(), "PNG")),
    "cut.gif": lambda: cut(encoded_image(_textured(), "GIF")),
    "cut.webp": lambda: cut(encoded_image(_textured(), "WEBP")),
    "cut.tif": lambda: cut(encoded_image(_textured(), "TIFF")),
    "cut in the header.png": lambda: encoded_image(photo(), "PNG")[:20],
    "pixel bomb.png": pixel_bomb,
    "text bomb.png": text_bomb,
    "profile bomb.png": profile_bomb,
    "noise.jpg": noise,
    "zeros.png": lambda: bytes(5000),
    "web page.jpg": lambda: b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
    "pointer.png": lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
    "iphone.heic": lambda: mp4(b"heic"),
    "cut.wav": lambda: cut(encoded_sound(tone())),
    "cut.flac": lambda: cut(encoded_sound(np.random.default_rng(2).uniform(-0.5, 0.5, 16_000), kind="FLAC")),
    "cut.aiff": lambda: cut(encoded_sound(tone(), kind="AIFF")),
    "no samples.wav": lambda: encoded_sound(np.zeros(0, np.float32)),
    "not a number.wav": nan_wav,
    "claims two months.flac": wide_flac_claim,
    "length unknown.flac": unknown_length_flac,
    "noise.mp3": noise,
    "text named.wav": lambda: b"I am no sound",
    "document named.wav": lambda: b"%PDF-1.7\n",
    "song.m4a": lambda: mp4(b"M4A "),
    "song.aac": lambda: b"\xff\xf1\x50\x80" + bytes(500),
    "white space.txt": lambda: b" \t\r\n \n",
    "latin one.txt": lambda: "Käse und Brötchen".encode("latin-1"),
    "half a character.txt": lambda: "Käse".encode()[:2],
    "binary.txt": lambda: b"text\0and\0more",
    "document.txt": lambda: b"%PDF-1.7\n\xe2\xe3\xcf\xd3\n",
    "document.pdf": lambda: b"%PDF-1.7\n",
    "film.mp4": lambda: mp4(b"isom"),
    "a million characters.txt": lambda: b"wheat " * 166_667,
}

_FOREIGN: _Makers = {
    "archive.zip": lambda: b"PK\x03\x04" + bytes(100),
    "program.py": lambda: b"print('hello')\n",
    "unknown.bin": noise,
    "no suffix and empty": bytes,
    "Begins like a bitmap": lambda: b"BM is also how a text may begin",
    "sixteen bit text without suffix": lambda: "ein Text".encode("utf-16"),
}


def _links_and_pipes(root: Path) -> dict[str, str]:
    kept = root / ".kept"
    kept.mkdir()
    (kept / "elsewhere.txt").write_text("a text in a folder of its own")
    (root / "linked.txt").symlink_to(kept / "elsewhere.txt")
    (root / "linked again.txt").symlink_to(kept / "elsewhere.txt")
    (root / "folder that contains itself").symlink_to(root)
    (root / "leads to itself.png").symlink_to(root / "leads to itself.png")
    (root / "leads nowhere.png").symlink_to(root / "nowhere")
    os.mkfifo(root / "pipe.wav")
    return {
        "linked again.txt": "ok",  # links are read in order of their names
        "linked.txt": "skipped",
        "folder that contains itself": "skipped",
        "leads to itself.png": "reported",
        "leads nowhere.png": "reported",
        "pipe.wav": "reported",
    }


def _unreadable(root: Path) -> dict[str, str]:
    (root / "unreadable.txt").write_text("nobody may read me")
    (root / "unreadable.txt").chmod(0)
    return {"unreadable.txt": "reported"}
