"""Image models of Hugging Face: pooled truthfully, in any batch, from any folder, and never with random weights."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tiny_images
from tiny_media import first, jpeg, library, photo, photos, rows, with_broken

from octant.backends.hf_image import FAMILY, HfImage, HfImageOptions
from octant.encoding import Role
from octant.errors import EncoderError, MediaError, WeightsError
from octant.media import Image, Modality

pytest.importorskip("transformers")
torch: Any = pytest.importorskip("torch")

MODELS = ("vit", "dinov2", "dinov2-registers", "dinov3", "resnet", "swin")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folders: dict[str, Path] = {}

    def folder(kind: str) -> Path:
        if kind not in folders:
            folders[kind] = tiny_images.make(tmp_path_factory.mktemp(kind) / "tiny", kind)
        return folders[kind]

    return folder


@pytest.fixture(scope="session")
def loaded(made: Callable[[str], Path]) -> Callable[[str], HfImage]:
    encoders: dict[str, HfImage] = {}

    def encoder(kind: str) -> HfImage:
        if kind not in encoders:
            encoders[kind] = HfImage(str(made(kind)))
        return encoders[kind]

    return encoder


def said_by(folder: Path, pictures: list[PIL.Image.Image]) -> Any:
    """What transformers itself says of the pictures."""
    transformers = library("transformers")
    model: Any = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    processor: Any = transformers.AutoImageProcessor.from_pretrained(folder)
    with torch.inference_mode():
        return model(**processor(images=pictures, return_tensors="pt"))


def unit(made: Any) -> np.ndarray[Any, Any]:
    return np.asarray(torch.nn.functional.normalize(made, dim=1).numpy())


# what each pooling means, written out: model, pooling, from transformers' own output
POOLINGS: list[tuple[str, str | None, Callable[[Any], Any]]] = [
    ("vit", None, lambda said: said.last_hidden_state[:, 0]),
    ("vit", "cls", lambda said: said.last_hidden_state[:, 0]),
    ("vit", "mean", lambda said: said.last_hidden_state[:, 1:].mean(1)),
    ("vit", "pooler", lambda said: said.pooler_output),
    ("dinov2", None, lambda said: said.pooler_output),
    ("dinov2", "mean", lambda said: said.last_hidden_state[:, -16:].mean(1)),
    ("dinov2-registers", None, lambda said: said.last_hidden_state[:, 0]),
    ("dinov2-registers", "mean", lambda said: said.last_hidden_state[:, -16:].mean(1)),
    ("dinov3", None, lambda said: said.pooler_output),
    ("dinov3", "mean", lambda said: said.last_hidden_state[:, -16:].mean(1)),
    ("resnet", None, lambda said: said.pooler_output.flatten(1)),
    ("resnet", "gap", lambda said: said.last_hidden_state.mean((2, 3))),
    ("swin", None, lambda said: said.pooler_output),
    ("swin", "gap", lambda said: said.last_hidden_state.mean(1)),
    ("deit", None, lambda said: said.last_hidden_state[:, 0]),
    ("deit", "mean", lambda said: said.last_hidden_state[:, -16:].mean(1)),
    ("vit_msn", None, lambda said: said.last_hidden_state[:, 0]),
    ("vit_msn", "mean", lambda said: said.last_hidden_state[:, -16:].mean(1)),
    ("beit", None, lambda said: said.pooler_output),
    ("beit", "mean", lambda said: said.last_hidden_state[:, -16:].mean(1)),
    ("data2vec-vision", None, lambda said: said.last_hidden_state[:, -16:].mean(1)),
    ("clip_vision_model", None, lambda said: said.pooler_output),
    ("clip_vision_model", "mean", lambda said: said.last_hidden_state[:, -16:].mean(1)),
    ("siglip_vision_model", None, lambda said: said.pooler_output),
    ("siglip_vision_model", "mean", lambda said: said.last_hidden_state[:, -16:].mean(1)),
    ("ijepa", None, lambda said: said.last_hidden_state[:, -16:].mean(1)),
    ("swinv2", None, lambda said: said.pooler_output),
    ("regnet", None, lambda said: said.last_hidden_state.mean((2, 3))),
    ("convnext", None, lambda said: said.pooler_output),
    ("convnextv2", None, lambda said: said.pooler_output),
    ("dinov3_convnext", None, lambda said: said.pooler_output),
    ("dinov3_convnext", "mean", lambda said: said.last_hidden_state[:, 1:].mean(1)),
    ("mobilenet_v2", None, lambda said: said.last_hidden_state.mean((2, 3))),
]


@pytest.mark.parametrize(("kind", "pooling", "means"), POOLINGS)
def test_pooling_equals_what_it_says(
    made: Callable[[str], Path], kind: str, pooling: str | None, means: Callable[[Any], Any]
) -> None:
    encoder = HfImage(str(made(kind)), HfImageOptions.model_validate({"pooling": pooling}))
    pictures = photos()
    found = rows(encoder.encode([Image(one) for one in pictures], Role.DOCUMENT))
    expected = unit(means(said_by(made(kind), pictures)))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(expected @ expected.T - 1).max() > 1e-3  # else all pictures would look alike, and prove nothing
    assert encoder.spec.dim == expected.shape[1]


@pytest.mark.parametrize("kind", MODELS)
def test_a_batch_is_as_its_items(loaded: Callable[[str], HfImage], kind: str) -> None:
    images = [Image(one) for one in photos()] * 4
    alone = rows([loaded(kind).encode([one], Role.QUERY)[0] for one in images])
    np.testing.assert_allclose(rows(loaded(kind).encode(images, Role.DOCUMENT)), alone, atol=1e-5)
    assert loaded(kind).encode([], Role.DOCUMENT) == []


def test_poolings_are_different_encoders(made: Callable[[str], Path], loaded: Callable[[str], HfImage]) -> None:
    mean = HfImage(str(made("vit")), HfImageOptions(pooling="mean"))
    assert mean.spec.identity != loaded("vit").spec.identity


@pytest.mark.parametrize("kind", MODELS)
def test_the_same_weights_elsewhere_are_the_same_encoder(
    made: Callable[[str], Path], loaded: Callable[[str], HfImage], tmp_path: Path, kind: str
) -> None:
    elsewhere = HfImage(str(shutil.copytree(made(kind), tmp_path / "other")))
    name, digest = loaded(kind).spec.identity.split("@")
    assert name == "hf_image:tiny"
    assert elsewhere.spec.identity == f"hf_image:other@{digest}"
    image = Image(photo(50, 40))
    np.testing.assert_array_equal(
        loaded(kind).encode([image], Role.QUERY)[0], elsewhere.encode([image], Role.DOCUMENT)[0]
    )


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("swinv2", "pretrained_window_sizes", [8, 8]),
        ("mobilenet_v2", "output_stride", 8),
        ("mobilenet_v2", "tf_padding", False),
        ("bottleneck", "downsample_in_bottleneck", True),
    ],
)
def test_what_weights_do_not_show_counts_as_well(
    made: Callable[[str], Path], tmp_path: Path, kind: str, key: str, value: Any
) -> None:
    other = shutil.copytree(made(kind), tmp_path / "tiny")
    config = json.loads((other / "config.json").read_text())
    assert config[key] != value
    (other / "config.json").write_text(json.dumps(config | {key: value}))
    first_, second = HfImage(str(made(kind))), HfImage(str(other))
    image = Image(photo(64, 64))
    assert np.abs(first(first_.encode([image], Role.QUERY)) - first(second.encode([image], Role.QUERY))).max() > 1e-4
    assert first_.spec.identity != second.spec.identity


@pytest.mark.parametrize(
    ("kind", "key", "extra"),
    [
        ("vit", "layernorm.weight", None),
        ("vit", "", "more.weight"),
        ("dinov2", "layernorm.weight", None),
        ("resnet", "embedder.embedder.convolution.weight", None),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    made: Callable[[str], Path], tmp_path: Path, kind: str, key: str, extra: str | None
) -> None:
    with pytest.raises(WeightsError, match=extra or key):
        HfImage(str(tiny_images.without(made(kind), tmp_path / "part", key, extra=extra)))


def test_a_classifiers_checkpoint_has_no_pooler(made: Callable[[str], Path]) -> None:
    """ViTForImageClassification keeps no pooler: transformers would make one up."""
    folder = made("vit-classifier")
    encoder = HfImage(str(folder))
    found = first(encoder.encode([Image(photo(40, 40))], Role.DOCUMENT))
    np.testing.assert_allclose(found, unit(said_by(folder, [photo(40, 40)]).last_hidden_state[:, 0])[0], atol=1e-5)
    assert HfImage(str(folder)).spec.identity == encoder.spec.identity  # no random weight has a part in it
    with pytest.raises(WeightsError, match="pooler"):
        HfImage(str(folder), HfImageOptions(pooling="pooler"))


@pytest.mark.parametrize(
    ("kind", "pooling", "says"),
    [
        ("vit", "gap", "it has pooler, cls, mean"),
        ("resnet", "cls", "it has pooler, gap"),
        ("resnet", "mean", "it has pooler, gap"),
        ("swin", "cls", "it has pooler, mean, gap"),
        ("mae", None, "does not know which tokens vit_mae has"),
        ("mae", "gap", "other vectors of the same image each time"),
        ("mae", "pooler", "has no pooler"),
    ],
)
def test_poolings_that_a_model_does_not_have_are_refused(
    made: Callable[[str], Path], kind: str, pooling: str | None, says: str
) -> None:
    with pytest.raises(EncoderError, match=says):
        HfImage(str(made(kind)), HfImageOptions.model_validate({"pooling": pooling}))


def test_what_is_no_image_model_is_refused(tmp_path: Path) -> None:
    transformers = library("transformers")
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    transformers.BertModel(transformers.BertConfig(vocab_size=50, **small)).save_pretrained(tmp_path / "bert")
    with pytest.raises(EncoderError, match="bert"):
        HfImage(str(tmp_path / "bert"))
    with pytest.raises(EncoderError, match=r"preprocessor_config|image processor"):
        HfImage(str(tmp_path / "bert"), HfImageOptions(pooling="pooler"))
    with pytest.raises(EncoderError, match="cannot be loaded"):
        HfImage(str(tmp_path))


def test_broken_images_are_told_one_by_one(loaded: Callable[[str], HfImage]) -> None:
    images, broken = with_broken()
    with pytest.raises(ExceptionGroup) as caught:
        loaded("vit").encode(images, Role.DOCUMENT)
    assert [error.media for error in caught.value.exceptions if isinstance(error, MediaError)] == [
        images[place] for place in broken
    ]


@pytest.mark.parametrize("kind", ["vit", "dinov2", "resnet"])
def test_very_long_pictures(made: Callable[[str], Path], loaded: Callable[[str], HfImage], kind: str) -> None:
    long = photo(2000, 20)
    found = first(loaded(kind).encode([Image(long)], Role.DOCUMENT))
    default = next(means for name, pooling, means in POOLINGS if name == kind and pooling is None)
    assert found @ unit(default(said_by(made(kind), [long])))[0] > 0.999
    thread = Image(photo(1, 60_000))  # scaled by its shorter side it would have 70 million pixels
    assert np.isfinite(rows(loaded(kind).encode([thread], Role.DOCUMENT))).all()


@pytest.mark.parametrize("kind", MODELS)
def test_a_large_jpeg_is_as_good_decoded_at_a_fraction(
    made: Callable[[str], Path], loaded: Callable[[str], HfImage], kind: str
) -> None:
    encoder = loaded(kind)
    assert encoder.spec.pixels is not None
    assert encoder.spec.pixels >= 2 * tiny_images.SIDE
    large = jpeg(photo(1600, 1200))
    found = first(encoder.encode([Image(large)], Role.DOCUMENT))
    whole = first(encoder.encode([Image(PIL.Image.open(io.BytesIO(large)))], Role.DOCUMENT))
    assert found @ whole > 0.999


def test_half_precision_is_asked_for(made: Callable[[str], Path], loaded: Callable[[str], HfImage]) -> None:
    half = HfImage(str(made("vit")), HfImageOptions(dtype="bfloat16"))
    image = Image(photo(50, 40))
    found = first(half.encode([image], Role.QUERY))
    assert found.dtype == np.float32
    assert found @ first(loaded("vit").encode([image], Role.QUERY)) > 0.99
    assert half.spec.identity != loaded("vit").spec.identity


def test_a_checkpoint_in_half_precision_is_computed_in_full(made: Callable[[str], Path], tmp_path: Path) -> None:
    transformers = library("transformers")
    transformers.AutoModel.from_pretrained(made("vit"), dtype=torch.bfloat16).save_pretrained(tmp_path)
    shutil.copy(made("vit") / "preprocessor_config.json", tmp_path)
    assert {one.dtype for one in HfImage(str(tmp_path))._model.parameters()} == {torch.float32}  # pyright: ignore[reportPrivateUsage]


def test_it_is_found_by_its_family(made: Callable[[str], Path]) -> None:
    (encoder,) = FAMILY.load(str(made("dinov2")), FAMILY.options.model_validate({"pooling": "mean", "batch": "4"}))
    assert encoder.spec.modality is Modality.IMAGE


@pytest.mark.parametrize("module", ["open_clip", "hf_clip", "hf_image", "hf_pages", "timm"])
def test_importing_a_family_loads_no_library(module: str) -> None:
    heavy = "{'torch', 'torchvision', 'transformers', 'open_clip', 'timm', 'PIL.Image'}"
    code = f"import sys, octant.backends.{module}; print({heavy} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


@pytest.mark.hub
def test_a_real_model() -> None:
    (encoder,) = FAMILY.load("facebook/dinov2-small", FAMILY.options())
    assert encoder.spec.dim == 384
