"""The pages of docs/ whose Python is there to be copied are run as they stand."""

import re
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from octant.family import families

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize("page", ["search.md", "encoders.md"])
def test_the_examples_of_a_page_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCTANT_HOME", str(tmp_path))
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    assert blocks
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), namespace)


def test_every_family_of_encoders_has_a_row_that_names_its_tests() -> None:
    own = {one.name for one in entry_points(group="octant.encoders") if one.value.startswith("octant.backends")}
    rows = dict(
        re.findall(r"^\| \[`(\w+)`\]\((\S+)\) \|", (DOCS / "encoders.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert rows.keys() == own
    for name, tests in rows.items():
        assert (DOCS / tests).is_file(), f"{name}: no {tests}"


def test_what_is_named_in_the_rows_of_encoders_is_understood() -> None:
    text = (DOCS / "encoders.md").read_text(encoding="utf-8")
    named = re.findall(r"`(\w+):[^`?\s]+(?:\?([^`\s…]*))?`", text)
    asked = [(families()[name], dict(parse_qsl(options))) for name, options in named if name in families()]
    assert len(asked) > 30
    for family, options in asked:
        assert options.keys() <= family.options.model_fields.keys(), (family.name, options)
