"""The image tower: EfficientNet-Lite0 in int8, concepts taught from labelled photos, and native axes."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from octant.backends.starter.image import Concepts, preprocess
from octant.media import Image, decode_image
from octant.train.starter import lite0
from octant.train.starter.concepts import CLOTHING, GROCERY, fine_name
from octant.train.starter.native import whitening
from octant.train.starter.places import Places, unit
from octant.train.starter.quantize import export, quantize, session

__all__ = ["NATIVE", "NATIVE_SHRINKAGE", "Photo", "forward", "photos", "pixels", "teach", "trunk"]

Array = NDArray[np.float32]

SHRINKAGE = 0.5
"""How far the covariance within concepts is drawn towards a round one."""
NATIVE_SHRINKAGE, NATIVE = 0.75, 128
SCALE, BIAS, TEMPERATURE = 30.0, 2.0, 1.5
"""All four were chosen on halves of the photos, so that taught concepts win at home and seldom elsewhere."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A labelled photo. `train` marks the half from which the taught concepts of the benchmark are learned."""

    path: Path
    domain: str
    label: str
    fine: str
    query: str
    train: bool


def photos(data: Path) -> list[Photo]:
    """Read clothing (halves by hash of the file name) and grocery (halves by the data set's own scenes)."""
    found: list[Photo] = []
    for domain in ("clothing", "grocery"):
        with (data / domain / "labels.csv").open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                split = row.get("source_split")
                train = split == "train" if split else lower_half(row["file"])
                fine = row.get("fine") or row["label"]
                found.append(Photo(data / domain / row["file"], domain, row["label"], fine, row["query"], train))
    return found


def lower_half(name: str) -> bool:
    return hashlib.sha256(f"octant-2026:{name}".encode()).digest()[0] < 128


def pixels(shown: Iterable[Photo]) -> Array:
    """Decode and preprocess as the runtime does: [n, 3, 224, 224]."""
    return np.stack([preprocess(decode_image(Image(photo.path), shortest=256)) for photo in shown])


def trunk(inputs: Array, work: Path) -> tuple[Path, dict[str, float]]:
    """Export and quantize the features; return the int8 model and how near it is to float32."""
    model = lite0.load()
    full, small = work / "image.float.onnx", work / "image.onnx"
    export(model, torch.zeros(2, 3, 224, 224), full, free={0: "n"})
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(inputs))
    # the stem and the first three blocks stay in float32: a third of the error for a hundredth of the size
    quantize(full, small, calibration(inputs[rows[:128]], rng), floating=9)
    exact, near = forward(full, inputs[rows[192:492]]), forward(small, inputs[rows[192:492]])
    weight, offset = classifier(model)
    agree = (exact @ weight + offset).argmax(1) == (near @ weight + offset).argmax(1)
    cosine = (unit(exact) * unit(near)).sum(1)
    return small, {
        "int8_top1_agreement": round(float(agree.mean()), 4),
        "int8_feature_cosine": round(float(cosine.mean()), 4),
        "int8_feature_cosine_worst": round(float(cosine.min()), 4),
        "onnx_float_vs_torch": round(gap(model, exact[:4], inputs[rows[192:196]]), 7),
    }


def teach(features: Array, shown: list[Photo], places: Places) -> Concepts:
    """Make the concepts: the ImageNet classes, and one prototype per fine label of the photos.

    Prototypes are class means after whitening by the covariance within classes (as linear discriminant analysis
    does): what varies within a class, the light and the scene, counts less.
    """
    weight, offset = classifier(lite0.load())
    labels = [(photo.domain, photo.label, photo.fine) for photo in shown]
    names = sorted(set(labels))
    members = [np.flatnonzero([label == name for label in labels]) for name in names]
    mean, whiten = features.mean(0), whitening(features, labels, shrinkage=SHRINKAGE)
    within = unit((features - mean) @ whiten)
    prototypes = unit(np.stack([within[rows].mean(0) for rows in members]))
    taught = np.stack([place(name, places) for name in names])
    return Concepts(
        weight,
        offset,
        mean,
        whiten,
        prototypes,
        scale=SCALE,
        bias=BIAS,
        temperature=TEMPERATURE,
        places=np.concatenate([places.classes(), taught]),
    )


def place(name: tuple[str, str, str], places: Places) -> Array:
    domain, label, fine = name
    if domain == "clothing":
        return places.concept(CLOTHING[label])
    return places.concept(GROCERY[label], () if fine == label else (fine_name(fine, label),))


def classifier(model: lite0.Lite0) -> tuple[Array, Array]:
    return model.classifier.weight.detach().numpy().T.copy(), model.classifier.bias.detach().numpy().copy()


def forward(path: Path, inputs: Array) -> Array:
    """Run an ONNX model over inputs in batches of 8."""
    opened = session(path)
    return np.concatenate([opened.run(None, {"x": inputs[row : row + 8]})[0] for row in range(0, len(inputs), 8)])


def calibration(inputs: Array, rng: np.random.Generator) -> Iterator[Array]:
    """Vary photos so that the ranges hold for other photos: mirrored, paler, brighter, in other colours."""
    for photo in inputs:
        kind = rng.integers(4)
        varied = photo
        if kind == 1:
            varied = photo[:, :, ::-1]
        elif kind == 2:
            varied = photo * rng.uniform(0.5, 1.6)
        elif kind == 3:
            varied = photo[rng.permutation(3)] + rng.uniform(-0.3, 0.3)
        yield np.ascontiguousarray(np.clip(varied, -127 / 128, 1))[None].astype(np.float32)


@torch.inference_mode()
def gap(model: lite0.Lite0, features: Array, inputs: Array) -> float:
    return float(np.abs(model(torch.from_numpy(inputs)).numpy() - features).max())
