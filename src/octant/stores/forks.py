"""Forks: a client that was open when its process forked must not be used in the child."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet

__all__ = ["Forkable", "watch"]


class Forkable(Protocol):
    """Something that has to know that it finds itself in a forked child."""

    def after_fork_in_child(self) -> None:
        """Refuse to work from now on, and close inherited handles without harm to the parent."""
        ...


_WATCHED: WeakSet[Forkable] = WeakSet()


def watch(client: Forkable) -> None:
    """Tell this client when it finds itself in a forked child. It is not kept alive by this."""
    _WATCHED.add(client)


def _tell() -> None:
    for client in list(_WATCHED):
        client.after_fork_in_child()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_tell)
