"""The audio tower: log-mel windows through a small CNN; known sounds by name, and a native vector for all sounds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from octant.backends.starter.blas import one_thread
from octant.backends.starter.trunk import Trunk, ahead, attempt, project
from octant.backends.starter.weights import Model, Weights, identity
from octant.encoding import EncoderSpec, Role
from octant.errors import MediaError
from octant.media import Audio, Modality, decode_audio
from octant.vectors import Array, Vector, normalize

__all__ = [
    "RATE",
    "WINDOW",
    "AudioEncoder",
    "AudioNative",
    "AudioTrunk",
    "Sounds",
    "log_mel",
    "mel_bank",
    "sounds_from",
    "windows",
]

PREPROCESSING = 1
RATE = 16_000
WINDOW = 5 * RATE
FFT, HOP, BANDS, LOWEST, HIGHEST = 512, 400, 64, 40.0, 7600.0
BATCH = 8
"""Windows per forward pass."""
FRAMES = 32
"""Frames that are transformed at a time: what is larger than a processor's cache, the system gives and takes each time
anew, page by page, which took longer than the transform."""
FLOOR = 1e-5
"""Added before the logarithm."""


@dataclass(frozen=True, slots=True)
class Sounds:
    """What the tower knows by name, and how sure it must be that a sound is among them at all."""

    head: Array
    """[320, c], and `offset` [c]: logits of the sound concepts."""
    offset: Array
    gate: Array
    """[320], and `threshold`: logit that the sound is one of the concepts."""
    threshold: float
    places: Array
    """[c, 384]: concept texts, centred and whitened like the text tower's vectors."""
    elsewhere: Array
    """[384]: where unknown sounds go; nearly at right angles to every text."""

    temperature: float
    """Of the concepts' logits."""
    softness: float
    """Of the gate: doubt is gradual."""

    def place(self, features: Array) -> Array:
        """Mix the places of the concepts, and `elsewhere` by the doubt: [w, 320] windows → one [384] of unit length."""
        scores = features @ self.head + self.offset
        scores -= scores.max(axis=1, keepdims=True)
        concept = normalize(np.exp(scores / self.temperature) @ self.places)
        # a sound that might be several of the concepts is less likely to be any of them
        surest = -np.log(np.exp(scores).sum(axis=1))
        certainty = np.clip(features @ self.gate + self.threshold + surest, -30, 30) / self.softness
        known = (1 / (1 + np.exp(-certainty)))[:, None]
        return normalize((known * concept + (1 - known) * self.elsewhere).mean(axis=0))


class AudioTrunk(Trunk[Audio]):
    """Sounds to features [w, 320] of their windows, shared by the encoders of one model."""

    def __init__(self, weights: Weights | None = None) -> None:
        super().__init__(self._run)
        self.weights = weights or Weights()
        self._model: Model | None = None
        self._bank = mel_bank()

    def model(self) -> Model:
        """Return the opened model; only one batch runs at a time, so it is opened once."""
        if self._model is None:
            self._model = self.weights.model("audio.onnx")
        return self._model

    def _run(self, batch: Sequence[Audio]) -> Iterator[Array | MediaError]:
        model = self.model()
        held = all(isinstance(audio.source, np.ndarray) for audio in batch)
        # a thread would cost more than to look through samples in memory
        decoded = (attempt(prepare, audio) for audio in batch) if held else ahead(prepare, batch, 4)
        for samples in decoded:
            if isinstance(samples, MediaError):
                yield samples
                continue
            cut = windows(samples)
            parts: list[Array] = []
            for start in range(0, len(cut), BATCH):
                with one_thread():
                    mels = np.stack([log_mel(window, self._bank) for window in cut[start : start + BATCH]])
                parts.append(model(mels[:, None]))
            yield np.concatenate(parts)


class AudioEncoder:
    """Sounds into the shared space: text and images find them. Unknown sounds are kept away from every text."""

    def __init__(self, trunk: AudioTrunk | None = None, *, heads: Weights | None = None) -> None:
        self._trunk = trunk or AudioTrunk()
        self._heads = heads or self._trunk.weights
        self._lock = Lock()
        self._sounds: Sounds | None = None
        sums = (self._trunk.weights.checksum("audio.onnx"), self._heads.checksum("sounds.npz"))
        self.spec = EncoderSpec(identity("audio", PREPROCESSING, *sums), Modality.AUDIO, 384, seconds=10.0, rate=RATE)

    def encode(self, batch: Sequence[Audio], role: Role) -> list[Vector]:  # noqa: ARG002
        """Encode sounds; an ExceptionGroup with one MediaError for each that cannot be decoded."""
        sounds = self.sounds()
        features = self._trunk.features(batch, self)
        with one_thread():
            return [sounds.place(windowed) for windowed in features]

    def sounds(self) -> Sounds:
        """Return what the tower knows by name."""
        with self._lock:
            if self._sounds is None:
                self._sounds = sounds_from(self._heads.arrays("sounds.npz"))
            return self._sounds


class AudioNative:
    """Sounds into the tower's own space, which compares how they sound: audio finds audio, known or not."""

    def __init__(self, trunk: AudioTrunk | None = None, *, heads: Weights | None = None) -> None:
        self._trunk = trunk or AudioTrunk()
        self._heads = heads or self._trunk.weights
        self._lock = Lock()
        self._axes: tuple[Array, Array] | None = None
        sums = (self._trunk.weights.checksum("audio.onnx"), self._heads.checksum("audio-native.npz"))
        self.spec = EncoderSpec(
            identity("audio-native", PREPROCESSING, *sums), Modality.AUDIO, 64, seconds=10.0, rate=RATE
        )

    def encode(self, batch: Sequence[Audio], role: Role) -> list[Vector]:  # noqa: ARG002
        """Encode sounds; an ExceptionGroup with one MediaError for each that cannot be decoded."""
        mean, axes = self._load()
        features = self._trunk.features(batch, self)
        return [normalize(project(windowed, mean, axes).mean(axis=0)) for windowed in features]

    def _load(self) -> tuple[Array, Array]:
        with self._lock:
            if self._axes is None:
                arrays = self._heads.arrays("audio-native.npz")
                self._axes = arrays["mean"].astype(np.float32), arrays["axes"].astype(np.float32)
            return self._axes


def windows(samples: Array) -> list[Array]:
    """Cut sound into windows of 5 s that cover all of it; the last ends with it, a shorter sound is repeated."""
    if len(samples) <= WINDOW:
        return [np.resize(samples, WINDOW)]
    starts = [*range(0, len(samples) - WINDOW, WINDOW), len(samples) - WINDOW]
    return [samples[start : start + WINDOW] for start in starts]


def log_mel(samples: Array, bank: Array) -> Array:
    """Turn [n] samples at 16 kHz into the logarithm of their mel energies: [64, 1 + n // 400]."""
    padded = np.pad(samples.astype(np.float32), FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT)[::HOP]
    power = np.empty((len(frames), FFT // 2 + 1), np.float32)
    for start in range(0, len(frames), FRAMES):
        spectrum = np.fft.rfft(frames[start : start + FRAMES] * _hann(), axis=1)
        power[start : start + FRAMES] = spectrum.real**2 + spectrum.imag**2
    energies: Array = np.log(power @ bank.T + FLOOR).T.astype(np.float32)
    return energies


@cache
def _hann() -> Array:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT) / FFT)).astype(np.float32)


def mel_bank() -> Array:
    """Make the triangular filters, of equal area, on the HTK mel scale: [64, 257]."""
    lowest, highest = (2595 * math.log10(1 + hertz / 700) for hertz in (LOWEST, HIGHEST))
    mels = np.linspace(lowest, highest, BANDS + 2, dtype=np.float64)
    corners = 700 * (np.power(10.0, mels / 2595) - 1)
    bins = np.linspace(0, RATE / 2, FFT // 2 + 1, dtype=np.float64)
    left, centre, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    triangles = np.maximum(0, np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre)))
    bank: Array = (triangles * 20 / (right - left)).astype(np.float32)
    return bank


def prepare(audio: Audio) -> Array:
    return decode_audio(audio, RATE)


def sounds_from(arrays: Mapping[str, NDArray[np.generic]]) -> Sounds:
    """Read what a tower knows out of the arrays of its file."""
    floats = {name: array.astype(np.float32) for name, array in arrays.items()}
    threshold, temperature, softness = (float(number) for number in floats.pop("settings"))
    return Sounds(threshold=threshold, temperature=temperature, softness=softness, **floats)
