"""CLIP and its relatives in Hugging Face's format: texts and images in one space (extra `transformers`).

Which they are: CLIP, MetaCLIP 2, SigLIP, SigLIP 2 (fixed and any size), ALIGN, FLAVA.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from octant.backends.checkpoints import said_of
from octant.backends.torched import TorchOptions, import_of, inference, on_device, rows_of, whole
from octant.backends.towers import (
    ImageTower,
    Inputs,
    TextTower,
    called,
    from_hub,
    identity,
    image_processor_of,
    is_cropped,
    marks_of,
    middle_of,
    plainly,
    preprocessing_of,
    seen_side,
    sharp,
    tokenizer_of,
)
from octant.encoding import Encoder, EncoderSpec
from octant.errors import EncoderError
from octant.family import Family, Known
from octant.media import Modality
from octant.vectors import Array, normalize

if TYPE_CHECKING:
    import PIL.Image

__all__ = ["FAMILY", "HfClip"]


@dataclass(frozen=True, slots=True)
class _Texts:
    """How an architecture was taught to read texts."""

    length: int | None = None
    """Tokens with the special ones; None is as many as it has positions."""
    is_padded: bool = False
    """Whether every text is filled up to that length: SigLIP pools the last place, padding or not."""
    is_first: bool = False
    """Whether its features are one row for each token, of which the first stands for all."""


_KINDS = {
    "clip": _Texts(),
    "metaclip_2": _Texts(),
    "siglip": _Texts(64, is_padded=True),
    "siglip2": _Texts(64, is_padded=True),
    "align": _Texts(64),
    "flava": _Texts(77, is_first=True),
}


class HfClip:
    """A CLIP-like model of transformers: `text` and `image` are encoders of one space, vectors of unit length.

    `model` is a hub's name or a folder. Raises MissingExtra without transformers, WeightsError where weights are
    missing, left over or do not fit, EncoderError for another architecture.
    """

    def __init__(self, model: str, options: TorchOptions = TorchOptions()) -> None:  # noqa: B008
        library = import_of("transformers", "transformers")
        loaded, keys = from_hub(library.AutoModel, model, options)
        kind: str = loaded.config.model_type
        if kind not in _KINDS:
            raise EncoderError(model, f"is {kind}, which is none of {', '.join(_KINDS)}")
        whole(model, keys["missing_keys"], [key for key in keys["unexpected_keys"] if not key.startswith(_HEADS)])
        self._model = on_device(loaded, model, options)
        self._kind = _KINDS[kind]
        self._pictures = image_processor_of(library, model, options)
        self._tokenizer, reading = tokenizer_of(library, model, options)
        positions = int(loaded.config.text_config.max_position_embeddings)
        self._length = min(self._kind.length or positions, positions)
        limit = self._length - reading.special
        shape = preprocessing_of(self._pictures)
        who = identity(
            *("hf_clip", model, self._model, said_of(loaded.config), shape, reading.told),
            [self._length, self._kind.is_padded, options.dtype],
        )
        self._is_cropped = is_cropped(shape)
        dim = self._probe(model)
        self.text = TextTower(
            EncoderSpec(who, Modality.TEXT, dim, tokens=limit),
            reading.spans,
            self._read,
            self._texts,
            plain=plainly(marks_of(self._tokenizer)),
            is_filled=self._kind.is_padded,
            batch=options.batch,
        )
        self.image = ImageTower(
            EncoderSpec(who, Modality.IMAGE, dim, pixels=sharp(seen_side(shape))),
            self._prepare,
            self._images,
            batch=options.batch,
        )

    def _probe(self, model: str) -> int:
        """The length of its vectors. EncoderError where those of texts and images differ in it."""
        import PIL.Image

        with inference():
            text = self._texts(self._read(["a"]))[0]
            image = self._images(self._prepare(PIL.Image.linear_gradient("L").convert("RGB")))[0]
        if text.shape != image.shape or text.ndim != 1:
            raise EncoderError(model, f"makes {text.shape} of texts and {image.shape} of images: that is no space")
        return len(text)

    def _prepare(self, picture: PIL.Image.Image) -> Inputs:
        seen = middle_of(picture) if self._is_cropped else picture
        return dict(self._pictures(images=[seen], return_tensors="pt"))

    def _read(self, texts: Sequence[str]) -> Inputs:
        filled: dict[str, Any] = {"padding": True}
        if self._kind.is_padded:
            filled = {"padding": "max_length", "max_length": self._length}
        return dict(self._tokenizer(list(texts), return_tensors="pt", **filled))

    def _texts(self, inputs: Inputs) -> Sequence[Array]:
        return self._rows(self._model.get_text_features, inputs)

    def _images(self, inputs: Inputs) -> Sequence[Array]:
        return self._rows(self._model.get_image_features, inputs)

    def _rows(self, features: Any, inputs: Inputs) -> Sequence[Array]:
        made = features(**called(self._model, inputs)).pooler_output
        return list(normalize(rows_of(made[:, 0] if self._kind.is_first else made)))


_HEADS = ("image_codebook", "mim_head", "mlm_head", "mmm_", "itm_head", "image_to_text_projection", "text_to_image")
"""Weights of checkpoints for pretraining (FLAVA) that no features come from."""


def _encoders(model: str, options: TorchOptions) -> Sequence[Encoder[Any]]:
    loaded = HfClip(model, options)
    return [loaded.text, loaded.image]


_BOTH = (Modality.TEXT, Modality.IMAGE)
FAMILY = Family(
    name="hf_clip",
    summary="CLIP, MetaCLIP 2, SigLIP, SigLIP 2, ALIGN and FLAVA of Hugging Face",
    modules=("transformers", "torch", "torchvision"),
    install="pip install 'octant-search[transformers]'",
    options=TorchOptions,
    load=_encoders,
    known=(
        Known("openai/clip-vit-base-patch32", _BOTH, 512, "see its card"),
        Known("google/siglip2-base-patch16-224", _BOTH, 768, "Apache-2.0, see its card", note="multilingual"),
        Known("google/siglip2-so400m-patch14-384", _BOTH, 1152, "Apache-2.0, see its card", note="for a GPU"),
    ),
)
