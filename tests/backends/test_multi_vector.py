"""Late interaction: a vector for each token, as the library gives them, and none at random or left out."""

from __future__ import annotations

import importlib
import json
import shutil
import string
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_client.http import models as m
from tiny_omni import clip
from tiny_text import LONG, RAGGED, Listener, altered, bert, digest, seeded, texts, tokenizer

from octant.backends.multi_vector import FAMILY, MultiVectorOptions, MultiVectorTexts
from octant.encoding import Role
from octant.errors import EncoderError, MissingExtra, WeightsError
from octant.schema import to_qdrant
from octant.stores.local import LocalClient
from octant.vectors import Array, Kind, Sparse

pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")

EXPANDED = {"strategy": "fixed", "attend": False, "token": "[MASK]", "length": 16}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models as the library saves them: `plain`, and `colbert` that fills up queries; `stanford` as ColBERT did."""
    made = tmp_path_factory.mktemp("multi")
    library: Any = importlib.import_module("sentence_transformers")
    shared: Any = importlib.import_module("sentence_transformers.base.modules")
    own: Any = importlib.import_module("sentence_transformers.multi_vector_encoder.modules")
    raw = bert(made / "raw")
    for name, given in (("plain", {}), ("colbert", {"query_expansion": EXPANDED, "document_length": 28})):
        torch = seeded()
        names = {"module_input_name": "token_embeddings"}
        modules = [
            shared.Transformer(str(raw), max_seq_length=32, **given),
            shared.Dense(32, 12, bias=False, activation_function=torch.nn.Identity(), **names),
            own.MultiVectorMask(skiplist_words=list(string.punctuation) if name == "colbert" else None),
            shared.Normalize(**names),
        ]
        model = library.MultiVectorEncoder(
            modules=modules, device="cpu", prompts={"query": "query: ", "document": "passage: "}
        )
        model.save_pretrained(str(made / name), create_model_card=False)
    stanford(raw, made / "stanford")
    return made


def stanford(raw: Path, folder: Path) -> None:
    """A checkpoint as the authors of ColBERT save it: the projection lies beside the model's weights."""

    def beside(tensors: dict[str, Any]) -> None:
        weights = {f"bert.{key}": value for key, value in tensors.items()}
        tensors.clear()
        tensors.update(weights)
        tensors["linear.weight"] = 0.3 * seeded().randn(12, 32)

    altered(raw, folder, beside)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["HF_ColBERT"]}), encoding="utf-8")
    told = {"query_token_id": "[SEP]", "doc_token_id": "[UNK]", "query_maxlen": 16, "doc_maxlen": 28, "dim": 12}
    told |= {"mask_punctuation": True, "attend_to_mask_tokens": False}
    # the marks of a query and of a document are [unused0] and [unused1] there, which this vocabulary has not
    (folder / "artifact.metadata").write_text(json.dumps(told), encoding="utf-8")
    tokenizer(longest=32).save_pretrained(folder)


def loaded(folder: Path, **given: Any) -> MultiVectorTexts:
    (encoder,) = FAMILY.load(str(folder), MultiVectorOptions(device="cpu", **given))
    assert isinstance(encoder, MultiVectorTexts)
    return encoder


def reference(folder: Path) -> Any:
    library: Any = importlib.import_module("sentence_transformers")
    return library.MultiVectorEncoder(str(folder), device="cpu")


def rows(encoder: MultiVectorTexts, contents: list[str], role: Role = Role.DOCUMENT) -> list[Array]:
    vectors = encoder.encode(texts(*contents), role)
    return [vector for vector in vectors if not isinstance(vector, Sparse)]


SHORT = [text for text in RAGGED if len(text) < 40]


@pytest.mark.parametrize("model", ["plain", "colbert", "stanford"])
def test_tokens_are_what_the_library_makes_of_them(folder: Path, model: str) -> None:
    encoder, expected = loaded(folder / model), reference(folder / model)
    assert (encoder.spec.dim, encoder.spec.kind) == (12, Kind.MULTI)
    for role, encode in ((Role.QUERY, expected.encode_query), (Role.DOCUMENT, expected.encode_document)):
        for one, other in zip(rows(encoder, SHORT, role), encode(SHORT, convert_to_numpy=True), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)
            np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("model", ["plain", "colbert"])
def test_a_batch_is_as_its_texts_one_by_one(folder: Path, model: str, role: Role) -> None:
    encoder = loaded(folder / model)
    many = [*RAGGED, *RAGGED[::-1]] * 3
    for text, vectors in zip(many, rows(encoder, many, role), strict=True):
        np.testing.assert_allclose(vectors, rows(encoder, [text], role)[0], atol=1e-5)
    assert encoder.encode([], role) == []


def test_queries_are_filled_up_and_punctuation_is_left_out(folder: Path) -> None:
    encoder = loaded(folder / "colbert")
    assert len(rows(encoder, ["red"], Role.QUERY)[0]) == 16
    (without,) = rows(encoder, ["red bird"])
    (with_points,) = rows(encoder, ["red . , bird"])
    assert len(without) == len(with_points)


def test_nothing_of_a_long_text_is_cut_off(folder: Path) -> None:
    """Documents of at most 28 tokens and queries of at most 16, the prompt's and special ones among them."""
    encoder = loaded(folder / "colbert")
    inside: Any = encoder
    assert encoder.spec.tokens == 16 - 4
    for role, room in ((Role.QUERY, 12), (Role.DOCUMENT, 24)):
        windows = [window for window, _ in inside._readings[role].windows([LONG])[0]]
        assert "".join(windows) == LONG
        assert max(len(encoder.token_spans(window)) for window in windows) <= room
        (vectors,) = rows(encoder, [LONG], role)
        np.testing.assert_allclose(vectors, np.concatenate(rows(encoder, windows, role)), atol=1e-5)
        assert len(vectors) > 160


def test_a_query_of_just_its_length_is_read_whole(folder: Path) -> None:
    encoder = loaded(folder / "colbert")
    one, two = rows(encoder, ["x " * 12, "x " * 11 + "y"], Role.QUERY)
    assert len(one) == len(two) == 16
    assert np.abs(one - two).max() > 1e-4


def test_a_store_scores_by_the_best_matches(folder: Path) -> None:
    encoder, expected = loaded(folder / "colbert"), reference(folder / "colbert")
    store = LocalClient(None)
    params = m.VectorParams(
        size=12,
        distance=m.Distance.COSINE,
        multivector_config=m.MultiVectorConfig(comparator=m.MultiVectorComparator.MAX_SIM),
    )
    store.create_collection("texts", vectors_config={"tokens": params})
    vectors = encoder.encode(texts(*SHORT), Role.DOCUMENT)
    store.upsert("texts", [m.PointStruct(id=i, vector={"tokens": to_qdrant(one)}) for i, one in enumerate(vectors)])
    (query,) = encoder.encode(texts("red drum"), Role.QUERY)
    hits = store.query_points("texts", to_qdrant(query), using="tokens").points
    table = expected.similarity(expected.encode_query(["red drum"]), expected.encode_document(SHORT))
    scores: list[float] = table[0].tolist()
    assert {hit.id: hit.score for hit in hits} == pytest.approx(dict(enumerate(scores)), abs=1e-3)
    store.close()


def test_a_plain_bert_is_refused(folder: Path) -> None:
    with pytest.raises(WeightsError, match="have no projection of tokens, and it would be random"):
        loaded(folder / "raw")


def test_what_reads_more_than_texts_is_left_to_others(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"reads .*image.* hf_pages:"):
        loaded(clip(tmp_path / "clip"))


@pytest.mark.parametrize("model", ["plain", "stanford"])
def test_weights_must_be_whole(folder: Path, tmp_path: Path, model: str) -> None:
    prefix = "bert." if model == "stanford" else ""
    key = f"{prefix}encoder.layer.1.output.dense.weight"
    lacking = altered(folder / model, tmp_path / "lacking", lambda tensors: tensors.pop(key))
    with pytest.raises(WeightsError, match=r"lacks 1 .*encoder\.layer\.1\.output\.dense\.weight"):
        loaded(lacking)
    third = f"{prefix}encoder.layer.2.x"
    extra = altered(folder / model, tmp_path / "extra", lambda tensors: tensors.update({third: tensors[key].clone()}))
    with pytest.raises(WeightsError, match=r"has, unknown to it, 1 .*encoder\.layer\.2\.x"):
        loaded(extra)


def test_a_projection_that_would_be_read_otherwise_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "plain", tmp_path / "other")
    file = tmp_path / "other" / "1_Dense" / "config.json"
    said = json.loads(file.read_text(encoding="utf-8")) | {"activation_function": "transformers.activations.SiLU"}
    file.write_text(json.dumps(said), encoding="utf-8")
    with pytest.raises(EncoderError, match=r"1_Dense works with .*SiLU.* would take Tanh"):
        loaded(tmp_path / "other")


def test_a_projection_must_be_whole(folder: Path, tmp_path: Path) -> None:
    dense = altered(folder / "plain", tmp_path / "dense", lambda tensors: tensors.pop("linear.weight"), "1_Dense")
    with pytest.raises(WeightsError, match=r"linear\.weight"):
        loaded(dense)


@pytest.mark.parametrize("model", ["plain", "colbert", "stanford"])
def test_the_identity_is_that_of_what_makes_the_vectors(folder: Path, tmp_path: Path, model: str) -> None:
    encoder = loaded(folder / model)
    shutil.copytree(folder / model, tmp_path / "elsewhere")
    assert digest(loaded(tmp_path / "elsewhere")) == digest(encoder)
    assert encoder.spec.identity.startswith(f"multi_vector:{model}@")
    assert digest(loaded(folder / model, query="the ")) != digest(encoder)


def test_a_text_is_but_a_text(folder: Path, tmp_path: Path) -> None:
    listener = Listener()
    file = tmp_path / "x.txt"
    file.write_text("red", encoding="utf-8")
    assert len(rows(loaded(folder / "plain"), [listener.url, str(file)])) == 2
    listener.close()
    assert listener.asked == []


def test_a_folder_here_goes_before_a_model_of_the_hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert loaded(Path("plain")).spec == loaded(folder / "plain").spec


def test_names_that_are_nothing_are_told(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="is no folder"):
        loaded(tmp_path / "nowhere")


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtra, match=r"octant-search\[sentence-transformers\]"):
        MultiVectorTexts("colbert-ir/colbertv2.0")


@pytest.mark.hub
def test_a_real_one() -> None:
    (encoder,) = FAMILY.load("colbert-ir/colbertv2.0", MultiVectorOptions())
    assert encoder.spec.dim == 128
