"""Tiny image models in the formats of Hugging Face and timm, made on the spot."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tiny_media import library

SIDE = 32
_SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": SIDE,
    "patch_size": 8,
}


def _squeezing(transformers: Any) -> Any:
    return transformers.ViTImageProcessor(size={"height": SIDE, "width": SIDE})


def _cropping(transformers: Any) -> Any:
    return transformers.BitImageProcessor(size={"shortest_edge": 36}, crop_size={"height": SIDE, "width": SIDE})


def _vit() -> tuple[Any, Any]:
    transformers = library("transformers")
    return transformers.ViTModel(transformers.ViTConfig(**_SMALL)), transformers.ViTImageProcessor(
        size={"height": SIDE, "width": SIDE}
    )


def _vit_classifier() -> tuple[Any, Any]:
    transformers = library("transformers")
    processor = _squeezing(transformers)
    return transformers.ViTForImageClassification(transformers.ViTConfig(**_SMALL, num_labels=5)), processor


def _dinov2() -> tuple[Any, Any]:
    transformers = library("transformers")
    processor = _cropping(transformers)
    return transformers.Dinov2Model(transformers.Dinov2Config(**_SMALL)), processor


def _dinov2_registers() -> tuple[Any, Any]:
    transformers = library("transformers")
    processor = _cropping(transformers)
    return transformers.Dinov2WithRegistersModel(
        transformers.Dinov2WithRegistersConfig(**_SMALL, num_register_tokens=3)
    ), processor


def _dinov3() -> tuple[Any, Any]:
    transformers = library("transformers")
    processor = transformers.DINOv3ViTImageProcessor(size={"height": SIDE, "width": SIDE})
    return transformers.DINOv3ViTModel(transformers.DINOv3ViTConfig(**_SMALL, num_register_tokens=3)), processor


def _resnet() -> tuple[Any, Any]:
    transformers = library("transformers")
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 32, 64], depths=[1] * 4, layer_type="basic"
    )
    return transformers.ResNetModel(config), transformers.ConvNextImageProcessor(
        size={"shortest_edge": SIDE}, crop_pct=0.875
    )


def _bottleneck() -> tuple[Any, Any]:
    transformers = library("transformers")
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[16, 32], depths=[2, 2], layer_type="bottleneck", downsample_in_bottleneck=False
    )
    return transformers.ResNetModel(config), _squeezing(transformers)


def _swin() -> tuple[Any, Any]:
    transformers = library("transformers")
    config = transformers.SwinConfig(
        image_size=SIDE, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[2, 2], window_size=4
    )
    return transformers.SwinModel(config), _squeezing(transformers)


def _mae() -> tuple[Any, Any]:
    transformers = library("transformers")
    return transformers.ViTMAEModel(transformers.ViTMAEConfig(**_SMALL)), transformers.ViTImageProcessor(
        size={"height": SIDE, "width": SIDE}
    )


_STAGES: dict[str, Any] = {"hidden_sizes": [8, 16, 32, 64], "depths": [1] * 4}
_MORE: dict[str, tuple[str, dict[str, Any]]] = {
    "deit": ("DeiT", _SMALL),
    "vit_msn": ("ViTMSN", _SMALL),
    "beit": ("Beit", _SMALL),
    "data2vec-vision": ("Data2VecVision", _SMALL),
    "clip_vision_model": ("CLIPVision", _SMALL),
    "siglip_vision_model": ("SiglipVision", _SMALL),
    "ijepa": ("IJepa", _SMALL),
    "swinv2": ("Swinv2", {"image_size": SIDE, "patch_size": 4, "embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2]}),
    "regnet": ("RegNet", {**_STAGES, "embedding_size": 8, "groups_width": 8}),
    "convnext": ("ConvNext", _STAGES),
    "convnextv2": ("ConvNextV2", _STAGES),
    "dinov3_convnext": ("DINOv3ConvNext", _STAGES),
    "mobilenet_v2": ("MobileNetV2", {"depth_multiplier": 0.1}),
}


def _more(kind: str) -> tuple[Any, Any]:
    transformers = library("transformers")
    name, small = _MORE[kind]
    config = getattr(transformers, f"{name}Config")(**small)
    return getattr(transformers, f"{name}Model")(config), _squeezing(transformers)


KINDS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "vit": _vit,
    "vit-classifier": _vit_classifier,
    "dinov2": _dinov2,
    "dinov2-registers": _dinov2_registers,
    "dinov3": _dinov3,
    "resnet": _resnet,
    "bottleneck": _bottleneck,
    "swin": _swin,
    "mae": _mae,
    **{kind: partial(_more, kind) for kind in _MORE},
}


def make(folder: Path, kind: str, *, seed: int = 0) -> Path:
    """Write a model of transformers with random weights and its preprocessing."""
    torch = library("torch")
    torch.manual_seed(seed)
    model, processor = KINDS[kind]()
    _randomize(model, 0.5 if kind == "mobilenet_v2" else 0.15)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def make_timm(folder: Path, architecture: str, *, classes: int = 5, seed: int = 0, **arguments: Any) -> Path:
    """Write a model of timm with random weights."""
    timm = library("timm")
    torch = library("torch")
    safetensors = library("safetensors.torch")
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    model: Any = timm.create_model(architecture, num_classes=classes, **arguments)
    _randomize(model)
    config = {
        "architecture": architecture,
        "num_classes": classes,
        "num_features": model.num_features,
        "model_args": arguments,
        "pretrained_cfg": {
            "input_size": [3, SIDE, SIDE],
            "crop_pct": 0.9,
            "num_classes": classes,
            "classifier": model.pretrained_cfg.get("classifier"),
            "first_conv": model.pretrained_cfg.get("first_conv"),
        },
    }
    (folder / "config.json").write_text(json.dumps(config))
    safetensors.save_file(model.state_dict(), folder / "model.safetensors")
    return folder


def _randomize(model: Any, much: float = 0.15) -> None:
    """Weights that let inputs through: fresh ones are so small that all pictures look nearly alike."""
    torch = library("torch")
    with torch.no_grad():
        for one in model.parameters():
            one.add_(torch.randn_like(one) * much)


def without(folder: Path, copy: Path, key: str, *, extra: str | None = None) -> Path:
    """A copy of a folder whose checkpoint lacks the weight `key` (if there is one) and has one that it should not."""
    import shutil

    torch = library("torch")
    safetensors = library("safetensors.torch")
    shutil.copytree(folder, copy)
    (weights,) = copy.glob("*.safetensors")
    state = safetensors.load_file(weights)
    if key:
        del state[key]
    if extra is not None:
        state[extra] = torch.ones(3)
    safetensors.save_file(state, weights, metadata={"format": "pt"})
    return copy
