"""Models of sounds: what transformers' own call says of each window alone, whatever the batch."""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sounds import TOLERANCE, broken, changed, encode, noise, singly, unit, wav
from tiny_hf_audio import DIM, HEADS, WAVEFORM, tiny_waveform, tiny_whisper

from octant.backends import hf_audio
from octant.backends.hf_audio import FAMILY, HfAudioOptions
from octant.encoding import Encoder, Role
from octant.errors import EncoderError, MediaError, WeightsError
from octant.media import Audio, decode_audio
from octant.vectors import Array

torch: Any = importlib.import_module("torch")
transformers: Any = importlib.import_module("transformers")
safetensors: Any = importlib.import_module("safetensors.numpy")

RATE = 16_000
SHORTEST = 400
"""Samples of one frame of a model of waveforms."""
MODELS = [*(f"{kind} {norm}" for kind in WAVEFORM for norm in ("group", "layer")), "whisper"]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("hf_audio")
    made = {"whisper": tiny_whisper(home / "whisper")}
    for kind, (config, model) in WAVEFORM.items():
        for norm in ("group", "layer"):
            made[f"{kind} {norm}"] = tiny_waveform(home / f"{kind}-{norm}", config, model, norm=norm)
    return made


@pytest.fixture(scope="session", params=MODELS)
def folder(request: pytest.FixtureRequest, folders: dict[str, Path]) -> Path:
    return folders[request.param]


@pytest.fixture(scope="session")
def sounds(folder: Path) -> Encoder[Any]:
    [encoder] = FAMILY.load(str(folder), FAMILY.options())
    return encoder


def frames(folder: Path, samples: Array) -> Array:
    """Transformers' vectors of the frames of one window, alone and unpadded: [frames, dim]."""
    model = transformers.AutoModel.from_pretrained(folder).eval()
    inputs = transformers.AutoFeatureExtractor.from_pretrained(folder)(
        [samples], sampling_rate=RATE, return_tensors="pt", return_attention_mask=True
    )
    with torch.inference_mode():
        if "input_features" in inputs:
            valid = int(inputs["attention_mask"][0, ::2].sum())
            return model.get_encoder()(inputs["input_features"]).last_hidden_state[0, :valid].numpy()
        return model(inputs["input_values"]).last_hidden_state[0].numpy()


def heard(folder: Path, samples: Array) -> Array:
    return unit(frames(folder, samples).mean(0))


def inner(encoder: Any) -> Any:
    """The module of torch in an encoder."""
    return encoder._model


def sounds_of(*seconds: float) -> list[Audio]:
    return [Audio(noise(one, RATE, at), rate=RATE) for at, one in enumerate(seconds)]


def test_spec(sounds: Encoder[Any], folder: Path) -> None:
    spec = sounds.spec
    assert (spec.dim, spec.rate, spec.seconds) == (DIM, RATE, 30.0 if folder.name == "whisper" else 20.0)
    assert spec.identity.startswith(f"hf_audio:{folder.name}@")


@pytest.mark.parametrize("seconds", [SHORTEST / RATE, 0.11, 1.0, 7.77, 20.0])
def test_as_transformers_has_it(sounds: Encoder[Any], folder: Path, seconds: float) -> None:
    samples = noise(seconds, RATE)
    np.testing.assert_allclose(encode(sounds, Audio(samples, rate=RATE))[0], heard(folder, samples), atol=TOLERANCE)


def test_a_batch_is_its_sounds_one_by_one(sounds: Encoder[Any]) -> None:
    several = sounds_of(0.03, 2, 0.5, 2, 23, 5.01, 5, 0.001, 44)
    np.testing.assert_allclose(encode(sounds, *several), singly(sounds, *several), atol=TOLERANCE)


def test_the_same_every_time(sounds: Encoder[Any]) -> None:
    several = sounds_of(1, 3, 0.2)
    first = encode(sounds, *several)
    assert all(np.array_equal(encode(sounds, *several), first) for _ in range(8))


@pytest.mark.parametrize("seconds", [34.0, 61.3])
def test_a_long_sound_is_heard_whole(sounds: Encoder[Any], folder: Path, seconds: float) -> None:
    samples = noise(seconds, RATE)
    assert sounds.spec.seconds is not None
    windows = np.array_split(samples, int(np.ceil(seconds / sounds.spec.seconds)))
    parts = [heard(folder, window) * len(window) for window in windows]
    found = encode(sounds, Audio(samples, rate=RATE))[0]
    np.testing.assert_allclose(found, unit(np.sum(parts, axis=0)), atol=TOLERANCE)
    samples[-2 * RATE :] = 0
    assert np.abs(encode(sounds, Audio(samples, rate=RATE))[0] - found).max() > 1e-4


@pytest.mark.parametrize("count", [1, 50, SHORTEST - 1])
def test_a_sound_shorter_than_a_frame_is_padded_to_one(sounds: Encoder[Any], folder: Path, count: int) -> None:
    samples = noise(1, RATE)[:count]
    found = encode(sounds, Audio(samples, rate=RATE))[0]
    whole = samples if folder.name == "whisper" else np.pad(samples, (0, SHORTEST - count))
    np.testing.assert_allclose(found, heard(folder, whole), atol=TOLERANCE)


def test_the_largest_of_the_frames(folder: Path) -> None:
    [sounds] = FAMILY.load(str(folder), HfAudioOptions(pooling="max"))
    [mean] = FAMILY.load(str(folder), FAMILY.options())
    several = sounds_of(3, 0.4, 1.9)
    found = encode(sounds, *several)
    expected = [unit(frames(folder, decode_audio(one, RATE)).max(0)) for one in several]
    np.testing.assert_allclose(found, np.stack(expected), atol=TOLERANCE)
    assert sounds.spec.identity != mean.spec.identity


def test_silence_is_a_sound(sounds: Encoder[Any]) -> None:
    assert np.isfinite(encode(sounds, Audio(np.zeros(RATE, np.float32), rate=RATE))).all()


def test_any_rate_channels_and_type(sounds: Encoder[Any], folder: Path) -> None:
    high = noise(2, 44_100)
    stereo = np.stack([high, -0.5 * high], axis=1)
    whole = (high * 20_000).astype(np.int16)
    several = [Audio(wav(high, 44_100)), Audio(stereo, rate=44_100), Audio(whole, rate=44_100)]
    expected = [heard(folder, decode_audio(one, RATE)) for one in several]
    np.testing.assert_allclose(encode(sounds, *several), np.stack(expected), atol=TOLERANCE)


def test_broken_sounds_do_not_take_good_ones_along(sounds: Encoder[Any]) -> None:
    bad, good = broken(RATE), sounds_of(1, 2)
    with pytest.raises(ExceptionGroup) as group:
        sounds.encode([good[0], *bad, good[1]], Role.DOCUMENT)
    errors = [error for error in group.value.exceptions if isinstance(error, MediaError)]
    assert [error.media for error in errors] == list(bad)


def test_missing_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    less = changed(folder, tmp_path / "less", without="layers.1.final_layer_norm.weight")
    with pytest.raises(WeightsError, match="lacks 1 of the model's weights"):
        FAMILY.load(str(less), FAMILY.options())


def test_weights_that_are_left_over_are_refused(folder: Path, tmp_path: Path) -> None:
    more = changed(folder, tmp_path / "more", extra="encoder.layers.7.gate")
    with pytest.raises(WeightsError, match="unknown to it"):
        FAMILY.load(str(more), FAMILY.options())


@pytest.mark.parametrize("kind", HEADS)
def test_heads_are_not_asked_for(kind: str, tmp_path: Path) -> None:
    config, model = HEADS[kind]
    folder = tiny_waveform(tmp_path / "tiny", config, model)
    [sounds] = FAMILY.load(str(folder), FAMILY.options())
    base = getattr(model.from_pretrained(folder).eval(), config.model_type.replace("-", "_"))
    samples = noise(1.5, RATE)
    inputs = transformers.AutoFeatureExtractor.from_pretrained(folder)(
        [samples], sampling_rate=RATE, return_tensors="pt"
    )
    with torch.inference_mode():
        expected = unit(base(inputs["input_values"]).last_hidden_state[0].mean(0))
    np.testing.assert_allclose(encode(sounds, Audio(samples, rate=RATE))[0], expected, atol=TOLERANCE)


def test_whisper_with_its_head_is_the_same(folders: dict[str, Path], tmp_path: Path) -> None:
    headed = tiny_whisper(tmp_path / "whisper", with_head=True)
    [bare] = FAMILY.load(str(folders["whisper"]), FAMILY.options())
    [with_head] = FAMILY.load(str(headed), FAMILY.options())
    assert with_head.spec == bare.spec


def test_weights_of_training_alone_may_be_missing(tmp_path: Path) -> None:
    config, model = WAVEFORM["wav2vec2"]
    folder = tiny_waveform(tmp_path / "tiny", config, model, mask_time_prob=0.05)
    without = changed(folder, tmp_path / "without", without="masked_spec_embed")
    twice = [FAMILY.load(str(without), FAMILY.options())[0].spec for _ in range(2)]
    assert twice[0] == twice[1]


def test_checkpoints_of_older_torch(folders: dict[str, Path], tmp_path: Path) -> None:
    old = tmp_path / "wav2vec2-group"
    shutil.copytree(folders["wav2vec2 group"], old)
    weights: dict[str, Any] = safetensors.load_file(old / "model.safetensors")
    names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    for new, before in names.items():
        name = next(name for name in weights if name.endswith(new))
        weights[name.replace(new, before)] = weights.pop(name)
    safetensors.save_file(weights, old / "model.safetensors", metadata={"format": "pt"})
    [found] = FAMILY.load(str(old), FAMILY.options())
    [expected] = FAMILY.load(str(folders["wav2vec2 group"]), FAMILY.options())
    assert found.spec == expected.spec


@pytest.mark.parametrize("model", ["wav2vec2 group", "wav2vec2 layer"])
def test_how_much_is_run_at_once_is_bounded(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    [sounds] = FAMILY.load(str(folders[model]), HfAudioOptions(batch=64))
    shapes: list[tuple[int, int]] = []

    def note(_module: object, given: Any) -> None:
        shapes.append(tuple(given[0].shape))

    inner(sounds).register_forward_pre_hook(note)
    several = sounds_of(*[4.0] * 15, *[1.0] * 5)
    whole = encode(sounds, *several)
    assert max(count * length for count, length in shapes) <= hf_audio.AT_ONCE * RATE
    assert max(count for count, _ in shapes) == 10
    monkeypatch.setattr(hf_audio, "AT_ONCE", 0.0)
    np.testing.assert_allclose(encode(sounds, *several), whole, atol=TOLERANCE)


def test_equal_windows_of_a_group_norm_model_share_a_pass(folders: dict[str, Path]) -> None:
    [sounds] = FAMILY.load(str(folders["hubert group"]), HfAudioOptions(batch=8))
    counts: list[int] = []

    def note(_module: object, given: Any) -> None:
        counts.append(len(given[0]))

    inner(sounds).register_forward_pre_hook(note)
    encode(sounds, *sounds_of(1, 2, 1, 2, 1, 0.5))
    assert counts == [2, 3, 1]


def test_half_precision_is_another_identity(folder: Path, sounds: Encoder[Any]) -> None:
    [half] = FAMILY.load(str(folder), HfAudioOptions(dtype="bfloat16"))
    assert half.spec.identity != sounds.spec.identity
    several = sounds_of(1, 2.5)
    assert (encode(half, *several) * encode(sounds, *several)).sum(1).min() > 0.98


def test_identity_is_not_of_the_place(folder: Path, sounds: Encoder[Any], tmp_path: Path) -> None:
    moved = tmp_path / folder.name
    shutil.copytree(folder, moved)
    assert FAMILY.load(str(moved), FAMILY.options())[0].spec == sounds.spec


def test_what_octant_does_not_know_of_a_config_counts_as_well(
    folder: Path, sounds: Encoder[Any], tmp_path: Path
) -> None:
    other = shutil.copytree(folder, tmp_path / folder.name)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"later_switch": True}))
    assert FAMILY.load(str(other), FAMILY.options())[0].spec.identity != sounds.spec.identity


def test_what_is_no_model_of_sounds_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(EncoderError, match="of type 'bert', not wav2vec2, hubert"):
        FAMILY.load(str(tmp_path), FAMILY.options())
    with pytest.raises(EncoderError, match="is no folder"):
        FAMILY.load(str(tmp_path / "nowhere"), FAMILY.options())


def test_the_extractor_of_another_whisper_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    other = tmp_path / "whisper"
    shutil.copytree(folders["whisper"], other)
    settings = other / "preprocessor_config.json"
    settings.write_text(settings.read_text().replace('"feature_size": 80', '"feature_size": 128'))
    with pytest.raises(EncoderError, match=r"is preprocessor_config\.json its own"):
        FAMILY.load(str(other), FAMILY.options())


@pytest.mark.hub
@pytest.mark.parametrize("known", FAMILY.known, ids=lambda known: known.model)
def test_real_ones(known: Any) -> None:
    encoders: Sequence[Encoder[Any]] = FAMILY.load(known.model, FAMILY.options())
    assert encoders[0].spec.dim == known.dim
