"""Films: a frame every few seconds, and their sound in windows, by reference."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from octant.adapters.adapter import File, Piece
from octant.adapters.audio import SUFFIXES as SOUNDS
from octant.adapters.audio import require_end, windows
from octant.encoding import Budget
from octant.errors import MediaError
from octant.item import Skipped
from octant.media import Audio, Frame, Image, Span
from octant.media.movie import Film, film_of, last_second
from octant.media.signature import MISTAKEN, UNDECODABLE
from octant.media.sound import sound_facts

__all__ = ["SUFFIXES", "VideoAdapter"]

_NAMES = ".3gp .asf .avi .m4v .mkv .mov .mp4 .qt .webm .wmv"
SUFFIXES = frozenset(_NAMES.split())
"""Names that promise a film: a file that does not keep the promise is reported, not left out."""


@dataclass(frozen=True, slots=True)
class VideoAdapter:
    """One piece for each frame, every so many seconds, and one for each window of the sound."""

    every: float = 5.0
    """Seconds from one frame to the next; the first is the film's first."""
    sound: bool = True
    """Take the sound as well, where the film has any."""
    window: float | None = None
    """Seconds of sound; None = as long as the encoder hears well at once, or all of it where that is any length."""

    def __post_init__(self) -> None:
        if not 0 < self.every < math.inf:
            raise ValueError(f"frames are taken every so many seconds, more than 0, not {self.every}")
        if self.window is not None and not 0 < self.window < math.inf:
            raise ValueError(f"a window lasts more than 0 s, not {self.window}")

    @property
    def identity(self) -> str:
        """Name, version and every option."""
        return f"video@1 every={self.every} sound={self.sound} window={self.window}"

    def takes(self, file: File) -> bool:
        """Take what is a film by its bytes, unless its name says that it is only sound."""
        mime = file.mime or ""
        if mime.startswith("video/"):
            return file.suffix not in SOUNDS
        return file.suffix in SUFFIXES and (not mime or mime in MISTAKEN or mime == "audio/x-ms-wma")

    def pieces(self, file: File, budget: Budget) -> Iterator[Piece | Skipped | MediaError]:
        """Give the frames of a film, and then the windows of its sound."""
        # a film promises neither a picture nor a sound to who has not asked for films
        if importlib.util.find_spec("av") is None and file.mime in UNDECODABLE:
            yield Skipped(str(file.path), UNDECODABLE[file.mime])
            return
        film = film_of(file.path, file.path, file.limits)
        seconds = self._seconds(file, film)
        if film.has_picture:
            for number in range(max(1, math.ceil(round(seconds / self.every, 9)))):
                second = round(number * self.every, 6)
                yield Piece({"image": Image(file.path, file.limits, Frame(second))}, {"second": second})
        if film.has_sound and self.sound:
            yield from self._windows(file, budget)
        if not film.has_picture and not self.sound:
            yield Skipped(str(file.path), "has no pictures, only sound, and sound=False leaves that out")

    def _seconds(self, file: File, film: Film) -> float:
        """How long a film lasts, which its header may not know; refuse one that is cut off or beyond its limit."""
        limit, cut = file.limits.seconds, "cut it into parts or pass limits=Limits(seconds=...)"
        # the header first: the end of a file without an index is far
        seconds = film.seconds
        if seconds <= limit:
            seconds = last_second(file.path, file.path, file.limits)
        if seconds > limit:
            raise MediaError(file.path, f"lasts {seconds:,.0f} s, more than the limit of {limit:,.0f} s; {cut}")
        # containers note the end of the sound or of the picture, and their last frame may stay for a while
        if seconds < 0.99 * film.seconds - 1:
            found = f"{seconds:.1f} of {film.seconds:.1f} s"
            raise MediaError(file.path, f"is cut off after {found}; export or download it again")
        return seconds

    def _windows(self, file: File, budget: Budget) -> Iterator[Piece]:
        whole = Audio(file.path, limits=file.limits)
        window = self.window or budget.seconds
        try:
            seconds = sound_facts(whole)[0]
            require_end(whole, seconds)
        except MediaError as error:
            raise MediaError(file.path, error.reason) from error
        for span in [Span(0, seconds)] if window is None else windows(seconds, window):
            metadata = {"start_second": span.start, "end_second": span.end}
            yield Piece({"audio": replace(whole, span=span)}, metadata)
