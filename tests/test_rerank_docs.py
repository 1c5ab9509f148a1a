"""The examples of docs/reranking.md run as they stand."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parent.parent / "docs" / "reranking.md").read_text(encoding="utf-8")


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OCTANT_HOME", str(tmp_path))
    blocks = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    assert len(blocks) == 2
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "reranking.md", "exec"), namespace)
    printed = capsys.readouterr().out.splitlines()
    assert printed == [
        "mug [('boost score * (1.0 + log1p(popularity))', 3, 2), ('<lambda>', 2, 1)]",
        "cup [('boost score * (1.0 + log1p(popularity))', 1, 1), ('<lambda>', 1, 2)]",
        "set [('boost score * (1.0 + log1p(popularity))', 2, 3), ('<lambda>', 3, 3)]",
        "boost score + (0.05 * gauss_decay(price, 20.0, half=10))",
    ]
