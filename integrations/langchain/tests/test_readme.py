"""The Python of the README runs as it stands, block after block, with a model of ours in the place of a provider's."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import langchain_octant
import pytest
from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage

from octant.sample import write

README = Path(__file__).parent.parent / "README.md"


@pytest.fixture
def namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the blocks leave behind."""
    write(tmp_path / "library")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OCTANT_HOME", str(tmp_path / "home"))
    barking = (tmp_path / "library" / "sounds" / "dog-barking.flac").as_uri()
    langchain, chat_models = ModuleType("langchain"), ModuleType("langchain.chat_models")
    said = AIMessage(f"Like this [{barking}]; see [nothing.md] too.")
    chat_models.init_chat_model = lambda name: FakeMessagesListChatModel(responses=[said])  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "langchain", langchain)
    monkeypatch.setitem(sys.modules, "langchain.chat_models", chat_models)
    found: dict[str, Any] = {}
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), flags=re.DOTALL)):
        exec(compile(block, f"README block {number}", "exec"), found)
    return found


def test_the_blocks_find_what_the_page_says(namespace: dict[str, Any]) -> None:
    assert any("dog" in document.id for document in namespace["documents"])
    assert {block["type"] for block in namespace["blocks"]} >= {"text", "audio"}
    cited = langchain_octant.cited_documents(namespace["answer"].text, namespace["documents"])
    assert [str(document.id).rpartition("/")[2] for document in cited] == ["dog-barking.flac"]
    assert namespace["found"].id == "report"
    assert namespace["best"].id.endswith("cat.jpg")
    assert namespace["options"]["k"] == 2
    namespace["collection"].close()


def test_every_class_that_the_page_names_is_there_and_the_other_way_round() -> None:
    table = README.read_text("utf-8").partition("| class |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in table.splitlines()[2:])))
    assert named <= set(langchain_octant.__all__)
    classes = {name for name in langchain_octant.__all__ if name.startswith(("Octant", "LangChain"))}
    assert classes <= named


def test_the_links_of_the_page_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README.read_text("utf-8")):
        assert (README.parent / target).exists(), target
