"""Both retrievers: what they find, with which options, and what callbacks see of it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import HumanMessage
from langchain_core.runnables import ConfigurableField, RunnableLambda
from langchain_core.tracers.base import BaseTracer
from langchain_octant import OctantMultimodalRetriever, OctantParentRetriever, OctantRetriever
from langchain_octant.retriever import described
from parts import picture, pixels_schema, sound
from pydantic import ValidationError

import octant
from octant import (
    RRF,
    Audio,
    ByFunction,
    ById,
    ByVector,
    Collection,
    Composed,
    Discover,
    F,
    Image,
    Item,
    Modality,
    Query,
    Recommend,
    Stage,
    Text,
)

NAMES = ["grey cat", "brown dog", "grey dog", "white horse"]


def animals(folder: Path) -> list[Item]:
    """Four animals: each with a text, every other with a photo, and the dogs with a sound."""
    items: list[Item] = []
    for i, name in enumerate(NAMES):
        media: dict[str, Any] = {"title": Text(name)}
        if i % 2 == 0:
            media["photo"] = Image(picture(folder, f"{name.replace(' ', '_')}.png"))
        if "dog" in name:
            media["sound"] = Audio(sound(folder, f"{name.replace(' ', '_')}_bark.wav", 300.0 + i))
        items.append(Item(name, media, {"n": i}))
    return items


@pytest.fixture
def filled(collection: Collection, tmp_path: Path) -> Collection:
    assert not collection.add(animals(tmp_path)).failed
    return collection


@pytest.fixture
async def afilled(place: dict[str, Any], tmp_path: Path) -> AsyncIterator[octant.AsyncCollection]:
    given = dict(place)
    async with await octant.open_async(given.pop("collection_name"), schema=pixels_schema(), **given) as collection:
        assert not (await collection.add(animals(tmp_path))).failed
        yield collection


def scored(documents: list[Document]) -> Any:
    """Documents and their scores, but for the last bits: local mode's sums differ in these from call to call."""
    return pytest.approx({str(document.id): document.metadata["score"] for document in documents}, rel=1e-5)


def by_id(hits: Any) -> dict[str, float]:
    return {hit.id: hit.score for hit in hits}


def ids(documents: list[Document]) -> list[str | None]:
    return [document.id for document in documents]


class Noting(BaseCallbackHandler):
    """Notes what callbacks are told."""

    def __init__(self) -> None:
        self.started: list[tuple[str, dict[str, Any]]] = []
        self.ended: list[list[Document]] = []
        self.failed: list[BaseException] = []

    def on_retriever_start(self, serialized: Any, query: str, **kwargs: Any) -> None:
        self.started.append((query, kwargs))

    def on_retriever_end(self, documents: Any, **kwargs: Any) -> None:
        self.ended.append(list(documents))

    def on_retriever_error(self, error: BaseException, **kwargs: Any) -> None:
        self.failed.append(error)


class AsyncNoting(Noting, AsyncCallbackHandler):
    """The same, awaited."""

    async def on_retriever_start(self, serialized: Any, query: str, **kwargs: Any) -> None:  # type: ignore[override]
        self.started.append((query, kwargs))

    async def on_retriever_end(self, documents: Any, **kwargs: Any) -> None:  # type: ignore[override]
        self.ended.append(list(documents))

    async def on_retriever_error(self, error: BaseException, **kwargs: Any) -> None:  # type: ignore[override]
        self.failed.append(error)


class Runs(BaseTracer):
    """Keeps every run, as a tracer that sends them away would."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Any] = []

    def _persist_run(self, run: Any) -> None:
        self.kept.append(run)


def test_scores_are_octants(filled: Collection) -> None:
    retriever = OctantRetriever(collection=filled, k=3)
    hits = filled.search("grey dog", limit=3)
    documents = retriever.invoke("grey dog")
    assert ids(documents) == [hit.id for hit in hits]
    assert scored(documents) == by_id(hits)
    assert documents[0].page_content == "grey dog"
    assert documents[0].metadata["n"] == 2
    assert [entry["name"] for entry in documents[0].metadata["octant"]["media"]] == ["title", "photo", "sound"]
    json.dumps([document.metadata for document in documents])


def test_options_of_one_call(filled: Collection) -> None:
    retriever = OctantRetriever(collection=filled, k=1, filter={"n": 0})
    assert ids(retriever.invoke("dog")) == ["grey cat"]
    assert ids(retriever.invoke("grey dog", filter="n > 0")) == ["grey dog"]
    assert len(retriever.invoke("dog", k=3, filter=F("n") >= 0)) == 3
    assert ids(retriever.invoke("dog", k=3)) == ["grey cat"]
    with pytest.raises(TypeError, match="fetch"):
        retriever.invoke("dog", fetch=3)
    assert ids(retriever.bind(filter={"n": 3}).invoke("dog")) == ["white horse"]
    assert [ids(one) for one in retriever.batch(["dog", "cat"], k=1, filter={"n": 1})] == [["brown dog"]] * 2


def test_target_modalities(filled: Collection) -> None:
    assert set(ids(OctantRetriever(collection=filled, into="audio").invoke("grey dog"))) == {"brown dog", "grey dog"}
    assert set(ids(OctantRetriever(collection=filled, into=("image",)).invoke("x"))) == {"grey cat", "grey dog"}
    both = OctantRetriever(collection=filled, into=[Modality.IMAGE, "audio"])
    assert set(ids(both.invoke("x"))) == {"grey cat", "grey dog", "brown dog"}


def test_wrong_options_are_refused_at_once(filled: Collection) -> None:
    with pytest.raises(ValidationError, match="choose from text, image, audio"):
        OctantRetriever(collection=filled, into="video")
    with pytest.raises(ValidationError, match="give an octant collection"):
        OctantRetriever()
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        OctantRetriever(collection=filled, k=0)
    with pytest.raises(TypeError, match="takes stages"):
        OctantRetriever(collection=filled, rerank=(ByFunction(lambda query, hits: [0.0] * len(hits)),))
    with pytest.raises(ValidationError, match="above 0"):
        OctantRetriever(collection=filled, weights={"text": 0})


def test_options_that_are_not_known_are_refused(filled: Collection) -> None:
    for made in (OctantRetriever, OctantMultimodalRetriever, OctantParentRetriever):
        with pytest.raises(ValidationError, match="filters"):
            made(collection=filled, filters={"tenant": "a"})  # type: ignore[call-arg]


def test_a_question_without_words_finds_what_its_filter_matches(filled: Collection) -> None:
    for retriever in (OctantRetriever(collection=filled, k=2), OctantMultimodalRetriever(collection=filled, k=2)):
        found = retriever.invoke(" ", filter="n >= 2")  # what langchain-classic makes of an empty query
        assert set(ids(found)) == {"grey dog", "white horse"}
        assert not any("score" in document.metadata for document in found)
        assert len(retriever.invoke("", filter="n >= 0")) == 2
        with pytest.raises(octant.FilterError, match="m"):
            retriever.invoke("", filter="m = 1")
        with pytest.raises(ValueError, match="no words and no filter"):
            retriever.invoke(" ")
    assert ids(OctantRetriever(collection=filled, into="image").invoke("", filter="n > 0")) == ["grey dog"]
    assert set(ids(OctantRetriever(collection=filled, fields=("audio",)).invoke("", filter="n >= 0"))) == {
        "brown dog",
        "grey dog",
    }
    with pytest.raises(ValueError, match="no words"):
        OctantParentRetriever(collection=filled).invoke(" ", filter="n > 0")


async def test_a_question_without_words_awaited(filled: Collection) -> None:
    found = await OctantRetriever(collection=filled).ainvoke(" ", filter="n >= 2")
    assert set(ids(found)) == {"grey dog", "white horse"}


def test_an_ensemble_is_the_engines_fusion(filled: Collection) -> None:
    """Three rankings, by text, photo and sound, fused by the store as weights and fusion say."""
    ensemble = OctantRetriever(
        collection=filled,
        k=4,
        fields=("text", "image", "audio"),
        weights={"text": 0.5, "audio": 3.0},
        fusion=RRF(k=10),
        explain=True,
    )
    found = {document.id: document for document in ensemble.invoke("grey dog")}
    ranks = {
        field: ids(OctantRetriever(collection=filled, k=4, fields=(field,)).invoke("grey dog"))
        for field in ("text", "image", "audio")
    }
    weights = {"text": 0.5, "image": 1.0, "audio": 3.0}
    for name, document in found.items():
        legs = {leg["field"]: leg for leg in document.metadata["octant"]["explanation"]["legs"]}
        for field, ranked in ranks.items():
            assert legs[field]["rank"] == (ranked.index(name) + 1 if name in ranked else None)
            assert legs[field]["weight"] == weights[field]
        assert sum(leg["contribution"] for leg in legs.values()) == pytest.approx(document.metadata["score"], rel=1e-4)
    # the sound counts most: the dogs, which have one, come before all that have none
    assert ids(ensemble.invoke("grey dog"))[:2] == ["grey dog", "brown dog"]
    by_text = OctantRetriever(collection=filled, k=4, fields=("text",), fusion=RRF(k=10))
    assert ids(by_text.invoke("white horse"))[0] == "white horse"


def test_reranked_and_explained(filled: Collection) -> None:
    def by_n(query: Query, hits: Sequence[octant.Hit]) -> list[float]:
        return [float(hit.metadata["n"]) for hit in hits]

    backwards = Stage(ByFunction(by_n))
    retriever = OctantRetriever(collection=filled, k=4, rerank=(backwards,), explain=True)
    documents = retriever.invoke("grey")
    assert ids(documents) == list(reversed(NAMES))
    assert [document.metadata["score"] for document in documents] == [3.0, 2.0, 1.0, 0.0]
    stages = [document.metadata["octant"]["explanation"]["stages"] for document in documents]
    assert [[(one["name"], one["score"], one["after"]) for one in several] for several in stages] == [
        [("by_n", 3.0 - i, i + 1)] for i in range(4)
    ]
    json.dumps([document.metadata for document in documents])


def test_configurable_fields(filled: Collection) -> None:
    retriever = OctantRetriever(collection=filled, k=4).configurable_fields(
        k=ConfigurableField(id="k"),
        filter=ConfigurableField(id="filter"),
        into=ConfigurableField(id="into"),
        fusion=ConfigurableField(id="fusion"),
        rerank=ConfigurableField(id="rerank"),
        explain=ConfigurableField(id="explain"),
    )
    assert len(retriever.invoke("dog")) == 4
    configured = retriever.with_config(configurable={"k": 1, "filter": "n = 3", "explain": True})
    [document] = configured.invoke("dog")
    assert document.id == "white horse"
    assert "explanation" in document.metadata["octant"]
    config: Any = {"configurable": {"into": "audio", "k": 2}}
    assert set(ids(retriever.invoke("dog", config))) == {"brown dog", "grey dog"}
    backwards = Stage(ByFunction(lambda query, hits: [float(hit.metadata["n"]) for hit in hits]))
    config = {"configurable": {"fusion": RRF(), "rerank": (backwards,)}}
    assert ids(retriever.invoke("dog", config)) == list(reversed(NAMES))
    with pytest.raises(ValidationError):
        retriever.invoke("dog", {"configurable": {"into": "video"}})
    assert {"k", "filter", "into"} <= set(
        retriever.config_schema().model_json_schema()["$defs"]["Configurable"]["properties"]
    )


def test_callbacks_and_tracing(filled: Collection) -> None:
    noting = Noting()
    retriever = OctantRetriever(collection=filled, k=1, tags=["mine"], metadata={"shop": 1})
    config: Any = {"callbacks": [noting], "run_name": "look", "tags": ["run"], "metadata": {"user": 2}}
    documents = retriever.invoke("grey dog", config)
    [(query, given)] = noting.started
    assert query == "grey dog"
    assert given["name"] == "look"
    assert set(given["tags"]) == {"mine", "run"}
    expected = {
        "shop": 1,
        "user": 2,
        "ls_retriever_name": "octant",
        "ls_vector_store_provider": "qdrant",
        "ls_embedding_provider": "octant",
        "ls_embedding_model": "words-32@1",
    }
    assert expected.items() <= given["metadata"].items()
    assert noting.ended == [documents]
    with pytest.raises(octant.FilterError):
        retriever.invoke("grey dog", config, filter="nonesuch = 1")
    assert [type(error) for error in noting.failed] == [octant.FilterError]


async def test_async_is_sync(filled: Collection) -> None:
    retriever = OctantRetriever(collection=filled, k=3, explain=True)
    alone = [retriever.invoke(text) for text in NAMES]
    for found in (
        [await retriever.ainvoke(text) for text in NAMES],
        retriever.batch(NAMES),
        await retriever.abatch(NAMES),
    ):
        assert [ids(documents) for documents in found] == [ids(documents) for documents in alone]
    assert ids(await retriever.ainvoke("dog", k=1, filter={"n": 3})) == ["white horse"]


async def test_two_hundred_at_once(afilled: octant.AsyncCollection) -> None:
    retriever = OctantRetriever(async_collection=afilled, k=3)
    hits = {text: await afilled.search(text, limit=3) for text in NAMES}
    asked = [NAMES[i % 4] for i in range(200)]
    found = await asyncio.gather(*(retriever.ainvoke(text) for text in asked))
    assert [ids(documents) for documents in found] == [[hit.id for hit in hits[text]] for text in asked]
    blank = await retriever.ainvoke(" ", filter="n >= 2")
    assert set(ids(blank)) == {"grey dog", "white horse"}
    with pytest.raises(NotImplementedError, match="await ainvoke"):
        retriever.invoke("dog")


def test_as_a_step_and_a_tool(filled: Collection) -> None:
    from langchain_core.tools import create_retriever_tool

    retriever = OctantRetriever(collection=filled, k=2, into="text")

    def joined(documents: list[Document]) -> str:
        return " / ".join(document.page_content for document in documents)

    chain = retriever | RunnableLambda(joined)
    assert chain.invoke("white horse").startswith("white horse / ")
    tool = create_retriever_tool(retriever, "animals", "Looks up animals.")
    assert "white horse" in tool.invoke({"query": "white horse"})
    assert "collection" not in repr(retriever)
    assert "collection" not in retriever.model_dump()


class TestMultimodal:
    """One retriever for whatever is asked with."""

    def test_everything_that_octant_can_be_asked(self, filled: Collection, tmp_path: Path) -> None:
        retriever = OctantMultimodalRetriever(collection=filled, k=3)
        cat = Image(picture(tmp_path, "grey_cat.png"))
        bark = Audio(tmp_path / "brown_dog_bark.wav")
        vector = filled.schema.fields["text"].space.encode([Text("grey cat")], Modality.TEXT, octant.Role.QUERY)[0]
        for asked in (
            Text("grey cat"),
            cat,
            bark,
            ById("grey cat"),
            Composed((cat, Text("dog")), unlike=(Text("horse"),)),
            Recommend(like=(ById("grey cat"),), unlike=(Text("dog"),)),
            Discover(Text("cat"), ((ById("grey cat"), ById("brown dog")),)),
        ):
            hits = filled.search(asked, limit=3)
            documents = retriever.invoke(asked)
            assert ids(documents) == [hit.id for hit in hits]
            assert scored(documents) == by_id(hits)
        assert ids(retriever.invoke("grey cat")) == ids(retriever.invoke(Text("grey cat")))
        by_vector = OctantMultimodalRetriever(collection=filled, k=1, fields=("text",))
        assert ids(by_vector.invoke(ByVector(vector))) == ["grey cat"]

    def test_a_query_says_everything_itself(self, filled: Collection) -> None:
        retriever = OctantMultimodalRetriever(collection=filled, k=1, filter={"n": 0}, into="image")
        assert len(retriever.invoke(Query(Text("dog"), limit=4))) == 4
        with pytest.raises(TypeError, match="a Query says itself"):
            retriever.invoke(Query(Text("dog")), k=2)
        explaining = OctantMultimodalRetriever(collection=filled, explain=True)
        assert "explanation" in explaining.invoke(Query(Text("dog")))[0].metadata["octant"]
        assert "explanation" in retriever.invoke(Query(Text("dog"), explain=True))[0].metadata["octant"]

    def test_messages_and_blocks(self, filled: Collection, tmp_path: Path) -> None:
        retriever = OctantMultimodalRetriever(collection=filled, k=4)
        content = picture(tmp_path, "grey_cat.png").read_bytes()
        image: dict[str, Any] = {
            "type": "image",
            "base64": base64.b64encode(content).decode(),
            "mime_type": "image/png",
        }
        text = {"type": "text", "text": "a brown dog"}
        alone = ids(retriever.invoke(Image(content)))
        assert ids(retriever.invoke(image)) == alone
        assert ids(retriever.invoke([image])) == alone
        composed = ids(retriever.invoke(Composed((Text("a brown dog"), Image(content)))))
        assert ids(retriever.invoke([text, image])) == composed
        assert ids(retriever.invoke(HumanMessage(content_blocks=[text, image]))) == composed  # type: ignore[list-item]
        assert ids(retriever.invoke(HumanMessage("a brown dog"))) == ids(retriever.invoke("a brown dog"))
        with pytest.raises(ValueError, match="no text, image or sound"):
            retriever.invoke([])

    def test_what_cannot_be_asked_is_refused(self, filled: Collection, tmp_path: Path) -> None:
        retriever = OctantMultimodalRetriever(collection=filled)
        for asked in (tmp_path / "grey_cat.png", b"bytes", 7, None):
            with pytest.raises(TypeError, match="cannot search with a"):
                retriever.invoke(asked)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="takes k and filter"):
            retriever.invoke("dog", limit=3)
        with pytest.raises(octant.MediaError):
            retriever.invoke({"type": "image", "url": "https://example.org/x.png"})

    def test_callbacks_see_words_alone(self, filled: Collection, tmp_path: Path) -> None:
        content = picture(tmp_path, "grey_cat.png").read_bytes()
        encoded = base64.b64encode(content).decode()
        noting, runs = Noting(), Runs()
        retriever = OctantMultimodalRetriever(collection=filled, k=2, tags=["mine"], metadata={"shop": 1})
        image: dict[str, Any] = {"type": "image", "base64": encoded, "mime_type": "image/png"}
        message = HumanMessage(content=[{"type": "text", "text": "like this"}, image])
        config: Any = {"callbacks": [noting, runs], "run_name": "look"}
        for asked in (message, Image(content), Composed((Image(content), Text("red")))):
            documents = retriever.invoke(asked, config)
            assert noting.ended[-1] == documents
        assert noting.started[0][0] == "like this + <image>"
        assert noting.started[2][0] == f"Image(<{len(content):,} bytes>) + red"
        assert noting.started[0][1]["metadata"]["ls_retriever_name"] == "octant"
        assert noting.started[0][1]["tags"] == ["mine"]
        assert [run.run_type for run in runs.kept] == ["retriever"] * 3
        for run in runs.kept:
            written = json.dumps([run.inputs, run.extra, [one.model_dump() for one in run.outputs["documents"]]])
            assert encoded[:40] not in written
        with pytest.raises(TypeError):
            retriever.invoke(7, config)  # type: ignore[arg-type]
        assert [type(error) for error in noting.failed] == [TypeError]

    async def test_async_is_sync(self, filled: Collection, tmp_path: Path) -> None:
        noting = AsyncNoting()
        retriever = OctantMultimodalRetriever(collection=filled, k=3)
        cat = Image(picture(tmp_path, "grey_cat.png"))
        block: dict[str, Any] = {
            "type": "image",
            "base64": base64.b64encode((tmp_path / "grey_cat.png").read_bytes()).decode(),
            "mime_type": "image/png",
        }
        asked: list[Any] = ["dog", cat, Composed((cat, Text("dog"))), [block], HumanMessage("dog")]
        alone = [retriever.invoke(one) for one in asked]
        for found in (
            [await retriever.ainvoke(one, {"callbacks": [noting]}) for one in asked],
            retriever.batch(asked),
            await retriever.abatch(asked),
        ):
            assert [ids(documents) for documents in found] == [ids(documents) for documents in alone]
        assert len(noting.started) == len(noting.ended) == len(asked)
        with pytest.raises(octant.FilterError):
            await retriever.ainvoke("dog", {"callbacks": [noting]}, filter="nonesuch = 1")
        assert len(noting.failed) == 1

    async def test_native(self, afilled: octant.AsyncCollection, tmp_path: Path) -> None:
        retriever = OctantMultimodalRetriever(async_collection=afilled, k=3)
        cat = Image(picture(tmp_path, "grey_cat.png"))
        hits = await afilled.search(cat, limit=3)
        found = await asyncio.gather(*(retriever.ainvoke(cat) for _ in range(20)))
        assert [ids(documents) for documents in found] == [[hit.id for hit in hits]] * 20
        assert ids(await retriever.ainvoke(cat, k=1, filter={"n": 2})) == ["grey dog"]
        with pytest.raises(NotImplementedError, match="await ainvoke"):
            retriever.invoke(cat)

    def test_schemas_and_configuration(self, filled: Collection, tmp_path: Path) -> None:
        retriever = OctantMultimodalRetriever(collection=filled, k=4)
        json.dumps(retriever.get_input_jsonschema())
        json.dumps(retriever.get_output_jsonschema())
        configured = retriever.configurable_fields(k=ConfigurableField(id="k"))
        assert len(configured.invoke(Image(picture(tmp_path, "x.png")), {"configurable": {"k": 1}})) == 1
        chain = retriever | RunnableLambda(len)
        assert chain.invoke(Text("dog")) == 4


def test_questions_in_words() -> None:
    image = Image(Path("/p/x.png"))
    assert (
        described(Query(Composed((image, Text("red")), unlike=(ById("a"),))))
        == "Image('x.png') + red + not ById(id='a')"  # no more of its path than the name
    )
    assert described(Audio(Path("/home/me/x.wav"), span=octant.Span(1, 2))).startswith("Audio('x.wav', span=")
    assert described(ByVector([0.0] * 1000)) == "a vector"
    assert described(Recommend(like=(image,), unlike=(Text("x"),))) == "Image('x.png') + not x"
    assert described(Discover(None, ((Text("a"), Text("b")),))) == "rather a than b"
    assert (
        described(["one", {"type": "text", "text": "two"}, {"type": "audio", "base64": "AAAA"}])
        == "one + two + <audio>"
    )
    assert described(b"secret") == "a bytes"
