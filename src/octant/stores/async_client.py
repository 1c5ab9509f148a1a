"""The asynchronous twin of `Client`: the same methods, awaited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from qdrant_client.conversions import common_types as types
from qdrant_client.http import models

from octant.stores.client import Points, Prefetches, Query

__all__ = ["AsyncClient"]


class AsyncClient(Protocol):
    """The asynchronous face of a store: the same methods, awaited."""

    async def collection_exists(self, collection_name: str) -> bool:
        """Say whether there is a collection of this name."""
        ...

    async def create_collection(
        self,
        collection_name: str,
        vectors_config: models.VectorParams | Mapping[str, models.VectorParams] | None = None,
        sparse_vectors_config: Mapping[str, models.SparseVectorParams] | None = None,
        *,
        on_disk_payload: bool | None = None,
        hnsw_config: models.HnswConfigDiff | None = None,
        quantization_config: models.QuantizationConfig | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> bool:
        """Create an empty collection. Raises if there is one of this name."""
        ...

    async def get_collection(self, collection_name: str) -> models.CollectionInfo:
        """Describe a collection: points, configuration, `config.metadata`, `payload_schema`."""
        ...

    async def get_collections(self) -> models.CollectionsResponse:
        """List the collections."""
        ...

    async def update_collection(self, collection_name: str, *, metadata: dict[str, Any] | None = None) -> bool:
        """Merge metadata into that of a collection."""
        ...

    async def delete_collection(self, collection_name: str) -> bool:
        """Delete a collection with all its points; False if there was none."""
        ...

    async def upsert(
        self,
        collection_name: str,
        points: Points,
        *,
        wait: bool = True,
        update_filter: models.Filter | None = None,
        update_mode: models.UpdateMode | None = None,
    ) -> models.UpdateResult:
        """Insert points, or replace those of the same id. Nothing is written if one of them is refused."""
        ...

    async def update_vectors(
        self,
        collection_name: str,
        points: Sequence[models.PointVectors],
        *,
        wait: bool = True,
        update_filter: models.Filter | None = None,
    ) -> models.UpdateResult:
        """Replace the named vectors given, keep the others and the payload."""
        ...

    async def delete_vectors(
        self, collection_name: str, vectors: Sequence[str], points: types.PointsSelector, *, wait: bool = True
    ) -> models.UpdateResult:
        """Remove named vectors from points."""
        ...

    async def delete(
        self, collection_name: str, points_selector: types.PointsSelector, *, wait: bool = True
    ) -> models.UpdateResult:
        """Delete points by id or by filter."""
        ...

    async def set_payload(
        self,
        collection_name: str,
        payload: dict[str, Any],
        points: types.PointsSelector,
        key: str | None = None,
        *,
        wait: bool = True,
    ) -> models.UpdateResult:
        """Set keys of a payload, keep the others. `key` is the path to set them under."""
        ...

    async def overwrite_payload(
        self,
        collection_name: str,
        payload: dict[str, Any],
        points: types.PointsSelector,
        *,
        wait: bool = True,
    ) -> models.UpdateResult:
        """Replace whole payloads."""
        ...

    async def delete_payload(
        self, collection_name: str, keys: Sequence[str], points: types.PointsSelector, *, wait: bool = True
    ) -> models.UpdateResult:
        """Remove keys from payloads."""
        ...

    async def clear_payload(
        self, collection_name: str, points_selector: types.PointsSelector, *, wait: bool = True
    ) -> models.UpdateResult:
        """Empty payloads."""
        ...

    async def create_payload_index(
        self,
        collection_name: str,
        field_name: str,
        field_schema: models.PayloadFieldSchema | None = None,
        *,
        wait: bool = True,
    ) -> models.UpdateResult:
        """Index a payload field. Facets, `order_by` and text queries need one."""
        ...

    async def delete_payload_index(
        self, collection_name: str, field_name: str, *, wait: bool = True
    ) -> models.UpdateResult:
        """Drop the index of a payload field."""
        ...

    async def create_vector_name(
        self,
        collection_name: str,
        vector_name: str,
        vector_name_config: models.DenseVectorNameConfig | models.SparseVectorNameConfig,
        *,
        wait: bool = True,
    ) -> models.UpdateResult:
        """Add a named vector to a collection that has points already."""
        ...

    async def delete_vector_name(
        self, collection_name: str, vector_name: str, *, wait: bool = True
    ) -> models.UpdateResult:
        """Remove a named vector from a collection and from all its points."""
        ...

    async def query_points(
        self,
        collection_name: str,
        query: Query | None = None,
        using: str | None = None,
        prefetch: Prefetches | None = None,
        query_filter: models.Filter | None = None,
        search_params: models.SearchParams | None = None,
        limit: int = 10,
        offset: int | None = None,
        with_payload: models.WithPayloadInterface = True,
        with_vectors: models.WithVector = False,
        score_threshold: float | None = None,
        lookup_from: models.LookupLocation | None = None,
    ) -> models.QueryResponse:
        """Run one query."""
        ...

    async def query_batch_points(
        self, collection_name: str, requests: Sequence[models.QueryRequest]
    ) -> list[models.QueryResponse]:
        """Run several queries at once; one response per request, in order."""
        ...

    async def query_points_groups(
        self,
        collection_name: str,
        group_by: str,
        query: Query | None = None,
        using: str | None = None,
        prefetch: Prefetches | None = None,
        query_filter: models.Filter | None = None,
        search_params: models.SearchParams | None = None,
        limit: int = 10,
        group_size: int = 3,
        with_payload: models.WithPayloadInterface = True,
        with_vectors: models.WithVector = False,
        score_threshold: float | None = None,
        with_lookup: models.WithLookupInterface | None = None,
        lookup_from: models.LookupLocation | None = None,
    ) -> models.GroupsResult:
        """Run one query and group its hits by a payload field; groups in the order of their best hits."""
        ...

    async def retrieve(
        self,
        collection_name: str,
        ids: Sequence[types.PointId],
        with_payload: models.WithPayloadInterface = True,
        with_vectors: models.WithVector = False,
    ) -> list[models.Record]:
        """Read points by id; unknown ids are left out."""
        ...

    async def scroll(
        self,
        collection_name: str,
        scroll_filter: models.Filter | None = None,
        limit: int = 10,
        order_by: models.OrderByInterface | None = None,
        offset: types.PointId | None = None,
        with_payload: models.WithPayloadInterface = True,
        with_vectors: models.WithVector = False,
    ) -> tuple[list[models.Record], types.PointId | None]:
        """Read points page by page; the second value is the offset of the next page, None at the end."""
        ...

    async def count(
        self, collection_name: str, count_filter: models.Filter | None = None, exact: bool = True
    ) -> models.CountResult:
        """Count points."""
        ...

    async def facet(
        self,
        collection_name: str,
        key: str,
        facet_filter: models.Filter | None = None,
        limit: int = 10,
        exact: bool = False,
    ) -> models.FacetResponse:
        """Count the points per value of an indexed payload field, most frequent first."""
        ...

    async def close(self) -> None:
        """Give the store back; what was acknowledged is kept."""
        ...
