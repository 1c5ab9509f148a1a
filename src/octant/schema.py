"""How items become Qdrant points and points become hits again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from numbers import Integral, Real
from typing import Any, Protocol, cast

import numpy as np
from qdrant_client.http import models
from qdrant_client.local.payload_value_extractor import value_by_key

from octant.encoding import Budget, Role
from octant.errors import ItemError, MediaError
from octant.item import Hit, Item, Origin
from octant.lexical import TextIndex
from octant.media import Media, Modality, Text, fingerprint
from octant.payload import CONTENT, MODALITIES, SOURCE, brought_of, item_from_payload, media_of, point_id
from octant.space import Space
from octant.vectors import Kind, Sparse, Vector

__all__ = ["Field", "Prepared", "QdrantVector", "Schema", "Several", "Vectors", "to_qdrant"]

QdrantVector = list[float] | list[list[float]] | models.SparseVector


def to_qdrant(vector: Vector) -> QdrantVector:
    """Turn a vector into what Qdrant's models take."""
    if isinstance(vector, Sparse):
        return models.SparseVector(indices=list(vector.indices), values=list(vector.values))
    return cast("list[float] | list[list[float]]", vector.tolist())


class Several(StrEnum):
    """What becomes of an item that has several media where a field looks for one, such as photos of a product."""

    REFUSE = "refuse"
    MULTIVECTOR = "multivector"
    """One point with a vector of each; it is as near as its nearest (MaxSim)."""
    LINKED = "linked"
    """A point for each: the first stays with the item, the others name it as their `parent`."""


class Vectors(Protocol):
    """Remembers vectors by the identity of an encoder and the fingerprint of a medium."""

    def get(self, identity: str, fingerprints: Sequence[str]) -> dict[str, Vector]: ...

    def put(self, identity: str, vectors: Mapping[str, Vector]) -> None: ...


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
    several: Several = Several.REFUSE
    """What to do with an item that has several such media. Texts are read as one unless this says otherwise."""
    given: bool = False
    """Its vectors come with items (`Item.vectors`) alone: an item without one has no part in it, and no medium is
    encoded for it. It is asked with `ByVector`; with media as well where it `answers` them."""

    def __post_init__(self) -> None:
        self.space.identity(self.modality)  # raises UnsupportedModality now, not at the first item
        object.__setattr__(self, "answers", self.answers & self.space.modalities)
        if self.several is Several.MULTIVECTOR and self.space.kind is not Kind.DENSE:
            raise ValueError(f"field {self.name!r}: several media become a multivector of dense vectors alone")

    @property
    def is_multivector(self) -> bool:
        """Whether a point holds several vectors here, one of each medium or one of each token."""
        return self.several is Several.MULTIVECTOR or self.space.kind is Kind.MULTI

    def takes(self, item: Item) -> bool:
        """Whether an item gets a vector here. ItemError where the one it brings does not fit, or the choice is open."""
        if self.name in item.vectors:
            self._require_fit(item)
            return True
        return not self.given and bool(self.pick(item))

    def _require_fit(self, item: Item) -> None:
        """Raise ItemError where the vector that an item brings is none of this field's."""
        vector = cast("Vector", item.vectors[self.name])  # made so by the item
        rows = "[n, dim]" if self.is_multivector else "[dim]"
        wanted = "a sparse vector" if self.space.dim is None else f"one of {rows} with dim = {self.space.dim}"
        if isinstance(vector, Sparse):
            fits, has = self.space.dim is None, "a sparse vector"
            finite = not fits or _is_finite(item.id, self.name, vector)
        else:
            fits = vector.ndim == 1 + self.is_multivector and vector.size > 0 and vector.shape[-1] == self.space.dim
            has, finite = f"one of {list(vector.shape)}", bool(np.isfinite(vector).all())
        if not fits:
            raise ItemError(item.id, f"it brings {has} for field {self.name!r}, which holds {wanted}")
        if not finite:
            raise ItemError(item.id, f"the vector that it brings for field {self.name!r} is not finite; make it again")

    def fitting(self, item: Item) -> dict[str, Media]:
        """The item's media that this field is about."""
        media = {name: medium for name, medium in item.media.items() if medium.modality is self.modality}
        return media if self.of is None else {name: m for name, m in media.items() if name == self.of}

    def pick(self, item: Item) -> tuple[Media, ...]:
        """The item's media that this field embeds: none, one, or all of a multivector.

        ItemError where the choice is open.
        """
        fitting = self.fitting(item)
        if len(fitting) <= 1 or self.several is Several.MULTIVECTOR:
            return tuple(fitting.values())
        if self.modality is Modality.TEXT:
            return (Text("\n\n".join(text.content for text in fitting.values() if isinstance(text, Text))),)
        raise ItemError(
            item.id,
            f"it has {len(fitting)} media of modality {self.modality} ({', '.join(fitting)}) and field "
            f"{self.name!r} holds one; add them as items of their own, or use a schema whose fields name them "
            "(Field(of=...)) or take several (Field(several=Several.MULTIVECTOR or Several.LINKED))",
        )


def _is_finite(item: str, field: str, vector: Sparse) -> bool:
    """Whether the values of a sparse vector are finite. ItemError where they or its indices are none.

    `Sparse` takes what it is given, and stores differ in what they make of it: half an index, or the word of a number.
    """
    for index in cast("Sequence[object]", vector.indices):
        if not isinstance(index, Integral) or isinstance(index, bool) or not 0 <= int(index) < 1 << 32:
            why = f"has the index {index!r}; indices are whole numbers, from 0 to {(1 << 32) - 1:,}"
            raise ItemError(item, f"the vector that it brings for field {field!r} {why}")
    for value in cast("Sequence[object]", vector.values):
        if not isinstance(value, Real) or isinstance(value, bool):
            raise ItemError(item, f"the vector that it brings for field {field!r} has the value {value!r}, no number")
    with np.errstate(over="ignore"):  # what is too large for float32 is not finite in a store
        return bool(np.isfinite(np.array(vector.values, np.float32)).all())


@dataclass(frozen=True, slots=True)
class Prepared:
    """An item that has been looked at, with the payload of its point."""

    item: Item
    payload: dict[str, Any]
    fingerprints: Mapping[str, str] = field(default_factory=dict[str, str])
    """By medium; what is missing is computed where it is needed."""

    def of(self, modality: Modality) -> list[Media]:
        """The item's media of a modality."""
        return [medium for medium in self.item.media.values() if medium.modality is modality]


class Schema:
    """The fields of a collection, the payload keys whose words are searched, and those that are indexed for filters."""

    def __init__(
        self, *fields: Field | TextIndex, indexed: Mapping[str, models.PayloadSchemaType] | None = None
    ) -> None:
        if len({f.name for f in fields}) != len(fields) or not any(isinstance(f, Field) for f in fields):
            raise ValueError(f"a schema needs fields of different names, not {[f.name for f in fields]}")
        self.fields: Mapping[str, Field] = {f.name: f for f in fields if isinstance(f, Field)}
        self.texts: Mapping[str, TextIndex] = {f.name: f for f in fields if isinstance(f, TextIndex)}
        self._indexed = dict(indexed or {})
        if twice := [text.key for text in self.texts.values() if text.key in self._indexed]:
            raise ValueError(f"key {twice[0]!r} is indexed as a text index already; leave it out of indexed=")

    @classmethod
    def of(cls, *spaces: Space, indexed: Mapping[str, models.PayloadSchemaType] | None = None) -> Schema:
        """Make a field of every modality of every space: all that these models can search with one another.

        A field is named after its modality, of a second space that reads it `image_2`, and so on.
        """
        fields: list[Field] = []
        for space in spaces:
            for modality in sorted(space.modalities):
                before = sum(field.modality is modality for field in fields)
                fields.append(Field(f"{modality}_{before + 1}" if before else str(modality), space, modality))
        return cls(*fields, indexed=indexed)

    def check(self, item: Item) -> None:
        """Raise ItemError where no field takes any of its media, the choice is open, or a vector does not fit."""
        if unknown := [name for name in item.vectors if name not in self.fields]:
            names = ", ".join(self.fields)
            raise ItemError(item.id, f"it brings a vector for {unknown[0]!r}, which is no field; there are {names}")
        taking = [field for field in self.fields.values() if field.takes(item)]
        # where vectors come with items, one that brings none is still found by its payload
        if not taking and not any(field.given for field in self.fields.values()):
            has = ", ".join(f"{name} ({medium.modality})" for name, medium in item.media.items()) or "no media"
            wanted = ", ".join(
                sorted({str(f.modality) + (f" named {f.of!r}" if f.of else "") for f in self.fields.values()})
            )
            raise ItemError(item.id, f"it has {has} and this collection's fields take {wanted}")

    def split(self, item: Item) -> list[Item]:
        """The item, and an item of its own for every medium beyond the first of a field that links them."""
        linking = [f for f in self.fields.values() if f.several is Several.LINKED]
        extra = dict.fromkeys(name for f in linking for name in list(f.fitting(item))[1:])
        if not extra:
            return [item]
        kept = {name: medium for name, medium in item.media.items() if name not in extra}
        origin = replace(item.origin or Origin(item.id), parts=1 + len(extra))
        linked = [
            Item(
                f"{item.id}#{name}",
                {name: item.media[name]},
                {**item.metadata, "parent": item.id},
                replace(origin, part=part),
            )
            for part, name in enumerate(extra, start=1)
        ]
        return [replace(item, media=kept, origin=origin), *linked]

    def budget(self, modality: Modality) -> Budget:
        """What all the encoders that will read media of this modality can take at once."""
        specs = [f.space.spec(modality) for f in self._reading(modality)]
        tokens = [spec.tokens for spec in specs if spec.tokens is not None]
        seconds = [spec.seconds for spec in specs if spec.seconds is not None]
        strictest = min(self._reading(modality), key=lambda f: f.space.spec(modality).tokens or 1 << 60, default=None)
        spans = None if strictest is None else strictest.space.token_spans(modality)
        return Budget(min(tokens, default=None), min(seconds, default=None), spans)

    def pixels(self) -> int | None:
        """How large a picture its encoders agree to see (see `EncoderSpec.pixels`); None where they do not agree."""
        return _agreed([f.space.spec(Modality.IMAGE).pixels for f in self._reading(Modality.IMAGE)])

    def rate(self) -> int | None:
        """The rate in Hz at which its encoders agree to hear a sound; None where they do not agree."""
        return _agreed([f.space.spec(Modality.AUDIO).rate for f in self._reading(Modality.AUDIO)])

    def _reading(self, modality: Modality) -> list[Field]:
        return [f for f in self.fields.values() if f.modality is modality and not f.given]

    def points(
        self,
        batch: Sequence[Prepared],
        *,
        batch_size: int = 32,
        remembered: Vectors | None = None,
        before_each: Callable[[], None] = lambda: None,
    ) -> list[models.PointStruct | ItemError]:
        """Encode items and lay them out as points: in order, an ItemError for each that cannot be encoded.

        Each field is encoded in batches of media of like length, so that little of a padded batch is padding.
        What is `remembered` is not encoded, nor what items bring. What `before_each` batch raises ends it all.
        """
        vectors: list[dict[str, QdrantVector]] = [
            {name: to_qdrant(cast("Vector", vector)) for name, vector in one.item.vectors.items()} for one in batch
        ]
        broken: dict[int, ItemError] = {}
        for modality in dict.fromkeys(f.modality for f in self.fields.values()):
            fields = self._reading(modality)
            lengths = {i: max(map(_length, media)) for i, one in enumerate(batch) if (media := one.of(modality))}
            order = sorted(lengths, key=lambda i: lengths[i])
            for start in range(0, len(order), batch_size):
                before_each()
                # all fields of a batch before the next one: encoders that share their work remember the last
                for f in fields:
                    places = [
                        i
                        for i in order[start : start + batch_size]
                        if i not in broken and f.name not in batch[i].item.vectors
                    ]
                    asked = [_Asked(i, medium, batch[i]) for i in places for medium in f.pick(batch[i].item)]
                    found: dict[int, list[Vector]] = {}
                    for one, vector in zip(asked, _encoded(f, asked, batch_size, remembered), strict=True):
                        if isinstance(vector, ItemError):
                            broken.setdefault(one.place, vector)
                        else:
                            found.setdefault(one.place, []).append(vector)
                    for i, several in found.items():
                        if all(isinstance(one, Sparse) and not one.indices for one in several):
                            continue  # a text without words: stores count such a vector differently
                        many = f.several is Several.MULTIVECTOR
                        vectors[i][f.name] = to_qdrant(np.stack(cast("list[Any]", several)) if many else several[0])
        return [
            broken.get(i)
            or models.PointStruct(id=point_id(one.item.id), vector=cast("dict[str, Any]", vector), payload=one.payload)
            for i, (one, vector) in enumerate(zip(batch, vectors, strict=True))
        ]

    def taking_part(self, payload: Mapping[str, Any]) -> list[str]:
        """The fields in which a point of this payload has a vector."""
        media = {name: entry["modality"] for name, entry in media_of(payload).items()}
        brought = brought_of(payload)
        fields = [
            f.name
            for f in self.fields.values()
            if f.name in brought
            or (not f.given and (f.modality in media.values() if f.of is None else media.get(f.of) == f.modality))
        ]
        return [*fields, *(text.name for text in self.texts.values() if value_by_key(dict(payload), text.key))]

    def hit(self, point: models.ScoredPoint) -> Hit:
        payload = point.payload or {}
        return Hit(item_from_payload(payload, str(point.id)), point.score, payload)

    def dense_config(self) -> dict[str, models.VectorParams]:
        maxsim = models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)
        return {
            f.name: models.VectorParams(
                size=f.space.dim,
                distance=f.space.distance,
                multivector_config=maxsim if f.is_multivector else None,
            )
            for f in self.fields.values()
            if f.space.dim is not None
        }

    def sparse_config(self) -> dict[str, models.SparseVectorParams]:
        return {
            f.name: models.SparseVectorParams(modifier=models.Modifier.IDF if f.space.spec(f.modality).idf else None)
            for f in self.fields.values()
            if f.space.kind is Kind.SPARSE
        }

    def payload_indexes(self) -> dict[str, models.PayloadFieldSchema]:
        own = dict.fromkeys((MODALITIES, SOURCE, CONTENT), models.PayloadSchemaType.KEYWORD)
        return {**own, **self._indexed, **{text.key: text.index_params() for text in self.texts.values()}}

    def model(self) -> str:
        """Name what turns items into vectors here, in 16 hex digits: payloads carry it."""
        reading = {name: [f.space.identity(f.modality), f.modality, f.of, f.several] for name, f in self.fields.items()}
        return hashlib.sha256(json.dumps(reading, sort_keys=True).encode()).hexdigest()[:16]

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
            f"field {name!r}: {key} was {old.get(key)!r}, is {mine.get(key)!r}"
            for name, old, mine in both
            for key in dict.fromkeys([*mine, *old])
            if key not in ("encoders", "space") and old.get(key) != mine.get(key)
        ]
        return list(dict.fromkeys([*missing, *extra, *models_of, *changed]))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A medium that a field asks to be encoded, and the place of its item in the batch."""

    place: int
    medium: Media
    of: Prepared

    def fingerprint(self) -> str:
        for name, medium in self.of.item.media.items():
            if medium is self.medium and name in self.of.fingerprints:
                return self.of.fingerprints[name]
        return fingerprint(self.medium)


def _encoded(
    f: Field, asked: Sequence[_Asked], batch_size: int, remembered: Vectors | None
) -> list[Vector | ItemError]:
    """A vector for each medium that is asked for, or why there is none; what is remembered is not encoded."""
    identity = f.space.identity(f.modality)
    prints = [one.fingerprint() for one in asked] if remembered is not None else []
    known = remembered.get(identity, prints) if remembered is not None else {}
    results: dict[int, Vector | ItemError] = {i: known[p] for i, p in enumerate(prints) if p in known}
    left = [i for i in range(len(asked)) if i not in results]
    for start in range(0, len(left), batch_size):
        places = left[start : start + batch_size]
        made = _encode_all(f, [asked[i] for i in places])
        results.update(zip(places, made, strict=True))
        if remembered is not None:
            fresh = zip(places, made, strict=True)
            remembered.put(identity, {prints[i]: v for i, v in fresh if not isinstance(v, ItemError)})
    return [results[i] for i in range(len(asked))]


def _encode_all(f: Field, asked: Sequence[_Asked]) -> list[Vector | ItemError]:
    """Encode a batch; without those of its media that turn out to be broken, if there are any."""
    results: list[Vector | ItemError | None] = [None] * len(asked)
    while places := [i for i, result in enumerate(results) if result is None]:
        try:
            encoded = f.space.encode([asked[i].medium for i in places], f.modality, Role.DOCUMENT)
        except (MediaError, ExceptionGroup) as error:
            about = [(one, [i for i in places if _is_about(one, asked[i].medium)]) for one in _inner(error)]
            if not all(found for _, found in about):
                raise  # it is about something else
            named = {i: ItemError(asked[i].of.item.id, one.reason) for one, found in about for i in found}
            for i, one in named.items():
                results[i] = one
        else:
            for i, vector in zip(places, encoded, strict=True):
                results[i] = _finite(vector, asked[i].of.item, f)
    return [result for result in results if result is not None]


def _inner(error: MediaError | ExceptionGroup[Exception]) -> Iterator[MediaError]:
    """The MediaErrors of an error; it is raised again where it holds anything else."""
    for one in error.exceptions if isinstance(error, ExceptionGroup) else (error,):
        if not isinstance(one, MediaError):
            raise error
        yield one


def _is_about(error: MediaError, medium: Media) -> bool:
    return error.media is medium


def _finite(vector: Vector, item: Item, field: Field) -> Vector | ItemError:
    values = vector.values if isinstance(vector, Sparse) else vector
    if np.isfinite(values).all():
        return vector
    encoder = field.space.identity(field.modality)
    return ItemError(item.id, f"its vector for field {field.name!r} is not finite; {encoder} fails on this medium")


def _length(medium: Media) -> float:
    """What a padded batch is as long as: characters of a text, samples of a decoded sound."""
    if isinstance(medium, Text):
        return len(medium.content)
    shape: tuple[int, ...] = getattr(medium.source, "shape", ())
    return shape[0] if medium.modality is Modality.AUDIO and shape else 0


def _agreed(wanted: Sequence[int | None]) -> int | None:
    return wanted[0] if wanted and len(set(wanted)) == 1 else None


def _identity(field: Field) -> dict[str, Any]:
    noted = {
        "space": field.space.name,
        "modality": field.modality.value,
        "of": field.of,
        "answers": [modality.value for modality in sorted(field.answers)],
        "kind": field.space.kind.value,
        "dim": field.space.dim,
        "distance": field.space.distance.value,
        "encoders": {m.value: field.space.identity(m) for m in sorted({field.modality, *field.answers})},
    }
    if field.several is not Several.REFUSE:
        noted["several"] = field.several.value
    return {**noted, "given": True} if field.given else noted
