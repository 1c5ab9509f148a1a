"""octant for LlamaIndex: a vector store, a retriever for texts, images and sounds, and octant's own embeddings."""

from llama_index.vector_stores.octant.embedding import OctantEmbedding
from llama_index.vector_stores.octant.retriever import OctantRetriever
from llama_index.vector_stores.octant.schema import embedding_schema
from llama_index.vector_stores.octant.store import OctantVectorStore

__all__ = ["OctantEmbedding", "OctantRetriever", "OctantVectorStore", "embedding_schema"]
