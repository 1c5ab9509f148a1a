"""Texts per second of octant over those of the libraries' own calls: one model, the same texts, in one run.

    python benchmarks/encoders_text.py [--texts 240] [--rounds 3] [--threads 1] [--device cpu] [--json]

The model has the shape of all-MiniLM-L6-v2 (6 layers of 384) and random weights, which cost as much as trained ones.
The texts are ragged, as passages are: their lengths in tokens are log-normal, with a mean of 47 and a 95th percentile
of 125, in random order. All sides take turns, round by round, so that noise on the machine falls on all of them; on a
CPU time is that of the process (all its threads), else that of the clock. The first round warms up, and in it octant
finds out its batch size; it does not count.

ST encode       sentence-transformers' own call, which sorts texts by their characters, with its batch of 32, and of 8
HF loop         tokenizer and model of transformers in batches of 32, in the order of the texts, as model cards show it
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from octant.backends.hf_text import HfText, HfTextOptions
from octant.backends.sentence_transformers import SentenceOptions, sentence_transformers
from octant.encoding import Encoder, Role
from octant.media import Text

MEAN, P95, WORDS = 47, 125, 30_000


def ragged(count: int, words: Sequence[str]) -> list[str]:
    """Texts of so many words as a log-normal distribution with that mean and 95th percentile gives. Seeded."""
    spread = 1.645 - math.sqrt(1.645**2 - 2 * math.log(P95 / MEAN))
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(math.log(MEAN) - spread**2 / 2, spread, count), 3, 500).astype(int)
    return [" ".join(rng.choice(words, length)) for length in lengths]


def made(folder: Path) -> list[str]:
    """Save a model as sentence-transformers does; return the words of its vocabulary."""
    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    library: Any = importlib.import_module("sentence_transformers")
    shared: Any = importlib.import_module("sentence_transformers.base.modules")
    dense: Any = importlib.import_module("sentence_transformers.sentence_transformer.modules")
    rng = np.random.default_rng(1)
    letters = list("abcdefghijklmnopqrstuvwxyz")
    words = sorted({"".join(rng.choice(letters, rng.integers(2, 11))) for _ in range(WORDS)})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary), hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
    )
    tokenizer = transformers.BertTokenizer(vocab={word: i for i, word in enumerate(vocabulary)}, model_max_length=512)
    transformers.BertModel(config).save_pretrained(folder / "raw")
    tokenizer.save_pretrained(folder / "raw")
    parts = [shared.Transformer(str(folder / "raw")), dense.Pooling(384, pooling_mode="mean"), shared.Normalize()]
    library.SentenceTransformer(modules=parts, device="cpu").save_pretrained(
        str(folder / "model"), create_model_card=False
    )
    return words


def looped(folder: Path, device: str) -> Callable[[Sequence[str]], Any]:
    """The loop of model cards: batches of 32 in the order of the texts, mean of the tokens."""
    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    model = transformers.AutoModel.from_pretrained(folder).to(device).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

    def run(texts: Sequence[str]) -> Any:
        rows: list[Any] = []
        for start in range(0, len(texts), 32):
            given = tokenizer(list(texts[start : start + 32]), padding=True, truncation=True, return_tensors="pt")
            given = given.to(device)
            with torch.no_grad():
                states = model(**given).last_hidden_state
            mask = given["attention_mask"][:, :, None].float()
            rows.append(torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1).cpu())
        return torch.cat(rows).numpy()

    return run


def by_octant(encoder: Encoder[Any]) -> Callable[[Sequence[str]], Any]:
    return lambda texts: np.stack([np.asarray(one) for one in encoder.encode([Text(t) for t in texts], Role.DOCUMENT)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    torch: Any = importlib.import_module("torch")
    library: Any = importlib.import_module("sentence_transformers")
    torch.set_num_threads(asked.threads)
    clock = time.process_time if asked.device == "cpu" else time.perf_counter
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        texts = ragged(asked.texts, made(folder))
        given: dict[str, Any] = {"device": asked.device, "threads": asked.threads, "dtype": asked.dtype}
        (sentences,) = sentence_transformers(folder / "model", SentenceOptions(**given))
        hf = HfText(folder / "raw", HfTextOptions(**given))
        kwargs = {"model_kwargs": {"dtype": getattr(torch, asked.dtype)}}
        reference = library.SentenceTransformer(str(folder / "model"), device=asked.device, **kwargs)
        sides: dict[str, Callable[[Sequence[str]], Any]] = {
            "octant sentence_transformers": by_octant(sentences),
            "octant hf_text": by_octant(hf),
            "ST encode, batch 32": lambda some: reference.encode(list(some), batch_size=32),
            "ST encode, batch 8": lambda some: reference.encode(list(some), batch_size=8),
            "HF loop, batch 32": looped(folder / "raw", asked.device),
        }
        spent: dict[str, list[float]] = {name: [] for name in sides}
        rows: dict[str, Any] = {}
        for turn in range(asked.rounds + 1):
            for name, run in sides.items():
                began = clock()
                rows[name] = run(texts)
                if turn:
                    spent[name].append(clock() - began)
    base = rows["HF loop, batch 32"]
    speed = {name: asked.texts / statistics.median(times) for name, times in spent.items()}
    over = [name for name in sides if not name.startswith("octant")]
    inside: dict[str, Any] = {"octant sentence_transformers": sentences, "octant hf_text": hf}
    sizes = {name: encoder._batches.size for name, encoder in inside.items()}
    told = {
        "threads": asked.threads,
        "device": asked.device,
        "dtype": asked.dtype,
        "texts": asked.texts,
        "texts/s": speed,
        "batch size found out": sizes,
        "ratios": {f"{mine} ÷ {other}": speed[mine] / speed[other] for mine in list(sides)[:2] for other in over},
        "largest difference from the HF loop": {name: float(np.abs(one - base).max()) for name, one in rows.items()},
    }
    if asked.json:
        print(json.dumps(told))
        return
    table = Table(title=f"{asked.texts} ragged texts, {asked.device}, {asked.threads} threads, {asked.dtype}")
    for column in ("", "texts/s", *(f"÷ {name}" for name in over), "differs by"):
        table.add_column(column, justify="left" if not column else "right")
    for name, value in speed.items():
        ratios = [f"{value / speed[other]:.2f}" for other in over]
        called = f"{name}, batch {sizes[name]}" if name in sizes else name
        table.add_row(called, f"{value:.1f}", *ratios, f"{np.abs(rows[name] - base).max():.1e}")
    Console().print(table)


if __name__ == "__main__":
    main()
