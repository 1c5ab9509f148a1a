"""The schema of a collection whose vectors Haystack's embedders make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from qdrant_client.models import Distance

import octant

__all__ = ["CONTENT", "Similarity", "embedding_schema"]

CONTENT = "content"
"""What the text of a document is called among an item's media."""
Similarity = Literal["cosine", "dot_product", "l2"]
_DISTANCES = {"cosine": Distance.COSINE, "dot_product": Distance.DOT, "l2": Distance.EUCLID}


class _Elsewhere:
    """The name and the dimension of a model that Haystack runs; octant never asks it for a vector."""

    def __init__(self, identity: str, dim: int) -> None:
        self.spec = octant.EncoderSpec(identity, octant.Modality.TEXT, dim)

    def encode(self, batch: Sequence[octant.Text], role: octant.Role) -> list[Any]:
        raise octant.UnsupportedModality(
            batch[0].modality, f"the {role} side of {self.spec.identity}", "Haystack embeds; ask with an embedding"
        )


def embedding_schema(dim: int, model: str, similarity: Similarity, *, words: bool) -> octant.Schema:
    """Describe a collection of documents with the embeddings of Haystack: one field of vectors [dim], and BM25."""
    if similarity not in _DISTANCES:
        raise ValueError(f"similarity is one of {', '.join(_DISTANCES)}, not {similarity!r}")
    space = octant.Space("embedding", _Elsewhere(model, dim), distance=_DISTANCES[similarity])
    field = octant.Field("embedding", space, octant.Modality.TEXT, answers=frozenset(), given=True)
    return octant.Schema(field, *([octant.TextIndex("words", octant.text_key(CONTENT))] if words else []))
