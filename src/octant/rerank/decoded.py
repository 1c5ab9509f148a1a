"""Media that several rerankers decode are decoded once, and handed on as pixels and samples."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from octant.errors import MediaError
from octant.item import Hit
from octant.media import Audio, Image, Media, Modality, Text, decode_audio, decode_image
from octant.media.sound import sound_facts
from octant.rerank.contract import Judge, ReadsMedia

__all__ = ["Decoded"]


class Decoded:
    """The media of one ranking, decoded when they are first asked for, as finely as the finest reader wants."""

    def __init__(self, rerankers: Sequence[Judge]) -> None:
        readers = [one.reads for one in rerankers if isinstance(one, ReadsMedia)]
        wanted = {m: [reads[m] for reads in readers if m in reads] for m in (Modality.IMAGE, Modality.AUDIO)}
        # what one reader alone decodes, it decodes best itself
        self._wanted = {m: _finest(how) for m, how in wanted.items() if len(how) > 1}
        self._kept: dict[Media, Media] = {}
        self._lock = threading.Lock()

    def of(self, hits: Sequence[Hit]) -> Sequence[Hit]:
        """The hits, with the media that are shared between readers in memory; others by reference, as they were."""
        return hits if not self._wanted else [self._loaded(hit) for hit in hits]

    def _loaded(self, hit: Hit) -> Hit:
        media = {name: self._medium(medium) for name, medium in hit.item.media.items()}
        return replace(hit, item=replace(hit.item, media=media))

    def _medium(self, medium: Media) -> Media:
        if medium.modality not in self._wanted:
            return medium
        with self._lock:  # a late stage may still decode while the next one does
            if medium not in self._kept:
                self._kept[medium] = _decode(medium, self._wanted[medium.modality])
            return self._kept[medium]


def _finest(wanted: Sequence[int | None]) -> int | None:
    known = [one for one in wanted if one is not None]
    return max(known) if len(known) == len(wanted) else None


def _decode(medium: Media, wanted: int | None) -> Media:
    try:
        match medium:
            case Text():
                return medium
            case Image():
                return Image(decode_image(medium, shortest=wanted), medium.limits)
            case Audio():
                rate = sound_facts(medium)[1] if wanted is None else wanted
                return Audio(decode_audio(medium, rate), rate, medium.limits)
    except MediaError:
        return medium  # whoever judges by it meets the same error, and knows whose it is
