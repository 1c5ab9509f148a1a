"""BGE-M3: the three kinds of vectors as the paper's formulas give them, on a tiny XLM-RoBERTa."""

from __future__ import annotations

import importlib
import pickle
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_clap import tiny_clap
from tiny_text import LONG, RAGGED, SHAPE, Listener, altered, bert, digest, encoded, seeded, texts, tokenizer, unit

from octant.backends.bge_m3 import FAMILY, BgeM3, BgeM3Options
from octant.encoding import Role
from octant.errors import EncoderError, MissingExtra, WeightsError
from octant.vectors import Array, Kind, Sparse

pytest.importorskip("transformers", reason="transformers is not installed")

SILENT = (0, 1, 2, 3)
"""Padding, unknown, first and last token."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bge") / "m3"
    transformers: Any = importlib.import_module("transformers")
    torch = seeded()
    shape = SHAPE | {"max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    transformers.XLMRobertaModel(transformers.XLMRobertaConfig(**shape)).save_pretrained(made)
    tokenizer().save_pretrained(made)
    torch.save(torch.nn.Linear(32, 1).state_dict(), made / "sparse_linear.pt")
    torch.save(torch.nn.Linear(32, 8).state_dict(), made / "colbert_linear.pt")
    return made


def loaded(folder: Path, **given: Any) -> BgeM3:
    (encoder,) = FAMILY.load(str(folder), BgeM3Options(device="cpu", **given))
    assert isinstance(encoder, BgeM3)
    return encoder


def states(folder: Path, text: str) -> tuple[list[int], Array]:
    """Of one text alone, by transformers: its token ids and last hidden states."""
    transformers: Any = importlib.import_module("transformers")
    torch: Any = importlib.import_module("torch")
    given = transformers.AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    with torch.inference_mode():
        hidden = transformers.AutoModel.from_pretrained(folder).eval()(
            input_ids=given["input_ids"], attention_mask=given["attention_mask"]
        )
    return given["input_ids"][0].tolist(), hidden.last_hidden_state[0].numpy()


def head(folder: Path, stem: str) -> tuple[Array, Array]:
    torch: Any = importlib.import_module("torch")
    state = torch.load(folder / f"{stem}.pt", weights_only=True)
    return state["weight"].numpy(), state["bias"].numpy()


def weights(vector: Any) -> dict[int, float]:
    assert isinstance(vector, Sparse)
    return dict(zip(vector.indices, vector.values, strict=True))


def tokens(encoder: BgeM3, contents: Sequence[str]) -> list[Array]:
    rows = encoder.encode(texts(*contents), Role.DOCUMENT)
    return [row for row in rows if not isinstance(row, Sparse)]


def test_dense_vectors_are_those_of_the_first_token(folder: Path) -> None:
    encoder = loaded(folder)
    assert (encoder.spec.kind, encoder.spec.dim, encoder.spec.tokens) == (Kind.DENSE, 32, 30)
    expected = unit([states(folder, text)[1][0] for text in RAGGED])
    np.testing.assert_allclose(encoded(encoder, RAGGED), expected, atol=1e-5)
    np.testing.assert_array_equal(encoded(encoder, RAGGED, Role.QUERY), encoded(encoder, RAGGED))


def test_sparse_vectors_are_the_greatest_weights_of_words(folder: Path) -> None:
    encoder = loaded(folder, output="sparse")
    assert (encoder.spec.kind, encoder.spec.dim, encoder.spec.idf) == (Kind.SPARSE, None, False)
    w, b = head(folder, "sparse_linear")
    for text, vector in zip(RAGGED, encoder.encode(texts(*RAGGED), Role.DOCUMENT), strict=True):
        ids, hidden = states(folder, text)
        expected: dict[int, float] = {}
        for index, weight in zip(ids, np.maximum(hidden @ w[0] + b[0], 0).tolist(), strict=True):
            if index not in SILENT and weight > 0:
                expected[index] = max(weight, expected.get(index, 0.0))
        assert weights(vector) == pytest.approx(expected, abs=1e-5)
    assert any(weights(one) for one in encoder.encode(texts(*RAGGED), Role.QUERY))


def test_multi_vectors_are_those_of_all_tokens_but_the_first(folder: Path) -> None:
    encoder = loaded(folder, output="multi")
    assert (encoder.spec.kind, encoder.spec.dim) == (Kind.MULTI, 8)
    w, b = head(folder, "colbert_linear")
    for text, vectors in zip(RAGGED, tokens(encoder, RAGGED), strict=True):
        np.testing.assert_allclose(vectors, unit(states(folder, text)[1][1:] @ w.T + b), atol=1e-5)


def test_nothing_of_a_long_text_is_cut_off(folder: Path) -> None:
    dense, sparse, multi = (loaded(folder, output=one) for one in ("dense", "sparse", "multi"))
    inside: Any = dense
    windows = [window for window, _ in inside._reading.windows([LONG])[0]]
    assert "".join(windows) == LONG
    counts = np.array([len(dense.token_spans(window)) for window in windows])
    assert counts.max() <= 30
    expected = unit((encoded(dense, windows) * counts[:, None]).sum(0))
    np.testing.assert_allclose(encoded(dense, [LONG])[0], expected, atol=1e-5)
    greatest: dict[int, float] = {}
    for one in sparse.encode(texts(*windows), Role.DOCUMENT):
        greatest |= {index: max(value, greatest.get(index, 0.0)) for index, value in weights(one).items()}
    assert weights(sparse.encode(texts(LONG), Role.DOCUMENT)[0]) == pytest.approx(greatest, abs=1e-5)
    np.testing.assert_allclose(tokens(multi, [LONG])[0], np.concatenate(tokens(multi, windows)), atol=1e-5)


def test_batches_of_any_size_and_order_give_the_same(folder: Path) -> None:
    for output in ("dense", "multi"):
        encoder = loaded(folder, output=output)
        many = [*RAGGED, *RAGGED[::-1]] * 3
        for text, vector in zip(many, tokens(encoder, many), strict=True):
            np.testing.assert_allclose(vector, tokens(encoder, [text])[0], atol=1e-5)
        assert encoder.encode([], Role.QUERY) == []


def test_weights_must_be_whole(folder: Path, tmp_path: Path) -> None:
    torch: Any = importlib.import_module("torch")
    key = "encoder.layer.1.output.dense.weight"
    lacking = altered(folder, tmp_path / "lacking", lambda tensors: tensors.pop(key))
    with pytest.raises(WeightsError, match=rf"lacks 1 .*{key}"):
        loaded(lacking)
    extra = altered(folder, tmp_path / "extra", lambda t: t.update({"encoder.layer.2.x": t[key].clone()}))
    with pytest.raises(WeightsError, match=r"unknown to it, 1 .*encoder\.layer\.2\.x"):
        loaded(extra)
    headless = altered(folder, tmp_path / "headless", lambda tensors: None)
    (headless / "sparse_linear.pt").unlink()
    with pytest.raises(WeightsError, match=r"have no sparse_linear\.pt"):
        loaded(headless, output="sparse")
    assert loaded(headless).spec.dim == 32
    for state, told in (
        ({"weight": torch.zeros(8, 32)}, r"lacks 1 .*bias"),
        ({"weight": torch.zeros(8, 31), "bias": torch.zeros(8)}, "another shape"),
    ):
        torch.save(state, headless / "colbert_linear.pt")
        with pytest.raises(WeightsError, match=told):
            loaded(headless, output="multi")


class Trap:
    """What runs when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.file,))


def test_a_head_that_is_more_than_tensors_is_not_read(folder: Path, tmp_path: Path) -> None:
    torch: Any = importlib.import_module("torch")
    shutil.copytree(folder, tmp_path / "trap")
    torch.save({"weight": Trap(tmp_path / "ran")}, tmp_path / "trap" / "sparse_linear.pt")
    with pytest.raises(WeightsError, match="holds more than tensors"):
        loaded(tmp_path / "trap", output="sparse")
    (tmp_path / "trap" / "sparse_linear.pt").write_bytes(pickle.dumps(Trap(tmp_path / "ran")))
    with pytest.raises(WeightsError, match="holds more than tensors"):
        loaded(tmp_path / "trap", output="sparse")
    assert not (tmp_path / "ran").exists()


def test_heads_may_be_safetensors(folder: Path, tmp_path: Path) -> None:
    torch: Any = importlib.import_module("torch")
    safetensors: Any = importlib.import_module("safetensors.torch")
    shutil.copytree(folder, tmp_path / "safe")
    state = torch.load(folder / "colbert_linear.pt", weights_only=True)
    safetensors.save_file(state, tmp_path / "safe" / "colbert_linear.safetensors")
    (tmp_path / "safe" / "colbert_linear.pt").unlink()
    first, second = loaded(folder, output="multi"), loaded(tmp_path / "safe", output="multi")
    assert digest(first) == digest(second)


def test_the_identity_is_that_of_what_makes_the_vectors(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "elsewhere")
    digests = {output: digest(loaded(folder, output=output)) for output in ("dense", "sparse", "multi")}
    assert len(set(digests.values())) == 3
    for output, expected in digests.items():
        assert digest(loaded(tmp_path / "elsewhere", output=output)) == expected
    assert loaded(folder).spec.identity.startswith("bge_m3:m3@")


def test_a_text_is_but_a_text(folder: Path, tmp_path: Path) -> None:
    listener = Listener()
    assert len(encoded(loaded(folder), [listener.url, str(folder)])) == 2
    listener.close()
    assert listener.asked == []


@pytest.mark.parametrize("output", ["dense", "sparse"])
def test_another_architecture_is_refused(tmp_path: Path, output: str) -> None:
    with pytest.raises(EncoderError, match="is a clap model, and BGE-M3 an xlm-roberta"):
        loaded(tiny_clap(tmp_path / "clap", fused=False), output=output)
    with pytest.raises(EncoderError, match="is a bert model, and BGE-M3 an xlm-roberta"):
        loaded(bert(tmp_path / "bert"), output=output)


def test_names_that_are_nothing_are_told(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="is no folder"):
        loaded(tmp_path / "nowhere")


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"octant-search\[transformers\]"):
        BgeM3()


@pytest.mark.hub
def test_a_real_one() -> None:
    assert BgeM3(options=BgeM3Options(output="multi")).spec.dim == 1024
