"""timm: equal to the library's own call, in any batch, from any folder, and never with random weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_images
from tiny_media import first, jpeg, library, photo, photos, rows, with_broken

from octant.backends.timm import FAMILY, Timm
from octant.backends.torched import TorchOptions
from octant.encoding import Role
from octant.errors import EncoderError, MediaError, WeightsError
from octant.media import Image, Modality

pytest.importorskip("timm")

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "vit_tiny_patch16_224": {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2},
    "resnet10t": {},
}


@pytest.fixture(scope="session", params=ARCHITECTURES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("timm") / "tiny"
    return tiny_images.make_timm(made, request.param, **ARCHITECTURES[request.param])


@pytest.fixture(scope="session")
def encoder(folder: Path) -> Timm:
    return Timm(str(folder))


def reference(folder: Path, pictures: list[Any]) -> np.ndarray[Any, Any]:
    timm = library("timm")
    data = library("timm.data")
    torch = library("torch")
    model: Any = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0).eval()
    transform: Any = data.create_transform(**data.resolve_model_data_config(model), is_training=False)
    with torch.inference_mode():
        made = model(torch.stack([transform(one) for one in pictures])).numpy()
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def test_it_equals_timms_own_call(encoder: Timm, folder: Path) -> None:
    pictures = photos()
    found = rows(encoder.encode([Image(one) for one in pictures], Role.DOCUMENT))
    expected = reference(folder, pictures)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(expected @ expected.T - 1).max() > 0.01  # else all pictures would look alike, and prove nothing
    assert encoder.spec.dim == expected.shape[1]
    assert encoder.spec.modality is Modality.IMAGE


def test_a_batch_is_as_its_items(encoder: Timm) -> None:
    images = [Image(one) for one in photos()] * 4
    alone = rows([encoder.encode([one], Role.QUERY)[0] for one in images])
    np.testing.assert_allclose(rows(encoder.encode(images, Role.DOCUMENT)), alone, atol=1e-5)
    assert encoder.encode([], Role.DOCUMENT) == []


def test_the_same_weights_elsewhere_are_the_same_encoder(encoder: Timm, folder: Path, tmp_path: Path) -> None:
    elsewhere = Timm(str(shutil.copytree(folder, tmp_path / "other")))
    name, digest = encoder.spec.identity.split("@")
    assert name == "timm:tiny"
    assert elsewhere.spec.identity == f"timm:other@{digest}"
    image = Image(photo(50, 40))
    np.testing.assert_array_equal(encoder.encode([image], Role.QUERY)[0], elsewhere.encode([image], Role.QUERY)[0])


def test_other_weights_are_another_encoder(encoder: Timm, tmp_path: Path) -> None:
    architecture = next(iter(ARCHITECTURES))
    other = Timm(str(tiny_images.make_timm(tmp_path / "tiny", architecture, seed=1, **ARCHITECTURES[architecture])))
    assert other.spec.identity != encoder.spec.identity


def test_what_weights_do_not_show_counts_as_well(tmp_path: Path) -> None:
    small = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 1}
    architecture = "vit_tiny_patch16_224"
    made = [
        Timm(str(tiny_images.make_timm(tmp_path / str(heads) / "tiny", architecture, num_heads=heads, **small)))
        for heads in (2, 4)
    ]
    image = Image(photo(40, 40))
    assert np.abs(first(made[0].encode([image], Role.QUERY)) - first(made[1].encode([image], Role.QUERY))).max() > 1e-3
    assert made[0].spec.identity != made[1].spec.identity


@pytest.mark.parametrize(("key", "extra"), [("norm.weight", None), ("", "more.weight")])
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, key: str, extra: str | None) -> None:
    architecture = next(iter(ARCHITECTURES))
    whole = tiny_images.make_timm(tmp_path / "whole", architecture, **ARCHITECTURES[architecture])
    with pytest.raises(WeightsError, match=extra or key):
        Timm(str(tiny_images.without(whole, tmp_path / "part", key, extra=extra)))


@pytest.mark.parametrize(
    ("altered", "says"),
    [
        ({"num_classes": 7}, "7 classes in model_args and 5 in pretrained_cfg"),
        ({"pretrained_strict": False}, "lacks 1 of the model's weights .blocks.1.attn.qkv.weight"),
    ],
)
def test_a_config_cannot_have_missing_weights_filled_up(tmp_path: Path, altered: dict[str, Any], says: str) -> None:
    """With either timm loads what is there, and leaves the rest random."""
    architecture = next(iter(ARCHITECTURES))
    whole = tiny_images.make_timm(tmp_path / "whole", architecture, **ARCHITECTURES[architecture])
    part = tiny_images.without(whole, tmp_path / "part", "blocks.1.attn.qkv.weight")
    config = json.loads((part / "config.json").read_text())
    config["model_args"] |= altered
    (part / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=says):
        Timm(str(part))


def test_positions_are_not_interpolated(tmp_path: Path) -> None:
    architecture = next(iter(ARCHITECTURES))
    made = tiny_images.make_timm(tmp_path / "tiny", architecture, **ARCHITECTURES[architecture])
    config = json.loads((made / "config.json").read_text())
    config["model_args"]["img_size"] = 64
    config["pretrained_cfg"]["input_size"] = [3, 64, 64]
    (made / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=r"shape 1 .*pos_embed"):
        Timm(str(made))


def test_a_home_folder_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    assert Timm("~/tiny").spec.identity == Timm(str(folder)).spec.identity
    with pytest.raises(EncoderError, match="is no folder"):
        Timm("~/no_such_folder")


def test_a_folder_without_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    bare = shutil.copytree(folder, tmp_path / "bare")
    (bare / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="No suitable checkpoints"):
        Timm(str(bare))


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(WeightsError, match="Unknown model"):
        Timm("no_such_architecture")
    with pytest.raises(EncoderError, match="revisions"):
        Timm("resnet10t", TorchOptions(revision="main"))


def test_broken_images_are_told_one_by_one(encoder: Timm) -> None:
    images, broken = with_broken()
    with pytest.raises(ExceptionGroup) as caught:
        encoder.encode(images, Role.DOCUMENT)
    assert [error.media for error in caught.value.exceptions if isinstance(error, MediaError)] == [
        images[place] for place in broken
    ]
    good = [image for place, image in enumerate(images) if place not in broken]
    assert len(encoder.encode(good, Role.DOCUMENT)) == len(good)


def test_a_very_long_picture_is_not_scaled_up_whole(encoder: Timm, folder: Path) -> None:
    long = photo(2000, 20)
    found = first(encoder.encode([Image(long)], Role.DOCUMENT))
    (expected,) = reference(folder, [long])
    assert found @ expected > 0.999
    thread = Image(photo(1, 60_000))  # timm would make 115 million pixels of it
    assert np.isfinite(rows(encoder.encode([thread], Role.DOCUMENT))).all()


def test_a_large_jpeg_is_as_good_decoded_at_a_fraction(encoder: Timm, folder: Path) -> None:
    large = jpeg(photo(1600, 1200))
    found = first(encoder.encode([Image(large)], Role.DOCUMENT))
    import io

    import PIL.Image

    (expected,) = reference(folder, [PIL.Image.open(io.BytesIO(large)).convert("RGB")])
    assert found @ expected > 0.999


def test_it_is_found_by_its_family(folder: Path) -> None:
    (encoder,) = FAMILY.load(str(folder), FAMILY.options.model_validate({"batch": "4", "threads": "1"}))
    assert encoder.spec.modality is Modality.IMAGE


@pytest.mark.hub
def test_a_real_model() -> None:
    (encoder,) = FAMILY.load("mobilenetv4_conv_small.e2400_r224_in1k", FAMILY.options())
    assert encoder.spec.dim == 1280
