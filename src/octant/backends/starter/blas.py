"""One thread for the towers' small matrix products: they are done before a second thread has woken up.

numpy's BLAS otherwise spreads even a product of a millisecond over all cores and spins until the last one is there,
which on a busy machine makes texts several times slower (`benchmarks/overhead.py`).
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from threading import RLock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

__all__ = ["one_thread"]

_LOCK = RLock()
"""The number of threads is the process's own: two that changed it at once could leave each other's behind."""


@contextmanager
def one_thread() -> Generator[None]:
    """Run BLAS on the calling thread alone, and give its threads back afterwards."""
    controller = _controller()
    with _LOCK, controller.limit(limits=1, user_api="blas"):  # pyright: ignore[reportUnknownMemberType]
        yield


@cache
def _controller() -> ThreadpoolController:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
