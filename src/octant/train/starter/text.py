"""The text tower: a lookup table distilled from MiniLM."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from octant.train.starter.minilm import Gloss, Teacher, glosses

__all__ = ["Lesson", "distil", "lesson"]

DIM = 256
EPOCHS = 14
BATCH = 768
HELD_OUT = 2000
"""Synsets kept out of training; the split is that of the reference measurements (seed 0)."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the student learns from: texts, the teacher's vectors for them, and for single tokens."""

    texts: list[str]
    vectors: NDArray[np.float32]
    tokens: NDArray[np.float32]
    test_lemmas: list[str]
    test_definitions: list[str]
    test_lemma_vectors: NDArray[np.float32]
    test_definition_vectors: NDArray[np.float32]


def lesson(teacher: Teacher, work: Path) -> Lesson:
    """Write the corpus and have the teacher encode it (minutes; kept in `work`)."""
    known = glosses()
    order = np.random.default_rng(0).permutation(len(known))
    test = [known[index] for index in order[:HELD_OUT]]
    train = [known[index] for index in order[HELD_OUT:]]
    texts = corpus(train, teacher)
    lemmas, definitions = [gloss.lemmas for gloss in test], [gloss.definition for gloss in test]
    cache = work / "lesson.npz"
    if not cache.exists():
        started = time.monotonic()
        encoded = teacher.encode([*texts, *lemmas, *definitions]).astype(np.float16)
        np.savez(cache, texts=encoded, tokens=teacher.tokens().astype(np.float16))
        print(f"teacher: {len(texts)} texts in {time.monotonic() - started:.0f} s", flush=True)
    with np.load(cache) as stored:
        vectors, tokens = stored["texts"].astype(np.float32), stored["tokens"].astype(np.float32)
    if len(vectors) != len(texts) + 2 * HELD_OUT:
        raise ValueError(f"{cache} belongs to another corpus; delete it")
    taught, test_lemmas, test_definitions = np.split(vectors, [len(texts), len(texts) + HELD_OUT])
    return Lesson(texts, taught, tokens, lemmas, definitions, test_lemmas, test_definitions)


def corpus(train: list[Gloss], teacher: Teacher) -> list[str]:
    """Write the training texts: names, definitions, captions, pairs, passages and single words."""
    rng = np.random.default_rng(1)
    names = [gloss.name for gloss in train]
    definitions = [gloss.definition for gloss in train]
    texts = [gloss.lemmas for gloss in train] + definitions
    texts += [gloss.name for gloss in train if gloss.name != gloss.lemmas]
    patterns = ("a photo of a {}", "{} sound", "a picture of the {} outside", "{} for sale", "where is my {}?", "a {}.")
    texts += [patterns[row % len(patterns)].format(names[row]) for row in rng.permutation(len(names))[:9000]]
    pairs = ("{} and {}", "a {} on a {}", "{} with {}", "{}, {}", "a {} next to a {}", "the {} of the {}")
    for count in range(9000):
        first, second = rng.integers(len(names), size=2)
        texts.append(pairs[count % len(pairs)].format(names[first], names[second]))
    texts += [f"{names[row]}: {definitions[row]}" for row in rng.permutation(len(names))[:7000]]
    for _ in range(5000):
        rows = rng.integers(len(names), size=rng.integers(2, 6))
        texts.append(" ".join(f"{definitions[row].capitalize()}." for row in rows))
    vocabulary = teacher.tokenizer.get_vocab()
    texts += sorted(word for word in vocabulary if word.isalpha() and word.isascii() and len(word) > 2)
    return texts


class Student(nn.Module):
    """A weighted mean of token rows, mapped into the teacher's space."""

    def __init__(self, tokens: NDArray[np.float32]) -> None:
        super().__init__()
        # ids below 1000 are [unused] and punctuation: they would spoil the principal axes
        _, _, axes = np.linalg.svd(tokens[1000:] - tokens[1000:].mean(0), full_matrices=False)
        rows = (tokens - tokens[1000:].mean(0)) @ axes[:DIM].T
        self.table = nn.Parameter(torch.from_numpy(rows / np.abs(rows).std() / 10))
        self.weight = nn.Parameter(torch.zeros(len(tokens)))
        self.head = nn.Linear(DIM, 384)
        self.head.weight.data = torch.from_numpy(np.ascontiguousarray(axes[:DIM].T))

    def forward(self, ids: torch.Tensor, starts: torch.Tensor, kept: torch.Tensor | None = None) -> torch.Tensor:
        weight = torch.sigmoid(self.weight[ids])
        weight = weight if kept is None else weight * kept
        total = functional.embedding_bag(ids, self.table, starts, mode="sum", per_sample_weights=weight)
        mass = torch.zeros(len(starts)).index_add(0, owner(ids, starts), weight)
        return functional.normalize(self.head(total / mass[:, None]), dim=-1)


def owner(ids: torch.Tensor, starts: torch.Tensor) -> torch.Tensor:
    """Return for each token the text that it belongs to."""
    return torch.bucketize(torch.arange(len(ids)), starts, right=True) - 1


def distil(
    given: Lesson, teacher: Teacher, *, seed: int = 0
) -> tuple[dict[str, NDArray[np.generic]], dict[str, float]]:
    """Train the student; return its arrays (table int8 per row) and its held-out metrics."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    ids = tokenize(teacher, given.texts)
    targets = torch.from_numpy(given.vectors)
    student = Student(given.tokens)
    groups = [
        {"params": [student.table], "lr": 4e-3},
        {"params": [student.weight], "lr": 4e-2},
        {"params": student.head.parameters(), "lr": 2e-3},
    ]
    optimizer = torch.optim.Adam(groups)
    steps = EPOCHS * (len(ids) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [4e-3, 4e-2, 2e-3], total_steps=steps)
    started = time.monotonic()
    for epoch in range(EPOCHS):
        order = rng.permutation(len(ids))
        losses: list[float] = []
        for start in range(0, len(ids) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            flat, starts = flatten([ids[row] for row in rows])
            # dropping tokens teaches every token to carry meaning alone; never weight 0, a text may have one token
            kept = torch.where(torch.rand(len(flat)) > 0.1, 1.0, 1e-3)
            made, wanted = student(flat, starts, kept), targets[rows]
            shape = functional.mse_loss(made @ made.T, wanted @ wanted.T)
            loss = 2 * (1 - (made * wanted).sum(1)).mean() + 10 * shape
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(
            f"text epoch {epoch + 1}/{EPOCHS} loss {np.mean(losses):.4f} {time.monotonic() - started:.0f} s", flush=True
        )
    arrays = quantized(student)
    return arrays, grade(arrays, given, teacher) | {"train_seconds": round(time.monotonic() - started)}


def quantized(student: Student) -> dict[str, NDArray[np.generic]]:
    """Fold the token weights into the rows, and round each row to int8 with one scale."""
    weight = torch.sigmoid(student.weight).detach().numpy()
    rows = student.table.detach().numpy()
    scale = np.abs(rows).max(1) / 127 + 1e-12
    return {
        "table": np.round(rows / scale[:, None]).astype(np.int8),
        "scale": (scale * weight).astype(np.float32),
        "weight": weight.astype(np.float32),
        "head": student.head.weight.detach().numpy().T.astype(np.float16),
        "bias": student.head.bias.detach().numpy().astype(np.float32),
    }


def grade(arrays: dict[str, NDArray[np.generic]], given: Lesson, teacher: Teacher) -> dict[str, float]:
    """Measure on synsets never seen: finding the definition of a lemma, and agreement with the teacher."""
    lemmas = apply(arrays, tokenize(teacher, given.test_lemmas))
    definitions = apply(arrays, tokenize(teacher, given.test_definitions))
    scores = lemmas @ definitions.T
    rank = (scores > np.diag(scores)[:, None]).sum(1)
    made = np.concatenate([lemmas, definitions])
    wanted = np.concatenate([given.test_lemma_vectors, given.test_definition_vectors])
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    return {
        "lemma_definition_r1": round(float((rank < 1).mean()), 4),
        "lemma_definition_r10": round(float((rank < 10).mean()), 4),
        "spearman_with_teacher": round(pair_agreement(made, wanted), 4),
        "cosine_with_teacher": round(float((made * wanted).sum(1).mean()), 4),
        "texts": len(given.texts),
    }


def pair_agreement(made: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    """Return Spearman's rho of pair similarities: half random pairs, half among the 60 nearest."""
    rng = np.random.default_rng(1)
    similar = wanted @ wanted.T
    left = rng.integers(len(wanted), size=20_000)
    near = np.array([np.argpartition(-similar[row], 60)[rng.integers(60)] for row in left])
    right = np.where(rng.random(len(left)) < 0.5, near, rng.integers(len(wanted), size=len(left)))
    rows, columns = left[left != right], right[left != right]
    values = (made[rows] * made[columns]).sum(1)
    truth = similar[rows, columns]
    return float(np.corrcoef(values.argsort().argsort(), truth.argsort().argsort())[0, 1])


def apply(arrays: dict[str, NDArray[np.generic]], ids: list[list[int]]) -> NDArray[np.float32]:
    """Encode token lists with the quantized arrays (plain numpy; the package's runtime does the same, faster)."""
    table = arrays["table"].astype(np.float32) * arrays["scale"].astype(np.float32)[:, None]
    weight, head = arrays["weight"].astype(np.float32), arrays["head"].astype(np.float32)
    pooled = np.stack([table[row].sum(0) / weight[row].sum() for row in ids])
    vectors = pooled @ head + arrays["bias"].astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def tokenize(teacher: Teacher, texts: list[str]) -> list[list[int]]:
    """Split texts without special tokens, padding or truncation."""
    encodings = teacher.tokenizer.encode_batch(texts, add_special_tokens=False)
    return [encoding.ids or [100] for encoding in encodings]


def flatten(ids: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    lengths = np.array([0] + [len(row) for row in ids[:-1]])
    return torch.tensor([token for row in ids for token in row]), torch.from_numpy(lengths.cumsum())
