"""How sounds sound, as numbers that filters can ask for; and where they are silent."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from octant.errors import MissingExtra
from octant.media import Audio, Span
from octant.media.sound import one_channel, open_sound

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

__all__ = ["Levels", "descriptors", "loudness", "sounding"]

_QUIETEST = 1e-6
"""RMS that counts as digital silence: -120 dBFS, since minus infinity is no number for a payload."""
_STEP = 0.01
_BELOW = 40.0
"""dB below the loudest moment that count as silence between pieces."""
_PAUSE = 0.5
"""Seconds of silence that part two pieces; words are parted by less."""
_LOWEST, _HIGHEST = 65.0, 2100.0
"""Hz between which a pitch is looked for: two octaves below middle C to three above."""


class Levels:
    """The energy of a sound in steps of 10 ms: read once, in bounded memory, asked for any part of it."""

    def __init__(self, audio: Audio) -> None:
        import numpy as np

        with open_sound(audio) as sound:
            step = max(1, round(sound.rate * _STEP))
            self._steps_per_second = sound.rate / step
            energies: list[NDArray[Any]] = []
            rest = np.empty(0, np.float32)
            for block in one_channel(audio, sound.blocks(0, sound.frames)):
                joined = np.concatenate([rest, block])
                whole = len(joined) // step * step
                energies.append(np.square(joined[:whole].reshape(-1, step), dtype=np.float64).mean(axis=1))
                rest = joined[whole:]
            if len(rest):
                energies.append(np.square(rest, dtype=np.float64).mean(keepdims=True))
        self._sums = np.concatenate([[0.0], np.cumsum(np.concatenate(energies))])

    def of(self, span: Span) -> float:
        """Loudness of a part in dBFS: its RMS, of all channels averaged, as `loudness` says it."""
        most = len(self._sums) - 1
        first = min(math.floor(span.start * self._steps_per_second + 1e-6), most - 1)
        last = max(first + 1, min(math.ceil(span.end * self._steps_per_second - 1e-6), most))
        return _decibels(float((self._sums[last] - self._sums[first]) / (last - first)))


def loudness(samples: Samples) -> float:
    """RMS of samples in dBFS: 0 is a square wave at full scale, -3.0 a sine, -120 silence."""
    import numpy as np

    return _decibels(float(np.square(samples, dtype=np.float64).mean()))


def descriptors(samples: Samples, rate: int) -> dict[str, float]:
    """Measure a sound with librosa; what it has not (a pitch, a tempo) is left out. MissingExtra without librosa.

    `tempo` in beats a minute; `pitch` in Hz, the median where there is one; `onsets` a second; of the spectrum the
    mean `brightness` (centroid, Hz), `bandwidth` (Hz) and `flatness` (0 a tone, 1 noise); `zero_crossings`, the
    share of samples at which the sign changes; `loudness` in dBFS.
    """
    import numpy as np

    librosa = _librosa()
    seconds = len(samples) / rate
    level = loudness(samples)
    measured = {"loudness": level}
    padded = np.pad(samples, (0, max(0, 4096 - len(samples))))
    spectrum = np.abs(librosa.stft(padded))
    if level > 20 * math.log10(_QUIETEST):
        measured |= {
            "brightness": float(librosa.feature.spectral_centroid(S=spectrum, sr=rate).mean()),
            "bandwidth": float(librosa.feature.spectral_bandwidth(S=spectrum, sr=rate).mean()),
            "flatness": float(librosa.feature.spectral_flatness(S=spectrum).mean()),
            "zero_crossings": float(np.count_nonzero(np.diff(np.signbit(samples))) / len(samples)),
        }
        # how the spectrum rises: its peaks are the onsets, and their rhythm is the tempo
        mel = librosa.feature.melspectrogram(S=spectrum**2, sr=rate)
        rise = librosa.onset.onset_strength(S=librosa.power_to_db(mel), sr=rate)
        onsets = librosa.onset.onset_detect(onset_envelope=rise, sr=rate)
        measured["onsets"] = len(onsets) / seconds
        if len(onsets) > 2:
            measured["tempo"] = float(librosa.feature.tempo(onset_envelope=rise, sr=rate)[0])
        pitches, voiced, _ = librosa.pyin(padded, fmin=_LOWEST, fmax=_HIGHEST, sr=rate, hop_length=1024)
        if voiced.any():
            measured["pitch"] = float(np.nanmedian(pitches[voiced]))
    return {name: value for name, value in measured.items() if math.isfinite(value)}


def sounding(samples: Samples, rate: int) -> list[Span]:
    """Where a sound is not silent: parts between pauses of half a second or more. MissingExtra without librosa."""
    librosa = _librosa()
    parts: list[tuple[int, int]] = []
    for start, end in librosa.effects.split(samples, top_db=_BELOW).tolist():
        if parts and start - parts[-1][1] < _PAUSE * rate:
            start, _ = parts.pop()
        parts.append((start, end))
    return [Span(start / rate, end / rate) for start, end in parts]


def _decibels(energy: float) -> float:
    return round(20 * math.log10(max(_QUIETEST, math.sqrt(max(0.0, energy)))), 2)


def _librosa() -> Any:
    try:
        import librosa
    except ImportError as error:
        raise MissingExtra("librosa", "audio") from error
    return librosa
