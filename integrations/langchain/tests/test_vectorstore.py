"""The vector store beyond LangChain's own suite: what it finds, what it does not do twice, and what it refuses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores.utils import maximal_marginal_relevance
from langchain_octant import (
    OctantEmbeddings,
    OctantParentRetriever,
    OctantReranker,
    OctantRetriever,
    OctantVectorStore,
    family,
)
from parts import CountingEmbeddings, picture, pixels_schema, sound
from qdrant_client import models

import octant
from octant import ByFunction, F, Image, Item, MediaError, Modality, OctantError, SchemaMismatch, Text

FRUIT = ["red apple", "green apple", "yellow banana", "purple grape", "orange orange"]


@pytest.fixture
def counting() -> CountingEmbeddings:
    return CountingEmbeddings()


@pytest.fixture
def store(place: dict[str, Any], counting: CountingEmbeddings) -> Iterator[OctantVectorStore]:
    metadatas = [{"colour": text.split()[0], "price": i} for i, text in enumerate(FRUIT)]
    made = OctantVectorStore.from_texts(FRUIT, counting, metadatas, ids=[f"f{i}" for i in range(len(FRUIT))], **place)
    assert made.collection is not None
    yield made
    made.collection.close()


@pytest.fixture
async def astore(place: dict[str, Any], counting: CountingEmbeddings) -> AsyncIterator[OctantVectorStore]:
    metadatas = [{"colour": text.split()[0], "price": i} for i, text in enumerate(FRUIT)]
    ids = [f"f{i}" for i in range(len(FRUIT))]
    made = await OctantVectorStore.afrom_texts(FRUIT, counting, metadatas, ids=ids, **place)
    assert made.async_collection is not None
    yield made
    await made.async_collection.close()


def alike(found: list[Any], expected: list[Any]) -> bool:
    """The same documents in the same order, and the same scores but for the last bits: local mode's sums differ."""
    documents = [one if isinstance(one, Document) else one[0] for one in found]
    scores = [1.0 if isinstance(one, Document) else one[1] for one in found]
    assert documents == [one if isinstance(one, Document) else one[0] for one in expected]
    return scores == pytest.approx([1.0 if isinstance(one, Document) else one[1] for one in expected], abs=1e-5)


def test_engines_are_what_they_are_called(request: pytest.FixtureRequest, store: OctantVectorStore) -> None:
    engine = request.node.callspec.params["place"]
    assert store.collection is not None
    assert {"edge": "Edge", "local": "local", "server": "server"}[engine] in store.collection.info().engine


def test_scores_are_the_cosines(store: OctantVectorStore, counting: CountingEmbeddings) -> None:
    asked = np.array(counting.embed_query("green grape"))
    rows = np.array(counting.embed_documents(FRUIT))
    expected = dict(zip(FRUIT, (rows @ asked).tolist(), strict=True))
    found = store.similarity_search_with_score("green grape", k=5)
    assert {document.page_content for document, _ in found} == set(FRUIT)
    for document, score in found:
        assert score == pytest.approx(expected[document.page_content], abs=1e-5)
    by_vector = store.similarity_search_with_score_by_vector(asked.tolist(), k=5)
    assert [document for document, _ in by_vector] == [document for document, _ in found]
    assert store.similarity_search_by_vector(asked.tolist(), k=2) == store.similarity_search("green grape", k=2)


def test_relevance_is_between_0_and_1(store: OctantVectorStore) -> None:
    found = store.similarity_search_with_relevance_scores("red apple", k=5)
    raw = [score for _, score in store.similarity_search_with_score("red apple", k=5)]
    assert [score for _, score in found] == pytest.approx([min(1.0, (one + 1) / 2) for one in raw])
    assert found[0][1] == pytest.approx(1.0, abs=1e-5)
    close = store.similarity_search_with_relevance_scores("red apple", k=5, score_threshold=0.99)
    assert [document.page_content for document, _ in close] == ["red apple"]


@pytest.mark.parametrize("lambda_mult", [0.0, 0.3, 0.5, 0.8, 1.0])
def test_mmr_is_langchains(place: dict[str, Any], lambda_mult: float) -> None:
    embedding = DeterministicFakeEmbedding(size=6)
    texts = [f"text {i}" for i in range(30)]
    store = OctantVectorStore.from_texts(texts, embedding, ids=texts, **place)
    assert store.collection is not None
    asked = embedding.embed_query("a question")
    nearest = [document.page_content for document in store.similarity_search("a question", k=12)]
    rows = embedding.embed_documents(nearest)
    expected = [nearest[i] for i in maximal_marginal_relevance(np.array(asked), rows, lambda_mult=lambda_mult, k=6)]
    found = store.max_marginal_relevance_search("a question", k=6, fetch_k=12, lambda_mult=lambda_mult)
    assert [document.page_content for document in found] == expected
    by_vector = store.max_marginal_relevance_search_by_vector(asked, k=6, fetch_k=12, lambda_mult=lambda_mult)
    assert by_vector == found
    if lambda_mult == 1.0:
        assert found == store.similarity_search("a question", k=6)
    store.collection.close()


@pytest.mark.parametrize(
    "filter",
    [
        "colour = 'green' or price >= 3",
        {"$or": [{"colour": "green"}, {"price": {"$gte": 3}}]},
        (F("colour") == "green") | (F("price") >= 3),
        models.Filter(
            should=[
                models.FieldCondition(key="colour", match=models.MatchValue(value="green")),
                models.FieldCondition(key="price", range=models.Range(gte=3)),
            ]
        ),
    ],
    ids=["text", "mapping", "F", "qdrant"],
)
def test_filters(store: OctantVectorStore, counting: CountingEmbeddings, filter: Any) -> None:
    wanted = {"green apple", "purple grape", "orange orange"}
    asked = counting.embed_query("apple")
    for found in (
        store.similarity_search("apple", k=5, filter=filter),
        store.similarity_search_by_vector(asked, k=5, filter=filter),
        store.max_marginal_relevance_search("apple", k=5, filter=filter),
        store.max_marginal_relevance_search_by_vector(asked, k=5, filter=filter),
        [document for document, _ in store.similarity_search_with_relevance_scores("apple", k=5, filter=filter)],
        store.as_retriever(search_kwargs={"k": 5, "filter": filter}).invoke("apple"),
    ):
        assert {document.page_content for document in found} == wanted


async def test_async_is_sync(place: dict[str, Any], store: OctantVectorStore) -> None:
    assert store.collection is not None
    asked = "apple apple apple red grape grape"  # no two documents are equally near, among the first three
    vector = CountingEmbeddings().embed_query(asked)
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
        ("similarity_search", (asked, 3), {}),
        ("similarity_search", (asked,), {"filter": {"colour": "red"}}),
        ("similarity_search_with_score", (asked, 3), {}),
        ("similarity_search_by_vector", (vector, 3), {}),
        ("similarity_search_with_score_by_vector", (vector, 3), {}),
        ("similarity_search_with_relevance_scores", (asked, 3), {}),
        ("max_marginal_relevance_search", (asked,), {"k": 3, "lambda_mult": 0.2}),
        ("max_marginal_relevance_search_by_vector", (vector,), {"k": 3, "lambda_mult": 0.2}),
        ("get_by_ids", (["f3", "missing", "f1"],), {}),
    ]
    expected = [getattr(store, name)(*given, **named) for name, given, named in calls]
    for (name, given, named), alone in zip(calls, expected, strict=True):
        assert alike(await getattr(store, f"a{name}")(*given, **named), alone)
    store.collection.close()
    native = await OctantVectorStore.aopen(CountingEmbeddings(), **place)
    assert native.async_collection is not None
    for (name, given, named), alone in zip(calls, expected, strict=True):
        assert alike(await getattr(native, f"a{name}")(*given, **named), alone)
    await native.async_collection.close()


def test_ids_are_kept_in_order(store: OctantVectorStore, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.collection is not None
    scroll = store.collection.client.scroll

    def backwards(*given: Any, **named: Any) -> tuple[Any, Any]:
        records, offset = scroll(*given, **named)
        return records[::-1], offset

    monkeypatch.setattr(store.collection.client, "scroll", backwards)  # no engine promises an order
    found = store.get_by_ids(["f3", "missing", "f0", "f3"])
    assert [(document.id, document.page_content) for document in found] == [("f3", FRUIT[3]), ("f0", FRUIT[0])]
    assert found[0].metadata == {"colour": "purple", "price": 3}


def test_nothing_is_embedded_twice(store: OctantVectorStore, counting: CountingEmbeddings) -> None:
    documents = store.get_by_ids([f"f{i}" for i in range(5)])
    before = counting.documents
    assert store.add_documents(documents) == [document.id for document in documents]
    assert counting.documents == before
    documents[0].metadata["colour"] = "crimson"
    store.add_documents(documents)
    assert counting.documents == before  # metadata alone is another payload, and no other vector
    assert store.get_by_ids(["f0"])[0].metadata["colour"] == "crimson"
    store.add_texts(["red apple"], ids=["a copy"])
    assert counting.documents == before
    documents[0].page_content = "crimson apple"
    store.add_documents(documents)
    assert counting.documents == before + 1
    assert store.similarity_search("crimson apple", k=1)[0].id == "f0"


def test_opens_again(place: dict[str, Any], store: OctantVectorStore) -> None:
    assert store.collection is not None
    store.collection.close()
    again = CountingEmbeddings()
    reopened = OctantVectorStore.from_documents([Document(page_content="a kiwi", id="k")], again, **place)
    assert reopened.collection is not None
    assert reopened.collection.count() == 6
    assert again.documents == 1
    reopened.collection.close()
    with pytest.raises(SchemaMismatch, match="another"):
        OctantVectorStore.open(CountingEmbeddings("another"), **place)


def test_generators_and_lengths(store: OctantVectorStore) -> None:
    ids = store.add_texts((text for text in ("a pear", "a plum")), metadatas=[{"n": 1}, {"n": 2}])
    assert [document.page_content for document in store.get_by_ids(ids)] == ["a pear", "a plum"]
    assert [document.metadata for document in store.get_by_ids(ids)] == [{"n": 1}, {"n": 2}]
    assert store.add_texts(["x y", "z"], ids=["given", None])[0] == "given"
    assert store.add_texts([]) == []
    with pytest.raises(ValueError, match="2 documents and 1 ids"):
        store.add_texts(["a", "b"], ids=["1"])
    with pytest.raises(ValueError, match="2 texts and 1 metadatas"):
        store.add_texts(["a", "b"], metadatas=[{}])
    with pytest.raises(ValueError, match="'same' is given twice"):
        store.add_texts(["a", "b"], ids=["same", "same"])


def test_what_cannot_be_stored_is_an_error(store: OctantVectorStore) -> None:
    with pytest.raises(OctantError, match=r"1 could not be stored, 1 are:\n.*bad.*'a\.b'"):
        store.add_texts(["good text", "bad text"], [{}, {"a.b": 1}], ids=["good", "bad"])
    assert [document.id for document in store.get_by_ids(["good", "bad"])] == ["good"]
    with pytest.raises(OctantError, match="octant's own"):
        store.add_texts(["mine"], [{"octant": 1}])


async def test_what_cannot_be_stored_is_an_error_async(astore: OctantVectorStore) -> None:
    with pytest.raises(OctantError, match="1 could not be stored, 0 are"):
        await astore.aadd_texts(["bad text"], [{"a.b": 1}])


def test_unknown_options_are_refused(store: OctantVectorStore) -> None:
    for call in (
        lambda: store.similarity_search("x", fetch=3),
        lambda: store.similarity_search_by_vector([0.0] * 32, where="x"),
        lambda: store.max_marginal_relevance_search("x", diversity=0.1),
        lambda: store.add_texts(["x"], namespace="y"),
        lambda: store.delete(["x"], namespace="y"),
        lambda: OctantVectorStore.from_texts([], CountingEmbeddings(), location=":memory:"),
    ):
        with pytest.raises(TypeError, match="does not know"):
            call()
    with pytest.raises(ValueError, match="within 0"):
        store.max_marginal_relevance_search("x", lambda_mult=2)


def test_deleting(store: OctantVectorStore) -> None:
    assert store.collection is not None
    assert store.delete([]) is True
    assert store.collection.count() == 5
    assert store.delete(["f0", "missing"]) is True
    assert store.collection.count() == 4
    store.collection.client.upsert(  # by another hand, without what octant notes
        store.collection.name, [models.PointStruct(id=7, vector={"text": [1.0] * 32}, payload={"n": 1})]
    )
    assert store.delete() is True
    assert store.collection.count() == 0
    assert store.similarity_search("apple") == []


async def test_deleting_async(astore: OctantVectorStore) -> None:
    assert astore.async_collection is not None
    await astore.adelete(["f0", "missing"])
    assert await astore.async_collection.count() == 4
    assert await astore.adelete() is True
    assert await astore.async_collection.count() == 0


async def test_a_text_without_words_async(astore: OctantVectorStore) -> None:
    found = await astore.asimilarity_search(" ", filter="price >= 3")
    assert {document.id for document in found} == {"f3", "f4"}
    with pytest.raises(ValueError, match="no words and no filter"):
        await astore.asimilarity_search("")
    with pytest.raises(ValueError, match="nothing can be ranked"):
        await astore.asimilarity_search_with_score("", filter="price >= 3")


async def test_a_member_stays_with_its_family_async(astore: OctantVectorStore) -> None:
    assert astore.async_collection is not None
    await astore.async_collection.add(family(Document(id="r", page_content="all"), [Document(page_content="part")]))
    [document] = await astore.aget_by_ids(["r#1"])
    await astore.aadd_documents([Document(id="r#1", page_content="another part")])
    assert await astore.async_collection.count("octant.source = 'r'") == 2
    await astore.adelete(["r"])
    assert await astore.aget_by_ids([str(document.id)]) == []


async def test_an_identity_tells_models_apart(place: dict[str, Any]) -> None:
    embedding = DeterministicFakeEmbedding(size=6)
    store = OctantVectorStore.from_texts(["a"], embedding, ids=["a"], identity="model@1", **place)
    assert store.collection is not None
    assert store.collection.schema.fields["text"].space.identity(Modality.TEXT) == "model@1"
    store.collection.close()
    with pytest.raises(SchemaMismatch, match="model@2"):
        OctantVectorStore.open(embedding, identity="model@2", **place)
    again = await OctantVectorStore.afrom_texts(["b"], embedding, identity="model@1", **place)
    assert again.async_collection is not None
    assert await again.async_collection.count() == 2
    await again.async_collection.close()


async def test_many_at_once(astore: OctantVectorStore) -> None:
    """Two hundred searches on one event loop: each has the answer that it has alone."""
    alone = {text: await astore.asimilarity_search_with_score(text, k=3) for text in FRUIT}
    asked = [FRUIT[i % 5] for i in range(200)]
    found = await asyncio.gather(*(astore.asimilarity_search_with_score(text, k=3) for text in asked))
    assert all(alike(one, alone[text]) for one, text in zip(found, asked, strict=True))


async def test_native_async_has_no_sync(astore: OctantVectorStore) -> None:
    with pytest.raises(NotImplementedError, match="await"):
        astore.similarity_search("apple")
    with pytest.raises(NotImplementedError, match="await"):
        astore.add_texts(["apple"])
    assert astore.similarity_search.__doc__ is not None


def test_embeddings_are_the_fields(store: OctantVectorStore, counting: CountingEmbeddings) -> None:
    assert isinstance(store.embeddings, OctantEmbeddings)
    assert store.embeddings.embed_query("red apple") == pytest.approx(counting.embed_query("red apple"))
    assert "OctantEmbeddings" in (store.as_retriever().tags or [])


class TestOnAnyCollection:
    """On a collection of several modalities, which octant made."""

    def test_images_and_sounds_are_found_by_texts(self, collection: octant.Collection, tmp_path: Path) -> None:
        store = OctantVectorStore(collection)
        cat, dog = picture(tmp_path, "grey_cat.png"), picture(tmp_path, "brown_dog.png", "brown")
        bark = sound(tmp_path, "dog_bark.wav")
        assert store.add_images([cat, dog], [{"year": 2024}, {"title": "A dog"}]) == [cat.as_uri(), dog.as_uri()]
        assert store.add_audio([bark], ids=["bark"]) == ["bark"]
        found = OctantVectorStore(collection, into="image").similarity_search("cat", k=1)
        assert found == [
            Document(
                id=cat.as_uri(),
                page_content="image grey_cat.png",
                metadata={
                    "year": 2024,
                    "octant": {
                        "media": [{"name": "image", "modality": "image", "uri": cat.as_uri(), "mime_type": "image/png"}]
                    },
                },
            )
        ]
        assert OctantVectorStore(collection, into="image").similarity_search("dog", k=1)[0].page_content == "A dog"
        heard = OctantVectorStore(collection, into=["audio"]).similarity_search("dog", k=2)
        assert [document.id for document in heard] == ["bark"]
        assert store.get_by_ids([cat.as_uri()]) == found
        json.dumps([document.metadata for document in heard])

    def test_what_was_found_can_be_added_again(self, collection: octant.Collection, tmp_path: Path) -> None:
        cat = picture(tmp_path, "grey_cat.png")
        collection.add([Item("c", {"title": Text("cat"), "body": Text("it is grey"), "photo": Image(cat)}, {"n": 1})])
        store = OctantVectorStore(collection, roots=[tmp_path])
        [document] = store.get_by_ids(["c"])
        assert document.page_content == "cat\n\nit is grey"
        report = collection.add([*collection.get(["c"])])
        assert report.unchanged == 1
        store.add_documents([document])
        assert collection.get(["c"])[0].media == {"title": Text("cat"), "body": Text("it is grey"), "photo": Image(cat)}
        document.page_content = "another text"
        with pytest.raises(ValueError, match="several texts"):
            store.add_documents([document])

    def test_what_was_given_in_memory_is_not_lost_by_adding_again(
        self, collection: octant.Collection, tmp_path: Path
    ) -> None:
        content = picture(tmp_path, "grey_cat.png").read_bytes()
        collection.add(
            [Item("both", {"title": Text("cat"), "photo": Image(content)}), Item("alone", {"p": Image(content)})]
        )
        store = OctantVectorStore(collection, roots=[tmp_path])
        for document in store.get_by_ids(["both", "alone"]):
            assert [entry["modality"] for entry in document.metadata["octant"]["media"]][-1] == "image"
            document.metadata["year"] = 2026
            with pytest.raises(MediaError, match="in memory"):
                store.add_documents([document])
        assert collection.count("octant.modalities = 'image'") == 2

    def test_a_piece_of_a_file_stays_one(
        self, place: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("octant.adapters.files._SETTLED", 0)  # else what was written just now is read again
        (tmp_path / "notes").mkdir()
        whole, cut = tmp_path / "notes" / "short.md", tmp_path / "notes" / "long.md"
        whole.write_text("Espresso is brewed under pressure.")
        cut.write_text("\n\n".join(f"Part {n}. " + "Zebras graze on the savanna. " * 12 for n in range(12)))
        given = dict(place)
        with octant.open(given.pop("collection_name"), **given) as collection:
            collection.add(tmp_path / "notes")
            held = {item.id for item in collection.items()}
            assert len(held) > 3
            store = OctantVectorStore(collection, field="text", roots=[tmp_path])
            found = [*store.similarity_search("zebras", k=2), *store.similarity_search("espresso", k=1)]
            for document in found:
                document.metadata["seen"] = True
                store.add_documents([document])
            assert {item.id for item in collection.items()} == held  # its siblings are there still
            assert collection.count("seen = true") == 3
            assert collection.add(tmp_path / "notes").unchanged == len(held)
            assert collection.count("seen = true") == 3
            store.delete([cut.as_uri()])
            assert [item.metadata["seen"] for item in collection.items()] == [True]
            store.delete([whole.as_uri()])
            assert collection.count() == 0

    def test_an_original_keeps_its_family(self, collection: octant.Collection) -> None:
        children = [Document(page_content="zebras graze"), Document(page_content="cats sleep")]
        collection.add(family(Document(id="report", page_content="animals"), children))
        store = OctantVectorStore(collection, field="text")
        documents = store.get_by_ids(["report", "report#1"])
        for document in documents:
            document.page_content += ", rewritten"
        store.add_documents(documents)
        assert collection.count() == 3
        assert collection.count("octant.source = 'report'") == 3
        store.add_documents([Document(id="other", page_content="apart")])
        store.delete(["report"])
        assert [item.id for item in collection.items()] == ["other"]

    def test_a_text_without_words(self, collection: octant.Collection, tmp_path: Path) -> None:
        collection.add([Item("c", {"t": Text("cat"), "p": Image(picture(tmp_path, "cat.png"))}, {"n": 1})])
        collection.add([Item("d", {"t": Text("dog")}, {"n": 2})])
        store = OctantVectorStore(collection)
        assert {document.id for document in store.similarity_search("", filter="n > 0")} == {"c", "d"}
        assert len(store.similarity_search(" ", k=1, filter="n > 0")) == 1
        assert [
            one.id for one in OctantVectorStore(collection, into="image").similarity_search("", filter="n > 0")
        ] == ["c"]
        with pytest.raises(ValueError, match="no words and no filter"):
            store.similarity_search("")
        with pytest.raises(ValueError, match="nothing can be ranked"):
            store.similarity_search_with_score("", filter="n > 0")

    def test_what_an_answer_says_is_not_stored(self, collection: octant.Collection) -> None:
        collection.add([Item("a", {"t": Text("cat")}, {"score": 7}), Item("b", {"t": Text("cat")}, {"n": 1})])
        store = OctantVectorStore(collection, field="text")
        store.add_documents(OctantRetriever(collection=collection, into="text", explain=True).invoke("cat"))
        assert {item.id: dict(item.metadata) for item in collection.items()} == {"a": {"score": 7}, "b": {"n": 1}}
        families = OctantParentRetriever(collection=collection, into="text").invoke("cat")
        reranker = OctantReranker(rerank=ByFunction(lambda _, hits: [1.0] * len(hits)))
        store.add_documents([*reranker.compress_documents(families, "x")])
        assert {item.id: dict(item.metadata) for item in collection.items()} == {"a": {"score": 7}, "b": {"n": 1}}

    def test_documents_name_no_files_outside_the_roots(self, collection: octant.Collection, tmp_path: Path) -> None:
        (tmp_path / "allowed").mkdir()
        outside = picture(tmp_path, "outside.png")
        named = [{"name": "image", "modality": "image", "uri": outside.as_uri()}]
        document = Document(page_content="a caption", metadata={"octant": {"media": named}})
        for store in (OctantVectorStore(collection), OctantVectorStore(collection, roots=[tmp_path / "allowed"])):
            with pytest.raises(MediaError, match="roots"):
                store.add_documents([document])
        assert collection.count() == 0
        [name] = OctantVectorStore(collection, roots=[tmp_path]).add_documents([document])
        assert set(collection.get([name])[0].media.values()) == {Text("a caption"), Image(outside)}

    def test_several_fields_are_fused_and_one_can_be_named(self, collection: octant.Collection, tmp_path: Path) -> None:
        collection.add([Item("c", {"title": Text("grey cat"), "photo": Image(picture(tmp_path, "grey_cat.png"))})])
        both = OctantVectorStore(collection)
        assert both.field is None
        assert both.embeddings is None
        assert [document.id for document in both.similarity_search("cat")] == ["c"]
        for call in (
            lambda: both.similarity_search_by_vector([0.0] * 32),
            lambda: both.max_marginal_relevance_search("cat"),
            lambda: both.similarity_search_with_relevance_scores("cat"),
        ):
            with pytest.raises(ValueError, match=r"field=.* text, image, audio"):
                call()
        one = OctantVectorStore(collection, field="image")
        assert one.embeddings is not None
        asked = one.embeddings.embed_query("grey cat")
        assert [document.id for document in one.similarity_search_by_vector(asked)] == ["c"]
        assert [document.id for document in one.max_marginal_relevance_search("cat")] == ["c"]
        with pytest.raises(ValueError, match="no field 'sound'"):
            OctantVectorStore(collection, field="sound")
        with pytest.raises(ValueError, match="no modality"):
            OctantVectorStore(collection, into="video")
        with pytest.raises(ValueError, match="give an octant collection"):
            OctantVectorStore()

    def test_media_are_given_as_paths_not_strings(self, collection: octant.Collection, tmp_path: Path) -> None:
        store = OctantVectorStore(collection)
        cat = picture(tmp_path, "grey_cat.png")
        with pytest.raises(TypeError, match=r"Path\(\.\.\.\)"):
            store.add_images([str(cat)])  # type: ignore[list-item]
        with pytest.raises(TypeError, match="add_audio takes paths"):
            store.add_audio([Image(cat)])  # type: ignore[list-item]
        with pytest.raises(ValueError, match="1 media and 2 ids"):
            store.add_images([cat], ids=["a", "b"])
        (tmp_path / "broken.png").write_bytes(b"not a picture")
        with pytest.raises(OctantError, match="broken"):
            store.add_images([tmp_path / "broken.png"])

    def test_an_image_in_memory_has_no_uri(self, collection: octant.Collection, tmp_path: Path) -> None:
        content = picture(tmp_path, "grey_cat.png").read_bytes()
        store = OctantVectorStore(collection, into="image")
        [name] = store.add_images([Image(content)], [{"caption": "a cat"}])
        [found] = store.similarity_search("memory", k=1)
        assert found.id == name
        assert found.page_content == "a cat"
        assert found.metadata["octant"] == {"media": [{"name": "image", "modality": "image", "mime_type": "image/png"}]}
        with pytest.raises(MediaError, match="given in memory"):
            store.add_documents([found])

    async def test_media_async(self, place: dict[str, Any], tmp_path: Path) -> None:
        given = dict(place)
        collection = await octant.open_async(given.pop("collection_name"), schema=pixels_schema(), **given)
        async with collection:
            store = OctantVectorStore(async_collection=collection, into=Modality.IMAGE)
            cat, bark = picture(tmp_path, "grey_cat.png"), sound(tmp_path, "dog_bark.wav")
            assert await store.aadd_images([cat]) == [cat.as_uri()]
            assert await store.aadd_audio([bark], [{"n": 1}]) == [bark.as_uri()]
            assert [document.id for document in await store.asimilarity_search("bark")] == [cat.as_uri()]

    async def test_media_in_a_thread(self, collection: octant.Collection, tmp_path: Path) -> None:
        store = OctantVectorStore(collection, into="audio")
        bark = sound(tmp_path, "dog_bark.wav")
        assert await store.aadd_audio([bark], [{"n": 1}]) == [bark.as_uri()]
        assert await store.aadd_images([picture(tmp_path, "x.png")], ids=["x"]) == ["x"]
        assert [document.id for document in await store.asimilarity_search("bark")] == [bark.as_uri()]
