"""The code of the README and the example run, in an empty folder."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

HERE = Path(__file__).parent.parent


def test_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", (HERE / "README.md").read_text(), re.DOTALL)
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert capsys.readouterr().out.splitlines() == [
        "a claw hammer",
        "['a claw hammer', 'a red rose']",
        "a cat sleeps on a sofa",
        "blue.png",
    ]
    assert len(blocks) == 2


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OCTANT_HOME", str(tmp_path / "home"))
    spec = importlib.util.spec_from_file_location("photos", HERE / "examples" / "photos.py")
    assert spec is not None
    assert spec.loader is not None
    photos = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(photos)
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    for name in ("red", "deep/blue"):
        Image.new("RGB", (64, 48), name.rpartition("/")[2]).save(folder / f"{name}.png")
    soundfile.write(folder / "hum.wav", 0.5 * np.sin(np.arange(8000) / 5), 8000)
    photos.main(folder, "", folder / "red.png")
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "3 documents"
    assert said[1].endswith("red.png")
