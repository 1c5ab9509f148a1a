"""The offline starter space: text, image and audio towers on onnxruntime and numpy, with weights that ship."""

from __future__ import annotations

from dataclasses import dataclass

from octant.backends.starter.audio import AudioEncoder, AudioNative, AudioTrunk
from octant.backends.starter.image import ImageEncoder, ImageNative, ImageTrunk
from octant.backends.starter.text import TextEncoder
from octant.backends.starter.weights import Weights

__all__ = [
    "AudioEncoder",
    "AudioNative",
    "AudioTrunk",
    "ImageEncoder",
    "ImageNative",
    "ImageTrunk",
    "Starter",
    "TextEncoder",
    "Weights",
    "starter",
]


@dataclass(frozen=True, slots=True)
class Starter:
    """The encoders of one set of weights; those of one modality share a trunk (one decode, one forward pass)."""

    text: TextEncoder
    image: ImageEncoder
    audio: AudioEncoder
    image_native: ImageNative
    audio_native: AudioNative


def starter(weights: Weights | None = None) -> Starter:
    """Make the five encoders. Cheap: weights are read and verified at the first encode."""
    weights = weights or Weights()
    photos, sounds = ImageTrunk(weights), AudioTrunk(weights)
    return Starter(
        TextEncoder(weights), ImageEncoder(photos), AudioEncoder(sounds), ImageNative(photos), AudioNative(sounds)
    )
