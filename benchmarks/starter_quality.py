"""How well the starter space finds things: `python benchmarks/starter_quality.py --data ../shared/data [--json]`.

Rows marked "held out" use towers that have not seen what they are asked about: `benchmarks/towers` holds an audio
tower trained on folds 1-3 of ESC-10 (fold 4 is asked), and image concepts taught on one half of the photos (the other
half is asked). Rows marked "in sample" use the shipped weights, which have learned from all of these files.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from octant.backends.starter import (
    AudioEncoder,
    AudioNative,
    AudioTrunk,
    ImageEncoder,
    ImageNative,
    ImageTrunk,
    TextEncoder,
    Weights,
)
from octant.encoding import Role
from octant.media import Audio, Image, Text
from octant.vectors import stack

TOWERS = Path(__file__).parent / "towers"

Array = NDArray[np.float32]
Flags = NDArray[np.bool_]

REFERENCE = {
    "text→image clothing": ".597 mAP; here .765, .572",
    "text→image grocery": ".796 mAP; here .805, .718",
    "text→image clothing, zero-shot": ".276 mAP; here .294, .289",
    "text→image grocery, zero-shot": ".238 mAP; here .195, .241",
    "image→image clothing": ".735 R@1, .450 mAP; here .503, .335",
    "image→image grocery": ".930 R@1, .485 mAP; here .697, .540",
    "text→audio": ".964 mAP (fold 4), .98 R@1 (5 folds)",
    "audio→audio": ".909 mAP (fold 4), .940 R@1 (5 folds)",
    "image→audio": ".910 mAP, .94 R@1 (fold 5, proxies)",
}
"""What the reference towers reached: facts/starter.md (sections 2, 3, 4 and 6), on other and larger halves of the
photos; after "here", R@1 and mAP of the same towers on the very queries and photos of this benchmark, measured once."""

PROXIES = {
    "dog bark": range(151, 269),
    "rooster": (7,),
    "sea waves": (978, 977, 976, 460),
    "clock tick": (409, 530, 531, 892),
    "chainsaw": (491,),
    "crying baby": (520, 529, 680),
    "crackling fire": (827, 862, 470, 606),
    "rain": (879,),
    "helicopter": (404, 895),
}
"""ImageNet classes that stand for photos of what is heard. There are no free photos of these at hand."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    task: str
    data: str
    queries: int
    gallery: int
    r1: float
    r5: float
    r10: float
    map: float
    random_r1: float
    random_map: float
    reference: str


@dataclass(frozen=True, slots=True)
class Clips:
    """Sounds of one folder."""

    media: list[Audio]
    labels: NDArray[np.str_]
    groups: NDArray[np.str_]


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    text, shipped, towers = TextEncoder(), Weights(), Weights(TOWERS)
    rows = photo_rows(given.data, text, shipped, towers)
    sounds, notes = sound_rows(given.data, text, shipped, towers)
    rows += sounds
    if given.json:
        print(json.dumps({"rows": [asdict(row) for row in rows], "unknown sounds": notes}, indent=1))
    else:
        show(rows, notes)


def photo_rows(data: Path, text: TextEncoder, shipped: Weights, towers: Weights) -> list[Row]:
    """Measure clothing and grocery photos: by name, zero-shot and taught, and by likeness."""
    rows: list[Row] = []
    trunk = ImageTrunk(shipped)
    half, whole = ImageEncoder(trunk, heads=towers), ImageEncoder(trunk)
    native = ImageNative(trunk, heads=towers)
    for domain in ("clothing", "grocery"):
        listed = read(data / domain)
        asked = [row for row in listed if not (row["source_split"] == "train" if "source_split" in row else lower(row))]
        media = [Image(data / domain / row["file"]) for row in asked]
        labels = np.array([row["label"] for row in asked])
        names = sorted({(row["query"], row["label"]) for row in asked})
        queries = stack(text.encode([Text(query) for query, _ in names], Role.QUERY))
        relevant = np.stack([labels == label for _, label in names])
        features = np.stack(trunk.features(media, "benchmark"))
        taught, known = stack(half.encode(media, Role.DOCUMENT)), half.concepts().untaught()
        task = f"text→image {domain}"
        rows.append(row_of(task, "held out half", queries @ taught.T, relevant))
        rows.append(row_of(f"{task}, zero-shot", "nothing taught", queries @ known.place(features).T, relevant))
        near = stack(native.encode(media, Role.DOCUMENT))
        same = labels[:, None] == labels[None]
        rows.append(row_of(f"image→image {domain}", "held out half", near @ near.T, same, own=True))
        sure = stack(whole.encode(media, Role.DOCUMENT))
        rows.append(row_of(f"{task}, as shipped", "in sample", queries @ sure.T, relevant))
    return rows


def sound_rows(data: Path, text: TextEncoder, shipped: Weights, towers: Weights) -> tuple[list[Row], dict[str, float]]:
    """Measure ESC-10, by name, by likeness and by picture, and how unknown sounds are kept apart."""
    clips, foreign = esc10(data), unknown(data)
    names = sorted(set(clips.labels.tolist()))
    queries = stack(text.encode([Text(name) for name in names], Role.QUERY))
    trunk = AudioTrunk(towers)
    asked = [clip for clip, fold in zip(clips.media, clips.groups, strict=True) if fold == "4"]
    labels = clips.labels[clips.groups == "4"]
    heard = stack(AudioEncoder(trunk).encode(asked, Role.DOCUMENT))
    near = stack(AudioNative(trunk).encode(asked, Role.DOCUMENT))
    unheard = [clip for clip, author in zip(foreign.media, foreign.groups, strict=True) if author_held_out(author)]
    strange = stack(AudioEncoder(trunk).encode(unheard, Role.DOCUMENT))
    relevant = np.array(names)[:, None] == labels[None]
    same = labels[:, None] == labels[None]
    nowhere = np.zeros((len(names), len(strange)), bool)
    places = ImageEncoder(ImageTrunk(shipped)).concepts().places
    pictures = [(label, index) for label, classes in PROXIES.items() for index in classes]
    seen = np.stack([places[index] / np.linalg.norm(places[index]) for _, index in pictures])
    shown = np.array([label for label, _ in pictures])[:, None] == labels[None]
    per_concept = [row_numbers(seen[pick] @ heard.T, shown[pick]) for pick in picks(pictures)]
    mixed = np.concatenate([heard, strange])
    everything = stack(AudioEncoder(AudioTrunk(shipped)).encode(clips.media, Role.DOCUMENT))
    rows = [
        row_of("text→audio", "held out fold 4", queries @ heard.T, relevant),
        row_of(
            "text→audio, unknown sounds among them",
            "held out fold 4",
            queries @ mixed.T,
            np.concatenate([relevant, nowhere], axis=1),
        ),
        row_of("audio→audio", "held out fold 4", near @ near.T, same, own=True),
        row_of("audio→audio in the shared space", "held out fold 4", heard @ heard.T, same, own=True),
        row_of(
            "image→audio (ImageNet class proxies, not photos)",
            "held out fold 4",
            seen @ heard.T,
            shown,
            numbers=np.mean(per_concept, axis=0),
        ),
        row_of(
            "text→audio, as shipped",
            "in sample",
            queries @ everything.T,
            np.array(names)[:, None] == clips.labels[None],
        ),
    ]
    sure, unsure = (queries @ heard.T).max(axis=0), (queries @ strange.T).max(axis=0)
    notes = {
        "known clips (fold 4)": len(heard),
        "unknown clips (authors never heard)": len(strange),
        "AUROC, known against unknown (reference .82)": float((sure[:, None] > unsure[None]).mean()),
        "unknown clips that pass where 95 % of the known pass": float((unsure >= np.quantile(sure, 0.05)).mean()),
        "nearest-name accuracy on fold 4 (reference .950, which had four folds to learn from)": float(
            (np.array(names)[(heard @ queries.T).argmax(axis=1)] == labels).mean()
        ),
    }
    return rows, notes


def row_of(
    task: str, data: str, scores: Array, relevant: Flags, *, own: bool = False, numbers: Array | None = None
) -> Row:
    """Measure one task, beside the mean of ten random rankings."""
    measured = row_numbers(scores, relevant, own=own) if numbers is None else numbers
    rng = np.random.default_rng(0)
    floor = np.stack([row_numbers(rng.random(scores.shape, np.float32), relevant, own=own) for _ in range(10)]).mean(0)
    r1, r5, r10, mean = (round(float(number), 4) for number in measured)
    return Row(
        task,
        data,
        queries=len(scores),
        gallery=scores.shape[1],
        r1=r1,
        r5=r5,
        r10=r10,
        map=mean,
        random_r1=round(float(floor[0]), 4),
        random_map=round(float(floor[3]), 4),
        reference=REFERENCE.get(task.split(" (")[0], ""),
    )


def row_numbers(scores: Array, relevant: Flags, *, own: bool = False) -> Array:
    """Return R@1, R@5, R@10 (a relevant one among the first k) and mAP over the queries that have an answer.

    `own` says that query i is document i, which is then left out.
    """
    rows: list[list[float]] = []
    for index, (row, wanted) in enumerate(zip(scores, relevant, strict=True)):
        order = np.argsort(-row, kind="stable")
        hits = wanted[order[order != index] if own else order]
        if hits.any():
            precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
            rows.append([float(hits[:k].any()) for k in (1, 5, 10)] + [float(precision[hits].mean())])
    return np.asarray(rows, np.float32).mean(axis=0)


def picks(pictures: Sequence[tuple[str, int]]) -> list[list[int]]:
    """Group the proxies by concept, so that 118 breeds of dog weigh as much as one rooster."""
    return [[at for at, (name, _) in enumerate(pictures) if name == label] for label in PROXIES]


def esc10(data: Path) -> Clips:
    return clips_of(data / "esc10", read(data / "esc10"), "fold")


def unknown(data: Path) -> Clips:
    """Read the sounds of sounds_extra that are none of the ten kinds."""
    same = {"fire crackle", "rain", "rain heavy", "rain light", "rain medium", "rooster", "watch tick", "waves"}
    return clips_of(data / "sounds_extra", [r for r in read(data / "sounds_extra") if r["label"] not in same], "author")


def clips_of(folder: Path, rows: Sequence[dict[str, str]], group: str) -> Clips:
    media = [Audio(folder / row["file"]) for row in rows]
    return Clips(media, np.array([row["label"] for row in rows]), np.array([row[group] for row in rows]))


def read(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def lower(row: dict[str, str]) -> bool:
    """Tell whether a clothing photo is in the half that the towers were taught on."""
    return hashlib.sha256(f"octant-2026:{row['file']}".encode()).digest()[0] < 128


def author_held_out(author: str) -> bool:
    return hashlib.sha256(f"octant:{author}".encode()).digest()[0] < 85


def show(rows: Sequence[Row], notes: dict[str, float]) -> None:
    table = Table("task", "data", "queries", "gallery", "R@1", "R@5", "R@10", "mAP", "random R@1 / mAP", "reference")
    for row in rows:
        numbers = [f"{value:.3f}" for value in (row.r1, row.r5, row.r10, row.map)]
        chance = f"{row.random_r1:.3f} / {row.random_map:.3f}"
        table.add_row(row.task, row.data, str(row.queries), str(row.gallery), *numbers, chance, row.reference)
    console = Console(width=190)
    console.print(table)
    for name, value in notes.items():
        console.print(f"{name}: {value:.3f}" if isinstance(value, float) else f"{name}: {value}")


if __name__ == "__main__":
    main()
