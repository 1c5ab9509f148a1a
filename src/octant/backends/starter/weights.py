"""The shipped weights: found beside this file, verified by checksum before use."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octant.errors import WeightsError
from octant.vectors import Array

__all__ = ["MANIFEST", "Model", "Weights", "identity", "threads"]

MANIFEST = "manifest.json"
Model = Callable[[Array], Array]
SHIPPED = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Weights:
    """A folder of weights and the manifest of their sha256 sums."""

    folder: Path = SHIPPED

    def read(self, name: str) -> bytes:
        """Read a file whole and verify it; WeightsError where it is missing or altered."""
        path, expected = self.folder / name, self.checksum(name)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise WeightsError(path, f"cannot be read ({error.strerror}); reinstall octant-search") from error
        found = hashlib.sha256(data).hexdigest()
        if found != expected:
            raise WeightsError(
                path, f"sha256 {found[:12]}… is not the published {expected[:12]}…; reinstall octant-search"
            )
        return data

    def arrays(self, name: str) -> dict[str, NDArray[np.generic]]:
        """Read an .npz of plain arrays."""
        with np.load(io.BytesIO(self.read(name)), allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}

    def model(self, name: str) -> Model:
        """Open an ONNX model of one input and one output on the CPU, with threads that do not spin while they wait."""
        import onnxruntime  # pyright: ignore[reportMissingTypeStubs]

        library: Any = onnxruntime
        options = library.SessionOptions()
        options.intra_op_num_threads = threads()
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = library.InferenceSession(self.read(name), options, providers=["CPUExecutionProvider"])

        def run(batch: Array) -> Array:
            features: Array = session.run(None, {"x": batch})[0]
            return features

        return run

    def checksum(self, name: str) -> str:
        """Return the published sha256 of a file."""
        expected = self._sums.get(name)
        if expected is None:
            raise WeightsError(self.folder / name, f"not listed in {MANIFEST}; reinstall octant-search")
        return expected

    @cached_property
    def _sums(self) -> dict[str, str]:
        path = self.folder / MANIFEST
        try:
            sums: dict[str, str] = json.loads(path.read_text("utf-8"))["sha256"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(path, "missing or unreadable; reinstall octant-search") from error
        return sums


def identity(tower: str, preprocessing: int, *checksums: str) -> str:
    """Name a tower by the version of its preprocessing and the sums of its files."""
    digest = hashlib.sha256("\n".join([str(preprocessing), *checksums]).encode()).hexdigest()
    return f"octant-starter/{tower}@{preprocessing} sha256:{digest[:12]}"


def threads() -> int:
    """Count the processors that this process may use, at most four: the towers are too small for more."""
    import os

    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(4, available))
