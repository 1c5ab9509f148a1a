"""What goes in (Item), what comes out (Hit, and its Explanation), and what was left out (Skipped)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from octant.media import Audio, Image, Media, Modality, Text

if TYPE_CHECKING:
    from octant.vectors import Vector

__all__ = ["Explanation", "Hit", "Item", "LegScore", "Metadata", "Origin", "Skipped", "StageScore"]

Metadata = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Origin:
    """Which source an item comes from: how a later run knows it again, and what else came from there."""

    source: str
    """The identity of the source: a file's URI, a table's row; what `Collection.sync` and `delete` go by."""
    stamp: str | None = None
    """What changes when the source may have changed (size, time, options); None = look at the content."""
    part: int = 0
    parts: int = 1
    """Into how many items the source was cut."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to find: its media by name (a title, a photo, a sound) and its metadata.

    Raises TypeError or ValueError where the id is no proper text, or a medium none of Text, Image and Audio.
    """

    id: str
    """Any string that stays the same for the same thing; adding it again replaces it."""
    media: Mapping[str, Media]
    metadata: Metadata = field(default_factory=dict[str, Any])
    """Texts, numbers, booleans, dates, None, and lists and mappings of these: what filters can ask for."""
    origin: Origin | None = None
    """Given by adapters; an item that has none is its own source."""
    vectors: Mapping[str, Vector | Sequence[float]] = field(default_factory=dict[str, Any], compare=False)
    """Vectors made elsewhere, by the name of a field: stored as they are, and the field's encoder is not asked. They
    are copied, as float32; two items are not told apart by them."""

    def __post_init__(self) -> None:
        given: object = self.id  # callers without a type checker give anything
        media: object = self.media
        if not isinstance(given, str):
            raise TypeError(f"an item's id is a str, not {given!r}; write Item(str(...), ...)")
        if not given or any("\ud800" <= character <= "\udfff" for character in given):
            raise ValueError(f"an item's id is a text that is not empty and can be encoded, not {given!r}")
        if not isinstance(media, Mapping):
            raise TypeError(f"item {given!r}: media come by name, such as {{'title': Text(...)}}, not {media!r}")
        for name, medium in cast("Mapping[object, object]", media).items():
            if not isinstance(name, str) or not isinstance(medium, Text | Image | Audio):
                raise TypeError(
                    f"item {given!r}: medium {name!r} is {medium!r}; media are Text(...), Image(...), Audio(...)"
                )
        if self.vectors:
            from octant.vectors import as_vectors  # numpy is not for items that bring none

            object.__setattr__(self, "vectors", as_vectors(self.vectors, f"item {given!r}"))


@dataclass(frozen=True, slots=True)
class LegScore:
    """What one leg of a search gave to a hit's score."""

    field: str
    raw: float | None
    """The score in that field; None where the item was not among its candidates."""
    rank: int | None
    """Its place among the candidates, from 1."""
    normalised: float
    """What the fusion made of them: a reciprocal rank, a share, standard deviations."""
    weight: float
    contribution: float
    """What it adds to the fused score: the contributions of the legs sum up to it."""


@dataclass(frozen=True, slots=True)
class StageScore:
    """What a reranker made of a hit."""

    name: str
    score: float | None
    """None where it was not among the reranker's candidates."""
    before: int
    after: int
    """Its ranks, from 1."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where a hit's score and place come from."""

    fused: float
    """The score of the search, before rerankers."""
    legs: tuple[LegScore, ...]
    stages: tuple[StageScore, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """An item that was found."""

    item: Item
    """The item as far as it can be read back: media that were given in memory, not by path, are not kept."""
    score: float
    """Higher is better. A similarity where one field answered; a fused rank score where several did."""
    payload: Metadata = field(default_factory=dict[str, Any])
    """The point's payload as stored: the item's metadata, and what octant noted about its media."""
    explanation: Explanation | None = None
    """Where the score comes from, if the query asked for it."""

    @property
    def id(self) -> str:
        return self.item.id

    @property
    def metadata(self) -> Metadata:
        return self.item.metadata

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The modalities of the item's media, each once, in their order."""
        return tuple(dict.fromkeys(medium.modality for medium in self.item.media.values()))

    @property
    def text(self) -> str:
        """The item's first text; empty where it has none."""
        return next((m.content for m in self.item.media.values() if isinstance(m, Text)), "")


@dataclass(frozen=True, slots=True)
class Skipped:
    """A source that did not become a point, and why."""

    source: str
    reason: str
