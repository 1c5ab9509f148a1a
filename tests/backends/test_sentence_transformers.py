"""Models of sentence-transformers: as the library encodes, but whole, uncut, and with no text taken for an address."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_client.http.models import Distance
from tiny_omni import clip, omni, picture, siglip, sound
from tiny_text import LONG, RAGGED, Listener, altered, bert, digest, encoded, seeded, texts, tokenizer, unit

from octant.backends.sentence_transformers import FAMILY, SentenceOptions, home_of, sentence_transformers
from octant.encoding import Encoder, Role
from octant.errors import EncoderError, MediaError, MissingExtra, WeightsError
from octant.media import Audio, Image, Modality
from octant.space import Space
from octant.vectors import Array, stack

pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")


def library() -> Any:
    return importlib.import_module("sentence_transformers")


def loaded(folder: Path, **given: Any) -> dict[Modality, Encoder[Any]]:
    return {one.spec.modality: one for one in FAMILY.load(str(folder), SentenceOptions(device="cpu", **given))}


def reading(folder: Path, **given: Any) -> Encoder[Any]:
    return loaded(folder, **given)[Modality.TEXT]


def reference(folder: Path, **given: Any) -> Any:
    return library().SentenceTransformer(str(folder), device="cpu", **given)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the libraries save them: `dense`, `static`, `router`, `omni/omni`, `clip`, `siglip`; `raw` is a BERT."""
    made = tmp_path_factory.mktemp("sentence")
    shared: Any = importlib.import_module("sentence_transformers.base.modules")
    own: Any = importlib.import_module("sentence_transformers.sentence_transformer.modules")
    raw = bert(made / "raw")
    seeded()
    backbone = shared.Transformer(str(raw), max_seq_length=32)
    parts = [backbone, own.Pooling(32, pooling_mode="mean"), shared.Dense(32, 16), shared.Normalize()]
    static = own.StaticEmbedding(tokenizer().backend_tokenizer, embedding_dim=16)
    asking = shared.Transformer(str(raw), max_seq_length=24)
    router = shared.Router.for_query_document(
        query_modules=[asking, own.Pooling(32, pooling_mode="cls")],
        document_modules=[shared.Transformer(str(raw), max_seq_length=32), own.Pooling(32, pooling_mode="mean")],
    )
    prompts = {"query": "query: ", "passage": "passage: "}
    for name, modules, given in (
        ("dense", parts, {"prompts": prompts}),
        ("static", [static], {}),
        ("router", [router], {}),
    ):
        model = library().SentenceTransformer(modules=modules, device="cpu", **given)
        model.save_pretrained(str(made / name), create_model_card=False)
    omni(made / "omni")
    clip(made / "clip")
    siglip(made / "siglip")
    return made


@pytest.mark.parametrize("model", ["dense", "static", "router", "omni/omni"])
def test_texts_are_what_the_library_makes_of_them(folder: Path, model: str) -> None:
    encoder, expected = reading(folder / model), reference(folder / model)
    some = [text for text in RAGGED if text]  # a static model has nothing to say of an empty one
    given = [{"text": text} for text in some] if model == "omni/omni" else some
    for role, encode in ((Role.QUERY, expected.encode_query), (Role.DOCUMENT, expected.encode_document)):
        np.testing.assert_allclose(encoded(encoder, some, role), unit(encode(given)), atol=1e-5)


def test_roles_have_prompts(folder: Path) -> None:
    encoder = reading(folder / "dense")
    asked, told = encoded(encoder, RAGGED, Role.QUERY), encoded(encoder, RAGGED, Role.DOCUMENT)
    assert np.abs(asked - told).max() > 1e-2
    other = reading(folder / "dense", query="the river ", document="")
    plain = reference(folder / "dense")
    np.testing.assert_allclose(encoded(other, RAGGED, Role.QUERY), plain.encode(RAGGED, prompt="the river "), atol=1e-5)
    np.testing.assert_allclose(encoded(other, RAGGED), plain.encode(RAGGED), atol=1e-5)
    assert encoder.spec.tokens == 28
    assert digest(encoder) != digest(other)


@pytest.mark.parametrize("model", ["dense", "router", "omni/omni", "clip", "siglip"])
def test_a_batch_is_as_its_texts_one_by_one(folder: Path, model: str) -> None:
    encoder = reading(folder / model)
    many = [*RAGGED, *RAGGED[::-1]] * 3
    alone = np.concatenate([encoded(encoder, [text]) for text in many])
    np.testing.assert_allclose(encoded(encoder, many), alone, atol=1e-5)
    assert encoder.encode([], Role.QUERY) == []


def test_dimensions_can_be_left_out(folder: Path) -> None:
    encoder = reading(folder / "dense", dim=8)
    assert encoder.spec.dim == 8
    expected = reference(folder / "dense").encode_document(RAGGED, truncate_dim=8, normalize_embeddings=True)
    np.testing.assert_allclose(encoded(encoder, RAGGED), expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(encoded(encoder, RAGGED), axis=1), 1, atol=1e-6)
    assert digest(encoder) != digest(reading(folder / "dense"))
    with pytest.raises(EncoderError, match="has 16 dimensions, of which 17 cannot be kept"):
        reading(folder / "dense", dim=17)


@pytest.mark.parametrize(("model", "windows"), [("dense", 8), ("omni/omni", None), ("clip", None)])
def test_nothing_of_a_long_text_is_cut_off(folder: Path, model: str, windows: int | None) -> None:
    long = LONG * 4 if model == "omni/omni" else LONG
    encoder: Any = reading(folder / model)
    cut = [window for window, _ in encoder._readings[Role.DOCUMENT].windows([long])[0]]
    assert "".join(cut) == long
    assert windows is None or len(cut) == windows
    counts = np.array([len(encoder.token_spans(window)) for window in cut])
    assert counts.max() <= encoder.spec.tokens
    expected = unit((encoded(encoder, cut) * counts[:, None]).sum(0))
    (vector,) = encoded(encoder, [long])
    np.testing.assert_allclose(vector, expected, atol=1e-4)
    given: list[Any] = [{"text": long}] if model == "omni/omni" else [long]
    assert np.abs(vector - unit(reference(folder / model).encode_document(given))[0]).max() > 1e-3


def test_a_window_that_has_room_is_read_to_its_last_token(folder: Path) -> None:
    """A text of exactly so many tokens, with the prompt and all that a template puts around it, is read uncut."""
    for model in ("dense", "omni/omni", "clip"):
        encoder = reading(folder / model)
        room = encoder.spec.tokens
        assert room is not None
        first, second = "x " * room, "x " * (room - 1) + "y "
        if model == "omni/omni":  # each character is a token
            first, second = "x" * room, "x" * (room - 1) + "y"
        one, two = encoded(encoder, [first, second])
        assert np.abs(one - two).max() > 1e-6


def test_of_a_router_the_shorter_route_decides_how_texts_are_cut(folder: Path) -> None:
    assert reading(folder / "router").spec.tokens == 22


def test_tokens_are_told_where_they_lie(folder: Path) -> None:
    spans: Any = reading(folder / "dense")
    assert spans.token_spans("red birds") == [(0, 3), (4, 8), (8, 9)]


def test_a_static_model_says_which_texts_it_does_not_know(folder: Path) -> None:
    encoder = reading(folder / "static")
    empty = texts("")[0]
    with pytest.raises(ExceptionGroup) as caught:
        encoder.encode([*texts("red bird"), empty], Role.DOCUMENT)
    (error,) = caught.value.exceptions
    assert isinstance(error, MediaError)
    assert error.media is empty
    assert encoder.spec.tokens is None
    expected = unit(reference(folder / "static").encode_document([LONG * 30]))
    np.testing.assert_allclose(encoded(encoder, [LONG * 30]), expected, atol=1e-5)


def vectors_of(encoder: Encoder[Any], media: list[Any], role: Role = Role.DOCUMENT) -> Array:
    return stack(encoder.encode(media, role))


@pytest.mark.parametrize("model", ["clip", "siglip", "omni/omni"])
def test_images_are_what_the_library_makes_of_them(folder: Path, model: str) -> None:
    encoder, expected = loaded(folder / model)[Modality.IMAGE], reference(folder / model)
    pictures = [picture(0), picture(1, (40, 90)), picture(2, (50, 50)), picture(3, (128, 40))]
    media = [Image(one) for one in pictures]
    together = vectors_of(encoder, media)
    rows = unit(expected.encode_document([{"image": one} for one in pictures]))
    np.testing.assert_allclose(together, rows, atol=1e-5)
    np.testing.assert_allclose(together, np.concatenate([vectors_of(encoder, [one]) for one in media]), atol=1e-5)


@pytest.mark.parametrize(("model", "is_filled"), [("dense", False), ("clip", False), ("siglip", True)])
def test_texts_that_are_padded_to_one_length_count_as_alike(
    folder: Path, told: list[list[int]], model: str, is_filled: bool
) -> None:
    reading(folder / model).encode(texts("cat", "the cat sat on the mat"), Role.DOCUMENT)
    assert (len(set(told[-1])) == 1) is is_filled


@pytest.mark.parametrize("model", ["clip", "siglip"])
def test_both_towers_are_those_of_transformers(folder: Path, model: str) -> None:
    """By transformers' own calls. The texts of SigLIP are padded to their full length, as it was trained."""
    transformers: Any = importlib.import_module("transformers")
    torch: Any = importlib.import_module("torch")
    network = transformers.AutoModel.from_pretrained(folder / model).eval()
    reader = transformers.AutoTokenizer.from_pretrained(folder / model)
    prepare = transformers.AutoImageProcessor.from_pretrained(folder / model)
    padding = "max_length" if model == "siglip" else True
    pictures = [picture(0), picture(1, (40, 90))]
    with torch.inference_mode():
        written = network.get_text_features(
            **reader(RAGGED, padding=padding, max_length=20, truncation=True, return_tensors="pt")
        )
        shown = network.get_image_features(**prepare(images=pictures, return_tensors="pt"))
    made = loaded(folder / model)
    short = [at for at, text in enumerate(RAGGED) if len(reader(text)["input_ids"]) <= 20]
    assert len(short) >= 5
    expected = unit(written.pooler_output.numpy())
    np.testing.assert_allclose(encoded(made[Modality.TEXT], RAGGED)[short], expected[short], atol=1e-5)
    rows = vectors_of(made[Modality.IMAGE], [Image(one) for one in pictures])
    np.testing.assert_allclose(rows, unit(shown.pooler_output.numpy()), atol=1e-5)
    assert made[Modality.IMAGE].spec.pixels == 64


def test_any_to_any(folder: Path) -> None:
    made = loaded(folder / "omni/omni")
    assert set(made) == set(Modality)
    assert {one.spec.dim for one in made.values()} == {24}
    assert len({digest(one) for one in made.values()}) == 1
    assert (made[Modality.AUDIO].spec.rate, made[Modality.AUDIO].spec.seconds) == (16_000, 30)


def test_sounds_are_what_the_library_makes_of_them(folder: Path) -> None:
    encoder, expected = loaded(folder / "omni/omni")[Modality.AUDIO], reference(folder / "omni/omni")
    sounds = [sound(seed, seconds) for seed, seconds in enumerate((1.0, 0.3, 2.5))]
    given = [{"audio": {"array": one, "sampling_rate": 16_000}} for one in sounds]
    together = vectors_of(encoder, [Audio(one, rate=16_000) for one in sounds])
    np.testing.assert_allclose(together, unit(expected.encode_document(given)), atol=1e-5)
    alone = np.concatenate([vectors_of(encoder, [Audio(one, rate=16_000)]) for one in sounds])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_nothing_of_a_long_sound_is_cut_off(folder: Path) -> None:
    """The library hears but the first 30 of these 40 seconds; here they are heard in halves."""
    encoder = loaded(folder / "omni/omni")[Modality.AUDIO]
    whole = sound(0, 40)
    halves = vectors_of(encoder, [Audio(half, rate=16_000) for half in np.split(whole, 2)])
    (vector,) = vectors_of(encoder, [Audio(whole, rate=16_000)])
    np.testing.assert_allclose(vector, unit(halves.mean(0)), atol=1e-5)
    first = vectors_of(encoder, [Audio(whole[: 30 * 16_000], rate=16_000)])
    assert np.abs(first[0] - vector).max() > 1e-4


def test_what_cannot_be_decoded_is_told_of_each(folder: Path) -> None:
    made = loaded(folder / "omni/omni")
    bad = [Image(b"no picture"), Image(picture(0)), Image(b"nor this")]
    with pytest.raises(ExceptionGroup) as caught:
        made[Modality.IMAGE].encode(bad, Role.DOCUMENT)
    assert [error.media for error in caught.value.exceptions if isinstance(error, MediaError)] == [bad[0], bad[2]]


@pytest.mark.parametrize("model", ["clip", "omni/omni", "dense", "static"])
def test_a_text_is_but_a_text(folder: Path, tmp_path: Path, model: str) -> None:
    """Not the address of a picture, which the library fetches of itself."""
    listener = Listener()
    file = tmp_path / "x.png"
    picture(0).save(file)
    made = loaded(folder / model)
    vectors = encoded(made[Modality.TEXT], [listener.url, str(file), f"file://{file}", "data:image/png;base64,AAAA"])
    assert len(vectors) == 4
    if Modality.IMAGE in made:
        shown = vectors_of(made[Modality.IMAGE], [Image(file)])
        assert np.abs(vectors[1] - shown[0]).max() > 1e-3
    listener.close()
    assert listener.asked == []


def test_a_word_that_stands_for_a_picture_is_told(folder: Path) -> None:
    """In a text the library would miss the picture, and encode nothing of the whole batch."""
    encoder = reading(folder / "omni/omni")
    some = texts("red", "a <|image|> b", "bird", "<|audio|>")
    with pytest.raises(ExceptionGroup) as caught:
        encoder.encode(some, Role.DOCUMENT)
    assert [error.media for error in caught.value.exceptions if isinstance(error, MediaError)] == [some[1], some[3]]
    assert len(encoder.encode([some[0], some[2]], Role.DOCUMENT)) == 2


def test_weights_must_be_whole(folder: Path, tmp_path: Path) -> None:
    key = "encoder.layer.1.output.dense.weight"
    lacking = altered(folder / "dense", tmp_path / "lacking", lambda tensors: tensors.pop(key))
    with pytest.raises(WeightsError, match=rf"lacks 1 of the model's weights \({key}\)"):
        loaded(lacking)
    extra = altered(
        folder / "dense",
        tmp_path / "extra",
        lambda tensors: tensors.update({"encoder.layer.2.x": tensors[key].clone()}),
    )
    with pytest.raises(WeightsError, match=r"has, unknown to it, 1 .*encoder\.layer\.2\.x"):
        loaded(extra)
    dense = altered(folder / "dense", tmp_path / "dense", lambda tensors: tensors.pop("linear.bias"), "2_Dense")
    with pytest.raises(WeightsError, match=r"linear\.bias"):
        loaded(dense)
    route = next((folder / "router").glob("document_0_*")).name
    routed = altered(folder / "router", tmp_path / "router", lambda tensors: tensors.pop(key), route)
    with pytest.raises(WeightsError, match=key):
        loaded(routed)
    tower = "vision_model.encoder.layers.1.mlp.fc1.weight"
    blind = altered(folder / "clip", tmp_path / "clip", lambda tensors: tensors.pop(tower))
    with pytest.raises(WeightsError, match=tower):
        loaded(blind)


def set_dense(folder: Path, target: Path, layer: str, **given: Any) -> Path:
    """A copy of a model whose layer of that name says other things in its config."""
    shutil.copytree(folder, target)
    file = target / layer / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | given), encoding="utf-8")
    return target


def test_a_layer_that_would_be_read_otherwise_is_refused(folder: Path, tmp_path: Path) -> None:
    gelu = {"activation_function": "transformers.activations.GELUActivation"}
    other = set_dense(folder / "dense", tmp_path / "gelu", "2_Dense", **gelu)
    with pytest.raises(EncoderError, match=r"2_Dense works with .*GELUActivation.* would take Tanh"):
        loaded(other)
    more = set_dense(folder / "dense", tmp_path / "more", "2_Dense", temperature=2.0)
    with pytest.raises(EncoderError, match=r"2_Dense has temperature, which"):
        loaded(more)
    ours = set_dense(folder / "dense", tmp_path / "ours", "2_Dense", activation_function="torch.nn.GELU")
    np.testing.assert_allclose(
        encoded(reading(ours), RAGGED), reference(ours).encode_document(RAGGED, normalize_embeddings=True), atol=1e-5
    )


def test_a_layer_of_a_route_that_would_be_read_otherwise_is_refused(folder: Path, tmp_path: Path) -> None:
    shared: Any = importlib.import_module("sentence_transformers.base.modules")
    own: Any = importlib.import_module("sentence_transformers.sentence_transformer.modules")
    routes = [
        [shared.Transformer(str(folder / "raw"), max_seq_length=32), own.Pooling(32), shared.Dense(32, 16)]
        for _ in range(2)
    ]
    model = library().SentenceTransformer(modules=[shared.Router.for_query_document(*routes)], device="cpu")
    model.save_pretrained(str(tmp_path / "routed"), create_model_card=False)
    assert reading(tmp_path / "routed").spec.dim == 16
    layer = next((tmp_path / "routed").glob("document_2_*")).name
    other = set_dense(tmp_path / "routed", tmp_path / "other", layer, activation_function="my.Own")
    with pytest.raises(EncoderError, match=rf"{layer} works with my\.Own"):
        loaded(other)


def test_a_head_that_is_not_asked_for_may_be_there(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "dense", tmp_path / "mlm")
    bert(tmp_path / "made", "BertForMaskedLM")
    shutil.copy(tmp_path / "made" / "model.safetensors", tmp_path / "mlm")
    shutil.copy(tmp_path / "made" / "config.json", tmp_path / "mlm")
    first, second = reading(tmp_path / "mlm"), reading(tmp_path / "mlm")
    assert digest(first) == digest(second)


@pytest.mark.parametrize("model", ["dense", "static", "router", "clip", "siglip", "omni/omni"])
def test_the_identity_is_that_of_what_makes_the_vectors(folder: Path, tmp_path: Path, model: str) -> None:
    encoder = reading(folder / model)
    shutil.copytree(folder / model, tmp_path / "elsewhere")
    assert digest(reading(tmp_path / "elsewhere")) == digest(encoder)
    assert str(folder) not in encoder.spec.identity
    assert encoder.spec.identity.startswith(f"sentence_transformers:{Path(model).name}@")


def test_layers_in_another_order_are_another_model(folder: Path, tmp_path: Path) -> None:
    def swap(tensors: dict[str, Any]) -> None:
        for key in [one for one in tensors if one.startswith("encoder.layer.0.")]:
            other = key.replace("layer.0.", "layer.1.")
            tensors[key], tensors[other] = tensors[other], tensors[key]

    first, swapped = reading(folder / "dense"), reading(altered(folder / "dense", tmp_path / "swapped", swap))
    assert np.abs(encoded(first, RAGGED) - encoded(swapped, RAGGED)).max() > 1e-3
    assert digest(first) != digest(swapped)


def test_a_folder_here_goes_before_a_model_of_the_hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert reading(Path("dense")).spec == reading(folder / "dense").spec
    assert (home_of("dense"), home_of("nowhere")) == ("dense", "sentence-transformers/nowhere")


def test_what_the_library_saves_again_is_the_same(folder: Path, tmp_path: Path) -> None:
    reference(folder / "dense").save_pretrained(str(tmp_path / "again"), create_model_card=False)
    first, again = reading(folder / "dense"), reading(tmp_path / "again")
    assert digest(first) == digest(again)
    np.testing.assert_array_equal(encoded(first, RAGGED), encoded(again, RAGGED))


def test_a_model_that_compares_by_dot_product_keeps_its_lengths(folder: Path, tmp_path: Path) -> None:
    shared: Any = importlib.import_module("sentence_transformers.base.modules")
    own: Any = importlib.import_module("sentence_transformers.sentence_transformer.modules")
    modules = [shared.Transformer(str(folder / "raw"), max_seq_length=32), own.Pooling(32, pooling_mode="cls")]
    model = library().SentenceTransformer(modules=modules, device="cpu", similarity_fn_name="dot")
    model.save_pretrained(str(tmp_path / "dot"), create_model_card=False)
    encoder = reading(tmp_path / "dot")
    assert Space("dot", encoder).distance is Distance.DOT
    assert Space("cosine", reading(folder / "dense")).distance is Distance.COSINE
    np.testing.assert_allclose(encoded(encoder, RAGGED), model.encode_document(RAGGED), atol=1e-4)
    made: Any = encoder
    cut = [window for window, _ in made._readings[Role.DOCUMENT].windows([LONG])[0]]
    counts = [len(made.token_spans(window)) for window in cut]
    assert len(cut) > 1
    expected = np.average(model.encode_document(cut), axis=0, weights=counts)
    assert np.linalg.norm(expected) > 1.5, "far from unit length"
    np.testing.assert_allclose(encoded(encoder, [LONG])[0], expected, atol=1e-4)


def test_modalities_may_be_asked_by_several_threads_at_once(folder: Path) -> None:
    made = loaded(folder / "clip")
    media: list[tuple[Modality, list[Any]]] = [
        (Modality.TEXT, texts(*RAGGED)),
        (Modality.IMAGE, [Image(picture(seed)) for seed in range(4)]),
    ]
    expected = [vectors_of(made[modality], some) for modality, some in media]
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(vectors_of, made[modality], some) for _ in range(6) for modality, some in media]
        turns = [one.result() for one in waiting]
    for at, rows in enumerate(turns):
        np.testing.assert_allclose(rows, expected[at % 2], atol=1e-5)


def test_models_that_would_be_read_wrongly_are_refused(folder: Path, tmp_path: Path) -> None:
    transformers: Any = importlib.import_module("transformers")
    with pytest.raises(EncoderError, match=r"does not say how its tokens are pooled .* hf_text:.*raw\?pooling="):
        loaded(folder / "raw")
    small: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "conv_dim": (16,) * 7,
        "num_conv_pos_embeddings": 2,
    }
    transformers.Data2VecAudioModel(transformers.Data2VecAudioConfig(**small)).save_pretrained(tmp_path / "waves")
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path / "waves")
    with pytest.raises(EncoderError, match=r"averages over the padding .* hf_audio:"):
        loaded(tmp_path / "waves")
    told = tmp_path / "sparse"
    told.mkdir()
    (told / "config_sentence_transformers.json").write_text(json.dumps({"model_type": "SparseEncoder"}))
    with pytest.raises(EncoderError, match=r"is a SparseEncoder; name splade:"):
        loaded(told)
    with pytest.raises(EncoderError, match="overflows in float16"):
        loaded(folder / "omni/omni", dtype="float16")
    with pytest.raises(EncoderError, match="is no folder"):
        loaded(tmp_path / "nowhere")


def test_whisper_is_refused(tmp_path: Path) -> None:
    transformers: Any = importlib.import_module("transformers")
    config = transformers.WhisperConfig(
        vocab_size=64,
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_target_positions=32,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
        begin_suppress_tokens=None,
    )
    transformers.WhisperModel(config).save_pretrained(tmp_path)
    transformers.WhisperFeatureExtractor().save_pretrained(tmp_path)
    with pytest.raises(EncoderError):
        loaded(tmp_path)


def test_code_that_comes_with_a_model_is_not_run(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "dense", tmp_path / "strange")
    modules = tmp_path / "strange" / "modules.json"
    told = json.loads(modules.read_text(encoding="utf-8"))
    told[1]["type"] = "code.Pooling"
    modules.write_text(json.dumps(told), encoding="utf-8")
    (tmp_path / "strange" / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", encoding="utf-8")
    with pytest.raises(EncoderError):
        loaded(tmp_path / "strange")
    assert not (tmp_path / "ran").exists()


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtra, match=r"octant-search\[sentence-transformers\]"):
        sentence_transformers("all-MiniLM-L6-v2")


@pytest.mark.hub
def test_a_real_one() -> None:
    (encoder,) = FAMILY.load("all-MiniLM-L6-v2", SentenceOptions())
    assert encoder.spec.dim == 384
