"""Towers exported to ONNX, run by OpenVINO (extra `openvino`): the folders that `octant.backends.onnx` writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from pydantic import Field

from octant.backends.exported import ExportedImage, ExportedOptions, ExportedText, Run, load_towers
from octant.backends.torched import import_of
from octant.family import Family, Known, Options
from octant.media import Modality
from octant.vectors import Array

__all__ = ["FAMILY", "OpenvinoImage", "OpenvinoOptions", "OpenvinoText"]


class OpenvinoOptions(Options):
    """What may be asked of a tower run by OpenVINO: float32 alone, for graphs in int8 are slower here than those."""

    threads: int | None = Field(default=None, ge=1)
    """Threads per forward pass; None is one per processor, at most four."""
    batch: int | None = Field(default=None, ge=1)
    """Media per forward pass; None finds it out on the first work."""

    @property
    def exported(self) -> ExportedOptions:
        """The same, as an exported tower is asked for it."""
        return ExportedOptions(threads=self.threads, batch=self.batch)


class OpenvinoText(ExportedText):
    """Texts as unit vectors, by a text tower that `octant.backends.onnx.export_text` has written."""

    def __init__(self, folder: Path | str, options: OpenvinoOptions | None = None) -> None:
        super().__init__("openvino", Path(folder), (options or OpenvinoOptions()).exported, compiled)


class OpenvinoImage(ExportedImage):
    """Images as unit vectors, by an image tower that `octant.backends.onnx.export_image` has written."""

    def __init__(self, folder: Path | str, options: OpenvinoOptions | None = None) -> None:
        super().__init__("openvino", Path(folder), (options or OpenvinoOptions()).exported, compiled)


def compiled(path: Path, threads: int | None) -> Run:
    """Compile a graph by OpenVINO for the CPU, in float32 also where the processor would like bfloat16 better."""
    from octant.backends.starter.weights import threads as processors

    library = import_of("openvino", "openvino")
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads or processors(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    model = library.Core().compile_model(library.Core().read_model(path), "CPU", settings)

    def run(inputs: Mapping[str, NDArray[Any]]) -> Array:
        rows: Array = model(dict(inputs))[0].copy()  # its own is overwritten by the next pass
        return rows

    return run


FAMILY = Family(
    name="openvino",
    summary="towers exported to ONNX, by OpenVINO in float32: a folder that octant has written",
    modules=("openvino",),
    install="pip install 'octant-search[openvino]'",
    options=OpenvinoOptions,
    load=lambda model, options: load_towers("openvino", model, options.exported, compiled),
    known=(Known("FOLDER", (Modality.TEXT, Modality.IMAGE), None, "that of its model", note="see export_text"),),
    roles=True,
)
