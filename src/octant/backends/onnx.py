"""Towers exported to ONNX, run by ONNX Runtime in float32 or int8, and the export itself (extra `onnx`).

from octant.backends.onnx import export_text
export_text("sentence-transformers/all-MiniLM-L6-v2", Path("minilm"), precision="int8")
octant.encoder("onnx:minilm?precision=int8")
"""

from __future__ import annotations

import importlib
import logging
import math
import shutil
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octant.backends.checkpoints import explained, label_of, longest_of, place_of
from octant.backends.exported import (
    FP32,
    INT8,
    SETTINGS,
    TOKENIZER,
    Exported,
    ExportedImage,
    ExportedOptions,
    ExportedText,
    Graph,
    Pixels,
    Precision,
    Run,
    digest_of_file,
    load_towers,
)
from octant.backends.hf_clip import HfClip
from octant.backends.hf_image import HfImage, HfImageOptions
from octant.backends.hf_text import HfText, HfTextOptions
from octant.backends.tokens import reader_of
from octant.backends.torched import TorchOptions, import_of, torch
from octant.backends.towers import preprocessing_of
from octant.encoding import Encoder, Role
from octant.errors import EncoderError, WeightsError
from octant.family import Family, Known
from octant.media import Image, Media, Modality, Text
from octant.vectors import Array, stack

__all__ = ["FAMILY", "OnnxImage", "OnnxText", "export_image", "export_text"]


class OnnxText(ExportedText):
    """Texts as unit vectors, by a text tower that `export_text` has written."""

    def __init__(self, folder: Path | str, options: ExportedOptions | None = None) -> None:
        super().__init__("onnx", Path(folder), options or ExportedOptions(), session)


class OnnxImage(ExportedImage):
    """Images as unit vectors, by an image tower that `export_image` has written."""

    def __init__(self, folder: Path | str, options: ExportedOptions | None = None) -> None:
        super().__init__("onnx", Path(folder), options or ExportedOptions(), session)


def export_text(
    model: str | Path,
    folder: Path,
    options: HfTextOptions | None = None,
    *,
    precision: Precision = "fp32",
    samples: Sequence[str] = (),
) -> Exported:
    """Export a text tower of transformers with its pooling: an encoder of texts (`hf_text`), or the texts of a CLIP.

    `options` are those of the family `hf_text`: pooling (all but attention), prompts, revision. With `precision` int8
    there are two graphs, one with the weights in 8 bits and activations that are quantised as they come. How far their
    vectors are from the model's is measured on `samples`, or a few sentences, and noted: give texts like yours.

    Raises EncoderError for what cannot be exported, WeightsError where the graph computes other vectors than the model,
    MissingExtra without what an export needs.
    """
    options = (options or HfTextOptions()).model_copy(update={"device": "cpu"})
    _require(str(model), options)
    if options.pooling == "attention":
        raise EncoderError(str(model), "pooling by attention is not exported; mean, cls, max and last are")
    library = import_of("transformers", "transformers")
    where, how = place_of(str(model)), {"revision": options.revision, "trust_remote_code": False}
    with explained(str(model)):
        kind: str = library.AutoConfig.from_pretrained(where, **how).model_type
    is_clip = kind == "clip"
    encoder: Encoder[Text] = HfClip(str(model), options).text if is_clip else HfText(model, options)
    with explained(str(model)):  # whose weights are whole, as the encoder has found
        network: Any = library.AutoModel.from_pretrained(where, dtype=torch().float32, **how).eval()
        tokenizer: Any = library.AutoTokenizer.from_pretrained(where, **how)
    pooling = "features" if is_clip else options.pooling
    graph = _text_module(network, pooling)
    prompts = {role: said for role, said in ((Role.QUERY, options.query), (Role.DOCUMENT, options.document)) if said}
    ids = torch().arange(5, 11).reshape(2, 3) % int(network.config.get_text_config().vocab_size)
    example = {"input_ids": ids, "attention_mask": torch().tensor([[1, 1, 1], [1, 1, 0]])}
    shapes = {name: {0: "batch", 1: "length"} for name in example}

    settings = Exported(
        modality=Modality.TEXT,
        name=label_of(str(model)),
        origin=encoder.spec.identity,
        dim=encoder.spec.dim or 0,
        pooling=pooling,
        graphs={},
        longest=longest_of(network.text_model if is_clip else network, tokenizer),
        padding=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0,
        prompts=prompts,
    )
    told = [Text(one) for one in (samples or _SENTENCES)]
    files = {TOKENIZER: reader_of(str(model), tokenizer).to_str()}
    return _export(folder, settings, files, (graph, example, shapes), precision, encoder, told)


def export_image(
    model: str | Path,
    folder: Path,
    options: HfImageOptions | None = None,
    *,
    precision: Precision = "fp32",
    samples: Sequence[Image] = (),
) -> Exported:
    """Export an image tower of transformers: the pictures of a CLIP or SigLIP, or a model of pictures alone (CLS row).

    As `export_text`. Pixels are prepared by Pillow, without transformers: models whose preprocessing is more than
    scaling, cropping from the middle and normalising are refused.
    """
    options = (options or HfImageOptions()).model_copy(update={"device": "cpu"})
    _require(str(model), options)
    library = import_of("transformers", "transformers")
    where, how = place_of(str(model)), {"revision": options.revision, "trust_remote_code": False}
    with explained(str(model)):
        network: Any = library.AutoModel.from_pretrained(where, dtype=torch().float32, **how).eval()
        processor: Any = library.AutoImageProcessor.from_pretrained(where, **how)
    is_shared = hasattr(network, "get_image_features")
    if not is_shared and options.pooling not in (None, "cls"):
        raise EncoderError(str(model), f"pooling={options.pooling} is not exported; cls is")
    encoder: Encoder[Image]
    if is_shared:
        encoder = HfClip(str(model), TorchOptions(revision=options.revision, device="cpu")).image
    else:
        encoder = HfImage(str(model), options.model_copy(update={"pooling": "cls"}))
    pixels = _pixels(str(model), preprocessing_of(processor))
    graph = _image_module(network, is_shared)
    example = {"pixel_values": torch().linspace(-1, 1, 2 * 3 * math.prod(pixels.size)).reshape(2, 3, *pixels.size)}
    settings = Exported(
        modality=Modality.IMAGE,
        name=label_of(str(model)),
        origin=encoder.spec.identity,
        dim=encoder.spec.dim or 0,
        pooling="features" if is_shared else "cls",
        graphs={},
        pixels=pixels,
    )
    shapes = {"pixel_values": {0: "batch"}}
    return _export(folder, settings, {}, (graph, example, shapes), precision, encoder, list(samples) or _pictures())


_ENOUGH = 1 - 1e-4
"""The cosine between a graph's vectors in float32 and the model's, of the same inputs: below it the export failed."""
_MOST_BYTES = 1 << 31
_SENTENCES = (
    "A dog barks.",
    "The committee will meet on Thursday to decide whether the bridge is to be closed for repairs.",
    "wireless headphones with noise cancelling, 30 hours of battery",
    "How do I reset my password?",
    "Der Zug nach Hamburg fährt heute von Gleis 7.",
    "SELECT name FROM users WHERE id = 42",
    "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen. Plants and algae do it.",
    "3.14159",
)


def _export(
    folder: Path,
    settings: Exported,
    files: Mapping[str, str],
    graph: tuple[Any, Mapping[str, Any], Mapping[str, Any]],
    precision: Precision,
    encoder: Encoder[Any],
    samples: Sequence[Media],
) -> Exported:
    """Write a folder beside the final one first: a half-written one is never there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    expected = stack(encoder.encode(samples, Role.DOCUMENT))
    reads: Any = OnnxText if settings.modality is Modality.TEXT else OnnxImage
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as name:
        place = Path(name)
        for file, content in files.items():
            (place / file).write_text(content, encoding="utf-8")
        _write_graph(place / FP32, settings.name, *graph)
        if precision == "int8":
            _quantize(place / FP32, place / INT8)
        graphs: dict[Precision, Graph] = {}
        written: dict[Precision, str] = {"fp32": FP32, "int8": INT8}
        for one, file in written.items():
            if (place / file).is_file():
                noted = Graph(sha256=digest_of_file(place / file), cosine=1.0, samples=len(samples))
                _note(place, settings.model_copy(update={"graphs": {one: noted}}))
                found = stack(reads(place, ExportedOptions(precision=one)).encode(samples, Role.DOCUMENT))
                graphs[one] = noted.model_copy(update={"cosine": round(float((found * expected).sum(1).min()), 6)})
        made = settings.model_copy(update={"graphs": graphs})
        _note(place, made)
        folder.mkdir(exist_ok=True)
        for old in (FP32, INT8, SETTINGS, TOKENIZER):
            (folder / old).unlink(missing_ok=True)
        for path in place.iterdir():
            shutil.move(path, folder / path.name)
    return made


def _note(place: Path, settings: Exported) -> None:
    (place / SETTINGS).write_text(settings.model_dump_json(indent=2), encoding="utf-8")


def _write_graph(
    path: Path, name: str, module: Any, example: Mapping[str, Any], shapes: Mapping[str, Mapping[int, str]]
) -> None:
    """Export, and see that the graph computes the same for other shapes than the example's."""
    library = torch()
    import_of("onnxscript", "onnx")
    size = sum(weight.numel() * 4 for weight in module.parameters())
    if size > _MOST_BYTES:
        raise EncoderError(name, f"has {size / 2**30:.1f} GiB of weights, and a file of ONNX holds 2 GiB")
    dims = {key: dict.fromkeys(axes, library.export.Dim.DYNAMIC) for key, axes in shapes.items()}
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about its own insides
        quiet.setLevel(logging.ERROR)
        try:
            library.onnx.export(
                module,
                kwargs=dict(example),
                f=path,
                dynamo=True,
                dynamic_shapes=dims,
                input_names=list(example),
                output_names=["rows"],
                external_data=False,
                verbose=False,
            )
        finally:
            quiet.setLevel(level)
    other = {key: _grown(value, shapes[key]) for key, value in example.items()}
    with library.inference_mode():
        expected = module(**other).numpy()
    found = session(path, 1)({key: value.numpy() for key, value in other.items()})
    cosine = float((found * expected).sum(1).min())
    if not cosine >= _ENOUGH:
        raise WeightsError(name, f"the exported graph computes other vectors than the model (cosine {cosine:.5f})")


def _grown(value: Any, axes: Mapping[int, str]) -> Any:
    """The same with one more of everything that may vary."""
    for axis in axes:
        value = torch().cat([value, value.narrow(axis, 0, 1)], dim=axis)
    return value


def _quantize(path: Path, to: Path) -> None:
    """Weights in 8 bits, one scale per column; activations are quantised as they come.

    Weights use 7 of the bits (`reduce_range`): processors without VNNI would overflow with 8.
    """
    graph: Any = import_of("onnx", "onnx").load(path)
    del graph.graph.value_info[:]  # the exporter leaves shapes of weights there that it has transposed since
    quantization: Any = importlib.import_module("onnxruntime.quantization")
    quiet = logging.getLogger()
    level = quiet.level
    quiet.setLevel(logging.ERROR)  # it recommends a step that changes nothing here
    try:
        quantization.quantize_dynamic(
            graph, to, weight_type=quantization.QuantType.QInt8, per_channel=True, reduce_range=True
        )
    finally:
        quiet.setLevel(level)


def _text_module(network: Any, pooling: str) -> Any:
    class TextTower(torch().nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()  # pyright: ignore[reportUnknownMemberType]
            self.network = network

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return _text_rows(self.network, pooling, input_ids, attention_mask)

    return TextTower().eval()


def _image_module(network: Any, is_shared: bool) -> Any:
    class ImageTower(torch().nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()  # pyright: ignore[reportUnknownMemberType]
            self.network = network

        def forward(self, pixel_values: Any) -> Any:
            return _image_rows(self.network, is_shared, pixel_values)

    return ImageTower().eval()


def _text_rows(network: Any, pooling: str, input_ids: Any, attention_mask: Any) -> Any:
    library = torch()
    if pooling == "features":
        made = network.get_text_features(input_ids=input_ids, attention_mask=attention_mask).pooler_output
        return library.nn.functional.normalize(made, dim=-1)
    states = network(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
    mask = attention_mask[:, :, None].to(states.dtype)
    if pooling == "cls":
        made = states[:, 0]
    elif pooling == "max":
        made = (states + (mask - 1) * 1e30).amax(1)
    elif pooling == "last":
        last = attention_mask.sum(1) - 1
        made = states.gather(1, last[:, None, None].expand(-1, 1, states.shape[2]))[:, 0]
    else:
        made = (states * mask).sum(1) / mask.sum(1)
    return library.nn.functional.normalize(made, dim=-1)


def _image_rows(network: Any, is_shared: bool, pixel_values: Any) -> Any:
    if is_shared:
        made = network.get_image_features(pixel_values=pixel_values).pooler_output
    else:
        made = network(pixel_values=pixel_values).last_hidden_state[:, 0]
    return torch().nn.functional.normalize(made, dim=-1)


def _require(name: str, options: TorchOptions) -> None:
    if options.dtype != "float32":
        raise EncoderError(name, "is exported from float32; ask for precision='int8' for a smaller one")


def _pixels(name: str, shape: Mapping[str, Any]) -> Pixels:
    """What a processor does, if it is no more than `pixels_of` can do. EncoderError otherwise."""
    size: Mapping[str, int] = shape["size"] or {}
    crop: Mapping[str, int] = (shape["crop_size"] or {}) if shape["do_center_crop"] else {}
    shortest = size.get("shortest_edge")
    seen = crop or size
    is_plain = shape["do_resize"] and shape["do_rescale"] and shape["do_normalize"]
    is_more = any(shape[key] for key in ("do_pad", "crop_pct", "include_top", "max_num_patches", "do_image_splitting"))
    is_sized = {"height", "width"} <= set(seen) and bool(crop) == bool(shortest)
    if not is_plain or is_more or not is_sized or (shortest and max(crop.values()) > shortest):
        raise EncoderError(name, f"its preprocessing is more than an export can do: {dict(shape)}")
    return Pixels(
        shortest=shortest,
        size=(int(seen["height"]), int(seen["width"])),
        resample=int(shape["resample"]),
        scale=float(shape["rescale_factor"]),
        mean=shape["image_mean"],
        std=shape["image_std"],
    )


def _pictures() -> list[Image]:
    """A few smooth pictures of several shapes."""
    chance = np.random.default_rng(0)
    pictures: list[Image] = []
    for height, width in ((240, 320), (320, 240), (224, 224), (480, 300)):
        at = np.mgrid[0:height, 0:width] / 40
        waves = [np.sin(chance.uniform(0.2, 2) * at[0] + chance.uniform(0.2, 2) * at[1] + i) for i in range(3)]
        pictures.append(Image((127 + 100 * np.stack(waves, axis=2)).astype(np.uint8)))
    return pictures


def session(path: Path, threads: int | None) -> Run:
    """Open a graph by ONNX Runtime on the CPU, with threads that do not spin while they wait."""
    from octant.backends.starter.weights import threads as processors

    library: Any = importlib.import_module("onnxruntime")
    options = library.SessionOptions()
    options.intra_op_num_threads = threads or processors()
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    opened = library.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(inputs: Mapping[str, NDArray[Any]]) -> Array:
        rows: Array = opened.run(None, dict(inputs))[0]
        return rows

    return run


FAMILY = Family(
    name="onnx",
    summary="towers exported to ONNX, by ONNX Runtime in float32 or int8: a folder that octant has written",
    modules=("onnxruntime",),
    install="pip install 'octant-search[onnx]'",
    options=ExportedOptions,
    load=lambda model, options: load_towers("onnx", model, options, session),
    known=(Known("FOLDER", (Modality.TEXT, Modality.IMAGE), None, "that of its model", note="see export_text"),),
    roles=True,
)
