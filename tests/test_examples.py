"""Every example runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


def test_there_are_examples() -> None:
    assert EXAMPLES


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs(example: Path) -> None:
    run = subprocess.run([sys.executable, "-W", "error", example], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_the_shop_finds_the_cup_by_words_and_by_photo() -> None:
    shop = next(path for path in EXAMPLES if path.name == "shop.py")
    said = subprocess.run([sys.executable, shop], capture_output=True, text=True, check=True).stdout
    words, photo, price = said.split("\n\n")[1:]
    assert "coffee.jpg" in words.splitlines()[3]
    assert "coffee.jpg" in photo.splitlines()[3]
    assert "flower.jpg" in price.splitlines()[3]
    assert "rocket.jpg" not in price


def test_the_print_shop_answers_words_photos_and_both_with_every_product_once() -> None:
    shop = next(path for path in EXAMPLES if path.name == "product_search.py")
    said = subprocess.run([sys.executable, shop], capture_output=True, text=True, check=True).stdout
    stored, *blocks = re.split(r"\n(?=outer|like|spaceship)", said)
    assert stored.startswith("33 items stored")
    titles = [re.findall(r"^ ?(\w[^:\n]*), (poster|canvas|postcard)", block, flags=re.MULTILINE) for block in blocks]
    assert all(len({title for title, _ in block}) == len(block) for block in titles), "each product once"
    cheap, canvas, photo, both, plain, popular = titles
    assert cheap[0][0] == canvas[0][0] == "Galaxies of the deep sky"
    assert {on for _, on in cheap} == {"poster"}, "those on canvas cost more"
    assert {on for _, on in canvas} == {"canvas"}
    assert "category: space (6), animals (4)" in blocks[0]
    assert photo[0][0] == "Red rock arches in the desert"
    assert both[0][0] == "Temple carved into the rock", "what is like the photo comes second once words ask for more"
    assert (plain[0][0], popular[0][0]) == ("Rocket launch at dusk", "Portrait of an astronaut")
