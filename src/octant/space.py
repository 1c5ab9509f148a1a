"""A space: the encoders whose vectors may be compared with one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from qdrant_client.http.models import Distance

from octant.encoding import Encoder, EncoderSpec, Role, TokenSpans
from octant.errors import UnsupportedModality
from octant.media import Media, Modality, Text
from octant.vectors import Kind, Sparse, Vector, normalize

__all__ = ["Space"]


class Space:
    """One encoder per modality; every vector of a space has one kind and one length."""

    def __init__(self, name: str, *encoders: Encoder[Any], distance: Distance | None = None) -> None:
        """Put encoders together; `distance` None is what they were trained for, cosine or the inner product."""
        specs = [encoder.spec for encoder in encoders]
        if len({(spec.kind, spec.dim, spec.idf, spec.by_dot) for spec in specs}) != 1:
            raise ValueError(f"space {name!r} needs encoders of one kind and one dim, compared alike, not {specs}")
        if len({spec.modality for spec in specs}) != len(specs):
            raise ValueError(f"space {name!r} takes one encoder per modality, not {specs}")
        self.name = name
        self.kind: Kind = specs[0].kind
        self.dim = specs[0].dim
        self.distance = distance or (Distance.DOT if specs[0].by_dot else Distance.COSINE)
        self._encoders: dict[Modality, Encoder[Any]] = {e.spec.modality: e for e in encoders}

    @property
    def modalities(self) -> frozenset[Modality]:
        return frozenset(self._encoders)

    def identity(self, modality: Modality) -> str:
        """The identity of the encoder that takes `modality`."""
        return self.encoder(modality).spec.identity

    def spec(self, modality: Modality) -> EncoderSpec:
        """What the encoder that takes `modality` is."""
        return self.encoder(modality).spec

    def token_spans(self, modality: Modality) -> TokenSpans | None:
        """How the encoder that takes `modality` cuts a text into tokens, if it tells."""
        spans: TokenSpans | None = getattr(self.encoder(modality), "token_spans", None)
        return spans

    def encode(self, media: Sequence[Media], modality: Modality, role: Role) -> list[Vector]:
        """Encode media of one modality in one batch: one vector each, in order."""
        return self.encoder(modality).encode(media, role) if media else []

    def embed(self, medium: Media | str, role: Role = Role.DOCUMENT) -> Vector:
        """Encode one medium; a `str` is a text. Dense: [dim] float32; multi: [tokens, dim]; or Sparse."""
        return self.embed_all([medium], role)[0]

    def embed_all(self, media: Sequence[Media | str], role: Role = Role.DOCUMENT) -> list[Vector]:
        """Encode media of any of the space's modalities, one batch for each modality: one vector each, in order."""
        if isinstance(media, str):
            raise TypeError(f"embed_all() takes a list of media; embed({media!r}) takes one")
        given = [Text(one) if isinstance(one, str) else one for one in media]
        vectors: dict[int, Vector] = {}
        for modality in dict.fromkeys(one.modality for one in given):
            places = [i for i, one in enumerate(given) if one.modality is modality]
            vectors.update(zip(places, self.encode([given[i] for i in places], modality, role), strict=True))
        return [vectors[i] for i in range(len(given))]

    def similarity(self, query: Media | str, document: Media | str) -> float:
        """Compare two media of any of the space's modalities, as a search in this space would.

        Of dense vectors the cosine, or the inner product where the space's distance is DOT; of multivectors MaxSim; of
        sparse ones the inner product, without the weights that a store knows (IDF). Raises ValueError for other
        distances.
        """
        asked, found = self.embed(query, Role.QUERY), self.embed(document)
        if isinstance(asked, Sparse) or isinstance(found, Sparse):
            weights = dict(zip(found.indices, found.values, strict=True)) if isinstance(found, Sparse) else {}
            pairs = zip(asked.indices, asked.values, strict=True) if isinstance(asked, Sparse) else ()
            return float(sum(value * weights.get(index, 0.0) for index, value in pairs))
        if self.distance not in (Distance.COSINE, Distance.DOT):
            raise ValueError(f"space {self.name!r} compares by {self.distance}, which is no similarity")
        if self.distance is Distance.COSINE:
            asked, found = normalize(asked), normalize(found)
        return float(np.max(np.atleast_2d(asked) @ np.atleast_2d(found).T, axis=1).sum())

    def encoder(self, modality: Modality) -> Encoder[Any]:
        """The encoder that takes `modality`; UnsupportedModality where there is none."""
        if modality not in self._encoders:
            known = ", ".join(sorted(self._encoders))
            raise UnsupportedModality(modality, f"space {self.name!r}", f"it takes {known}")
        return self._encoders[modality]
