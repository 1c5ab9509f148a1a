"""The audio tower: a small CNN over log-mel windows that names ten sounds and says when it hears none of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from octant.backends.starter.audio import BANDS, FFT, FLOOR, HOP, WINDOW, mel_bank
from octant.train.starter.sounds import CLASSES, Clip, present

__all__ = ["Ears", "Trained", "Views", "fit", "mels", "views"]

WIDTHS = (24, 48, 96, 160)
FEATURES = 2 * WIDTHS[-1]
KNOWN = 32
STEPS = 10
"""Per epoch: about one pass over the 320 clips."""


class Residual(nn.Module):
    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels_in, channels_out, 3, 2, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.second = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, ceil_mode=True),
            nn.Conv2d(channels_in, channels_out, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(self.norm1(self.first(x)))
        return functional.relu(self.norm2(self.second(y)) + self.shortcut(x))


class Ears(nn.Module):
    """Log-mel windows [n, 1, 64, t] to features [n, 320]: mean and maximum over time."""

    def __init__(self) -> None:
        super().__init__()
        self.bands = nn.BatchNorm1d(BANDS)
        self.stem = nn.Sequential(nn.Conv2d(1, WIDTHS[0], 5, 2, 2, bias=False), nn.BatchNorm2d(WIDTHS[0]), nn.ReLU())
        pairs = pairwise(WIDTHS)
        self.blocks = nn.Sequential(*(Residual(before, after) for before, after in pairs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.blocks(self.stem(self.bands(x[:, 0])[:, None])).mean(2)
        return torch.cat([x.mean(2), x.amax(2)], 1)


class Student(nn.Module):
    """The ears and what is learned on top: ten sounds, the gate, and the labels of the other sounds."""

    def __init__(self, others: int) -> None:
        super().__init__()
        self.ears = Ears()
        self.drop = nn.Dropout(0.3)
        self.sounds = nn.Linear(FEATURES, len(CLASSES))
        self.gate = nn.Linear(FEATURES, 1)
        self.others = nn.Linear(FEATURES, max(1, others))


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained tower: the ears, and the heads as arrays."""

    ears: Ears
    head: NDArray[np.float32]
    offset: NDArray[np.float32]
    gate: NDArray[np.float32]
    threshold: float
    seconds: int


@dataclass(frozen=True, slots=True)
class Views:
    """Clips as varied log-mel windows [v, 64, 201] each: made once, used by every run."""

    clips: list[Clip]
    mels: list[NDArray[np.float16]]

    def pick(self, wanted: Sequence[bool]) -> Views:
        """Keep the clips marked in `wanted`."""
        return Views(
            [clip for clip, keep in zip(self.clips, wanted, strict=True) if keep],
            [mel for mel, keep in zip(self.mels, wanted, strict=True) if keep],
        )

    def draw(self, rows: NDArray[np.int64], rng: np.random.Generator) -> torch.Tensor:
        """Draw one view of each clip: [n, 1, 64, 201]."""
        drawn = [self.mels[row][rng.integers(len(self.mels[row]))] for row in rows]
        return torch.from_numpy(np.stack(drawn).astype(np.float32))[:, None]


def views(clips: Sequence[Clip], count: int, rng: np.random.Generator) -> Views:
    """Vary each clip `count` times; more where a clip is longer than a window."""
    made: list[NDArray[np.float16]] = []
    for clip in clips:
        times = min(6, max(1, len(clip.wave) // WINDOW)) * count
        waves = np.stack([present(clip.wave, rng) for _ in range(times)])
        made.append(mels(torch.from_numpy(waves))[:, 0].numpy().astype(np.float16))
    return Views(list(clips), made)


def fit(known: Views, unknown: Views, synthetic: Views, *, seed: int, epochs: int) -> Trained:
    """Train on views of the ten sounds, with the others as outliers (and synthetic ones)."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    names = sorted({clip.label.split()[0] for clip in unknown.clips})
    concepts = torch.tensor([clip.concept for clip in known.clips])
    groups = torch.tensor([names.index(clip.label.split()[0]) for clip in unknown.clips])
    student = Student(len(names)).to(memory_format=torch.channels_last)
    average = deepcopy(student)
    optimizer = torch.optim.AdamW(student.parameters(), lr=2e-3, weight_decay=0.02)
    weights = balance(known.clips)
    steps = epochs * STEPS
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps, pct_start=0.1)
    losses: list[float] = []
    started = time.monotonic()
    student.train()
    for step in range(steps):
        heard, foreign = rng.choice(len(known.clips), KNOWN, p=weights), rng.integers(len(unknown.clips), size=12)
        batch, target = known.draw(heard, rng), functional.one_hot(concepts[heard], len(CLASSES)).float()
        if rng.random() < 0.8:
            share = torch.from_numpy(rng.beta(0.5, 0.5, (KNOWN, 1)).astype(np.float32))
            other = rng.permutation(KNOWN)
            batch = blend(batch, batch[other], share)
            target = share * target + (1 - share) * target[other]
        strange = unknown.draw(foreign, rng)
        strange[10:] = blend(strange[10:], strange[:2], torch.full((2, 1), 0.5))
        made = synthetic.draw(rng.integers(len(synthetic.clips), size=2), rng)
        batch = varied(torch.cat([batch, strange, made]), rng)
        with torch.autocast("cpu", torch.bfloat16):
            features = student.ears(batch.contiguous(memory_format=torch.channels_last))
        features = student.drop(features.float())
        named = functional.cross_entropy(student.sounds(features[:KNOWN]), target, label_smoothing=0.05)
        truth = torch.cat([torch.full((KNOWN,), 0.98), torch.full((len(batch) - KNOWN,), 0.02)])
        told = functional.binary_cross_entropy_with_logits(student.gate(features)[:, 0], truth)
        # naming the outliers too keeps the native vector rich: it has to tell sounds apart that have no concept
        listed = functional.cross_entropy(student.others(features[KNOWN : KNOWN + 10]), groups[foreign[:10]])
        loss = named + told + 0.2 * listed
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        follow(average, student, min(0.99, (step + 1) / (step + 10)))
        losses.append(loss.item())
        if (step + 1) % 100 == 0:
            seconds = time.monotonic() - started
            print(f"audio step {step + 1}/{steps} loss {np.mean(losses[-100:]):.3f} {seconds:.0f} s", flush=True)
    average.eval()
    return Trained(
        average.ears,
        array(average.sounds.weight).T.copy(),
        array(average.sounds.bias),
        array(average.gate.weight)[0],
        average.gate.bias.item(),
        round(time.monotonic() - started),
    )


def blend(one: torch.Tensor, other: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Mix log-mel windows as if the sounds were mixed: powers add."""
    share = share[:, :, None, None]
    return torch.log(share**2 * one.exp() + (1 - share) ** 2 * other.exp() + FLOOR)


def balance(known: Sequence[Clip]) -> NDArray[np.float64]:
    """Weigh clips so that every class is drawn equally, and the extra recordings half as often as a clip of ESC-10."""
    weights = np.array([1.0 if clip.group.isdigit() else 0.5 for clip in known])
    concepts = np.array([clip.concept for clip in known])
    for concept in np.unique(concepts):
        weights[concepts == concept] /= weights[concepts == concept].sum()
    return weights / weights.sum()


WINDOWING = torch.hann_window(FFT)
BANK = torch.from_numpy(mel_bank())


def mels(waves: torch.Tensor) -> torch.Tensor:
    """Compute what the runtime's log_mel computes, in batches: [n, samples] to [n, 1, 64, t]."""
    spectrum = torch.stft(waves, FFT, HOP, window=WINDOWING, center=True, pad_mode="reflect", return_complex=True)
    return torch.log(BANK @ (spectrum.real**2 + spectrum.imag**2) + FLOOR)[:, None]


def varied(batch: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Change the colour of each recording (another room, another microphone), and blank bands and frames."""
    batch = batch.clone()
    bands, frames = batch.shape[2:]
    for sample in batch:
        middle = sample.mean()
        knots = rng.normal(0, 0.5, 6)
        sample += torch.from_numpy(np.interp(np.linspace(0, 5, bands), np.arange(6), knots).astype(np.float32))[:, None]
        for _ in range(2):
            width, length = rng.integers(0, 9), rng.integers(0, 33)
            low, first = rng.integers(bands - width), rng.integers(frames - length)
            sample[:, low : low + width] = middle
            sample[:, :, first : first + length] = middle
    return batch


@torch.no_grad()
def follow(average: nn.Module, student: nn.Module, decay: float) -> None:
    """Move the average towards the student, batch statistics too."""
    for kept, new in zip(average.state_dict().values(), student.state_dict().values(), strict=True):
        if kept.dtype.is_floating_point:
            kept.lerp_(new, 1 - decay)


def array(tensor: torch.Tensor) -> NDArray[np.float32]:
    return tensor.detach().numpy().astype(np.float32)
