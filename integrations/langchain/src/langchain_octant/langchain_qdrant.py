"""Collections that langchain-qdrant wrote: searched where they lie, or copied into octant's with their vectors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NoReturn, cast
from uuid import UUID

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from numpy.typing import NDArray
from qdrant_client import QdrantClient, models

from langchain_octant.vectorstore import OctantVectorStore, items_of
from octant import (
    Collection,
    EncoderSpec,
    Item,
    Media,
    Modality,
    OctantError,
    Report,
    Role,
    Schema,
    Skipped,
    Space,
    Sparse,
    Text,
    filter_of,
)

__all__ = ["LangChainQdrantStore"]

_INJECTED = {"_id", "_collection_name"}
"""What langchain-qdrant adds to the metadata of what it reads; found where that was stored again, and wrong there."""
_PAGE = 256
_SAME = 0.99
"""The cosine above which two vectors of one text are of one model: services answer with small differences."""


class LangChainQdrantStore(VectorStore):
    """A collection of langchain-qdrant, read in its own layout: `page_content` and `metadata` in the payload.

    Documents have their point's id, and their metadata as they were stored. `filter=` takes what octant's `where=`
    takes, but for items' ids; here the keys of metadata begin with "metadata.".
    It is read only: `copy_to` an octant collection to go on from there.
    """

    def __init__(
        self,
        client: QdrantClient,
        collection_name: str,
        embedding: Embeddings,
        *,
        vector_name: str | None = None,
        content_payload_key: str = "page_content",
        metadata_payload_key: str = "metadata",
    ) -> None:
        """Take a client and the embeddings that the collection was made with.

        `vector_name` is the dense vector to search; None is the only one there is, "" the unnamed one. ValueError
        where it is not there, or the choice is open.
        """
        self.client = client
        self.collection_name = collection_name
        self.embedding = embedding
        self.content_payload_key = content_payload_key
        self.metadata_payload_key = metadata_payload_key
        # local mode breaks under two threads, and asynchronous methods run in threads
        self._turn = threading.RLock() if _is_local(client) else None
        with self._reading():
            given = client.get_collection(collection_name).config.params.vectors
        dense = given if isinstance(given, dict) else {} if given is None else {"": given}
        if vector_name is None and len(dense) != 1:
            raise ValueError(
                f"collection {collection_name!r} has {len(dense)} dense vectors ({', '.join(map(repr, dense))}); name "
                "one: vector_name=..."
            )
        self.vector_name = next(iter(dense)) if vector_name is None else vector_name
        if self.vector_name not in dense:
            raise ValueError(f"collection {collection_name!r} has no dense vector {vector_name!r}, only {list(dense)}")
        self.params = dense[self.vector_name]

    @property
    def embeddings(self) -> Embeddings:
        """The embeddings that texts are searched with."""
        return self.embedding

    def copy_to(self, target: OctantVectorStore) -> Report:
        """Copy documents with their vectors, a page at a time: nothing is embedded but one, to see that models agree.

        Ids become those of the items. Documents that are there and unchanged are left; what cannot be copied stands in
        the report with the reason. Sparse vectors stay behind: the target's own fields of words read the texts.
        Raises ValueError where the target's vectors are of another length, distance or model.
        """
        field = target.field
        if target.collection is None or field is None:
            raise ValueError(
                "copy_to() needs a store on a Collection with a field for the vectors: OctantVectorStore.open("
                "embedding, ...), or OctantVectorStore(collection, field=...)"
            )
        space = target.schema.fields[field].space
        if (space.dim, space.distance) != (self.params.size, self.params.distance):
            raise ValueError(
                f"the vectors of {self.collection_name!r} have {self.params.size} numbers compared by "
                f"{self.params.distance.value}, and field {field!r} has {space.dim} by {space.distance.value}"
            )
        carried = _Carried(space.spec(Modality.TEXT))
        collection = Collection(
            target.collection.client,
            target.collection.name,
            _carrying(target.schema, field, carried),
            target.collection.place,
            target.collection.remembered,
        )
        collection.prepare(create=False)
        report = Report()
        is_of_one_model = False
        for records in self._pages():
            documents, left_out = self._copied(records, carried)
            items: list[Item] = []
            for document in documents:
                try:
                    items += items_of(target.schema, [document], roots=target.roots)
                except (OctantError, ValueError) as error:  # old metadata may name media, as octant's do
                    left_out.append(Skipped(str(document.id), str(error)))
            if documents and not is_of_one_model:
                self._require_same_model(target, documents[0], carried)
                is_of_one_model = True
            report += collection.add(items)
            report.failed += left_out
        return report

    def similarity_search(self, query: str, k: int = 4, *, filter: Any = None, **kwargs: Any) -> list[Document]:
        """Find the k documents that are most like a text."""
        return self.similarity_search_by_vector(self.embedding.embed_query(query), k, filter=filter, **kwargs)

    def similarity_search_with_score(
        self, query: str, k: int = 4, *, filter: Any = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """Find the k documents that are most like a text, with their similarities."""
        vector = self.embedding.embed_query(query)
        return self.similarity_search_with_score_by_vector(vector, k, filter=filter, **kwargs)

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, *, filter: Any = None, **kwargs: Any
    ) -> list[Document]:
        """Find the k documents that are nearest to a vector."""
        found = self.similarity_search_with_score_by_vector(embedding, k, filter=filter, **kwargs)
        return [document for document, _ in found]

    def similarity_search_with_score_by_vector(
        self, embedding: list[float], k: int = 4, *, filter: Any = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """Find the k documents that are nearest to a vector, with their similarities."""
        _refuse(kwargs)
        return self._find(embedding, k, filter)

    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, *, filter: Any = None, **kwargs: Any
    ) -> list[Document]:
        """Choose k of the `fetch_k` documents that are most like a text: `lambda_mult` 1 by relevance, 0 by diversity.

        langchain-qdrant 1.1 has it the other way round.
        """
        vector = self.embedding.embed_query(query)
        return self.max_marginal_relevance_search_by_vector(vector, k, fetch_k, lambda_mult, filter=filter, **kwargs)

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *,
        filter: Any = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Choose k of the `fetch_k` documents that are nearest to a vector, by maximal marginal relevance."""
        _refuse(kwargs)
        mmr = models.Mmr(diversity=1 - lambda_mult, candidates_limit=fetch_k)
        return [document for document, _ in self._find(models.NearestQuery(nearest=embedding, mmr=mmr), k, filter)]

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Read documents by their ids, in the order of these; an id that is not there is left out."""
        points = {one: point for one in ids if (point := _point_of(one)) is not None}
        with self._reading():
            records = self.client.retrieve(self.collection_name, list(points.values()), with_payload=True)
        found = {str(record.id): self._document(record) for record in records}
        return [found[str(point)] for point in points.values() if str(point) in found]

    def add_texts(self, texts: Any, metadatas: Any = None, *, ids: Any = None, **kwargs: Any) -> NoReturn:
        """Refuse: the store is read only."""
        del texts, metadatas, ids, kwargs
        raise NotImplementedError(f"{self.collection_name!r} is only read here; copy_to(...) an OctantVectorStore")

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> NoReturn:
        """Refuse: the store is read only."""
        del ids, kwargs
        raise NotImplementedError(f"{self.collection_name!r} is only read here; copy_to(...) an OctantVectorStore")

    @classmethod
    def from_texts(
        cls, texts: Any, embedding: Any, metadatas: Any = None, *, ids: Any = None, **kwargs: Any
    ) -> NoReturn:
        """Refuse: the store is read only."""
        del texts, embedding, metadatas, ids, kwargs
        raise NotImplementedError(
            "collections of langchain-qdrant are only read here; use OctantVectorStore.from_texts"
        )

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        if self.params.distance is not models.Distance.COSINE:
            raise ValueError(f"{self.params.distance.value} has no bounds; use the scores as such")
        return lambda similarity: min(1.0, max(0.0, (similarity + 1) / 2))

    def _find(self, query: Any, k: int, filter: Any) -> list[tuple[Document, float]]:
        with self._reading():
            found = self.client.query_points(
                self.collection_name,
                query=query,
                using=self.vector_name or None,
                query_filter=filter_of(filter),
                limit=k,
                with_payload=True,
            )
        return [(self._document(point), point.score) for point in found.points]

    def _document(self, point: models.ScoredPoint | models.Record) -> Document:
        payload = point.payload or {}
        metadata: dict[str, Any] = payload.get(self.metadata_payload_key) or {}
        return Document(
            id=str(point.id),
            page_content=payload.get(self.content_payload_key) or "",
            metadata={key: value for key, value in metadata.items() if key not in _INJECTED},
        )

    def _pages(self) -> Iterator[list[models.Record]]:
        offset: Any = None
        while True:
            with self._reading():
                records, offset = self.client.scroll(
                    self.collection_name, limit=_PAGE, offset=offset, with_payload=True, with_vectors=True
                )
            yield records
            if offset is None:
                return

    def _copied(self, records: Sequence[models.Record], carried: _Carried) -> tuple[list[Document], list[Skipped]]:
        """The documents of a page, whose vectors are noted; and those that have none, or no content."""
        documents: list[Document] = []
        left_out: list[Skipped] = []
        carried.vectors.clear()
        for record in records:
            document = self._document(record)
            vectors = record.vector if isinstance(record.vector, dict) else {"": record.vector}
            vector = vectors.get(self.vector_name)
            if vector is None:
                left_out.append(Skipped(str(record.id), f"it has no vector {self.vector_name!r}"))
            elif not document.page_content:
                left_out.append(Skipped(str(record.id), f"it has no text under {self.content_payload_key!r}"))
            else:
                carried.vectors[document.page_content] = np.asarray(vector, dtype=np.float32)
                documents.append(document)
        return documents, left_out

    def _require_same_model(self, target: OctantVectorStore, document: Document, carried: _Carried) -> None:
        there = carried.vectors[document.page_content]
        space = target.schema.fields[cast("str", target.field)].space
        [made] = space.encode([Text(document.page_content)], Modality.TEXT, Role.DOCUMENT)
        here = cast("NDArray[np.float32]", made)
        cosine = float(np.dot(there, here) / (np.linalg.norm(there) * np.linalg.norm(here)))
        if cosine < _SAME:
            raise ValueError(
                f"the vectors of {self.collection_name!r} are not of {space.identity(Modality.TEXT)}: what it makes of "
                f"document {document.id!r} has the cosine {cosine:.3f} to what is stored; open the target with the "
                "embeddings that made them"
            )

    @contextmanager
    def _reading(self) -> Generator[None]:
        if self._turn is None:
            yield
        else:
            with self._turn:
                yield


class _Carried:
    """Stands for an encoder of texts: gives the vectors that the texts came with."""

    def __init__(self, spec: EncoderSpec) -> None:
        self.spec = spec
        self.vectors: dict[str, NDArray[np.float32]] = {}

    def encode(self, batch: Sequence[Text], role: Role) -> list[NDArray[np.float32] | Sparse]:
        del role
        return [self.vectors[text.content] for text in batch]


class _OfSpace:
    """One encoder of a space."""

    def __init__(self, space: Space, modality: Modality) -> None:
        self.spec = space.spec(modality)
        self._space = space

    def encode(self, batch: Sequence[Media], role: Role) -> list[NDArray[np.float32] | Sparse]:
        return self._space.encode(batch, self.spec.modality, role)


def _carrying(schema: Schema, field: str, carried: _Carried) -> Schema:
    """The same schema, but that texts come into this field with their vectors."""
    space = schema.fields[field].space
    others = [_OfSpace(space, modality) for modality in sorted(space.modalities - {Modality.TEXT})]
    carrying = Space(space.name, carried, *others, distance=space.distance)
    fields = {**schema.fields, field: replace(schema.fields[field], space=carrying)}
    return Schema(*fields.values(), *schema.texts.values())


def _point_of(id: str) -> int | str | None:
    """The id of the point, as Qdrant spells it; None for what cannot be one."""
    if id.isascii() and id.isdigit():
        return int(id)
    try:
        return str(UUID(id))
    except ValueError:
        return None


def _is_local(client: QdrantClient) -> bool:
    options = client.init_options
    return options.get("location") == ":memory:" or options.get("path") is not None


def _refuse(kwargs: Mapping[str, Any]) -> None:
    if kwargs:
        raise TypeError(f"this vector store does not know {', '.join(map(repr, kwargs))}")
