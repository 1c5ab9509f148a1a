"""From sources to items: whatever a user may add, looked at just enough to know what it is."""

from octant.adapters.sources import Source, arrivals

__all__ = ["Source", "arrivals"]
