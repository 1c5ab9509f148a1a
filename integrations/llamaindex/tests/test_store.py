"""The store under LlamaIndex's own index, retriever and ingestion pipeline; nodes there and back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.indices.query.embedding_utils import (
    get_top_k_mmr_embeddings,  # pyright: ignore[reportUnknownVariableType]
)
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.llms import MockLLM
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import (
    BaseNode,
    Document,
    ImageDocument,
    ImageNode,
    IndexNode,
    MediaResource,
    MetadataMode,
    Node,
    NodeRelationship,
    RelatedNodeInfo,
    TextNode,
)
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores.types import (
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)
from llama_index.vector_stores.octant import OctantVectorStore, embedding_schema
from llama_parts import DIM, Hashed, picture, sound

import octant

MODEL = Hashed()
TOLD = {
    "dog": "a dog chases a ball",
    "cat": "a cat sleeps on a sofa",
    "car": "a red car drives fast",
    "hound": "a dog chases a cat",
}


def embedded(nodes: Sequence[BaseNode]) -> list[BaseNode]:
    for node in nodes:
        node.embedding = MODEL.get_text_embedding(node.get_content(MetadataMode.EMBED))
    return list(nodes)


def told() -> list[BaseNode]:
    return embedded([TextNode(id_=name, text=text) for name, text in TOLD.items()])


def asked(text: str, **more: Any) -> VectorStoreQuery:
    return VectorStoreQuery(query_embedding=MODEL.get_query_embedding(text), query_str=text, **more)


def every_kind(folder: Path) -> list[BaseNode]:
    from_document = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id="doc", metadata={"a.b": 1}, hash="h")}
    image, audio = picture(folder / "red.png", "red"), sound(folder / "hum.wav", 440)
    nodes: Sequence[BaseNode] = [
        TextNode(
            text="all of it",
            metadata={"year": 1999, "tags": ["a", "b"], "deep": {"x": None}, "is": True},
            relationships=from_document,
            excluded_llm_metadata_keys=["year"],
            start_char_idx=3,
            end_char_idx=12,
            text_template="{content}",
            metadata_separator=" / ",
        ),
        TextNode(text="", metadata={"n": 1}),
        ImageNode(text="a red square", image_path=str(image), metadata={"n": 2}, text_embedding=[0.5]),
        IndexNode(text="a summary", index_id="other", obj=TextNode(id_="inner", text="inside")),
        Node(text_resource=MediaResource(text="a hum"), audio_resource=MediaResource(path=audio), extra_info={"n": 3}),
        Node(image_resource=MediaResource(path=image)),
        Document(id_="whole", text="a whole document", metadata={"n": 4}),
        ImageDocument(id_="shot", text="a shot", image_path=str(image)),
    ]
    return list(nodes)


def test_nodes_of_every_kind_come_back_as_they_were(store: OctantVectorStore, tmp_path: Path) -> None:
    nodes = every_kind(tmp_path)
    for place, node in enumerate(nodes):
        node.embedding = np.eye(DIM)[place].tolist()
    assert store.add(nodes) == [node.node_id for node in nodes]
    back = {node.node_id: node for node in store.get_nodes()}
    for node in nodes:
        found = back[node.node_id]
        assert type(found) is type(node)
        assert found.model_dump() == {**node.model_dump(), "embedding": None}
        assert found.hash == node.hash
        result = store.query(VectorStoreQuery(query_embedding=node.embedding, similarity_top_k=1))
        assert result.ids == [node.node_id]
        assert result.nodes == [found]
        assert result.similarities == [pytest.approx(1.0)]


def test_no_bytes_are_stored_and_nothing_is_fetched(store: OctantVectorStore, tmp_path: Path) -> None:
    path = picture(tmp_path / "red.png", "red")
    refused: list[tuple[BaseNode, str]] = [
        (ImageNode(image="aGVsbG8="), "give its path as image_path"),
        (Node(image_resource=MediaResource(data=path.read_bytes())), "give its path as image_resource.path"),
        (ImageNode(image_url="https://example.org/a.png"), "which is not fetched"),
        (Node(audio_resource=MediaResource(url="https://example.org/a.wav")), "which is not fetched"),  # pyright: ignore[reportArgumentType]
        (Node(video_resource=MediaResource(path=path)), "VideoAdapter"),
    ]
    for node, said in refused:
        with pytest.raises(ValueError, match=said):
            store.add([node])
    store.add([ImageNode(id_="red", image_path=str(path), embedding=[1.0] * DIM)])
    client = store.client
    assert isinstance(client, octant.Collection)
    [item] = client.get(["red"])
    assert item.media == {"image": octant.Image(path)}


def test_a_node_of_an_unknown_kind_is_refused(store: OctantVectorStore) -> None:
    class Mine(TextNode):
        @classmethod
        def class_name(cls) -> str:
            return "Mine"

    with pytest.raises(ValueError, match="is a Mine; known are Document"):
        store.add([Mine(text="x")])


def test_what_cannot_be_stored_is_told_once_the_rest_is(store: OctantVectorStore) -> None:
    nodes = [
        TextNode(id_="good", text="good", embedding=[1.0] * DIM),
        TextNode(id_="short", text="short", embedding=[1.0]),
        TextNode(id_="dotted", text="dotted", metadata={"a.b": 1}, embedding=[1.0] * DIM),
    ]
    with pytest.raises(ValueError, match=r"2 nodes cannot be stored.*short.*dim = 64.*dotted.*a dot as 'within'"):
        store.add(nodes)
    assert [node.node_id for node in store.get_nodes()] == ["good"]


def test_a_node_without_its_embedding_is_refused_and_what_stands_keeps_it(store: OctantVectorStore) -> None:
    store.add(told())
    [read] = store.get_nodes(["dog"])
    read.metadata["seen"] = True
    unembedded = [TextNode(id_="new", text="new", embedding=[1.0] * DIM), read]
    with pytest.raises(ValueError, match=r"node 'dog' has no embedding.*embed it, as VectorStoreIndex.insert_nodes"):
        store.add(unembedded)
    assert {node.node_id for node in store.get_nodes()} == set(TOLD), "nothing is stored then"
    assert (store.query(asked("a dog chases a ball")).ids or [None])[0] == "dog"
    VectorStoreIndex.from_vector_store(store, embed_model=MODEL).insert_nodes([read])
    found = store.query(asked("a dog chases a ball", similarity_top_k=1))
    assert found.ids == ["dog"]
    assert [node.metadata for node in found.nodes or ()] == [{"seen": True}]


async def test_awaited_a_node_without_its_embedding_is_refused(awaited: OctantVectorStore) -> None:
    with pytest.raises(ValueError, match="'x' has no embedding"):
        await awaited.async_add([TextNode(id_="x", text="x")])


def test_files_of_nodes_are_read_under_the_roots_alone(collection: octant.Collection, tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    red, hum = picture(outside / "red.png", "red"), sound(outside / "hum.wav", 440)
    (inside / "link.png").symlink_to(red)
    (inside / "folder").symlink_to(outside)
    store = OctantVectorStore(collection, roots=[inside])
    vector = [1.0] * DIM
    for path in (red, inside / "../outside/red.png", inside / "link.png", inside / "folder" / "red.png", "/none.png"):
        for node in (
            ImageNode(image_path=str(path), embedding=vector),
            Node(image_resource=MediaResource(path=Path(path)), embedding=vector),
        ):
            with pytest.raises(ValueError, match="does not lie under the roots"):
                store.add([node])
    with pytest.raises(ValueError, match="does not lie under the roots"):
        store.add([Node(audio_resource=MediaResource(path=hum), embedding=vector)])
    picture(inside / "blue.png", "blue")
    blue = ImageNode(id_="blue", image_path=str(inside / "folder" / ".." / "inside" / "blue.png"), embedding=vector)
    with pytest.raises(ValueError, match=r"none is read without roots=\[the folder"):
        OctantVectorStore(collection).add([blue])
    assert store.add([blue]) == ["blue"]
    with pytest.raises(TypeError, match="roots are several folders"):
        OctantVectorStore(collection, roots=str(inside))  # pyright: ignore[reportArgumentType]


def test_an_index_over_the_store_finds_inserts_and_deletes(store: OctantVectorStore) -> None:
    documents = [Document(id_=name, text=text, metadata={"kind": name}) for name, text in TOLD.items()]
    context = StorageContext.from_defaults(vector_store=store)
    index = VectorStoreIndex.from_documents(documents, context, embed_model=MODEL)
    retriever = index.as_retriever(similarity_top_k=2)
    assert [found.node.ref_doc_id for found in retriever.retrieve("a dog chases a ball")] == ["dog", "hound"]
    index.insert(Document(id_="bird", text="a bird sings"))
    again = VectorStoreIndex.from_vector_store(store, embed_model=MODEL)
    assert again.as_retriever(similarity_top_k=1).retrieve("bird sings")[0].node.ref_doc_id == "bird"
    again.delete_ref_doc("dog")
    assert {node.ref_doc_id for node in store.get_nodes()} == {"cat", "car", "hound", "bird"}
    only = MetadataFilters(filters=[MetadataFilter(key="kind", value="car")])
    assert [found.node.ref_doc_id for found in again.as_retriever(filters=only).retrieve("dog")] == ["car"]
    engine: Any = again.as_query_engine(llm=MockLLM(), similarity_top_k=1)  # pyright: ignore[reportUnknownMemberType]
    answer = engine.query("a red car")
    assert [source.node.ref_doc_id for source in answer.source_nodes] == ["car"]


def test_an_ingestion_pipeline_upserts(store: OctantVectorStore) -> None:
    # by default it cuts with the data of nltk, which refuses to read files that an installer has linked
    splitter = SentenceSplitter(
        chunk_size=24, chunk_overlap=0, tokenizer=str.split, chunking_tokenizer_fn=lambda text: text.split(". ")
    )
    pipeline = IngestionPipeline(
        transformations=[splitter, MODEL],
        vector_store=store,
        docstore=SimpleDocumentStore(),
        docstore_strategy=DocstoreStrategy.UPSERTS,
    )
    long = " ".join(f"Sentence number {n} tells of a dog." for n in range(20))
    pipeline.run(documents=[Document(id_="long", text=long), Document(id_="short", text="a cat")])
    before = store.get_nodes()
    assert len([node for node in before if node.ref_doc_id == "long"]) > 3
    pipeline.run(documents=[Document(id_="long", text="A word."), Document(id_="short", text="a cat")])
    after = {node.ref_doc_id: node.get_content() for node in store.get_nodes()}
    assert after == {"long": "A word.", "short": "a cat"}


def test_what_stands_is_not_written_again_and_another_embedding_is(
    store: OctantVectorStore, collection: octant.Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add(told())
    written: list[int] = []
    real = collection.client.upsert

    def counted(name: str, points: Sequence[Any], **named: Any) -> Any:
        written.append(len(points))
        return real(name, points, **named)

    monkeypatch.setattr(collection.client, "upsert", counted)
    store.add(told())
    assert written == []
    again = told()
    again[0].embedding = np.eye(DIM)[0].tolist()
    store.add(again)
    assert written == [1]
    assert store.query(VectorStoreQuery(query_embedding=again[0].embedding)).ids == ["dog"]


def test_the_last_of_two_nodes_of_one_id_stands(store: OctantVectorStore) -> None:
    store.add(embedded([TextNode(id_="x", text="first"), TextNode(id_="x", text="second")]))
    assert [node.get_content() for node in store.get_nodes(["x"])] == ["second"]


def test_nodes_are_read_and_deleted_by_id_and_by_filter(store: OctantVectorStore) -> None:
    source = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id="0")}
    store.add(embedded([TextNode(id_=str(n), text="x", metadata={"n": n}) for n in range(6)]))
    store.add(embedded([TextNode(id_="part", text="of 0", relationships=source)]))
    above = MetadataFilters(filters=[MetadataFilter(key="n", value=3, operator=FilterOperator.GTE)])
    assert {node.node_id for node in store.get_nodes(["1", "4", "none"], above)} == {"4"}
    store.delete_nodes(["4", "1"], above)
    assert {node.node_id for node in store.get_nodes()} == {"0", "1", "2", "3", "5", "part"}
    store.delete_nodes(["0"])
    assert {node.node_id for node in store.get_nodes()} == {"1", "2", "3", "5", "part"}, "parts of it are other nodes"
    store.delete("0")
    store.delete_nodes(filters=above)
    assert {node.node_id for node in store.get_nodes()} == {"1", "2"}
    store.delete_nodes()
    assert len(store.get_nodes()) == 2, "nothing was asked to go"
    store.clear()
    assert store.get_nodes() == []


def test_a_query_is_narrowed_by_nodes_documents_and_filters(store: OctantVectorStore) -> None:
    nodes = told()
    for node in nodes:
        node.relationships = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"doc of {node.node_id}")}
    store.add(nodes)
    assert store.query(asked("a dog", similarity_top_k=9, node_ids=["cat", "car"])).ids == ["cat", "car"]
    assert store.query(asked("a dog", similarity_top_k=9, doc_ids=["doc of car"])).ids == ["car"]
    none = MetadataFilters(filters=[MetadataFilter(key="nothing has it", value=1)])
    assert store.query(asked("a dog", filters=none)).ids == []


def mmr(question: list[float], vectors: list[list[float]], most: int, threshold: float) -> list[int]:
    """As Carbonell and Goldstein (1998) have it: less the similarity to the most alike of those that are chosen."""
    matrix, chosen = np.array(vectors), list[int]()
    while len(chosen) < most:
        alike = np.max(matrix @ matrix[chosen].T, axis=1) if chosen else np.zeros(len(matrix))
        score = threshold * (matrix @ np.array(question)) - (1 - threshold) * alike
        score[chosen] = -np.inf
        chosen.append(int(np.argmax(score)))
    return chosen


def test_mmr_is_that_of_the_paper_and_its_threshold_that_of_llama_index(store: OctantVectorStore) -> None:
    store.add(told())
    question = MODEL.get_query_embedding("a dog chases")
    vectors = [MODEL.get_text_embedding(text) for text in TOLD.values()]
    their_mmr: Any = get_top_k_mmr_embeddings  # pyright: ignore[reportUnknownVariableType]
    for threshold in (0.3, 0.5, 1.0):
        names = [list(TOLD)[place] for place in mmr(question, vectors, 3, threshold)]
        # its own function compares with the last that was chosen alone, so that the first two are the paper's
        _, theirs = their_mmr(question, vectors, similarity_top_k=2, mmr_threshold=threshold)
        assert [list(TOLD)[place] for place in theirs] == names[:2]
        query = VectorStoreQuery(question, 3, mode=VectorStoreQueryMode.MMR, mmr_threshold=threshold)
        assert store.query(query).ids == names
        by_keyword = VectorStoreQuery(question, 3, mode=VectorStoreQueryMode.MMR)
        assert store.query(by_keyword, mmr_threshold=threshold).ids == names


def test_words_alone_and_words_beside_a_vector(store: OctantVectorStore) -> None:
    store.add([*told(), TextNode(id_="sku", text="HX-77", embedding=np.eye(DIM)[3].tolist())])
    words = asked("HX-77", mode=VectorStoreQueryMode.TEXT_SEARCH, similarity_top_k=5)
    assert store.query(words).ids == ["sku"]
    both = VectorStoreQuery(
        MODEL.get_query_embedding("a cat sleeps on a sofa"), 2, query_str="HX-77", mode=VectorStoreQueryMode.HYBRID
    )
    assert set(store.query(both).ids or ()) == {"cat", "sku"}
    for alpha, first in ((0.0, "sku"), (1.0, "cat")):
        both.alpha = alpha
        assert (store.query(both).ids or [None])[0] == first
    both.alpha, both.hybrid_top_k = 0.5, 4
    assert len(store.query(both).ids or ()) == 4


def test_what_a_store_cannot_do_is_told(store: OctantVectorStore, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no query mode 'svm' here"):
        store.query(asked("x", mode=VectorStoreQueryMode.SVM))
    with pytest.raises(ValueError, match="needs query_embedding"):
        store.query(VectorStoreQuery(query_str="x"))
    with pytest.raises(ValueError, match="alpha is the share"):
        store.query(asked("x", mode=VectorStoreQueryMode.HYBRID, alpha=3))
    with pytest.raises(TypeError, match="does not know 'shard_identifier'"):
        store.query(asked("x"), shard_identifier=1)
    with pytest.raises(ValueError, match="takes a collection"):
        OctantVectorStore()
    with octant.open("plain", path=tmp_path / "plain", schema=embedding_schema(DIM, words=False)) as plain:
        wordless = OctantVectorStore(plain)
        with pytest.raises(ValueError, match="words=True"):
            wordless.query(asked("x", mode=VectorStoreQueryMode.HYBRID))


def test_another_model_is_refused(tmp_path: Path) -> None:
    octant.open("nodes", path=tmp_path, schema=embedding_schema(DIM, "one")).close()
    with pytest.raises(octant.SchemaMismatch, match="was 'one', is 'another'"):
        octant.open("nodes", path=tmp_path, schema=embedding_schema(DIM, "another"))


async def test_awaited_it_is_the_same(awaited: OctantVectorStore) -> None:
    assert await awaited.async_add(told()) == list(TOLD)
    assert (await awaited.aquery(asked("a dog chases a ball", similarity_top_k=2))).ids == ["dog", "hound"]
    words = asked("sofa", mode=VectorStoreQueryMode.TEXT_SEARCH)
    assert (await awaited.aquery(words)).ids == ["cat"]
    assert {node.node_id for node in await awaited.aget_nodes()} == set(TOLD)
    many = await asyncio.gather(*(awaited.aquery(asked(text)) for text in list(TOLD.values()) * 10))
    assert [one.ids for one in many] == [[name] for name in TOLD] * 10
    await awaited.adelete_nodes(["dog"])
    await awaited.adelete("cat")
    assert {node.node_id for node in await awaited.aget_nodes()} == {"car", "hound"}
    await awaited.aclear()
    assert await awaited.aget_nodes() == []
    with pytest.raises(TypeError, match="does not know"):
        await awaited.async_add([], batch=3)


async def test_an_index_is_awaited(awaited: OctantVectorStore) -> None:
    index = VectorStoreIndex.from_vector_store(awaited, embed_model=MODEL, use_async=True)
    await index.ainsert_nodes([TextNode(id_=name, text=text) for name, text in TOLD.items()])
    [found] = await index.as_retriever(similarity_top_k=1).aretrieve("a red car drives fast")
    assert (found.node_id, found.score) == ("car", pytest.approx(1.0))


async def test_the_sync_methods_of_an_awaited_store_say_what_is_missing(tmp_path: Path) -> None:
    async with await octant.open_async("n", path=tmp_path, schema=embedding_schema(DIM)) as collection:
        store = OctantVectorStore(async_collection=collection)
        with pytest.raises(ValueError, match="async_collection alone"):
            store.query(asked("x"))


def test_where_octant_embeds_queries_are_texts_and_pictures_are_read(tmp_path: Path) -> None:
    with octant.open("mixed", path=tmp_path / "db") as collection:
        store = OctantVectorStore(collection, roots=[tmp_path])
        assert not store.is_embedding_query
        nodes = [
            TextNode(id_="cat", text="a cat sleeps on a sofa"),
            ImageNode(id_="red", image_path=str(picture(tmp_path / "red.png", "red"))),
            Node(id_="hum", audio_resource=MediaResource(path=sound(tmp_path / "hum.wav", 440))),
        ]
        index = VectorStoreIndex.from_vector_store(store, embed_model=MockEmbedding(1))
        index.insert_nodes(nodes)
        assert collection.info().modalities == {"text": 1, "image": 1, "audio": 1}
        again = VectorStoreIndex.from_vector_store(store, embed_model=MockEmbedding(1))
        assert again.as_retriever(similarity_top_k=1).retrieve("a sleeping cat")[0].node_id == "cat"
        with pytest.raises(ValueError, match="HYBRID asks with an embedding"):
            store.query(asked("x", mode=VectorStoreQueryMode.HYBRID))
