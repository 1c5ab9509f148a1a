"""From sources to items: whatever a user may add, and the adapters that read files."""

from octant.adapters.adapter import Adapter, File, Piece
from octant.adapters.sources import Reading, Source, arrivals, scopes

__all__ = ["Adapter", "File", "Piece", "Reading", "Source", "arrivals", "scopes"]
