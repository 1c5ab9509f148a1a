"""Sounds that are made up, and what several families are asked of them."""

from __future__ import annotations

import importlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from octant.encoding import Encoder, Role
from octant.media import Audio, Modality
from octant.vectors import Array, stack

safetensors: Any = importlib.import_module("safetensors.numpy")

TOLERANCE = 1e-5


def noise(seconds: float, rate: int, seed: int = 0) -> Array:
    """Noise whose loudness and colour change, so that no two parts of it are alike."""
    chance = np.random.default_rng(seed)
    count = max(1, round(seconds * rate))
    at = np.arange(count) / rate
    tones = np.sin(2 * np.pi * (200 + 150 * seed + 60 * at) * at) * (0.2 + 0.1 * np.sin(at))
    return (tones + 0.05 * chance.standard_normal(count)).astype(np.float32)


def wav(samples: Array, rate: int) -> bytes:
    """Write a WAV file of floats."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="FLOAT")  # pyright: ignore[reportUnknownMemberType]
    return file.getvalue()


def of(modality: Modality, encoders: Sequence[Encoder[Any]]) -> Encoder[Any]:
    """Choose the encoder of a modality."""
    [encoder] = [one for one in encoders if one.spec.modality is modality]
    return encoder


def encode(encoder: Encoder[Any], *media: Any) -> Array:
    """Encode in one batch: [n, dim]."""
    return stack(encoder.encode(media, Role.DOCUMENT))


def singly(encoder: Encoder[Any], *media: Any) -> Array:
    """Encode one by one: [n, dim]."""
    return np.concatenate([encode(encoder, one) for one in media])


def unit(row: Any) -> Array:
    """Scale to unit length."""
    row = np.asarray(row, np.float32).reshape(-1)
    return row / np.linalg.norm(row)


def changed(folder: Path, to: Path, *, without: str | None = None, extra: str | None = None) -> Path:
    """Copy a checkpoint without one of its weights, or with one more."""
    to.mkdir()
    for file in folder.iterdir():
        if file.name != "model.safetensors":
            (to / file.name).write_bytes(file.read_bytes())
    weights: dict[str, Any] = safetensors.load_file(folder / "model.safetensors")
    if without is not None:
        del weights[next(name for name in weights if without in name)]
    if extra is not None:
        weights[extra] = np.zeros(3, np.float32)
    safetensors.save_file(weights, to / "model.safetensors", metadata={"format": "pt"})
    return to


def broken(rate: int) -> Sequence[Audio]:
    """Sounds of which none can be decoded."""
    whole = wav(noise(1, rate), rate)
    return [Audio(b"RIFFnot a sound"), Audio(whole[: len(whole) // 2]), Audio(np.full(rate, np.nan), rate=rate)]
