"""EdgeClient: Qdrant Edge, in this process, behind the methods of QdrantClient that octant uses.

What Edge leaves to its host is done in the modules around: a directory of collections with a lock, checks before
anything is written, ids in queries, averages, `lookup_from`, groups, the order of equals, indexing in the background.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import qdrant_edge as qe
from qdrant_client.conversions import common_types as types
from qdrant_client.http import models

from octant.errors import StoreError
from octant.stores.checks import check_limit
from octant.stores.client import Points, Prefetches, Query
from octant.stores.convert.config import to_index
from octant.stores.convert.filters import to_filter
from octant.stores.convert.points import from_record, plain
from octant.stores.convert.queries import to_order_by, to_with_payload
from octant.stores.edge_collection import describe_entry, selected
from octant.stores.edge_database import EdgeDatabase
from octant.stores.edge_search import EdgeSearch
from octant.stores.requests import request_of
from octant.stores.shard import engine_errors

__all__ = ["EdgeClient"]

DONE = models.UpdateResult(operation_id=None, status=models.UpdateStatus.COMPLETED)


class EdgeClient:
    """An embedded database. Safe to use from several threads, but a call of the engine holds Python's global lock."""

    def __init__(self, path: Path) -> None:
        """Open the database at this directory, or create it.

        Raises StoreLocked if another process has it open, StoreError if it cannot be read.
        """
        self._database = EdgeDatabase(path)
        self._collection = self._database.collection
        self._search = EdgeSearch(self._collection)
        self._root = path

    # -- collections ---------------------------------------------------------------------------------------------

    def collection_exists(self, collection_name: str) -> bool:
        return collection_name in self._database.names()

    def create_collection(
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
        entry = describe_entry(
            vectors_config,
            sparse_vectors_config,
            on_disk_payload=on_disk_payload,
            hnsw=hnsw_config,
            quantization=quantization_config,
            metadata=plain(metadata or {}, "metadata"),
        )
        self._database.create(collection_name, entry)
        return True

    def get_collection(self, collection_name: str) -> models.CollectionInfo:
        return self._collection(collection_name).info()

    def get_collections(self) -> models.CollectionsResponse:
        names = [models.CollectionDescription(name=name) for name in self._database.names()]
        return models.CollectionsResponse(collections=names)

    def update_collection(self, collection_name: str, *, metadata: dict[str, Any] | None = None) -> bool:
        held: dict[str, Any] = self._collection(collection_name).entry["metadata"]
        self._database.directory.change(held.update, plain(metadata or {}, "metadata"))
        return True

    def delete_collection(self, collection_name: str) -> bool:
        return self._database.delete(collection_name)

    # -- points --------------------------------------------------------------------------------------------------

    def upsert(
        self,
        collection_name: str,
        points: Points,
        *,
        wait: bool = True,  # noqa: ARG002 - a write is done when it returns
        update_filter: models.Filter | None = None,
        update_mode: models.UpdateMode | None = None,
    ) -> models.UpdateResult:
        self._database.directory.require_room()
        with engine_errors(self._root):
            self._collection(collection_name).upsert(points, update_filter, update_mode)
        self._database.indexer.note_write()
        return DONE

    def update_vectors(
        self,
        collection_name: str,
        points: Sequence[models.PointVectors],
        *,
        wait: bool = True,  # noqa: ARG002
        update_filter: models.Filter | None = None,
    ) -> models.UpdateResult:
        with engine_errors(self._root):
            self._collection(collection_name).update_vectors(points, update_filter)
        self._database.indexer.note_write()
        return DONE

    def delete_vectors(
        self,
        collection_name: str,
        vectors: Sequence[str],
        points: types.PointsSelector,
        *,
        wait: bool = True,  # noqa: ARG002
    ) -> models.UpdateResult:
        names, operation = list(vectors), qe.UpdateOperation
        self._collection(collection_name).layout.check_names(names)
        return self._apply(
            collection_name,
            points,
            lambda ids: operation.delete_vectors(ids, names),
            lambda given: operation.delete_vectors_by_filter(given, names),
        )

    def delete(
        self,
        collection_name: str,
        points_selector: types.PointsSelector,
        *,
        wait: bool = True,  # noqa: ARG002
    ) -> models.UpdateResult:
        collection = self._collection(collection_name)
        which = selected(points_selector)
        with engine_errors(self._root):
            if isinstance(which, models.Filter):
                collection.delete(qe.UpdateOperation.delete_points_by_filter(to_filter(which) or qe.Filter()))
            elif which:
                collection.delete(qe.UpdateOperation.delete_points(which))
        self._database.indexer.note_write()
        return DONE

    def set_payload(
        self,
        collection_name: str,
        payload: dict[str, Any],
        points: types.PointsSelector,
        key: str | None = None,
        *,
        wait: bool = True,  # noqa: ARG002
    ) -> models.UpdateResult:
        values, operation = plain(payload, "given"), qe.UpdateOperation
        return self._apply(
            collection_name,
            points,
            lambda ids: operation.set_payload(ids, values, key),
            lambda given: operation.set_payload_by_filter(given, values, key),
        )

    def overwrite_payload(
        self,
        collection_name: str,
        payload: dict[str, Any],
        points: types.PointsSelector,
        *,
        wait: bool = True,  # noqa: ARG002
    ) -> models.UpdateResult:
        values, operation = plain(payload, "given"), qe.UpdateOperation
        return self._apply(
            collection_name,
            points,
            lambda ids: operation.overwrite_payload(ids, values),
            lambda given: operation.overwrite_payload_by_filter(given, values),
        )

    def delete_payload(
        self,
        collection_name: str,
        keys: Sequence[str],
        points: types.PointsSelector,
        *,
        wait: bool = True,  # noqa: ARG002
    ) -> models.UpdateResult:
        paths, operation = list(keys), qe.UpdateOperation
        return self._apply(
            collection_name,
            points,
            lambda ids: operation.delete_payload(ids, paths),
            lambda given: operation.delete_payload_by_filter(given, paths),
        )

    def clear_payload(
        self,
        collection_name: str,
        points_selector: types.PointsSelector,
        *,
        wait: bool = True,  # noqa: ARG002
    ) -> models.UpdateResult:
        operation = qe.UpdateOperation
        return self._apply(collection_name, points_selector, operation.clear_payload, operation.clear_payload_by_filter)

    # -- shape of a collection -----------------------------------------------------------------------------------

    def create_payload_index(
        self,
        collection_name: str,
        field_name: str,
        field_schema: models.PayloadFieldSchema | None = None,
        *,
        wait: bool = True,  # noqa: ARG002
    ) -> models.UpdateResult:
        if field_schema is None:
            raise StoreError(f"the index of {field_name!r} needs a schema, such as models.PayloadSchemaType.KEYWORD")
        collection = self._collection(collection_name)
        with self._database.changing:
            with engine_errors(self._root):
                collection.apply(qe.UpdateOperation.create_field_index(field_name, to_index(field_schema)), 0)
            self._database.directory.change(collection.remember_index, field_name, field_schema)
        return DONE

    def delete_payload_index(
        self,
        collection_name: str,
        field_name: str,
        *,
        wait: bool = True,  # noqa: ARG002
    ) -> models.UpdateResult:
        collection = self._collection(collection_name)
        with self._database.changing:
            collection.apply(qe.UpdateOperation.delete_field_index(field_name), 0)
            self._database.directory.change(collection.forget_index, field_name)
        return DONE

    def create_vector_name(
        self,
        collection_name: str,
        vector_name: str,
        vector_name_config: models.DenseVectorNameConfig | models.SparseVectorNameConfig,
        *,
        wait: bool = True,  # noqa: ARG002
    ) -> models.UpdateResult:
        collection = self._collection(collection_name)
        with self._database.changing, engine_errors(self._root):
            params = collection.create_vector(vector_name, vector_name_config)
            self._database.directory.change(collection.remember_params, params)
        return DONE

    def delete_vector_name(
        self,
        collection_name: str,
        vector_name: str,
        *,
        wait: bool = True,  # noqa: ARG002
    ) -> models.UpdateResult:
        collection = self._collection(collection_name)
        with self._database.changing:
            params = collection.delete_vector(vector_name)
            self._database.directory.change(collection.remember_params, params)
        return DONE

    # -- queries -------------------------------------------------------------------------------------------------

    def query_points(
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
        request = request_of(
            query=query,
            using=using,
            prefetch=prefetch,
            query_filter=query_filter,
            search_params=search_params,
            limit=limit,
            offset=offset,
            with_payload=with_payload,
            with_vectors=with_vectors,
            score_threshold=score_threshold,
            lookup_from=lookup_from,
        )
        return self.query_batch_points(collection_name, [request])[0]

    def query_batch_points(
        self, collection_name: str, requests: Sequence[models.QueryRequest]
    ) -> list[models.QueryResponse]:
        results = self._search.run(collection_name, requests)
        return [models.QueryResponse.model_construct(points=points) for points in results]

    def query_points_groups(
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
        request = request_of(
            query=query,
            using=using,
            prefetch=prefetch,
            query_filter=query_filter,
            search_params=search_params,
            limit=limit,
            offset=None,
            with_payload=with_payload,
            with_vectors=with_vectors,
            score_threshold=score_threshold,
            lookup_from=lookup_from,
        )
        return self._search.groups(collection_name, request, group_by, group_size, with_lookup)

    # -- reading -------------------------------------------------------------------------------------------------

    def retrieve(
        self,
        collection_name: str,
        ids: Sequence[types.PointId],
        with_payload: models.WithPayloadInterface = True,
        with_vectors: models.WithVector = False,
    ) -> list[models.Record]:
        return self._search.retrieve(collection_name, ids, with_payload, with_vectors)

    def scroll(
        self,
        collection_name: str,
        scroll_filter: models.Filter | None = None,
        limit: int = 10,
        order_by: models.OrderByInterface | None = None,
        offset: types.PointId | None = None,
        with_payload: models.WithPayloadInterface = True,
        with_vectors: models.WithVector = False,
    ) -> tuple[list[models.Record], types.PointId | None]:
        check_limit(limit)
        collection = self._collection(collection_name)
        with engine_errors(self._root):
            request = qe.ScrollRequest(
                offset=cast("Any", offset),
                limit=limit,
                filter=to_filter(scroll_filter),
                with_payload=to_with_payload(with_payload),
                with_vector=with_vectors,
                order_by=to_order_by(order_by),
            )
        records, following = collection.shard.read(lambda live: live.scroll(request))
        return [from_record(record) for record in records], following if following is None else _id(following)

    def count(
        self, collection_name: str, count_filter: models.Filter | None = None, exact: bool = True
    ) -> models.CountResult:
        collection = self._collection(collection_name)
        with engine_errors(self._root):
            request = qe.CountRequest(exact=exact, filter=to_filter(count_filter))
        return models.CountResult(count=collection.shard.read(lambda live: live.count(request)))

    def facet(
        self,
        collection_name: str,
        key: str,
        facet_filter: models.Filter | None = None,
        limit: int = 10,
        exact: bool = False,
    ) -> models.FacetResponse:
        check_limit(limit)
        collection = self._collection(collection_name)
        with engine_errors(self._root):
            request = qe.FacetRequest(key=key, limit=limit, exact=exact, filter=to_filter(facet_filter))
        hits = collection.shard.read(lambda live: live.facet(request)).hits
        return models.FacetResponse(hits=[models.FacetValueHit(value=hit.value, count=hit.count) for hit in hits])

    def hasten_index(self) -> list[str]:
        """Index what is due without waiting for writes to pause; return the collections that are not done yet."""
        self._database.check_usable()
        return self._database.indexer.hasten()

    def close(self) -> None:
        self._database.close()

    def _apply(
        self,
        collection_name: str,
        points: types.PointsSelector,
        by_ids: Callable[[list[Any]], qe.UpdateOperation],
        by_filter: Callable[[qe.Filter], qe.UpdateOperation],
    ) -> models.UpdateResult:
        collection = self._collection(collection_name)
        which = selected(points)
        with engine_errors(self._root):
            if isinstance(which, models.Filter):
                collection.apply(by_filter(to_filter(which) or qe.Filter()))
            elif which:
                collection.check_held(which)
                collection.apply(by_ids(which), len(which))
        self._database.indexer.note_write()
        return DONE


def _id(point_id: Any) -> models.ExtendedPointId:
    return point_id if isinstance(point_id, int) else str(point_id)
