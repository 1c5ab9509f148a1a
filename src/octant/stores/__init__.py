"""Where points live: an embedded Qdrant Edge database, or a Qdrant server, behind the methods of QdrantClient.

`open_store` and `open_async_store` choose; everything above them sees only the protocols `Client` and `AsyncClient`.
"""

from __future__ import annotations

from octant.stores.async_client import AsyncClient
from octant.stores.client import Client
from octant.stores.opening import Indexing, OctantWarning, open_async_store, open_store, wait_for_index
from octant.stores.place import Place
from octant.stores.shared import share, share_async

__all__ = [
    "AsyncClient",
    "Client",
    "Indexing",
    "OctantWarning",
    "Place",
    "open_async_store",
    "open_store",
    "share",
    "share_async",
    "wait_for_index",
]
