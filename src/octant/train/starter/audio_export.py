"""From a trained audio tower to the files that the package loads, and their measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from octant.backends.starter.audio import BANDS, Sounds, log_mel, mel_bank, windows
from octant.train.starter.audio import Trained
from octant.train.starter.concepts import SOUNDS
from octant.train.starter.native import native_axes
from octant.train.starter.places import Places, unit
from octant.train.starter.quantize import export, quantize, session
from octant.train.starter.sounds import CLASSES, Clip

__all__ = ["Heard", "axes_of", "hear", "ship", "sounds_of"]

Array = NDArray[np.float32]

NATIVE_SHRINKAGE, NATIVE = 0.3, 64
TEMPERATURE, SOFTNESS = 2.0, 2.0
"""Chosen on folds 1 and 4: a sound that might be two things stands between them, and doubt is gradual."""


def ship(trained: Trained, clips: Sequence[Clip], work: Path, name: str) -> tuple[Path, dict[str, float]]:
    """Export and quantize the ears; return the int8 model and how near it is to float32."""
    full, small = work / f"{name}.float.onnx", work / f"{name}.onnx"
    export(trained.ears, torch.zeros(2, 1, BANDS, 201), full, free={0: "n", 3: "t"})
    bank = mel_bank()
    order = np.random.default_rng(0).permutation(len(clips))
    inputs = np.stack([log_mel(windows(clips[row].wave)[0], bank) for row in order[:192]])[:, None]
    quantize(full, small, (row[None] for row in inputs[:128]), floating=1)
    exact, near = forward(full, inputs[96:]), forward(small, inputs[96:])
    named = [(features @ trained.head + trained.offset).argmax(1) for features in (exact, near)]
    cosine = (unit(exact) * unit(near)).sum(1)
    return small, {
        "int8_top1_agreement": round(float((named[0] == named[1]).mean()), 4),
        "int8_feature_cosine": round(float(cosine.mean()), 4),
        "int8_feature_cosine_worst": round(float(cosine.min()), 4),
    }


def sounds_of(trained: Trained, places: Places) -> Sounds:
    """Put the heads beside the places of the ten sounds in the shared space."""
    return Sounds(
        trained.head,
        trained.offset,
        trained.gate,
        trained.threshold,
        np.stack([places.concept(SOUNDS[name]) for name in CLASSES]),
        places.elsewhere,
        temperature=TEMPERATURE,
        softness=SOFTNESS,
    )


@dataclass(frozen=True, slots=True)
class Heard:
    """Clips as the package encodes them."""

    clips: list[Clip]
    features: list[Array]


def hear(model: Path, clips: Sequence[Clip]) -> Heard:
    """Run clips through an ONNX model, as the package does: windows, log-mel, features."""
    bank = mel_bank()
    return Heard(
        list(clips),
        [forward(model, np.stack([log_mel(part, bank) for part in windows(clip.wave)])[:, None]) for clip in clips],
    )


def axes_of(heard: Heard) -> tuple[Array, Array]:
    """Find the native axes; windows are labelled by the concept of their clip, where it has one."""
    rows = np.concatenate(heard.features)
    labels = [clip.concept for clip, parts in zip(heard.clips, heard.features, strict=True) for _ in parts]
    return native_axes(rows, labels, shrinkage=NATIVE_SHRINKAGE, count=NATIVE)


def forward(path: Path, inputs: Array) -> Array:
    opened = session(path)
    return np.concatenate([opened.run(None, {"x": inputs[row : row + 8]})[0] for row in range(0, len(inputs), 8)])
