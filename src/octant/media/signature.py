"""What a file is, told by its first bytes."""

from __future__ import annotations

import re

__all__ = ["HEAD", "MISTAKEN", "UNDECODABLE", "mime_of"]

HEAD = 4096
"""How many bytes of a file `mime_of` wants to see."""

_RIFF = {b"WAVE": "audio/wav", b"WEBP": "image/webp", b"AVI ": "video/x-msvideo"}
_FORM = {b"AIFF": "audio/aiff", b"AIFC": "audio/aiff"}

_PREFIXES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"II+\x00", "image/tiff"),
    (b"MM\x00+", "image/tiff"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "image/jp2"),
    (b"\xff\x4f\xff\x51", "image/jp2"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"ID3\x02", "audio/mpeg"),
    (b"ID3\x03", "audio/mpeg"),
    (b"ID3\x04", "audio/mpeg"),
    (b".snd", "audio/basic"),
    (b"caff", "audio/x-caf"),
    (b"#!AMR", "audio/amr"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "audio/x-ms-wma"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"version https://git-lfs", "application/vnd.git-lfs"),
)

UNDECODABLE = {
    "audio/mp4": "is AAC or ALAC in MP4, which octant cannot decode; convert it: ffmpeg -i in.m4a out.flac",
    "audio/aac": "is AAC, which octant cannot decode; convert it: ffmpeg -i in.aac out.flac",
    "audio/amr": "is AMR, which octant cannot decode; convert it: ffmpeg -i in.amr out.flac",
    "audio/x-ms-wma": "is Windows Media, which octant cannot decode; convert it: ffmpeg -i in.wma out.flac",
    "video/webm": "is Matroska or WebM, which octant cannot decode; take its sound: ffmpeg -i in.webm out.flac",
    "video/mp4": "is MP4, which octant cannot decode; take its sound: ffmpeg -i in.mp4 out.flac",
    "video/x-msvideo": "is AVI, which octant cannot decode; take its sound: ffmpeg -i in.avi out.flac",
}
"""Sound that octant recognises and cannot decode: why, and what to do."""

MISTAKEN = {
    "text/html": "is a web page, perhaps an error page saved in place of the file; download it again",
    "application/vnd.git-lfs": "is a Git LFS pointer in place of the file; run: git lfs pull",
    "application/pdf": "is a PDF document; export its pages as images",
    "application/zip": "is a ZIP archive; unpack it",
    "application/gzip": "is gzip-compressed; unpack it",
}
"""What is often found under a name that promises media: why it is not, and what to do."""

_HTML = re.compile(rb"\s*<(!doctype\s+html|html)\b", re.IGNORECASE)
_PNM = re.compile(rb"P[1-6]\s+(#|\d)")
_BMP_HEADERS = {12, 40, 52, 56, 64, 108, 124}


def mime_of(head: bytes) -> str | None:
    """Name the MIME type of a file by its first bytes (`HEAD` of them are enough); None for an unknown one."""
    for prefix, mime in _PREFIXES:
        if head.startswith(prefix):
            return mime
    if head[:4] in (b"RIFF", b"RIFX", b"RF64"):
        return _RIFF.get(head[8:12])
    if head[:4] == b"FORM":
        return _FORM.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _mp4(head)
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "image/bmp"
    if _PNM.match(head):
        return "image/x-portable-anymap"
    if _HTML.match(head.removeprefix(b"\xef\xbb\xbf")):
        return "text/html"
    return _mpeg(head)


def _mp4(head: bytes) -> str:
    """Tell the members of the MP4 family by their brands: the major one, then those it is compatible with."""
    size = min(int.from_bytes(head[:4], "big"), 256)
    brands = [head[8:12], *(head[i : i + 4] for i in range(16, size, 4))]
    if any(brand in (b"avif", b"avis") for brand in brands):
        return "image/avif"
    if any(brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1") for brand in brands):
        return "image/heif"
    return "audio/mp4" if brands[0][:3] in (b"M4A", b"M4B", b"F4A") else "video/mp4"


def _mpeg(head: bytes) -> str | None:
    """Tell MPEG audio by its frame header: 11 set bits, then fields that have forbidden values.

    Layer I is not asked for: nobody has it, and UTF-16 text begins like it.
    """
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    if layer == 0:
        return "audio/aac" if head[1] & 0xF6 == 0xF0 else None
    bitrate, rate = head[2] >> 4, head[2] >> 2 & 3
    return None if version == 1 or layer == 3 or bitrate in (0, 15) or rate == 3 else "audio/mpeg"
