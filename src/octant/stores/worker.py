"""An embedded database in a process of its own: `WorkerClient` and `AsyncWorkerClient`, and the process they talk to.

The engine holds Python's global lock in every call and does not survive a fork; in a process of its own it does neither
to its caller. Calls are queued and answered in order. The worker flushes and ends when its caller closes it or dies.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

from octant.errors import StoreError
from octant.stores import forks
from octant.stores.directory import Engine
from octant.stores.forward import AsyncForwarded, Forwarded
from octant.stores.pipe import Failure, pack, receive, send, widen

__all__ = ["AsyncWorkerClient", "WorkerClient", "main"]

OPENED = 0
"""The number of the message that the worker sends first."""
FAREWELL_SECONDS = 60.0


class WorkerClient(Forwarded):
    """An embedded database in a worker process. Safe to use from any number of threads."""

    def __init__(self, path: Path, engine: Engine = "edge") -> None:
        """Start the worker and wait until it has the database open. Raises what opening it raises."""
        self._link = _Link(path, engine)
        try:
            self._link.opened.result()
        except BaseException:  # Ctrl-C too: a worker that nobody holds would keep the lock
            self._link.close()
            raise

    def _call(self, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        return self._link.submit(method, args, kwargs).result()

    def hasten_index(self) -> list[str]:
        due: list[str] = self._call("hasten_index", (), {})
        return due

    def close(self) -> None:
        self._link.close()


class AsyncWorkerClient(AsyncForwarded):
    """An embedded database in a worker process, for asyncio. Made by `AsyncWorkerClient.open`."""

    def __init__(self, link: _Link) -> None:
        self._link = link

    @classmethod
    async def open(cls, path: Path, engine: Engine = "edge") -> AsyncWorkerClient:
        """Start the worker and wait until it has the database open. Raises what opening it raises."""
        link = _Link(path, engine)
        try:
            await asyncio.wrap_future(link.opened)
        except BaseException:  # cancellation too: a worker that nobody holds would keep the lock
            await asyncio.to_thread(link.close)
            raise
        return cls(link)

    async def _call(self, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        return await asyncio.wrap_future(self._link.submit(method, args, kwargs))

    async def hasten_index(self) -> list[str]:
        due: list[str] = await self._call("hasten_index", (), {})
        return due

    async def close(self) -> None:
        await asyncio.to_thread(self._link.close)


class _Link:
    """The caller's end: sends calls, matches answers to them."""

    def __init__(self, path: Path, engine: Engine) -> None:
        self._path = path
        self._lock = Lock()
        self._waiting: dict[int, Future[Any]] = {}
        self._numbers = count(OPENED)
        self._ended = ""
        self._outbox: SimpleQueue[tuple[int, bytes] | None] = SimpleQueue()
        self.opened: Future[None] = self._expect()[1]
        self._process = _start(path, engine)
        self._threads = [
            Thread(target=self._write, args=(self._descriptor(self._process.stdin),), daemon=True),
            Thread(target=self._read, args=(self._descriptor(self._process.stdout),), daemon=True),
        ]
        for stream in (self._process.stdin, self._process.stdout):
            widen(self._descriptor(stream))
        for thread in self._threads:
            thread.start()
        forks.watch(self)
        atexit.register(self.close)

    def submit(self, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Future[Any]:
        """Queue a call; the future has its result, or raises its error."""
        message = b"" if self._ended else pack((method, args, dict(kwargs)))
        number, future = self._expect()
        self._outbox.put((number, message))
        return future

    def close(self) -> None:
        """Let the worker finish what was queued, flush and end."""
        atexit.unregister(self.close)
        with self._lock:
            if self._ended:
                return
            self._ended = "it is closed; open it again"
        self._outbox.put(None)
        try:
            self._process.wait(FAREWELL_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join()

    def after_fork_in_child(self) -> None:
        """Refuse to work in a forked child, and let go of the pipes, which the worker watches to see its caller die."""
        atexit.unregister(self.close)
        self._ended = "it was opened before this process was forked; open it after forking"
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.returncode = 0  # not ours to wait for

    def _expect(self) -> tuple[int, Future[Any]]:
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()  # a call that was sent cannot be cancelled
        if self._ended:  # in a forked child the lock may be held for ever
            raise self._refusal()
        with self._lock:
            if self._ended:
                raise self._refusal()
            number = next(self._numbers)
            self._waiting[number] = future
        return number, future

    def _refusal(self) -> StoreError:
        return StoreError(f"the database at {self._path} cannot be used: {self._ended}")

    def _write(self, pipe: int) -> None:
        while (message := self._outbox.get()) is not None:
            try:
                send(pipe, *message)
            except OSError:
                return  # the worker is gone; the reader says so
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _read(self, pipe: int) -> None:
        try:
            while True:
                number, result = receive(pipe)
                with self._lock:
                    future = self._waiting.pop(number)
                if isinstance(result, Failure):
                    future.set_exception(result.unpack())
                else:
                    future.set_result(result)
        except (OSError, EOFError):
            pass
        except BaseException:
            self._process.kill()  # what was acknowledged is kept; to wait for a living worker would be for ever
            raise
        finally:  # whatever else went wrong here, nobody waits for an answer for ever
            self._give_up()

    def _give_up(self) -> None:
        atexit.unregister(self.close)
        code = self._process.wait()
        died = f"its worker process ended with {code}; what was acknowledged is kept: open again"
        with self._lock:
            self._ended = self._ended or died
            waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            future.set_exception(self._refusal())
        self._outbox.put(None)
        self._threads[0].join()  # it must not write to a descriptor that is closed, and then another's
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    @staticmethod
    def _descriptor(stream: Any) -> int:
        number: int = stream.fileno()
        return number


_GROUP: int = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # Windows only
"""Ctrl-C goes to the caller, who decides: the worker is in a group, or a session, of its own."""


def _start(path: Path, engine: Engine) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "octant.stores.worker", str(path.absolute()), engine, _caller()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,
        creationflags=_GROUP,
    )


def _caller() -> str:
    return f"the worker of {os.getpid()} {Path(sys.argv[0]).name if sys.argv else ''}"


def main(path: Path, engine: Engine) -> None:
    """Be the worker: open the database, answer calls until the caller closes the pipe, close the database."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    incoming, outgoing = os.dup(0), os.dup(1)
    os.dup2(2, 1)  # whatever prints, prints to stderr, not into the answers
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        client = _open(path, engine)
    except Exception as error:
        _answer(outgoing, OPENED, Failure.of(error))
        return
    _answer(outgoing, OPENED, None)
    while True:
        try:
            number, call = receive(incoming)
        except EOFError:
            break
        _answer(outgoing, number, call if isinstance(call, Failure) else _done(client, *call))
    client.close()


def _done(client: Any, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    try:
        return getattr(client, method)(*args, **kwargs)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the engine is no Exception, and must not end the worker
        return Failure.of(error)


def _open(path: Path, engine: Engine) -> Any:
    if engine == "local":
        from octant.stores.local import LocalClient

        return LocalClient(path)
    from octant.stores.edge import EdgeClient

    return EdgeClient(path)


def _answer(pipe: int, number: int, result: Any) -> None:
    try:
        message = pack(result)
    except Exception as error:
        message = pack(Failure(StoreError, (f"the answer cannot be sent: {error!r}",), {}))
    with suppress(BrokenPipeError):  # the caller is gone; the next read says so
        send(pipe, number, message)


if __name__ == "__main__":
    sys.argv[0] = sys.argv[3]  # what the lock tells others
    main(Path(sys.argv[1]), "local" if sys.argv[2] == "local" else "edge")
