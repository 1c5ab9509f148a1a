"""Where concepts stand in the shared space: their texts, seen by teacher and student, centred and whitened."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from octant.train.starter.concepts import Concept
from octant.train.starter.minilm import Teacher, glosses, imagenet_glosses
from octant.train.starter.text import apply, tokenize

__all__ = ["Places", "unit"]

Array = NDArray[np.float32]

PROMPTS = (
    "{}",
    "a photo of a {}",
    "a picture of a {}",
    "a close-up photo of a {}",
    "a photo of the {}",
    "an image of {}",
    "{} in a picture",
)
WHITENING = 0.25
"""Exponent on the covariance: 0.5 would whiten fully. Lessens what all texts share."""


class Places:
    """Texts to points of the shared space.

    Concepts stand halfway between what the teacher and the student make of their texts: the teacher knows better
    what is near what, and the student is what queries are encoded with.
    """

    def __init__(self, teacher: Teacher, text: dict[str, NDArray[np.generic]]) -> None:
        self.teacher = teacher
        self.text = text
        self.raw_classes = self._imagenet()
        bank = self._bank()
        self.mean: Array = self.raw_classes.mean(0)
        centred = bank - self.mean
        strength, axes = np.linalg.eigh(centred.T @ centred / len(centred))
        strength = np.maximum(strength, strength.max() * 1e-3)
        self.turn: Array = ((axes * (strength / strength.max()) ** -WHITENING) @ axes.T).astype(np.float32)
        # the direction in which texts differ least is at nearly right angles to every text
        self.elsewhere: Array = axes[:, 0].astype(np.float32)

    def classes(self) -> Array:
        """Return the places of the ImageNet classes: [1000, 384]."""
        return self.frame(self.raw_classes)

    def concept(self, concept: Concept, names: Sequence[str] = ()) -> Array:
        """Return the place of one concept; `names` are weighed twice beside its own."""
        named = [*names, *names, *concept.names]
        defined = [f"{', '.join(concept.names)}: {concept.definition}", f"{concept.names[0]}: {concept.definition}"]
        texts = [*named, f"a photo of a {named[0]}", *defined]
        weights = np.array([1.0] * (len(named) + 1) + [len(named) / 2] * 2, np.float32)
        taught, learned = (unit(weights @ part) for part in self.seen(texts))
        return self.frame(unit(taught + learned))

    def queries(self, texts: Sequence[str]) -> Array:
        """Encode texts as the package will: by the student."""
        return unit(self.frame(self.seen(texts)[1]))

    def frame(self, vectors: Array) -> Array:
        """Centre and whiten."""
        framed: Array = ((vectors - self.mean) @ self.turn).astype(np.float32)
        return framed

    def seen(self, texts: Sequence[str]) -> tuple[Array, Array]:
        """Encode texts by teacher and by student, rows of unit length."""
        return unit(self.teacher.encode(texts)), apply(self.text, tokenize(self.teacher, list(texts)))

    def _imagenet(self) -> Array:
        known = imagenet_glosses()
        prompted = self.seen([prompt.format(gloss.name) for gloss in known for prompt in PROMPTS])
        defined = self.seen([f"{gloss.lemmas}: {gloss.definition}" for gloss in known])
        mixed = [
            unit(unit(one.reshape(len(known), len(PROMPTS), -1).mean(1)) + two)
            for one, two in zip(prompted, defined, strict=True)
        ]
        return unit(mixed[0] + mixed[1])

    def _bank(self) -> Array:
        known = glosses()
        rows = np.random.default_rng(3).permutation(len(known))[:6000]
        return np.concatenate(self.seen([known[row].name for row in rows]))


def unit(vectors: Array) -> Array:
    """Scale rows to unit length."""
    scaled: Array = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return scaled
