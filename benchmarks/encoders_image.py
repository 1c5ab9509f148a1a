"""Images per second of octant's encoders over those of the libraries' own calls, on the same model and the same files.

    python benchmarks/encoders_image.py [--images 32] [--rounds 3] [--layers 12] [--threads 1] [--data FOLDER] [--json]

open_clip   `Image.open`, its transform and `encode_image`, in batches of 32, against `octant.backends.open_clip`
hf_clip     `Image.open`, its processor and `get_image_features`, in batches of 32, against `octant.backends.hf_clip`

The models are ViT-B/32 of random weights, made on the spot; `--layers` makes them smaller. The files are JPEGs of
640 x 480 and 4000 x 3000, made on the spot, or out of the photos of `--data`, put side by side where they are small.
The two sides of every ratio take turns, round by round, so that noise on the machine falls on both. A ratio below 1
is a loss, and said so. The cosine is that of octant's vectors and the library's, which sees every pixel.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from rich.console import Console
from rich.table import Table

from octant.backends.hf_clip import HfClip
from octant.backends.open_clip import OpenClip
from octant.encoding import Encoder, Role
from octant.media import Image

os.environ["HF_HUB_OFFLINE"] = "1"
SIZES = ((640, 480), (4000, 3000))
AIMS = {(640, 480): 1.0, (4000, 3000): 1.5}
BATCH = 32
Rows = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    library: str
    size: tuple[int, int]
    octant: float
    """Images per second."""
    own: float
    ratio: float
    """Median of the rounds' ratios."""
    cpu: float
    """The same of processor time, which other work on the machine does not touch as much."""
    cosine: float
    """The lowest of any image."""


def photos(folder: Path, size: tuple[int, int], count: int, data: Path | None) -> list[Path]:
    """Write JPEGs of one size: gradients, edges and noise, or small photos side by side. Seeded."""
    rng = np.random.default_rng(0)
    known = [] if data is None else sorted(path for path in data.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    made: list[Path] = []
    for number in range(count):
        if known:
            picture = PIL.Image.new("RGB", size)
            for left in range(0, size[0], 256):
                for top in range(0, size[1], 256):
                    with PIL.Image.open(known[int(rng.integers(len(known)))]) as tile:
                        picture.paste(tile.resize((256, 256)), (left, top))
        else:
            coarse = rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)
            smooth = np.asarray(PIL.Image.fromarray(coarse).resize(size, PIL.Image.Resampling.BICUBIC), np.int16)
            noise = rng.integers(-12, 13, (size[1], size[0], 1), dtype=np.int16)
            picture = PIL.Image.fromarray(np.clip(smooth + noise, 0, 255).astype(np.uint8))
        made.append(folder / f"{size[0]}-{number}.jpg")
        picture.save(made[-1], quality=88)
    return made


def in_batches(paths: Sequence[Path], run: Callable[[Sequence[Path]], Rows]) -> Rows:
    return np.concatenate([run(paths[at : at + BATCH]) for at in range(0, len(paths), BATCH)])


def of_open_clip(folder: Path, layers: int) -> tuple[Encoder[Image], Callable[[Sequence[Path]], Rows]]:
    """Octant's encoder of images, and the library's own call, on one model."""
    open_clip: Any = import_module("open_clip")
    torch: Any = import_module("torch")
    safetensors: Any = import_module("safetensors.torch")
    config: dict[str, Any] = open_clip.get_model_config("ViT-B-32")
    config["vision_cfg"]["layers"] = layers
    config["text_cfg"]["layers"] = 1
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    name = f"local-dir:{folder}"
    weights = open_clip.create_model(name, load_weights=False).state_dict()
    safetensors.save_file(weights, folder / "open_clip_model.safetensors")
    model, transform = open_clip.create_model_from_pretrained(name)
    model.eval()

    def own(paths: Sequence[Path]) -> Rows:
        with torch.inference_mode():
            given = torch.stack([transform(PIL.Image.open(path)) for path in paths])
            rows: Rows = model.encode_image(given, normalize=True).numpy()
        return rows

    return OpenClip(str(folder)).image, own


def of_hf_clip(folder: Path, layers: int) -> tuple[Encoder[Image], Callable[[Sequence[Path]], Rows]]:
    """Octant's encoder of images, and the library's own call, on one model."""
    torch: Any = import_module("torch")
    transformers: Any = import_module("transformers")
    words = ["<|startoftext|>", "<|endoftext|>", *"abcdefghijklmnopqrstuvwxyz", *(f"{one}</w>" for one in "abcdefghij")]
    tokenizer = transformers.CLIPTokenizer(vocab={word: n for n, word in enumerate(words)}, merges=[])
    text = {"vocab_size": len(words), "num_hidden_layers": 1, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    config = transformers.CLIPConfig(text_config=text, vision_config={"patch_size": 32, "num_hidden_layers": layers})
    transformers.CLIPModel(config).save_pretrained(folder)
    transformers.CLIPProcessor(transformers.CLIPImageProcessor(), tokenizer).save_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    processor = transformers.AutoProcessor.from_pretrained(folder)

    def own(paths: Sequence[Path]) -> Rows:
        given = processor(images=[PIL.Image.open(path) for path in paths], return_tensors="pt")
        with torch.inference_mode():
            features = model.get_image_features(**given).pooler_output
        rows: Rows = torch.nn.functional.normalize(features, dim=1).numpy()
        return rows

    return HfClip(str(folder)).image, own


LIBRARIES = {"open_clip": of_open_clip, "hf_clip": of_hf_clip}


def measure(library: str, files: dict[tuple[int, int], list[Path]], rounds: int, layers: int) -> list[Measured]:
    with tempfile.TemporaryDirectory() as folder:
        encoder, own = LIBRARIES[library](Path(folder), layers)
        measured: list[Measured] = []
        for size, paths in files.items():
            images = [Image(path) for path in paths]
            here = np.stack([np.asarray(one) for one in encoder.encode(images, Role.DOCUMENT)])  # warms both up
            there = in_batches(paths, own)
            seconds: list[tuple[float, float]] = []
            worked: list[tuple[float, float]] = []
            sides = partial(encoder.encode, images, Role.DOCUMENT), partial(in_batches, paths, own)
            for number in range(rounds):
                taken = {side: _seconds(sides[side]) for side in ((0, 1), (1, 0))[number % 2]}
                seconds.append((taken[0][0], taken[1][0]))
                worked.append((taken[0][1], taken[1][1]))
            measured.append(
                Measured(
                    library,
                    size,
                    len(paths) / statistics.median(one for one, _ in seconds),
                    len(paths) / statistics.median(two for _, two in seconds),
                    statistics.median(two / one for one, two in seconds),
                    statistics.median(two / one for one, two in worked),
                    float((here * there).sum(axis=1).min()),
                )
            )
    return measured


def _seconds(work: Callable[[], object]) -> tuple[float, float]:
    """How long it took, and how much of the processors."""
    start, worked = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - worked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--threads", type=int, help="of torch, for both sides; its own choice if left out")
    parser.add_argument("--library", choices=LIBRARIES, action="append")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.threads is not None:
        import_module("torch").set_num_threads(asked.threads)
    with tempfile.TemporaryDirectory() as folder:
        files = {size: photos(Path(folder), size, asked.images, asked.data) for size in SIZES}
        measured = [
            one for name in asked.library or LIBRARIES for one in measure(name, files, asked.rounds, asked.layers)
        ]
    if asked.json:
        print(json.dumps([{name: getattr(one, name) for name in Measured.__slots__} for one in measured], indent=1))
        return
    table = Table("library", "JPEG", "octant /s", "library /s", "ratio", "CPU ratio", "aim", "lowest cosine", "")
    for one in measured:
        said = "" if one.ratio >= AIMS[one.size] else "missed" if one.ratio >= 1 else "loss"
        table.add_row(
            one.library,
            f"{one.size[0]} x {one.size[1]}",
            *(f"{number:.1f}" for number in (one.octant, one.own)),
            *(f"{one.ratio:.2f}", f"{one.cpu:.2f}", f"{AIMS[one.size]:.1f}", f"{one.cosine:.6f}", said),
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
