"""How items become Qdrant points and points become hits again."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from qdrant_client.http import models

from octant.encoder import Role
from octant.errors import ItemError, MediaError
from octant.item import Hit, Item
from octant.media import Media, Modality, Text
from octant.payload import MODALITIES, item_from_payload, point_id
from octant.space import Space
from octant.vectors import Kind, Sparse, Vector

__all__ = ["Field", "Prepared", "QdrantVector", "Schema", "to_qdrant"]

QdrantVector = list[float] | list[list[float]] | models.SparseVector


def to_qdrant(vector: Vector) -> QdrantVector:
    """Turn a vector into what Qdrant's models take."""
    if isinstance(vector, Sparse):
        return models.SparseVector(indices=list(vector.indices), values=list(vector.values))
    return cast("list[float] | list[list[float]]", vector.tolist())


@dataclass(frozen=True, slots=True)
class Field:
    """A named vector of the collection: one medium of every item, in one space."""

    name: str
    space: Space
    modality: Modality
    """Which media it embeds."""
    answers: frozenset[Modality] = frozenset(Modality)
    """Which queries it answers: photos may be found by texts in this space, and by photos in a better one."""
    of: str | None = None
    """The medium's name; None takes the item's only medium of that modality, or all its texts as one."""
    floors: Mapping[Modality, float] = field(default_factory=dict[Modality, float])
    """By the modality of a query: what is less similar has no part in a fusion with other fields."""

    def __post_init__(self) -> None:
        self.space.identity(self.modality)  # raises UnsupportedModality now, not at the first item
        object.__setattr__(self, "answers", self.answers & self.space.modalities)

    def pick(self, item: Item) -> Media | None:
        """The item's medium that this field embeds, None where it has none; ItemError where the choice is open."""
        fitting = {name: medium for name, medium in item.media.items() if medium.modality is self.modality}
        if self.of is not None:
            return fitting.get(self.of)
        if len(fitting) > 1 and self.modality is Modality.TEXT:
            return Text("\n\n".join(text.content for text in fitting.values() if isinstance(text, Text)))
        if len(fitting) > 1:
            raise ItemError(
                item.id,
                f"it has {len(fitting)} media of modality {self.modality} ({', '.join(fitting)}) and field "
                f"{self.name!r} holds one; add them as items of their own, "
                "or use a schema whose fields name them (Field(of=...))",
            )
        return next(iter(fitting.values()), None)


@dataclass(frozen=True, slots=True)
class Prepared:
    """An item that has been looked at, with the payload of its point."""

    item: Item
    payload: dict[str, Any]


class Schema:
    """The fields of a collection, and the payload keys that are indexed for filters."""

    def __init__(self, *fields: Field, indexed: Mapping[str, models.PayloadSchemaType] | None = None) -> None:
        if len({f.name for f in fields}) != len(fields) or not fields:
            raise ValueError(f"a schema needs fields of different names, not {[f.name for f in fields]}")
        self.fields: Mapping[str, Field] = {f.name: f for f in fields}
        self._indexed = dict(indexed or {})

    def check(self, item: Item) -> None:
        """Raise ItemError where no field takes any of the item's media, or the choice is open."""
        if not [field for field in self.fields.values() if field.pick(item) is not None]:
            has = ", ".join(f"{name} ({medium.modality})" for name, medium in item.media.items()) or "no media"
            wanted = ", ".join(
                sorted({str(f.modality) + (f" named {f.of!r}" if f.of else "") for f in self.fields.values()})
            )
            raise ItemError(item.id, f"it has {has} and this collection's fields take {wanted}")

    def points(self, batch: Sequence[Prepared]) -> list[models.PointStruct]:
        """Encode items and lay them out as points; each field is encoded in one batch.

        Raises an ExceptionGroup of ItemError, one for each item with a medium that cannot be encoded.
        """
        vectors: list[dict[str, QdrantVector]] = [{} for _ in batch]
        for f in self.fields.values():
            picked = [(i, medium) for i, one in enumerate(batch) if (medium := f.pick(one.item)) is not None]
            with _items_named([(batch[i].item, medium) for i, medium in picked]):
                encoded = f.space.encode([medium for _, medium in picked], f.modality, Role.DOCUMENT)
            for (i, _), vector in zip(picked, encoded, strict=True):
                _require_finite(vector, batch[i].item, f)
                vectors[i][f.name] = to_qdrant(vector)
        return [
            models.PointStruct(
                id=point_id(one.item.id),
                vector=cast("dict[str, Any]", vector),
                payload=one.payload,
            )
            for one, vector in zip(batch, vectors, strict=True)
        ]

    def hit(self, point: models.ScoredPoint) -> Hit:
        payload = point.payload or {}
        return Hit(item_from_payload(payload, str(point.id)), point.score, payload)

    def dense_config(self) -> dict[str, models.VectorParams]:
        maxsim = models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)
        return {
            f.name: models.VectorParams(
                size=f.space.dim,
                distance=f.space.distance,
                multivector_config=maxsim if f.space.kind is Kind.MULTI else None,
            )
            for f in self.fields.values()
            if f.space.dim is not None
        }

    def sparse_config(self) -> dict[str, models.SparseVectorParams]:
        idf = models.SparseVectorParams(modifier=models.Modifier.IDF)
        return {f.name: idf for f in self.fields.values() if f.space.kind is Kind.SPARSE}

    def payload_indexes(self) -> dict[str, models.PayloadSchemaType]:
        return {MODALITIES: models.PayloadSchemaType.KEYWORD, **self._indexed}

    def metadata(self) -> dict[str, Any]:
        """Describe the schema as plain data: it is stored with the collection, so that another model is refused."""
        return {"octant": {"version": 1, "fields": {name: _identity(f) for name, f in self.fields.items()}}}

    def differences(self, stored: Mapping[str, Any] | None) -> list[str]:
        """Say why this schema may not be used with a collection of that metadata; empty where it fits."""
        if not stored or "octant" not in stored:
            return ["it was not made by octant: its metadata has no schema"]
        theirs: Mapping[str, Mapping[str, Any]] = stored["octant"]["fields"]
        ours: Mapping[str, Mapping[str, Any]] = self.metadata()["octant"]["fields"]
        missing = [f"field {name!r} is not stored" for name in ours if name not in theirs]
        extra = [f"field {name!r} is stored and not in this schema" for name in theirs if name not in ours]
        both = [(name, theirs[name], ours[name]) for name in ours if name in theirs]
        models_of = [
            f"the {modality} encoder of space {mine['space']!r} was {was!r}, is {now!r}"
            for _, old, mine in both
            for modality, now in mine["encoders"].items()
            if (was := old["encoders"].get(modality)) != now
        ]
        changed = [
            f"field {name!r}: {key} was {old.get(key)!r}, is {value!r}"
            for name, old, mine in both
            for key, value in mine.items()
            if key != "encoders" and old.get(key) != value
        ]
        return list(dict.fromkeys([*missing, *extra, *models_of, *changed]))


@contextmanager
def _items_named(picked: Sequence[tuple[Item, Media]]) -> Generator[None]:
    """Turn what an encoder says of media into errors of the items that they belong to."""
    try:
        yield
    except (MediaError, ExceptionGroup) as error:
        inner = cast("tuple[Exception, ...]", error.exceptions) if isinstance(error, ExceptionGroup) else (error,)  # pyright: ignore[reportUnknownMemberType]
        named = [
            ItemError(item.id, one.reason)
            for one in inner
            if isinstance(one, MediaError)
            for item, medium in picked
            if one.media is medium
        ]
        if len(named) < len(inner):
            raise
        raise ExceptionGroup(f"{len(named)} items cannot be encoded", named) from error


def _require_finite(vector: Vector, item: Item, field: Field) -> None:
    values = vector.values if isinstance(vector, Sparse) else vector
    if not np.isfinite(values).all():
        encoder = field.space.identity(field.modality)
        raise ItemError(item.id, f"its vector for field {field.name!r} is not finite; {encoder} fails on this medium")


def _identity(field: Field) -> dict[str, Any]:
    return {
        "space": field.space.name,
        "modality": field.modality.value,
        "of": field.of,
        "answers": [modality.value for modality in sorted(field.answers)],
        "kind": field.space.kind.value,
        "dim": field.space.dim,
        "distance": field.space.distance.value,
        "encoders": {m.value: field.space.identity(m) for m in sorted({field.modality, *field.answers})},
    }
