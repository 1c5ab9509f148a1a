"""The offline starter space: text, image and audio towers on onnxruntime and numpy, with weights that ship."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from octant.backends.starter.audio import AudioEncoder, AudioNative, AudioTrunk
from octant.backends.starter.image import ImageEncoder, ImageNative, ImageTrunk
from octant.backends.starter.text import TextEncoder
from octant.backends.starter.weights import Weights
from octant.encoding import Encoder
from octant.errors import EncoderError
from octant.family import Family, Known, Options
from octant.media import Modality

__all__ = [
    "FAMILY",
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


def _load(model: str, options: Options) -> Sequence[Encoder[Any]]:
    del options
    towers = starter()
    spaces: dict[str, tuple[Encoder[Any], ...]] = {
        "meaning": (towers.text, towers.image, towers.audio),
        "look": (towers.image_native,),
        "sound": (towers.audio_native,),
    }
    if model not in spaces:
        raise EncoderError(f"starter:{model}", f"the starter's spaces are {', '.join(spaces)}")
    return spaces[model]


_LICENCE = "Apache-2.0; see MODEL_CARD.md"
FAMILY = Family(
    name="starter",
    summary="The small offline towers that come with octant: no network, no torch",
    modules=("onnxruntime",),
    install="pip install octant-search",
    options=Options,
    load=_load,
    known=(
        Known("meaning", (Modality.TEXT, Modality.IMAGE, Modality.AUDIO), 384, _LICENCE, note="any to any"),
        Known("look", (Modality.IMAGE,), 128, _LICENCE, note="image to image"),
        Known("sound", (Modality.AUDIO,), 128, _LICENCE, note="sound to sound"),
    ),
)
