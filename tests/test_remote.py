"""Remote objects: fetched where that was asked for, within limits, and never from an address that is private."""

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from bad_media import encoded_image, encoded_sound, mp4, photo, tone

pytest.importorskip("fsspec")
pytest.importorskip("aiohttp")

from octant.adapters import remote
from octant.adapters.remote import Remote, RemoteObject
from octant.errors import ItemError, MediaError
from octant.item import Item, Origin, Skipped
from octant.media import Audio, Image, Limits, Text

PICTURE = encoded_image(photo(), "PNG")

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Site:
    """A server on this machine that answers as it is told, and remembers who asked."""

    port: int
    answers: dict[str, Answer] = field(default_factory=dict[str, Answer])
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list[tuple[str, str, dict[str, str]]])
    stopped: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def serves(self, path: str, body: bytes, kind: str = "application/octet-stream", **headers: str) -> str:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(200)
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **given}.items():
                request.send_header(name, value)
            request.end_headers()
            if request.command == "GET":
                request.wfile.write(body)

        self.answers[path] = answer
        return self.url(path)

    def redirects(self, path: str, target: str, status: int = 302) -> str:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(status)
            request.send_header("Location", target)
            request.send_header("Content-Length", "0")
            request.end_headers()

        self.answers[path] = answer
        return self.url(path)


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            there.asked.append((self.command, self.path, dict(self.headers)))
            answer = there.answers.get(self.path)
            if answer is None:
                self.send_error(404)
                return
            try:
                answer(self)
            except (BrokenPipeError, ConnectionResetError):  # who asked has had enough
                self.close_connection = True

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("0.0.0.0", 0), Handler)
    there = Site(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield there
    there.stopped.set()
    server.shutdown()
    thread.join()
    server.server_close()


def found(url: str, **options: Any) -> list[RemoteObject | MediaError]:
    return list(Remote(url, **options).items())


def fetched(url: str, **options: Any) -> Item | Skipped | MediaError | ItemError:
    """What the one object of a URL becomes, from a server on this machine."""
    (one,) = found(url, **{"allow_private": True, **options})
    assert isinstance(one, RemoteObject)
    (item,) = one.items()
    return item


def reason(given: object) -> str:
    assert isinstance(given, MediaError), given
    return given.reason


def test_an_object_becomes_an_item(site: Site) -> None:
    url = site.serves("/a.bin", PICTURE, ETag='"v1"')
    assert fetched(url) == Item(url, {"image": Image(PICTURE)}, {"url": url}, Origin(url, 'etag "v1"'))
    assert Remote(url).scope == url


def test_bytes_tell_what_it_is_and_then_the_server(site: Site) -> None:
    sound = encoded_sound(tone(0.1))

    def medium(path: str, body: bytes, kind: str) -> object:
        item = fetched(site.serves(path, body, kind))
        return dict(item.media) if isinstance(item, Item) else item

    assert medium("/1", sound, "image/png") == {"audio": Audio(sound)}
    assert medium("/2", PICTURE, "text/plain") == {"image": Image(PICTURE)}
    assert medium("/3", "Käse".encode(), "text/markdown; charset=utf-8") == {"text": Text("Käse")}
    assert "is not UTF-8" in reason(medium("/4", b"\xff\xfa\x00", "text/plain"))
    assert "MP4" in reason(medium("/5", mp4(b"isom"), "image/png"))
    assert "is empty" in reason(medium("/6", b"", "image/png"))
    for path, body, kind, why in [
        ("/7", b"<!doctype html><p>", "text/html", "web page"),
        ("/8", b"\x00\x01\x02", "application/x-thing", "no text, image or sound"),
    ]:
        left = medium(path, body, kind)
        assert isinstance(left, Skipped)
        assert why in left.reason


def test_the_stamp_is_known_before_anything_is_downloaded(site: Site) -> None:
    for headers, stamp in [
        ({"ETag": '"v1"'}, 'etag "v1"'),
        ({"Last_Modified": "Wed, 21 Oct 2026 07:28:00 GMT"}, f"{len(PICTURE)} Wed, 21 Oct 2026 07:28:00 GMT"),
        ({}, None),
    ]:
        site.asked.clear()
        (one,) = found(site.serves("/a", PICTURE, **headers), allow_private=True)
        assert isinstance(one, RemoteObject)
        assert site.asked == []
        assert one.stamp == stamp
        assert one.stamp == stamp
        assert [method for method, _, _ in site.asked] == ["HEAD"]
        (item,) = one.items()
        assert isinstance(item, Item)
        assert item.origin == Origin(one.source, stamp)


def test_what_is_not_there_says_so(site: Site) -> None:
    def status(code: int) -> str:
        site.answers["/x"] = lambda request: request.send_error(code)
        (one,) = found(site.url("/x"), allow_private=True)
        assert isinstance(one, RemoteObject)
        assert one.stamp is None
        return reason(one.items()[0])

    assert "does not exist (HTTP 404)" in status(404)
    assert "Authorization" in status(403)
    assert "HTTP 500" in status(500)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free: int = probe.getsockname()[1]
    assert "cannot be reached" in reason(fetched(f"http://127.0.0.1:{free}/a"))


# addresses


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "0.0.0.0",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::]",
    ],
)
def test_no_private_address_is_asked(site: Site, host: str) -> None:
    site.serves("/a.png", PICTURE)
    url = site.url("/a.png", host)
    (one,) = found(url)
    assert isinstance(one, RemoteObject)
    assert one.stamp is None
    refused = reason(one.items()[0])
    assert "allow_private=True" in refused or "cannot be asked for" in refused or "cannot be reached" in refused
    assert site.asked == []


@pytest.mark.parametrize(
    "address",
    [
        *(
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "127.0.0.1",
            "224.0.0.1",
        ),
        *("240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1"),
        *("::ffff:10.0.0.1", "::10.0.0.1", "2002:a00:1::", "64:ff9b::a00:1", "2001:0:a00:1::", "2001:db8::1"),
    ],
)
def test_addresses_that_are_not_of_the_open_internet(address: str) -> None:
    assert not remote._is_public(ipaddress.ip_address(address))  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_addresses_of_the_open_internet(address: str) -> None:
    assert remote._is_public(ipaddress.ip_address(address))  # pyright: ignore[reportPrivateUsage]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """What names resolve to, one list of addresses for each time; 127.0.0.2 plays a public server."""
    given: dict[str, list[list[str]]] = {}

    async def resolve(host: str, port: int, family: Any) -> list[dict[str, Any]]:
        answers = given[host]
        now = answers.pop(0) if len(answers) > 1 else answers[0]
        one = {"hostname": host, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
        return [{**one, "host": address} for address in now]

    real = remote._is_public  # pyright: ignore[reportPrivateUsage]

    def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        return str(address) == "127.0.0.2" or real(address)

    monkeypatch.setattr(remote, "_addresses", resolve)
    monkeypatch.setattr(remote, "_is_public", is_public)
    return given


def test_a_public_name_is_fetched(site: Site, names: dict[str, list[list[str]]]) -> None:
    names["photos.test"] = [["127.0.0.2"]]
    site.serves("/a.png", PICTURE)
    assert isinstance(fetched(site.url("/a.png", "photos.test"), allow_private=False), Item)


def test_a_name_that_also_leads_home_is_refused(site: Site, names: dict[str, list[list[str]]]) -> None:
    names["photos.test"] = [["127.0.0.2", "127.0.0.1"]]
    site.serves("/a.png", PICTURE)
    refused = reason(fetched(site.url("/a.png", "photos.test"), allow_private=False))
    assert refused.startswith("leads to 127.0.0.1, an address that is private")
    assert site.asked == []


def test_a_name_that_switches_is_caught(site: Site, names: dict[str, list[list[str]]]) -> None:
    names["photos.test"] = [["127.0.0.2"], ["127.0.0.1"]]
    site.redirects("/a.png", "/b.png")
    site.serves("/b.png", PICTURE)
    refused = reason(fetched(site.url("/a.png", "photos.test"), allow_private=False))
    assert refused.startswith("leads to 127.0.0.1")
    assert [path for _, path, _ in site.asked] == ["/a.png"]


def test_a_name_is_resolved_once_for_a_connection(site: Site, names: dict[str, list[list[str]]]) -> None:
    names["photos.test"] = [["127.0.0.2"], ["10.255.255.1"]]
    site.serves("/a.png", PICTURE)
    assert isinstance(fetched(site.url("/a.png", "photos.test"), allow_private=False), Item)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"])
def test_a_redirect_leads_to_no_private_address(site: Site, names: dict[str, list[list[str]]], host: str) -> None:
    names |= {"photos.test": [["127.0.0.2"]], "localhost": [["127.0.0.1"]]}
    site.redirects("/a.png", site.url("/b.png", host))
    site.serves("/b.png", PICTURE)
    assert reason(fetched(site.url("/a.png", "photos.test"), allow_private=False))
    assert [path for _, path, _ in site.asked] == ["/a.png"]


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.com/a", "gopher://x/"])
def test_a_redirect_leads_to_no_other_scheme(site: Site, target: str) -> None:
    assert "redirects from http to" in reason(fetched(site.redirects("/a", target)))


def test_redirects_are_followed_five_times(site: Site) -> None:
    site.serves("/0", PICTURE)
    for i in range(1, 7):
        site.redirects(f"/{i}", f"/{i - 1}", 307)
    item = fetched(site.url("/5"))
    assert isinstance(item, Item)
    assert item.id == site.url("/5")  # by the name that it was asked for
    assert "redirects more than 5 times" in reason(fetched(site.url("/6")))


def test_what_proves_who_asks_stays_with_its_server(site: Site) -> None:
    site.serves("/b", PICTURE)
    site.redirects("/a", site.url("/b", "localhost"))
    site.redirects("/c", "/b")
    options = {"headers": {"X-Key": "secret"}}
    fetched(site.url("/a", "name:word@127.0.0.1"), storage_options=options)
    fetched(site.url("/c", "name:word@127.0.0.1"), storage_options=options)
    told = [(path, "Authorization" in headers, "X-Key" in headers) for _, path, headers in site.asked]
    assert told == [("/a", True, True), ("/b", False, False), ("/c", True, True), ("/b", True, True)]


# bodies


def test_an_endless_body_ends_at_the_limit(site: Site) -> None:
    sent: list[int] = []

    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not site.stopped.is_set() and len(sent) < 10_000:
            request.wfile.write(bytes(1 << 16))
            sent.append(1)

    site.answers["/a"] = endless
    assert "more bytes than the limit of 100,000" in reason(fetched(site.url("/a"), limits=Limits(bytes=100_000)))
    time.sleep(0.2)
    assert len(sent) < 1000


def test_what_says_that_it_is_too_large_is_not_read(site: Site) -> None:
    url = site.serves("/a", PICTURE, Content_Length="1000000")
    assert "more bytes than the limit" in reason(fetched(url, limits=Limits(bytes=100_000)))


def test_a_body_that_is_shorter_than_it_says_is_cut_off(site: Site) -> None:
    def short(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(PICTURE) + 10))
        request.end_headers()
        request.wfile.write(PICTURE)
        request.close_connection = True

    site.answers["/a"] = short
    assert "is cut off" in reason(fetched(site.url("/a")))


@pytest.mark.parametrize("limit", ["_TOTAL", "_QUIET"])
def test_a_slow_body_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    def slow(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not site.stopped.wait(0.1 if limit == "_TOTAL" else 5):
            request.wfile.write(b"x")

    site.answers["/a"] = slow
    monkeypatch.setattr(remote, limit, 0.5)
    start = time.monotonic()
    assert "takes too long" in reason(fetched(site.url("/a")))
    assert time.monotonic() - start < 4


def test_what_comes_compressed_is_refused(site: Site) -> None:
    url = site.serves("/a", b"\x1f\x8b", Content_Encoding="gzip")
    assert "comes compressed" in reason(fetched(url))
    assert site.asked[0][2]["Accept-Encoding"] == "identity"


# names


def test_no_secret_is_in_a_name(site: Site) -> None:
    path = "/a.png?v=2&X-Amz-Signature=SECRET&X-Amz-Expires=60&token=SECRET&author=me&se=SECRET&sig=SECRET"
    site.serves(path, PICTURE)
    url = f"http://SECRET:SECRET@127.0.0.1:{site.port}{path}#SECRET"
    item = fetched(url)
    assert isinstance(item, Item)
    assert item.id == site.url("/a.png?v=2&author=me")
    assert "SECRET" not in repr(item) + repr(Remote(url, storage_options={"headers": {"a": "SECRET"}}))
    assert "SECRET" not in str(found(url)[0])
    site.answers.clear()
    assert "SECRET" not in str(fetched(url))


def test_one_object_is_one_id_whatever_its_signature() -> None:
    first, second = (Remote(f"https://x.test/a?sv=1&se={i}&sig={i}").scope for i in range(2))
    assert first == second == "https://x.test/a"
    assert Remote("https://x.test/a?se=1").scope != Remote("https://x.test/a?se=2").scope


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "ftp://x.test/a",
        "zip://a.png::https://x.test/a.zip",
        "simplecache::s3://bucket/a",
        "s3://bucket/zip::a",
        "local://a",
        "github://a:b@c/d",
        "https:///a",
        "https://x.test/*.png",
        "https://x.test:99999/",
        "https://x.test/a\nb",
        "http://[::1",
        "s3://KEY:SECRET@bucket/a",
        "",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|scheme|pattern|spaces|login") as raised:
        Remote(url)
    assert "SECRET" not in str(raised.value)


def test_http_takes_no_options_that_would_be_ignored() -> None:
    with pytest.raises(ValueError, match="no storage option 'proxy'"):
        Remote("https://x.test/a", storage_options={"proxy": "x"})


# buckets


@pytest.fixture
def bucket() -> Iterator[Any]:
    fsspec: Any = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()


def test_a_pattern_finds_the_objects_of_a_bucket(bucket: Any) -> None:
    bucket.pipe({"/photos/b.png": PICTURE, "/photos/sub/a #1.txt": b"a text", "/other/c.png": PICTURE})
    pattern = Remote("memory://photos/**")
    assert pattern.scope == "memory://photos/"
    objects = list(pattern.items())
    assert all(isinstance(one, RemoteObject) for one in objects)
    items = [one.items()[0] for one in objects if isinstance(one, RemoteObject)]
    assert [item.id for item in items if isinstance(item, Item)] == [
        "memory://photos/b.png",
        "memory://photos/sub/a #1.txt",
    ]
    for one, item in zip(objects, items, strict=True):
        assert isinstance(one, RemoteObject)
        assert isinstance(item, Item)
        assert one.stamp is not None
        assert item.origin == Origin(one.source, one.stamp)
        assert one.source.startswith(pattern.scope)
    assert [item.media for item in items if isinstance(item, Item)] == [
        {"image": Image(PICTURE)},
        {"text": Text("a text")},
    ]


def test_the_stamp_of_a_bucket_changes_with_its_object(bucket: Any) -> None:
    def stamp() -> str | None:
        (one,) = found("memory://photos/a.png")
        (same,) = found("memory://photos/*.png")
        assert isinstance(one, RemoteObject)
        assert isinstance(same, RemoteObject)
        assert (one.source, one.stamp) == (same.source, same.stamp)
        return one.stamp

    bucket.pipe("/photos/a.png", PICTURE)
    first = stamp()
    assert stamp() == first
    bucket.pipe("/photos/a.png", PICTURE + b"x")
    assert stamp() != first


def test_what_a_bucket_has_not_is_told(bucket: Any) -> None:
    bucket.pipe("/photos/a.png", bytes(2000))
    (error,) = found("memory://photos/gone.png")
    assert "does not exist" in reason(error)
    assert "matches no object" in reason(found("memory://photos/*.gif")[0])
    assert "is a folder" in reason(found("memory://photos")[0])
    (one,) = found("memory://photos/a.png", limits=Limits(bytes=1000))
    assert isinstance(one, RemoteObject)
    assert "more bytes than the limit of 1,000" in reason(one.items()[0])


def test_a_bucket_that_lies_about_sizes_is_not_read_further(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.pipe("/photos/a.png", bytes(1_000_000))
    info = bucket.info("/photos/a.png") | {"size": 10}

    def lie(self: Any, path: str, **options: Any) -> Any:
        return info

    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.info", lie)
    (one,) = found("memory://photos/a.png", limits=Limits(bytes=1000))
    assert isinstance(one, RemoteObject)
    assert "more bytes than the limit" in reason(one.items()[0])


def test_one_bad_object_does_not_lose_the_others(bucket: Any) -> None:
    bucket.pipe({"/p/a.txt": b"\xff", "/p/b.txt": b"good", "/p/c.txt": b"going"})
    objects = [one for one in found("memory://p/*") if isinstance(one, RemoteObject)]
    bucket.rm("/p/c.txt")
    assert [type(one.items()[0]) for one in objects] == [MediaError, Item, MediaError]


def test_it_may_be_read_where_a_loop_runs(site: Site) -> None:
    import asyncio

    url = site.serves("/a.png", PICTURE)

    async def read() -> object:
        return fetched(url)

    assert isinstance(asyncio.run(read()), Item)
