"""Documents reranked by octant's rerankers: by their texts, their pictures and their sounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import ConfigDict, Field, field_validator

from langchain_octant.blocks import has_words, readable_in
from langchain_octant.documents import score_of
from octant import Audio, Composed, Explanation, Hit, Image, Item, LateInteraction, Media, Mmr, Query, Stage, Text, rank

__all__ = ["OctantReranker"]


class OctantReranker(BaseDocumentCompressor):
    """Judge documents again by what is asked, and put the best first.

        reranker = OctantReranker(rerank=CrossEncoder("cross-encoder/ms-marco-MiniLM-L6-v2"), top_n=3)
        best = reranker.compress_documents(documents, "a red shoe")

    `rerank` is a reranker of octant's, a `Stage` (with its candidates and its deadline), or several, one after the
    other. A document is judged by its text and, where `roots` allow, by the pictures and sounds that
    `metadata["octant"]["media"]` names. `Boost` sees the metadata as payload, and `metadata["score"]` as the score: 0
    where there is none.

    A document that was judged has the new score in `metadata["octant"]["score"]` and, unless that is a key of its own,
    `metadata["score"]`; and what was there in `metadata["octant"]["earlier_score"]`. One that could not be judged
    stands below these, and keeps its score. What came too late, could not be judged or may not be read is said in
    `metadata["octant"]["notes"]`. The documents that are given are not changed.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", frozen=True)

    rerank: Any
    """A reranker, a stage, or several of these in their order; kept as a tuple. A reranker that has no stage of its own
    looks at all documents."""
    top_n: int | None = Field(default=None, ge=1)
    """How many documents come back; None = all."""
    roots: tuple[Path, ...] = ()
    """Folders that pictures and sounds may be read from; none = documents are judged by their texts."""

    @field_validator("rerank", mode="before")
    @classmethod
    def _several(cls, given: Any) -> tuple[Any, ...]:
        several = tuple(cast("Sequence[Any]", given)) if isinstance(given, list | tuple) else (given,)
        if not several:
            raise ValueError("give at least one reranker, such as octant.ByFunction(function)")
        for one in several:
            stage = one if isinstance(one, Stage) else Stage(one)
            if isinstance(stage.reranker, Mmr | LateInteraction):
                raise ValueError(
                    f"{stage.reranker.name} compares stored vectors, which documents do not hold: "
                    "give it to the retriever, which searches with it"
                )
        return several

    def compress_documents(
        self,
        documents: Sequence[Document],
        query: str | Text | Image | Audio | Composed,
        callbacks: Callbacks | None = None,
    ) -> Sequence[Document]:
        """Rerank documents by a text; or, called directly, by an image, a sound, or several composed.

        RerankError where a reranker fails.
        """
        del callbacks  # nothing in here is a run of its own
        taken = [self._hit(document) for document in documents]
        by_item = {id(hit.item): (document, left) for (hit, left), document in zip(taken, documents, strict=True)}
        stages = [one if isinstance(one, Stage) else Stage(one, max(1, len(taken))) for one in self.rerank]
        asked = Query(Text(query) if isinstance(query, str) else query, limit=max(1, len(taken)), explain=True)
        ranked, noted = rank(asked, [hit for hit, _ in taken], stages)
        notes = [f"{one.name}: {one.note}" for one in noted if one.note]
        return [_judged(hit, *by_item[id(hit.item)], notes) for hit in ranked[: self.top_n]]

    def _hit(self, document: Document) -> tuple[Hit, list[str]]:
        """A document as rerankers see hits, and what of its media they do not see."""
        media: dict[str, Media] = {}
        if has_words(document) and document.page_content.strip():
            media["page_content"] = Text(document.page_content)
        found, left = readable_in(document, self.roots) if self.roots else ({}, [])
        metadata = {key: value for key, value in document.metadata.items() if key != "octant"}
        score = score_of(document.metadata)
        if not _has_own_score(document):
            metadata.pop("score", None)
        known = float(score) if isinstance(score, int | float) else 0.0
        item = Item(document.id or document.page_content or "?", {**media, **found}, metadata)
        return Hit(item, known, metadata, Explanation(known, ())), left


def _has_own_score(document: Document) -> bool:
    """Whether metadata["score"] is the document's own, and no answer's."""
    given: Any = document.metadata.get("octant")
    return isinstance(given, Mapping) and bool(cast("Mapping[str, Any]", given).get("own_score"))


def _judged(hit: Hit, document: Document, left: Sequence[str], notes: Sequence[str]) -> Document:
    """The document as it comes back: its scores, and what is to be said."""
    given: Any = document.metadata.get("octant")
    own: dict[str, Any] = dict(cast("Mapping[str, Any]", given)) if isinstance(given, Mapping) else {}
    own.pop("earlier_score", None)
    metadata = dict(document.metadata)
    if hit.explanation is not None and any(stage.score is not None for stage in hit.explanation.stages):
        if (before := score_of(metadata)) is not None:
            own["earlier_score"] = before
        own["score"] = hit.score
        if not _has_own_score(document):
            metadata["score"] = hit.score
    if said := [*notes, *left]:
        own["notes"] = said
    if own:
        metadata["octant"] = own
    return Document(id=document.id, page_content=document.page_content, metadata=metadata)
