"""The demo shows what the starter can do, really runs, and its page needs nothing but itself."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from octant import demo, sample
from octant.sample import sounds
from octant.show import Section


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Section], str, str]:
    """The sections, what was printed, and the page."""
    folder, sheet = tmp_path_factory.mktemp("demo"), io.StringIO()
    sections = demo.run(Console(file=sheet, width=100), folder / "demo.html")
    return sections, sheet.getvalue(), (folder / "demo.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("direction", "best"),
    [
        ("text → image", "coffee.jpg"),
        ("text → audio", "dog-barking.flac"),
        ("text → audio", "sea-waves.flac"),
        ("image → image", "canyon.jpg"),
        ("image → audio", "ticking-clock.flac"),
        ("audio → image", "wall-clock.jpg"),
        ("text → text", "campfire.md"),
        ("text → text", "moon-landing.txt"),
    ],
)
def test_each_direction_finds_what_it_should(ran: tuple[list[Section], str, str], direction: str, best: str) -> None:
    assert best in [section.hits[0].metadata["name"] for section in ran[0] if section.title == direction]


def test_an_unknown_sound_is_not_taken_for_a_known_one(ran: tuple[list[Section], str, str]) -> None:
    [bell, clock] = [
        next(s for s in ran[0] if getattr(getattr(s.hits.query, "source", None), "name", "") == name)
        for name in ("church-bell.flac", "ticking-clock.flac")
    ]
    assert bell.hits[0].score < clock.hits[0].score / 2


def test_all_six_directions_are_printed_with_scores(ran: tuple[list[Section], str, str]) -> None:
    printed = ran[1]
    for direction in ("text → image", "text → audio", "image → image", "image → audio", "audio → image", "text → text"):
        assert direction in printed
    assert len(re.findall(r"^\d  +-?0\.\d{3}", printed, re.MULTILINE)) == sum(len(section.hits) for section in ran[0])
    assert "demo.html" in printed
    assert "octant index" in printed


def test_the_page_holds_its_pictures_and_sounds(ran: tuple[list[Section], str, str]) -> None:
    page = ran[2]
    hits = [hit for section in ran[0] for hit in section.hits]
    assert page.count("<img") >= sum("image" in hit.item.media for hit in hits) > 0
    assert page.count("<audio") >= sum("audio" in hit.item.media for hit in hits) > 0
    assert "can no longer be read" not in page
    assert not re.search(r"https?://|<script|<link", page)
    assert all(link.startswith("data:") for link in re.findall(r"(?:src|href)=['\"]([^'\"]*)", page))
    assert len(page) < 8_000_000


def test_the_sample_and_its_database_can_be_kept(tmp_path: Path) -> None:
    import octant

    sheet = io.StringIO()
    for _ in range(2):  # a second run finds its own folder and replaces
        demo.run(Console(file=sheet, width=100), tmp_path / "out" / "page.html", tmp_path / "kept")
    assert {path.name for path in (tmp_path / "kept").iterdir()} >= {"photos", "sounds", "notes", "database"}
    with octant.open("demo", path=tmp_path / "kept" / "database", create=False) as collection:
        assert collection.count() == len([p for p in (tmp_path / "kept").glob("*/*.*") if p.parent.name != "database"])


def test_sounds_are_the_same_on_every_run() -> None:
    for make in sounds.SOUNDS.values():
        first = make()
        assert np.array_equal(first, make())
        assert 3 * sounds.RATE <= len(first) <= 5 * sounds.RATE


def test_the_photos_are_small_and_every_one_has_its_licence() -> None:
    folder = Path(str(sample.__file__)).parent
    licences = (folder / "LICENSES.md").read_text("utf-8")
    photos = [*folder.glob("photos/*"), *folder.glob("queries/*")]
    assert len(photos) > 10
    assert sum(path.stat().st_size for path in photos) < 600_000
    assert [path.name for path in photos if path.name not in licences] == []
