"""The retriever, over a collection that octant's own ingest filled and with its own encoders."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_index.core import QueryBundle
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import ImageNode, MetadataMode, Node, TextNode
from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters
from llama_index.vector_stores.octant import OctantEmbedding, OctantRetriever
from llama_index.vector_stores.octant.nodes import node_of
from llama_parts import picture, sound

import octant


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "things"
    made.mkdir()
    for colour in ("red", "blue"):
        picture(made / f"{colour}.png", colour)
    sound(made / "low.wav", 110)
    sound(made / "high.wav", 1760)
    (made / "cat.txt").write_text("a cat sleeps on a sofa")
    return made


@pytest.fixture
def things(folder: Path, tmp_path: Path) -> Iterator[octant.Collection]:
    with octant.open("things", path=tmp_path / "db") as collection:
        collection.add(folder)
        yield collection


def test_a_text_finds_texts(things: octant.Collection) -> None:
    [found] = OctantRetriever(things, into=["text"], similarity_top_k=1).retrieve("a sleeping cat")
    assert isinstance(found.node, TextNode)
    assert found.node.get_content(MetadataMode.NONE) == "a cat sleeps on a sofa"
    assert found.node.metadata["name"] == "cat.txt"
    assert found.score == pytest.approx(things.search("a sleeping cat", into="text", limit=1)[0].score)


def test_a_picture_finds_pictures_by_path(things: octant.Collection, folder: Path) -> None:
    retriever = OctantRetriever(things, into=["image"], similarity_top_k=2, roots=[folder])
    asked = QueryBundle("", image_path=str(folder / "blue.png"))
    for question in (octant.Image(folder / "blue.png"), asked):
        found = retriever.retrieve(question)
        assert all(isinstance(one.node, ImageNode) for one in found)
        first = found[0].node
        assert isinstance(first, ImageNode)
        assert first.image_path == str(folder / "blue.png")
        assert (first.image, first.image_mimetype) == (None, "image/png")
        assert first.resolve_image() == str(folder / "blue.png")
        assert first.metadata["octant"]["media"][0]["modality"] == "image"
        assert "octant" not in first.get_content(MetadataMode.LLM)


def test_a_sound_finds_sounds_by_path(things: octant.Collection, folder: Path) -> None:
    [first, _] = OctantRetriever(things, into=["audio"]).retrieve(octant.Audio(folder / "high.wav"))
    assert isinstance(first.node, Node)
    assert first.node.audio_resource is not None
    assert first.node.audio_resource.path == folder / "high.wav"
    assert first.node.audio_resource.data is None


def test_words_and_a_picture_are_one_question(things: octant.Collection, folder: Path) -> None:
    retriever = OctantRetriever(things, into=["image"], roots=[folder])
    asked = octant.Composed((octant.Text("blue"), octant.Image(folder / "blue.png")))
    by_bundle = retriever.retrieve(QueryBundle("blue", image_path=str(folder / "blue.png")))
    assert [(one.node_id, one.score) for one in by_bundle] == [
        (hit.id, hit.score) for hit in things.search(asked, into="image")
    ]
    assert [one.node_id for one in retriever.retrieve(asked)] == [one.node_id for one in by_bundle]
    several = QueryBundle("ignored", custom_embedding_strs=["a cat", "a sofa"])
    both = octant.Composed((octant.Text("a cat"), octant.Text("a sofa")))
    texts = OctantRetriever(things, into=["text"])
    assert texts.retrieve(several)[0].score == pytest.approx(things.search(both, into="text")[0].score)


async def test_a_bundle_names_a_file_under_the_roots_alone(
    things: octant.Collection, folder: Path, tmp_path: Path
) -> None:
    outside = picture(tmp_path / "outside.png", "red")
    (folder / "link.png").symlink_to(outside)
    retriever = OctantRetriever(things, roots=[folder])
    for path in (outside, folder / "../outside.png", folder / "link.png"):
        with pytest.raises(ValueError, match=r"the question: .* does not lie under the roots"):
            retriever.retrieve(QueryBundle("", image_path=str(path)))
        with pytest.raises(ValueError, match="does not lie under the roots"):
            await retriever.aretrieve(QueryBundle("words", image_path=str(path)))
    with pytest.raises(ValueError, match=r"none is read without roots=\[the folder"):
        OctantRetriever(things).retrieve(QueryBundle("", image_path=str(folder / "red.png")))
    assert OctantRetriever(things).retrieve(octant.Image(outside)), "a medium is the caller's own word"
    with pytest.raises(TypeError, match="roots are several folders"):
        OctantRetriever(things, roots=folder)  # pyright: ignore[reportArgumentType]


def test_an_item_and_filters_and_stages(things: octant.Collection) -> None:
    [red] = [item.id for item in things.items("name = 'red.png'")]
    assert red not in [one.node_id for one in OctantRetriever(things).retrieve(octant.ById(red))]
    only = MetadataFilters(filters=[MetadataFilter(key="name", value="blue.png")])
    [blue] = OctantRetriever(things, filters=only, into=["image"]).retrieve(octant.ById(red))
    assert blue.node.metadata["name"] == "blue.png"
    backwards = octant.ByFunction(lambda _, hits: list(range(len(hits))))
    plain = OctantRetriever(things, into=["image"]).retrieve("red")
    turned = OctantRetriever(things, into=["image"], rerank=[octant.Stage(backwards)]).retrieve("red")
    assert [one.node_id for one in turned] == [one.node_id for one in plain][::-1]


def test_a_part_of_a_file_says_which(folder: Path) -> None:
    page = node_of(octant.Item("p", {"page": octant.Image(Path("/a.pdf"), part=octant.Page(3))}, {"title": "A"}))
    assert isinstance(page, ImageNode)
    shown = {"name": "page", "modality": "image", "path": "/a.pdf", "page": 3}
    assert page.metadata == {"title": "A", "octant": {"media": [shown]}}
    seconds = octant.Audio(Path("/b.wav"), span=octant.Span(1, 2.5))
    sound = node_of(octant.Item("s", {"words": octant.Text("hello"), "sound": seconds}))
    assert isinstance(sound, Node)
    assert sound.get_content() == "hello"
    assert sound.metadata["octant"]["media"][0]["start"] == 1


def test_nothing_asked_is_told(things: octant.Collection) -> None:
    with pytest.raises(ValueError, match="nothing is asked"):
        OctantRetriever(things).retrieve("")
    with pytest.raises(ValueError, match="takes a collection"):
        OctantRetriever()


def test_callbacks_and_query_engines_see_it(things: octant.Collection, folder: Path) -> None:
    heard = LlamaDebugHandler(print_trace_on_end=False)
    retriever = OctantRetriever(things, into=["text"], similarity_top_k=1, callback_manager=CallbackManager([heard]))
    retriever.retrieve(octant.Image(folder / "red.png"))
    [(start, _)] = heard.get_event_pairs(CBEventType.RETRIEVE)
    assert "red.png" in str(start.payload)
    engine = RetrieverQueryEngine.from_args(OctantRetriever(things, into=["text"]), llm=MockLLM())
    assert [one.node.metadata["name"] for one in engine.query("a cat").source_nodes] == ["cat.txt"]


async def test_awaited_it_is_the_same(folder: Path, things: octant.Collection, tmp_path: Path) -> None:
    wanted = OctantRetriever(things).retrieve("a red square")
    assert await OctantRetriever(things).aretrieve("a red square") == wanted
    async with await octant.open_async("things", path=tmp_path / "adb") as awaited:
        await awaited.add(folder)
        found = await OctantRetriever(async_collection=awaited).aretrieve("a red square")
        assert [(one.node_id, pytest.approx(one.score, abs=1e-5)) for one in found] == [
            (one.node_id, one.score) for one in wanted
        ]
        with pytest.raises(ValueError, match="await aretrieve"):
            OctantRetriever(async_collection=awaited).retrieve("x")


def test_embeddings_are_those_of_the_space(folder: Path) -> None:
    space = octant.starter().fields["text"].space
    model = OctantEmbedding()
    assert (model.dim, model.model_name) == (space.dim, space.name)
    texts = ["a cat sleeps", "a red square"]
    wanted: list[Any] = space.embed_all(texts)
    assert np.allclose(model.get_text_embedding_batch(texts), np.stack(wanted), atol=1e-6)
    asked: Any = space.embed("a cat", octant.Role.QUERY)
    assert np.allclose(model.get_query_embedding("a cat"), asked, atol=1e-6)
    red = model.get_image_embedding(str(folder / "red.png"))
    assert len(red) == model.dim
    assert model.get_image_embedding(BytesIO((folder / "red.png").read_bytes())) == red


async def test_embeddings_are_awaited(folder: Path) -> None:
    model = OctantEmbedding()
    assert await model.aget_query_embedding("a cat") == model.get_query_embedding("a cat")
    assert await model.aget_text_embedding_batch(["a", "b"]) == model.get_text_embedding_batch(["a", "b"])
    assert await model.aget_image_embedding(str(folder / "red.png")) == model.get_image_embedding(
        str(folder / "red.png")
    )


def test_embeddings_that_are_not_dense_are_refused() -> None:
    class Words:
        spec = octant.EncoderSpec("words", octant.Modality.TEXT, None, octant.Kind.SPARSE)

        def encode(self, batch: object, role: octant.Role) -> list[octant.Sparse]:
            raise AssertionError

    with pytest.raises(ValueError, match="are dense vectors, and those of 'words' are sparse"):
        OctantEmbedding(octant.Space("words", Words()))  # pyright: ignore[reportArgumentType]
