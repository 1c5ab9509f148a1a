"""What the tests of `octant.distributed` need beside it: encoders that kill their process, and a server of sorts."""

import json
import os
import re
import signal
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import TypeAdapter
from qdrant_client.http import models

from octant import Field, Item, Modality, Schema, Space
from octant.backends.hashing import BagOfWords, Hashing
from octant.encoding import EncoderSpec, Role
from octant.errors import ItemError, MediaError
from octant.item import Origin, Skipped
from octant.media import Text
from octant.stores.local import LocalClient
from octant.vectors import Vector

__all__ = ["DEADLY", "FATAL", "Mortal", "Pages", "schema", "stand_in"]

DEADLY, FATAL = "nightshade", "hemlock"
"""A word that kills the first process that reads it, and one that kills every process."""


class Mortal(Hashing):
    """Encodes texts, writes down which process did, and is killed by some words."""

    def __init__(self, diary: Path) -> None:
        super().__init__(Modality.TEXT, 16)
        self.spec = EncoderSpec("mortal@1", Modality.TEXT, 16, tokens=20)
        self._diary = diary

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        return [found.span() for found in re.finditer(r"\S+", text)]

    def __reduce__(self) -> Any:
        raise TypeError("encoders stay in their process")

    def encode(self, batch: Sequence[Any], role: Role) -> list[Vector]:
        with (self._diary / f"pid{os.getpid()}").open("a") as diary:
            diary.write(f"{len(batch)}\n")
        time.sleep(0.01 * len(batch))
        words = " ".join(text.content for text in batch)
        if FATAL in words or (DEADLY in words and not (self._diary / "killed").exists()):
            (self._diary / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode(batch, role)


def schema(diary: Path) -> Schema:
    """Texts, which are cut, and pictures."""
    shared = Space("shared", Mortal(diary), Hashing(Modality.IMAGE, 16))
    return Schema(
        Field("text", shared, Modality.TEXT),
        Field("words", Space("words", BagOfWords()), Modality.TEXT),
        Field("image", shared, Modality.IMAGE),
    )


@dataclass(frozen=True)
class Pages:
    """A stream of books of several pages: items that belong together, some broken ones, and one twice."""

    books: int
    scope: str | None = "books#"

    def items(self) -> Iterator[Item | Skipped | MediaError | ItemError]:
        for book in range(self.books):
            for page in range(3):
                origin = Origin(f"books#{book}", None, page, 3)
                yield Item(f"{book}.{page}", {"text": Text(f"book {book} page {page}")}, {}, origin)
        yield Item("0.0", {"text": Text("another first page")})
        yield Skipped("books#x", "is blank")
        yield MediaError("books", "is cut off; copy it again")


@contextmanager
def stand_in() -> Generator[str]:
    """Serve as much of Qdrant's HTTP interface as an ingest asks for, out of local mode in memory; yield its URL."""
    store = _Store(LocalClient(None))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, result = store.answer(self.command, urlsplit(self.path).path, json.loads(body or b"null"))
            said = json.dumps(result).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:  # who asked was killed
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        store.client.close()


class _Store:
    """What stands behind the stand-in: requests in, results out, as plain data."""

    def __init__(self, client: LocalClient) -> None:
        self.client = client
        self.indexed: dict[str, dict[str, Any]] = {}

    def answer(self, command: str, path: str, body: Any) -> tuple[int, Any]:
        if path == "/":
            return 200, {"title": "stand-in", "version": "1.17.0"}
        parts = path.strip("/").split("/")
        name, asked = parts[1], "/".join(parts[2:])
        try:
            result = self._result(command, name, asked, body)
        except Exception as error:
            return 400, {"status": {"error": f"{command} {path}: {error!r}"}, "time": 0.0}
        return 200, {"result": result, "status": "ok", "time": 0.0}

    def _result(self, command: str, name: str, asked: str, body: Any) -> Any:
        client = self.client
        match command, asked:
            case "GET", "exists":
                return {"exists": client.collection_exists(name)}
            case "GET", "":
                return {**_plain(client.get_collection(name)), "payload_schema": self.indexed[name]}
            case "DELETE", "":
                return client.delete_collection(name)
            case "PUT", "":
                made = models.CreateCollection.model_validate(body)
                vectors = TypeAdapter(dict[str, models.VectorParams]).validate_python(body["vectors"])
                self.indexed[name] = {}
                return client.create_collection(name, vectors, made.sparse_vectors, metadata=made.metadata)
            case "PUT", "index":
                self.indexed[name][body["field_name"]] = {"data_type": body["field_schema"], "points": 0}
                return {"operation_id": 0, "status": "completed"}
            case "PUT", "points":
                points = models.PointsList.model_validate(body).points
                return _plain(client.upsert(name, points))
            case "POST", "points/delete":
                return _plain(client.delete(name, models.PointIdsList.model_validate(body)))
            case "POST", "points":
                wanted = models.PointRequest.model_validate(body)
                return _plain(
                    client.retrieve(name, wanted.ids, wanted.with_payload or False, wanted.with_vector or False)
                )
            case "POST", "points/scroll":
                page = models.ScrollRequest.model_validate(body)
                records, offset = client.scroll(
                    name,
                    page.filter,
                    page.limit or 10,
                    offset=page.offset,
                    with_payload=True if page.with_payload is None else page.with_payload,
                    with_vectors=page.with_vector or False,
                )
                return {"points": _plain(records), "next_page_offset": offset}
            case "POST", "points/count":
                return _plain(client.count(name, models.CountRequest.model_validate(body).filter))
            case _:
                raise NotImplementedError


def _plain(result: Any) -> Any:
    return TypeAdapter(Any).dump_python(result, mode="json", serialize_as_any=True)
