"""Find photos and sounds of a folder in a Haystack pipeline: python photos.py FOLDER "a text" [PHOTO]"""

from __future__ import annotations

import sys
from pathlib import Path

from haystack import Document, Pipeline
from haystack.components.writers import DocumentWriter
from haystack.dataclasses import ByteStream
from haystack.document_stores.types import DuplicatePolicy
from haystack_integrations.components.retrievers.octant import OctantRetriever
from haystack_integrations.document_stores.octant import OctantDocumentStore

import octant

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".wav", ".flac", ".mp3", ".ogg"}


def index(store: OctantDocumentStore, folder: Path) -> int:
    """Write a document for each photo and sound of the folder; what stands already is not read again."""
    pipeline = Pipeline()
    pipeline.add_component("writer", DocumentWriter(store, policy=DuplicatePolicy.OVERWRITE))
    named = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES]
    documents = [Document(id=str(name), meta={"file_path": str(name)}) for name in named]
    return int(pipeline.run({"writer": {"documents": documents}})["writer"]["documents_written"])


def find(store: OctantDocumentStore, text: str, photo: Path | None = None) -> list[Document]:
    """Find what is most like the text, and like the photo if there is one."""
    pipeline = Pipeline()
    pipeline.add_component("retriever", OctantRetriever(store, top_k=3))
    # as bytes: it may lie outside the folder, under which alone the store reads files by their path
    asked = {"query": text or None, "image": None if photo is None else ByteStream.from_file_path(photo)}
    documents: list[Document] = pipeline.run({"retriever": asked})["retriever"]["documents"]
    return documents


def main(folder: Path, text: str, photo: Path | None = None) -> None:
    store = OctantDocumentStore("photos", schema=octant.starter, root_path=str(folder))
    print(f"{index(store, folder)} documents")
    for document in find(store, text, photo):
        print(f"{document.score:.3f}  {document.meta['file_path']}")
    store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], *map(Path, sys.argv[3:4]))
