"""The sounds that the audio tower learns from, and how they are varied."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octant.backends.starter.audio import RATE, WINDOW
from octant.media import Audio, decode_audio

__all__ = ["CLASSES", "Clip", "Wave", "esc10", "extra", "present", "speech", "synthetic"]

CLASSES = (
    "dog bark",
    "rain",
    "sea waves",
    "crying baby",
    "clock tick",
    "person sneezing",
    "helicopter",
    "chainsaw",
    "rooster",
    "crackling fire",
)
SAME = {
    "rain": "rain",
    "rain heavy": "rain",
    "rain light": "rain",
    "rain medium": "rain",
    "waves": "sea waves",
    "fire crackle": "crackling fire",
    "rooster": "rooster",
    "watch tick": "clock tick",
}
"""Labels of sounds_extra that name one of the ten classes."""

Wave = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One recording at 16 kHz. `concept` is None for a sound that is none of the ten."""

    file: str
    label: str
    concept: int | None
    group: str
    """Fold (ESC-10) or author (extra): clips of one group stay on one side of a split."""
    wave: Wave


def esc10(data: Path) -> list[Clip]:
    """Read ESC-10 (CC0 and CC BY clips)."""
    return [
        Clip(row["file"], row["label"], CLASSES.index(row["label"]), row["fold"], read(data / "esc10" / row["file"]))
        for row in rows(data / "esc10")
    ]


def extra(data: Path) -> list[Clip]:
    """Read the short sounds of many kinds; those that share a recording with ESC-10 are left out."""
    return [
        Clip(row["file"], row["label"], concept(row["label"]), row["author"], read(data / "sounds_extra" / row["file"]))
        for row in rows(data / "sounds_extra")
        if row["overlaps_esc10"] != "True"
    ]


def speech(data: Path) -> list[Clip]:
    """Read every third spoken digit (CC BY-SA): only ever measured with, never trained on."""
    listed = list(rows(data / "spoken_digits"))[::3]
    return [
        Clip(row["file"], row["label"], None, row["speaker"], read(data / "spoken_digits" / row["file"]))
        for row in listed
    ]


def present(wave: Wave, rng: np.random.Generator) -> Wave:
    """Cut or lay out a recording as one window of 5 s, varied in the ways recordings differ."""
    wave = speed(wave, rng) if rng.random() < 0.3 else wave
    if rng.random() < 0.2:
        wave = trimmed(wave)
    if len(wave) > WINDOW:
        start = rng.integers(len(wave) - WINDOW + 1)
        window = wave[start : start + WINDOW]
    elif len(wave) == WINDOW or rng.random() < 0.6:
        window = np.resize(wave, WINDOW)
    elif rng.random() < 0.5:
        window = np.pad(wave, (0, WINDOW - len(wave)))
    else:
        gap = np.zeros(int(rng.uniform(0.05, 1) * RATE), np.float32)
        window = np.resize(np.concatenate([wave, gap]), WINDOW)
    window = np.roll(window, rng.integers(WINDOW)) * np.float32(10 ** (rng.uniform(-15, 6) / 20))
    if rng.random() < 0.5:
        level = window.std() * 10 ** (-rng.uniform(10, 40) / 20)
        window = window + colored(rng) * np.float32(level)
    if rng.random() < 0.1:
        window = np.clip(window, -window.std() * 3, window.std() * 3)
    return np.clip(window, -1, 1).astype(np.float32)


def synthetic(rng: np.random.Generator) -> Wave:
    """Make a sound that nothing in nature makes: tones, sweeps, FM, melodies, buzzes and syllables."""
    kind = rng.integers(5)
    time = np.arange(WINDOW) / RATE
    pitch = float(np.exp(rng.uniform(np.log(80), np.log(3000))))
    if kind == 0:
        ratio, depth = rng.uniform(0.1, 4), rng.uniform(0, 8)
        wave = np.sin(2 * np.pi * pitch * time + depth * np.sin(2 * np.pi * pitch * ratio * time))
    elif kind == 1:
        end = float(np.exp(rng.uniform(np.log(80), np.log(6000))))
        period = rng.uniform(0.1, 5)
        phase = np.cumsum(pitch * (end / pitch) ** ((time % period) / period)) / RATE
        wave = np.sin(2 * np.pi * phase)
    elif kind == 2:
        note = rng.uniform(0.08, 0.6)
        steps = rng.choice([0, 2, 4, 5, 7, 9, 11, 12], size=int(5 / note) + 1)[(time / note).astype(int)]
        phase = np.cumsum(pitch / 2 * 2 ** (steps / 12)) / RATE
        decay = np.exp(-(time % note) * rng.uniform(1, 12))
        wave = decay * sum(np.sin(2 * np.pi * phase * k) / k for k in range(1, int(rng.integers(2, 7))))
    elif kind == 3:
        wave = np.sign(np.sin(2 * np.pi * pitch / 4 * time)) * (np.sin(2 * np.pi * rng.uniform(0.3, 9) * time) > 0)
    else:
        wave = syllables(rng, time)
    envelope = np.where(
        np.sin(2 * np.pi * rng.uniform(0.1, 4) * time + rng.uniform(0, 6)) > rng.uniform(-1.2, 0.5), 1, 0
    )
    wave = wave * np.convolve(envelope, np.ones(400) / 400, mode="same") if rng.random() < 0.5 else wave
    return (wave / (np.abs(wave).max() + 1e-6) * rng.uniform(0.1, 0.8)).astype(np.float32)


def syllables(rng: np.random.Generator, time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Buzz through moving formants, with pauses: the rhythm of speech."""
    rate = rng.uniform(2, 6)
    index = (time * rate).astype(int)
    count = int(index.max()) + 1
    pitch = np.cumsum((rng.uniform(90, 250) * (1 + 0.1 * rng.standard_normal(count)))[index]) / RATE
    formants = [rng.uniform(300, 800, count)[index], rng.uniform(900, 2400, count)[index]]
    wave = np.zeros_like(time)
    for k in range(1, 20):
        hertz = k * 150
        gain = sum(np.exp(-(((hertz - formant) / 200) ** 2)) for formant in formants)
        wave += gain * np.sin(2 * np.pi * pitch * k)
    return wave * (rng.random(count) > 0.25)[index] * np.sin(np.pi * (time * rate % 1)) ** 0.5


def trimmed(wave: Wave) -> Wave:
    """Cut the silence off both ends: ESC-10 pads with zeros, other recordings do not."""
    loud = np.flatnonzero(np.abs(wave) > 0.02 * np.abs(wave).max())
    if len(loud) == 0 or loud[-1] - loud[0] < RATE // 10:
        return wave
    return wave[loud[0] : loud[-1] + 1]


def speed(wave: Wave, rng: np.random.Generator) -> Wave:
    ratio = rng.uniform(0.85, 1.15)
    count = max(16, int(len(wave) / ratio))
    return np.interp(np.arange(count) * ratio, np.arange(len(wave)), wave).astype(np.float32)


def colored(rng: np.random.Generator) -> Wave:
    """Noise of unit power, white to brown."""
    spectrum = np.fft.rfft(rng.standard_normal(WINDOW).astype(np.float32))
    spectrum /= np.maximum(np.arange(len(spectrum)), 50) ** rng.uniform(0, 1)
    noise = np.fft.irfft(spectrum, WINDOW)
    return (noise / noise.std()).astype(np.float32)


def concept(label: str) -> int | None:
    return CLASSES.index(SAME[label]) if label in SAME else None


def read(path: Path) -> Wave:
    return decode_audio(Audio(path), RATE)


def rows(folder: Path) -> Iterator[dict[str, str]]:
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)
