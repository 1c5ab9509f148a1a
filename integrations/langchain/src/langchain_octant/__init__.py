"""Octant in LangChain: a vector store, and retrievers that carry images and sounds to the model.

    from langchain_octant import OctantRetriever
    import octant
    retriever = OctantRetriever(collection=octant.open("mine"), into="image", k=3)
    retriever.invoke("a dog on a beach")

Names are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_octant.blocks import (
        cited_documents,
        cited_ids,
        documents_of,
        has_words,
        media_in,
        media_of,
        readable_in,
        to_content_blocks,
    )
    from langchain_octant.documents import document_of, document_of_hit, item_of
    from langchain_octant.embeddings import EmbeddingsEncoder, OctantEmbeddings
    from langchain_octant.langchain_qdrant import LangChainQdrantStore
    from langchain_octant.parents import OctantParentRetriever, family
    from langchain_octant.reranker import OctantReranker
    from langchain_octant.retriever import OctantMultimodalRetriever, OctantRetriever, QueryInput
    from langchain_octant.selfquery import OctantTranslator
    from langchain_octant.vectorstore import OctantVectorStore, schema_of

_HOMES = {
    "blocks": (
        "cited_documents",
        "cited_ids",
        "documents_of",
        "has_words",
        "media_in",
        "media_of",
        "readable_in",
        "to_content_blocks",
    ),
    "documents": ("document_of", "document_of_hit", "item_of"),
    "embeddings": ("EmbeddingsEncoder", "OctantEmbeddings"),
    "langchain_qdrant": ("LangChainQdrantStore",),
    "parents": ("OctantParentRetriever", "family"),
    "reranker": ("OctantReranker",),
    "retriever": ("OctantMultimodalRetriever", "OctantRetriever", "QueryInput"),
    "selfquery": ("OctantTranslator",),
    "vectorstore": ("OctantVectorStore", "schema_of"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "EmbeddingsEncoder",
    "LangChainQdrantStore",
    "OctantEmbeddings",
    "OctantMultimodalRetriever",
    "OctantParentRetriever",
    "OctantReranker",
    "OctantRetriever",
    "OctantTranslator",
    "OctantVectorStore",
    "QueryInput",
    "cited_documents",
    "cited_ids",
    "document_of",
    "document_of_hit",
    "documents_of",
    "family",
    "has_words",
    "item_of",
    "media_in",
    "media_of",
    "readable_in",
    "schema_of",
    "to_content_blocks",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'langchain_octant' has no attribute {name!r}")
    value = getattr(import_module(f"langchain_octant.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
