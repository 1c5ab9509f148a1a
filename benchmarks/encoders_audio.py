"""Sounds of 10 s through octant, and through transformers as one would call it: items/s of one ÷ items/s of the other.

    python benchmarks/encoders_audio.py [--files 8] [--turns 5] [--threads 2] [--json FILE]

Models have the shape of laion/clap-htsat-unfused, facebook/wav2vec2-base and openai/whisper-base, and random weights.
The files are FLAC, 44.1 kHz, stereo, made on the spot.

octant    the encoder of `octant.backends`, with files as they lie on the disk, in one call
library   librosa.load to one channel at the model's rate, its processor, the model in inference mode, pooling: in
          batches of 1 and of all files, of which the faster counts

All are run by turns, each turn in another order, so that noise falls on all. Medians of the turns are compared: of the
wall clock, and of processor time, which other work on the machine disturbs less. Aim: >= 1.0.
"""

from __future__ import annotations

import importlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

os.environ["HF_HUB_OFFLINE"] = "1"  # read when the libraries are imported

from octant.backends.clap import ClapAudio
from octant.backends.hf_audio import HfAudioOptions, WaveformAudio, WhisperAudio
from octant.backends.torched import TorchOptions
from octant.encoding import Role
from octant.media import Audio
from octant.vectors import Array

torch: Any = importlib.import_module("torch")
transformers: Any = importlib.import_module("transformers")
Call = Callable[[], Any]


def main(
    files: Annotated[int, typer.Option(help="Sounds per turn.")] = 8,
    turns: Annotated[int, typer.Option(help="Turns that count, after one that does not.")] = 5,
    threads: Annotated[int, typer.Option(help="Threads of torch, for all alike.")] = 2,
    to: Annotated[Path | None, typer.Option("--json", help="Write the numbers there.")] = None,
) -> None:
    """Compare and print."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        paths = _sounds(Path(name), files)
        for made in (_clap, _wav2vec2, _whisper):
            model, calls, cosine = made(paths)
            rows.append({"model": model, "cosine": cosine, **_compared(calls, files, turns)})
    table = Table("model", "octant/s", "library/s", "÷ (wall)", "÷ (processor)", "cosine")
    for row in rows:
        table.add_row(row["model"], *(f"{row[key]:.2f}" for key in _SHOWN), f"{row['cosine']:.6f}")
    Console().print(table)
    if to is not None:
        to.write_text(json.dumps({"files": files, "turns": turns, "threads": threads, "rows": rows}, indent=2))


_SHOWN = ("octant", "library", "wall", "processor")


def _compared(calls: dict[str, Call], files: int, turns: int) -> dict[str, float]:
    """Items/s of octant and of the library's faster call; and their ratios by wall clock and processor time."""
    walls: dict[str, list[float]] = {name: [] for name in calls}
    busy: dict[str, list[float]] = {name: [] for name in calls}
    chance = np.random.default_rng(0)
    for turn in range(turns + 1):
        for name in chance.permutation(list(calls)):
            began, worked = time.perf_counter(), time.process_time()
            calls[name]()
            if turn:
                walls[name].append(time.perf_counter() - began)
                busy[name].append(time.process_time() - worked)
    wall = {name: median(times) for name, times in walls.items()}
    processor = {name: median(times) for name, times in busy.items()}
    library = min(wall[name] for name in calls if name != "octant")
    return {
        "octant": files / wall["octant"],
        "library": files / library,
        "wall": library / wall["octant"],
        "processor": min(processor[name] for name in calls if name != "octant") / processor["octant"],
    }


def _sounds(folder: Path, count: int) -> list[Path]:
    import soundfile

    paths = [folder / f"{at}.flac" for at in range(count)]
    for at, path in enumerate(paths):
        chance = np.random.default_rng(at)
        seconds = np.arange(441_000) / 44_100
        tone = np.sin(2 * np.pi * (200 + 90 * at + 40 * seconds) * seconds) * 0.3
        soundfile.write(path, np.stack([tone, 0.7 * tone], 1) + 0.02 * chance.standard_normal((441_000, 2)), 44_100)
    return paths


def _loaded(path: Path, rate: int) -> Array:
    import librosa

    samples, _ = librosa.load(path, sr=rate, mono=True)
    return samples


def _calls(
    encoder: Any, paths: Sequence[Path], library: Callable[[Sequence[Path]], Any]
) -> tuple[dict[str, Call], float]:
    """What is timed; and the lowest cosine between what octant and the library make of a file."""
    media = [Audio(path) for path in paths]
    mine = np.stack(encoder.encode(media, Role.DOCUMENT))
    theirs = library(paths[:2])
    theirs = theirs / np.linalg.norm(theirs, axis=1, keepdims=True)
    calls: dict[str, Call] = {
        "octant": lambda: encoder.encode(media, Role.DOCUMENT),
        "library, one by one": lambda: [library([path]) for path in paths],
        "library, at once": lambda: library(paths),
    }
    return calls, float((mine[:2] * theirs).sum(1).min())


def _clap(paths: Sequence[Path]) -> tuple[str, dict[str, Call], float]:
    model = transformers.ClapModel(transformers.ClapConfig()).eval()
    extractor = transformers.ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad")

    def library(some: Sequence[Path]) -> Array:
        sounds = [_loaded(path, 48_000) for path in some]
        inputs = extractor(sounds, sampling_rate=48_000, return_tensors="pt")
        with torch.inference_mode():
            return model.get_audio_features(**inputs).pooler_output.numpy()

    return "clap-htsat-unfused", *_calls(ClapAudio(model, extractor, "random", TorchOptions()), paths, library)


def _wav2vec2(paths: Sequence[Path]) -> tuple[str, dict[str, Call], float]:
    model = transformers.Wav2Vec2Model(transformers.Wav2Vec2Config()).eval()
    extractor = transformers.Wav2Vec2FeatureExtractor()

    def library(some: Sequence[Path]) -> Array:
        sounds = [_loaded(path, 16_000) for path in some]
        inputs = extractor(sounds, sampling_rate=16_000, padding=True, return_tensors="pt")
        with torch.inference_mode():
            return model(**inputs).last_hidden_state.mean(1).numpy()  # all are of one length: nothing is padded

    return "wav2vec2-base", *_calls(WaveformAudio(model, extractor, "random", HfAudioOptions()), paths, library)


def _whisper(paths: Sequence[Path]) -> tuple[str, dict[str, Call], float]:
    shape = {"d_model": 512, "encoder_layers": 6, "decoder_layers": 1, "encoder_attention_heads": 8}
    decoder = {"decoder_attention_heads": 8, "decoder_ffn_dim": 64}
    model = transformers.WhisperModel(transformers.WhisperConfig(**shape, **decoder, encoder_ffn_dim=2048)).eval()
    extractor = transformers.WhisperFeatureExtractor()

    def library(some: Sequence[Path]) -> Array:
        sounds = [_loaded(path, 16_000) for path in some]
        inputs = extractor(sounds, sampling_rate=16_000, return_tensors="pt", return_attention_mask=True)
        with torch.inference_mode():
            frames = model.get_encoder()(inputs["input_features"]).last_hidden_state
        mask = inputs["attention_mask"][:, ::2, None].float()
        return ((frames * mask).sum(1) / mask.sum(1)).numpy()

    return "whisper-base", *_calls(WhisperAudio(model, extractor, "random", HfAudioOptions()), paths, library)


if __name__ == "__main__":
    typer.run(main)
