"""One text tower by torch, ONNX Runtime (float32, int8) and OpenVINO: texts/s, one at a time and 32.

    python benchmarks/encoders_onnx.py [--turns 9] [--threads 1] [--json FILE]

The model has the shape of all-MiniLM-L6-v2 (6 layers, 384) and random weights; texts have about 30 tokens, those of a
batch 8 to 60. All are octant's encoders, run by turns, each turn in another order; medians. int8 is run text by text
whatever the batch, for its vectors would depend on the batch otherwise. `cosine` is the lowest to torch's vectors: of
random weights, so only an indication.
"""

from __future__ import annotations

import importlib
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

os.environ["HF_HUB_OFFLINE"] = "1"  # read when the libraries are imported

from octant.backends.exported import INT8, ExportedOptions
from octant.backends.hf_text import HfText, HfTextOptions
from octant.backends.onnx import OnnxText, export_text
from octant.backends.openvino import OpenvinoOptions, OpenvinoText
from octant.encoding import Encoder, Role
from octant.media import Text
from octant.vectors import stack

torch: Any = importlib.import_module("torch")
transformers: Any = importlib.import_module("transformers")
WORDS = 30_000


def main(
    turns: Annotated[int, typer.Option(help="Turns that count, after one that does not.")] = 9,
    threads: Annotated[int, typer.Option(help="Threads, for all alike.")] = 1,
    to: Annotated[Path | None, typer.Option("--json", help="Write the numbers there.")] = None,
) -> None:
    """Compare and print."""
    chance = np.random.default_rng(0)
    single, batch = _texts(chance, [28] * 8), _texts(chance, list(chance.integers(6, 58, 32)))
    with tempfile.TemporaryDirectory() as name:
        model, out = _minilm(Path(name) / "model"), Path(name) / "exported"
        export_text(model, out, precision="int8")
        float32 = ExportedOptions(threads=threads)
        int8 = ExportedOptions(threads=threads, precision="int8")
        encoders: dict[str, Encoder[Text]] = {
            "torch": HfText(model, HfTextOptions(threads=threads)),
            "ONNX Runtime": OnnxText(out, float32),
            "ONNX Runtime int8": OnnxText(out, int8),
            "OpenVINO": OpenvinoText(out, OpenvinoOptions(threads=threads)),
        }
        size = {one: (out / one).stat().st_size / 1e6 for one in ("model.onnx", INT8)}
    expected = stack(encoders["torch"].encode(batch, Role.DOCUMENT))
    times: dict[str, tuple[list[float], list[float]]] = {one: ([], []) for one in encoders}
    for turn in range(turns + 1):
        for one in chance.permutation(list(encoders)):
            ones, many = _timed(encoders[one], single, batch)
            if turn:
                times[one][0].append(ones)
                times[one][1].append(many)
    rows: list[dict[str, Any]] = []
    for one, (ones, many) in times.items():
        cosine = float((stack(encoders[one].encode(batch, Role.DOCUMENT)) * expected).sum(1).min())
        rows.append({"runtime": one, "one": 8 / median(ones), "many": 32 / median(many), "cosine": cosine})
    table = Table("runtime", "1 at a time, texts/s", "÷ torch", "32 at once, texts/s", "÷ torch", "cosine")
    for row in rows:
        one, many = row["one"], row["many"]
        first = rows[0]
        shown = [f"{one:.1f}", f"{one / first['one']:.2f}", f"{many:.1f}", f"{many / first['many']:.2f}"]
        table.add_row(row["runtime"], *shown, f"{row['cosine']:.5f}")
    Console().print(table)
    Console().print({key: f"{value:.1f} MB" for key, value in size.items()})
    if to is not None:
        to.write_text(json.dumps({"turns": turns, "threads": threads, "rows": rows, "MB": size}, indent=2))


def _timed(encoder: Encoder[Text], single: Sequence[Text], batch: Sequence[Text]) -> tuple[float, float]:
    began = time.perf_counter()
    for text in single:
        encoder.encode([text], Role.DOCUMENT)
    between = time.perf_counter()
    encoder.encode(batch, Role.DOCUMENT)
    return between - began, time.perf_counter() - between


def _texts(chance: np.random.Generator, lengths: Sequence[int]) -> list[Text]:
    return [Text(" ".join(f"w{word}" for word in chance.integers(0, WORDS, length))) for length in lengths]


def _minilm(folder: Path) -> Path:
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{at}" for at in range(WORDS))]
    torch.manual_seed(0)
    shape = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}
    transformers.BertModel(transformers.BertConfig(vocab_size=len(vocabulary), **shape)).save_pretrained(folder)
    known = {word: at for at, word in enumerate(vocabulary)}
    transformers.BertTokenizer(vocab=known, model_max_length=256).save_pretrained(folder)
    return folder


if __name__ == "__main__":
    typer.run(main)
