"""A space: the encoders whose vectors may be compared with one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qdrant_client.http.models import Distance

from octant.encoder import Encoder, EncoderSpec, Role, TokenSpans
from octant.errors import UnsupportedModality
from octant.media import Media, Modality
from octant.vectors import Kind, Vector

__all__ = ["Space"]


class Space:
    """One encoder per modality; every vector of a space has one kind and one length."""

    def __init__(self, name: str, *encoders: Encoder[Any], distance: Distance = Distance.COSINE) -> None:
        specs = [encoder.spec for encoder in encoders]
        if len({(spec.kind, spec.dim, spec.idf) for spec in specs}) != 1:
            raise ValueError(f"space {name!r} needs encoders of one kind and one dim, not {specs}")
        if len({spec.modality for spec in specs}) != len(specs):
            raise ValueError(f"space {name!r} takes one encoder per modality, not {specs}")
        self.name = name
        self.kind: Kind = specs[0].kind
        self.dim = specs[0].dim
        self.distance = distance
        self._encoders: dict[Modality, Encoder[Any]] = {e.spec.modality: e for e in encoders}

    @property
    def modalities(self) -> frozenset[Modality]:
        return frozenset(self._encoders)

    def identity(self, modality: Modality) -> str:
        """The identity of the encoder that takes `modality`."""
        return self._encoder(modality).spec.identity

    def spec(self, modality: Modality) -> EncoderSpec:
        """What the encoder that takes `modality` is."""
        return self._encoder(modality).spec

    def token_spans(self, modality: Modality) -> TokenSpans | None:
        """How the encoder that takes `modality` cuts a text into tokens, if it tells."""
        spans: TokenSpans | None = getattr(self._encoder(modality), "token_spans", None)
        return spans

    def encode(self, media: Sequence[Media], modality: Modality, role: Role) -> list[Vector]:
        """Encode media of one modality in one batch: one vector each, in order."""
        return self._encoder(modality).encode(media, role) if media else []

    def _encoder(self, modality: Modality) -> Encoder[Any]:
        if modality not in self._encoders:
            known = ", ".join(sorted(self._encoders))
            raise UnsupportedModality(modality, f"space {self.name!r}", f"it takes {known}")
        return self._encoders[modality]
