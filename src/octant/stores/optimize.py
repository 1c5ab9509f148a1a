"""Optimise one shard and exit: run as a script, in a process of its own, on a folder that nobody else uses.

The engine's `optimize` holds Python's global lock until it is done, minutes for a large collection, so it must not run
in a process that anyone waits for. This file imports nothing of octant, to start fast.
"""

from __future__ import annotations

import os
import sys

import qdrant_edge as qe

__all__ = ["main"]


def main(folder: str) -> None:
    """Build the indexes of the shard in this folder, drop what was deleted, write it all down."""
    _die_with_parent()
    if sys.platform != "win32":
        os.nice(10)
    shard = qe.EdgeShard.load(folder)
    shard.optimize()
    shard.flush()
    shard.close()


def _die_with_parent() -> None:
    """Ask the kernel for SIGIO, which ends a process, when the other end of stdin closes.

    A thread could not watch for that: it would not get Python's global lock while the engine optimises. Where
    the kernel does not do this, an orphan runs to its end on a folder that nobody names; the next opening sweeps it.
    """
    if sys.platform == "win32":
        return
    import fcntl

    flags = fcntl.fcntl(0, fcntl.F_GETFL)
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, flags | os.O_ASYNC)


if __name__ == "__main__":
    main(sys.argv[1])
