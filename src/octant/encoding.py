"""The one contract of every model that turns media into vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from octant.media import Media, Modality
from octant.vectors import Kind, Vector

__all__ = ["Budget", "Encoder", "EncoderSpec", "Role", "TokenSpans"]

M_contra = TypeVar("M_contra", bound=Media, contravariant=True)


class Role(StrEnum):
    """On which side of a search a medium stands; some models encode the two differently."""

    QUERY = "query"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """What an encoder is."""

    identity: str
    """Name, revision and hash of weights and preprocessing. Stored with the collection and compared when it opens."""
    modality: Modality
    dim: int | None
    """Length of a dense or token vector; None for sparse."""
    kind: Kind = Kind.DENSE
    tokens: int | None = None
    """How long a text it reads well at once; longer ones are better cut. None = any length."""
    seconds: float | None = None
    """How long a sound it hears well at once; None = any length."""
    pixels: int | None = None
    """What it asks `decode_image` for as `shortest`; None where it wants every pixel."""
    rate: int | None = None
    """The rate in Hz that it asks `decode_audio` for; None where that is open."""
    by_dot: bool = False
    """Whether its vectors are compared by their inner product, for their lengths mean something; else by cosine."""
    idf: bool = False
    """Whether the store shall weigh the terms of a sparse vector by their rarity, as BM25 wants and SPLADE does not."""


TokenSpans = Callable[[str], Sequence[tuple[int, int]]]
"""Where the tokens of a text lie: start and end in characters. An encoder of texts may have it as `token_spans`."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What all the encoders that will read a medium can take at once: how adapters cut texts and sounds."""

    tokens: int | None = None
    seconds: float | None = None
    token_spans: TokenSpans | None = None
    """None where the encoder has no tokenizer to ask; estimate, and rather too many tokens than too few."""


class Encoder(Protocol[M_contra]):
    """Turns media of one modality into vectors of one kind. Implement it; do not inherit it."""

    @property
    def spec(self) -> EncoderSpec: ...

    def encode(self, batch: Sequence[M_contra], role: Role) -> list[Vector]:
        """Encode a batch: one vector per medium, in order.

        Raise an ExceptionGroup with one MediaError for each medium that cannot be decoded, so that the
        caller can leave out all of them at once and encode the rest.
        """
        ...
