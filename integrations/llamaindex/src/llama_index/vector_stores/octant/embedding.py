"""octant's encoders as LlamaIndex's embeddings of texts and images."""

from __future__ import annotations

import asyncio
from io import BytesIO
from pathlib import Path
from typing import Any

from llama_index.core.base.embeddings.base import Embedding
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.embeddings.multi_modal_base import MultiModalEmbedding

import octant

__all__ = ["OctantEmbedding"]


class OctantEmbedding(MultiModalEmbedding):
    """Embed texts and images in a dense space of octant: `octant.encoder("family:model")`, or one of your own.

    None is the space of the offline starter that texts, images and sounds share.
    """

    _space: octant.Space = PrivateAttr()

    def __init__(self, space: octant.Space | None = None, **base: Any) -> None:
        """`base` are those of LlamaIndex: `embed_batch_size`, `callback_manager`, `embeddings_cache`, …"""
        chosen = space or octant.starter().fields["text"].space
        if chosen.kind is not octant.Kind.DENSE:
            raise ValueError(
                f"LlamaIndex's embeddings are dense vectors, and those of {chosen.name!r} are {chosen.kind}"
            )
        base.setdefault("model_name", chosen.name)
        super().__init__(**base)
        self._space = chosen

    @classmethod
    def class_name(cls) -> str:
        return "OctantEmbedding"

    @property
    def dim(self) -> int:
        """The length of the vectors."""
        dim = self._space.dim
        assert dim is not None, "a dense space has one"
        return dim

    def _get_query_embedding(self, query: str) -> Embedding:
        return self._embed([octant.Text(query)], octant.Role.QUERY)[0]

    async def _aget_query_embedding(self, query: str) -> Embedding:
        return await asyncio.to_thread(self._get_query_embedding, query)

    def _get_text_embedding(self, text: str) -> Embedding:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> Embedding:
        return await asyncio.to_thread(self._get_text_embedding, text)

    def _get_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return self._embed([octant.Text(text) for text in texts], octant.Role.DOCUMENT)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return await asyncio.to_thread(self._get_text_embeddings, texts)

    def _get_image_embedding(self, img_file_path: str | BytesIO) -> Embedding:
        return self._get_image_embeddings([img_file_path])[0]

    async def _aget_image_embedding(self, img_file_path: str | BytesIO) -> Embedding:
        return await asyncio.to_thread(self._get_image_embedding, img_file_path)

    def _get_image_embeddings(self, img_file_paths: list[str | BytesIO]) -> list[Embedding]:
        return self._embed([_image(one) for one in img_file_paths], octant.Role.DOCUMENT)

    async def _aget_image_embeddings(self, img_file_paths: list[str | BytesIO]) -> list[Embedding]:
        return await asyncio.to_thread(self._get_image_embeddings, img_file_paths)

    def _embed(self, media: list[octant.Text] | list[octant.Image], role: octant.Role) -> list[Embedding]:
        vectors: list[Any] = list(self._space.embed_all(media, role))
        return [vector.tolist() for vector in vectors]


def _image(given: str | BytesIO) -> octant.Image:
    return octant.Image(given.getvalue() if isinstance(given, BytesIO) else Path(given))
