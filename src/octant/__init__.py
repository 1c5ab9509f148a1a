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
    from octant.collection import AsyncCollection, Collection, FieldInfo, Info
    from octant.config import open, open_async, starter
    from octant.encoder import Encoder, EncoderSpec, Role
    from octant.errors import (
        ItemError,
        MediaError,
        MissingExtra,
        OctantError,
        SchemaMismatch,
        StoreError,
        StoreLocked,
        UnsupportedModality,
        WeightsError,
    )
    from octant.ingest import Progress, Report
    from octant.item import Hit, Item, Skipped
    from octant.media import Audio, Image, Limits, Media, Modality, Text
    from octant.query import Query
    from octant.schema import Field, Schema
    from octant.show import Hits
    from octant.space import Space
    from octant.vectors import Kind, Sparse

_HOMES = {
    "collection": ("AsyncCollection", "Collection", "FieldInfo", "Info"),
    "config": ("open", "open_async", "starter"),
    "encoder": ("Encoder", "EncoderSpec", "Role"),
    "errors": (
        "ItemError",
        "MediaError",
        "MissingExtra",
        "OctantError",
        "SchemaMismatch",
        "StoreError",
        "StoreLocked",
        "UnsupportedModality",
        "WeightsError",
    ),
    "ingest": ("Progress", "Report"),
    "item": ("Hit", "Item", "Skipped"),
    "media": ("Audio", "Image", "Limits", "Media", "Modality", "Text"),
    "query": ("Query",),
    "schema": ("Field", "Schema"),
    "show": ("Hits",),
    "space": ("Space",),
    "vectors": ("Kind", "Sparse"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AsyncCollection",
    "Audio",
    "Collection",
    "Encoder",
    "EncoderSpec",
    "Field",
    "FieldInfo",
    "Hit",
    "Hits",
    "Image",
    "Info",
    "Item",
    "ItemError",
    "Kind",
    "Limits",
    "Media",
    "MediaError",
    "MissingExtra",
    "Modality",
    "OctantError",
    "Progress",
    "Query",
    "Report",
    "Role",
    "Schema",
    "SchemaMismatch",
    "Skipped",
    "Space",
    "Sparse",
    "StoreError",
    "StoreLocked",
    "Text",
    "UnsupportedModality",
    "WeightsError",
    "open",
    "open_async",
    "starter",
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
