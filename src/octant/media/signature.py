"""What a file is, told by its first bytes."""

from __future__ import annotations

import re

__all__ = ["HEAD", "MISTAKEN", "UNDECODABLE", "is_cut_off", "mime_of"]

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
    mime: f"is {what}, which needs ffmpeg's libraries: pip install 'octant-search[video]', or {remedy}"
    for mime, what, remedy in (
        ("audio/mp4", "AAC or ALAC in MP4", "convert it: ffmpeg -i in.m4a out.flac"),
        ("audio/aac", "AAC", "convert it: ffmpeg -i in.aac out.flac"),
        ("audio/amr", "AMR", "convert it: ffmpeg -i in.amr out.flac"),
        ("audio/x-ms-wma", "Windows Media", "convert it: ffmpeg -i in.wma out.flac"),
        ("video/webm", "Matroska or WebM", "take its sound: ffmpeg -i in.webm out.flac"),
        ("video/mp4", "MP4", "take its sound: ffmpeg -i in.mp4 out.flac"),
        ("video/x-msvideo", "AVI", "take its sound: ffmpeg -i in.avi out.flac"),
    )
}
"""Sounds and films that octant recognises and cannot decode by itself: what they need, for where it is missing."""

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


def is_cut_off(head: bytes, size: int) -> bool:
    """Compare a file's size with what its header declares; decoders would silently take what is there."""
    if head[:4] == b".snd":
        samples = int.from_bytes(head[8:12], "big")
        return samples != 0xFFFF_FFFF and size + 8 < int.from_bytes(head[4:8], "big") + samples
    if head[:4] == b"caff":
        return _is_cut_off_caf(head, size)
    order = {b"RIFF": "little", b"RIFX": "big", b"FORM": "big"}.get(head[:4])
    if order is None:
        return False
    declared = 8 + int.from_bytes(head[4:8], "little" if order == "little" else "big")
    # writers to a pipe leave 0 or a huge number; some are wrong by a padding byte or so
    return size + 8 < declared < 0x7FFF_F000


def _is_cut_off_caf(head: bytes, size: int) -> bool:
    """Walk the chunks of a CAF to that of its samples, whose length is -1 where it was written to a pipe."""
    at = 8
    while at + 12 <= len(head):
        length = int.from_bytes(head[at + 4 : at + 12], "big", signed=True)
        if head[at : at + 4] == b"data" or length < 0:
            return size + 8 < at + 12 + length
        at += 12 + length
    return False


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
