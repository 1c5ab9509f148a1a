"""The image tower: EfficientNet-Lite0 features; concepts mixed into the shared space, and a native vector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from octant.backends.starter.blas import one_thread
from octant.backends.starter.trunk import Trunk, ahead, project
from octant.backends.starter.weights import Model, Weights, identity
from octant.encoding import EncoderSpec, Role
from octant.errors import MediaError
from octant.media import Image, Modality, decode_image
from octant.vectors import Array, Vector, normalize

if TYPE_CHECKING:
    import PIL.Image

__all__ = ["Concepts", "ImageEncoder", "ImageNative", "ImageTrunk", "preprocess"]

PREPROCESSING = 1
SIDE = 224
SHORTEST = 256
BATCH = 8
"""Photos per forward pass: more are not faster on a CPU, and cost memory."""


@dataclass(frozen=True, slots=True)
class Concepts:
    """What the tower knows by name: a score for each concept, and each concept's place in the shared space.

    The first concepts are the ImageNet classes, scored by their classifier; the others are taught: scored by the
    cosine of the whitened features to a prototype. Teaching another concept adds a row to `prototypes` and `places`.
    """

    classifier: Array
    """[1280, c] and `offset` [c]: logits of the ImageNet classes."""
    offset: Array
    mean: Array
    """[1280], and `whiten` [1280, d]: features to the space of the prototypes."""
    whiten: Array
    prototypes: Array
    """[t, d], rows of unit length."""
    scale: float
    bias: float
    """A taught concept's logit is scale · cosine + bias."""
    temperature: float
    places: Array
    """[c + t, 384]: concept texts, centred and whitened like the text tower's vectors."""

    def untaught(self) -> Concepts:
        """Return the ImageNet classes alone."""
        return replace(self, prototypes=self.prototypes[:0], places=self.places[: len(self.offset)])

    def logits(self, features: Array) -> Array:
        """Score all concepts: [n, 1280] → [n, c + t]."""
        known = features @ self.classifier + self.offset
        rows: Array = ((features - self.mean) @ self.whiten).astype(np.float32)
        cosine = normalize(rows) @ self.prototypes.T
        return np.concatenate([known, self.scale * cosine + self.bias], axis=1)

    def place(self, features: Array) -> Array:
        """Mix the places of the concepts by their probability: [n, 1280] → [n, 384] of unit length."""
        scores = self.logits(features) / self.temperature
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        return normalize(odds @ self.places)


class ImageTrunk(Trunk[Image]):
    """Photos to features [1280], shared by the encoders of one model."""

    def __init__(self, weights: Weights | None = None) -> None:
        super().__init__(self._run)
        self.weights = weights or Weights()
        self._model: Model | None = None

    def model(self) -> Model:
        """Return the opened model; only one batch runs at a time, so it is opened once."""
        if self._model is None:
            self._model = self.weights.model("image.onnx")
        return self._model

    def _run(self, batch: Sequence[Image]) -> Iterator[Array | MediaError]:
        model = self.model()
        results: list[Array | MediaError] = []
        waiting: list[Array] = []
        for prepared in ahead(prepare, batch, 2 * BATCH):
            results.append(prepared)
            if not isinstance(prepared, MediaError):
                waiting.append(prepared)
            if len(waiting) == BATCH:
                fill(results, waiting, model)
        fill(results, waiting, model)
        return iter(results)


class ImageEncoder:
    """Photos into the shared space: text finds them."""

    def __init__(self, trunk: ImageTrunk | None = None, *, heads: Weights | None = None) -> None:
        self._trunk = trunk or ImageTrunk()
        self._heads = heads or self._trunk.weights
        self._lock = Lock()
        self._concepts: Concepts | None = None
        sums = (self._trunk.weights.checksum("image.onnx"), self._heads.checksum("concepts.npz"))
        self.spec = EncoderSpec(identity("image", PREPROCESSING, *sums), Modality.IMAGE, 384, pixels=SHORTEST)

    def encode(self, batch: Sequence[Image], role: Role) -> list[Vector]:  # noqa: ARG002
        """Encode photos; an ExceptionGroup with one MediaError for each that cannot be decoded."""
        features = self._trunk.features(batch, self)
        with one_thread():
            return list(self.concepts().place(np.stack(features))) if features else []

    def concepts(self) -> Concepts:
        """Return what the tower knows by name."""
        with self._lock:
            if self._concepts is None:
                self._concepts = load(self._heads)
            return self._concepts


class ImageNative:
    """Photos into the tower's own space, which compares looks: image finds image."""

    def __init__(self, trunk: ImageTrunk | None = None, *, heads: Weights | None = None) -> None:
        self._trunk = trunk or ImageTrunk()
        self._heads = heads or self._trunk.weights
        self._lock = Lock()
        self._axes: tuple[Array, Array] | None = None
        sums = (self._trunk.weights.checksum("image.onnx"), self._heads.checksum("image-native.npz"))
        self.spec = EncoderSpec(identity("image-native", PREPROCESSING, *sums), Modality.IMAGE, 128, pixels=SHORTEST)

    def encode(self, batch: Sequence[Image], role: Role) -> list[Vector]:  # noqa: ARG002
        """Encode photos; an ExceptionGroup with one MediaError for each that cannot be decoded."""
        features = self._trunk.features(batch, self)
        return list(project(np.stack(features), *self._load())) if features else []

    def _load(self) -> tuple[Array, Array]:
        with self._lock:
            if self._axes is None:
                arrays = self._heads.arrays("image-native.npz")
                self._axes = arrays["mean"].astype(np.float32), arrays["axes"].astype(np.float32)
            return self._axes


def preprocess(picture: PIL.Image.Image) -> Array:
    """Scale the shorter side to 256, crop the middle 224, and scale values to about -1…1: [3, 224, 224]."""
    from PIL.Image import Resampling

    width, height = picture.size
    scale = SHORTEST / min(width, height)
    size = (max(SIDE, round(width * scale)), max(SIDE, round(height * scale)))
    left, top = (size[0] - SIDE) // 2, (size[1] - SIDE) // 2
    # resampling only what the crop keeps: a panorama does not become a large picture first
    box = (left / size[0] * width, top / size[1] * height)
    span = (SIDE / size[0] * width, SIDE / size[1] * height)
    corner = (min(width, box[0] + span[0]), min(height, box[1] + span[1]))
    scaled = picture.resize((SIDE, SIDE), Resampling.BICUBIC, box=(*box, *corner))
    pixels: Array = ((np.asarray(scaled, np.float32) - 127) / 128).transpose(2, 0, 1).astype(np.float32)
    return np.ascontiguousarray(pixels)


def prepare(image: Image) -> Array:
    return preprocess(decode_image(image, shortest=SHORTEST))


def fill(results: list[Array | MediaError], waiting: list[Array], model: Model) -> None:
    """Run the waiting photos, which are the last arrays of `results`, and put their features in their places."""
    if not waiting:
        return
    made = list(model(np.stack(waiting)))
    for index in range(len(results) - 1, -1, -1):
        if not made:
            break
        if not isinstance(results[index], MediaError):
            results[index] = made.pop()
    waiting.clear()


def load(weights: Weights) -> Concepts:
    arrays = {name: array.astype(np.float32) for name, array in weights.arrays("concepts.npz").items()}
    scale, bias, temperature = (float(number) for number in arrays.pop("settings"))
    return Concepts(scale=scale, bias=bias, temperature=temperature, **arrays)
