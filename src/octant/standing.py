"""What stands in a collection already: asked in groups, and as little of it as the question needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, cast

from qdrant_client import models

from octant.payload import CONTENT, MADE, SOURCE, Standing, point_id, standing_of

__all__ = ["Found", "Points", "Stored"]

_PAGE = 1000
_MADE = models.PayloadSelectorInclude(include=list(MADE))


class Points(Protocol):
    """What an ingest needs of a client: a `QdrantClient` has it, and so has the embedded store."""

    def upsert(self, collection_name: str, points: Any, *, wait: bool = True) -> Any: ...

    def delete(self, collection_name: str, points_selector: Any, *, wait: bool = True) -> Any: ...

    def retrieve(
        self, collection_name: str, ids: Any, with_payload: Any = True, with_vectors: Any = False
    ) -> list[models.Record]: ...

    def scroll(
        self,
        collection_name: str,
        scroll_filter: models.Filter | None = None,
        limit: int = 10,
        order_by: Any = None,
        offset: Any = None,
        with_payload: Any = True,
        with_vectors: Any = False,
    ) -> tuple[list[models.Record], Any]: ...

    def count(
        self, collection_name: str, count_filter: models.Filter | None = None, exact: bool = True
    ) -> models.CountResult: ...


@dataclass(frozen=True, slots=True)
class Found:
    """A stored point: what it says of how it was made, its payload and, where asked for, its vectors."""

    standing: Standing
    payload: Mapping[str, Any]
    vectors: dict[str, Any] | None


class Stored:
    """The points of a collection, as an ingest sees them."""

    def __init__(self, client: Points, name: str) -> None:
        self._client = client
        self._name = name

    def is_empty(self) -> bool:
        return self._client.count(self._name, exact=True).count == 0

    def items(self, ids: Sequence[str], *, vectors: bool = False) -> dict[str, Found]:
        """The items of these ids that are there, and that an ingest can compare with."""
        records = self._client.retrieve(self._name, [point_id(one) for one in ids], True, vectors)
        found = [one for record in records if (one := _found(record)) is not None]
        return {one.standing.id: one for one in found}

    def alike(self, contents: Sequence[str], model: str) -> dict[str, Found]:
        """One item for each content that is there under any id, with its vectors."""
        if not contents:
            return {}
        narrow = _any_of(CONTENT, contents)
        found: dict[str, str] = {}
        # no more than some of each are looked at: what has a thousand copies is encoded once more at worst
        for record in islice(self._pages(narrow, _MADE), _PAGE + 4 * len(contents)):
            standing = standing_of(record.payload or {})
            if standing is not None and standing.model == model:
                found.setdefault(standing.content, standing.id)
            if len(found) == len(contents):
                break
        vectors = self.items(list(found.values()), vectors=True)
        # between the two questions the writer may have given an item other content: its vectors are of that then
        return {
            content: there
            for content, name in found.items()
            if (there := vectors.get(name)) and (there.standing.content, there.standing.model) == (content, model)
        }

    def of_sources(self, sources: Sequence[str]) -> dict[str, list[Standing]]:
        """How the items of these sources were made, by source; sources that have none are left out."""
        found: dict[str, list[Standing]] = {}
        if sources:
            for standing in self._standings(_any_of(SOURCE, sources)):
                found.setdefault(standing.source, []).append(standing)
        return found

    def everything(self) -> Iterator[Standing]:
        """How every item was made, page by page."""
        return self._standings(None)

    def write(self, points: list[models.PointStruct]) -> None:
        """Store points, durably, before this returns."""
        self._client.upsert(self._name, points, wait=True)

    def remove(self, ids: Iterable[str]) -> None:
        """Delete items by their ids."""
        listed = [point_id(one) for one in ids]
        for start in range(0, len(listed), _PAGE):
            part = cast("list[models.ExtendedPointId]", listed[start : start + _PAGE])
            self._client.delete(self._name, models.PointIdsList(points=part), wait=True)

    def _standings(self, narrow: models.Filter | None) -> Iterator[Standing]:
        for record in self._pages(narrow, _MADE):
            if (standing := standing_of(record.payload or {})) is not None:
                yield standing

    def _pages(self, narrow: models.Filter | None, payload: Any) -> Iterator[models.Record]:
        offset: Any = None
        while True:
            records, offset = self._client.scroll(
                self._name, narrow, limit=_PAGE, offset=offset, with_payload=payload, with_vectors=False
            )
            yield from records
            if offset is None:
                return


def _found(record: models.Record) -> Found | None:
    standing = standing_of(record.payload or {})
    vectors = cast("dict[str, Any] | None", record.vector)
    return None if standing is None else Found(standing, record.payload or {}, vectors)


def _any_of(key: str, values: Sequence[str]) -> models.Filter:
    return models.Filter(must=[models.FieldCondition(key=key, match=models.MatchAny(any=list(values)))])
