"""The one contract of every model that turns media into vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from octant.media import Media, Modality
from octant.vectors import Kind, Vector

__all__ = ["Encoder", "EncoderSpec", "Role"]

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
