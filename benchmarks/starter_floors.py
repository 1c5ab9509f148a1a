"""How similar unrelated things are in the starter space: where the floors of `octant.config.starter` come from.

    python benchmarks/starter_floors.py --data ../shared/data [--json]

For every direction: quantiles of the similarity of pairs of different labels, and of pairs of the same label. A floor
is to lie above nearly all of the first and below most of the second; "passing" is the share that it lets through.
The photos and most sounds are what the shipped weights have learned from, so the second column flatters.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import octant
from octant.encoding import Role
from octant.media import Audio, Image, Media, Modality, Text
from octant.vectors import Array, stack

PER_FOLDER = 150


def labelled(data: Path, folder: str, column: str, rng: random.Random) -> list[tuple[Path, str]]:
    with (data / folder / "labels.csv").open(encoding="utf-8", newline="") as table:
        rows = [(data / folder / row["file"], row[column]) for row in csv.DictReader(table)]
    return rng.sample(rows, min(PER_FOLDER, len(rows)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rng = random.Random(0)
    photos = labelled(options.data, "clothing", "query", rng) + labelled(options.data, "grocery", "query", rng)
    sounds = labelled(options.data, "esc10", "label", rng) + labelled(options.data, "sounds_extra", "label", rng)
    labels = sorted({label for _, label in photos + sounds})
    media: dict[Modality, tuple[Sequence[Media], list[str]]] = {
        Modality.TEXT: ([Text(label) for label in labels], labels),
        Modality.IMAGE: ([Image(path) for path, _ in photos], [label for _, label in photos]),
        Modality.AUDIO: ([Audio(path) for path, _ in sounds], [label for _, label in sounds]),
    }
    rows: list[dict[str, Any]] = []
    for field in octant.starter().fields.values():
        there, names = media[field.modality]
        stored = stack(field.space.encode(there, field.modality, Role.DOCUMENT))
        for asked, floor in field.floors.items():
            here, wanted = media[asked]
            queries: Array = stack(field.space.encode(here, asked, Role.QUERY))
            similarity = queries @ stored.T
            same = np.array([[a == b for b in names] for a in wanted])
            itself = np.eye(len(wanted), dtype=bool) if asked is field.modality else np.zeros_like(same)
            other, alike = similarity[~same], similarity[same & ~itself]
            row: dict[str, Any] = {"search": f"{asked} -> {field.name}", "floor": floor}
            row |= {f"different {p:g} %": round(float(np.percentile(other, p)), 3) for p in (50, 95, 99)}
            row["different passing"] = round(float((other >= floor).mean()), 4)
            if alike.size:
                row |= {f"same {p:g} %": round(float(np.percentile(alike, p)), 3) for p in (5, 50)}
                row["same passing"] = round(float((alike >= floor).mean()), 4)
            rows.append(row)
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    columns = list(rows[0]) + [key for key in max(rows, key=len) if key not in rows[0]]
    table = Table(*columns, title="similarity of pairs of different and of the same label")
    for row in rows:
        table.add_row(*(str(row.get(column, "")) for column in columns))
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
