"""Encoders as embeddings, and embeddings as encoders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_octant import EmbeddingsEncoder, OctantEmbeddings
from numpy.typing import NDArray
from parts import CountingEmbeddings, Words

import octant
from octant import Kind, Modality, OctantError, Role, Space, Sparse, Text, UnsupportedModality


class _Sided:
    """An encoder that tells queries from documents, and notes its batches."""

    def __init__(self) -> None:
        self.spec = octant.EncoderSpec(identity="sided@1", modality=Modality.TEXT, dim=2)
        self.batches: list[int] = []

    def encode(self, batch: Sequence[Text], role: Role) -> list[NDArray[np.float32] | Sparse]:
        self.batches.append(len(batch))
        side = 1.0 if role is Role.QUERY else 0.0
        return [np.array([side, len(text.content)], dtype=np.float32) for text in batch]


def test_roles_and_batches() -> None:
    encoder = _Sided()
    embeddings = OctantEmbeddings(encoder)
    assert embeddings.embed_query("abc") == [1.0, 3.0]
    found = embeddings.embed_documents(["a" * i for i in range(70)])
    assert found == [[0.0, float(i)] for i in range(70)]
    assert max(encoder.batches) <= 32
    assert embeddings.embed_documents([]) == []


def test_a_space_gives_its_texts_encoder() -> None:
    space = Space("shared", Words(Modality.IMAGE), Words(Modality.TEXT))
    assert OctantEmbeddings(space).embed_query("red cat") == OctantEmbeddings(Words(Modality.TEXT)).embed_query(
        "red cat"
    )
    assert "words-32@1" in repr(OctantEmbeddings(space))


def test_what_makes_no_dense_vectors_of_texts_is_refused() -> None:
    with pytest.raises(ValueError, match="dense vectors of image"):
        OctantEmbeddings(Words(Modality.IMAGE))  # type: ignore[arg-type]
    with pytest.raises(UnsupportedModality):
        OctantEmbeddings(Space("look", Words(Modality.IMAGE)))
    words = Words(Modality.TEXT)
    words.spec = octant.EncoderSpec(identity="many@1", modality=Modality.TEXT, dim=4, kind=Kind.MULTI)
    with pytest.raises(ValueError, match=r"multi vectors .*Kind\.DENSE"):
        OctantEmbeddings(words)


def test_embeddings_become_an_encoder() -> None:
    counting = CountingEmbeddings("model-a", dim=8)
    encoder = EmbeddingsEncoder(counting)
    assert (encoder.spec.dim, encoder.spec.modality, counting.queries) == (8, Modality.TEXT, 1)
    assert encoder.spec.identity == "langchain:parts.CountingEmbeddings:model-a"
    assert EmbeddingsEncoder(counting, "mine@2").spec.identity == "mine@2"
    assert EmbeddingsEncoder(DeterministicFakeEmbedding(size=3)).spec.identity == (
        "langchain:langchain_core.DeterministicFakeEmbedding"
    )
    vectors = encoder.encode([Text("a b"), Text("c")], Role.DOCUMENT)
    assert np.allclose(np.array(vectors), counting.embed_documents(["a b", "c"]))
    before = (counting.documents, counting.queries)
    encoder.encode([Text("a b")], Role.QUERY)
    assert (counting.documents, counting.queries) == (before[0], before[1] + 1)


class _Cache(Embeddings):
    """As CacheBackedEmbeddings of langchain-classic is made."""

    def __init__(self, underlying_embeddings: Embeddings) -> None:
        self.underlying_embeddings = underlying_embeddings

    def embed_query(self, text: str) -> list[float]:
        return self.underlying_embeddings.embed_query(text)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.underlying_embeddings.embed_documents(texts)


class AzureOpenAIEmbeddings(CountingEmbeddings):
    deployment = "mine"


class OpenAIEmbeddings(CountingEmbeddings):
    deployment = "the default of the class"


def test_models_are_told_apart_where_classes_name_them_otherwise() -> None:
    for made, wanted in (
        (_Cache(CountingEmbeddings("a")), "langchain:parts.CountingEmbeddings:a"),
        (AzureOpenAIEmbeddings("ada"), "AzureOpenAIEmbeddings:mine"),
        (OpenAIEmbeddings("large"), "OpenAIEmbeddings:large"),
    ):
        assert EmbeddingsEncoder(made).spec.identity.endswith(wanted)


def test_a_text_that_cannot_be_embedded_is_named_by_its_place() -> None:
    embeddings = OctantEmbeddings(octant.starter().fields["text"].space)
    texts = ["a cat"] * 34
    texts[33] = " "
    with pytest.raises(octant.MediaError, match=r"text 33.*is empty"):
        embeddings.embed_documents(texts)
    with pytest.raises(octant.MediaError, match=r"text 0.*known"):
        embeddings.embed_query("\u13a0\u13a1")


def test_round_trip() -> None:
    encoder = Words(Modality.TEXT)
    around = EmbeddingsEncoder(OctantEmbeddings(encoder))
    there, here = (np.asarray(one.encode([Text("x y")], Role.DOCUMENT)) for one in (around, encoder))
    assert np.array_equal(there, here)
    assert around.spec.identity == "langchain:langchain_octant.OctantEmbeddings:words-32@1"


class _Short(Embeddings):
    def embed_query(self, text: str) -> list[float]:
        return [0.0, 1.0]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[0.0, 1.0, 2.0] for _ in texts[1:]]


def test_embeddings_that_lose_texts_are_an_error() -> None:
    with pytest.raises(OctantError, match=r"1 vectors of the lengths \[3\] for 2 texts, expected one of 2 numbers"):
        EmbeddingsEncoder(_Short()).encode([Text("a"), Text("b")], Role.DOCUMENT)
