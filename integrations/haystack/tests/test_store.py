"""What Haystack's own tests do not ask: what comes back, what is refused, pipelines, serialisation, media."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from haystack import Document, Pipeline
from haystack.components.converters import TextFileToDocument
from haystack.components.writers import DocumentWriter
from haystack.core.errors import DeserializationError
from haystack.dataclasses import ByteStream, SparseEmbedding
from haystack.document_stores.errors import DocumentStoreError
from haystack.document_stores.types import DuplicatePolicy, FilterPolicy
from haystack.utils import Secret
from haystack_integrations.components.retrievers.octant import OctantEmbeddingRetriever, OctantRetriever
from haystack_integrations.document_stores.octant import OctantDocumentStore
from PIL import Image

import octant

DIM = 4


@pytest.fixture
def store(database: Path) -> Iterator[OctantDocumentStore]:
    made = OctantDocumentStore("small", path=str(database), embedding_dim=DIM)
    made.write_documents(
        [
            Document(id="x", content="a claw hammer", meta={"kind": "tool"}, embedding=[1, 0, 0, 0]),
            Document(id="xy", content="a mallet", meta={"kind": "tool"}, embedding=[3, 3, 0, 0]),
            Document(id="y", content="a red rose", meta={"kind": "plant"}, embedding=[0, 1, 0, 0]),
            Document(id="words", content="a hammer without an embedding"),
            Document(id="bare", meta={"kind": "nothing but meta"}),
        ]
    )
    yield made
    made.client.client.delete_collection("small")
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "things"
    made.mkdir()
    for colour in ("red", "blue"):
        Image.new("RGB", (64, 48), colour).save(made / f"{colour}.png")
    for name, hertz in (("low", 110), ("high", 1760)):
        soundfile.write(made / f"{name}.wav", 0.5 * np.sin(np.arange(8000) * 2 * np.pi * hertz / 8000), 8000)
    return made


@pytest.fixture
def things(database: Path, folder: Path) -> Iterator[OctantDocumentStore]:
    """A store whose documents octant embeds."""
    made = OctantDocumentStore("things", path=str(database), schema=octant.starter, root_path=str(folder))
    made.write_documents([Document(id=path.stem, meta={"file_path": path.name}) for path in sorted(folder.iterdir())])
    made.write_documents([Document(id="cat", content="a cat sleeps on a sofa")])
    yield made
    made.client.client.delete_collection("things")
    made.close()


def ids(documents: list[Document]) -> list[str]:
    return [document.id for document in documents]


def test_embeddings_come_back_as_the_similarity_keeps_them(database: Path) -> None:
    document = Document(content="x", embedding=[3.0, 0.0, 4.0, 0.0])
    for similarity, kept in (("cosine", [0.6, 0, 0.8, 0]), ("dot_product", [3, 0, 4, 0]), ("l2", [3, 0, 4, 0])):
        store = OctantDocumentStore(similarity, path=str(database), embedding_dim=DIM, similarity=similarity)  # pyright: ignore[reportArgumentType]
        store.write_documents([document])
        [found] = store.filter_documents()
        assert found.embedding == pytest.approx(kept)
        [hit] = store.search(octant.Query(octant.ByVector([3, 0, 4, 0]), fields=("embedding",)), return_embedding=True)
        assert hit.score == pytest.approx({"cosine": 1, "dot_product": 25, "l2": 0}[similarity])
        assert hit.embedding == found.embedding
        store.close()
    with pytest.raises(ValueError, match="similarity is one of cosine, dot_product, l2"):
        OctantDocumentStore(similarity="other")  # pyright: ignore[reportArgumentType]


def test_what_would_be_lost_is_refused(store: OctantDocumentStore) -> None:
    refused = [
        (Document(blob=ByteStream(b"abc", mime_type="image/png")), "octant keeps no bytes"),
        (Document(content="x", sparse_embedding=SparseEmbedding([1], [0.5])), "sparse embedding"),
    ]
    for document, said in refused:
        with pytest.raises(ValueError, match=said):
            store.write_documents([document])
    wrong = [
        Document(id="short", content="x", embedding=[1.0]),
        Document(id="dotted", content="x", meta={"a.b": 1}),
        Document(id="good", content="x"),
    ]
    with pytest.raises(DocumentStoreError, match=r"2 documents cannot be stored.*dim = 4.*a dot as 'within'"):
        store.write_documents(wrong)
    assert store.count_documents_by_filter({"field": "id", "operator": "in", "value": ["short", "dotted", "good"]}) == 1


def test_documents_are_as_they_were_written(database: Path) -> None:
    store = OctantDocumentStore("kinds", path=str(database), embedding_dim=DIM, similarity="dot_product")
    documents = [
        Document(content="x", meta={"n": 1, "deep": {"x": [1, 2.5, None, True]}, "when": "2020-01-01"}),
        Document(content="", meta={"empty": "content"}),
        Document(content="y", embedding=[0.5, 1, 2, 3]),
        Document(embedding=[1, 1, 1, 1]),
    ]
    store.write_documents(documents)
    assert {one.id: one for one in store.filter_documents()} == {one.id: one for one in documents}
    store.close()


def test_a_policy_decides_within_a_batch_too(store: OctantDocumentStore) -> None:
    twice = [Document(id="twice", content="first"), Document(id="twice", content="second")]
    assert store.write_documents(twice, DuplicatePolicy.SKIP) == 1
    kept = {"field": "id", "operator": "==", "value": "twice"}
    assert [one.content for one in store.filter_documents(kept)] == ["first"]
    assert store.write_documents(twice, DuplicatePolicy.OVERWRITE) == 2
    assert [one.content for one in store.filter_documents(kept)] == ["second"]
    before = store.count_documents()
    with pytest.raises(DocumentStoreError, match="'x' is there"):
        store.write_documents([Document(id="new", content="n"), Document(id="x", content="x")])
    assert store.count_documents() == before, "nothing is written where something is there"
    assert store.write_documents([]) == 0


def test_an_update_keeps_embeddings_and_refuses_what_octant_refuses(store: OctantDocumentStore) -> None:
    tools = {"field": "meta.kind", "operator": "==", "value": "tool"}
    assert store.update_by_filter(tools, {"sold": True}) == 2
    assert store.filter_documents({"field": "id", "operator": "==", "value": "x"})[0].embedding == [1, 0, 0, 0]
    for meta in ({"a.b": 1}, {"octant": 1}, {"": 1}, {"n": float("nan")}):
        with pytest.raises(ValueError, match=r"keys are|not JSON compliant|Out of range"):
            store.update_by_filter(tools, meta)


def test_the_embedding_retriever_finds_by_vector_words_and_both(store: OctantDocumentStore) -> None:
    retriever = OctantEmbeddingRetriever(store, top_k=2)
    found = retriever.run([1, 0, 0, 0])["documents"]
    assert ids(found) == ["x", "xy"]
    assert [one.score for one in found] == [pytest.approx(1), pytest.approx(0.5**0.5)]
    assert found[0].embedding is None
    both = retriever.run([0, 1, 0, 0], query="hammer", top_k=5)["documents"]
    assert set(ids(both)) == {"x", "xy", "y", "words"}, "what has an embedding, and what has the word"
    plants = {"field": "meta.kind", "operator": "==", "value": "plant"}
    assert ids(retriever.run([1, 0, 0, 0], filters=plants)["documents"]) == ["y"]
    narrow = OctantEmbeddingRetriever(store, filters=plants, filter_policy=FilterPolicy.MERGE, return_embedding=True)
    hammer = {"field": "id", "operator": "==", "value": "x"}
    assert narrow.run([1, 0, 0, 0], filters=hammer)["documents"] == []
    assert narrow.run([1, 0, 0, 0])["documents"][0].embedding == [0, 1, 0, 0]
    diverse = OctantEmbeddingRetriever(store, top_k=2, diversity=0.9)
    assert ids(diverse.run([1, 0.1, 0, 0])["documents"]) == ["x", "y"]


def test_a_store_without_words_says_so(database: Path) -> None:
    plain = OctantDocumentStore("plain", path=str(database), embedding_dim=DIM, words=False)
    with pytest.raises(ValueError, match="words=True"):
        OctantEmbeddingRetriever(plain).run([1, 0, 0, 0], query="hammer")
    plain.close()


def test_words_alone_are_searched_where_documents_bring_embeddings(store: OctantDocumentStore) -> None:
    assert set(ids(OctantRetriever(store).run(query="hammer")["documents"])) == {"x", "words"}


def test_octant_embeds_texts_pictures_and_sounds(things: OctantDocumentStore, folder: Path) -> None:
    retriever = OctantRetriever(things, top_k=1)
    assert ids(retriever.run(query="a sleeping cat")["documents"]) == ["cat"]
    for asked in (folder / "blue.png", "blue.png", ByteStream.from_file_path(folder / "blue.png")):
        [found] = OctantRetriever(things, top_k=1, into=["image"]).run(image=asked)["documents"]
        assert (found.id, found.content, found.blob) == ("blue", None, None)
        assert found.meta == {"file_path": "blue.png"}, "as it was written"
    [found] = OctantRetriever(things, top_k=1, into=["audio"]).run(audio=folder / "high.wav")["documents"]
    assert found.id == "high"
    composed = OctantRetriever(things, into=["image"]).run(query="blue", image=folder / "blue.png")["documents"]
    assert composed[0].id == "blue"
    with pytest.raises(ValueError, match="none is given"):
        retriever.run()
    with pytest.raises(ValueError, match="use OctantRetriever"):
        OctantEmbeddingRetriever(things)
    with pytest.raises(ValueError, match="octant embeds here"):
        things.write_documents([Document(content="x", embedding=[1.0])])
    with pytest.raises(DocumentStoreError, match="it has no media"):
        things.write_documents([Document(meta={"only": "meta"})])


def test_a_blob_is_read_once_and_not_kept(things: OctantDocumentStore, folder: Path) -> None:
    blob = ByteStream.from_file_path(folder / "red.png", mime_type="image/png")
    things.delete_all_documents()
    things.write_documents([Document(id="blob", blob=blob)])
    [found] = OctantRetriever(things).run(image=folder / "red.png")["documents"]
    assert (found.id, found.blob) == ("blob", None)
    [record] = things.client.client.scroll(things.client.name, limit=1)[0]
    assert "source" not in (record.payload or {})["octant"]["media"]["blob"]
    with pytest.raises(ValueError, match="no image or sound"):
        things.write_documents([Document(id="pdf", blob=ByteStream(b"x", mime_type="application/pdf"))])


def test_a_path_in_meta_is_read_under_the_root_alone(things: OctantDocumentStore, folder: Path, database: Path) -> None:
    outside = folder.parent / "outside.png"
    Image.new("RGB", (8, 8)).save(outside)
    (folder / "link.png").symlink_to(outside)
    for named in ("../outside.png", str(outside), "link.png"):
        with pytest.raises(ValueError, match="leads out of root_path"):
            things.write_documents([Document(meta={"file_path": named})])
    rootless = OctantDocumentStore("things", path=str(database), schema=octant.starter)
    with pytest.raises(DocumentStoreError, match="it has no media"):
        rootless.write_documents([Document(meta={"file_path": str(folder / "red.png")})])
    rootless.close()


def test_a_question_reads_files_under_the_root_alone(
    things: OctantDocumentStore, store: OctantDocumentStore, folder: Path
) -> None:
    outside = folder.parent / "outside.png"
    Image.new("RGB", (8, 8)).save(outside)
    (folder / "link.png").symlink_to(outside)
    retriever = OctantRetriever(things, top_k=1, into=["image"])
    for named in ("../outside.png", outside, str(outside), "link.png"):
        with pytest.raises(ValueError, match="leads out of root_path"):
            retriever.run(image=named)
        with pytest.raises(ValueError, match="leads out of root_path"):
            retriever.run(audio=named)
    assert len(retriever.run(image=ByteStream.from_file_path(outside))["documents"]) == 1, "the caller has read it"
    with pytest.raises(ValueError, match=r"is not read: give the store the root_path .* or give a ByteStream"):
        OctantRetriever(store).run(image=folder / "red.png")


def test_what_converters_make_of_texts_is_written(
    things: OctantDocumentStore, database: Path, folder: Path, tmp_path: Path
) -> None:
    (folder / "dog.txt").write_text("a dog chases a ball")
    (tmp_path / "car.md").write_text("a red car")
    given = OctantDocumentStore("converted", path=str(database), embedding_dim=DIM, root_path=str(folder))
    for whole in (False, True):
        converter = TextFileToDocument(store_full_path=whole)
        documents: list[Document] = converter.run(sources=[folder / "dog.txt", tmp_path / "car.md"])["documents"]
        assert all("file_path" in document.meta for document in documents)
        for target in (things, given):
            assert target.write_documents(documents) == 2
            [found] = OctantRetriever(target, top_k=1).run(query="a dog chases a ball")["documents"]
            assert (found.content, found.meta) == ("a dog chases a ball", documents[0].meta)
            target.delete_documents(ids(documents))
    paper = Document(id="paper", meta={"file_path": "paper.pdf"}, embedding=[1, 0, 0, 0])
    assert given.write_documents([paper]) == 1
    with pytest.raises(ValueError, match=r"paper\.pdf is application/pdf, no image or sound"):
        things.write_documents([Document(meta={"file_path": "paper.pdf"})])
    captioned = Document(content="a red square", meta={"file_path": "red.png"})
    things.write_documents([captioned])
    [found] = OctantRetriever(things, top_k=1, into=["image"], filters=_id_is(captioned.id)).run(query="red")[
        "documents"
    ]
    assert found.id == captioned.id, "a picture beside its text is still read"
    given.close()


def _id_is(name: str) -> dict[str, Any]:
    return {"field": "id", "operator": "==", "value": name}


def test_what_octants_own_ingest_read_comes_as_documents(things: OctantDocumentStore, folder: Path) -> None:
    things.delete_all_documents()
    things.client.add(folder / "red.png")
    [found] = things.filter_documents()
    assert found.meta["file_path"] == str(folder / "red.png")
    assert found.meta["octant"]["media"][0]["modality"] == "image"
    assert found.embedding is None


def test_a_pipeline_writes_and_retrieves_and_survives_serialisation(store: OctantDocumentStore) -> None:
    indexing = Pipeline()
    indexing.add_component("writer", DocumentWriter(store, policy=DuplicatePolicy.OVERWRITE))
    indexing.run({"writer": {"documents": [Document(id="z", content="a zebra", embedding=[0, 0, 1, 0])]}})
    asking = Pipeline()
    asking.add_component("vector", OctantEmbeddingRetriever(store, top_k=1, filter_policy=FilterPolicy.MERGE))
    asking.add_component("words", OctantRetriever(store, top_k=1, into=["text"]))
    questions: dict[str, Any] = {"vector": {"query_embedding": [0, 0, 1, 0]}, "words": {"query": "zebra"}}
    found = asking.run(questions)
    again = Pipeline.loads(asking.dumps())
    assert again.to_dict() == asking.to_dict()
    assert ids(again.run(questions)["vector"]["documents"]) == ids(found["words"]["documents"]) == ["z"]


async def test_a_pipeline_is_awaited(store: OctantDocumentStore) -> None:
    asking = Pipeline()
    asking.add_component("vector", OctantEmbeddingRetriever(store, top_k=1))
    asking.add_component("words", OctantRetriever(store, top_k=1))
    questions: dict[str, Any] = {"vector": {"query_embedding": [0, 1, 0, 0]}, "words": {"query": "mallet"}}
    found = await asking.run_async(questions)
    assert ids(found["vector"]["documents"]) == ["y"]
    assert ids(found["words"]["documents"]) == ["xy"]
    retriever = OctantEmbeddingRetriever(store, top_k=1)
    many = await asyncio.gather(*(retriever.run_async([1, n / 100, 0, 0]) for n in range(40)))
    assert [ids(one["documents"]) for one in many] == [["x"]] * 40


def test_a_store_is_what_it_was_after_serialisation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_KEY", "secret")
    store = OctantDocumentStore(
        "mine", url="http://localhost:1", api_key=Secret.from_env_var("STORE_KEY"), embedding_dim=3, similarity="l2"
    )
    told = store.to_dict()
    assert "secret" not in str(told)
    again = OctantDocumentStore.from_dict(told)
    assert again.to_dict() == told
    assert again.api_key == store.api_key
    own = OctantDocumentStore(schema=octant.starter, root_path="/photos")
    with pytest.raises(DeserializationError, match="not on the trusted-module allowlist"):
        OctantDocumentStore.from_dict(own.to_dict())
    monkeypatch.setenv("HAYSTACK_DESERIALIZATION_ALLOWLIST", "octant.config")
    assert OctantDocumentStore.from_dict(own.to_dict()).schema is octant.starter


def test_another_model_is_refused(database: Path) -> None:
    one = OctantDocumentStore("model", path=str(database), embedding_dim=DIM, embedding_model="one")
    other = OctantDocumentStore("model", path=str(database), embedding_dim=DIM, embedding_model="other")
    assert one.count_documents() == 0
    with pytest.raises(octant.SchemaMismatch, match="was 'one', is 'other'"):
        other.count_documents()
    one.close()
    assert one.count_documents() == 0, "a store that was closed opens again"
    one.close()


def test_metadata_is_summed_up(store: OctantDocumentStore) -> None:
    store.write_documents([Document(content="t", meta={"n": 3, "tags": ["a", "b"], "none": None})])
    assert store.get_metadata_fields_info() == {
        "kind": {"type": "keyword"},
        "n": {"type": "integer"},
        "tags": {"type": "keyword"},
        "none": {"type": "null"},
    }
    assert store.get_metadata_field_unique_values("tags") == (["a", "b"], 2)
    assert store.get_metadata_field_min_max("kind") == {"min": "nothing but meta", "max": "tool"}
