"""wav2vec2, HuBERT, WavLM, Data2Vec and Whisper's encoder, for sounds, by transformers (extra `transformers`).

These models were trained to be finished by a head, and none of them knows texts: their vectors find sounds by sounds.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import numpy as np

from octant.backends.batches import Batches, decoded
from octant.backends.checkpoints import said_of
from octant.backends.pretrained import Checkpoint
from octant.backends.torched import TorchOptions, digest_of, inference, on_device, rows_of, torch
from octant.backends.windows import mean_of_windows, sound_windows
from octant.encoding import Encoder, EncoderSpec, Role
from octant.errors import EncoderError
from octant.family import Family, Known
from octant.media import Audio, Modality, decode_audio
from octant.vectors import Array, Vector

__all__ = ["FAMILY", "HfAudioOptions", "WaveformAudio", "WhisperAudio", "load"]

PREPROCESSING = 1
"""Raised when octant prepares the same sound otherwise."""
WAVEFORM_SECONDS = 20.0
"""How long a sound the models of waveforms hear at once. They have no limit of their own, but were trained on crops of
16 to 20 s, and what attention costs grows with the square of it."""
AT_ONCE = 40.0
"""Seconds of sound per forward pass of a model of waveforms: its first layer takes 7 MB for each of them."""


class HfAudioOptions(TorchOptions):
    """What may be asked of these models."""

    pooling: Literal["mean", "max"] = "mean"
    """How the vectors of the frames become one."""


class _Windowed:
    """What both kinds of models share: sounds cut into windows, and the mean of their vectors."""

    spec: EncoderSpec
    _batches: Batches[_Window, Array]

    def encode(self, batch: Sequence[Audio], role: Role) -> list[Vector]:  # noqa: ARG002
        """Encode sounds; an ExceptionGroup with one MediaError for each that cannot be decoded."""
        prepared = decoded(self._windows, batch)
        flat = [window for several in prepared for window in several]
        rows = iter(self._batches(flat, [window.length for window in flat]))
        return [mean_of_windows([next(rows) for _ in several], [w.heard for w in several]) for several in prepared]

    def _windows(self, audio: Audio) -> list[_Window]:
        assert self.spec.rate is not None
        assert self.spec.seconds is not None
        samples = decode_audio(audio, self.spec.rate)
        cut = sound_windows(samples, int(self.spec.seconds * self.spec.rate))
        return [self._prepared(window) for window in cut]

    def _prepared(self, samples: Array) -> _Window:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class _Window:
    """Part of a sound as a model takes it."""

    values: Array
    length: int
    """By which windows are batched."""
    heard: int
    """Samples of the sound in it: what it weighs."""


class WaveformAudio(_Windowed):
    """Sounds as unit vectors: the frames of a model of waveforms (wav2vec2, HuBERT, WavLM, Data2VecAudio), pooled.

    Only frames of the sound itself are pooled, none of padding. Models whose first layer normalises over time
    (`feat_extract_norm="group"`, all the base models) or lets padding through are run on windows of one length at a
    time, unpadded: padding would change their vectors even under a mask. A sound shorter than one frame (25 ms) is
    padded with zeros to it.
    """

    def __init__(self, model: Any, extractor: Any, name: str, options: HfAudioOptions) -> None:
        """Wrap a model of transformers and its Wav2Vec2FeatureExtractor."""
        self._extractor = extractor
        self._rate = int(extractor.sampling_rate)
        config = model.config
        self._shortest = _receptive_field(config.conv_kernel, config.conv_stride)
        self._is_ragged = _ignores_padding(config)
        self._pooling = options.pooling
        self._model = on_device(model, f"hf_audio:{name}", options)
        prepared = [self._rate, bool(extractor.do_normalize), WAVEFORM_SECONDS, self._shortest]
        digest = digest_of(model, [PREPROCESSING, options.dtype, options.pooling], said_of(config), prepared)
        self._batches = Batches(self._run, size=options.batch)
        self.spec = EncoderSpec(
            identity=f"hf_audio:{name}@{digest}",
            modality=Modality.AUDIO,
            dim=int(config.output_hidden_size if getattr(config, "add_adapter", False) else config.hidden_size),
            seconds=WAVEFORM_SECONDS,
            rate=self._rate,
        )

    def _prepared(self, samples: Array) -> _Window:
        whole = np.pad(samples, (0, max(0, self._shortest - len(samples))))
        made = self._extractor(whole, sampling_rate=self._rate, return_attention_mask=False)
        values: Array = np.asarray(made["input_values"][0], np.float32)
        return _Window(values, len(values), len(samples))

    def _run(self, batch: Sequence[_Window]) -> list[Array]:
        rows: list[Array] = []
        for part in self._passes(batch):
            rows.extend(self._pass(part))
        return rows

    def _passes(self, batch: Sequence[_Window]) -> Iterator[Sequence[_Window]]:
        """Split what comes longest first into what is run at once."""
        groups = [list(batch)] if self._is_ragged else [list(alike) for _, alike in groupby(batch, lambda w: w.length)]
        for group in groups:
            step = max(1, int(AT_ONCE * self._rate) // group[0].length)
            for start in range(0, len(group), step):
                yield group[start : start + step]

    def _pass(self, batch: Sequence[_Window]) -> Array:
        library, model = torch(), self._model
        longest = batch[0].length
        with inference():
            values = library.zeros(len(batch), longest)
            for row, window in zip(values, batch, strict=True):
                row[: window.length] = library.from_numpy(window.values)
            values = values.to(model.device, model.dtype)
            if all(window.length == longest for window in batch):
                frames = model(values).last_hidden_state.float()
                return rows_of(frames.mean(1) if self._pooling == "mean" else frames.amax(1))
            lengths = library.tensor([window.length for window in batch])
            mask = (library.arange(longest) < lengths[:, None]).to(model.device, library.long)
            with warnings.catch_warnings():
                # WavLM hands two kinds of masks to torch's attention, which says so each time
                warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask", UserWarning)
                frames = model(values, attention_mask=mask).last_hidden_state.float()
            valid = model._get_feature_vector_attention_mask(frames.shape[1], mask)
            return rows_of(_pooled(frames, valid, self._pooling))


class WhisperAudio(_Windowed):
    """Sounds as unit vectors: the frames of Whisper's encoder, pooled over those of the sound itself.

    The model always hears 30 s, padded with silence, and each 30 s of a longer sound.
    """

    def __init__(self, model: Any, extractor: Any, name: str, options: HfAudioOptions) -> None:
        """Wrap a WhisperModel, of which the encoder alone is used, and its WhisperFeatureExtractor."""
        self._extractor = extractor
        extractor.dither = 0.0  # noise: another vector each time
        self._rate = int(extractor.sampling_rate)
        self._pooling = options.pooling
        encoder, config = model.get_encoder(), model.config
        # two convolutions, the second of which takes every other frame
        self._frames = int(config.max_source_positions)
        full = f"hf_audio:{name}"
        if int(extractor.nb_max_frames) != 2 * self._frames or int(extractor.feature_size) != config.num_mel_bins:
            found = f"{extractor.feature_size} x {extractor.nb_max_frames}"
            raise EncoderError(full, f"its extractor makes spectra of {found}; is preprocessor_config.json its own?")
        self._model = on_device(encoder, full, options)
        prepared = [self._rate, extractor.n_fft, extractor.hop_length, extractor.nb_max_frames]
        digest = digest_of(encoder, [PREPROCESSING, options.dtype, options.pooling], said_of(config), prepared)
        self._batches = Batches(self._run, size=options.batch)
        self.spec = EncoderSpec(
            identity=f"{full}@{digest}",
            modality=Modality.AUDIO,
            dim=int(config.d_model),
            seconds=float(extractor.chunk_length),
            rate=self._rate,
        )

    def _prepared(self, samples: Array) -> _Window:
        made = self._extractor(samples, sampling_rate=self._rate, return_tensors="np")
        return _Window(made["input_features"][0], 1, len(samples))

    def _run(self, batch: Sequence[_Window]) -> list[Array]:
        library, model = torch(), self._model
        hop = 2 * int(self._extractor.hop_length)
        with inference():
            features = library.from_numpy(np.stack([window.values for window in batch]))
            frames = model(features.to(model.device, model.dtype)).last_hidden_state.float()
            heard = library.tensor([-(-window.heard // hop) for window in batch], device=frames.device)
            valid = library.arange(self._frames, device=frames.device) < heard[:, None]
            return list(rows_of(_pooled(frames, valid, self._pooling)))


def load(model: str, options: HfAudioOptions) -> list[Encoder[Any]]:
    """Load a model of sounds from a folder or a hub by its name; one with a head, such as for CTC, is taken without it.

    Raises WeightsError where weights are missing or left over, EncoderError for a model of another type, and
    MissingExtra without transformers.
    """
    checkpoint = Checkpoint(model, options)
    kind = checkpoint.read("AutoConfig").model_type
    if kind == "whisper":
        # WhisperEncoder.from_pretrained would find none of its weights, and fill them up at random
        whisper = checkpoint.weights("WhisperModel", spare=("proj_out.",))
        extractor = checkpoint.read("WhisperFeatureExtractor")
        return [WhisperAudio(whisper, extractor, checkpoint.name, options)]
    if kind not in _WAVEFORM:
        raise EncoderError(model, f"is a model of type {kind!r}, not {', '.join((*_WAVEFORM, 'whisper'))}")
    return [_waveform(checkpoint, _WAVEFORM[kind], options)]


def _waveform(checkpoint: Checkpoint, kind: str, options: HfAudioOptions) -> WaveformAudio:
    loaded = checkpoint.weights(kind, spare=_HEADS, untaught=("masked_spec_embed",))
    return WaveformAudio(loaded, checkpoint.read("Wav2Vec2FeatureExtractor"), checkpoint.name, options)


_WAVEFORM = {
    "wav2vec2": "Wav2Vec2Model",
    "hubert": "HubertModel",
    "wavlm": "WavLMModel",
    "data2vec-audio": "Data2VecAudioModel",
}
"""Models by the type that their configuration tells."""
_HEADS = (
    *("lm_head.", "quantizer.", "project_q.", "project_hid.", "final_proj.", "label_embs_concat", "mask_emb"),
    *("projector.", "classifier.", "tdnn.", "objective.", "layer_weights"),
    *("feature_extractor.weight", "feature_extractor.bias"),  # of speakers; the model's own are convolutions
)
"""Beginnings of weights on top of these models: for CTC, pretraining, classes and speakers."""


def _ignores_padding(config: Any) -> bool:
    """Whether padding under a mask changes nothing.

    Not with a norm over time in the first layer; nor where several convolutions (Data2Vec) or a batch norm (some
    HuBERTs) tell positions apart, or an adapter's convolutions follow: what they make of padding reaches the sound.
    """
    return (
        config.model_type != "data2vec-audio"
        and config.feat_extract_norm == "layer"
        and not getattr(config, "conv_pos_batch_norm", False)
        and not getattr(config, "add_adapter", False)
    )


def _receptive_field(kernels: Sequence[int], strides: Sequence[int]) -> int:
    """How many samples make one frame."""
    samples = 1
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        samples = (samples - 1) * stride + kernel
    return samples


def _pooled(frames: Any, valid: Any, pooling: str) -> Any:
    """Pool [n, frames, dim] over the frames that are `valid`, of which each row has at least one: [n, dim]."""
    mask = valid[..., None].to(frames.device)
    if pooling == "max":
        return frames.masked_fill(~mask.bool(), float("-inf")).amax(1)
    return (frames * mask).sum(1) / mask.sum(1)


FAMILY = Family(
    name="hf_audio",
    summary="wav2vec2, HuBERT, WavLM, Data2VecAudio and Whisper's encoder: sounds found by sounds",
    modules=("torch", "transformers"),
    install="pip install 'octant-search[transformers]'",
    options=HfAudioOptions,
    load=load,
    known=(
        Known("facebook/wav2vec2-base", (Modality.AUDIO,), 768, "see its card", note="of speech"),
        Known("facebook/hubert-base-ls960", (Modality.AUDIO,), 768, "see its card", note="of speech"),
        Known("microsoft/wavlm-base-plus", (Modality.AUDIO,), 768, "see its card", note="of speech and speakers"),
        Known("facebook/data2vec-audio-base", (Modality.AUDIO,), 768, "see its card", note="of speech"),
        Known("openai/whisper-base", (Modality.AUDIO,), 512, "see its card", note="its encoder; of speech"),
    ),
)
