"""octant as a document store of Haystack."""

from haystack_integrations.document_stores.octant.store import OctantDocumentStore

__all__ = ["OctantDocumentStore"]
