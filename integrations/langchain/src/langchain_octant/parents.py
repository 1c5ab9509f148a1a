"""Families: what is found by its parts, its summaries or its photos, and comes back whole."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from langchain_core.documents import Document
from pydantic import Field

from langchain_octant.blocks import media_in
from langchain_octant.documents import OCTANT, document_of_hit, item_of, with_score
from langchain_octant.reading import aby_ids, by_ids, require_words
from langchain_octant.retriever import Asked, OctantRetriever
from langchain_octant.vectorstore import embedded
from octant import Hit, Hits, Item, Origin, Query

__all__ = ["OctantParentRetriever", "family"]


class OctantParentRetriever(OctantRetriever):
    """Find families by whichever of their members is nearest, and return each once: its original.

        collection.add(family(report, chunks_of(report)))
        retriever = OctantParentRetriever(collection=collection, k=4)

    Originals and children are items of one collection, side by side; there is no second store. Of a family in which
    nobody is the original (a file that octant cut into chunks), the best member comes back in its place, and
    `metadata["octant"]["parent"]` says what it is of. `metadata["score"]` is the score of the best member, and
    `metadata["octant"]["children"]` names the best ones, with their scores. Filters are asked of the members,
    and of the originals too: one that does not match is not read, and the best member comes back in its place.
    """

    parent_key: str = "octant.source"
    """The payload key that members have in common, and that holds the original's id. By default what octant notes
    itself: for `family` the original's id, for pieces of a file its URI. Items without the key are not found."""
    children: int = Field(default=1, ge=1)
    """How many of a family's best members are named."""

    def _query(self, asked: Asked | Query, k: int | None, filter: Any) -> Query:
        return replace(super()._query(asked, k, filter), group_by=self.parent_key, group_size=self.children)

    def _find(self, query: Query) -> list[Document]:
        if self.collection is None:
            return super()._find(query)  # which says what is missing
        require_words(query)
        found = self.collection.search(query)
        return _originals(found, by_ids(self.collection, _keys(found), query.where))

    async def _afind(self, query: Query) -> list[Document]:
        require_words(query)
        query = await embedded(query, self._schema)
        if self.async_collection is None:
            return await asyncio.to_thread(self._find, query)
        found = await self.async_collection.search(query)
        return _originals(found, await aby_ids(self.async_collection, _keys(found), query.where))


def family(original: Document | Item, children: Sequence[Document | Item], *, roots: Sequence[Path] = ()) -> list[Item]:
    """Make an original and its children (chunks, summaries, photos) the items of one family, to be added together.

    A child without an id is called after the original: `report#1`. Children have the original's metadata beside their
    own, so that filters find both. To octant a family is one source: adding it again with other children removes the
    old ones, and deleting the original deletes them all. Where a document names pictures or sounds in
    `metadata["octant"]["media"]`, these are read only if they lie under `roots`; an `Item` holds what you gave it.

    ValueError for an original without an id, and for two members of one id; MediaError for a file outside the roots.
    """
    first = _item(original, None, roots)
    items = [first, *(_item(child, f"{first.id}#{at}", roots) for at, child in enumerate(children, start=1))]
    ids = [item.id for item in items]
    if twice := [one for one in ids if ids.count(one) > 1]:
        raise ValueError(f"two members of family {first.id!r} have the id {twice[0]!r}; give each its own, or none")
    return [
        replace(item, metadata={**first.metadata, **item.metadata}, origin=Origin(first.id, None, at, len(items)))
        for at, item in enumerate(items)
    ]


def _item(member: Document | Item, otherwise: str | None, roots: Sequence[Path]) -> Item:
    if isinstance(member, Item):
        return member
    id = member.id or otherwise
    if not id:
        raise ValueError(f"the original has no id: {member.page_content[:60]!r}; give it one, Document(id=...)")
    media_in(member, roots)  # metadata may come from anywhere, and name any file
    return item_of(member, id)


def _keys(found: Hits) -> list[str]:
    return [str(group.key) for group in found.groups]


def _originals(found: Hits, originals: Sequence[Document]) -> list[Document]:
    by_id = {str(one.id): one for one in originals}
    return [_original(str(group.key), group.hits, by_id) for group in found.groups]


def _original(key: str, hits: Sequence[Hit], originals: Mapping[str, Document]) -> Document:
    best = hits[0]
    document = originals[key] if key in originals else document_of_hit(best)
    metadata = with_score(document.metadata, float(best.score))
    if key not in originals:
        metadata[OCTANT]["parent"] = key
    metadata[OCTANT]["children"] = [{"id": hit.id, "score": float(hit.score)} for hit in hits]
    return Document(id=document.id, page_content=document.page_content, metadata=metadata)
