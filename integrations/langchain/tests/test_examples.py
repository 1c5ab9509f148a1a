"""The examples run as they stand, offline, and with whichever model $CHAT_MODEL names."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel, FakeMessagesListChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool

EXAMPLES = Path(__file__).parent.parent / "examples"


class Recorded(FakeMessagesListChatModel):
    """A model of a provider, as far as examples can tell: it says what it was told to, and keeps what it was shown."""

    shown: list[list[BaseMessage]] = []  # noqa: RUF012 - a field of pydantic's

    def _generate(self, messages: list[BaseMessage], *given: Any, **named: Any) -> Any:
        self.shown.append(list(messages))
        return super()._generate(messages, *given, **named)

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        return self.bind(tools=[one.name for one in tools])


@pytest.fixture(autouse=True)
def _no_model_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CHAT_MODEL", raising=False)
    monkeypatch.setenv("OCTANT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])


def example(name: str) -> Any:
    return importlib.import_module(name)


def named(monkeypatch: pytest.MonkeyPatch, *answers: AIMessage) -> Recorded:
    """Let $CHAT_MODEL name a model, which LangChain's own function makes."""
    model = Recorded(responses=list(answers), shown=[])
    asked: list[str] = []

    def init_chat_model(name: str) -> BaseChatModel:
        asked.append(name)
        return model

    langchain, chat_models = ModuleType("langchain"), ModuleType("langchain.chat_models")
    chat_models.init_chat_model = init_chat_model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "langchain", langchain)
    monkeypatch.setitem(sys.modules, "langchain.chat_models", chat_models)
    monkeypatch.setenv("CHAT_MODEL", "provider:model")
    return model


def kinds(message: BaseMessage) -> list[str]:
    return [block["type"] for block in message.content_blocks]


# multimodal_rag


def test_the_folder_is_answered_from_offline(capsys: pytest.CaptureFixture[str]) -> None:
    answer = example("multimodal_rag").main()
    names = [str(document.id).rpartition("/")[2] for document in answer.cited]
    assert names[:2] == ["dog-barking.flac", "dogs.md"]
    assert "sounds." in answer.text
    assert "items stored" in capsys.readouterr().out


def test_a_model_is_shown_texts_photos_and_sounds_and_cites_what_exists(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from octant.sample import write

    folder = tmp_path / "library"
    write(folder)
    cat = (folder / "photos" / "cat.jpg").as_uri()
    model = named(monkeypatch, AIMessage(f"There is one [{cat}], and another [file:///made/up.jpg]."))
    answer = example("multimodal_rag").main(folder, "cats and kittens")
    assert [document.id for document in answer.cited] == [cat]
    [[instructions, message]] = model.shown
    assert "never an instruction" in instructions.text
    assert message.content_blocks[0] == {"type": "text", "text": "Question: cats and kittens"}
    at = next(n for n, block in enumerate(message.content_blocks) if str(block.get("text", "")).startswith(f"[{cat}]"))
    assert message.content_blocks[at + 1]["type"] == "image"


# agent_tool


def test_the_agent_looks_things_up_offline() -> None:
    said = example("agent_tool").main()
    assert [message.type for message in said] == ["system", "human", "ai", "tool", "human", "ai"]
    assert said[2].tool_calls[0]["name"] == "search_library"
    assert {document.id.rpartition("/")[2] for document in said[3].artifact} >= {"cat.jpg", "cats.md"}
    assert "image" in kinds(said[4])
    assert "cats.md]" in said[-1].text


def test_the_agent_works_with_a_model_that_calls_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    call: dict[str, Any] = {"name": "search_library", "args": {"query": "a cat"}, "id": "1"}
    wrong: dict[str, Any] = {"name": "no_such_tool", "args": {}, "id": "2"}
    model = named(monkeypatch, AIMessage("", tool_calls=[wrong]), AIMessage("", tool_calls=[call]), AIMessage("a cat"))
    said = example("agent_tool").main("is there a cat?")
    assert [message.type for message in said] == ["system", "human", "ai", "tool", "ai", "tool", "human", "ai"]
    assert said[3].status == "error"
    assert said[-1].text == "a cat"
    assert len(model.shown) == 3


def test_texts_that_a_tool_gave_are_not_shown_twice() -> None:
    @tool(response_format="content_and_artifact")
    def look(query: str) -> tuple[str, list[Document]]:
        """Look something up."""
        return query, [Document(id="a", page_content="x", metadata={"score": 0.5, "octant": {"score": 0.5}})]

    call: dict[str, Any] = {"name": "look", "args": {"query": "x"}, "id": "1"}
    model = Recorded(responses=[AIMessage("", tool_calls=[call]), AIMessage("x")], shown=[])
    said = example("agent_tool").converse(model, [look], [HumanMessage("x")], roots=[])
    assert [message.type for message in said] == ["human", "ai", "tool", "ai"]


def test_an_agent_that_never_answers_is_stopped() -> None:
    @tool
    def nothing() -> str:
        """Find nothing."""
        return "nothing"

    calls: list[BaseMessage] = [
        AIMessage("", tool_calls=[{"name": "nothing", "args": {}, "id": str(n)}]) for n in range(9)
    ]
    with pytest.raises(RuntimeError, match="five times"):
        example("agent_tool").converse(Recorded(responses=calls, shown=[]), [nothing], [HumanMessage("x")], roots=[])


def test_an_agent_that_says_nothing_to_look_for_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    call: dict[str, Any] = {"name": "search_library", "args": {"query": " "}, "id": "1"}
    named(monkeypatch, AIMessage("", tool_calls=[call]), AIMessage("What do you mean?"))
    said = example("agent_tool").main("?")
    assert "nothing to look for" in said[3].text
    assert said[-1].text == "What do you mean?"


# product_assistant


def test_the_photo_alone_is_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    call: dict[str, Any] = {"name": "find_products", "args": {"words": "", "where": "price < 30"}, "id": "1"}
    named(monkeypatch, AIMessage("", tool_calls=[call]), AIMessage("Take [sku-1]."))
    said = example("product_assistant").main()
    [found] = [message for message in said if isinstance(message, ToolMessage)]
    assert found.artifact[0].id == "sku-1"


def test_the_assistant_finds_what_looks_like_the_photo_and_costs_less() -> None:
    said = example("product_assistant").main()
    [found] = [message for message in said if isinstance(message, ToolMessage)]
    assert said[2].tool_calls[0]["args"]["where"] == "price < 30"
    assert found.artifact[0].id == "sku-1"
    assert all(document.metadata["price"] < 30 for document in found.artifact)
    assert said[-1].text.startswith("Red rock arches in the desert, poster [sku-1]")


def test_the_assistant_lets_a_model_mend_its_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    def call(where: str) -> AIMessage:
        return AIMessage(
            "", tool_calls=[{"name": "find_products", "args": {"words": "a temple", "where": where}, "id": "1"}]
        )

    model = named(monkeypatch, call("prize < 30"), call("price > 30"), AIMessage("Take [sku-2], 89.00."))
    said = example("product_assistant").main(wish="Rather a temple; money is no object")
    first, second = (message for message in said if isinstance(message, ToolMessage))
    assert (first.status, second.status) == ("error", "success")
    assert "did you mean 'price'" in first.text
    assert second.artifact[0].id == "sku-2"
    assert all(document.metadata["price"] > 30 for document in second.artifact)
    assert kinds(model.shown[0][1]) == ["text", "image"]
