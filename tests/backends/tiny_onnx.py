"""Exported towers of a few thousand weights, and what they were exported from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tiny_hf_clip
import tiny_images
from tiny_text import bert

from octant.backends.hf_text import HfTextOptions
from octant.backends.onnx import export_image, export_text

OPTIONS = HfTextOptions(query="query: ", document="passage: ")


@dataclass(frozen=True, slots=True)
class Towers:
    bert: Path
    """A model of transformers, exported as `text` with a mean, prompts and int8."""
    text: Path
    clip: Path
    """Exported, both towers, as `space` with int8."""
    space: Path
    vit: Path
    """Exported as `image`."""
    image: Path


def towers(home: Path) -> Towers:
    """Write tiny models and export them."""
    made = Towers(
        bert=bert(home / "bert"),
        text=home / "minibert",
        clip=tiny_hf_clip.make(home / "clip", "clip"),
        space=home / "space",
        vit=tiny_images.make(home / "vit", "vit"),
        image=home / "minivit",
    )
    export_text(made.bert, made.text, OPTIONS, precision="int8")
    export_text(made.clip, made.space / "text", precision="int8")
    export_image(made.clip, made.space / "image", precision="int8")
    export_image(made.vit, made.image)
    return made
