"""SPLADE by sentence-transformers, on a model of a few kilobytes that is made here with random weights."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
from qdrant_client.http import models as m

from octant.backends.splade import FAMILY, Splade, SpladeOptions
from octant.encoding import Role
from octant.errors import EncoderError, MissingExtra, WeightsError
from octant.media import Text
from octant.schema import to_qdrant
from octant.stores.local import LocalClient
from octant.vectors import Sparse, Vector

LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = ("red", "bird", "drum", "river", "the", ".", ",", ":", "/")
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{one}" for one in LETTERS), *WORDS]
TEXTS = [Text(one) for one in ("red bird", "a drum, the river. " * 3, "x", "", "http://127.0.0.1:9/x.jpg")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints: `mlm`, and `plain` without the head that speaks in words."""
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    made = tmp_path_factory.mktemp("splade")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.5,
    )
    tokenizer = transformers.BertTokenizer(
        vocab={word: index for index, word in enumerate(VOCABULARY)}, model_max_length=32
    )
    for name, model in (("mlm", transformers.BertForMaskedLM), ("plain", transformers.BertModel)):
        model(config).save_pretrained(made / name)
        tokenizer.save_pretrained(made / name)
    return made


@pytest.fixture(scope="module")
def splade(folder: Path) -> Splade:
    return Splade(folder / "mlm", device="cpu")


def made_of(folder: Path, **given: Any) -> Any:
    """The same model, as a SparseEncoder."""
    library: Any = importlib.import_module("sentence_transformers")
    return library.SparseEncoder(str(folder / "mlm"), device="cpu", **given)


def weights(vector: Vector) -> dict[int, float]:
    assert isinstance(vector, Sparse)
    return dict(zip(vector.indices, vector.values, strict=True))


def test_it_gives_what_the_model_gives(folder: Path, splade: Splade) -> None:
    encoder = made_of(folder)
    for role, encode in ((Role.DOCUMENT, encoder.encode_document), (Role.QUERY, encoder.encode_query)):
        expected = encode([TEXTS[0].content]).to_dense()[0]
        (vector,) = splade.encode(TEXTS[:1], role)
        assert weights(vector) == pytest.approx(
            {index: float(value) for index, value in enumerate(expected) if value > 0}, abs=1e-5
        )


def test_a_batch_is_as_its_texts_one_by_one(splade: Splade) -> None:
    together = splade.encode(TEXTS, Role.DOCUMENT)
    for text, vector in zip(TEXTS, together, strict=True):
        alone, among = weights(splade.encode([text], Role.DOCUMENT)[0]), weights(vector)
        for index in alone.keys() | among.keys():
            assert alone.get(index, 0.0) == pytest.approx(among.get(index, 0.0), abs=1e-4)
    assert splade.encode([], Role.QUERY) == []


def test_nothing_of_a_long_text_is_left_out(splade: Splade) -> None:
    """40 tokens, where it reads 30 at once: it is read in halves."""
    assert splade.spec.tokens == 30
    halves = [Text("red bird drum river " * 5), Text("x y z the " * 5)]
    whole = Text("".join(half.content for half in halves))
    first, second = (weights(vector) for vector in splade.encode(halves, Role.DOCUMENT))
    expected = {i: max(first.get(i, 0.0), second.get(i, 0.0)) for i in first.keys() | second.keys()}
    assert weights(splade.encode([whole], Role.DOCUMENT)[0]) == pytest.approx(expected, abs=1e-4)
    assert expected != pytest.approx(first, abs=1e-2)


def test_a_text_without_spaces_is_cut_too(splade: Splade) -> None:
    assert len(splade.token_spans("a,b." * 30)) == 120
    assert splade.encode([Text("a,b." * 30)], Role.DOCUMENT)


def test_tokens_are_told_where_they_lie(splade: Splade) -> None:
    assert splade.token_spans("red birds") == [(0, 3), (4, 8), (8, 9)]


def test_the_identity_is_that_of_what_makes_the_vectors(folder: Path, splade: Splade, tmp_path: Path) -> None:
    encoder = made_of(folder)
    identity = splade.spec.identity
    assert Splade(encoder).spec.identity == identity
    encoder.encode(["red"])  # it notes its dimension then
    assert Splade(encoder).spec.identity == identity
    encoder.save_pretrained(str(tmp_path / "saved"), create_model_card=False)
    assert Splade(str(tmp_path / "saved")).spec.identity == identity
    assert Splade(made_of(folder, prompts={"query": "the river "})).spec.identity != identity
    assert Splade(made_of(folder, max_active_dims=4)).spec.identity != identity
    next(iter(encoder.parameters())).data[0, 0] += 1
    assert Splade(encoder).spec.identity != identity
    assert not splade.spec.idf


def test_a_prompt_takes_its_room(folder: Path) -> None:
    prompted = Splade(made_of(folder, prompts={"query": "the river "}))
    assert prompted.spec.tokens == 28
    asked, told = (weights(prompted.encode(TEXTS[:1], role)[0]) for role in (Role.QUERY, Role.DOCUMENT))
    assert asked != told


def test_queries_without_inference(folder: Path) -> None:
    """A model whose queries are but their words, as some sparse encoders have it."""
    modules: Any = importlib.import_module("sentence_transformers.sparse_encoder.modules")
    shared: Any = importlib.import_module("sentence_transformers.base.modules")
    library: Any = importlib.import_module("sentence_transformers")
    reading = list(made_of(folder).children())
    asking = modules.SparseStaticEmbedding(tokenizer=reading[0].tokenizer)
    router = shared.Router.for_query_document(query_modules=[asking], document_modules=reading)
    splade = Splade(library.SparseEncoder(modules=[router], device="cpu"))
    (vector,) = splade.encode(TEXTS[:1], Role.QUERY)
    asked = {VOCABULARY[index] for index in weights(vector)}
    assert {"red", "bird"} <= asked <= {"red", "bird", "[CLS]", "[SEP]"}
    assert len(weights(splade.encode(TEXTS[:1], Role.DOCUMENT)[0])) > 4


def test_a_checkpoint_without_all_its_weights_is_refused(folder: Path) -> None:
    with pytest.raises(WeightsError, match=r"plain: some are missing, and would be random"):
        Splade(folder / "plain")


def test_a_store_scores_by_the_weights_alone(splade: Splade) -> None:
    store = LocalClient(None)
    store.create_collection("texts", sparse_vectors_config={"words": m.SparseVectorParams()})
    documents = splade.encode(TEXTS, Role.DOCUMENT)
    store.upsert("texts", [m.PointStruct(id=i, vector={"words": to_qdrant(one)}) for i, one in enumerate(documents)])
    (query,) = splade.encode([Text("drum")], Role.QUERY)
    hits = store.query_points("texts", to_qdrant(query), using="words").points
    asked = weights(query)
    expected = [
        sum(asked[index] * value for index, value in weights(one).items() if index in asked) for one in documents
    ]
    assert {hit.id: hit.score for hit in hits} == pytest.approx(dict(enumerate(expected)), rel=1e-4)
    store.close()


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtra, match=r"octant-search\[sentence-transformers\]"):
        Splade("naver/splade-v3")


def test_it_is_a_family(folder: Path, splade: Splade) -> None:
    (encoder,) = FAMILY.load(str(folder / "mlm"), SpladeOptions(device="cpu"))
    assert encoder.spec == splade.spec
    with pytest.raises(EncoderError, match="is no folder"):
        FAMILY.load(str(folder / "nowhere"), SpladeOptions())
