"""The chat model of the examples: the one that you name, or a stand-in, so that they run anywhere.

    CHAT_MODEL=openai:gpt-5 python integrations/langchain/examples/multimodal_rag.py

A named one needs `pip install langchain`, the package of its provider, and its key; see `init_chat_model` there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_octant.blocks import documents_of


def chat_model() -> BaseChatModel:
    """The model that $CHAT_MODEL names, else the stand-in."""
    if name := os.environ.get("CHAT_MODEL"):
        chat_models: Any = import_module("langchain.chat_models")
        model: BaseChatModel = chat_models.init_chat_model(name)
        return model
    return StandIn()


class StandIn(BaseChatModel):
    """No model at all: it calls the first tool that it is given, once, and then quotes what it is shown."""

    @property
    def _llm_type(self) -> str:
        return "stand-in"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:  # type: ignore[override]
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)  # type: ignore[return-value]

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        tools: Sequence[Mapping[str, Any]] = (),
        **kwargs: Any,
    ) -> ChatResult:
        del stop, run_manager, kwargs
        asked = next(message for message in messages if isinstance(message, HumanMessage))
        called = any(isinstance(message, ToolMessage) for message in messages)
        answer = _calling(tools[0]["function"], asked) if tools and not called else _quoting(messages)
        return ChatResult(generations=[ChatGeneration(message=answer)])


def _calling(tool: Mapping[str, Any], asked: HumanMessage) -> AIMessage:
    """A call of a tool: the question for its first text, and a price that the question names as a filter."""
    question = str(asked.text)
    first = next(iter(tool["parameters"]["properties"]))
    args = {first: question}
    price = re.search(r"(?:below|under|less than) (\d+)", question)
    if "where" in tool["parameters"]["properties"] and price:
        args["where"] = f"price < {price[1]}"
    return AIMessage("", tool_calls=[{"name": tool["name"], "args": args, "id": "call-1"}])


def _quoting(messages: Sequence[BaseMessage]) -> AIMessage:
    """The first sentences of the first documents, each with its id."""
    shown: dict[str | None, Document] = {}
    pictures = sounds = 0
    for message in messages:
        if isinstance(message, HumanMessage | ToolMessage):
            blocks = message.content_blocks
            shown.update((doc.id, doc) for doc in documents_of(blocks) if doc.id not in shown)
            pictures += sum(block["type"] == "image" for block in blocks)
            sounds += sum(block["type"] == "audio" for block in blocks)
    quotes = [f"{_sentence(doc.page_content)} [{doc.id}]" for doc in list(shown.values())[:3]]
    seen = f"I was shown {len(shown)} documents, {pictures} pictures and {sounds} sounds."
    return AIMessage("\n".join([*quotes, seen]))


def _sentence(text: str) -> str:
    words = " ".join(line for line in text.splitlines() if not line.startswith("#")).split()
    return re.split(r"(?<=[.!?]) ", " ".join(words))[0]
