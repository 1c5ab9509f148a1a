"""Sounds: cut into windows that cover all of them, by reference."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from octant.adapters.acoustics import Levels, descriptors, sounding
from octant.adapters.adapter import File, Piece
from octant.encoding import Budget
from octant.errors import MediaError
from octant.item import Skipped
from octant.media import Audio, Media, Span, Text, decode_audio
from octant.media.signature import MISTAKEN
from octant.media.sound import header_of

__all__ = ["SUFFIXES", "AudioAdapter", "Transcriber", "require_end", "windows"]

_NAMES = ".aac .aif .aifc .aiff .amr .au .caf .flac .m4a .m4b .mka .mp3 .oga .ogg .opus .snd .wav .wave .weba .wma"
SUFFIXES = frozenset(_NAMES.split())
"""Names that promise a sound: a file that does not keep the promise is reported, not left out."""

_RATE = 22_050
"""At which sounds are measured: half of a CD's, as librosa does it."""
_TINY = 0.1
"""Seconds at the end that are no window of their own: they are added to the last one."""
_ANY = 1e9
"""Seconds: what is cut may be of any length, since no more than a piece of it is decoded at once."""


class Transcriber(Protocol):
    """Writes down what is said. Implement it; do not inherit it."""

    @property
    def identity(self) -> str:
        """Name and version: files are read again where it has changed."""
        ...

    def __call__(self, audio: Audio) -> str:
        """Write down what is said in a sound, or its span; an empty text where nothing is."""
        ...


@dataclass(frozen=True, slots=True)
class AudioAdapter:
    """One piece for each window of a sound; `transcript` beside it where there is a transcriber."""

    window: float | None = None
    """Seconds; None = as long as the encoder hears well at once, or all of it where that is any length."""
    overlap: float = 0.0
    """Seconds that a window has in common with the next one, at least."""
    skip_silence: float | None = None
    """dBFS: pieces that are quieter are left out, and reported. -60 is a good one for recordings."""
    split_at_silence: bool = False
    """Cut at pauses (40 dB below the loudest moment, half a second or more), which are left out; then into windows."""
    descriptors: bool = False
    """Note loudness, tempo, pitch, onsets, brightness and more: see `octant.adapters.acoustics.descriptors`."""
    transcribe: Transcriber | None = None

    def __post_init__(self) -> None:
        if self.window is not None and not 0 < self.window < math.inf:
            raise ValueError(f"a window lasts more than 0 s, not {self.window}")
        if not 0 <= self.overlap < (self.window or math.inf):
            raise ValueError(f"windows overlap by less than a window and by 0 s or more, not by {self.overlap}")

    @property
    def identity(self) -> str:
        """Name, version and every option."""
        transcriber = self.transcribe.identity if self.transcribe else None
        return (
            f"audio@1 window={self.window} overlap={self.overlap} skip_silence={self.skip_silence} "
            f"split_at_silence={self.split_at_silence} descriptors={self.descriptors} transcribe={transcriber}"
        )

    def takes(self, file: File) -> bool:
        """Take what is sound by its bytes, or by its name where the bytes are a container's, or nothing's."""
        mime = file.mime or ""
        if mime.startswith("audio/"):
            return file.suffix not in (".asf", ".wmv")  # which begin like .wma
        return file.suffix in SUFFIXES and (not mime or mime in MISTAKEN or mime.startswith("video/"))

    def pieces(self, file: File, budget: Budget) -> Iterator[Piece | Skipped | MediaError]:
        """Give the windows of a sound, from its beginning to its end."""
        try:
            yield from self._pieces(file, budget)
        except MediaError as error:
            raise MediaError(file.path, error.reason) from error

    def _pieces(self, file: File, budget: Budget) -> Iterator[Piece | Skipped]:
        window = self.window or budget.seconds
        whole = Audio(file.path, limits=file.limits)
        # what is cut may be longer than its limit; what is decoded as a whole may not
        any_length = whole if window is None or self.split_at_silence else _of_any_length(whole)
        header = header_of(any_length)
        seconds, tags = header.frames / header.rate, _tags(header.tags)
        if window is not None and seconds > window:
            require_end(any_length, seconds)  # before it is cut: a header may claim years
        spans = self._spans(whole, seconds, window)
        levels = None if self.skip_silence is None else Levels(any_length)
        silent: list[Span] = []
        for span in spans:
            if levels is not None and levels.of(span) < (self.skip_silence or 0.0):
                silent.append(span)
                continue
            cut = span != Span(0, seconds)
            audio = replace(whole, span=span) if cut else whole
            metadata: dict[str, Any] = dict(tags)
            if cut:
                metadata |= {"start_second": span.start, "end_second": span.end}
            if self.descriptors:
                metadata |= descriptors(decode_audio(audio, _RATE), _RATE)
            elif levels is not None:
                metadata["loudness"] = levels.of(span)
            media: dict[str, Media] = {"audio": audio}
            transcript = self.transcribe(audio).strip() if self.transcribe else ""
            if transcript:
                media["transcript"] = Text(transcript, file.limits)
            yield Piece(media, metadata)
        if silent or not spans:
            yield Skipped(str(file.path), self._silence(silent, len(spans)))

    def _spans(self, whole: Audio, seconds: float, window: float | None) -> list[Span]:
        parts = sounding(decode_audio(whole, _RATE), _RATE) if self.split_at_silence else [Span(0, seconds)]
        if window is None:
            return parts
        if self.overlap >= window:
            raise ValueError(f"windows of {window} s cannot overlap by {self.overlap} s; pass a longer window=")
        return [
            Span(round(part.start + cut.start, 6), min(part.end, round(part.start + cut.end, 6)))
            for part in parts
            for cut in windows(part.end - part.start, window, self.overlap)
        ]

    def _silence(self, silent: list[Span], pieces: int) -> str:
        quiet = "silent" if self.skip_silence is None else f"quieter than {self.skip_silence:g} dBFS"
        if len(silent) == pieces:
            return f"is {quiet} throughout"
        listed = ", ".join(f"{span.start:g} to {span.end:g} s" for span in silent[:10])
        more = f", and {len(silent) - 10} more" if len(silent) > 10 else ""
        return f"is {quiet} in {len(silent)} of {pieces} pieces, which were left out: {listed}{more}"


def windows(seconds: float, window: float, overlap: float = 0.0) -> list[Span]:
    """Cut a sound into windows of equal length that cover all of it; the last ends with it, and overlaps as it must."""
    step = window - overlap
    more = max(0, math.ceil(round((seconds - window - _TINY) / step, 9)))
    begins = [round(n * step, 6) for n in range(more)]
    last = max(0.0, round(seconds - window, 6)) if more else 0.0
    if more == 0 or seconds - window - more * step > 0:  # a tiny rest is joined to the last
        last = round(more * step, 6)
    return [*(Span(begin, round(begin + window, 6)) for begin in begins), Span(last, seconds)]


def require_end(audio: Audio, seconds: float) -> None:
    """Decode the last second of a sound: where it is cut off, its header would make windows of nothing."""
    decode_audio(replace(audio, span=Span(max(0.0, seconds - 1), seconds)), _RATE)


def _of_any_length(audio: Audio) -> Audio:
    return replace(audio, limits=replace(audio.limits, seconds=_ANY))


def _tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Title, artist and album, however a file writes their names."""
    lower = {name.lower(): value.strip() for name, value in tags.items()}
    return {name: lower[name] for name in ("title", "artist", "album") if lower.get(name)}
