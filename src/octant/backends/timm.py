"""Image models of timm: features before the classifier (extra `timm`)."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octant.backends.checkpoints import place_of
from octant.backends.torched import TorchOptions, import_of, inference, on_device, rows_of, whole
from octant.backends.towers import ImageTower, Inputs, called, identity, middle_of, sharp
from octant.encoding import Encoder, EncoderSpec, Role
from octant.errors import EncoderError, WeightsError
from octant.family import Family, Known
from octant.media import Image, Modality
from octant.vectors import Array, Vector, normalize

if TYPE_CHECKING:
    import PIL.Image

__all__ = ["FAMILY", "Timm"]


class Timm:
    """An image model of timm without its classifier, pooled as it was made to be, its vectors of unit length.

    `model` is a name of `timm.list_pretrained()`, hf-hub:ORG/NAME, or a folder that has config.json and the weights.
    Raises MissingExtra without timm, WeightsError where weights are missing, left over or do not fit.
    """

    def __init__(self, model: str, options: TorchOptions = TorchOptions()) -> None:  # noqa: B008
        library = import_of("timm", "timm")
        data = import_of("timm.data", "timm")
        self._model = on_device(_load(library, model, options), model, options)
        shape: dict[str, Any] = data.resolve_model_data_config(self._model)
        self._transform: Any = data.create_transform(**shape, is_training=False)
        side = max(shape["input_size"][1:])
        self._is_cropped = shape.get("crop_mode", "center") == "center"
        config: dict[str, Any] = self._model.pretrained_cfg
        notes = {key: config.get(key) for key in ("architecture", "global_pool", "pool_size")}
        told = {key: str(value) for key, value in shape.items()}
        pooling = str(getattr(self._model, "global_pool", None))
        who = identity("timm", model, self._model, notes, told, _made_of(self._model), [pooling, options.dtype])
        with inference():
            import PIL.Image

            dim = len(self._rows(self._prepare(PIL.Image.new("RGB", (side, side))))[0])
        seen = int(side / shape.get("crop_pct", 1.0)) if self._is_cropped else side
        self.spec = EncoderSpec(who, Modality.IMAGE, dim, pixels=sharp(seen))
        self._tower = ImageTower(self.spec, self._prepare, self._rows, batch=options.batch)

    def encode(self, batch: Sequence[Image], role: Role) -> list[Vector]:
        """Encode images: one vector each. An ExceptionGroup with one MediaError for each that cannot be decoded."""
        return self._tower.encode(batch, role)

    def _prepare(self, picture: PIL.Image.Image) -> Inputs:
        return {"x": self._transform(middle_of(picture) if self._is_cropped else picture)[None]}

    def _rows(self, inputs: Inputs) -> Sequence[Array]:
        made = self._model(**called(self._model, inputs))
        return list(normalize(rows_of(made)))


def _load(library: Any, model: str, options: TorchOptions) -> Any:
    """Load with the classifier, and take it off: without it, timm does not mind what a checkpoint lacks."""
    where = place_of(model)
    source = f"local-dir:{where}" if Path(where).is_dir() else model
    if options.revision is not None:
        if not model.startswith("hf-hub:"):
            raise EncoderError(model, "only hf-hub:ORG/NAME has revisions")
        source = f"{source}@{options.revision}"
    try:
        with _missing() as missing:
            loaded = library.create_model(source, pretrained=True)
        resized = _resized(source, loaded)
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        raise WeightsError(
            model,
            f"{str(error).strip()}; name one of timm.list_pretrained(), hf-hub:ORG/NAME, or a folder that has "
            "config.json and all weights",
        ) from error
    _require_its_classes(model, loaded)
    whole(model, missing, mismatched=resized)
    loaded.reset_classifier(0)
    return loaded


def _require_its_classes(model: str, loaded: Any) -> None:
    """Raise WeightsError where timm adapted a checkpoint to other classes: it minds no missing weight then."""
    told: dict[str, Any] = loaded.pretrained_cfg
    if told.get("classifier") is not None and loaded.num_classes != told["num_classes"]:
        raise WeightsError(
            model,
            f"its config has {loaded.num_classes} classes in model_args and {told['num_classes']} in pretrained_cfg, "
            "and timm then looks for no missing weights; correct num_classes in config.json",
        )


def _resized(source: str, loaded: Any) -> list[str]:
    """The weights of which a checkpoint has more or fewer: timm interpolates those of positions to another size."""
    kind, colon, where = source.partition(":")
    if not colon:
        return []  # what is built is what timm says itself
    files = import_of("timm.models._hub", "timm")
    read = files.load_state_dict_from_path if kind == "local-dir" else files.load_state_dict_from_hf
    found: dict[str, Any] = read(where)
    built: dict[str, Any] = loaded.state_dict()
    if not built.keys() <= found.keys():
        return []  # of another library, whose names timm translates
    classifier = str(loaded.pretrained_cfg.get("classifier"))  # some have a class that timm leaves out
    return [key for key in built if not key.startswith(classifier) and built[key].numel() != found[key].numel()]


@contextmanager
def _missing() -> Generator[list[str]]:
    """The weights that timm finds missing while it loads: where it is not strict, it tells its log alone."""
    logger = logging.getLogger("timm.models._builder")
    level, shown = logger.level, logger.getEffectiveLevel()
    missing: list[str] = []

    def hear(record: logging.LogRecord) -> bool:
        said = record.getMessage()
        if said.startswith("Missing keys ("):
            missing.extend(said.partition("(")[2].partition(")")[0].split(", "))
        return record.levelno >= shown

    logger.addFilter(hear)
    logger.setLevel(min(shown, logging.INFO))
    try:
        yield missing
    finally:
        logger.setLevel(level)
        logger.removeFilter(hear)


def _made_of(model: Any) -> list[list[str]]:
    """What of a model is not seen in its weights, part by part."""
    names = ("num_heads", "eps", "stride", "padding", "dilation", "groups")
    parts = ([str(getattr(part, name, "")) for name in names] for part in model.modules())
    return [one for one in parts if any(one)]


def _encoders(model: str, options: TorchOptions) -> Sequence[Encoder[Any]]:
    return [Timm(model, options)]


_IMAGE = (Modality.IMAGE,)
FAMILY = Family(
    name="timm",
    summary="Image models of timm without their classifiers: image finds image",
    modules=("timm", "torch", "torchvision"),
    install="pip install 'octant-search[timm]'",
    options=TorchOptions,
    load=_encoders,
    known=(
        Known("vit_small_patch14_dinov2.lvd142m", _IMAGE, 384, "Apache-2.0, see its card"),
        Known("resnet50.a1_in1k", _IMAGE, 2048, "Apache-2.0, see its card"),
        Known("mobilenetv4_conv_small.e2400_r224_in1k", _IMAGE, 1280, "Apache-2.0, see its card", note="for a CPU"),
    ),
)
