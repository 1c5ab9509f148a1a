"""Torch module to ONNX, and ONNX to static int8 (QDQ, per channel)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

__all__ = ["export", "quantize", "session"]


def export(model: torch.nn.Module, example: torch.Tensor, path: Path, *, free: dict[int, str]) -> None:
    """Write `model` as float32 ONNX with one input `x` and one output `y`; `free` names the input's open axes."""
    model.eval()
    torch.onnx.export(
        model,
        (example,),
        str(path),
        input_names=["x"],
        output_names=["y"],
        dynamic_axes={"x": free, "y": {0: free[0]}},
        opset_version=17,
        dynamo=False,
    )


def quantize(source: Path, target: Path, samples: Iterable[NDArray[np.float32]], *, floating: int = 0) -> None:
    """Quantize with the ranges of `samples`, each a batch of the input; the first `floating` convolutions stay."""
    prepared = source.with_suffix(".prepared.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    convolutions = [node.name for node in onnx.load(prepared).graph.node if node.op_type == "Conv"]
    quantize_static(
        str(prepared),
        str(target),
        Samples(iter(samples)),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
        nodes_to_exclude=convolutions[:floating],
    )


class Samples(CalibrationDataReader):
    """What onnxruntime asks for calibration inputs."""

    def __init__(self, samples: Iterator[NDArray[np.float32]]) -> None:
        self.samples = samples

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        sample = next(self.samples, None)
        return None if sample is None else {"x": sample}


def session(path: Path) -> onnxruntime.InferenceSession:
    """Open a model on two threads, as the measurements do."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
