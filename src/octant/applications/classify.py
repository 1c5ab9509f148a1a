"""Zero-shot classification: the classes are words, and their probabilities are calibrated on examples."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast, overload

import numpy as np
from numpy.typing import NDArray

from octant.answer import Think, View, Walk
from octant.applications.stored import Row, narrowed, rows
from octant.encoding import Role
from octant.errors import UnsupportedModality
from octant.media import Media, Modality, Text
from octant.query import Where
from octant.schema import Field
from octant.vectors import Array, Kind, normalize, stack

if TYPE_CHECKING:
    from octant.collection import AsyncCollection, Collection

__all__ = ["Classified", "Classifier", "calibration_error"]

Floats = NDArray[np.float64]

_TEMPLATES: Mapping[Modality, tuple[str, ...]] = {
    Modality.TEXT: ("{}", "a text about {}", "this is about {}"),
    Modality.IMAGE: ("{}", "a photo of a {}", "a picture of {}"),
    Modality.AUDIO: ("{}", "this is a sound of {}", "the sound of a {}"),
}
_TEMPERATURE = 0.01
"""What CLIP was trained with (Radford et al. 2021), before examples say better."""
_BATCH = 32


@dataclass(frozen=True, slots=True)
class Classified:
    """The class of one medium or item."""

    label: str | None
    """The most probable class; None = none of them."""
    probability: float
    probabilities: Mapping[str | None, float]
    """Of every class, most probable first, and under None that it is none of them, where examples have shown that."""


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """Tells the classes of media by their names, without training (Radford et al. 2021, section 3.1).

    A class stands at the mean of the unit vectors of its names, each in every template. Make one with `zero_shot`, and
    calibrate it with `fit`: before that, its order of the classes means something, and its probabilities do not.
    """

    field: Field
    labels: tuple[str, ...]
    classes: Array
    """The unit vector of each label."""
    temperature: float = _TEMPERATURE
    """Cosines are divided by it before the softmax."""
    nothing: float | None = None
    """The cosine that "none of these" answers with; None = one of the labels it is."""
    examples: int = 0
    """How many it was calibrated on; 0 = it was not."""

    @classmethod
    def zero_shot(
        cls, labels: Sequence[str] | Mapping[str, Sequence[str]], field: Field, *, templates: Sequence[str] = ()
    ) -> Classifier:
        """Make a classifier of the media that a field holds, from labels, or from the names that each label goes by.

        Templates have `{}` where the name goes; by default there are three for each modality. ValueError where labels
        are missing or double, UnsupportedModality where the field's space does not read texts.
        """
        named = _named(labels)
        if Modality.TEXT not in field.space.modalities:
            raise UnsupportedModality(
                Modality.TEXT, f"space {field.space.name!r}", "name a field whose space reads texts"
            )
        if field.space.kind is not Kind.DENSE:
            raise ValueError(f"field {field.name!r} has {field.space.kind} vectors; classes need a field of dense ones")
        chosen = tuple(templates) or _TEMPLATES[field.modality]
        if wrong := [one for one in chosen if "{}" not in one]:
            raise ValueError(f"template {wrong[0]!r} has no {{}} for the name of the class")
        prompts = [[Text(t.replace("{}", name)) for name in names for t in chosen] for names in named.values()]
        encoded = _encoded(field, [one for several in prompts for one in several], Modality.TEXT, Role.QUERY)
        ends = np.cumsum([len(several) for several in prompts])
        means = [part.mean(axis=0) for part in np.split(encoded, ends[:-1])]
        return cls(field, tuple(named), normalize(np.stack(means)))

    def classify(self, media: Sequence[Media]) -> list[Classified]:
        """Say for each medium what it most probably is. MediaError where one cannot be decoded."""
        return self._read(self._cosines(media))

    @overload
    def classify_items(self, collection: Collection, where: Where | None = None) -> dict[str, Classified]: ...
    @overload
    def classify_items(
        self, collection: AsyncCollection, where: Where | None = None
    ) -> Awaitable[dict[str, Classified]]: ...
    def classify_items(
        self, collection: Collection | AsyncCollection, where: Where | None = None
    ) -> dict[str, Classified] | Awaitable[dict[str, Classified]]:
        """Say of stored items, by id, what each most probably is: from their vectors, nothing is encoded again."""
        return collection.run(self._stored(collection.view, where))

    def fit(self, media: Sequence[Media], labels: Sequence[str | None]) -> Classifier:
        """Calibrate the temperature on labelled examples by maximum likelihood (Guo et al. 2017).

        Examples labelled None are none of the classes: from them "none of these" gets a probability of its own, true of
        the share of them among the examples. A calibration learns nothing about the classes and needs few examples;
        they should not be the ones that its error is measured on. ValueError where they contradict the classes.
        """
        if len(media) != len(labels) or not media:
            raise ValueError(f"fit() takes a label for each medium, not {len(labels)} for {len(media)}")
        if unknown := [one for one in labels if one is not None and one not in self.labels]:
            raise ValueError(f"no class is called {unknown[0]!r}; there are {', '.join(self.labels)}, and None")
        places = [len(self.labels) if one is None else self.labels.index(one) for one in labels]
        if None not in labels:
            scale, _ = _likeliest(self._cosines(media), places, with_none=False)
            return replace(self, temperature=1 / scale, nothing=None, examples=len(media))
        scale, offset = _likeliest(self._cosines(media), places, with_none=True)
        return replace(self, temperature=1 / scale, nothing=offset / scale, examples=len(media))

    def _stored(self, view: View, where: Where | None) -> Walk[dict[str, Classified]]:
        stored = view.schema.fields.get(self.field.name)
        if stored is None or stored.space.identity(stored.modality) != self.field.space.identity(self.field.modality):
            raise ValueError(
                f"this classifier is for vectors of {self.field.space.identity(self.field.modality)} in field "
                f"{self.field.name!r}, which {view.name!r} does not have; make it with collection.schema.fields[...]"
            )
        narrow = yield from narrowed(view, self.field.name, where)
        found: list[Row] = yield from rows(view, self.field.name, narrow)
        # an item with several photos is what any of them shows, as in searches
        cosines = [
            (normalize(row.vector).reshape(-1, row.vector.shape[-1]) @ self.classes.T).max(axis=0) for row in found
        ]
        read: list[Classified] = yield Think(lambda: self._read(np.stack(cosines)) if cosines else [])
        return dict(zip([row.id for row in found], read, strict=True))

    def _cosines(self, media: Sequence[Media]) -> Array:
        if wrong := [one for one in media if one.modality is not self.field.modality]:
            raise TypeError(
                f"field {self.field.name!r} is about {self.field.modality}; {wrong[0]!r} is {wrong[0].modality}"
            )
        return _encoded(self.field, media, self.field.modality, Role.DOCUMENT) @ self.classes.T

    def _read(self, cosines: Array) -> list[Classified]:
        logits = cosines.astype(np.float64) / self.temperature
        names: list[str | None] = [*self.labels]
        if self.nothing is not None:
            logits = np.hstack([logits, np.full((len(logits), 1), self.nothing / self.temperature)])
            names.append(None)
        probabilities = _softmax(logits)
        found: list[Classified] = []
        for row in probabilities:
            order: list[int] = np.argsort(-row, kind="stable").tolist()
            found.append(Classified(names[order[0]], float(row[order[0]]), {names[i]: float(row[i]) for i in order}))
        return found


def calibration_error(found: Sequence[Classified], labels: Sequence[str | None], *, bins: int = 15) -> float:
    """Measure how far probabilities are from frequencies: the expected calibration error (Guo et al. 2017, eq. 3).

    0 is perfect: of what is said with 80 %, 80 % is so.
    """
    if len(found) != len(labels) or not found:
        raise ValueError(f"calibration_error() takes a label for each result, not {len(labels)} for {len(found)}")
    sure = np.array([one.probability for one in found])
    right = np.array([one.label == label for one, label in zip(found, labels, strict=True)], dtype=np.float64)
    places = np.minimum(np.ceil(sure * bins).astype(int) - 1, bins - 1)
    gaps = [abs(float((right - sure)[places == place].sum())) for place in range(bins)]
    return math.fsum(gaps) / len(found)


def _named(labels: Sequence[str] | Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    given: object = labels
    if isinstance(given, str):
        raise TypeError(f"labels is a sequence; write [{given!r}, ...]")
    if not isinstance(labels, Mapping):
        if len(set(labels)) != len(labels):
            raise ValueError(f"labels are there twice: {sorted(one for one in set(labels) if labels.count(one) > 1)}")
        labels = {label: (label,) for label in labels}
    if len(labels) < 2:
        raise ValueError("a classifier needs two labels or more; one alone is a search with a threshold")
    for label, names in labels.items():
        if isinstance(cast("object", names), str) or not names:
            raise TypeError(f"label {label!r} goes by a sequence of names, not {names!r}")
    return dict(labels)


def _encoded(field: Field, media: Sequence[Media], modality: Modality, role: Role) -> Array:
    """Unit vectors, encoded in batches."""
    vectors = [
        vector
        for start in range(0, len(media), _BATCH)
        for vector in field.space.encode(media[start : start + _BATCH], modality, role)
    ]
    return normalize(stack(vectors)) if vectors else np.zeros((0, field.space.dim or 0), dtype=np.float32)


def _softmax(logits: Floats) -> Floats:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Floats = raised / raised.sum(axis=1, keepdims=True)
    return shares


def _likeliest(cosines: Array, places: Sequence[int], *, with_none: bool) -> tuple[float, float]:
    """The scale of cosines, and the logit of none of them, under which the labels are the likeliest.

    The likelihood is concave in both, so Newton's method finds its maximum. As if one example more were taken for its
    nearest other class (after Platt 1999): those that are told apart without a mistake ask for an infinite scale.
    """
    count, classes = cosines.shape[0], cosines.shape[1] + with_none
    each: NDArray[np.int_] = np.arange(count, dtype=np.int_)
    others = cosines.copy()
    labelled = np.array(places) < cosines.shape[1]
    others[each[labelled], np.array(places)[labelled]] = -np.inf
    truth = np.zeros((count, classes))
    truth[each, list(places)] = count / (count + 1)
    truth[each, others.argmax(axis=1)] = 1 / (count + 1)
    # a logit is parameters . features: the cosine for the scale, and 1 for the logit of none
    features = np.zeros((count, classes, 1 + with_none))
    features[:, : cosines.shape[1], 0] = cosines
    if with_none:
        features[:, -1, 1] = 1.0
    parameters: Floats = np.zeros(1 + with_none)
    loss = _loss(features, truth, parameters)
    for _ in range(100):
        shares = _softmax(features @ parameters)
        slope: Floats = np.einsum("nk,nkp->p", shares - truth, features)
        means: Floats = np.einsum("nk,nkp->np", shares, features)
        curve: Floats = np.einsum("nk,nkp,nkq->pq", shares, features, features) - means.T @ means
        step: Floats = np.linalg.solve(curve + 1e-9 * np.eye(len(curve)), slope).astype(np.float64)
        while (lower := _loss(features, truth, parameters - step)) > loss and np.abs(step).max() > 1e-9:
            step = step / 2
        parameters, loss = parameters - step, lower
        if np.abs(step).max() < 1e-6 * max(1.0, np.abs(parameters).max()):
            break
    scale, offset = float(parameters[0]), float(parameters[1]) if with_none else 0.0
    if scale <= 0:
        raise ValueError(
            "the examples contradict the classes: the right ones are no nearer than the others; look at both"
        )
    return scale, offset


def _loss(features: Floats, truth: Floats, parameters: Floats) -> float:
    logits = features @ parameters
    most = logits.max(axis=1)
    likelihood = (truth * logits).sum(axis=1) - most - np.log(np.exp(logits - most[:, None]).sum(axis=1))
    return -float(likelihood.sum())
