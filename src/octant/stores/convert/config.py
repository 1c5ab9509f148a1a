"""Collection configuration: vectors, quantization, graphs, payload indexes, to Edge's objects."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

import qdrant_edge as qe
from qdrant_client.http import models

from octant.errors import StoreError

__all__ = [
    "HNSW_DEFAULTS",
    "index_type",
    "member",
    "to_config",
    "to_dense",
    "to_distance",
    "to_index",
    "to_multi",
    "to_sparse",
]

HNSW_DEFAULTS = models.HnswConfig(m=16, ef_construct=100, full_scan_threshold=10000)

_SCHEMAS: tuple[tuple[type[Any], models.PayloadSchemaType, Any], ...] = (
    (models.KeywordIndexParams, models.PayloadSchemaType.KEYWORD, qe.KeywordIndexParams),
    (models.IntegerIndexParams, models.PayloadSchemaType.INTEGER, qe.IntegerIndexParams),
    (models.FloatIndexParams, models.PayloadSchemaType.FLOAT, qe.FloatIndexParams),
    (models.GeoIndexParams, models.PayloadSchemaType.GEO, qe.GeoIndexParams),
    (models.TextIndexParams, models.PayloadSchemaType.TEXT, qe.TextIndexParams),
    (models.BoolIndexParams, models.PayloadSchemaType.BOOL, qe.BoolIndexParams),
    (models.DatetimeIndexParams, models.PayloadSchemaType.DATETIME, qe.DatetimeIndexParams),
    (models.UuidIndexParams, models.PayloadSchemaType.UUID, qe.UuidIndexParams),
)


def to_config(
    vectors: Mapping[str, models.VectorParams],
    sparse: Mapping[str, models.SparseVectorParams],
    *,
    hnsw: models.HnswConfigDiff | None,
    quantization: models.QuantizationConfig | None,
    on_disk_payload: bool | None,
    search_threads: int,
) -> qe.EdgeConfig:
    """Translate the configuration of a new collection. The write-ahead log stays on: without it kill -9 loses data."""
    return qe.EdgeConfig(
        vectors={name: to_dense(params) for name, params in vectors.items()},
        sparse_vectors={name: to_sparse(params) for name, params in sparse.items()},
        on_disk_payload=on_disk_payload,
        hnsw_config=_hnsw(hnsw),
        quantization_config=_quantization(quantization),
        max_search_threads=search_threads,
        wal_enabled=True,
    )


def to_dense(given: models.VectorParams) -> qe.EdgeVectorParams:
    """Translate the parameters of a dense or multi vector."""
    return qe.EdgeVectorParams(
        size=given.size,
        distance=to_distance(given.distance),
        on_disk=given.on_disk,
        multivector_config=to_multi(given.multivector_config),
        datatype=member(qe.VectorStorageDatatype, given.datatype),
        quantization_config=_quantization(given.quantization_config),
        hnsw_config=_hnsw(given.hnsw_config),
        memory=member(qe.Memory, given.memory),
    )


def to_sparse(given: models.SparseVectorParams) -> qe.EdgeSparseVectorParams:
    """Translate the parameters of a sparse vector."""
    index = given.index or models.SparseIndexParams()
    return qe.EdgeSparseVectorParams(
        full_scan_threshold=index.full_scan_threshold,
        on_disk=index.on_disk,
        modifier=qe.Modifier.Idf if given.modifier == models.Modifier.IDF else None,
        datatype=member(qe.VectorStorageDatatype, index.datatype),
        memory=member(qe.Memory, index.memory),
    )


def to_distance(given: models.Distance) -> qe.Distance:
    """Translate a distance."""
    distance: qe.Distance = getattr(qe.Distance, given.value)
    return distance


def to_multi(given: models.MultiVectorConfig | None) -> qe.MultiVectorConfig | None:
    """Translate the comparator of a multivector; there is one, MaxSim."""
    return None if given is None else qe.MultiVectorConfig(qe.MultiVectorComparator.MaxSim)


def to_index(schema: models.PayloadFieldSchema) -> Any:
    """Translate the schema of a payload index."""
    if isinstance(schema, models.PayloadSchemaType):
        return getattr(qe.PayloadSchemaType, schema.value.title())
    if isinstance(schema, models.TextIndexParams):
        return _text_index(schema)
    make = next((edge for model, _, edge in _SCHEMAS if isinstance(schema, model)), None)
    if make is None:
        raise StoreError(f"{schema!r} is no schema of a payload index; give a models.PayloadSchemaType or its params")
    given: dict[str, Any] = {name: value for name, value in schema if name != "type" and value is not None}
    if "memory" in given:
        given["memory"] = member(qe.Memory, schema.memory)
    return make(**given)


def index_type(schema: models.PayloadFieldSchema) -> models.PayloadSchemaType:
    """Name the type of a payload index."""
    if isinstance(schema, models.PayloadSchemaType):
        return schema
    known = next((name for model, name, _ in _SCHEMAS if isinstance(schema, model)), None)
    if known is None:
        raise StoreError(f"{schema!r} is no schema of a payload index; give a models.PayloadSchemaType or its params")
    return known


def member(edge: Any, given: Enum | None) -> Any:
    """Find the member of an Edge enum that is spelled as the value of the model's, but for case and underscores."""
    if given is None:
        return None
    wanted = str(given.value).replace("_", "").lower()
    for name in dir(edge):
        if not name.startswith("_") and name.replace("_", "").lower() == wanted:
            return getattr(edge, name)
    raise ValueError(f"Qdrant Edge knows no {edge.__name__} {given.value!r}")


def _text_index(given: models.TextIndexParams) -> qe.TextIndexParams:
    stemmer: Any = None
    if isinstance(given.stemmer, models.SnowballParams):
        stemmer = qe.SnowballParams(member(qe.SnowballLanguage, given.stemmer.language))
    elif given.stemmer is not None:
        stemmer = qe.DisabledStemmer()
    scoring: Any = given.scoring
    if isinstance(scoring, models.TextScoringParams):
        scoring = qe.TextScoringParams(qe.TextScoringType.Bm25)
    return qe.TextIndexParams(
        tokenizer=member(qe.TokenizerType, given.tokenizer),
        min_token_len=given.min_token_len,
        max_token_len=given.max_token_len,
        lowercase=given.lowercase,
        ascii_folding=given.ascii_folding,
        phrase_matching=given.phrase_matching,
        stopwords=_stopwords(given.stopwords),
        on_disk=given.on_disk,
        stemmer=stemmer,
        enable_hnsw=given.enable_hnsw,
        memory=member(qe.Memory, given.memory),
        scoring=scoring,
        nested=given.nested,
    )


def _stopwords(given: models.StopwordsInterface | None) -> Any:
    if given is None:
        return None
    if isinstance(given, models.Language):
        return member(qe.Language, given)
    languages = None if given.languages is None else {member(qe.Language, one) for one in given.languages}
    return qe.StopwordsSet(languages, None if given.custom is None else set(given.custom))


def _hnsw(given: models.HnswConfigDiff | None) -> qe.HnswIndexConfig | None:
    if given is None:
        return None
    threshold = given.full_scan_threshold
    return qe.HnswIndexConfig(
        m=HNSW_DEFAULTS.m if given.m is None else given.m,
        ef_construct=HNSW_DEFAULTS.ef_construct if given.ef_construct is None else given.ef_construct,
        full_scan_threshold=HNSW_DEFAULTS.full_scan_threshold if threshold is None else threshold,
        max_indexing_threads=given.max_indexing_threads or 0,
        on_disk=given.on_disk,
        payload_m=given.payload_m,
        inline_storage=given.inline_storage,
        memory=member(qe.Memory, given.memory),
    )


def _quantization(given: models.QuantizationConfig | None) -> Any:
    match given:
        case None:
            return None
        case models.ScalarQuantization():
            scalar = given.scalar
            memory = member(qe.Memory, scalar.memory)
            return qe.ScalarQuantizationConfig(qe.ScalarType.Int8, scalar.quantile, scalar.always_ram, memory)
        case models.ProductQuantization():
            product = given.product
            ratio = member(qe.CompressionRatio, product.compression)
            return qe.ProductQuantizationConfig(ratio, product.always_ram, member(qe.Memory, product.memory))
        case models.BinaryQuantization():
            binary = given.binary
            return qe.BinaryQuantizationConfig(
                binary.always_ram,
                member(qe.BinaryQuantizationEncoding, binary.encoding),
                member(qe.BinaryQuantizationQueryEncoding, binary.query_encoding),
                member(qe.Memory, binary.memory),
            )
        case models.TurboQuantization():
            turbo = given.turbo
            bits = member(qe.TurboQuantBitSize, turbo.bits)
            return qe.TurboQuantQuantizationConfig(turbo.always_ram, bits, member(qe.Memory, turbo.memory))
