"""Objects on the web and in buckets, as items: only where they are asked for, and never from a private address."""

from __future__ import annotations

import base64
import ipaddress
import mimetypes
import re
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from importlib import import_module
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlencode, urljoin, urlsplit, urlunsplit

from octant.adapters.stream import text_from_bytes
from octant.errors import ItemError, MediaError, MissingExtra
from octant.item import Item, Origin, Skipped
from octant.media import DEFAULT_LIMITS, Audio, Image, Limits, Media
from octant.media.signature import HEAD, MISTAKEN, UNDECODABLE, mime_of

__all__ = ["Remote", "RemoteObject"]

_WEB = ("http", "https")
_BUCKETS = {"s3": "s3", "gs": "gs", "gcs": "gs", "az": "abfs", "abfs": "abfs", "memory": "memory"}
"""The schemes of buckets, and the one of several that is kept in ids."""
_REDIRECTS = 5
_TOTAL, _QUIET = 600.0, 30.0
"""Seconds that a download may take, and that a server may keep still."""
_CHUNK = 1 << 16
_SECRET = re.compile(
    r"x-(amz|goog|ms)-.*|awsaccesskeyid|googleaccessid|key-pair-id|.*(token|secret|signature|password|passwd)"
    r"|(.*[-_])?(sig|pwd|credentials?|auth|authorization|api-?key|accesskey|key|session|jwt)",
    re.IGNORECASE,
)
"""Parameters of a query that give access, and do not say which object is meant."""
_OF_SIGNATURES = {
    "expires",
    "policy",
    "se",
    "sp",
    "spr",
    "sr",
    "st",
    "sv",
    "sip",
    "skoid",
    "sktid",
    "skt",
    "ske",
    "sks",
}
"""Parameters that go with a signature, and change with it."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class _Refused(Exception):
    """Why a download is not made or not finished, and what to do."""


@dataclass(frozen=True, slots=True, repr=False)
class Remote:
    """An object that a URL names, or all that a pattern (`s3://bucket/photos/**`) does: one item each, kept in memory.

    http and https are for one object, and go to no private, loopback or link-local address unless `allow_private`,
    wherever names and redirects lead; proxies of the environment are not used. s3, gs, gcs, az and abfs need fsspec's
    package for them, and take its `storage_options`; http takes `{"headers": {...}}`. Ids are URLs without secrets.
    Needs: pip install 'octant-search[remote]'. ValueError for any other URL.
    """

    url: str
    allow_private: bool = False
    storage_options: Mapping[str, Any] | None = None
    limits: Limits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        given: object = self.url
        if not isinstance(given, str):
            raise TypeError(f"a remote source is a URL as a text, not {given!r}")
        try:
            parts = urlsplit(self.url)
            if parts.scheme in _WEB and parts.port == 0:
                raise ValueError("no port is 0")
            shown = _public(self.url)
        except ValueError as error:
            raise ValueError(f"this is no URL ({error}); write <scheme>://<place>/<name>") from None
        known = ", ".join((*_WEB, *_BUCKETS))
        if "@" in parts.netloc and parts.scheme not in (*_WEB, "abfs", "az"):
            raise ValueError(f"the URL of a place in {parts.scheme!r} takes no login; give it in storage_options")
        if "::" in self.url.partition("://")[0] or "::" in _path_of(self.url) or not parts.netloc:
            raise ValueError(f"{shown!r} is not the URL of one place; write <scheme>://<place>/<name>, of {known}")
        if parts.scheme not in (*_WEB, *_BUCKETS):
            raise ValueError(
                f"{shown!r} has the scheme {parts.scheme!r}, which octant does not fetch; it knows {known}"
            )
        if (
            any(character <= " " or character == "\x7f" for character in self.url.strip(" "))
            or self.url != self.url.strip()
        ):
            raise ValueError(f"{shown!r} has spaces or control characters; percent-encode them")
        if parts.scheme in _WEB:
            if "*" in parts.path:
                raise ValueError(f"{shown!r} is a pattern, and http lists nothing; name each URL, or write * as %2A")
            odd = sorted(set(self.storage_options or {}) - {"headers"})
            if odd:
                raise ValueError(f"http takes no storage option {odd[0]!r}; it takes headers={{...}}")

    def __repr__(self) -> str:
        return f"Remote({_public(self.url)!r})"

    @property
    def scope(self) -> str | None:
        """What the sources of its objects, and no others, begin with: its URL without secrets, or the folder of `**`.

        None for other patterns: what lies beside their objects is not theirs.
        """
        url = _public(self.url)
        wild = re.search(r"[*?\[]", url) if _is_pattern(self.url) else None
        if wild is None:
            return url
        folder = url[: url.rindex("/", 0, wild.start()) + 1]
        return folder if url == f"{folder}**" else None

    def items(self) -> Iterator[RemoteObject | MediaError]:
        """Find the objects, and download none: each is read, as one item, where its stamp has changed.

        MissingExtra, or ImportError for a bucket's own package, where one is not installed.
        """
        if urlsplit(self.url).scheme in _WEB:
            _imported("aiohttp")
            _imported("fsspec")
            yield RemoteObject(_public(self.url), _Web(self.url, self.allow_private, self._headers, self.limits))
            return
        try:
            yield from self._listed()
        except ImportError:
            raise
        except Exception as error:  # every bucket fails in ways of its own
            yield MediaError(_public(self.url), _failed("cannot be listed", error))

    @property
    def _headers(self) -> dict[str, str]:
        return dict((self.storage_options or {}).get("headers", {}))

    def _listed(self) -> Iterator[RemoteObject | MediaError]:
        core = _imported("fsspec.core")
        system, path = core.url_to_fs(self.url, **(self.storage_options or {}))
        is_pattern = _is_pattern(self.url)
        found: dict[str, dict[str, Any]] = system.glob(path, detail=True) if is_pattern else {path: system.info(path)}
        scheme = _BUCKETS[urlsplit(self.url).scheme]
        objects = {name: info for name, info in sorted(found.items()) if info.get("type") == "file"}
        if not objects:
            reason = "matches no object; correct the pattern" if is_pattern else "is a folder; write .../**"
            yield MediaError(_public(self.url), reason)
        for name, info in objects.items():
            yield RemoteObject(f"{scheme}://{name.lstrip('/')}", _Stored(system, name, info, self.limits))


@dataclass(frozen=True)
class RemoteObject:
    """An object that was found, and that is not downloaded yet."""

    source: str
    """Its URL, without secrets."""
    _place: _Web | _Stored = field(repr=False)

    @cached_property
    def stamp(self) -> str | None:
        """Its ETag, or its size and time, asked for without its content; None where the server does not say."""
        return self._place.stamp()

    def items(self) -> Sequence[Item | Skipped | MediaError | ItemError]:
        """Download it, as one item."""
        try:
            data, said, stamp = self._place.fetch()
            medium = _medium(data, said, self._place.limits)
        except (_Refused, ValueError) as error:
            return [MediaError(self.source, str(error))]
        if isinstance(medium, str):
            return [Skipped(self.source, medium)]
        return [Item(self.source, {medium.modality.value: medium}, {"url": self.source}, Origin(self.source, stamp))]


@dataclass(frozen=True, slots=True)
class _Stored:
    """An object in a bucket."""

    system: Any
    path: str
    info: Mapping[str, Any]
    limits: Limits

    def stamp(self) -> str | None:
        """What the listing says of it."""
        for key in ("ETag", "etag", "md5Hash", "content_md5"):
            if self.info.get(key):
                return f"etag {self.info[key]}"
        for key in ("mtime", "LastModified", "last_modified", "updated", "created"):
            if self.info.get(key):
                moment = self.info[key]
                return f"{self.info.get('size')} {moment.timestamp() if isinstance(moment, datetime) else moment}"
        return None

    def fetch(self) -> tuple[bytes, str | None, str | None]:
        """Read it, no further than the limit, with the type that its name says and its stamp."""
        limit = self.limits.bytes
        _within(int(self.info.get("size") or 0), limit)
        try:
            with self.system.open(self.path, "rb") as file:
                data: bytes = file.read(limit + 1)
        except Exception as error:  # every bucket fails in ways of its own
            raise _Refused(_failed("cannot be downloaded", error)) from error
        _within(len(data), limit)
        return data, mimetypes.guess_type(self.path.rpartition("/")[2])[0], self.stamp()


@dataclass(frozen=True, slots=True)
class _Web:
    """An object on the web."""

    url: str
    allow_private: bool
    headers: Mapping[str, str]
    limits: Limits

    def stamp(self) -> str | None:
        """Ask for its headers; who does not answer to that says nothing."""
        try:
            return cast("str | None", _awaited(self._stamp))
        except _Refused:
            return None  # the download tells

    def fetch(self) -> tuple[bytes, str | None, str | None]:
        """Download it, no further than the limit, with the type that the server says and its stamp."""
        return cast("tuple[bytes, str | None, str | None]", _awaited(self._fetch))

    async def _stamp(self) -> str | None:
        async with self._answer("HEAD") as answer:
            return _stamp_of(answer)

    async def _fetch(self) -> tuple[bytes, str | None, str | None]:
        limit = self.limits.bytes
        data = bytearray()
        async with self._answer("GET") as answer:
            if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise _Refused("comes compressed, which was not asked for; serve it as it is")
            _within(int(answer.content_length or 0), limit)
            async for chunk in answer.content.iter_chunked(_CHUNK):
                data += chunk
                _within(len(data), limit)  # whatever its header said
            return bytes(data), answer.content_type, _stamp_of(answer)

    @asynccontextmanager
    async def _answer(self, method: str) -> AsyncGenerator[Any]:
        """Ask, following a few redirects; every connection goes to an address that was looked at."""
        import aiohttp

        url, headers = _without_login(self.url, self.headers)
        connector = aiohttp.TCPConnector(
            resolver=_resolver(self.allow_private),
            use_dns_cache=False,
            force_close=True,
            socket_factory=None if self.allow_private else _checked_socket,
        )
        timeout = aiohttp.ClientTimeout(total=_TOTAL, sock_connect=_QUIET, sock_read=_QUIET)
        session = aiohttp.ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        )
        try:
            async with session:
                for _ in range(_REDIRECTS + 1):
                    asked = {"Accept-Encoding": "identity", **headers}
                    async with session.request(method, url, headers=asked, allow_redirects=False) as answer:
                        target = answer.headers.get("Location")
                        if answer.status not in (301, 302, 303, 307, 308) or target is None:
                            _require_ok(answer.status)
                            yield answer
                            return
                    url, headers = _followed(url, target, headers)
                raise _Refused(f"redirects more than {_REDIRECTS} times; give the URL that it leads to")
        except TimeoutError as error:
            raise _Refused("takes too long to answer; try again later, or download it yourself") from error
        except aiohttp.ClientPayloadError as error:
            raise _Refused("is cut off: the connection ended before its end; try again") from error
        except aiohttp.InvalidURL as error:  # whose message would show it
            raise _Refused("is or leads to a URL that cannot be asked for; write its host and port in full") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _Refused(_failed("cannot be reached", error)) from error


def _awaited(ask: Callable[[], Awaitable[Any]]) -> Any:
    """Run on fsspec's thread: the caller's may have a loop of its own."""
    asyn = _imported("fsspec.asyn")
    return asyn.sync(asyn.get_loop(), ask)


def _resolver(allow_private: bool) -> Any:
    """A resolver that looks at every address: what it gives is what is connected to, so a name cannot switch."""
    from aiohttp.abc import AbstractResolver, ResolveResult

    class Checked(AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            found: list[ResolveResult] = await _addresses(host, port, family)
            for one in found:
                if not allow_private:
                    _require_public(one["host"])
            return found

        async def close(self) -> None: ...

    return Checked()


async def _addresses(host: str, port: int, family: socket.AddressFamily) -> Any:
    from aiohttp.resolver import ThreadedResolver

    return await ThreadedResolver().resolve(host, port, family)


def _checked_socket(address: Any) -> socket.socket:
    """The last gate, through which addresses that are written in URLs come as well."""
    family, kind, protocol, _, target = address
    _require_public(str(target[0]))
    return socket.socket(family, kind, protocol)


def _require_public(host: str) -> None:
    remedy = "pass allow_private=True if you trust every server that it may lead to"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise _Refused(f"leads to {host!r}, which is no address in full; {remedy}") from None
    if not _is_public(address):
        raise _Refused(f"leads to {host}, an address that is private or reserved; {remedy}")


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is one of the open internet, and so is the one that it may carry within."""
    if isinstance(address, ipaddress.IPv6Address):
        carried = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64 or int(address) >> 32 == 0:
            carried.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        inner = [one for one in carried if one is not None]
        if inner:
            return all(_is_public(one) for one in inner)
        if address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _followed(url: str, target: str, headers: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Where a redirect leads. What proves who asks does not go to another server."""
    before, after = urlsplit(url), urlsplit(urljoin(url, target))
    if after.scheme not in _WEB or (before.scheme, after.scheme) == ("https", "http"):
        raise _Refused(f"redirects from {before.scheme} to {after.scheme or 'nothing'}; give the URL that it leads to")
    same = (before.scheme, before.hostname, before.port) == (after.scheme, after.hostname, after.port)
    return _without_login(after.geturl(), headers if same else {})


def _without_login(url: str, headers: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Put the name and password of a URL where they belong."""
    parts = urlsplit(url)
    given = dict(headers)
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        given.setdefault("Authorization", f"Basic {base64.b64encode(login).decode()}")
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])), given


def _require_ok(status: int) -> None:
    if status in (401, 403):
        raise _Refused(f"may not be read (HTTP {status}); give storage_options={{'headers': {{'Authorization': ...}}}}")
    if status in (404, 410):
        raise _Refused(f"does not exist (HTTP {status}); correct the URL")
    if status != 200:
        raise _Refused(f"is not served (HTTP {status}); try again later")


def _stamp_of(answer: Any) -> str | None:
    tag, modified = answer.headers.get("ETag"), answer.headers.get("Last-Modified")
    if tag:
        return f"etag {tag}"
    return f"{answer.headers.get('Content-Length')} {modified}" if modified else None


def _within(size: int, limit: int) -> None:
    if size > limit:
        raise _Refused(f"has more bytes than the limit of {limit:,}; shrink it or pass limits=Limits(bytes=...)")


def _medium(data: bytes, said: str | None, limits: Limits) -> Media | str:
    """What the bytes are, or why they are left out. ValueError for what ought to be a medium and is none."""
    if not data:
        raise ValueError("is empty (0 bytes); upload it again")
    mime = mime_of(data[:HEAD])
    if mime in UNDECODABLE:
        raise ValueError(UNDECODABLE[mime])
    if mime is not None and mime.startswith("image/"):
        return Image(data, limits)
    if mime is not None and mime.startswith("audio/"):
        return Audio(data, limits=limits)
    if mime in MISTAKEN:
        return MISTAKEN[mime]
    if said is not None and said.startswith("text/"):
        return text_from_bytes(data, limits)
    return f"is no text, image or sound that octant reads ({mime or said or 'of no known type'})"


def _public(url: str) -> str:
    """A URL without what gives access: name and password, signatures and keys, and what stands behind #."""
    scheme, _, rest = url.partition("://")
    if scheme not in _WEB:  # names in buckets may have any character
        place, slash, name = rest.partition("/")
        return f"{_BUCKETS.get(scheme, scheme)}://{place.partition('@')[0]}{slash}{name}"
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(name, value) for name, value in query if not _SECRET.fullmatch(name)]
    if len(kept) < len(query):
        kept = [(name, value) for name, value in kept if name.lower() not in _OF_SIGNATURES]
    netloc = parts.netloc.rpartition("@")[2].lower()
    return urlunsplit((scheme, netloc, parts.path, urlencode(kept), ""))


def _path_of(url: str) -> str:
    return url.partition("://")[2].partition("/")[2].partition("?")[0]


def _is_pattern(url: str) -> bool:
    return urlsplit(url).scheme not in _WEB and re.search(r"[*?\[]", url) is not None


def _failed(what: str, error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return "does not exist; correct the URL"
    if isinstance(error, PermissionError):
        return "may not be read; give credentials in storage_options"
    return f"{what} ({type(error).__name__}: {str(error)[:200]}); try again, or download it yourself"


def _imported(module: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtra(module.partition(".")[0], "remote") from error
