"""Multimodal search on Qdrant: text, images and audio in shared embedding spaces.

    import octant
    collection = octant.open("mine")
    collection.add(Path("~/Pictures").expanduser())
    for hit in collection.search("a dog barking", into="audio"):
        print(hit.score, hit.id, hit.payload)

Names are loaded when they are first used, so that importing octant costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from octant.adapters import Adapter, File, Piece, Reading
    from octant.adapters.audio import AudioAdapter
    from octant.adapters.image import ImageAdapter
    from octant.adapters.pdf import PdfAdapter
    from octant.adapters.remote import Remote
    from octant.adapters.shards import Shards
    from octant.adapters.tables import Table
    from octant.adapters.text import HtmlAdapter, MarkdownAdapter, TextAdapter
    from octant.adapters.video import VideoAdapter
    from octant.cache import VectorCache
    from octant.cached import Cached
    from octant.collection import AsyncCollection, Collection, FieldInfo, Info
    from octant.config import encoder, open, open_async, starter
    from octant.encoding import Budget, Encoder, EncoderSpec, Role
    from octant.errors import (
        EncoderError,
        FilterError,
        ItemError,
        MediaError,
        MissingExtra,
        OctantError,
        RerankError,
        SchemaMismatch,
        ServiceError,
        StoreError,
        StoreLocked,
        TooManyDeletions,
        UnsupportedModality,
        WeightsError,
    )
    from octant.family import Family, Known, Options, families
    from octant.filters import F, filter_of, has_vector, ids
    from octant.fusion import DBSF, RRF, Calibrated, RelativeScore, ZScore
    from octant.item import Explanation, Hit, Item, LegScore, Origin, Skipped
    from octant.lexical import TextIndex
    from octant.media import (
        Audio,
        Frame,
        Image,
        Limits,
        Media,
        Modality,
        Page,
        Region,
        Span,
        Text,
        decode_audio,
        decode_image,
    )
    from octant.payload import text_key
    from octant.plan import Plan
    from octant.query import ById, ByVector, Composed, Discover, Part, Query, Recommend
    from octant.report import Progress, Report
    from octant.rerank import Boost, ByFunction, InSpace, LateInteraction, Mmr, Stage, StageNote, rank
    from octant.schema import Field, Schema, Several
    from octant.show import Hits
    from octant.space import Space
    from octant.vectors import Kind, Sparse

_HOMES = {
    "adapters": ("Adapter", "File", "Piece", "Reading"),
    "adapters.audio": ("AudioAdapter",),
    "adapters.image": ("ImageAdapter",),
    "adapters.pdf": ("PdfAdapter",),
    "adapters.remote": ("Remote",),
    "adapters.shards": ("Shards",),
    "adapters.tables": ("Table",),
    "adapters.text": ("HtmlAdapter", "MarkdownAdapter", "TextAdapter"),
    "adapters.video": ("VideoAdapter",),
    "cache": ("VectorCache",),
    "cached": ("Cached",),
    "collection": ("AsyncCollection", "Collection", "FieldInfo", "Info"),
    "config": ("encoder", "open", "open_async", "starter"),
    "encoding": ("Budget", "Encoder", "EncoderSpec", "Role"),
    "errors": (
        "EncoderError",
        "FilterError",
        "ItemError",
        "MediaError",
        "MissingExtra",
        "OctantError",
        "RerankError",
        "SchemaMismatch",
        "ServiceError",
        "StoreError",
        "StoreLocked",
        "TooManyDeletions",
        "UnsupportedModality",
        "WeightsError",
    ),
    "family": ("Family", "Known", "Options", "families"),
    "filters": ("F", "filter_of", "has_vector", "ids"),
    "fusion": ("DBSF", "RRF", "Calibrated", "RelativeScore", "ZScore"),
    "item": ("Explanation", "Hit", "Item", "LegScore", "Origin", "Skipped"),
    "lexical": ("TextIndex",),
    "media": (
        "Audio",
        "Frame",
        "Image",
        "Limits",
        "Media",
        "Modality",
        "Page",
        "Region",
        "Span",
        "Text",
        "decode_audio",
        "decode_image",
    ),
    "payload": ("text_key",),
    "plan": ("Plan",),
    "query": ("ById", "ByVector", "Composed", "Discover", "Part", "Query", "Recommend"),
    "report": ("Progress", "Report"),
    "rerank": ("Boost", "ByFunction", "InSpace", "LateInteraction", "Mmr", "Stage", "StageNote", "rank"),
    "schema": ("Field", "Schema", "Several"),
    "show": ("Hits",),
    "space": ("Space",),
    "vectors": ("Kind", "Sparse"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "DBSF",
    "RRF",
    "Adapter",
    "AsyncCollection",
    "Audio",
    "AudioAdapter",
    "Boost",
    "Budget",
    "ByFunction",
    "ById",
    "ByVector",
    "Cached",
    "Calibrated",
    "Collection",
    "Composed",
    "Discover",
    "Encoder",
    "EncoderError",
    "EncoderSpec",
    "Explanation",
    "F",
    "Family",
    "Field",
    "FieldInfo",
    "File",
    "FilterError",
    "Frame",
    "Hit",
    "Hits",
    "HtmlAdapter",
    "Image",
    "ImageAdapter",
    "InSpace",
    "Info",
    "Item",
    "ItemError",
    "Kind",
    "Known",
    "LateInteraction",
    "LegScore",
    "Limits",
    "MarkdownAdapter",
    "Media",
    "MediaError",
    "MissingExtra",
    "Mmr",
    "Modality",
    "OctantError",
    "Options",
    "Origin",
    "Page",
    "Part",
    "PdfAdapter",
    "Piece",
    "Plan",
    "Progress",
    "Query",
    "Reading",
    "Recommend",
    "Region",
    "RelativeScore",
    "Remote",
    "Report",
    "RerankError",
    "Role",
    "Schema",
    "SchemaMismatch",
    "ServiceError",
    "Several",
    "Shards",
    "Skipped",
    "Space",
    "Span",
    "Sparse",
    "Stage",
    "StageNote",
    "StoreError",
    "StoreLocked",
    "Table",
    "Text",
    "TextAdapter",
    "TextIndex",
    "TooManyDeletions",
    "UnsupportedModality",
    "VectorCache",
    "VideoAdapter",
    "WeightsError",
    "ZScore",
    "decode_audio",
    "decode_image",
    "encoder",
    "families",
    "filter_of",
    "has_vector",
    "ids",
    "open",
    "open_async",
    "rank",
    "starter",
    "text_key",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'octant' has no attribute {name!r}")
    value = getattr(import_module(f"octant.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
