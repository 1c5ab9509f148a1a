"""The demo: index the packaged sample into a fresh database and search it in six directions, offline."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import octant
from octant import sample
from octant.media import Audio, Image, Media, Modality, Text
from octant.query import Query
from octant.show import Hits, Section, counted, page

if TYPE_CHECKING:
    from rich.console import Console

    from octant.report import Report

__all__ = ["run"]

_LEAD = (
    "Every query below was answered by Qdrant, embedded in one Python process, with the offline starter: "
    "small models that ship with octant and know about 1,000 kinds of things in photos and ten kinds of sounds. "
    "File names are not searched. Scores of different directions cannot be compared with one another."
)


@dataclass(frozen=True, slots=True)
class _Search:
    """A search of the demo."""

    direction: str
    query: Media
    into: Modality
    note: str = ""


def run(console: Console, html: Path, keep: Path | None = None) -> list[Section]:
    """Run the demo: print each search as a table, write all of them to the page `html`, and return them.

    `keep` is a folder for the sample and its database; without it both are thrown away.
    """
    start = time.perf_counter()
    with _folder(keep) as folder:
        media = sample.write(folder)
        with octant.open("demo", path=folder / "database") as collection:
            report = collection.add(media)
            _print_report(console, report, collection.place.engine)
            searches = _searches(folder)
            answers = collection.search_many([Query(s.query, (s.into,), limit=5) for s in searches])
        sections = [
            Section(search.direction, hits, search.note) for search, hits in zip(searches, answers, strict=True)
        ]
        for search, hits in zip(searches, answers, strict=True):
            _print_search(console, search, hits)
        html.parent.mkdir(parents=True, exist_ok=True)
        html.write_text(page("octant: one collection, six directions", sections, lead=_LEAD), "utf-8")
    _print_next(console, html, keep, time.perf_counter() - start)
    return sections


def _searches(folder: Path) -> Sequence[_Search]:
    photos, sounds = folder / "photos", folder / "sounds"
    text, image, audio = Modality.TEXT, Modality.IMAGE, Modality.AUDIO
    return (
        _Search("text → image", Text("a cup of coffee"), image),
        _Search(
            "text → image",
            Text("a sky full of galaxies"),
            image,
            "Galaxies are not among the kinds of things that the starter knows in photos: this is where it is weak.",
        ),
        _Search("text → audio", Text("a dog barking"), audio),
        _Search("text → audio", Text("waves on the beach"), audio),
        _Search(
            "image → image",
            Image(sample.QUERIES / "another-view-of-the-canyon.jpg"),
            image,
            "The photo asked with is not in the collection.",
        ),
        _Search(
            "image → audio",
            Image(photos / "wall-clock.jpg"),
            audio,
            "The photo shows a wall clock, taken with a moving camera.",
        ),
        _Search("image → audio", Image(photos / "rocket.jpg"), audio, "There is no rocket among the sounds."),
        _Search("audio → image", Audio(sounds / "ticking-clock.flac"), image),
        _Search(
            "audio → image",
            Audio(sounds / "church-bell.flac"),
            image,
            "A bell is none of the ten sounds that the starter knows: its scores should stay near zero.",
        ),
        _Search("text → text", Text("how do I light a fire outdoors?"), text),
        _Search("text → text", Text("spaceflight"), text),
    )


@contextmanager
def _folder(keep: Path | None) -> Generator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="octant-demo-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _print_report(console: Console, report: Report, engine: str) -> None:
    console.print(
        f"indexed {report.points} items ({counted(report.modalities)}) in {report.seconds:.1f} s with {engine}",
        highlight=False,
    )


def _print_search(console: Console, search: _Search, hits: Hits) -> None:
    from rich.text import Text as Styled

    asked = f"“{search.query.content}”" if isinstance(search.query, Text) else _file_name(search.query)
    console.print(Styled(f"\n{search.direction}  ", "bold blue").append(asked, "bold"))
    if search.note:
        console.print(Styled(search.note, "dim"))
    console.print(hits)


def _file_name(medium: Image | Audio) -> str:
    return medium.source.name if isinstance(medium.source, Path) else repr(medium)


def _print_next(console: Console, html: Path, keep: Path | None, seconds: float) -> None:
    from rich.text import Text as Styled

    console.print(
        Styled(f"\n{seconds:.1f} s in all. The same results with thumbnails and players: ").append(
            f"{html.absolute()}", "bold"
        ),
        soft_wrap=True,
    )
    then = (
        "octant index ~/Pictures -c mine && octant search 'a cat' -c mine"
        if keep is None
        else f"octant search 'rain' -c demo --path {keep / 'database'}"
    )
    console.print(Styled("Next: ").append(then, "bold"), soft_wrap=True)
