"""CLAP: what transformers' own call says of each window, whatever the batch, and the same every time."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sounds import TOLERANCE, broken, changed, encode, noise, of, singly, unit, wav
from tiny_clap import DIM, tiny_clap

from octant.backends.clap import FAMILY
from octant.backends.torched import TorchOptions
from octant.encoding import Encoder, Role
from octant.errors import EncoderError, MediaError, WeightsError
from octant.media import Audio, Modality, Text, decode_audio
from octant.vectors import Array

torch: Any = importlib.import_module("torch")
transformers: Any = importlib.import_module("transformers")

RATE = 48_000


@pytest.fixture(scope="session", params=[False, True], ids=["unfused", "fused"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_clap(tmp_path_factory.mktemp("clap") / "tiny-clap", fused=request.param)


@pytest.fixture(scope="session")
def encoders(folder: Path) -> Sequence[Encoder[Any]]:
    return FAMILY.load(str(folder), FAMILY.options())


@pytest.fixture(scope="session")
def sounds(encoders: Sequence[Encoder[Any]]) -> Encoder[Any]:
    return of(Modality.AUDIO, encoders)


@pytest.fixture(scope="session")
def texts(encoders: Sequence[Encoder[Any]]) -> Encoder[Any]:
    return of(Modality.TEXT, encoders)


@pytest.fixture(scope="session")
def library(folder: Path) -> tuple[Any, Any]:
    """Transformers' own model and processor on the same weights."""
    return transformers.ClapModel.from_pretrained(folder).eval(), transformers.ClapProcessor.from_pretrained(folder)


def token_spans(encoder: Any, text: str) -> list[tuple[int, int]]:
    return encoder.token_spans(text)


def heard(library: tuple[Any, Any], samples: Array) -> Array:
    """Transformers' vector of at most 10 s, alone in its batch, without the random `is_longer`."""
    model, processor = library
    inputs = processor(audio=[samples], sampling_rate=RATE, return_tensors="pt")
    inputs["is_longer"] = torch.tensor([[False]])
    with torch.inference_mode():
        return unit(model.get_audio_features(**inputs).pooler_output)


def read(library: tuple[Any, Any], text: str) -> Array:
    model, processor = library
    with torch.inference_mode():
        return unit(model.get_text_features(**processor(text=[text], return_tensors="pt")).pooler_output)


def test_spec(encoders: Sequence[Encoder[Any]]) -> None:
    audio, text = of(Modality.AUDIO, encoders).spec, of(Modality.TEXT, encoders).spec
    assert (audio.dim, audio.rate, audio.seconds) == (DIM, RATE, 10.0)
    assert (text.dim, text.tokens) == (DIM, 126)
    assert audio.identity.startswith("clap:tiny-clap@")
    assert audio.identity != text.identity


@pytest.mark.parametrize("seconds", [0.0002, 0.3, 3.3, 7.0, 10.0])
def test_sounds_as_transformers_has_them(sounds: Encoder[Any], library: tuple[Any, Any], seconds: float) -> None:
    samples = noise(seconds, RATE)
    np.testing.assert_allclose(encode(sounds, Audio(samples, rate=RATE))[0], heard(library, samples), atol=TOLERANCE)


def test_texts_as_transformers_has_them(texts: Encoder[Any], library: tuple[Any, Any], tmp_path: Path) -> None:
    file = tmp_path / "dog.wav"
    file.write_bytes(wav(noise(1, RATE), RATE))
    said = ["a dog", "A dog barks, and far away another one.", str(file), "http://127.0.0.1:9/dog.wav", "x"]
    found = encode(texts, *map(Text, said))
    np.testing.assert_allclose(found, np.stack([read(library, one) for one in said]), atol=TOLERANCE)


def test_a_batch_is_its_sounds_and_texts_one_by_one(sounds: Encoder[Any], texts: Encoder[Any]) -> None:
    several = [Audio(noise(seconds, RATE, at), rate=RATE) for at, seconds in enumerate([0.1, 12, 3, 10, 25.5, 1])]
    np.testing.assert_allclose(encode(sounds, *several), singly(sounds, *several), atol=TOLERANCE)
    said = [Text(one) for one in ("", "a", "dog bark " * 30, "a cat")]
    np.testing.assert_allclose(encode(texts, *said), singly(texts, *said), atol=TOLERANCE)


def test_the_same_every_time(sounds: Encoder[Any]) -> None:
    several = [Audio(noise(seconds, RATE, at), rate=RATE) for at, seconds in enumerate([2, 14, 5])]
    first = encode(sounds, *several)
    assert all(np.array_equal(encode(sounds, *several), first) for _ in range(8))


@pytest.mark.parametrize("seconds", [10 + 1 / RATE, 15.0, 33.0])
def test_a_long_sound_is_heard_whole(sounds: Encoder[Any], library: tuple[Any, Any], seconds: float) -> None:
    samples = noise(seconds, RATE)
    windows = np.array_split(samples, int(np.ceil(len(samples) / (10 * RATE))))
    parts = [heard(library, window) * len(window) for window in windows]
    found = encode(sounds, Audio(samples, rate=RATE))[0]
    np.testing.assert_allclose(found, unit(np.sum(parts, axis=0)), atol=TOLERANCE)
    samples[-RATE:] = 0
    assert np.abs(encode(sounds, Audio(samples, rate=RATE))[0] - found).max() > 1e-3


def test_a_long_text_is_read_whole(texts: Encoder[Any], library: tuple[Any, Any]) -> None:
    text = "one two three four " * 20  # a token per character
    spans = token_spans(texts, text)
    assert len(spans) > 2 * 126
    found = encode(texts, Text(text))[0]
    assert np.abs(found - encode(texts, Text(text[:-60] + "x" * 60))[0]).max() > 1e-3
    np.testing.assert_allclose(np.linalg.norm(found), 1, atol=TOLERANCE)


def test_any_rate_channels_and_type(sounds: Encoder[Any], library: tuple[Any, Any]) -> None:
    low = noise(2, 16_000)
    stereo = np.stack([low, -0.5 * low], axis=1)
    whole = (low * 20_000).astype(np.int16)
    several = [Audio(wav(low, 16_000)), Audio(stereo, rate=16_000), Audio(whole, rate=16_000)]
    found = encode(sounds, *several)
    expected = [heard(library, decode_audio(one, RATE)) for one in several]
    np.testing.assert_allclose(found, np.stack(expected), atol=TOLERANCE)
    np.testing.assert_allclose(encode(sounds, Audio(low * 20_000 // 1 / 32768, rate=16_000))[0], found[2], atol=1e-3)


def test_broken_sounds_do_not_take_good_ones_along(sounds: Encoder[Any]) -> None:
    bad, good = broken(RATE), [Audio(noise(1, RATE, at), rate=RATE) for at in range(2)]
    with pytest.raises(ExceptionGroup) as group:
        sounds.encode([good[0], *bad, good[1]], Role.DOCUMENT)
    errors = [error for error in group.value.exceptions if isinstance(error, MediaError)]
    assert [error.media for error in errors] == list(bad)


@pytest.mark.parametrize("padding", ["repeatpad", "repeat", "pad"])
def test_spectra_are_those_of_the_extractor(folder: Path, padding: str) -> None:
    own = transformers.ClapFeatureExtractor.from_pretrained(folder, padding=padding)
    from octant.backends.clap import _log_mel  # pyright: ignore[reportPrivateUsage]

    for samples in (noise(0.01, RATE), noise(4.4, RATE), noise(10, RATE), np.zeros(RATE, np.float32)):
        expected = own(samples, sampling_rate=RATE)["input_features"][0]
        found = _log_mel(own, "clap:x")(samples)
        np.testing.assert_allclose(np.broadcast_to(found, np.shape(expected)), expected, atol=1e-4)


def test_an_unknown_padding_is_refused(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    settings = other / "processor_config.json"
    settings.write_text(settings.read_text().replace('"repeatpad"', '"mirror"'))
    with pytest.raises(EncoderError, match="pads by 'mirror'"):
        FAMILY.load(str(other), FAMILY.options())


def test_the_extractor_of_another_kind_is_refused(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    settings = other / "processor_config.json"
    before = settings.read_text()
    mine, theirs = ("fusion", "rand_trunc") if '"fusion"' in before else ("rand_trunc", "fusion")
    settings.write_text(before.replace(f'"{mine}"', f'"{theirs}"'))
    with pytest.raises(EncoderError, match="extractor prepares for"):
        FAMILY.load(str(other), FAMILY.options())


@pytest.mark.parametrize("part", ["audio_projection", "text_model", "layers.2"])
def test_missing_weights_are_refused(folder: Path, tmp_path: Path, part: str) -> None:
    with pytest.raises(WeightsError, match="lacks 1 of the model's weights"):
        FAMILY.load(str(changed(folder, tmp_path / "less", without=part)), FAMILY.options())


def test_weights_that_are_left_over_are_refused(folder: Path, tmp_path: Path) -> None:
    more = changed(folder, tmp_path / "more", extra="audio_model.gate.weight")
    with pytest.raises(WeightsError, match="unknown to it"):
        FAMILY.load(str(more), FAMILY.options())


def test_weights_of_another_shape_are_refused(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    settings = other / "config.json"
    settings.write_text(settings.read_text().replace('"projection_dim": 24', '"projection_dim": 16'))
    with pytest.raises(WeightsError):
        FAMILY.load(str(other), FAMILY.options())


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="is no folder"):
        FAMILY.load(str(tmp_path / "nowhere"), FAMILY.options())
    with pytest.raises(EncoderError, match="cannot be loaded"):
        FAMILY.load(str(tmp_path), FAMILY.options())


def test_identity_is_of_weights_and_settings_and_not_of_the_place(
    folder: Path, encoders: Sequence[Encoder[Any]], tmp_path: Path
) -> None:
    moved = tmp_path / "tiny-clap"
    shutil.copytree(folder, moved)
    assert [e.spec for e in FAMILY.load(str(moved), FAMILY.options())] == [e.spec for e in encoders]
    half = FAMILY.load(str(moved), TorchOptions(dtype="bfloat16"))
    assert not {e.spec.identity for e in half} & {e.spec.identity for e in encoders}
    for modality, medium in ((Modality.AUDIO, Audio(noise(2, RATE), rate=RATE)), (Modality.TEXT, Text("a dog"))):
        cosine = encode(of(modality, half), medium)[0] @ encode(of(modality, encoders), medium)[0]
        assert 0.98 < cosine < 0.9999999
    weights = moved / "processor_config.json"
    weights.write_text(weights.read_text().replace('"repeatpad"', '"pad"'))
    other = FAMILY.load(str(moved), FAMILY.options())
    assert of(Modality.AUDIO, other).spec != of(Modality.AUDIO, encoders).spec
    assert of(Modality.TEXT, other).spec == of(Modality.TEXT, encoders).spec


def test_what_octant_does_not_know_of_a_config_counts_as_well(
    folder: Path, encoders: Sequence[Encoder[Any]], tmp_path: Path
) -> None:
    other = shutil.copytree(folder, tmp_path / "tiny-clap")
    config = json.loads((other / "config.json").read_text())
    config["audio_config"]["later_switch"] = config["text_config"]["later_switch"] = True
    (other / "config.json").write_text(json.dumps(config))
    found = FAMILY.load(str(other), FAMILY.options())
    assert not {e.spec.identity for e in found} & {e.spec.identity for e in encoders}


def test_several_threads_at_once(sounds: Encoder[Any]) -> None:
    several = [Audio(noise(1 + at, RATE, at), rate=RATE) for at in range(6)]
    expected = singly(sounds, *several)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(partial(encode, sounds), several))
    np.testing.assert_allclose(np.concatenate(found), expected, atol=TOLERANCE)


def test_nothing_at_all(encoders: Sequence[Encoder[Any]]) -> None:
    assert [encoder.encode([], Role.QUERY) for encoder in encoders] == [[], []]


def test_importing_it_loads_no_library() -> None:
    code = "import sys, octant.backends.clap; print({'torch', 'transformers'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


@pytest.mark.hub
def test_a_real_one() -> None:
    known = FAMILY.known[0]
    for encoder in FAMILY.load(known.model, FAMILY.options()):
        assert encoder.spec.dim == known.dim
