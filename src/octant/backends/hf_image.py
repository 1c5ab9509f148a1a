"""Image models of Hugging Face without texts: ViT, DINOv2, DINOv3, ResNet and others (extra `transformers`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from octant.backends.checkpoints import said_of
from octant.backends.torched import TorchOptions, import_of, inference, on_device, rows_of, whole
from octant.backends.towers import (
    ImageTower,
    Inputs,
    called,
    from_hub,
    identity,
    image_processor_of,
    is_cropped,
    middle_of,
    preprocessing_of,
    seen_side,
    sharp,
)
from octant.encoding import Encoder, EncoderSpec, Role
from octant.errors import EncoderError
from octant.family import Family, Known
from octant.media import Image, Modality
from octant.vectors import Array, Vector, normalize

if TYPE_CHECKING:
    import PIL.Image

__all__ = ["FAMILY", "HfImage", "HfImageOptions"]

Pooling = Literal["cls", "mean", "gap", "pooler"]


class HfImageOptions(TorchOptions):
    """What an image model can be asked for."""

    pooling: Pooling | None = None
    """How one vector is made of what the model says of each place; None is what the architecture was made for.

    cls: the class token's row. mean: the mean of the patches, without class and register tokens. gap: the mean over a
    map of features (ResNet, ConvNeXt) or over all tokens of a model without class token (Swin). pooler: what the model
    itself gives as `pooler_output`.
    """


@dataclass(frozen=True, slots=True)
class _Kind:
    pooling: Pooling
    """What the architecture was made for."""
    ahead: int | None = None
    """Tokens before the patches, beside registers; None where it makes a map."""


_KINDS = {
    "vit": _Kind("cls", 1),
    "deit": _Kind("cls", 2),
    "vit_msn": _Kind("cls", 1),
    "beit": _Kind("pooler", 1),
    "data2vec-vision": _Kind("mean", 1),
    "dinov2": _Kind("cls", 1),
    "dinov2_with_registers": _Kind("cls", 1),
    "dinov3_vit": _Kind("cls", 1),
    "clip_vision_model": _Kind("pooler", 1),
    "siglip_vision_model": _Kind("pooler", 0),
    "ijepa": _Kind("mean", 0),
    "swin": _Kind("pooler", 0),
    "swinv2": _Kind("pooler", 0),
    "resnet": _Kind("pooler"),
    "regnet": _Kind("pooler"),
    "convnext": _Kind("pooler"),
    "convnextv2": _Kind("pooler"),
    "dinov3_convnext": _Kind("pooler", 1),  # before its map it has the mean of it
    "mobilenet_v2": _Kind("pooler"),
}
_HEADS = ("classifier", "cls_classifier", "distillation_classifier", "head", "fc", "decoder")
"""Weights of classifiers and the like, which are not asked for."""


class HfImage:
    """An image model of transformers, its vectors of unit length.

    `model` is a hub's name or a folder. Raises MissingExtra without transformers, WeightsError where weights that are
    needed are missing, left over or do not fit, EncoderError where it makes no vectors of images as it is asked to.
    """

    def __init__(self, model: str, options: HfImageOptions = HfImageOptions()) -> None:  # noqa: B008
        library = import_of("transformers", "transformers")
        loaded, keys = from_hub(library.AutoModel, model, options)
        self._name = model
        self._kind = _KINDS.get(loaded.config.model_type)
        self._pooling = _pooling(model, loaded.config.model_type, self._kind, options.pooling)
        missing = keys["missing_keys"]
        if self._pooling != "pooler" and any(key.startswith("pooler.") for key in missing):
            missing = [key for key in missing if not key.startswith("pooler.")]
            loaded.pooler = None  # its weights would be random, and are not asked for
        whole(model, missing, [key for key in keys["unexpected_keys"] if not key.startswith(_HEADS)])
        self._model = on_device(loaded, model, options)
        self._registers = int(getattr(loaded.config, "num_register_tokens", 0) or 0)
        self._pictures = image_processor_of(library, model, options)
        shape = preprocessing_of(self._pictures)
        self._is_cropped = is_cropped(shape)
        notes = said_of(loaded.config), shape, [self._pooling, options.dtype]
        who = identity("hf_image", model, self._model, *notes)
        self.spec = EncoderSpec(who, Modality.IMAGE, self._probe(), pixels=sharp(seen_side(shape)))
        self._tower = ImageTower(self.spec, self._prepare, self._rows, batch=options.batch)

    def encode(self, batch: Sequence[Image], role: Role) -> list[Vector]:
        """Encode images: one vector each. An ExceptionGroup with one MediaError for each that cannot be decoded."""
        return self._tower.encode(batch, role)

    def _prepare(self, picture: PIL.Image.Image) -> Inputs:
        seen = middle_of(picture) if self._is_cropped else picture
        return dict(self._pictures(images=[seen], return_tensors="pt"))

    def _rows(self, inputs: Inputs) -> Sequence[Array]:
        said = self._model(**called(self._model, inputs))
        return list(normalize(rows_of(self._pooled(said))))

    def _pooled(self, said: Any) -> Any:
        last: Any = said.last_hidden_state
        match self._pooling:
            case "pooler":
                pooled: Any = getattr(said, "pooler_output", None)
                if pooled is None:
                    raise EncoderError(self._name, "has no pooler; ask for pooling=cls, mean or gap")
                return pooled.flatten(1)
            case "cls":
                return last[:, 0]
            case "mean":
                ahead = self._kind.ahead if self._kind and self._kind.ahead else 0
                return last[:, ahead + self._registers :].mean(dim=1)
            case _:  # gap
                return last.mean(dim=(2, 3)) if last.ndim == 4 else last.mean(dim=1)

    def _probe(self) -> int:
        """The length of its vectors. EncoderError where it makes none, or others of the same picture each time."""
        import PIL.Image

        grey = self._prepare(PIL.Image.linear_gradient("L").convert("RGB"))
        try:
            with inference():
                first, second = self._rows(grey)[0], self._rows(grey)[0]
        except EncoderError:
            raise
        except (AttributeError, TypeError, ValueError, RuntimeError) as error:
            raise EncoderError(self._name, f"makes no vectors of images: {error}") from error
        if first.ndim != 1 or not (first == second).all():
            raise EncoderError(self._name, "makes other vectors of the same image each time; it was made for training")
        return len(first)


def _pooling(model: str, name: str, kind: _Kind | None, asked: Pooling | None) -> Pooling:
    """The pooling to use. EncoderError for one that the architecture cannot do, or that is not known of it."""
    if kind is None:
        if asked not in ("pooler", "gap"):
            raise EncoderError(model, f"octant does not know which tokens {name} has; ask for pooling=pooler or gap")
        return asked
    can: dict[int | None, tuple[Pooling, ...]] = {None: ("gap",), 0: ("mean", "gap")}
    also = can.get(kind.ahead, ("cls", "mean"))
    if asked is not None and asked != "pooler" and asked not in also:
        raise EncoderError(model, f"{name} has no pooling={asked}; it has pooler, {', '.join(also)}")
    return asked or kind.pooling


def _encoders(model: str, options: HfImageOptions) -> Sequence[Encoder[Any]]:
    return [HfImage(model, options)]


_IMAGE = (Modality.IMAGE,)
FAMILY = Family(
    name="hf_image",
    summary="ViT, DINOv2, DINOv3, ResNet and other image models of Hugging Face: image finds image",
    modules=("transformers", "torch", "torchvision"),
    install="pip install 'octant-search[transformers]'",
    options=HfImageOptions,
    load=_encoders,
    known=(
        Known("facebook/dinov2-small", _IMAGE, 384, "Apache-2.0, see its card"),
        Known("facebook/dinov2-base", _IMAGE, 768, "Apache-2.0, see its card"),
        Known("facebook/dinov3-vits16-pretrain-lvd1689m", _IMAGE, 384, "its own, see its card"),
        Known("google/vit-base-patch16-224-in21k", _IMAGE, 768, "see its card"),
        Known("microsoft/resnet-50", _IMAGE, 2048, "see its card"),
    ),
)
