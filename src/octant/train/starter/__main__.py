"""Make the weights of the starter space: `python -m octant.train.starter all --data ../shared/data --out …/weights`."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import torch

from octant.train.starter import steps
from octant.train.starter.card import write_card, write_manifest


def main() -> None:
    """Run the named steps in order; each prints its metrics and writes its files. `all` leaves out `folds`."""
    parser = argparse.ArgumentParser(prog="python -m octant.train.starter", description=__doc__)
    parser.add_argument("steps", nargs="+", choices=["text", "image", "audio", "folds", "card", "all"])
    parser.add_argument("--data", type=Path, required=True, help="the folder with clothing, grocery, esc10, …")
    parser.add_argument(
        "--out", type=Path, required=True, help="where the weights go; the card goes beside that folder"
    )
    parser.add_argument("--towers", type=Path, help="where the towers of the benchmark go, which hold data out")
    parser.add_argument("--work", type=Path, help="keeps what is slow to compute (a temporary folder by default)")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.out.mkdir(parents=True, exist_ok=True)
    work = given.work or Path(tempfile.mkdtemp(prefix="octant-starter-"))
    work.mkdir(parents=True, exist_ok=True)
    bench = given.towers or work / "towers"
    bench.mkdir(parents=True, exist_ok=True)
    chosen = ["text", "image", "audio", "card"] if "all" in given.steps else given.steps
    if "text" in chosen:
        steps.text(given.out, work)
    if "image" in chosen:
        steps.image(given.data, given.out, bench, work)
    if "audio" in chosen:
        steps.audio(given.data, given.out, bench, work)
    if "folds" in chosen:
        steps.folds(given.data, given.out, work)
    write_manifest(given.out)
    write_manifest(bench)
    if "card" in chosen:
        write_card(given.data, given.out)
    if not given.work:
        shutil.rmtree(work)


main()
