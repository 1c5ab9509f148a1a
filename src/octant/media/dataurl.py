"""Data URLs: bytes written into a string."""

from __future__ import annotations

import base64
import binascii
import re
import urllib.parse

from octant.errors import MediaError

__all__ = ["data_url", "parse_data_url"]

_MIME = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def data_url(mime: str, content: bytes) -> str:
    """Write bytes as a base64 data URL."""
    return f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}"


def parse_data_url(url: str, *, kind: str, limit: int) -> bytes:
    """Take the bytes out of a data URL whose MIME type is `kind`/... (or says nothing about the content).

    MediaError when it is malformed, of another kind, or holds more than `limit` bytes.
    """
    shown = url if len(url) <= 40 else url[:39] + "…"
    if url[:5].lower() != "data:":
        raise MediaError(shown, "is not a data URL; it must begin with 'data:'")
    head, comma, body = url[5:].partition(",")
    if not comma:
        raise MediaError(shown, "has no comma between its type and its content; write data:<mime>;base64,<content>")
    mime, *parameters = head.split(";")
    if not _MIME.fullmatch(mime):
        raise MediaError(shown, f"names no MIME type; write data:{kind}/...;base64,<content>")
    family, _, subtype = mime.lower().partition("/")
    # application/ogg is sound by its older name; octet-stream says nothing, and the decoder looks at the bytes
    if family != kind and (family, subtype) not in (("application", "octet-stream"), ("application", "ogg")):
        raise MediaError(shown, f"holds {mime}, not {kind}/...; use the class for that kind of media")
    encoded = [parameter.lower() for parameter in parameters]
    if "base64" in encoded[:-1]:
        raise MediaError(shown, "says base64 before its other parameters; it must be the last one")
    if not body.isascii() or _BAD_ESCAPE.search(body):
        raise MediaError(shown, "has characters that a URL cannot hold; percent-encode them or use base64")
    decoded = _from_base64 if encoded[-1:] == ["base64"] else _from_percent
    return decoded(shown, body, limit)


def _from_base64(shown: str, body: str, limit: int) -> bytes:
    if "%" in body:
        body = urllib.parse.unquote(body, errors="replace")
    _hold(shown, len(body) * 3 // 4 - body[-2:].count("="), limit)
    try:
        return binascii.a2b_base64(body, strict_mode=True)
    except ValueError as error:
        raise MediaError(shown, f"is not proper base64 ({error}); encode it again") from error


def _from_percent(shown: str, body: str, limit: int) -> bytes:
    _hold(shown, len(body) - 2 * body.count("%"), limit)
    return urllib.parse.unquote_to_bytes(body)


def _hold(shown: str, size: int, limit: int) -> None:
    if size > limit:
        remedy = "shrink it or pass limits=Limits(bytes=...)"
        raise MediaError(shown, f"holds {size:,} bytes, more than the limit of {limit:,}; {remedy}")
