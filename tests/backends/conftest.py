"""Tests of model families make tiny models on the spot: nothing is asked of a hub."""

from __future__ import annotations

import os
from typing import Any

import pytest

if os.environ.get("OCTANT_TEST_HUB") != "1":
    os.environ["HF_HUB_OFFLINE"] = "1"  # read when the libraries are imported


def pytest_collection_modifyitems(items: list[Any]) -> None:
    for item in items:
        if item.get_closest_marker("hub") and os.environ.get("OCTANT_TEST_HUB") != "1":
            item.add_marker(
                pytest.mark.skip(reason="asks a model hub or a service: set OCTANT_TEST_HUB=1 where it can be reached")
            )
