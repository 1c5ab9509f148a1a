"""Every example runs as it stands."""

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
