"""Static vectors: the mean of a text's words as the libraries make it, from files that are whole."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_text import LONG, Listener, altered, digest, encoded, texts, tokenizer, unit

from octant.backends.static import MODEL2VEC, STATIC, Model2Vec, Model2VecOptions, WordVectors
from octant.encoding import Role
from octant.errors import EncoderError, MediaError, MissingExtra, WeightsError
from octant.family import Options
from octant.vectors import Array

WORDS = ["red", "bird", "drum", "river", "the", "Paris", ".", ",", "state", "art", "don't"]
SOME = ["red bird", "The drum, the river.", "Paris paris", "state-of-the-art unknowable", "don't"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One set of vectors as word2vec, text and binary, and as GloVe; and a fastText model with its parts of words."""
    pytest.importorskip("gensim", reason="gensim is not installed")
    made = tmp_path_factory.mktemp("static")
    models: Any = importlib.import_module("gensim.models")
    fasttext: Any = importlib.import_module("gensim.models.fasttext")
    vectors = models.KeyedVectors(vector_size=8)
    vectors.add_vectors(WORDS, np.random.default_rng(0).normal(size=(len(WORDS), 8)).astype(np.float32))
    vectors.save_word2vec_format(str(made / "words.txt"))
    vectors.save_word2vec_format(str(made / "words.bin"), binary=True)
    vectors.save_word2vec_format(str(made / "glove.txt"), write_header=False)
    vectors.save(str(made / "words.kv"))
    sentences = [["red", "bird"], ["the", "drum", "river"]] * 3
    subwords = models.FastText(sentences, vector_size=8, min_count=1, bucket=50, seed=1, workers=1, epochs=1)
    fasttext.save_facebook_model(subwords, str(made / "subwords.bin"))
    return made


def loaded(file: Path) -> WordVectors:
    (encoder,) = STATIC.load(str(file), Options())
    assert isinstance(encoder, WordVectors)
    return encoder


def gensim_mean(folder: Path, words: list[str]) -> Array:
    models: Any = importlib.import_module("gensim.models")
    vectors = models.KeyedVectors.load_word2vec_format(str(folder / "words.txt"))
    mean: Array = vectors.get_mean_vector(words, pre_normalize=True, post_normalize=True)
    return mean


@pytest.mark.parametrize("file", ["words.txt", "words.bin", "glove.txt"])
def test_a_text_is_the_mean_of_its_words_as_gensim_makes_it(folder: Path, file: str) -> None:
    encoder = loaded(folder / file)
    words = [
        ["red", "bird"],
        ["the", "drum", ",", "the", "river", "."],
        ["Paris"],  # there is no paris
        ["state", "the", "art"],
        ["don't"],
    ]
    assert encoder.spec.dim == 8
    expected = np.stack([gensim_mean(folder, one) for one in words])
    np.testing.assert_allclose(encoded(encoder, SOME), expected, atol=1e-5)
    np.testing.assert_array_equal(encoded(encoder, SOME), encoded(encoder, SOME, Role.QUERY))


def test_parts_of_words_are_fasttexts(folder: Path) -> None:
    encoder = loaded(folder / "subwords.bin")
    fasttext: Any = importlib.import_module("gensim.models.fasttext")
    vectors = fasttext.load_facebook_vectors(str(folder / "subwords.bin"))
    for text, words in (("red bird", ["red", "bird"]), ("redbird", ["redbird"]), ("The river", ["the", "river"])):
        expected = unit(unit(np.stack([vectors.get_vector(word) for word in words])).mean(0))
        np.testing.assert_allclose(encoded(encoder, [text])[0], expected, atol=1e-5)
    assert encoder.unknown("redbird") == []


def test_a_batch_is_as_its_texts_one_by_one(folder: Path) -> None:
    encoder = loaded(folder / "words.txt")
    np.testing.assert_array_equal(encoded(encoder, SOME), np.concatenate([encoded(encoder, [text]) for text in SOME]))
    assert encoder.encode([], Role.QUERY) == []


def test_words_without_a_vector_are_told(folder: Path) -> None:
    encoder = loaded(folder / "words.txt")
    assert encoder.unknown("A red, unknowable bird?") == ["A", "unknowable", "?"]
    assert encoder.token_spans("A red, don't") == [(0, 1), (2, 5), (5, 6), (7, 12)]
    some = texts("red", "unknowable", "", "bird")
    with pytest.raises(ExceptionGroup, match="2 of 4 texts have no vector") as caught:
        encoder.encode(some, Role.DOCUMENT)
    assert [error.media for error in caught.value.exceptions if isinstance(error, MediaError)] == some[1:3]


def test_nothing_of_a_long_text_is_cut_off(folder: Path) -> None:
    words = ["red", "bird", "drum", "river"] * 2000 + ["the"] * 2000
    vector = encoded(loaded(folder / "words.txt"), [" ".join(words)])[0]
    np.testing.assert_allclose(vector, gensim_mean(folder, words), atol=1e-4)


def test_the_identity_is_that_of_the_vectors(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "words.txt", tmp_path / "words.txt")
    first = loaded(folder / "words.txt")
    assert loaded(tmp_path / "words.txt").spec.identity == first.spec.identity
    assert first.spec.identity.startswith("static:words.txt@")
    assert digest(loaded(folder / "subwords.bin")) == digest(loaded(folder / "subwords.bin"))
    changed = (folder / "words.txt").read_text(encoding="utf-8").replace("drum", "drums")
    (tmp_path / "words.txt").write_text(changed, encoding="utf-8")
    assert digest(loaded(tmp_path / "words.txt")) != digest(first)


def without_the_last_line(text: str) -> str:
    return "\n".join(text.splitlines()[:-1]) + "\n"


def with_one_more(text: str) -> str:
    return text + "more " + "1 " * 8 + "\n"


def cut_short(text: str) -> str:
    return text[:-30]


def with_a_number_too_many(text: str) -> str:
    return text.replace("\nbird ", "\nbird 1 ", 1)


@pytest.mark.parametrize("damage", [without_the_last_line, with_one_more, cut_short, with_a_number_too_many])
def test_a_damaged_file_is_refused(folder: Path, tmp_path: Path, damage: Callable[[str], str]) -> None:
    file = tmp_path / "words.txt"
    file.write_text(damage((folder / "words.txt").read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(WeightsError):
        loaded(file)


@pytest.mark.parametrize("file", ["words.bin", "subwords.bin"])
def test_a_binary_file_that_ends_early_is_refused(folder: Path, tmp_path: Path, file: str) -> None:
    whole = (folder / file).read_bytes()
    (tmp_path / file).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError):
        loaded(tmp_path / file)


def test_numbers_that_are_none_are_refused(folder: Path, tmp_path: Path) -> None:
    lines = (folder / "glove.txt").read_text(encoding="utf-8").splitlines()
    (tmp_path / "glove.txt").write_text("\n".join([*lines, "more " + "nan " * 7 + "1"]) + "\n", encoding="utf-8")
    with pytest.raises(WeightsError, match="NaN"):
        loaded(tmp_path / "glove.txt")


def test_words_of_glove_may_have_spaces(folder: Path, tmp_path: Path) -> None:
    content = (folder / "glove.txt").read_text(encoding="utf-8")
    (tmp_path / "glove.txt").write_text(content + ". . . " + "1 " * 7 + "1\n", encoding="utf-8")
    encoder = loaded(tmp_path / "glove.txt")
    np.testing.assert_array_equal(encoded(encoder, SOME), encoded(loaded(folder / "glove.txt"), SOME))
    (tmp_path / "glove.txt").write_text(content + "more 1 1 1\n", encoding="utf-8")
    with pytest.raises(WeightsError, match="numbers, not 8"):
        loaded(tmp_path / "glove.txt")


def test_files_of_other_kinds_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="is a pickle"):
        loaded(folder / "words.kv")
    for content, told in ((b"hello world, this is\n", "is not of"), (b"\x1f\x8b123", "is packed"), (b"", "is not of")):
        (tmp_path / "other").write_bytes(content)
        with pytest.raises(EncoderError, match=told):
            loaded(tmp_path / "other")
    with pytest.raises(EncoderError, match="is no file"):
        loaded(tmp_path / "nowhere.txt")
    with pytest.raises(EncoderError, match="is no file"):
        STATIC.load("http://127.0.0.1:9/words.txt", Options())


def test_without_the_extra_the_remedy_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gensim", None)
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    monkeypatch.setitem(sys.modules, "model2vec", None)
    with pytest.raises(MissingExtra, match=r"octant-search\[static\]"):
        WordVectors(folder / "words.txt")
    with pytest.raises(MissingExtra, match=r"octant-search\[static\]"):
        Model2Vec("minishlab/potion-base-8M")


@pytest.fixture(scope="module")
def distilled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`plain`, and `quantised`, whose tokens share vectors and have weights of their own."""
    library: Any = pytest.importorskip("model2vec", reason="model2vec is not installed")
    pytest.importorskip("transformers", reason="the tokenizer is made by transformers")
    made = tmp_path_factory.mktemp("model2vec")
    rng = np.random.default_rng(0)
    reader = tokenizer().backend_tokenizer
    count = reader.get_vocab_size()
    library.StaticModel(rng.normal(size=(count, 8)).astype(np.float32), reader, {}).save_pretrained(made / "plain")
    quantised = library.StaticModel(
        rng.normal(size=(10, 8)).astype(np.float16),
        reader,
        {},
        weights=rng.uniform(0.1, 1, count),
        token_mapping=rng.integers(0, 10, count),
    )
    quantised.save_pretrained(made / "quantised")
    return made


def distil(folder: Path, **given: Any) -> Model2Vec:
    (encoder,) = MODEL2VEC.load(str(folder), Model2VecOptions(**given))
    assert isinstance(encoder, Model2Vec)
    return encoder


KNOWN = ["red bird", "x", "a drum, the river. " * 3, "the bird sings"]


@pytest.mark.parametrize("model", ["plain", "quantised"])
def test_model2vec_is_as_the_library_encodes(distilled: Path, model: str) -> None:
    library: Any = importlib.import_module("model2vec")
    encoder = distil(distilled / model)
    expected = library.StaticModel.from_pretrained(distilled / model).encode(KNOWN, normalize=True)
    assert encoder.spec.dim == 8
    # the library computes in the precision of the vectors, and normalizes in it
    np.testing.assert_allclose(encoded(encoder, KNOWN), expected, atol=1e-5 if model == "plain" else 1e-3)
    alone = np.concatenate([encoded(encoder, [text]) for text in KNOWN])
    np.testing.assert_allclose(encoded(encoder, KNOWN), alone, atol=1e-6)
    assert encoder.encode([], Role.QUERY) == []


def test_model2vec_keeps_the_dimensions_that_are_asked_for(distilled: Path) -> None:
    short, long = distil(distilled / "plain", dim=3), distil(distilled / "plain")
    np.testing.assert_allclose(encoded(short, KNOWN), unit(encoded(long, KNOWN)[:, :3]), atol=1e-5)
    assert digest(short) != digest(long)
    with pytest.raises(EncoderError, match="has 8 dimensions, of which 9 cannot be kept"):
        distil(distilled / "plain", dim=9)


def test_model2vec_cuts_nothing_off(distilled: Path) -> None:
    """The library reads but the first 512 tokens, unless it is told otherwise."""
    library: Any = importlib.import_module("model2vec")
    long = LONG * 5 + "passage query " * 200
    reference = library.StaticModel.from_pretrained(distilled / "plain")
    vector = encoded(distil(distilled / "plain"), [long])[0]
    np.testing.assert_allclose(vector, reference.encode([long], normalize=True, max_length=None)[0], atol=1e-5)
    assert np.abs(vector - reference.encode([long], normalize=True)[0]).max() > 1e-3


def test_model2vec_tells_which_texts_it_does_not_know(distilled: Path) -> None:
    some = texts("red", "", "ßß")
    with pytest.raises(ExceptionGroup) as caught:
        distil(distilled / "plain").encode(some, Role.DOCUMENT)
    assert [error.media for error in caught.value.exceptions if isinstance(error, MediaError)] == some[1:]


def test_model2vec_must_be_whole(distilled: Path, tmp_path: Path) -> None:
    lacking = altered(distilled / "plain", tmp_path / "lacking", lambda tensors: tensors.pop("embeddings"))
    with pytest.raises(WeightsError, match="lacks 1"):
        distil(lacking)
    extra = altered(distilled / "plain", tmp_path / "extra", lambda t: t.update(bias=t["embeddings"].clone()))
    with pytest.raises(WeightsError, match="unknown to it"):
        distil(extra)
    cut = altered(distilled / "quantised", tmp_path / "cut", lambda t: t.update(weights=t["weights"][:5].clone()))
    with pytest.raises(WeightsError, match="another shape"):
        distil(cut)
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match=r"no model\.safetensors"):
        distil(tmp_path / "empty")


def test_the_identity_of_model2vec_is_that_of_what_makes_the_vectors(distilled: Path, tmp_path: Path) -> None:
    shutil.copytree(distilled / "quantised", tmp_path / "elsewhere")
    first = distil(distilled / "quantised")
    assert digest(distil(tmp_path / "elsewhere")) == digest(first)
    assert first.spec.identity.startswith("model2vec:quantised@")
    assert digest(distil(distilled / "plain")) != digest(first)


def test_a_text_is_but_a_text(distilled: Path, folder: Path) -> None:
    listener = Listener()
    assert len(encoded(distil(distilled / "plain"), [listener.url, str(folder)])) == 2
    assert loaded(folder / "subwords.bin").encode(texts(listener.url), Role.QUERY)
    listener.close()
    assert listener.asked == []


@pytest.mark.hub
def test_a_real_one() -> None:
    assert distil(Path("minishlab/potion-base-8M")).spec.dim == 256
