"""The README is run as it stands, in the home of somebody who has pictures, sounds and notes."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import soundfile

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    data = pytest.importorskip("skimage.data")
    for folder in ("Pictures", "Sounds", "notes"):
        (tmp_path / folder).mkdir()
    PIL.Image.fromarray(data.chelsea()).save(tmp_path / "Pictures" / "cat.jpg")
    PIL.Image.fromarray(data.chelsea()).save(tmp_path / "cat.jpg")
    PIL.Image.fromarray(data.coffee()).save(tmp_path / "Pictures" / "coffee.jpg")
    rain = np.random.default_rng(0).normal(0, 0.1, 5 * 16000).astype(np.float32)
    soundfile.write(tmp_path / "Sounds" / "rain.wav", rain, 16000)
    (tmp_path / "notes" / "note.md").write_text("A dog barks at the rain.", encoding="utf-8")
    return tmp_path


def test_the_python_examples_run(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("OCTANT_HOME", str(home / "db"))
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(blocks) >= 3
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)
    stored, first, *_ = capsys.readouterr().out.splitlines()
    assert stored.startswith("2 items stored (2 image)")
    assert "cat.jpg" in first, "the cat is the first hit for 'a cat'"


def test_the_commands_run(home: Path) -> None:
    commands = [line.split("#")[0] for line in README.splitlines() if line.startswith("octant ")]
    assert [shlex.split(command)[1] for command in commands] == [
        "index",
        "search",
        "search",
        "search",
        "sync",
        "info",
        "doctor",
        "encoders",
        "index",
        "search",
    ]
    commands = commands[:-2]  # those of a model that has to be fetched; test_family does the same with another one
    environment = {**os.environ, "HOME": str(home), "OCTANT_HOME": str(home / "db")}
    outputs: list[str] = []
    for command in commands:
        words = [word.replace("~", str(home), 1) if word.startswith("~/") else word for word in shlex.split(command)]
        run = subprocess.run(
            [sys.executable, "-m", *words], cwd=home, env=environment, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, f"{command}\n{run.stdout}{run.stderr}"
        outputs.append(run.stdout)
    assert "rain.wav" in outputs[1], "the only sound is the answer to a search into sounds"
    assert '"hits"' in outputs[2] or outputs[2].lstrip().startswith("["), "--json gives JSON"
    assert "octant-starter" in outputs[5], "info names the encoders"
