"""Models of pages: equal to the library's own calls, in any batch, from any folder, and never with random weights."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tiny_hf_clip
import tiny_hf_pages
import tiny_images
from tiny_media import TEXTS, first, jpeg, photo, photos, server, texts, with_broken

from octant.backends.hf_pages import FAMILY, HfPages
from octant.backends.windows import text_windows
from octant.encoding import Role
from octant.errors import EncoderError, MediaError, WeightsError
from octant.media import Image, Modality, Text
from octant.space import Space
from octant.vectors import Kind, Vector

transformers: Any = pytest.importorskip("transformers")
torch: Any = pytest.importorskip("torch")

CLASSES = {
    "colpali": "ColPaliForRetrieval",
    "colqwen2": "ColQwen2ForRetrieval",
    "colmodernvbert": "ColModernVBertForRetrieval",
}
SHORT = ["a cat", "", "what does the invoice of May say?", "naïve 猫"]
Rows = np.ndarray[Any, Any]


@pytest.fixture(scope="session", params=CLASSES)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def folder(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_hf_pages.make(tmp_path_factory.mktemp(kind) / "tiny", kind)


@pytest.fixture(scope="session")
def model(folder: Path) -> HfPages:
    return HfPages(str(folder))


class Reference:
    """The library's own calls, which fill up to the longest: the rows of padding are zero, and left out here."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.model: Any = getattr(transformers, CLASSES[kind]).from_pretrained(folder, dtype=torch.float32).eval()
        self.processor: Any = transformers.AutoProcessor.from_pretrained(folder)

    def images(self, pictures: list[PIL.Image.Image]) -> list[Rows]:
        return self.rows(self.processor.process_images(images=pictures))

    def texts(self, contents: list[str]) -> list[Rows]:
        return self.rows(self.processor.process_queries(text=contents))

    def rows(self, given: Any) -> list[Rows]:
        with torch.inference_mode():
            made = self.model(**given).embeddings
        masks = given["attention_mask"].bool()
        return [rows[mask].numpy() for rows, mask in zip(made, masks, strict=True)]


def assert_alike(found: Sequence[Vector], expected: Sequence[Vector]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert isinstance(one, np.ndarray)
        assert isinstance(other, np.ndarray)
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_pages_equal_the_librarys_own(model: HfPages, folder: Path, kind: str) -> None:
    pictures, reference = photos(), Reference(folder, kind)
    found = model.image.encode([Image(one) for one in pictures], Role.DOCUMENT)
    assert_alike(found, reference.images(pictures))  # a ragged batch, filled up and masked
    assert model.image.spec.dim == tiny_hf_pages.DIM
    assert model.image.spec.kind is Kind.MULTI
    for rows in found:
        np.testing.assert_allclose(np.linalg.norm(np.asarray(rows), axis=1), 1, atol=1e-5)


def test_texts_equal_the_librarys_own(model: HfPages, folder: Path, kind: str) -> None:
    found = model.text.encode(texts(SHORT), Role.QUERY)
    assert_alike(found, Reference(folder, kind).texts(SHORT))  # a ragged batch, filled up and masked
    assert model.text.spec.kind is Kind.MULTI


def test_a_batch_is_as_its_items(model: HfPages) -> None:
    images = [Image(one) for one in photos()] * 3  # more than are prepared at once
    assert_alike(
        model.image.encode(images, Role.DOCUMENT), [model.image.encode([one], Role.DOCUMENT)[0] for one in images]
    )
    said = texts(TEXTS * 3)
    assert_alike(model.text.encode(said, Role.QUERY), [model.text.encode([one], Role.QUERY)[0] for one in said])
    assert model.image.encode([], Role.DOCUMENT) == []
    assert model.text.encode([], Role.QUERY) == []


def test_long_texts_are_read_to_their_end(model: HfPages, folder: Path, kind: str) -> None:
    reference = Reference(folder, kind)
    long = "the cat sat on the mat, and a dog came in out of the rain. " * 6
    windows = list(text_windows(long, model.text.token_spans, model.text.spec.tokens))
    assert len(windows) > 1
    assert all(
        len(given) <= tiny_hf_pages.POSITIONS
        for given in reference.processor.process_queries(text=windows)["input_ids"]
    )
    found = first(model.text.encode([Text(long)], Role.DOCUMENT))
    assert_alike([found], [np.concatenate([reference.texts([window])[0] for window in windows])])


def test_a_text_may_hold_the_marker_of_a_picture(model: HfPages) -> None:
    mark = model._processor.image_token  # pyright: ignore[reportPrivateUsage]
    found = first(model.text.encode([Text(f"what is {mark} in HTML?")], Role.QUERY))
    assert np.isfinite(np.asarray(found)).all()


def test_a_text_is_never_a_path_or_url(model: HfPages, tmp_path: Path) -> None:
    picture = tmp_path / "photo.jpg"
    picture.write_bytes(jpeg(photo(32, 32)))
    with server(picture.read_bytes()) as (url, asked):
        before = model.text.encode(texts([str(picture), url]), Role.QUERY)
        picture.unlink()
        after = model.text.encode(texts([str(picture), url]), Role.DOCUMENT)
    assert_alike(before, after)
    assert asked == []


def test_the_same_weights_elsewhere_are_the_same_encoder(model: HfPages, folder: Path, tmp_path: Path) -> None:
    elsewhere = HfPages(str(shutil.copytree(folder, tmp_path / "other")))
    name, digest = model.image.spec.identity.split("@")
    assert name == "hf_pages:tiny"
    assert elsewhere.image.spec.identity == f"hf_pages:other@{digest}" == elsewhere.text.spec.identity


@pytest.mark.parametrize(("key", "extra"), [("embedding_proj_layer.weight", None), ("", "more.weight")])
def test_weights_that_do_not_fit_are_refused(folder: Path, tmp_path: Path, key: str, extra: str | None) -> None:
    with pytest.raises(WeightsError, match=extra or key):
        HfPages(str(tiny_images.without(folder, tmp_path / "part", key, extra=extra)))


def test_other_architectures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="is clip, which is none of colpali, "):
        HfPages(str(tiny_hf_clip.make(tmp_path / "clip", "clip")))
    with pytest.raises(EncoderError, match="cannot be loaded"):
        HfPages(str(tmp_path))


def test_broken_images_are_told_one_by_one(model: HfPages) -> None:
    images, broken = with_broken()
    with pytest.raises(ExceptionGroup) as caught:
        model.image.encode(images, Role.DOCUMENT)
    assert [error.media for error in caught.value.exceptions if isinstance(error, MediaError)] == [
        images[place] for place in broken
    ]


def test_very_long_pictures(model: HfPages, kind: str) -> None:
    thread = Image(photo(1, 4000))
    if kind == "colqwen2":  # its preprocessing takes none of more than 200 times as long as wide
        with pytest.raises(ExceptionGroup) as caught:
            model.image.encode([thread], Role.DOCUMENT)
        assert "preprocessing refuses" in str(caught.value.exceptions[0])
    else:
        found = first(model.image.encode([thread], Role.DOCUMENT))
        assert np.isfinite(np.asarray(found)).all()


def test_a_large_jpeg_is_as_good_decoded_at_a_fraction(model: HfPages, folder: Path, kind: str) -> None:
    large = jpeg(photo(1600, 1200))
    found = first(model.image.encode([Image(large)], Role.DOCUMENT))
    (whole,) = Reference(folder, kind).images([PIL.Image.open(io.BytesIO(large))])
    assert (np.asarray(found) * whole).sum(axis=1).min() > 0.99


def test_many_threads_may_ask(model: HfPages) -> None:
    from concurrent.futures import ThreadPoolExecutor

    said = texts(TEXTS * 4)
    expected = model.text.encode(said, Role.QUERY)
    with ThreadPoolExecutor(4) as pool:
        alone = list(pool.map(partial(model.text.encode, role=Role.QUERY), [[one] for one in said]))
    assert_alike([vector for (vector,) in alone], expected)


def test_it_makes_a_space_of_multivectors(folder: Path) -> None:
    space = Space("pages", *FAMILY.load(str(folder), FAMILY.options.model_validate({"batch": "2"})))
    assert space.modalities == {Modality.TEXT, Modality.IMAGE}
    page, question = Image(photo(60, 80)), "what is it?"
    expected = (np.asarray(space.embed(question, Role.QUERY)) @ np.asarray(space.embed(page)).T).max(axis=1).sum()
    assert space.similarity(question, page) == pytest.approx(expected, abs=1e-4)


@pytest.mark.hub
def test_a_real_model() -> None:
    text, image = FAMILY.load("ModernVBERT/colmodernvbert-hf", FAMILY.options())
    assert text.spec.dim == image.spec.dim == 128
