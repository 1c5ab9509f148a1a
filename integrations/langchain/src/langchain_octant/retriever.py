"""Retrievers: a text, or a text, an image, a sound or several of these, against all that a collection holds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.callbacks.manager import AsyncCallbackManager, CallbackManager
from langchain_core.documents import Document
from langchain_core.messages import HumanMessage
from langchain_core.retrievers import BaseRetriever, LangSmithRetrieverParams
from langchain_core.runnables import RunnableConfig, RunnableSerializable
from langchain_core.runnables.config import ensure_config
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from langchain_octant.blocks import media_of
from langchain_octant.documents import document_of_hit
from langchain_octant.reading import aby_filter, by_filter, is_blank
from langchain_octant.vectorstore import embedded, modalities_of
from octant import (
    AsyncCollection,
    Audio,
    ById,
    ByVector,
    Collection,
    Composed,
    Discover,
    Hit,
    Image,
    Modality,
    Query,
    Recommend,
    Schema,
    Text,
)

__all__ = ["OctantMultimodalRetriever", "OctantRetriever", "QueryInput"]

Asked: TypeAlias = Text | Image | Audio | ById | ByVector | Composed | Recommend | Discover
QueryInput: TypeAlias = str | Asked | Query | HumanMessage | Mapping[str, Any] | Sequence[str | Mapping[str, Any]]
"""A text; anything that octant can be asked; a content block or several; a whole message."""


class _Search(BaseModel):
    """Where to look and how: what both retrievers are made of."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    collection: Collection | None = Field(default=None, exclude=True, repr=False)
    """Asked by `invoke`; by `ainvoke` too, in a thread, where there is no `async_collection`."""
    async_collection: AsyncCollection | None = Field(default=None, exclude=True, repr=False)
    """Asked by `ainvoke`, on the event loop that it was opened in."""
    k: int = Field(default=4, ge=1)
    """How many documents to find."""
    filter: Any = None
    """A payload filter: a text, a mapping, conditions of `octant.F`, or Qdrant's own."""
    into: Modality | str | Sequence[Modality | str] = ()
    """Modalities to find, such as "image" or ("image", "audio"); none named = all that can answer."""
    fields: tuple[str, ...] = ()
    """Search these fields of the collection alone; none named = all that can answer."""
    weights: dict[str, float] = Field(default_factory=dict)
    """How much fields count in a fusion, 1 where not named."""
    fusion: Any = None
    """How several fields become one ranking, such as `octant.RRF()`; None = as the collection does."""
    rerank: tuple[Any, ...] = ()
    """Stages that judge the best again, such as `octant.Stage(octant.Mmr("text"))`."""
    explain: bool = False
    """Whether metadata["octant"]["explanation"] says what every field and every reranker made of a document."""

    @field_validator("into", mode="after")
    @classmethod
    def _as_modalities(cls, given: str | Sequence[str]) -> tuple[Modality, ...]:
        return modalities_of(given)

    @model_validator(mode="after")
    def _can_be_asked(self) -> _Search:
        if self.collection is None and self.async_collection is None:
            raise ValueError("give an octant collection: collection=octant.open(...), async_collection=..., or both")
        self._query(Text("anything"), None, None)  # says now what is wrong with the options
        return self

    def _query(self, asked: Asked | Query, k: int | None, filter: Any) -> Query:
        if isinstance(asked, Query):
            if k is not None or filter is not None:
                raise TypeError("a Query says itself what to find: set limit= and where= there, not k and filter")
            return replace(asked, explain=asked.explain or self.explain)
        return Query(
            asked,
            into=modalities_of(self.into),
            where=self.filter if filter is None else filter,
            limit=self.k if k is None else k,
            fields=self.fields,
            weights=self.weights,
            fusion=self.fusion,
            rerank=self.rerank,
            explain=self.explain,
        )

    def _find(self, query: Query) -> list[Document]:
        if self.collection is None:
            raise NotImplementedError(
                "this retriever holds an AsyncCollection alone: await ainvoke(...), or give collection=octant.open(...)"
            )
        if is_blank(query):
            return by_filter(self.collection, query)
        return self._documents(self.collection.search(query))

    async def _afind(self, query: Query) -> list[Document]:
        if not is_blank(query):
            query = await embedded(query, self._schema)
        if self.async_collection is None:
            return await asyncio.to_thread(self._find, query)
        if is_blank(query):
            return await aby_filter(self.async_collection, query)
        return self._documents(await self.async_collection.search(query))

    def _documents(self, hits: Sequence[Hit]) -> list[Document]:
        return [document_of_hit(hit, explain=hit.explanation is not None) for hit in hits]

    @property
    def _schema(self) -> Schema:
        held = self.async_collection if self.collection is None else self.collection
        return cast("Collection | AsyncCollection", held).schema  # one is there: `_can_be_asked`

    def _tracing(self) -> LangSmithRetrieverParams:
        fields = self._schema.fields.values()
        asked = {f.space.identity(Modality.TEXT) for f in fields if Modality.TEXT in f.answers}
        return LangSmithRetrieverParams(
            ls_retriever_name="octant",
            ls_vector_store_provider="qdrant",
            ls_embedding_provider="octant",
            ls_embedding_model=", ".join(sorted(asked)) or None,
        )


class OctantRetriever(_Search, BaseRetriever):
    """Find documents for a text: of any modality, over one field or several, fused and reranked by octant.

    `invoke(query, k=..., filter=...)` overrides both for one call. Documents carry metadata["score"]; where they have
    such a key of their own, the score is in metadata["octant"]["score"] alone, as it always is. A query without words,
    as structured queries can be, finds what the filter matches, unscored.
    """

    model_config = ConfigDict(extra="forbid")  # a filter that is misspelt would find everybody's documents

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        k: int | None = None,
        filter: Any = None,
    ) -> list[Document]:
        del run_manager
        return self._find(self._query(Text(query), k, filter))

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,
        k: int | None = None,
        filter: Any = None,
    ) -> list[Document]:
        del run_manager
        return await self._afind(self._query(Text(query), k, filter))

    def _get_ls_params(self, **kwargs: Any) -> LangSmithRetrieverParams:
        del kwargs
        return self._tracing()


class OctantMultimodalRetriever(_Search, RunnableSerializable[QueryInput, list[Document]]):
    """Find documents for a text, an image, a sound, content blocks or a whole message: several make one question.

    A `str` is a text, never a path. An `octant.Query` says everything itself, and the retriever's own options are not
    looked at then. Callbacks are those of a retriever, and see the question in words: no pixels, samples or bytes.
    A chain in front of it hands its own callbacks what it was given itself.
    """

    model_config = ConfigDict(extra="forbid")

    tags: list[str] | None = None
    """Tags of every run, for callbacks."""
    metadata: dict[str, Any] | None = None
    """Metadata of every run, for callbacks."""

    @property
    def InputType(self) -> Any:  # noqa: N802 - the name is LangChain's
        """Anything, as far as JSON schemas go: media have none."""
        return Any

    def invoke(
        self,
        input: QueryInput,
        config: RunnableConfig | None = None,
        *,
        k: int | None = None,
        filter: Any = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Find documents; `k` and `filter` override the retriever's for this call."""
        _refuse(kwargs)
        config = ensure_config(config)
        manager = CallbackManager.configure(
            config.get("callbacks"),
            None,
            inheritable_tags=config.get("tags"),
            local_tags=self.tags,
            inheritable_metadata=self._inherited(config),
            local_metadata=self.metadata,
        )
        run = manager.on_retriever_start(
            None, described(input), run_id=config.get("run_id"), name=config.get("run_name") or self.get_name()
        )
        try:
            found = self._find(self._query(asked_of(input), k, filter))
        except Exception as error:
            run.on_retriever_error(error)
            raise
        run.on_retriever_end(found)
        return found

    async def ainvoke(
        self,
        input: QueryInput,
        config: RunnableConfig | None = None,
        *,
        k: int | None = None,
        filter: Any = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Find documents; `k` and `filter` override the retriever's for this call."""
        _refuse(kwargs)
        config = ensure_config(config)
        manager = AsyncCallbackManager.configure(
            config.get("callbacks"),
            None,
            inheritable_tags=config.get("tags"),
            local_tags=self.tags,
            inheritable_metadata=self._inherited(config),
            local_metadata=self.metadata,
        )
        run = await manager.on_retriever_start(
            None, described(input), run_id=config.get("run_id"), name=config.get("run_name") or self.get_name()
        )
        try:
            # blocks are base64 of whole files: decoding them is no work for the event loop
            asked = await asyncio.to_thread(asked_of, input) if _is_message(input) else asked_of(input)
            found = await self._afind(self._query(asked, k, filter))
        except Exception as error:
            await run.on_retriever_error(error)
            raise
        await run.on_retriever_end(found)
        return found

    def _inherited(self, config: RunnableConfig) -> dict[str, Any]:
        return {**(config.get("metadata") or {}), **self._tracing()}


def asked_of(given: QueryInput) -> Asked | Query:
    """Turn what a retriever is given into what octant is asked: several media become one composed question.

    ValueError where there is nothing in it, MediaError for a block that cannot be read, TypeError for anything else.
    """
    match given:
        case str():
            return Text(given)
        case Text() | Image() | Audio() | ById() | ByVector() | Composed() | Recommend() | Discover() | Query():
            return given
        case _ if _is_message(given):
            media = media_of(cast("Any", given))
            if not media:
                raise ValueError("the message holds no text, image or sound to search with")
            return media[0] if len(media) == 1 else Composed(tuple(media))
        case _:
            raise TypeError(
                f"cannot search with a {type(given).__name__}; give a str, octant's Text(...), Image(...), Audio(...), "
                "Composed(...) or Query(...), content blocks, or a HumanMessage"
            )


def described(given: object) -> str:
    """What is asked, in words that may be written to a log: files by name, and no bytes."""
    match given:
        case str():
            return given
        case Text():
            return given.content
        case Query():
            return described(given.like)
        case ByVector():
            return "a vector"
        case Composed():
            liked = [described(part.example) for part in given.parts if part.weight > 0]
            unlike = [f"not {described(part.example)}" for part in given.parts if part.weight < 0]
            return " + ".join([*liked, *unlike])
        case HumanMessage():
            return described(given.content)
        case Mapping():
            return _block_in_words(cast("Mapping[str, Any]", given))
        case Image() | Audio() if isinstance(given.source, Path):
            return repr(given).replace(repr(str(given.source)), repr(given.source.name), 1)
        case Image() | Audio() | ById():
            return repr(given)
        case Recommend():
            return " + ".join([*map(described, given.like), *(f"not {described(one)}" for one in given.unlike)])
        case Discover():
            pairs = [f"rather {described(near)} than {described(far)}" for near, far in given.context]
            return ", ".join([*([] if given.target is None else [described(given.target)]), *pairs])
        case list() | tuple():
            return " + ".join(described(one) for one in cast("Sequence[object]", given))
        case _:
            return f"a {type(given).__name__}"


def _block_in_words(block: Mapping[str, Any]) -> str:
    text: object = block.get("text")
    return text if isinstance(text, str) else f"<{block.get('type', 'block')}>"


def _is_message(given: object) -> Literal[True, False]:
    return isinstance(given, HumanMessage | Mapping | list | tuple)


def _refuse(kwargs: Mapping[str, Any]) -> None:
    if kwargs:
        raise TypeError(f"a retriever takes k and filter beside the question, not {', '.join(map(repr, kwargs))}")
