"""Text models of transformers: pooled as said, whatever the batch, and nothing at random or cut off."""

from __future__ import annotations

import importlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_text import (
    LONG,
    RAGGED,
    SHAPE,
    Listener,
    altered,
    bert,
    configured,
    digest,
    encoded,
    seeded,
    texts,
    tokenizer,
    unit,
)

from octant.backends.hf_text import FAMILY, HfText, HfTextOptions
from octant.encoding import Encoder, Role
from octant.errors import EncoderError, MissingExtra, WeightsError
from octant.vectors import Array

pytest.importorskip("transformers", reason="transformers is not installed")

POOLINGS = ("mean", "cls", "max", "last", "attention")


def loaded(folder: Path, **given: Any) -> Encoder[Any]:
    (encoder,) = FAMILY.load(str(folder), HfTextOptions(device="cpu", **given))
    return encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints: `bert`, `mlm`, `roberta`, `modern` and `qwen`."""
    transformers: Any = importlib.import_module("transformers")
    made = tmp_path_factory.mktemp("hf-text")
    bert(made / "bert")
    bert(made / "mlm", "BertForMaskedLM")
    seeded()
    shape = SHAPE | {"max_position_embeddings": 64}
    special = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    ends = {"cls_token_id": 2, "sep_token_id": 3}
    models = {
        "roberta": transformers.RobertaModel(transformers.RobertaConfig(**(shape | special))),
        "modern": transformers.ModernBertModel(
            transformers.ModernBertConfig(**(shape | special | ends), local_attention=8, global_attn_every_n_layers=2)
        ),
        "qwen": transformers.Qwen3ForCausalLM(
            transformers.Qwen3Config(**(shape | special), num_key_value_heads=1, head_dim=16)
        ),
    }
    for name, model in models.items():
        model.save_pretrained(made / name)
        tokenizer().save_pretrained(made / name)
    return made


def states(folder: Path, text: str) -> tuple[Array, Array]:
    """Of one text alone, by transformers: the last hidden states, and what the last layer's heads attend to."""
    transformers: Any = importlib.import_module("transformers")
    torch: Any = importlib.import_module("torch")
    given = {"dtype": torch.float32, "attn_implementation": "eager"}
    model = transformers.AutoModel.from_pretrained(folder, **given).eval()
    reader = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        output = model(**reader(text, return_tensors="pt"), output_attentions=True)
    return output.last_hidden_state[0].numpy(), output.attentions[-1][0].numpy()


def pooled(pooling: str, hidden: Array, attention: Array) -> Array:
    match pooling:
        case "mean":
            return hidden.mean(0)
        case "cls":
            return hidden[0]
        case "max":
            return hidden.max(0)
        case "last":
            return hidden[-1]
        case _:
            received = attention.mean(0).sum(0)
            return (hidden * (received / received.sum())[:, None]).sum(0)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("model", ["bert", "roberta", "modern", "qwen"])
def test_it_pools_as_told_whatever_the_batch(folder: Path, model: str, pooling: str) -> None:
    """Against numpy over the states of each text alone, in a batch of texts of other lengths."""
    encoder = loaded(folder / model, pooling=pooling)
    expected = unit([pooled(pooling, *states(folder / model, text)) for text in RAGGED])
    assert encoder.spec.dim == 32
    np.testing.assert_allclose(encoded(encoder, RAGGED), expected, atol=1e-5)


def test_it_is_what_the_librarys_own_batch_pools_to(folder: Path) -> None:
    transformers: Any = importlib.import_module("transformers")
    torch: Any = importlib.import_module("torch")
    model = transformers.AutoModel.from_pretrained(folder / "bert", dtype=torch.float32).eval()
    given = transformers.AutoTokenizer.from_pretrained(folder / "bert")(RAGGED, padding=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = model(**given).last_hidden_state
    mask = given["attention_mask"][:, :, None].float()
    expected = unit(((hidden * mask).sum(1) / mask.sum(1)).numpy())
    np.testing.assert_allclose(encoded(loaded(folder / "bert"), RAGGED), expected, atol=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_side_that_a_tokenizer_pads_does_not_matter(folder: Path, tmp_path: Path, pooling: str) -> None:
    left = altered(folder / "qwen", tmp_path / "left", lambda tensors: None)
    tokenizer(side="left").save_pretrained(left)
    expected = encoded(loaded(folder / "qwen", pooling=pooling), RAGGED)
    np.testing.assert_allclose(encoded(loaded(left, pooling=pooling), RAGGED), expected, atol=1e-6)


def test_batches_of_any_size_and_order_give_the_same(folder: Path) -> None:
    one, three = loaded(folder / "bert", batch=1), loaded(folder / "bert", batch=3)
    many = RAGGED * 5
    np.testing.assert_allclose(encoded(one, many), encoded(three, many), atol=1e-5)
    np.testing.assert_allclose(encoded(three, many), encoded(three, many[::-1])[::-1], atol=1e-5)
    assert one.encode([], Role.QUERY) == []


def test_several_threads_may_ask_at_once(folder: Path) -> None:
    encoder = loaded(folder / "bert")
    expected = encoded(encoder, RAGGED)
    with ThreadPoolExecutor(4) as pool:
        for rows in pool.map(encoded, [encoder] * 16, [RAGGED] * 16):
            np.testing.assert_allclose(rows, expected, atol=1e-5)


def test_prompts_are_put_before(folder: Path) -> None:
    encoder = loaded(folder / "bert", query="query: ", document="passage: ")
    plain = loaded(folder / "bert")
    for role, prompt in ((Role.QUERY, "query: "), (Role.DOCUMENT, "passage: ")):
        expected = encoded(plain, [prompt + text for text in RAGGED])
        np.testing.assert_allclose(encoded(encoder, RAGGED, role), expected, atol=1e-5)
    assert plain.spec.tokens == 30
    assert encoder.spec.tokens == 28
    assert digest(encoder) != digest(plain)


def test_nothing_of_a_long_text_is_cut_off(folder: Path) -> None:
    """160 tokens, where it reads 30 at once: eight windows of 20, and their mean."""
    encoder = loaded(folder / "bert")
    halves = [LONG[:80], LONG[80:160], LONG[160:240], LONG[240:320], LONG[320:400]]
    assert "".join(halves[:5]) == LONG[:400]
    hf: Any = encoder
    windows = [window for window, _ in hf._read[Role.DOCUMENT].windows([LONG])[0]]
    assert "".join(windows) == LONG
    counts = [len(hf.token_spans(window)) for window in windows]
    assert max(counts) <= 30
    expected = unit((encoded(encoder, windows) * np.array(counts)[:, None]).sum(0))
    np.testing.assert_allclose(encoded(encoder, [LONG])[0], expected, atol=1e-5)
    assert not np.allclose(expected, encoded(encoder, [windows[0]])[0], atol=1e-2)


def test_positions_that_begin_behind_the_padding_are_counted(folder: Path) -> None:
    """Of the 64 positions of a RoBERTa whose padding is 0, one is the padding's."""
    roberta: Any = importlib.import_module("transformers").AutoModel.from_pretrained(folder / "roberta")
    from octant.backends.checkpoints import longest_of

    assert longest_of(roberta, None) == 63
    assert loaded(folder / "roberta").encode(texts("x " * 500), Role.QUERY)


def test_tokens_are_told_where_they_lie(folder: Path) -> None:
    spans: Any = loaded(folder / "bert")
    assert spans.token_spans("red birds") == [(0, 3), (4, 8), (8, 9)]


def test_heads_that_are_not_asked_for_may_be_there(folder: Path) -> None:
    """A masked language model has no pooler, and a head; neither is used, and nothing of it is random."""
    first, second = loaded(folder / "mlm"), loaded(folder / "mlm")
    assert digest(first) == digest(second)
    np.testing.assert_array_equal(encoded(first, RAGGED), encoded(second, RAGGED))


def test_weights_must_be_whole(folder: Path, tmp_path: Path) -> None:
    key = "encoder.layer.1.output.dense.weight"
    lacking = altered(folder / "bert", tmp_path / "lacking", lambda tensors: tensors.pop(key))
    with pytest.raises(WeightsError, match=rf"lacks 1 of the model's weights \({key}\)"):
        loaded(lacking)
    extra = altered(
        folder / "bert", tmp_path / "extra", lambda tensors: tensors.update({"encoder.layer.2.x": tensors[key].clone()})
    )
    with pytest.raises(WeightsError, match=r"has, unknown to it, 1 .*encoder\.layer\.2\.x"):
        loaded(extra)
    cut = altered(folder / "bert", tmp_path / "cut", lambda tensors: tensors.update({key: tensors[key][:3].clone()}))
    with pytest.raises(WeightsError):
        loaded(cut)


def test_the_identity_is_that_of_what_makes_the_vectors(folder: Path, tmp_path: Path) -> None:
    encoder = loaded(folder / "bert")
    elsewhere = altered(folder / "bert", tmp_path / "elsewhere", lambda tensors: None)
    assert encoder.spec.identity.startswith("hf_text:bert@")
    assert str(folder) not in encoder.spec.identity
    assert digest(loaded(elsewhere)) == digest(encoder)
    np.testing.assert_array_equal(encoded(loaded(elsewhere), RAGGED), encoded(encoder, RAGGED))
    other = altered(
        folder / "bert", tmp_path / "other", lambda tensors: tensors["embeddings.word_embeddings.weight"].add_(1)
    )
    others = [loaded(other), loaded(folder / "bert", pooling="cls"), loaded(folder / "bert", dtype="bfloat16")]
    assert len({digest(one) for one in (encoder, *others)}) == 4


def test_a_checkpoint_in_half_precision_is_computed_in_full(folder: Path, tmp_path: Path) -> None:
    transformers: Any = importlib.import_module("transformers")
    torch: Any = importlib.import_module("torch")
    transformers.AutoModel.from_pretrained(folder / "bert").to(torch.bfloat16).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    assert transformers.AutoModel.from_pretrained(tmp_path).dtype == torch.bfloat16
    hf: Any = loaded(tmp_path)
    assert hf._model.dtype == torch.float32


def test_code_that_comes_with_a_model_is_not_run(folder: Path, tmp_path: Path) -> None:
    strange = configured(
        folder / "bert",
        tmp_path / "strange",
        model_type="stella",
        auto_map={"AutoConfig": "code.Config", "AutoModel": "code.Model"},
    )
    (strange / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').write('x')\n", encoding="utf-8")
    with pytest.raises(EncoderError, match=r"octant never runs such code; .* serve this one"):
        loaded(strange)
    assert not (tmp_path / "ran").exists()


def test_what_is_no_text_encoder_is_refused(tmp_path: Path) -> None:
    transformers: Any = importlib.import_module("transformers")
    t5 = transformers.T5Config(vocab_size=64, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    t5.save_pretrained(tmp_path / "t5")
    with pytest.raises(EncoderError, match="has a decoder"):
        loaded(tmp_path / "t5")
    transformers.CLIPConfig().save_pretrained(tmp_path / "clip")
    with pytest.raises(EncoderError, match="reads more than texts"):
        loaded(tmp_path / "clip")


def test_names_that_are_nothing_are_told(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="is no folder"):
        loaded(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EncoderError, match="cannot be loaded"):
        loaded(tmp_path / "empty")
    with pytest.raises(EncoderError, match="cannot run on device 'abacus'"):
        HfText(bert(tmp_path / "bert"), HfTextOptions(device="abacus"))
    with pytest.raises(EncoderError, match="on device 'meta', which computes nothing"):
        HfText(tmp_path / "bert", HfTextOptions(device="meta"))


def test_a_prompt_must_leave_room(folder: Path) -> None:
    with pytest.raises(EncoderError, match="no text has room"):
        loaded(folder / "bert", query="the river " * 20)


def test_a_text_is_but_a_text(folder: Path, tmp_path: Path) -> None:
    listener = Listener()
    file = tmp_path / "x.txt"
    file.write_text("red", encoding="utf-8")
    vectors = encoded(loaded(folder / "bert"), [str(file), listener.url, "red"])
    listener.close()
    assert listener.asked == []
    assert abs(float(vectors[0] @ vectors[2])) < 0.999


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"octant-search\[transformers\]"):
        HfText("BAAI/bge-small-en-v1.5")


def test_options_are_told_apart() -> None:
    with pytest.raises(ValueError, match="pooling"):
        HfTextOptions.model_validate({"pooling": "median"})
    assert json.loads(HfTextOptions(pooling="cls").model_dump_json())["pooling"] == "cls"


@pytest.mark.hub
def test_a_real_one() -> None:
    (encoder,) = FAMILY.load("BAAI/bge-small-en-v1.5", HfTextOptions(pooling="cls"))
    assert encoder.spec.dim == 384
