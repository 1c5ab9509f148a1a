"""Ask a folder of pictures, sounds and notes: python folder.py FOLDER "a question" [PICTURE]

Prints what was found; with an LLM set as `llama_index.core.Settings.llm`, `answer` lets it answer from that.
"""

from __future__ import annotations

import sys
from pathlib import Path

from llama_index.core import QueryBundle
from llama_index.core.llms.llm import LLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import NodeWithScore
from llama_index.vector_stores.octant import OctantRetriever

import octant


def find(collection: octant.Collection, question: str, picture: Path | None = None) -> list[NodeWithScore]:
    """Find what is most like the question, and like the picture if there is one."""
    asked = QueryBundle(question, image_path=None if picture is None else str(picture))
    roots = [] if picture is None else [picture.parent]
    return OctantRetriever(collection, similarity_top_k=3, roots=roots).retrieve(asked)


def answer(collection: octant.Collection, question: str, llm: LLM) -> str:
    """Let a model answer from the texts that are found."""
    engine = RetrieverQueryEngine.from_args(OctantRetriever(collection, into=["text"]), llm=llm)
    return str(engine.query(question))


def main(folder: Path, question: str, picture: Path | None = None) -> None:
    with octant.open("folder") as collection:
        print(collection.add(folder))
        for found in find(collection, question, picture):
            print(f"{found.score:.3f}  {found.node.metadata['name']}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], *map(Path, sys.argv[3:4]))
