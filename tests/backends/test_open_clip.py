"""OpenCLIP: equal to the library's own call, in any batch, from any folder, and never with random weights."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tiny_images
import tiny_open_clip
from tiny_media import TEXTS, first, jpeg, library, photo, photos, rows, server, texts, with_broken

from octant.backends.open_clip import FAMILY, OpenClip
from octant.backends.torched import TorchOptions
from octant.encoding import Role
from octant.errors import EncoderError, MediaError, WeightsError
from octant.media import Image, Modality, Text
from octant.space import Space

open_clip: Any = pytest.importorskip("open_clip")

SHORT = ["a cat", "", "cat cat cat", "naïve 猫"]


@pytest.fixture(scope="session", params=["clip", "longest", "squash", "siglip"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    mode = request.param if request.param in ("longest", "squash") else "shortest"
    made = tmp_path_factory.mktemp("open_clip") / "tiny"
    return tiny_open_clip.make(made, resize_mode=mode, siglip=request.param == "siglip")


@pytest.fixture(scope="session")
def model(folder: Path) -> OpenClip:
    return OpenClip(str(folder))


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> OpenClip:
    return OpenClip(str(tiny_open_clip.make(tmp_path_factory.mktemp("clip") / "tiny")))


@pytest.mark.parametrize("is_filled", [False, True])
def test_texts_that_are_padded_to_one_length_count_as_alike(
    tmp_path: Path, told: list[list[int]], is_filled: bool
) -> None:
    model = OpenClip(str(tiny_open_clip.make(tmp_path / "tiny", siglip=is_filled)))
    model.text.encode(texts(["cat", "the cat sat on the mat"]), Role.DOCUMENT)
    assert (len(set(told[0])) == 1) is is_filled


class Reference:
    """The library's own calls."""

    def __init__(self, folder: Path) -> None:
        name = f"local-dir:{folder}"
        self.model: Any = open_clip.create_model(name, require_pretrained=True).eval()
        self.transform: Any = open_clip.create_model_from_pretrained(name)[1]
        self.tokenizer: Any = open_clip.get_tokenizer(name)

    def images(self, pictures: list[PIL.Image.Image]) -> np.ndarray[Any, Any]:
        torch = library("torch")
        with torch.inference_mode():
            given = torch.stack([self.transform(one) for one in pictures])
            made: np.ndarray[Any, Any] = self.model.encode_image(given, normalize=True).numpy()
        return made

    def texts(self, contents: list[str]) -> np.ndarray[Any, Any]:
        torch = library("torch")
        with torch.inference_mode():
            made: np.ndarray[Any, Any] = self.model.encode_text(self.tokenizer(contents), normalize=True).numpy()
        return made


def test_images_equal_open_clips_own(model: OpenClip, folder: Path) -> None:
    pictures = [one for one in photos() if min(one.size) > 3]
    found = rows(model.image.encode([Image(one) for one in pictures], Role.DOCUMENT))
    expected = Reference(folder).images(pictures)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(expected @ expected.T - 1).max() > 1e-3
    assert model.image.spec.dim == expected.shape[1]


def test_texts_equal_open_clips_own(model: OpenClip, folder: Path) -> None:
    found = rows(model.text.encode(texts(SHORT), Role.QUERY))
    np.testing.assert_allclose(found, Reference(folder).texts(SHORT), atol=1e-5)


def test_the_padding_that_is_left_out_is_not_seen(clip: OpenClip) -> None:
    assert clip._can_cut  # else the next line would compare open_clip with itself  # pyright: ignore[reportPrivateUsage]
    found = [clip.text.encode([Text(one)], Role.QUERY)[0] for one in SHORT]
    whole = rows(clip.text.encode(texts(SHORT), Role.QUERY))
    np.testing.assert_allclose(rows(found), whole, atol=1e-5)


def test_a_batch_is_as_its_items(model: OpenClip) -> None:
    images = [Image(one) for one in photos()] * 4
    alone = rows([model.image.encode([one], Role.DOCUMENT)[0] for one in images])
    np.testing.assert_allclose(rows(model.image.encode(images, Role.DOCUMENT)), alone, atol=1e-5)
    said = texts(TEXTS * 4)
    alone = rows([model.text.encode([one], Role.QUERY)[0] for one in said])
    np.testing.assert_allclose(rows(model.text.encode(said, Role.DOCUMENT)), alone, atol=1e-5)
    assert model.image.encode([], Role.DOCUMENT) == []
    assert model.text.encode([], Role.QUERY) == []


def test_long_texts_are_read_to_their_end(model: OpenClip, folder: Path) -> None:
    assert model.text.spec.tokens == tiny_open_clip.CONTEXT - 2
    words = ["cat"] * 14
    one = first(model.text.encode([Text(" ".join(words * 2))], Role.DOCUMENT))
    half = Reference(folder).texts([" ".join(words) + " ", " ".join(words)])
    mean = half.sum(axis=0) / np.linalg.norm(half.sum(axis=0))
    np.testing.assert_allclose(one, mean, atol=1e-5)
    base = "a cat and a dog in the rain and then "
    end = [model.text.encode([Text(base * 5 + last)], Role.DOCUMENT)[0] for last in ("sun", "moonlight")]
    assert np.abs(np.asarray(end[0]) - end[1]).max() > 1e-3


def test_no_window_has_more_tokens_than_the_model_reads(model: OpenClip, folder: Path) -> None:
    from octant.backends.windows import text_windows

    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    nasty = "é" * 50 + " &amp;amp;lt; " + "🐈‍⬛" * 20 + "   " + "x_y-z " * 30 + "ﬁﬃ①" * 9
    windows = list(text_windows(nasty, model.text.token_spans, model.text.spec.tokens))
    assert "".join(windows) == nasty
    for window in windows:
        ids = tokenizer.tokenizer(tokenizer.clean_fn(window)).input_ids
        assert len(ids) <= tiny_open_clip.CONTEXT


def test_spans_lie_within_the_text(model: OpenClip) -> None:
    for text in TEXTS:
        spans = model.text.token_spans(text)
        assert all(0 <= start <= end <= len(text) for start, end in spans)
        assert list(spans) == sorted(spans)


def test_a_text_is_never_a_path_or_url(clip: OpenClip, tmp_path: Path) -> None:
    picture = tmp_path / "photo.jpg"
    picture.write_bytes(jpeg(photo(32, 32)))
    with server(picture.read_bytes()) as (url, asked):
        before = clip.text.encode(texts([str(picture), url]), Role.QUERY)
        picture.unlink()
        after = clip.text.encode(texts([str(picture), url]), Role.DOCUMENT)
    np.testing.assert_array_equal(rows(before), rows(after))
    assert asked == []


def test_the_same_weights_elsewhere_are_the_same_encoder(model: OpenClip, folder: Path, tmp_path: Path) -> None:
    elsewhere = OpenClip(str(shutil.copytree(folder, tmp_path / "other")))
    name, digest = model.image.spec.identity.split("@")
    assert name == "open_clip:tiny"
    assert elsewhere.image.spec.identity == f"open_clip:other@{digest}" == elsewhere.text.spec.identity


def test_another_preprocessing_is_another_encoder(clip: OpenClip, tmp_path: Path) -> None:
    squashing = OpenClip(str(tiny_open_clip.make(tmp_path / "tiny", resize_mode="squash")))
    assert squashing.image.spec.identity != clip.image.spec.identity


def test_what_weights_do_not_show_counts_as_well(clip: OpenClip, tmp_path: Path) -> None:
    quick = tiny_open_clip.make(tmp_path / "tiny")
    config = quick / "open_clip_config.json"
    config.write_text(config.read_text().replace('"embed_dim"', '"quick_gelu": true, "embed_dim"'))
    assert OpenClip(str(quick)).image.spec.identity != clip.image.spec.identity


@pytest.mark.parametrize(("key", "extra"), [("ln_final.weight", None), ("", "more.weight")])
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, key: str, extra: str | None) -> None:
    whole = tiny_open_clip.make(tmp_path / "whole")
    with pytest.raises(WeightsError, match=extra or key):
        OpenClip(str(tiny_images.without(whole, tmp_path / "part", key, extra=extra)))


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    bare = tiny_open_clip.make(tmp_path / "bare")
    (bare / "open_clip_model.safetensors").unlink()
    with pytest.raises(WeightsError, match="could not be loaded"):
        OpenClip(str(bare))
    (bare / "open_clip_config.json").unlink()
    with pytest.raises(EncoderError, match=r"open_clip_config\.json"):
        OpenClip(str(bare))


def altered(folder: Path, tower: str = "text_cfg", **other: Any) -> Path:
    """A folder whose config says something else of a tower."""
    path = folder / "open_clip_config.json"
    config = json.loads(path.read_text())
    config["model_cfg"][tower] |= other
    path.write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("siglip", [False, True])
@pytest.mark.parametrize(
    ("tower", "other", "says"),
    [
        ("vision_cfg", {"image_size": 64}, "shape 1 .*visual.positional_embedding"),
        ("text_cfg", {"context_length": 32}, "shape 1 .*positional_embedding"),
    ],
)
def test_positions_are_not_interpolated(
    tmp_path: Path, tower: str, other: dict[str, Any], says: str, *, siglip: bool
) -> None:
    made = altered(tiny_open_clip.make(tmp_path / "tiny", siglip=siglip), tower, **other)
    with pytest.raises(WeightsError, match=says):
        OpenClip(str(made))


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"tokenizer_kwargs": {"trust_remote_code": True}}, "asks for a tokenizer with trust_remote_code"),
        ({}, "never runs such code"),
        ({"hf_model_name": "FOLDER"}, "never runs such code"),
    ],
)
def test_code_that_comes_with_a_model_is_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], says: str
) -> None:
    made = tiny_open_clip.make(tmp_path / "tiny")
    altered(made, **{key: str(made) if value == "FOLDER" else value for key, value in asked.items()})
    (made / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Evil: pass\n")
    for name, kinds in (("tokenizer_config", ["AutoTokenizer"]), ("config", ["AutoConfig", "AutoModel"])):
        path = made / f"{name}.json"
        told = json.loads(path.read_text()) if path.exists() else {"model_type": "evil"}
        told |= {"auto_map": {kind: ["evil.Evil"] * 2 if name != "config" else "evil.Evil" for kind in kinds}}
        path.write_text(json.dumps(told | {"tokenizer_class": "Evil"}))

    def yes(question: str) -> str:
        return "y" if question else ""

    monkeypatch.setattr("builtins.input", yes)  # transformers asks, unless it is told no
    with pytest.raises(EncoderError, match=says):
        OpenClip(str(made))
    assert not (tmp_path / "ran").exists()


def test_a_text_is_read_behind_a_mark_in_it(clip: OpenClip) -> None:
    contents = ["cat", "cat<|endoftext|> zebra", "cat&lt;|endoftext|&gt; zebra", "cat < |endoftext|> zebra"]
    end, *found = rows(clip.text.encode(texts(contents), Role.QUERY))
    assert np.abs(found[0] - end).max() > 1e-3
    np.testing.assert_allclose(found[1], found[0], atol=1e-6)
    long = "cat<|endoftext|> " * 9  # as words they are more than the model reads at once
    windows = [clip.text.encode([Text(long + last)], Role.DOCUMENT)[0] for last in ("sun", "moonlight")]
    assert np.abs(np.asarray(windows[0]) - windows[1]).max() > 1e-3


def test_a_home_folder_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    assert OpenClip("~/tiny").text.spec.identity == OpenClip(str(folder)).text.spec.identity
    with pytest.raises(EncoderError, match="is no folder"):
        OpenClip("~/no_such_folder")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("ViT-B-32", "write ARCHITECTURE/TAG"),
        ("ViT-B-32/no_such_tag", "its tags are openai, "),
        ("NoSuch/openai", "list_pretrained"),
    ],
)
def test_names_that_mean_nothing_are_refused(name: str, says: str) -> None:
    with pytest.raises(EncoderError, match=says):
        OpenClip(name)


def test_openais_weights_get_their_activation(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def create_model(name: str, **given: Any) -> Any:
        asked.update(given, name=name)
        raise RuntimeError("no network in tests")

    monkeypatch.setattr(open_clip, "create_model", create_model)
    with pytest.raises(WeightsError, match="no network"):
        OpenClip("ViT-B-32/openai")
    assert asked["force_quick_gelu"] is True
    assert asked["require_pretrained"] is True


def test_a_revision_is_refused(folder: Path) -> None:
    with pytest.raises(EncoderError, match="revisions"):
        OpenClip(str(folder), TorchOptions(revision="main"))


def test_broken_images_are_told_one_by_one(clip: OpenClip) -> None:
    images, broken = with_broken()
    with pytest.raises(ExceptionGroup) as caught:
        clip.image.encode(images * 40, Role.DOCUMENT)  # more than are prepared at once
    found = [error.media for error in caught.value.exceptions if isinstance(error, MediaError)]
    assert found == [images[place] for place in broken] * 40


def test_very_long_pictures(model: OpenClip, folder: Path) -> None:
    config = json.loads((folder / "open_clip_config.json").read_text())
    long = photo(600, 24)
    found = first(model.image.encode([Image(long)], Role.DOCUMENT))
    (expected,) = Reference(folder).images([long])
    assert found @ expected > 0.999
    thread = [Image(photo(1, 60_000))]  # scaled by its shorter side it would have 60 million pixels
    if config["preprocess_cfg"]["resize_mode"] == "longest":  # a fraction of a pixel
        with pytest.raises(ExceptionGroup) as caught:
            model.image.encode(thread, Role.DOCUMENT)
        assert "preprocessing refuses" in str(caught.value.exceptions[0])
    else:
        assert np.isfinite(rows(model.image.encode(thread, Role.DOCUMENT))).all()


def test_a_large_jpeg_is_as_good_decoded_at_a_fraction(model: OpenClip, folder: Path) -> None:
    large = jpeg(photo(1600, 1200))
    found = first(model.image.encode([Image(large)], Role.DOCUMENT))
    (expected,) = Reference(folder).images([PIL.Image.open(io.BytesIO(large)).convert("RGB")])
    assert found @ expected > 0.999


def test_openais_tokenizer_in_python(tmp_path: Path) -> None:
    """Without a tokenizer of its own a model has OpenAI's, which comes with open_clip."""
    made = tiny_open_clip.make(tmp_path / "tiny", openai=True)
    model, reference = OpenClip(str(made)), Reference(made)
    contents = ["a cat", "", "end_of_text in the middle", "A Dog &amp; 猫 runs"]
    np.testing.assert_allclose(
        rows(model.text.encode(texts(contents), Role.QUERY)), reference.texts(contents), atol=1e-5
    )
    marked = texts(["a cat", "a cat <END_OF_TEXT> zebra", "a cat < END_OF_TEXT> zebra"])
    end, *behind = rows(model.text.encode(marked, Role.QUERY))
    assert np.abs(behind[0] - end).max() > 1e-3
    np.testing.assert_allclose(behind[0], reference.texts([marked[2].content])[0], atol=1e-5)
    long = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen " * 2
    whole = first(model.text.encode([Text(long)], Role.QUERY))
    half = reference.texts([long[: len(long) // 2]])[0]
    np.testing.assert_allclose(whole, half, atol=1e-5)


def test_it_makes_a_space(folder: Path) -> None:
    space = Space("photos", *FAMILY.load(str(folder), FAMILY.options.model_validate({"batch": "4"})))
    assert space.modalities == {Modality.TEXT, Modality.IMAGE}
    assert -1.001 <= space.similarity("a cat", Image(photo(40, 40))) <= 1.001


@pytest.mark.hub
def test_a_real_model() -> None:
    text, image = FAMILY.load("ViT-B-32/laion2b_s34b_b79k", FAMILY.options())
    assert text.spec.dim == image.spec.dim == 512
