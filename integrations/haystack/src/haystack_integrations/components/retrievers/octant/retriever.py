"""A retriever that is asked with texts, images and sounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.dataclasses import ByteStream
from haystack.document_stores.types import FilterPolicy, apply_filter_policy
from haystack_integrations.document_stores.octant import OctantDocumentStore
from haystack_integrations.document_stores.octant.documents import under
from haystack_integrations.document_stores.octant.filters import filter_from

import octant

__all__ = ["OctantRetriever"]

File = str | Path | ByteStream


@component
class OctantRetriever:
    """Find texts, pictures and sounds of a store whose documents octant embeds.

    Asked with a text, an image, a sound, or several of these as one question. A file is given as a ByteStream, or by
    its path, and that is read under the `root_path` of the store alone. `into` names the modalities to find: "text",
    "image", "audio"; none named is all. Of a store whose documents bring embeddings, a text is searched by its words
    (BM25).
    """

    def __init__(
        self,
        document_store: OctantDocumentStore,
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
        into: list[str] | None = None,
        filter_policy: FilterPolicy = FilterPolicy.REPLACE,
    ) -> None:
        if top_k < 1:
            raise ValueError(f"top_k is at least 1, not {top_k}")
        self.document_store, self.filters, self.top_k = document_store, filters, top_k
        self.into, self.filter_policy = into, filter_policy
        self._into = tuple(octant.Modality(one) for one in into or ())

    def to_dict(self) -> dict[str, Any]:
        """Serialise what the retriever was made with."""
        return default_to_dict(
            self,
            document_store=self.document_store,
            filters=self.filters,
            top_k=self.top_k,
            into=self.into,
            filter_policy=self.filter_policy.value,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> OctantRetriever:
        """Make a retriever of what `to_dict` gave."""
        made = dict(data["init_parameters"])
        made["filter_policy"] = FilterPolicy.from_str(made["filter_policy"])
        return default_from_dict(cls, {**data, "init_parameters": made})

    @component.output_types(documents=list[Document])
    def run(
        self,
        query: str | None = None,
        image: File | None = None,
        audio: File | None = None,
        filters: dict[str, Any] | None = None,
        top_k: int | None = None,
    ) -> dict[str, list[Document]]:
        """Find the documents that are most like what is given."""
        return {"documents": self.document_store.search(self._asked(query, image, audio, filters, top_k))}

    @component.output_types(documents=list[Document])
    async def run_async(
        self,
        query: str | None = None,
        image: File | None = None,
        audio: File | None = None,
        filters: dict[str, Any] | None = None,
        top_k: int | None = None,
    ) -> dict[str, list[Document]]:
        """Find documents, as `run`."""
        return {"documents": await self.document_store.search_async(self._asked(query, image, audio, filters, top_k))}

    def _asked(
        self,
        query: str | None,
        image: File | None,
        audio: File | None,
        filters: dict[str, Any] | None,
        top_k: int | None,
    ) -> octant.Query:
        parts = [
            *([octant.Text(query)] if query else []),
            *([octant.Image(self._source(image))] if image is not None else []),
            *([octant.Audio(self._source(audio))] if audio is not None else []),
        ]
        if not parts:
            raise ValueError("OctantRetriever is asked with query, image or audio, and none is given")
        return octant.Query(
            parts[0] if len(parts) == 1 else octant.Composed(tuple(parts)),
            into=self._into,
            where=filter_from(apply_filter_policy(self.filter_policy, self.filters, filters)),
            limit=self.top_k if top_k is None else top_k,
        )

    def _source(self, given: File) -> Path | bytes:
        if isinstance(given, ByteStream):
            return given.data
        root = self.document_store.root_path
        if root is None:
            raise ValueError(
                f"{str(given)!r} is not read: give the store the root_path that files are under, or give a ByteStream"
            )
        return under(Path(root), given, "the query")
