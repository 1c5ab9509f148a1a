"""Towers exported to ONNX: what lies in their folder, and encoders that run it by whatever runtime is given.

A folder holds `model.onnx`, maybe `model.int8.onnx`, `octant.json`, and of a text tower `tokenizer.json`. Neither torch
nor transformers is needed to read it: pooling and scaling to unit length are part of the graph.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tokenizers import Encoding, Tokenizer

from octant.backends.batches import Batches, decoded
from octant.backends.tokens import Reading
from octant.backends.towers import middle_of, sharp
from octant.backends.windows import mean_of_windows
from octant.encoding import Encoder, EncoderSpec, Role
from octant.errors import EncoderError, WeightsError
from octant.family import Options
from octant.media import Image, Modality, Text, decode_image
from octant.vectors import Array, Vector, normalize

if TYPE_CHECKING:
    import PIL.Image

__all__ = [
    "FP32",
    "INT8",
    "SETTINGS",
    "TOKENIZER",
    "Exported",
    "ExportedImage",
    "ExportedOptions",
    "ExportedText",
    "Graph",
    "Open",
    "Pixels",
    "digest_of_file",
    "load_towers",
]

SETTINGS, TOKENIZER = "octant.json", "tokenizer.json"
FP32, INT8 = "model.onnx", "model.int8.onnx"
Precision = Literal["fp32", "int8"]
Run = Callable[[Mapping[str, NDArray[Any]]], Array]
"""A graph that is open: from its inputs by name to [n, dim] unit vectors."""


class ExportedOptions(Options):
    """What may be asked of an exported tower."""

    precision: Precision = "fp32"
    """int8 is there if it was asked for at the export."""
    threads: int | None = Field(default=None, ge=1)
    """Threads per forward pass; None is one per processor, at most four."""
    batch: int | None = Field(default=None, ge=1)
    """Media per forward pass; None finds it out on the first work. In int8 it is always one."""


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Graph(_Plain):
    """One of the graphs of a folder."""

    sha256: str
    """Of its file: an altered one is refused."""
    cosine: float
    """The lowest, between its vectors and those of the model that was exported, of the samples at the export."""
    samples: int


class Pixels(_Plain):
    """How a picture becomes the input of a graph."""

    shortest: int | None
    """The shorter side is scaled to this many pixels; None scales to `size` whatever the shape."""
    size: tuple[int, int]
    """Height and width that the graph sees; with `shortest`, cropped from the middle."""
    resample: int
    """The filter, as Pillow numbers them."""
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class Exported(_Plain):
    """What `octant.json` says of a tower."""

    format: Literal[1] = 1
    modality: Modality
    name: str
    origin: str
    """The identity of the encoder that was exported: its weights, pooling, prompts and preprocessing."""
    dim: int
    pooling: str
    """Part of the graph; noted for the reader."""
    graphs: dict[Precision, Graph]
    longest: int | None = None
    """Tokens that are read at once, special ones and prompt included; None = any number."""
    padding: int = 0
    """The token that fills up shorter texts of a batch."""
    prompts: dict[Role, str] = {}
    pixels: Pixels | None = None


Open = Callable[[Path, int | None], Run]
"""A runtime: opens a graph with a number of threads."""


class ExportedText:
    """Texts as unit vectors, by a text tower that was exported.

    A text that is longer than the model reads at once is read in windows, each with the prompt, and its vector is the
    mean of theirs, weighted by their tokens.
    """

    def __init__(self, family: str, folder: Path, options: ExportedOptions, runtime: Open) -> None:
        """Read a folder. Raises EncoderError and WeightsError as `load_towers` does."""
        self._settings = settings = _settings_of(folder, Modality.TEXT)
        self._run_graph = _opened(folder, settings, options, runtime)
        reader = Tokenizer.from_str((folder / TOKENIZER).read_text(encoding="utf-8"))
        self._read = {
            role: Reading(str(folder), reader, settings.longest, settings.prompts.get(role, "")) for role in Role
        }
        self._batches: Batches[Encoding, Array] = Batches(self._run, size=_batch(options))
        rooms = [reading.room for reading in self._read.values() if reading.room is not None]
        self.spec = EncoderSpec(
            identity=_identity(family, settings, options, reader.to_str()),
            modality=Modality.TEXT,
            dim=settings.dim,
            tokens=min(rooms, default=None),
        )

    def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
        """Encode texts."""
        reading = self._read[role]
        windows = reading.windows([text.content for text in batch])
        flat = [encoding for several in windows for _, encoding in several]
        rows = iter(self._batches(flat, [len(encoding.ids) for encoding in flat]))
        return [
            mean_of_windows([next(rows) for _ in several], [reading.length(encoding) for _, encoding in several])
            for several in windows
        ]

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Where the tokens of a text lie: start and end in characters, in order."""
        return self._read[Role.DOCUMENT].spans(text)

    def _run(self, batch: Sequence[Encoding]) -> list[Array]:
        ids = np.full((len(batch), max(len(one.ids) for one in batch)), self._settings.padding, np.int64)
        mask = np.zeros_like(ids)
        for row, one in enumerate(batch):
            ids[row, : len(one.ids)], mask[row, : len(one.ids)] = one.ids, 1
        return list(self._run_graph({"input_ids": ids, "attention_mask": mask}))


class ExportedImage:
    """Images as unit vectors, by an image tower that was exported. Pixels are prepared by Pillow."""

    def __init__(self, family: str, folder: Path, options: ExportedOptions, runtime: Open) -> None:
        """Read a folder. Raises EncoderError and WeightsError as `load_towers` does."""
        settings = _settings_of(folder, Modality.IMAGE)
        if settings.pixels is None:
            raise EncoderError(str(folder), f"{SETTINGS} does not say how pixels are prepared; export it again")
        self._pixels = settings.pixels
        self._run_graph = _opened(folder, settings, options, runtime)
        self._batches: Batches[Array, Array] = Batches(self._run, size=_batch(options))
        self.spec = EncoderSpec(
            identity=_identity(family, settings, options, ""),
            modality=Modality.IMAGE,
            dim=settings.dim,
            pixels=sharp(self._pixels.shortest or max(self._pixels.size)),
        )

    def encode(self, batch: Sequence[Image], role: Role) -> list[Vector]:  # noqa: ARG002
        """Encode images; an ExceptionGroup with one MediaError for each that cannot be decoded."""
        prepared = decoded(self._prepare, batch)
        return [normalize(row) for row in self._batches(prepared, [1] * len(prepared))]

    def _prepare(self, image: Image) -> Array:
        return pixels_of(decode_image(image, shortest=self.spec.pixels), self._pixels)

    def _run(self, batch: Sequence[Array]) -> list[Array]:
        return list(self._run_graph({"pixel_values": np.stack(batch)}))


def pixels_of(picture: PIL.Image.Image, pixels: Pixels) -> Array:
    """Scale, crop and normalise a picture: [3, height, width]."""
    import PIL.Image

    height, width = pixels.size
    picture = picture.convert("RGB")
    if pixels.shortest is None:
        picture = picture.resize((width, height), PIL.Image.Resampling(pixels.resample))
    else:
        picture = middle_of(picture)
        short, long = sorted(picture.size)
        other = int(pixels.shortest * long / short)
        scaled = (pixels.shortest, other) if picture.width <= picture.height else (other, pixels.shortest)
        picture = picture.resize(scaled, PIL.Image.Resampling(pixels.resample))
        left, top = (picture.width - width) // 2, (picture.height - height) // 2
        picture = picture.crop((left, top, left + width, top + height))
    values = np.asarray(picture, np.float32) * np.float32(pixels.scale)
    scaled_values = (values - np.asarray(pixels.mean, np.float32)) / np.asarray(pixels.std, np.float32)
    return np.ascontiguousarray(scaled_values.transpose(2, 0, 1))


def load_towers(family: str, model: str, options: ExportedOptions, runtime: Open) -> list[Encoder[Any]]:
    """Load the tower of a folder, or the towers in its folders `text` and `image`, which are of one space.

    Raises EncoderError for a folder that is not there or has no tower of that precision, WeightsError where a graph is
    not the one that was exported.
    """
    folder = Path(model).expanduser()
    towers = [one for one in (folder, folder / "text", folder / "image") if (one / SETTINGS).is_file()]
    if not towers:
        remedy = "name a folder that octant.backends.onnx.export_text or export_image has written"
        raise EncoderError(f"{family}:{model}", f"there is no {SETTINGS} in it; {remedy}")
    kinds: dict[Modality, Any] = {Modality.TEXT: ExportedText, Modality.IMAGE: ExportedImage}
    return [kinds[_settings_of(one).modality](family, one, options, runtime) for one in towers]


def digest_of_file(path: Path) -> str:
    """The SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _settings_of(folder: Path, modality: Modality | None = None) -> Exported:
    try:
        settings = Exported.model_validate_json((folder / SETTINGS).read_bytes())
    except (OSError, ValidationError) as error:
        raise EncoderError(str(folder), f"{SETTINGS} cannot be read ({error}); export it again") from error
    if modality is not None and settings.modality is not modality:
        raise EncoderError(str(folder), f"is a tower of {settings.modality}, not of {modality}")
    return settings


def _opened(folder: Path, settings: Exported, options: ExportedOptions, runtime: Open) -> Run:
    graph = settings.graphs.get(options.precision)
    if graph is None:
        has = ", ".join(settings.graphs)
        raise EncoderError(str(folder), f"was exported in {has}; export it again with precision={options.precision!r}")
    path = folder / (INT8 if options.precision == "int8" else FP32)
    try:
        found = digest_of_file(path)
    except OSError as error:
        raise WeightsError(path, f"cannot be read ({error.strerror}); export it again") from error
    if found != graph.sha256:
        raise WeightsError(path, f"sha256 {found[:12]}… is not the exported {graph.sha256[:12]}…; export it again")
    return runtime(path, options.threads)


def _batch(options: ExportedOptions) -> int | None:
    """In int8 one scale is found for all that is in a pass: what a medium is beside would change its vector."""
    return 1 if options.precision == "int8" else options.batch


def _identity(family: str, settings: Exported, options: ExportedOptions, tokenizer: str) -> str:
    """Of what was exported and how: the bytes of a graph differ with the exporter, and do not count."""
    told = settings.model_dump(mode="json", exclude={"graphs", "name"})
    noted = json.dumps([told, options.precision, tokenizer], sort_keys=True)
    return f"{family}:{settings.name}@{hashlib.sha256(noted.encode()).hexdigest()[:16]}"
