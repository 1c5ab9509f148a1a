"""Hostile images: cut at every joint, sizes that lie, bombs, metadata that loops, odd kinds of pixels."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache

import numpy as np
import PIL.Image
from bad_media import (
    deep_grey,
    encoded_image,
    encoded_sound,
    mp4,
    noise,
    palette,
    photo,
    pixel_bomb,
    png,
    profile_bomb,
    text_bomb,
    tone,
)

from hostile.kinds import FAILED, PARTLY, SKIPPED, STORED, Kind, Table, holds, is_put, sparse

__all__ = ["images"]

_EITHER = (STORED, FAILED)


def images() -> Table:
    """All kinds of images."""
    return {
        **_cut(),
        **_pngs(),
        **_jpegs(),
        **_gifs(),
        **_webps(),
        **_bitmaps(),
        **_tiffs(),
        **_others(),
        **_lies(),
    }


@cache
def _texture(seed: int, width: int = 96, height: int = 64) -> PIL.Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3)).astype(np.uint8)
    return PIL.Image.fromarray(pixels)


def _as(kind: str, seed: int, mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    _texture(seed).convert(mode).save(file, kind, **options)  # type: ignore[arg-type]
    return file.getvalue()


def _cut() -> Table:
    """Every format, cut in its signature, its header, early and late in its pixels, and just before its end."""
    table: Table = {}
    formats = {"png": "PNG", "jpg": "JPEG", "gif": "GIF", "webp": "WEBP", "bmp": "BMP", "tif": "TIFF", "ppm": "PPM",
               "jp2": "JPEG2000", "avif": "AVIF"}  # fmt: skip
    for seed, (suffix, kind) in enumerate(formats.items(), 100):
        whole = _as(kind, seed)
        points: dict[str, tuple[int, tuple[str, ...]]] = {
            "in its signature": (3, (FAILED,)),
            "in its header": (20, (FAILED,)),
            "early": (len(whole) // 4, (FAILED,) if suffix != "jp2" else _EITHER),
            "late": (len(whole) * 4 // 5, (FAILED,) if suffix not in ("jp2", "avif") else _EITHER),
            "before its end": (len(whole) - 3, _EITHER),
        }
        for where, (length, outcomes) in points.items():
            table[f"cut {where}.{suffix}"] = holds(whole[:length], *outcomes)
    return table


def _chunk(kind: bytes, content: bytes, crc: int | None = None) -> bytes:
    check = zlib.crc32(kind + content) if crc is None else crc
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def _png(
    *chunks: bytes,
    size: tuple[int, int] = (8, 8),
    depth: int = 8,
    colour: int = 0,
    laced: int = 0,
    crc: int | None = None,
) -> bytes:
    """Write a PNG of chunks, grey and of 8 x 8 pixels where nothing else is said."""
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, laced)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header, crc) + b"".join(chunks) + _chunk(b"IEND", b"")


def _grey(value: int, rows: int = 8, row: int = 8) -> bytes:
    return _chunk(b"IDAT", zlib.compress((b"\0" + bytes([value] * row)) * rows))


def _laced() -> bytes:
    """Write eight by eight grey pixels in the seven passes of Adam7."""
    passes = [(1, 1), (1, 1), (1, 2), (2, 2), (2, 4), (4, 4), (4, 8)]
    data = b"".join((b"\0" + bytes([90 + n] * width)) * height for n, (height, width) in enumerate(passes))
    return _png(_chunk(b"IDAT", zlib.compress(data)), laced=1)


def _pngs() -> Table:
    loop = b"MM\0*\0\0\0\x08\0\0\0\0\0\x08"
    thousand = b"".join(_chunk(b"tEXt", f"k{n}\0{n}".encode()) for n in range(5000))
    return {
        "bomb.png": holds(pixel_bomb, FAILED),
        "bomb of 50k.png": holds(png(50_000, 50_000, (b"IDAT", zlib.compress(bytes(900)))), FAILED),
        "as wide as can be.png": holds(png(2**31 - 1, 2**31 - 1, (b"IDAT", b"")), FAILED),
        "just too large.png": holds(png(10_001, 10_000, (b"IDAT", zlib.compress(bytes(800)))), FAILED),
        "text bomb.png": holds(text_bomb, FAILED),
        "profile bomb.png": holds(profile_bomb, FAILED),
        "no width.png": holds(_png(_grey(1), size=(0, 8)), FAILED),
        "no height.png": holds(_png(_grey(2), size=(8, 0)), FAILED),
        "more rows claimed.png": holds(_png(_grey(3), size=(8, 800)), *_EITHER),
        "fewer rows claimed.png": holds(_png(_grey(4, rows=80)), *_EITHER),
        "crc of the header.png": holds(_png(_grey(5), crc=0), FAILED),
        "crc of the pixels.png": holds(
            _png(_chunk(b"IDAT", zlib.compress((b"\0" + bytes([6] * 8)) * 8), crc=1)), *_EITHER
        ),
        "crc of a comment.png": holds(_png(_chunk(b"tEXt", b"k\0v", crc=2), _grey(7)), *_EITHER),
        "depth of three.png": holds(_png(_grey(8), depth=3), FAILED),
        "colour of five.png": holds(_png(_grey(9), colour=5), FAILED),
        "unknown critical chunk.png": holds(_png(_chunk(b"ABCD", b"x"), _grey(10)), *_EITHER),
        "no pixels.png": holds(_png(), FAILED),
        "pixels of garbage.png": holds(_png(_chunk(b"IDAT", b"\x8b" * 200)), FAILED),
        "palette missing.png": holds(_png(_grey(11), colour=3), *_EITHER),
        "palette too short.png": holds(_png(_chunk(b"PLTE", b"\xff\0\0"), _grey(200), colour=3), *_EITHER),
        "chunk of 4 GB.png": holds(_png()[:33] + struct.pack(">I", 0xFFFFFFFF) + b"IDAT", FAILED),
        "profile of garbage.png": holds(_png(_chunk(b"iCCP", b"p\0\0garbage"), _grey(12)), *_EITHER),
        "exif that loops.png": holds(_png(_chunk(b"eXIf", loop), _grey(13)), STORED),
        "exif of garbage.png": holds(_png(_chunk(b"eXIf", b"\xff" * 300), _grey(14)), STORED),
        "five thousand comments.png": holds(_png(thousand, _grey(15)), *_EITHER),
        "interlaced.png": holds(_laced(), STORED),
        "interlaced and cut.png": holds(_laced()[:-30], FAILED),
        "ten thousand frames claimed.png": holds(
            _png(_chunk(b"acTL", struct.pack(">II", 10_000, 0)), _grey(16)), *_EITHER
        ),
        "animation of no frames.png": holds(_png(_chunk(b"acTL", bytes(8)), _grey(17)), *_EITHER),
        "one bit.png": holds(lambda: _as("PNG", 30, "1"), STORED),
        "sixteen bit colour.png": holds(_png(_grey(18, row=48), depth=16, colour=2), STORED),
        "sixteen bit grey.png": holds(lambda: encoded_image(deep_grey("I;16"), "PNG"), STORED),
        "palette with opacities.png": holds(lambda: palette(b"\x00\x40\x80\xff"), STORED),
        "all transparent.png": holds(
            lambda: encoded_image(PIL.Image.new("RGBA", (40, 40), (9, 9, 9, 0)), "PNG"), STORED
        ),
        "one pixel.png": holds(lambda: encoded_image(photo(1, 1), "PNG"), STORED),
        "one row of 60000.png": holds(lambda: encoded_image(PIL.Image.new("L", (60_000, 1), 77), "PNG"), STORED),
        "one column of 60000.png": holds(lambda: encoded_image(PIL.Image.new("L", (1, 60_000), 78), "PNG"), STORED),
        "large and black.png": holds(lambda: encoded_image(PIL.Image.new("L", (8000, 8000)), "PNG"), STORED),
    }


def _segment(marker: int, content: bytes, length: int | None = None) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2 if length is None else length) + content


def _jpeg(seed: int, *segments: bytes, mode: str = "RGB", **options: object) -> bytes:
    """Encode a JPEG with segments put in right behind its first two bytes."""
    plain = _as("JPEG", seed, mode, **options)
    return plain[:2] + b"".join(segments) + plain[2:]


def _exif(*entries: bytes, after: int = 0) -> bytes:
    directory = struct.pack(">H", len(entries)) + b"".join(entries) + struct.pack(">I", after)
    return _segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08" + directory)


def _entry(tag: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack(">HHII", tag, kind, count, value)


def _sized(data: bytes, height: int, width: int) -> bytes:
    """Change the size that a JPEG claims."""
    at = next(i for i in range(2, len(data)) if data[i] == 0xFF and data[i + 1] in (0xC0, 0xC2))
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]


def _without(data: bytes, marker: int) -> bytes:
    """Leave out every segment of a kind."""
    kept, at = data[:2], 2
    while data[at + 1] != 0xDA:
        length = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        kept += b"" if data[at + 1] == marker else data[at : at + length]
        at += length
    return kept + data[at:]


def _many_scans() -> bytes:
    """Repeat the last scan of a progressive image a hundred times: each is a pass over all of it."""
    file = io.BytesIO()
    PIL.Image.new("L", (2000, 2000), 120).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * 100 + data[-2:]


def _renamed(data: bytes, old: bytes, new: bytes) -> bytes:
    return data.replace(old, new, 1)


def _jpegs() -> Table:
    gps = _exif(_entry(0x8825, 4, 1, 26)) + b""
    degrees = struct.pack(">H", 2) + _entry(1, 2, 2, 0x4E000000) + _entry(2, 5, 3, 60) + bytes(4) + bytes(24)
    no_degrees = _segment(0xE1, gps[4:] + degrees)
    profile = b"ICC_PROFILE\0\x01\x01"
    kept = _as("JPEG", 40)
    return {
        "no size.jpg": holds(_sized(_as("JPEG", 41), 0, 0), FAILED),
        "size of 65500.jpg": holds(_sized(_as("JPEG", 42), 65_500, 65_500), FAILED),
        "taller than it is.jpg": holds(_sized(_as("JPEG", 43), 640, 96), *_EITHER),
        "smaller than it is.jpg": holds(_sized(_as("JPEG", 44), 8, 8), *_EITHER),
        "segment of no length.jpg": holds(_jpeg(45, _segment(0xE5, b"", 0)), *_EITHER),
        "segment of one byte.jpg": holds(_jpeg(46, _segment(0xE5, b"", 1)), *_EITHER),
        "segment beyond the end.jpg": holds(_jpeg(47, _segment(0xE5, b"x", 65_535)), *_EITHER),
        "only markers.jpg": holds(b"\xff\xd8" + b"\xff" * 5000 + b"\xd9", FAILED),
        "start again.jpg": holds(b"\xff\xd8\xff\xd8\xff\xd8" + kept, *_EITHER),
        "giant exif.jpg": holds(_jpeg(48, _segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08" + b"\xff" * 65_000)), STORED),
        "fifty giant exifs.jpg": holds(
            _jpeg(49, _segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08" + bytes(60_000)) * 50), STORED
        ),
        "exif that loops.jpg": holds(_jpeg(50, _exif(_entry(0x0112, 3, 1, 1 << 16), after=8)), STORED),
        "exif within itself.jpg": holds(_jpeg(51, _exif(_entry(0x8769, 4, 1, 8), _entry(0x8825, 4, 1, 8))), STORED),
        "exif of a billion entries.jpg": holds(_jpeg(52, _exif(_entry(0x010F, 2, 0x7FFFFFFF, 8))), STORED),
        "exif beyond the end.jpg": holds(_jpeg(53, _exif(_entry(0x010F, 2, 100, 0xFFFFFF00))), STORED),
        "orientation of 99.jpg": holds(_jpeg(54, _exif(_entry(0x0112, 3, 1, 99 << 16))), STORED),
        "orientation in words.jpg": holds(_jpeg(55, _exif(_entry(0x0112, 2, 4, 0x55504552))), STORED),
        "orientation of none.jpg": holds(_jpeg(56, _exif(_entry(0x0112, 3, 0, 0))), STORED),
        "taken never.jpg": holds(_jpeg(57, _exif(_entry(0x0132, 2, 4, 0xFFFEFD00))), STORED),
        "degrees over nothing.jpg": holds(_jpeg(58, no_degrees), STORED),
        "gps of garbage.jpg": holds(_jpeg(59, _exif(_entry(0x8825, 4, 1, 0xFFFFFFFF))), STORED),
        "profile of garbage.jpg": holds(_jpeg(60, _segment(0xE2, profile + noise(500))), STORED),
        "profile in part.jpg": holds(_jpeg(61, _segment(0xE2, b"ICC_PROFILE\0\x03\x09" + bytes(64))), STORED),
        "xmp bomb.jpg": holds(_jpeg(62, _segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<a>" * 20_000)), STORED),
        "photoshop of garbage.jpg": holds(_jpeg(63, _segment(0xED, b"Photoshop 3.0\x008BIM" + noise(300))), *_EITHER),
        "comments of 3 MB.jpg": holds(_jpeg(64, _segment(0xFE, b"c" * 60_000) * 50), STORED),
        "multi picture of garbage.jpg": holds(
            _jpeg(65, _segment(0xE2, b"MPF\0MM\0*\0\0\0\x08" + b"\xff" * 40)), *_EITHER
        ),
        "adobe of garbage.jpg": holds(_jpeg(66, _segment(0xEE, b"Adobe\0\x64\0\0\0\0\x09")), *_EITHER),
        "no tables.jpg": holds(_without(_as("JPEG", 67), 0xDB), FAILED),
        "no huffman tables.jpg": holds(_without(_as("JPEG", 68), 0xC4), *_EITHER),
        "arithmetic.jpg": holds(_renamed(_as("JPEG", 69), b"\xff\xc0", b"\xff\xc9"), *_EITHER),
        "lossless.jpg": holds(_renamed(_as("JPEG", 70), b"\xff\xc0", b"\xff\xc3"), FAILED),
        "twelve bit.jpg": holds(_renamed(_as("JPEG", 71), b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"), FAILED),
        "noise in the middle.jpg": holds(kept[:3000] + noise(300) + kept[3300:], *_EITHER),
        "zeros in the middle.jpg": holds(kept[:3000] + bytes(1000) + kept[4000:], *_EITHER),
        "a hundred scans.jpg": holds(_many_scans, *_EITHER),
        "cmyk.jpg": holds(lambda: _as("JPEG", 72, "CMYK"), STORED),
        "grey.jpg": holds(lambda: _as("JPEG", 73, "L"), STORED),
        "progressive.jpg": holds(lambda: _as("JPEG", 74, progressive=True), STORED),
        "progressive and cut.jpg": holds(lambda: _as("JPEG", 75, progressive=True)[:-2000], *_EITHER),
        "quality of one.jpg": holds(lambda: _as("JPEG", 76, quality=1), STORED),
        "archive behind.jpg": holds(
            lambda: _as("JPEG", 77) + b"PK\x03\x04" + bytes(300) + b"PK\x05\x06" + bytes(18), STORED
        ),
        "a megabyte of zeros behind.jpg": holds(lambda: _as("JPEG", 78) + bytes(1 << 20), STORED),
        "widest.jpg": holds(lambda: encoded_image(PIL.Image.new("L", (65_000, 1), 50), "JPEG"), STORED),
    }


def _gif(*blocks: bytes, size: tuple[int, int] = (4, 4), flags: int = 0x80) -> bytes:
    return (
        b"GIF89a" + struct.pack("<HHBBB", *size, flags, 0, 0) + bytes([0, 0, 0, 255, 80, 10]) + b"".join(blocks) + b";"
    )


def _frame(
    size: tuple[int, int] = (4, 4), at: tuple[int, int] = (0, 0), code: int = 2, data: bytes | None = None
) -> bytes:
    pixels = bytes.fromhex("8410a00500") if data is None else data
    return b"," + struct.pack("<HHHHB", *at, *size, 0) + bytes([code, len(pixels)]) + pixels + b"\0"


def _gifs() -> Table:
    return {
        "ten thousand frames.gif": holds(_gif(_frame() * 10_000), *_EITHER),
        "no frames.gif": holds(_gif(), FAILED),
        "no size.gif": holds(_gif(_frame((0, 0)), size=(0, 0)), *_EITHER),
        "canvas of 65535.gif": holds(_gif(_frame(), size=(65_535, 65_535)), FAILED),
        "frame beyond the canvas.gif": holds(_gif(_frame((4, 4), (900, 900))), *_EITHER),
        "frame larger than the canvas.gif": holds(_gif(_frame((65_000, 65_000))), *_EITHER),
        "code size of 200.gif": holds(_gif(_frame(code=200)), FAILED),
        "pixels of garbage.gif": holds(_gif(_frame(data=b"\xff" * 250)), *_EITHER),
        "no palette.gif": holds(_gif(_frame(), flags=0), *_EITHER),
        "a comment that never ends.gif": holds(_gif(b"!\xfe" + b"\xffx" * 9000), FAILED),
        "animated.gif": holds(lambda: encoded_image(photo(50, 40), "GIF", frames=12), STORED),
    }


def _webp(kind: bytes, content: bytes, size: int | None = None) -> bytes:
    body = b"WEBP" + kind + struct.pack("<I", len(content)) + content
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def _webps() -> Table:
    whole = _as("WEBP", 80)
    canvas = b"\0\0\0\0" + (16_383).to_bytes(3, "little") * 2
    return {
        "canvas of 16384.webp": holds(_webp(b"VP8X", canvas), FAILED),
        "animation of no frames.webp": holds(_webp(b"VP8X", b"\x02\0\0\0" + bytes(6)), FAILED),
        "size of zero.webp": holds(whole[:4] + bytes(4) + whole[8:], *_EITHER),
        "size of 4 GB.webp": holds(whole[:4] + b"\xff" * 4 + whole[8:], *_EITHER),
        "pixels of garbage.webp": holds(_webp(b"VP8 ", noise(400)), FAILED),
        "lossless of garbage.webp": holds(_webp(b"VP8L", b"\x2f" + noise(300)), FAILED),
        "lossless.webp": holds(lambda: _as("WEBP", 81, lossless=True), STORED),
        "see-through.webp": holds(lambda: _as("WEBP", 82, "RGBA"), STORED),
        "animated.webp": holds(lambda: encoded_image(photo(52, 40), "WEBP", frames=4), STORED),
    }


def _bmp(width: int, height: int, bits: int, data: bytes, packing: int = 0, header: int = 40) -> bytes:
    info = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, packing, len(data), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(data), 0, 0, 54) + info + data


def _bitmaps() -> Table:
    return {
        "upside down.bmp": holds(_bmp(4, -4, 24, bytes(range(48))), STORED),
        "no size.bmp": holds(_bmp(0, 0, 24, b""), FAILED),
        "width of less than nothing.bmp": holds(_bmp(-4, 4, 24, bytes(range(48))), *_EITHER),
        "size of 30000.bmp": holds(_bmp(30_000, 30_000, 24, bytes(100)), FAILED),
        "height of all.bmp": holds(_bmp(1, -(2**31), 24, bytes(100)), FAILED),
        "three bits.bmp": holds(_bmp(4, 4, 3, bytes(100)), FAILED),
        "packing of 99.bmp": holds(_bmp(4, 4, 24, bytes(100), 99), FAILED),
        "run lengths of garbage.bmp": holds(_bmp(64, 64, 8, noise(300), 1), *_EITHER),
        "header of 200.bmp": holds(_bmp(4, 4, 24, bytes(100), header=200), FAILED),
        "one bit.bmp": holds(lambda: _as("BMP", 83, "1"), STORED),
        "portable bits.pbm": holds(b"P1 4 4\n0 1 0 1 1 0 1 0 0 1 0 1 1 0 1 0\n", STORED),
        "portable of 16 bits.pgm": holds(b"P5 4 4 65535\n" + bytes(range(32)), STORED),
        "portable of 9 gigapixels.ppm": holds(b"P6 99999 99999 255\n" + bytes(100), FAILED),
        "portable of less than nothing.ppm": holds(b"P6 -5 5 255\n" + bytes(75), FAILED),
        "portable of no range.pgm": holds(b"P5 4 4 0\n" + bytes(16), FAILED),
        "portable with words.ppm": holds(b"P3 2 2 255\none two three\n", FAILED),
        "portable comment of 300 kB.ppm": holds(
            b"P6 # " + b"c" * 300_000 + b"\n2 2 255\n" + bytes(range(12)), *_EITHER
        ),
        "portable of endless digits.ppm": holds(b"P6 " + b"9" * 9000 + b" 2 255\n", FAILED),
    }


def _tiff(*entries: bytes, at: int = 8, after: int = 0, data: bytes = b"") -> bytes:
    """Write a TIFF of one directory, behind which `data` begins."""
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", after)
    return b"II*\0" + struct.pack("<I", at) + directory + data


def _tag(tag: int, value: int, count: int = 1, kind: int = 4) -> bytes:
    return struct.pack("<HHII", tag, kind, count, value)


def _plain(width: int = 4, height: int = 4, *more: bytes, **options: int) -> bytes:
    tags = [(256, width), (257, height), (258, options.get("bits", 8)), (259, options.get("packing", 1)), (262, 1)]
    tags += [(273, options.get("strip", 150)), (277, 1), (278, height), (279, options.get("bytes", 16))]
    directory = _tiff(*(_tag(*one) for one in tags), *more, after=options.get("after", 0))
    return directory.ljust(150, b"\0") + bytes(range(options.get("first", 0), options.get("first", 0) + 16))


def _not_a_number() -> bytes:
    ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    ramp[3, 3], ramp[4, 4] = np.nan, np.inf
    return encoded_image(PIL.Image.fromarray(ramp), "TIFF")


def _tiffs() -> Table:
    return {
        "directory that is its own next.tif": holds(_plain(after=8, first=1), *_EITHER),
        "directory beyond the end.tif": holds(_tiff(at=0x7FFFFFFF), FAILED),
        "directory at its own head.tif": holds(_tiff(at=0), FAILED),
        "directory of 65535 entries.tif": holds(b"II*\0\x08\0\0\0\xff\xff" + bytes(100), FAILED),
        "no directory.tif": holds(b"II*\0\x08\0\0\0\0\0\0\0\0\0", FAILED),
        "directory within itself.tif": holds(_plain(4, 4, _tag(330, 8), _tag(34665, 8), first=2), *_EITHER),
        "a billion values.tif": holds(_plain(4, 4, _tag(700, 200, 0x7FFFFFFF, 1), first=3), *_EITHER),
        "strip beyond the end.tif": holds(_plain(strip=1 << 30), FAILED),
        "strip of nothing.tif": holds(_plain(bytes=0, first=4), *_EITHER),
        "size of 100000.tif": holds(_plain(100_000, 100_000), FAILED),
        "no size.tif": holds(_plain(0, 0), FAILED),
        "bits of 99.tif": holds(_plain(bits=99), FAILED),
        "packing of 999.tif": holds(_plain(packing=999), FAILED),
        "fax of garbage.tif": holds(_plain(packing=4, first=5), *_EITHER),
        "lzw of garbage.tif": holds(_plain(packing=5, first=6), *_EITHER),
        "jpeg of garbage.tif": holds(_plain(packing=7, first=7), FAILED),
        "deflate of garbage.tif": holds(_plain(packing=8, first=8), FAILED),
        "plain.tif": holds(_plain(first=9), STORED),
        "big and cut.tif": holds(b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0" + b"\xff" * 40, FAILED),
        "not a number.tif": holds(_not_a_number, *_EITHER),
        "floats.tif": holds(lambda: encoded_image(deep_grey("F"), "TIFF"), STORED),
        "whole numbers.tif": holds(lambda: encoded_image(deep_grey("I"), "TIFF"), STORED),
        "cmyk.tif": holds(lambda: _as("TIFF", 84, "CMYK"), STORED),
        "lab.tif": holds(lambda: encoded_image(PIL.Image.frombytes("LAB", (16, 16), noise(767)), "TIFF"), *_EITHER),
        "palette.tif": holds(lambda: _as("TIFF", 86, "P"), STORED),
        "fax.tif": holds(lambda: _as("TIFF", 87, "1", compression="group4"), STORED),
        "three pages.tif": holds(lambda: encoded_image(photo(54, 40), "TIFF", frames=3), *_EITHER, PARTLY),
    }


def _others() -> Table:
    jp2, avif = _as("JPEG2000", 88), _as("AVIF", 89)
    at = jp2.index(b"ihdr") + 4
    svg = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><script>x()</script></svg>"
    return {
        "good.jp2": holds(jp2, STORED),
        "size of 4 billion.jp2": holds(jp2[:at] + b"\xff" * 8 + jp2[at + 8 :], *_EITHER),
        "box of no length.jp2": holds(jp2[:12] + bytes(4) + jp2[16:], *_EITHER),
        "noise in the middle.jp2": holds(jp2[:600] + noise(200) + jp2[800:], *_EITHER),
        "good.avif": holds(avif, *_EITHER),
        "noise in the middle.avif": holds(avif[:600] + noise(200) + avif[800:], *_EITHER),
        "brands alone.avif": holds(lambda: mp4(b"avif"), FAILED),
        "brands alone.heic": holds(lambda: mp4(b"heic"), FAILED),
        "box of no length.heic": holds(mp4(b"mif1") + bytes(8) + b"meta", FAILED),
        "drawing.svg": holds(svg, SKIPPED, STORED, FAILED),
        "drawing.png": holds(svg.replace("9", "8"), FAILED),
        "icon.ico": holds(lambda: _as("ICO", 90), SKIPPED, STORED),
        "layers.psd": holds(b"8BPS\0\x01" + bytes(200), SKIPPED, FAILED),
        "scan.tga": holds(lambda: _as("TGA", 91), SKIPPED, STORED),
        "raw.cr2": holds(b"II*\0\x10\0\0\0CR\x02\0" + bytes(200), FAILED, SKIPPED),
        "film.mp4": holds(lambda: mp4(b"isom"), SKIPPED, FAILED),
        "film.avi": holds(b"RIFF\xff\0\0\0AVI LIST" + bytes(300), SKIPPED, FAILED),
        "film.mkv": holds(b"\x1aE\xdf\xa3" + noise(300), SKIPPED, FAILED),
    }


def _lies() -> Table:
    kinds: dict[str, Kind] = {
        "empty.jpg": holds(b"", FAILED),
        "noise.jpg": holds(noise, FAILED),
        "zeros.png": holds(bytes(5000), FAILED),
        "sparse.png": is_put(sparse, FAILED),
        "png.jpg": holds(lambda: _as("PNG", 92), STORED),
        "jpeg.gif": holds(lambda: _as("JPEG", 93), STORED),
        "webp.bmp": holds(lambda: _as("WEBP", 94), STORED),
        "jpeg without suffix": holds(lambda: _as("JPEG", 95), STORED),
        "sound.jpg": holds(lambda: encoded_sound(tone(0.4, hertz=300)), STORED),
        "page.jpg": holds("<html><body>404 Not Found", FAILED),
        "pointer.jpg": holds("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n", FAILED),
        "archive.png": holds(b"PK\x03\x04" + bytes(100), FAILED),
        "document.jpg": holds(b"%PDF-1.4\n" + bytes(50), FAILED),
        "text.png": holds("I am a text by another name", FAILED),
        "base64.png": holds(b"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ", FAILED),
        "lines changed.png": holds(lambda: _as("PNG", 96).replace(b"\r\n", b"\n"), FAILED),
    }
    return kinds
