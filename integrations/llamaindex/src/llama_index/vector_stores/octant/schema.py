"""The schema of a collection whose vectors LlamaIndex makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qdrant_client.models import Distance

import octant

__all__ = ["TEXT", "embedding_schema"]

TEXT = "text"
"""What the text of a node is called among an item's media."""


class _Elsewhere:
    """The name and the dimension of a model that LlamaIndex runs; octant never asks it for a vector."""

    def __init__(self, identity: str, dim: int) -> None:
        self.spec = octant.EncoderSpec(identity, octant.Modality.TEXT, dim)

    def encode(self, batch: Sequence[octant.Text], role: octant.Role) -> list[Any]:
        raise octant.UnsupportedModality(
            batch[0].modality, f"the {role} side of {self.spec.identity}", "LlamaIndex embeds; ask with ByVector"
        )


def embedding_schema(
    dim: int, model: str = "llama-index", *, words: bool = True, distance: Distance = Distance.COSINE
) -> octant.Schema:
    """Describe a collection of nodes with the embeddings of LlamaIndex: one field, `embedding`, of vectors [dim].

    `model` names what embeds; a collection that was filled with another is refused. With `words` the text of the nodes
    is searched by BM25 as well, as the modes HYBRID and TEXT_SEARCH want: Qdrant 1.20 or newer, or embedded.
    """
    field = octant.Field(
        "embedding",
        octant.Space("embedding", _Elsewhere(model, dim), distance=distance),
        octant.Modality.TEXT,
        answers=frozenset(),
        given=True,
    )
    return octant.Schema(field, *([octant.TextIndex("words", octant.text_key(TEXT))] if words else []))
