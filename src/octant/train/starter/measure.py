"""Retrieval and detection measures of the training scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["auroc", "mean_ap", "record", "recorded", "retrieval"]

Array = NDArray[np.float32]
Flags = NDArray[np.bool_]


def retrieval(scores: Array, relevant: Flags, *, own: bool = False) -> dict[str, float]:
    """Measure rankings [q, d]: share of queries with a hit among the first 1, 5, 10, and mean average precision.

    `own` says that query i is document i, which is then left out. Queries without a relevant document are left out.
    """
    rows: list[list[float]] = []
    for index, (row, wanted) in enumerate(zip(scores, relevant, strict=True)):
        order = np.argsort(-row, kind="stable")
        hits = wanted[order[order != index] if own else order]
        if hits.any():
            found = np.cumsum(hits) / np.arange(1, len(hits) + 1)
            rows.append([float(hits[:k].any()) for k in (1, 5, 10)] + [float(found[hits].mean())])
    means = np.mean(rows, axis=0)
    return dict(zip(("R@1", "R@5", "R@10", "mAP"), (round(float(value), 4) for value in means), strict=True))


def mean_ap(scores: Array, relevant: Flags, *, own: bool = False) -> float:
    return retrieval(scores, relevant, own=own)["mAP"]


def auroc(known: Array, unknown: Array) -> float:
    """Return the chance that a known sound scores above an unknown one."""
    above = (known[:, None] > unknown[None]).mean() + 0.5 * (known[:, None] == unknown[None]).mean()
    return round(float(above), 4)


def record(out: Path, step: str, metrics: Mapping[str, object]) -> None:
    """Keep a step's numbers beside the weights, and print them."""
    numbers = recorded(out) | {step: dict(metrics)}
    (out / "metrics.json").write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({step: dict(metrics)}, indent=1), flush=True)


def recorded(out: Path) -> dict[str, dict[str, object]]:
    path = out / "metrics.json"
    found: dict[str, dict[str, object]] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found
