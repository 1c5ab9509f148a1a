"""The code of docs/applications.md runs as it stands, over the sample that octant ships."""

import re
from pathlib import Path

import pytest

import octant
from octant.sample import write

pytest.importorskip("sklearn")

PAGE = (Path(__file__).parent.parent / "docs" / "applications.md").read_text(encoding="utf-8")


def test_the_page_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    assert len(blocks) == 7
    with octant.open("sample", path=tmp_path / "db") as collection:
        collection.add(write(tmp_path / "sample"))
        namespace: dict[str, object] = {"octant": octant, "collection": collection, "folder": tmp_path / "sample"}
        said: list[str] = []
        for block in blocks:
            exec(compile(block, "applications.md", "exec"), namespace)
            said.append(capsys.readouterr().out)
    classes, honest, captions, recommended, duplicates, outliers, clusters = said
    assert classes.startswith("cat ")
    assert honest.startswith("None "), "a clock is none of the classes"
    assert captions.splitlines()[-1] == "a telescope picture of galaxies"
    assert ".jpg" in recommended
    assert "0 groups of duplicates" in duplicates
    assert "deviation" in outliers
    assert "cluster" in clusters
