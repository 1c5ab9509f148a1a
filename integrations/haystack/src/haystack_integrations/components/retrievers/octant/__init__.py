"""Retrievers over an OctantDocumentStore: by embedding, and by text, image or sound."""

from haystack_integrations.components.retrievers.octant.embedding_retriever import OctantEmbeddingRetriever
from haystack_integrations.components.retrievers.octant.retriever import OctantRetriever

__all__ = ["OctantEmbeddingRetriever", "OctantRetriever"]
