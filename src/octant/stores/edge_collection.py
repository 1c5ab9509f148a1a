"""One collection of an embedded database: its shard, its configuration, its entry in the catalogue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import qdrant_edge as qe
from pydantic import TypeAdapter
from qdrant_client.conversions import common_types as types
from qdrant_client.http import models

from octant.errors import StoreError
from octant.stores.checks import DEFAULT_VECTOR, Layout, check_ids, id_key
from octant.stores.client import Points
from octant.stores.convert.config import HNSW_DEFAULTS, index_type, member, to_config, to_distance, to_multi
from octant.stores.convert.filters import to_filter
from octant.stores.convert.points import to_point, to_point_vectors
from octant.stores.kinds import is_mapping
from octant.stores.shard import Shard

__all__ = ["EdgeCollection", "describe_entry", "selected"]

BATCH = 1000
"""Points per operation of the engine: big ones keep everybody else waiting, since a call holds Python's global lock."""

INDEXED_KB = 10_000
"""The engine's own threshold, of vectors in a segment, for building a graph at all."""
LONG_SCAN_KB = 100_000
"""Comparing with more than this takes too long, however small a share of the collection it is."""
VACUUM_POINTS = 1000
"""The engine's own threshold, of deleted points, for rewriting a segment without them."""
SHARE = 0.2

_SCHEMA: TypeAdapter[Any] = TypeAdapter(models.PayloadFieldSchema)


class EdgeCollection:
    """A collection that is open."""

    def __init__(self, name: str, entry: dict[str, Any], shard: Shard) -> None:
        self.name = name
        self.entry = entry
        self.shard = shard
        self.layout = _layout(_params(entry))
        self._work: Counter[str] = Counter(entry.get("unindexed", {}))
        self._count_what_a_crash_forgot()
        self._postponed_at = 0

    @classmethod
    def create(cls, name: str, entry: dict[str, Any], folder: Path, search_threads: int) -> EdgeCollection:
        """Make the shard of a new collection."""
        layout = _layout(_params(entry))
        config = to_config(
            layout.dense,
            layout.sparse,
            hnsw=_read(models.HnswConfigDiff, entry.get("hnsw")),
            quantization=_quantization(entry.get("quantization")),
            on_disk_payload=entry.get("on_disk_payload"),
            search_threads=search_threads,
        )
        return cls(name, entry, Shard.create(folder, config))

    def info(self) -> models.CollectionInfo:
        """Describe the collection."""
        info = self.shard.read(lambda shard: shard.info())
        indexed: Mapping[Any, Any] = info.payload_schema
        points = {str(field): about.points for field, about in indexed.items()}
        schemas = {field: _SCHEMA.validate_python(schema) for field, schema in self.entry["indexes"].items()}
        hnsw = _read(models.HnswConfigDiff, self.entry.get("hnsw")) or models.HnswConfigDiff()
        return models.CollectionInfo(
            status=models.CollectionStatus.GREEN,
            optimizer_status=models.OptimizersStatusOneOf.OK,
            indexed_vectors_count=info.indexed_vectors_count,
            points_count=info.points_count,
            segments_count=info.segments_count,
            payload_schema={
                field: models.PayloadIndexInfo(
                    data_type=index_type(schema),
                    params=None if isinstance(schema, models.PayloadSchemaType) else schema,
                    points=points.get(field, 0),
                )
                for field, schema in schemas.items()
            },
            config=models.CollectionConfig(
                params=_params(self.entry),
                hnsw_config=HNSW_DEFAULTS.model_copy(update=hnsw.model_dump(exclude_none=True)),
                optimizer_config=models.OptimizersConfig(default_segment_number=0, flush_interval_sec=5),
                quantization_config=_quantization(self.entry.get("quantization")),
                metadata=self.entry["metadata"] or None,
            ),
        )

    def points_count(self) -> int:
        """Count the points, quickly."""
        return self.shard.read(lambda shard: shard.info()).points_count

    def upsert(self, points: Points, condition: models.Filter | None, mode: models.UpdateMode | None) -> None:
        """Check all points, then write them."""
        rows = _rows(points)
        for point_id, vector, _ in rows:
            self.layout.check_point(point_id, vector)
        operations = [
            qe.UpdateOperation.upsert_points(
                [to_point(point_id, vector, payload) for point_id, vector, payload in rows[start : start + BATCH]],
                to_filter(condition),
                _update_mode(mode),
            )
            for start in range(0, len(rows), BATCH)
        ]
        for start, operation in zip(range(0, len(rows), BATCH), operations, strict=True):
            self.shard.write(operation, min(BATCH, len(rows) - start))
        self._note([vector for _, vector, _ in rows])

    def update_vectors(self, points: Sequence[models.PointVectors], condition: models.Filter | None) -> None:
        """Check all vectors and that the points exist, then write them."""
        rows = [(point.id, point.vector) for point in points]
        for point_id, vector in rows:
            self.layout.check_point(point_id, vector)
        self.check_held([point_id for point_id, _ in rows])
        vectors = [to_point_vectors(point_id, vector) for point_id, vector in rows]
        self.shard.write(qe.UpdateOperation.update_vectors(vectors, to_filter(condition)), len(rows))
        self._note([vector for _, vector in rows])

    def create_vector(
        self, name: str, config: models.DenseVectorNameConfig | models.SparseVectorNameConfig
    ) -> models.CollectionParams:
        """Add a named vector; return what to remember."""
        params = _params(self.entry)
        if name in self.layout.dense or name in self.layout.sparse:
            raise StoreError(f"the collection {self.name!r} has a vector named {name!r} already")
        if isinstance(params.vectors, models.VectorParams):
            raise StoreError(f"the collection {self.name!r} has one unnamed vector; named ones cannot be added to it")
        if isinstance(config, models.DenseVectorNameConfig):
            dense = models.VectorParams.model_validate(config.dense.model_dump(mode="json"))
            operation = qe.UpdateOperation.create_dense_vector(
                name,
                dense.size,
                to_distance(dense.distance),
                to_multi(dense.multivector_config),
                member(qe.VectorStorageDatatype, dense.datatype),
            )
            params.vectors = {**(params.vectors or {}), name: dense}
        else:
            sparse = models.SparseVectorParams(
                modifier=config.sparse.modifier,
                index=models.SparseIndexParams(datatype=_datatype(config.sparse.datatype)),
            )
            modifier = qe.Modifier.Idf if sparse.modifier == models.Modifier.IDF else None
            datatype = member(qe.VectorStorageDatatype, config.sparse.datatype)
            operation = qe.UpdateOperation.create_sparse_vector(name, modifier, datatype)
            params.sparse_vectors = {**(params.sparse_vectors or {}), name: sparse}
        self.apply(operation, 0)
        return params

    def delete_vector(self, name: str) -> models.CollectionParams:
        """Remove a named vector; return what to remember."""
        self.layout.check_names([name])
        params = _params(self.entry)
        self.apply(qe.UpdateOperation.delete_vector_name(name), 0)
        if isinstance(params.vectors, dict):
            params.vectors.pop(name, None)
        if params.sparse_vectors is not None:
            params.sparse_vectors.pop(name, None)
        return params

    def remember_index(self, field: str, schema: models.PayloadFieldSchema) -> None:
        """Note the schema of a payload index, which the engine does not give back."""
        self.entry["indexes"][field] = _SCHEMA.dump_python(schema, mode="json", exclude_none=True)

    def forget_index(self, field: str) -> None:
        """Note that a payload index is gone."""
        self.entry["indexes"].pop(field, None)

    def check_held(self, ids: Sequence[models.ExtendedPointId]) -> None:
        """Raise StoreError if there is no point of one of these ids; the engine would change the others first."""
        wanted = list(dict.fromkeys(ids))
        held = self.shard.read(lambda shard: shard.retrieve(wanted, False, False))
        missing = {id_key(point_id) for point_id in wanted} - {str(record.id) for record in held}
        if missing:
            raise StoreError(f"no point with id {', '.join(sorted(missing)[:5])} in the collection {self.name!r}")

    def apply(self, operation: qe.UpdateOperation, points: int = 1) -> None:
        """Apply any other operation; `points` is about how many it touches."""
        self.shard.write(operation, points)

    def delete(self, operation: qe.UpdateOperation) -> None:
        """Apply a deletion, and count what is gone."""
        before = self.points_count()
        self.shard.write(operation, 1)
        self._work["deleted"] += max(0, before - self.points_count())

    def is_due(self) -> bool:
        """Say whether enough was written or deleted since the last indexing for the next one to be worth its time.

        The engine builds graphs only in segments above `INDEXED_KB`; below, comparing with every point is fast enough.
        """
        written_kb, written, deleted = self._work["kilobytes"], self._work["written"], self._work["deleted"]
        if self._work.total() <= self._postponed_at * 2 or (written_kb < INDEXED_KB and deleted < VACUUM_POINTS):
            return False
        share = self.points_count() * SHARE
        return (written_kb >= INDEXED_KB and (written > share or written_kb > LONG_SCAN_KB)) or deleted > share

    def postpone(self) -> None:
        """Do not try again before twice as much has been written."""
        self._postponed_at = self._work.total()

    def unindexed(self) -> Counter[str]:
        """What was written and deleted since the last indexing."""
        return self._work.copy()

    def moved_to(self, folder: Path, indexed: Counter[str]) -> None:
        """Note that the collection lives in this folder, in which that much was indexed."""
        self._work = self._work - indexed
        self._postponed_at = 0
        self.entry.update(folder=folder.name, unindexed=dict(self._work), indexed_points=self.points_count())

    def remember_work(self) -> None:
        """Note what is left to index, for the next opening."""
        self.entry["unindexed"] = dict(self._work)

    def remember_params(self, params: models.CollectionParams) -> None:
        """Note the vectors that points may have."""
        self.entry["params"] = params.model_dump(mode="json", exclude_none=True)
        self.layout = _layout(params)

    def _count_what_a_crash_forgot(self) -> None:
        """Take points beyond those that were indexed for written since; what is left to do is noted only on closing."""
        grown = self.points_count() - self.entry.get("indexed_points", 0)
        if grown > self._work["written"]:
            sizes = [params.size * 4 for params in self.layout.dense.values()]
            self._work["written"], self._work["kilobytes"] = grown, grown * max(sizes, default=0) >> 10

    def _note(self, vectors: Sequence[Any]) -> None:
        self._work["written"] += len(vectors)
        self._work["kilobytes"] += self._kilobytes(vectors)

    def _kilobytes(self, vectors: Sequence[Any]) -> int:
        """Size what the largest graph over these points would hold; vectors without a graph (m = 0) count nothing."""
        sizes = [0]
        for name, params in self.layout.dense.items():
            if params.hnsw_config is None or params.hnsw_config.m != 0:
                rows = sum(_row_count(vector, name, params) for vector in vectors)
                sizes.append(rows * params.size * 4)
        return max(sizes) >> 10


def describe_entry(
    vectors: models.VectorParams | Mapping[str, models.VectorParams] | None,
    sparse: Mapping[str, models.SparseVectorParams] | None,
    *,
    on_disk_payload: bool | None,
    hnsw: models.HnswConfigDiff | None,
    quantization: models.QuantizationConfig | None,
    metadata: dict[str, Any] | None,
) -> dict[str, Any]:
    """Describe a new collection for the catalogue, as JSON."""
    named = vectors if vectors is None or isinstance(vectors, models.VectorParams) else dict(vectors)
    params = models.CollectionParams(vectors=named, sparse_vectors=None if sparse is None else dict(sparse))
    return {
        "params": params.model_dump(mode="json", exclude_none=True),
        "on_disk_payload": on_disk_payload,
        "hnsw": None if hnsw is None else hnsw.model_dump(mode="json", exclude_none=True),
        "quantization": None if quantization is None else quantization.model_dump(mode="json", exclude_none=True),
        "metadata": dict(metadata or {}),
        "indexes": {},
    }


def selected(points: types.PointsSelector) -> list[models.ExtendedPointId] | models.Filter:
    """Bring the ways to name points down to two: their ids, or a filter."""
    match points:
        case models.Filter():
            return points
        case models.FilterSelector():
            return points.filter
        case models.PointIdsList():
            return check_ids(points.points)
        case list():
            given: list[Any] = points
            return check_ids(given)
        case _:
            raise StoreError(f"a {type(points).__name__} does not name points; give a list of ids or models.Filter")


def _params(entry: Mapping[str, Any]) -> models.CollectionParams:
    params = models.CollectionParams.model_validate(entry["params"])
    return params.model_copy(update={"on_disk_payload": entry.get("on_disk_payload")})


def _layout(params: models.CollectionParams) -> Layout:
    vectors = params.vectors
    if isinstance(vectors, models.VectorParams):
        vectors = {DEFAULT_VECTOR: vectors}
    return Layout(dense=vectors or {}, sparse=params.sparse_vectors or {})


def _row_count(vector: Any, name: str, params: models.VectorParams) -> int:
    if is_mapping(vector):
        vector = vector.get(name)
    if vector is None:
        return 0
    return 1 if params.multivector_config is None else len(vector)


def _datatype(given: models.VectorStorageDatatype | None) -> models.Datatype | None:
    return None if given is None else models.Datatype(given.value)


def _read(model: type[models.HnswConfigDiff], entry: Any) -> models.HnswConfigDiff | None:
    return None if entry is None else model.model_validate(entry)


_QUANTIZATION: TypeAdapter[Any] = TypeAdapter(models.QuantizationConfig)


def _quantization(entry: Any) -> models.QuantizationConfig | None:
    quantization: models.QuantizationConfig | None = None if entry is None else _QUANTIZATION.validate_python(entry)
    return quantization


def _rows(points: Points) -> list[tuple[models.ExtendedPointId, Any, dict[str, Any] | None]]:
    if not isinstance(points, models.Batch):
        return [(point.id, point.vector, point.payload) for point in points]
    vectors: Any = points.vectors
    count = len(points.ids)
    payloads: Sequence[dict[str, Any]] = points.payloads or [{} for _ in range(count)]
    if is_mapping(vectors):
        vectors = [{name: column[row] for name, column in vectors.items()} for row in range(count)]
    return list(zip(points.ids, vectors, payloads, strict=True))


def _update_mode(mode: models.UpdateMode | None) -> qe.UpdateMode | None:
    match mode:
        case models.UpdateMode.INSERT_ONLY:
            return qe.UpdateMode.InsertOnly
        case models.UpdateMode.UPDATE_ONLY:
            return qe.UpdateMode.UpdateOnly
        case _:
            return None
