"""CLIP and its relatives of Hugging Face: equal to the library's own calls, in any batch, never with random weights."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tiny_hf_clip
import tiny_images
from tiny_media import TEXTS, first, jpeg, library, photo, photos, rows, server, texts, with_broken

from octant.backends.hf_clip import FAMILY, HfClip
from octant.backends.windows import text_windows
from octant.encoding import Role
from octant.errors import EncoderError, MediaError, WeightsError
from octant.media import Image, Modality, Text
from octant.space import Space

pytest.importorskip("transformers")
torch: Any = pytest.importorskip("torch")

KINDS = list(tiny_hf_clip.KINDS)
SHORT = ["a cat", "", "cat cat", "a dog, 猫"]
READ: dict[str, dict[str, Any]] = {  # how each model's card has texts read
    "siglip": {"padding": "max_length", "max_length": 64},
    "siglip2": {"padding": "max_length", "max_length": 64},
    "align": {},  # its processor fills up by itself
}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folders: dict[str, Path] = {}

    def folder(kind: str) -> Path:
        if kind not in folders:
            folders[kind] = tiny_hf_clip.make(tmp_path_factory.mktemp(kind) / "tiny", kind)
        return folders[kind]

    return folder


@pytest.fixture(scope="session")
def loaded(made: Callable[[str], Path]) -> Callable[[str], HfClip]:
    models: dict[str, HfClip] = {}

    def model(kind: str) -> HfClip:
        if kind not in models:
            models[kind] = HfClip(str(made(kind)))
        return models[kind]

    return model


class Reference:
    """The library's own calls."""

    def __init__(self, folder: Path, kind: str) -> None:
        transformers = library("transformers")
        self.model: Any = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.processor: Any = transformers.AutoProcessor.from_pretrained(folder)
        self.kind = kind

    def images(self, pictures: list[PIL.Image.Image]) -> np.ndarray[Any, Any]:
        with torch.inference_mode():
            # not the processor itself: that of SigLIP 2 has patches of its own mind
            given = self.processor.image_processor(images=pictures, return_tensors="pt")
            said = self.model.get_image_features(**given)
        return self.unit(said.pooler_output)

    def texts(self, contents: list[str]) -> np.ndarray[Any, Any]:
        given = self.processor(text=contents, return_tensors="pt", **READ.get(self.kind, {"padding": True}))
        with torch.inference_mode():
            return self.unit(self.model.get_text_features(**given).pooler_output)

    def unit(self, features: Any) -> np.ndarray[Any, Any]:
        rows = features[:, 0] if self.kind == "flava" else features  # of every token; the first stands for all
        return np.asarray(torch.nn.functional.normalize(rows, dim=1).numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_it_equals_the_librarys_own_calls(
    made: Callable[[str], Path], loaded: Callable[[str], HfClip], kind: str
) -> None:
    reference, model = Reference(made(kind), kind), loaded(kind)
    pictures = photos()
    expected = reference.images(pictures)
    np.testing.assert_allclose(rows(model.image.encode([Image(p) for p in pictures], Role.QUERY)), expected, atol=1e-5)
    assert np.abs(expected @ expected.T - 1).max() > 1e-3  # else all would look alike, and prove nothing
    expected = reference.texts(SHORT)
    np.testing.assert_allclose(rows(model.text.encode(texts(SHORT), Role.QUERY)), expected, atol=1e-5)
    assert np.abs(expected @ expected.T - 1).max() > 1e-3
    assert model.text.spec.dim == model.image.spec.dim == expected.shape[1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_is_as_its_items(loaded: Callable[[str], HfClip], kind: str) -> None:
    model = loaded(kind)
    images = [Image(one) for one in photos()] * 4
    alone = rows([model.image.encode([one], Role.DOCUMENT)[0] for one in images])
    np.testing.assert_allclose(rows(model.image.encode(images, Role.DOCUMENT)), alone, atol=1e-5)
    said = texts(TEXTS * 4)
    alone = rows([model.text.encode([one], Role.QUERY)[0] for one in said])
    np.testing.assert_allclose(rows(model.text.encode(said, Role.DOCUMENT)), alone, atol=1e-5)
    assert model.image.encode([], Role.DOCUMENT) == []
    assert model.text.encode([], Role.QUERY) == []


@pytest.mark.parametrize(
    ("kind", "is_filled"), [("clip", False), ("align", False), ("siglip", True), ("siglip2", True)]
)
def test_texts_that_are_padded_to_one_length_count_as_alike(
    loaded: Callable[[str], HfClip], told: list[list[int]], kind: str, is_filled: bool
) -> None:
    loaded(kind).text.encode(texts(["cat", "the cat sat on the mat"]), Role.DOCUMENT)
    assert (len(set(told[0])) == 1) is is_filled


@pytest.mark.parametrize(
    ("kind", "tokens"), [("clip", 18), ("metaclip2", 18), ("siglip", 63), ("siglip2", 63), ("align", 62), ("flava", 75)]
)
def test_long_texts_are_read_to_their_end(
    made: Callable[[str], Path], loaded: Callable[[str], HfClip], kind: str, tokens: int
) -> None:
    model = loaded(kind)
    assert model.text.spec.tokens == tokens
    long = "the cat sat on the mat, and a dog came in out of the rain. " * 5
    windows = list(text_windows(long, model.text.token_spans, tokens))
    assert len(windows) > 1
    parts = Reference(made(kind), kind).texts(windows)
    weights = np.array([len(model.text.token_spans(window)) for window in windows])[:, None]
    mean = (parts * weights).sum(axis=0)
    found = first(model.text.encode([Text(long)], Role.DOCUMENT))
    np.testing.assert_allclose(found, mean / np.linalg.norm(mean), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_no_window_has_more_tokens_than_the_model_reads(loaded: Callable[[str], HfClip], kind: str) -> None:
    model = loaded(kind)
    nasty = "é" * 50 + " &amp;lt; " + "🐈‍⬛" * 20 + "   " + "x_y-z " * 30 + "ﬁﬃ①" * 9
    windows = list(text_windows(nasty, model.text.token_spans, model.text.spec.tokens))
    assert "".join(windows) == nasty
    assert model.text.spec.tokens is not None
    special = len(model._tokenizer("").input_ids)  # pyright: ignore[reportPrivateUsage]
    assert all(len(model._tokenizer(window).input_ids) <= model.text.spec.tokens + special for window in windows)  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_weights_elsewhere_are_the_same_encoder(
    made: Callable[[str], Path], loaded: Callable[[str], HfClip], tmp_path: Path, kind: str
) -> None:
    elsewhere = HfClip(str(shutil.copytree(made(kind), tmp_path / "other")))
    name, digest = loaded(kind).image.spec.identity.split("@")
    assert name == "hf_clip:tiny"
    assert elsewhere.image.spec.identity == f"hf_clip:other@{digest}" == elsewhere.text.spec.identity


def test_another_preprocessing_is_another_encoder(
    made: Callable[[str], Path], loaded: Callable[[str], HfClip], tmp_path: Path
) -> None:
    other = shutil.copytree(made("siglip"), tmp_path / "tiny")
    for file in [*other.glob("p*config.json")]:
        file.write_text(file.read_text().replace("0.5", "0.4"))
    assert HfClip(str(other)).image.spec.identity != loaded("siglip").image.spec.identity


@pytest.mark.parametrize(
    ("kind", "key", "extra"),
    [
        ("clip", "text_projection.weight", None),
        ("clip", "", "more.weight"),
        ("siglip", "vision_model.head.probe", None),
        ("siglip2", "text_model.head.weight", None),
        ("align", "text_projection.weight", None),
        ("flava", "image_projection.weight", None),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    made: Callable[[str], Path], tmp_path: Path, kind: str, key: str, extra: str | None
) -> None:
    with pytest.raises(WeightsError, match=extra or key):
        HfClip(str(tiny_images.without(made(kind), tmp_path / "part", key, extra=extra)))


def test_what_older_checkpoints_keep_besides_is_no_weight(
    made: Callable[[str], Path], loaded: Callable[[str], HfClip], tmp_path: Path
) -> None:
    """Checkpoints of CLIP have the positions 0, 1, 2… as if they were weights."""
    older = tiny_images.without(made("clip"), tmp_path / "tiny", "", extra="text_model.embeddings.position_ids")
    assert HfClip(str(older)).text.spec.identity == loaded("clip").text.spec.identity


def test_weights_of_another_shape_are_refused(made: Callable[[str], Path], tmp_path: Path) -> None:
    other = shutil.copytree(made("clip"), tmp_path / "other")
    config = other / "config.json"
    config.write_text(config.read_text().replace('"projection_dim": 24', '"projection_dim": 28'))
    with pytest.raises(WeightsError, match="projection"):
        HfClip(str(other))


def test_other_architectures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="is resnet, which is none of clip, "):
        HfClip(str(tiny_images.make(tmp_path / "resnet", "resnet")))
    with pytest.raises(EncoderError, match="cannot be loaded"):
        HfClip(str(tmp_path))


def test_what_weights_do_not_show_counts_as_well(
    made: Callable[[str], Path], loaded: Callable[[str], HfClip], tmp_path: Path
) -> None:
    other = shutil.copytree(made("align"), tmp_path / "tiny")
    config = json.loads((other / "config.json").read_text())
    config["vision_config"]["batch_norm_eps"] = 0.5
    (other / "config.json").write_text(json.dumps(config))
    changed, image = HfClip(str(other)), [Image(photo(40, 40))]
    vectors = [first(one.image.encode(image, Role.QUERY)) for one in (loaded("align"), changed)]
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-4
    assert changed.image.spec.identity != loaded("align").image.spec.identity


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_is_read_behind_a_mark_in_it(
    made: Callable[[str], Path], loaded: Callable[[str], HfClip], kind: str
) -> None:
    """Its end token, written out, is words: some models would see nothing behind it."""
    tokenizer: Any = library("transformers").AutoTokenizer.from_pretrained(made(kind))
    mark: str = tokenizer.eos_token or tokenizer.sep_token
    read = loaded(kind).text
    contents = [f"a cat {mark}", f"a cat {mark} dog", f"a cat {mark[0]} {mark[1:]} dog"]
    end, found, words = rows(read.encode(texts(contents), Role.QUERY))
    assert np.abs(found - end).max() > 1e-3
    np.testing.assert_allclose(found, words, atol=1e-6)
    windows = [read.encode([Text(f"cat{mark} " * 20 + last)], Role.DOCUMENT)[0] for last in ("sun", "moonlight")]
    assert np.abs(np.asarray(windows[0]) - windows[1]).max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_is_never_a_path_or_url(loaded: Callable[[str], HfClip], tmp_path: Path, kind: str) -> None:
    model = loaded(kind)
    picture = tmp_path / "photo.jpg"
    picture.write_bytes(jpeg(photo(32, 32)))
    with server(picture.read_bytes()) as (url, asked):
        before = model.text.encode(texts([str(picture), url]), Role.QUERY)
        picture.unlink()
        after = model.text.encode(texts([str(picture), url]), Role.DOCUMENT)
    np.testing.assert_array_equal(rows(before), rows(after))
    assert asked == []


def test_broken_images_are_told_one_by_one(loaded: Callable[[str], HfClip]) -> None:
    images, broken = with_broken()
    with pytest.raises(ExceptionGroup) as caught:
        loaded("clip").image.encode(images, Role.DOCUMENT)
    assert [error.media for error in caught.value.exceptions if isinstance(error, MediaError)] == [
        images[place] for place in broken
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_very_long_pictures(made: Callable[[str], Path], loaded: Callable[[str], HfClip], kind: str) -> None:
    long = photo(2000, 20)
    found = first(loaded(kind).image.encode([Image(long)], Role.DOCUMENT))
    assert found @ Reference(made(kind), kind).images([long])[0] > 0.999
    thread = Image(photo(1, 60_000))  # CLIP would make 60 million pixels of it
    assert np.isfinite(rows(loaded(kind).image.encode([thread], Role.DOCUMENT))).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_jpeg_is_as_good_decoded_at_a_fraction(
    made: Callable[[str], Path], loaded: Callable[[str], HfClip], kind: str
) -> None:
    large = jpeg(photo(1600, 1200))
    found = first(loaded(kind).image.encode([Image(large)], Role.DOCUMENT))
    assert found @ Reference(made(kind), kind).images([PIL.Image.open(io.BytesIO(large))])[0] > 0.999


def test_many_threads_may_ask(loaded: Callable[[str], HfClip]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    model = loaded("clip")
    contents = [text * (n % 5 + 1) for n, text in enumerate(TEXTS * 10)]
    expected = rows(model.text.encode(texts(contents), Role.QUERY))
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(partial(model.text.encode, role=Role.QUERY), [[Text(one)] for one in contents]))
    np.testing.assert_allclose(rows([vector for (vector,) in found]), expected, atol=1e-5)


def test_a_tokenizer_that_does_not_tell_where_tokens_lie() -> None:
    transformers = library("transformers")
    from octant.backends.towers import reading_of

    reading = reading_of(transformers.ByT5Tokenizer())  # a token for each byte
    assert reading.spans("ab é") == [(0, 1), (1, 2), (3, 3), (3, 4), (3, 4)]  # the last is for the space
    assert reading.special == 1


def test_it_makes_a_space(made: Callable[[str], Path]) -> None:
    space = Space("photos", *FAMILY.load(str(made("siglip")), FAMILY.options.model_validate({"batch": "4"})))
    assert space.modalities == {Modality.TEXT, Modality.IMAGE}
    assert -1.001 <= space.similarity("a cat", Image(photo(40, 40))) <= 1.001


@pytest.mark.hub
def test_a_real_model() -> None:
    text, image = FAMILY.load("openai/clip-vit-base-patch32", FAMILY.options())
    assert text.spec.dim == image.spec.dim == 512
