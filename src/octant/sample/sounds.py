"""The sounds of the sample, synthesised: seeded noise and oscillators, the same samples on every run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

__all__ = ["RATE", "SOUNDS", "write"]

Samples = NDArray[np.float64]

RATE = 16_000
"""Samples per second of every sound."""


def write(folder: Path) -> list[Path]:
    """Write every sound into `folder` as a FLAC file."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, make in SOUNDS.items():
        samples = make()
        written.append(folder / f"{name}.flac")
        soundfile.write(written[-1], 0.7 * samples / np.abs(samples).max(), RATE, subtype="PCM_16")
    return written


def ticking_clock(seconds: float = 5.0) -> Samples:
    """A tick and a tock, one every second: struck metal, very short, in a quiet room."""
    rng = _rng(1)
    out = 0.01 * rng.standard_normal(int(seconds * RATE))
    for beat, at in enumerate(np.arange(0.1, seconds - 0.1, 1.0)):
        pitch = 2600.0 if beat % 2 == 0 else 2150.0
        tick = _struck((pitch, 1.62 * pitch, 2.4 * pitch), decay=0.012, seconds=0.12)
        _place(out, at, tick + 0.7 * rng.standard_normal(len(tick)) * np.exp(-_time(0.12) / 0.007))
        _place(out, at + 0.018, 0.4 * _struck((0.8 * pitch, 1.9 * pitch), decay=0.008, seconds=0.06))
    return out


def rain(seconds: float = 4.0) -> Samples:
    """A steady hiss, and drops that fall at random on something hard."""
    rng = _rng(2)
    out = 0.35 * _band(rng.standard_normal(int(seconds * RATE)), 800, 7800)
    for at in rng.uniform(0, seconds - 0.05, int(220 * seconds)):
        drop = rng.standard_normal(int(0.006 * RATE)) * np.exp(-np.arange(int(0.006 * RATE)) / (0.0015 * RATE))
        _place(out, at, rng.uniform(0.2, 1.4) * drop)
    return out


def sea_waves(seconds: float = 5.0) -> Samples:
    """Noise that swells and breaks, lower while it gathers and brighter while it breaks."""
    rng, time = _rng(3), _time(seconds)
    swell = np.clip(np.sin(2 * np.pi * time / 3.2 - 1.2), 0, 1) ** 1.5
    deep = _band(rng.standard_normal(len(time)), 60, 700)
    foam = _band(rng.standard_normal(len(time)), 600, 6000)
    return (0.25 + swell) * deep + (0.06 + 0.8 * swell**2) * foam


def helicopter(seconds: float = 4.0) -> Samples:
    """Rotor blades, fifteen slaps a second, that cut the drone of an engine."""
    rng, time = _rng(4), _time(seconds)
    slap = np.exp(-((time * 15.0) % 1.0) * 3.0)
    drone = np.sum([np.sin(2 * np.pi * 70 * k * time + k * k) / k**0.7 for k in range(1, 30)], axis=0)
    blades = drone / drone.std() + 0.3 * _band(rng.standard_normal(len(time)), 60, 900)
    return np.asarray((0.25 + slap) * blades + 0.05 * _band(rng.standard_normal(len(time)), 300, 4000))


def chainsaw(seconds: float = 5.0) -> Samples:
    """A two-stroke engine that revs up into the wood and comes down again, buzzing and rough."""
    rng, time = _rng(5), _time(seconds)
    revs = np.clip(np.sin(2 * np.pi * time / 2.0 - 0.8), 0, 1) ** 0.5
    pitch = 160 + 100 * revs + 4 * _band(rng.standard_normal(len(time)), 1, 12)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    buzz = np.sum([np.where(k * pitch < 7900, np.sin(k * phase + k * k), 0) for k in range(1, 60)], axis=0)
    rough = 1 + 0.4 * _band(rng.standard_normal(len(time)), 20, 300)
    return (0.05 + 0.95 * revs) * _duller(rough * buzz / buzz.std() + 0.3 * rng.standard_normal(len(time)))


def crackling_fire(seconds: float = 5.0) -> Samples:
    """Cracks of all sizes at random moments over a low, soft roar."""
    rng = _rng(6)
    out = 0.03 * _band(rng.standard_normal(int(seconds * RATE)), 50, 500)
    out += 0.006 * rng.standard_normal(len(out))
    for at in rng.uniform(0, seconds - 0.1, int(28 * seconds)):
        length = int(rng.uniform(0.002, 0.012) * RATE)
        crack = rng.standard_normal(length) * np.exp(-np.arange(length) / (0.25 * length))
        _place(out, at, rng.pareto(2.0) * 0.2 * crack)
    return np.clip(out, -1.5, 1.5)


def dog_barking(seconds: float = 4.0) -> Samples:
    """Six barks: a harsh voice that rises and falls within a fifth of a second, shaped by a muzzle."""
    rng = _rng(7)
    out = 0.0008 * rng.standard_normal(int(seconds * RATE))
    for at in (0.15, 0.55, 1.5, 1.9, 2.3, 3.3):
        time = _time(0.2)
        pitch = rng.uniform(420, 480) * (0.75 + 0.5 * np.sin(np.pi * np.clip(time / 0.16, 0, 1)))
        voice = _voice(pitch, ((700, 300), (1500, 500), (2700, 700)), rng, breath=0.5)
        _place(out, at, voice * _hump(time, 0.02, 0.07))
    return out


def rooster(seconds: float = 4.0) -> Samples:
    """A cock-a-doodle-doo: four notes, the third long and high, the last falling."""
    rng = _rng(8)
    out = 0.0008 * rng.standard_normal(int(seconds * RATE))
    notes = ((0.2, 0.16, 520, 640), (0.42, 0.14, 700, 760), (0.62, 0.62, 820, 1020), (1.28, 1.0, 1000, 560))
    for start in (0.0, 2.3):
        for at, length, low, high in notes:
            if start + at + length > seconds:
                continue
            time = _time(length)
            pitch = low + (high - low) * time / length + 12 * np.sin(2 * np.pi * 24 * time)
            voice = _voice(pitch, ((1100, 500), (2300, 700), (3500, 900)), rng, breath=0.15)
            _place(out, start + at, voice * _hump(time, 0.04, length))
    return out


def church_bell(seconds: float = 5.0) -> Samples:
    """A bell struck twice: none of the sounds that the starter knows."""
    out = 0.0004 * _rng(9).standard_normal(int(seconds * RATE))
    for at in (0.2, 2.6):
        partials = (220.0, 440.0, 528.0, 660.0, 880.0, 1175.0, 1760.0)
        _place(out, at, _struck(partials, decay=0.9, seconds=seconds - at - 0.01))
    return out


SOUNDS: Mapping[str, Callable[[], Samples]] = {
    "ticking-clock": ticking_clock,
    "rain": rain,
    "sea-waves": sea_waves,
    "helicopter": helicopter,
    "chainsaw": chainsaw,
    "crackling-fire": crackling_fire,
    "dog-barking": dog_barking,
    "rooster": rooster,
    "church-bell": church_bell,
}


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _time(seconds: float) -> Samples:
    return np.arange(int(seconds * RATE)) / RATE


def _place(out: Samples, at: float, what: Samples) -> None:
    """Add a sound into `out`, `at` seconds from its start, cut off at its end."""
    start = int(at * RATE)
    fits = min(len(what), len(out) - start)
    out[start : start + fits] += what[:fits]


def _band(noise: Samples, low: float, high: float) -> Samples:
    """Keep the frequencies between `low` and `high` Hz, at unit loudness."""
    spectrum = np.fft.rfft(noise)
    hertz = np.fft.rfftfreq(len(noise), 1 / RATE)
    spectrum *= 1 / (1 + (low / np.maximum(hertz, 1)) ** 6) / (1 + (hertz / high) ** 6)
    kept = np.fft.irfft(spectrum, len(noise))
    return np.asarray(kept / kept.std())


def _duller(sound: Samples) -> Samples:
    """Lower what lies above 200 Hz, the more the higher it is, as a machine's housing does."""
    spectrum = np.fft.rfft(sound)
    spectrum *= (1 + np.fft.rfftfreq(len(sound), 1 / RATE) / 200) ** -0.8
    return np.asarray(np.fft.irfft(spectrum, len(sound)))


def _struck(partials: tuple[float, ...], decay: float, seconds: float) -> Samples:
    """Something struck: partials that start at once and die away, the high ones first."""
    time = _time(seconds)
    out = np.zeros(len(time))
    for i, hertz in enumerate(partials):
        dying = np.exp(-time * (hertz / partials[0]) ** 0.5 / decay) / (i + 1) ** 0.5
        out += dying * np.sin(2 * np.pi * hertz * time)
    return out


def _voice(
    pitch: Samples, formants: tuple[tuple[float, float], ...], rng: np.random.Generator, breath: float
) -> Samples:
    """A throat: harmonics of `pitch` (Hz, per sample) and breath, both louder near the formants (Hz, width)."""
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    out = np.zeros(len(pitch))
    for k in range(1, 24):
        hertz = k * pitch
        loud = np.sum([np.exp(-(((hertz - centre) / width) ** 2)) for centre, width in formants], axis=0)
        out += np.where(hertz < RATE / 2, loud + 0.02, 0) * np.sin(k * phase)
    noise = _band(rng.standard_normal(len(pitch)), formants[0][0] / 2, formants[-1][0] + formants[-1][1])
    return out + breath * noise


def _hump(time: Samples, rise: float, fall: float) -> Samples:
    """Fade in within `rise` seconds, and die away with the time constant `fall`."""
    decay = np.exp(-np.maximum(time - rise, 0) / fall)
    return np.asarray(np.minimum(time / rise, 1) * decay * np.minimum((time[-1] - time) / 0.02, 1))
