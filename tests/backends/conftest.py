"""Tests of model families make tiny models on the spot: nothing is asked of a hub."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from octant.backends.batches import Batches

if os.environ.get("OCTANT_TEST_HUB") != "1":
    os.environ["HF_HUB_OFFLINE"] = "1"  # read when the libraries are imported


def pytest_collection_modifyitems(items: list[Any]) -> None:
    for item in items:
        if item.get_closest_marker("hub") and os.environ.get("OCTANT_TEST_HUB") != "1":
            item.add_marker(
                pytest.mark.skip(reason="asks a model hub or a service: set OCTANT_TEST_HUB=1 where it can be reached")
            )


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The lengths by which batches are cut, of each call from now on."""
    lengths_of_calls: list[list[int]] = []
    usual = cast("Callable[..., list[Any]]", Batches.__call__)  # pyright: ignore[reportUnknownMemberType]

    def noting(self: Batches[Any, Any], prepared: Sequence[Any], lengths: Sequence[int]) -> list[Any]:
        lengths_of_calls.append(list(lengths))
        return usual(self, prepared, lengths)

    monkeypatch.setattr(Batches, "__call__", noting)
    return lengths_of_calls
