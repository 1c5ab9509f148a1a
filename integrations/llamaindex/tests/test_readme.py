"""The code of the README and the example run, in an empty folder."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.llms import MockLLM
from llama_parts import picture, sound

import octant

HERE = Path(__file__).parent.parent


def test_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OCTANT_HOME", str(tmp_path / "home"))
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", (HERE / "README.md").read_text(), re.DOTALL)
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["A cat sleeps on the sofa.", "Part HX-77 is a claw hammer."]
    assert said[2].startswith(str(tmp_path / "things/blue.png"))
    assert said[3] == str(tmp_path / "things/hum.wav")
    assert len(blocks) == 2


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OCTANT_HOME", str(tmp_path / "home"))
    spec = importlib.util.spec_from_file_location("folder", HERE / "examples" / "folder.py")
    assert spec is not None
    assert spec.loader is not None
    folder = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(folder)
    things = tmp_path / "things"
    things.mkdir()
    picture(things / "red.png", "red")
    sound(things / "hum.wav", 440)
    (things / "cat.txt").write_text("a cat sleeps on a sofa")
    folder.main(things, "a sleeping cat")
    assert "cat.txt" in capsys.readouterr().out
    folder.main(things, "", things / "red.png")
    assert "red.png" in capsys.readouterr().out
    with octant.open("folder") as collection:
        assert "cat sleeps" in folder.answer(collection, "who sleeps?", MockLLM())
