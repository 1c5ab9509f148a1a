"""Searching the collections of an embedded database: what Edge's queries lack is put around them here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import qdrant_edge as qe
from qdrant_client.conversions import common_types as types
from qdrant_client.http import models

from octant.stores.checks import check_ids, check_limit, check_request, id_key
from octant.stores.convert.points import from_record, from_scored
from octant.stores.convert.queries import to_query, to_with_payload
from octant.stores.edge_collection import EdgeCollection
from octant.stores.groups import query_groups
from octant.stores.kinds import is_mapping
from octant.stores.resolve import resolve
from octant.stores.shard import engine_errors
from octant.stores.ties import exhaustive, settle, widen

__all__ = ["EdgeSearch"]


class EdgeSearch:
    """Queries over collections, which `collection` opens by name."""

    def __init__(self, collection: Callable[[str], EdgeCollection]) -> None:
        self._collection = collection

    def run(self, name: str, requests: Sequence[models.QueryRequest]) -> list[list[models.ScoredPoint]]:
        """Run queries as one batch of the engine; one list of hits per request, in order."""
        collection = self._collection(name)
        resolved = [resolve(name, request, self._vectors) for request in requests]
        for request in resolved:
            check_request(request, collection.layout)
        found = _query(collection, [widen(request) for request in resolved])
        return [_settled(collection, request, hits) for request, hits in zip(resolved, found, strict=True)]

    def groups(
        self,
        name: str,
        request: models.QueryRequest,
        group_by: str,
        group_size: int,
        with_lookup: models.WithLookupInterface | None,
    ) -> models.GroupsResult:
        """Run one query and group its hits; `request.limit` counts groups."""
        limit = 10 if request.limit is None else request.limit
        check_limit(limit)
        check_limit(group_size)
        points = self._collection(name).points_count()
        groups = query_groups(lambda requests: self.run(name, requests), request, group_by, limit, group_size, points)
        ids = {hit.id: None for hits in groups.values() for hit in hits}
        asked = {record.id: record.payload for record in self.retrieve(name, list(ids), request.with_payload, False)}
        return models.GroupsResult(
            groups=[
                models.PointGroup(
                    id=key,
                    hits=[hit.model_copy(update={"payload": asked.get(hit.id)}) for hit in hits],
                    lookup=None if with_lookup is None else self._look_up(with_lookup, key),
                )
                for key, hits in groups.items()
            ]
        )

    def retrieve(
        self,
        name: str,
        ids: Sequence[types.PointId],
        with_payload: models.WithPayloadInterface | None,
        with_vectors: models.WithVector,
    ) -> list[models.Record]:
        """Read points by id."""
        wanted: list[Any] = check_ids(ids)
        payload = to_with_payload(with_payload)
        records = self._collection(name).shard.read(lambda live: live.retrieve(wanted, payload, with_vectors))
        return [from_record(record) for record in records]

    def _vectors(
        self, name: str, vector_name: str, ids: Sequence[models.ExtendedPointId]
    ) -> dict[models.ExtendedPointId, Any]:
        self._collection(name).layout.check_names([vector_name])
        held: dict[str, Any] = {}
        for record in self.retrieve(name, ids, False, True):
            vectors: Any = record.vector
            held[str(record.id)] = vectors.get(vector_name) if is_mapping(vectors) else vectors
        return {one: held[id_key(one)] for one in ids if held.get(id_key(one)) is not None}

    def _look_up(self, given: models.WithLookupInterface, key: int | str) -> models.Record | None:
        lookup = models.WithLookup(collection=given) if isinstance(given, str) else given
        with_payload = True if lookup.with_payload is None else lookup.with_payload
        found = self.retrieve(lookup.collection, [key], with_payload, lookup.with_vectors or False)
        return found[0] if found else None


def _settled(
    collection: EdgeCollection, request: models.QueryRequest, hits: list[models.ScoredPoint]
) -> list[models.ScoredPoint]:
    settled = settle(request, hits)
    if settled is None:
        settled = settle(request, _query(collection, [exhaustive(request)])[0])
    return settled or []


def _query(collection: EdgeCollection, requests: Sequence[models.QueryRequest]) -> list[list[models.ScoredPoint]]:
    with engine_errors(Path()):
        batch = qe.QueryBatchRequest([to_query(request) for request in requests])
    found = collection.shard.read(lambda live: live.query_batch(batch))
    # MMR leaves in its hits the vectors that it compared, asked for or not
    return [
        [from_scored(point, bool(request.with_vector)) for point in points]
        for request, points in zip(requests, found, strict=True)
    ]
