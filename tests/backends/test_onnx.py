"""Exported towers: their vectors are those of the model in torch; in int8 they are near, and how near is noted."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sounds import TOLERANCE, of, singly
from sounds import encode as at_once
from tiny_media import photo, photos, with_broken
from tiny_onnx import OPTIONS, Towers, towers
from tiny_text import LONG, RAGGED, bert, encoded, texts

from octant.backends.exported import SETTINGS, ExportedOptions
from octant.backends.hf_clip import HfClip
from octant.backends.hf_image import HfImage, HfImageOptions
from octant.backends.hf_text import HfText, HfTextOptions
from octant.backends.onnx import FAMILY, OnnxImage, OnnxText, export_image, export_text
from octant.encoding import Role
from octant.errors import EncoderError, MediaError, WeightsError
from octant.media import Image, Modality

transformers: Any = importlib.import_module("transformers")

PARITY = 1e-4
PIXELS = 5e-3
"""Pillow scales pictures a little differently from torchvision, by which the model in torch prepares them."""
INT8 = ExportedOptions(precision="int8")
ALL = [*RAGGED, LONG]
PICTURES = [Image(one) for one in photos()[:5]]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Towers:
    return towers(tmp_path_factory.mktemp("onnx"))


@pytest.fixture(scope="session")
def text(made: Towers) -> OnnxText:
    return OnnxText(made.text)


@pytest.fixture(scope="session")
def clip(made: Towers) -> HfClip:
    return HfClip(str(made.clip))


def noted(folder: Path) -> dict[str, Any]:
    return json.loads((folder / SETTINGS).read_text(encoding="utf-8"))


@pytest.mark.parametrize("role", Role)
def test_texts_as_in_torch(made: Towers, text: OnnxText, role: Role) -> None:
    torch = HfText(made.bert, OPTIONS)
    np.testing.assert_allclose(encoded(text, ALL, role), encoded(torch, ALL, role), atol=PARITY)
    assert (text.spec.dim, text.spec.tokens) == (torch.spec.dim, torch.spec.tokens)
    assert text.spec.identity != torch.spec.identity
    assert text.token_spans(LONG) == torch.token_spans(LONG)


@pytest.mark.parametrize("pooling", ["cls", "max", "last"])
def test_every_pooling_as_in_torch(made: Towers, tmp_path: Path, pooling: Any) -> None:
    options = HfTextOptions(pooling=pooling)
    export_text(made.bert, tmp_path / "out", options)
    found = encoded(OnnxText(tmp_path / "out"), ALL)
    np.testing.assert_allclose(found, encoded(HfText(made.bert, options), ALL), atol=PARITY)


def test_a_space_of_texts_and_images_as_in_torch(made: Towers, clip: HfClip) -> None:
    encoders = FAMILY.load(str(made.space), FAMILY.options())
    said = texts("a cat", "a dog and a cat, ", "", "cat " * 30)
    np.testing.assert_allclose(at_once(of(Modality.TEXT, encoders), *said), at_once(clip.text, *said), atol=PARITY)
    pictures = of(Modality.IMAGE, encoders)
    np.testing.assert_allclose(at_once(pictures, *PICTURES), at_once(clip.image, *PICTURES), atol=PIXELS)
    assert {one.spec.dim for one in encoders} == {24}


def test_pictures_are_prepared_as_by_transformers_with_pillow(made: Towers) -> None:
    from octant.backends.exported import Pixels, pixels_of

    for folder, model, kind in ((made.space / "image", made.clip, "CLIP"), (made.image, made.vit, "ViT")):
        processor = getattr(transformers, f"{kind}ImageProcessorPil").from_pretrained(model)
        pixels = Pixels.model_validate(noted(folder)["pixels"])
        for picture in photos()[:5]:
            expected = processor(images=[picture], return_tensors="np")["pixel_values"][0]
            np.testing.assert_allclose(pixels_of(picture, pixels), expected, atol=1e-5)


def test_images_alone_as_in_torch(made: Towers) -> None:
    torch = HfImage(str(made.vit), HfImageOptions(pooling="cls"))
    np.testing.assert_allclose(at_once(OnnxImage(made.image), *PICTURES), at_once(torch, *PICTURES), atol=PIXELS)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_batch_is_its_media_one_by_one(made: Towers, precision: Any) -> None:
    options = ExportedOptions(precision=precision)
    said, pictures = OnnxText(made.text, options), OnnxImage(made.space / "image", options)
    np.testing.assert_allclose(at_once(said, *texts(*ALL)), singly(said, *texts(*ALL)), atol=TOLERANCE)
    np.testing.assert_allclose(at_once(pictures, *PICTURES), singly(pictures, *PICTURES), atol=TOLERANCE)
    first = at_once(said, *texts(*ALL))
    assert all(np.array_equal(at_once(said, *texts(*ALL)), first) for _ in range(8))


def test_how_near_int8_is_was_measured(made: Towers, tmp_path: Path) -> None:
    samples = ["the bird sings", "a red drum by the river, and it sings"]
    export_text(made.bert, tmp_path / "out", OPTIONS, precision="int8", samples=samples)
    graphs = noted(tmp_path / "out")["graphs"]
    expected = encoded(HfText(made.bert, OPTIONS), samples)
    cosine = (encoded(OnnxText(tmp_path / "out", INT8), samples) * expected).sum(1).min()
    assert graphs["int8"]["cosine"] == pytest.approx(cosine, abs=1e-5)
    assert graphs["int8"]["samples"] == 2
    assert graphs["fp32"]["cosine"] > 0.99999
    assert 0.98 < cosine < 0.99999
    for tower in ("text", "image"):
        assert 0.98 < noted(made.space / tower)["graphs"]["int8"]["cosine"] < 0.99999


def test_a_long_text_is_read_whole(text: OnnxText) -> None:
    assert text.spec.tokens is not None
    assert len(text.token_spans(LONG)) > 2 * text.spec.tokens
    found = encoded(text, [LONG, LONG[:-8] + "red bird"])
    assert np.abs(found[0] - found[1]).max() > 1e-3


def test_identity_is_of_what_was_exported_and_how(made: Towers, text: OnnxText, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(made.text, moved)
    assert OnnxText(moved).spec == text.spec
    assert text.spec.identity.startswith("onnx:bert@")
    export_text(made.bert, tmp_path / "again", OPTIONS)
    export_text(made.bert, tmp_path / "cls", OPTIONS.model_copy(update={"pooling": "cls"}))
    export_text(made.bert, tmp_path / "bare")
    assert OnnxText(tmp_path / "again").spec == text.spec
    others = {OnnxText(tmp_path / one).spec.identity for one in ("cls", "bare")}
    assert len({*others, text.spec.identity, OnnxText(made.text, INT8).spec.identity}) == 4


def test_an_export_takes_the_place_of_an_older_one(made: Towers, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_text(made.bert, out, precision="int8")
    export_image(made.vit, out)
    assert sorted(path.name for path in out.iterdir()) == ["model.onnx", "octant.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_graph_that_was_altered_is_refused(made: Towers, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(made.text, moved)
    content = bytearray((moved / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (moved / "model.onnx").write_bytes(content)
    with pytest.raises(WeightsError, match="is not the exported"):
        OnnxText(moved)
    assert OnnxText(moved, INT8).spec.dim == 32
    (moved / "model.int8.onnx").unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        OnnxText(moved, INT8)


def test_what_is_no_export_is_refused(made: Towers, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"there is no octant\.json in it"):
        FAMILY.load(str(made.bert), FAMILY.options())
    with pytest.raises(EncoderError, match="is a tower of text, not of image"):
        OnnxImage(made.text)
    with pytest.raises(EncoderError, match="was exported in fp32; export it again"):
        OnnxImage(made.image, INT8)
    (tmp_path / SETTINGS).write_text('{"format": 2}')
    with pytest.raises(EncoderError, match="cannot be read"):
        FAMILY.load(str(tmp_path), FAMILY.options())


def test_what_cannot_be_exported_is_refused(made: Towers, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="pooling by attention is not exported"):
        export_text(made.bert, tmp_path / "out", HfTextOptions(pooling="attention"))
    with pytest.raises(EncoderError, match="is exported from float32"):
        export_text(made.bert, tmp_path / "out", HfTextOptions(dtype="bfloat16"))
    with pytest.raises(EncoderError, match="pooling=mean is not exported"):
        export_image(made.vit, tmp_path / "out", HfImageOptions(pooling="mean"))
    settings = tmp_path / "vit"
    shutil.copytree(made.vit, settings)
    file = settings / "preprocessor_config.json"
    file.write_text(file.read_text().replace('"do_normalize": true', '"do_normalize": false'))
    with pytest.raises(EncoderError, match="preprocessing is more than an export can do"):
        export_image(settings, tmp_path / "out")
    with pytest.raises(EncoderError):
        export_text(tmp_path / "nowhere", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_missing_weights_are_not_exported(made: Towers, tmp_path: Path) -> None:
    from sounds import changed

    less = changed(made.bert, tmp_path / "less", without="layer.1.output.dense.weight")
    with pytest.raises(WeightsError):
        export_text(less, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_graph_that_computes_otherwise_is_not_kept(
    made: Towers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from octant.backends import onnx

    right = onnx._text_rows  # pyright: ignore[reportPrivateUsage]
    calls: list[int] = []

    def other(*given: Any) -> Any:
        calls.append(1)
        return right(*given) if len(calls) > 1 else -right(*given)  # the first is that of the exporter

    monkeypatch.setattr(onnx, "_text_rows", other)
    with pytest.raises(WeightsError, match="computes other vectors"):
        export_text(made.bert, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_broken_images_do_not_take_good_ones_along(made: Towers) -> None:
    batch, places = with_broken()
    with pytest.raises(ExceptionGroup) as group:
        OnnxImage(made.image).encode(batch, Role.DOCUMENT)
    errors = [error for error in group.value.exceptions if isinstance(error, MediaError)]
    assert [error.media for error in errors] == [batch[place] for place in places]


def test_all_kinds_of_pictures(made: Towers) -> None:
    encoder = OnnxImage(made.space / "image")
    kinds = [photo(50, 40).convert(mode) for mode in ("L", "RGBA", "P", "CMYK", "1")] + [photo(600, 8)]
    found = at_once(encoder, *map(Image, kinds))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=TOLERANCE)


def test_texts_that_look_like_places_are_read_as_texts(text: OnnxText, tmp_path: Path) -> None:
    file = tmp_path / "red.txt"
    file.write_text("red bird")
    found = encoded(text, [str(file), "red bird"])
    assert np.abs(found[0] - found[1]).max() > 1e-3


def test_several_threads_and_batches_of_a_size(made: Towers, text: OnnxText) -> None:
    expected = at_once(text, *texts(*ALL))
    other = OnnxText(made.text, ExportedOptions(threads=1, batch=2))
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(partial(at_once, other), texts(*ALL)))
    np.testing.assert_allclose(np.concatenate(found), expected, atol=TOLERANCE)
    np.testing.assert_allclose(at_once(other, *texts(*ALL)), expected, atol=TOLERANCE)


def test_reading_an_export_needs_neither_torch_nor_transformers(made: Towers) -> None:
    code = (
        "import sys; from octant.backends.onnx import FAMILY; from octant.encoding import Role;"
        "from octant import Text;"
        f"found = FAMILY.load({str(made.text)!r}, FAMILY.options())[0].encode([Text('a bird')], Role.QUERY);"
        "print(len(found[0]), {'torch', 'transformers', 'onnx'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["32", "set()"]


def test_a_decoder_only_model_is_exported_by_its_last_token(tmp_path: Path) -> None:
    folder = bert(tmp_path / "qwen")
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "num_hidden_layers": 2}
    sizes = {"vocab_size": 200, "hidden_size": 32, "intermediate_size": 64, "max_position_embeddings": 64}
    config = transformers.Qwen3Config(**heads, **sizes)
    transformers.Qwen3Model(config).save_pretrained(folder)
    options = HfTextOptions(pooling="last")
    export_text(folder, tmp_path / "out", options)
    found = encoded(OnnxText(tmp_path / "out"), ALL)
    np.testing.assert_allclose(found, encoded(HfText(folder, options), ALL), atol=PARITY)
