"""CLAP: sounds and texts in one space, by transformers (extra `transformers`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from octant.backends.batches import Batches, decoded
from octant.backends.checkpoints import longest_of, said_of
from octant.backends.pretrained import Checkpoint
from octant.backends.starter.blas import one_thread
from octant.backends.tokens import Reading, reader_of
from octant.backends.torched import TorchOptions, digest_of, inference, on_device, rows_of, torch
from octant.backends.windows import mean_of_windows, sound_windows
from octant.encoding import Encoder, EncoderSpec, Role
from octant.errors import EncoderError
from octant.family import Family, Known
from octant.media import Audio, Modality, Text, decode_audio
from octant.vectors import Array, Vector

__all__ = ["FAMILY", "ClapAudio", "ClapText", "load"]

PREPROCESSING = 1
"""Raised when octant prepares the same medium otherwise."""


class ClapAudio:
    """Sounds as unit vectors, which texts of `ClapText` find: the audio tower of a `transformers.ClapModel`.

    A sound longer than the model hears at once, 10 s as a rule, is heard in equal windows, and its vector is their
    mean. The model's own way is a random crop, and another vector each time.
    """

    def __init__(self, model: Any, extractor: Any, name: str, options: TorchOptions) -> None:
        """Wrap a ClapModel and its ClapFeatureExtractor. EncoderError where the extractor pads as octant cannot."""
        full = f"clap:{name}"
        self._mel = _log_mel(extractor, full)
        self._limit = int(extractor.nb_max_samples)
        # a fused model takes the whole and three crops of it: of a window they are the same
        self._views = 4 if extractor.truncation == "fusion" else 1
        tower = torch().nn.ModuleList([model.audio_model, model.audio_projection])
        self._model = on_device(model, full, options)
        prepared = {key: getattr(extractor, key) for key in (*_OF_EXTRACTOR, *_OF_WINDOW)}
        digest = digest_of(tower, ["audio", PREPROCESSING, options.dtype], prepared, said_of(model.config))
        self._batches = Batches(self._run, size=options.batch)
        self.spec = EncoderSpec(
            identity=f"{full}@{digest}",
            modality=Modality.AUDIO,
            dim=int(model.config.projection_dim),
            seconds=float(extractor.max_length_s),
            rate=int(extractor.sampling_rate),
        )

    def encode(self, batch: Sequence[Audio], role: Role) -> list[Vector]:  # noqa: ARG002
        """Encode sounds; an ExceptionGroup with one MediaError for each that cannot be decoded."""
        prepared = decoded(self._prepare, batch)
        flat = [mel for mels, _ in prepared for mel in mels]
        rows = iter(self._batches(flat, [1] * len(flat)))
        return [mean_of_windows([next(rows) for _ in mels], lengths) for mels, lengths in prepared]

    def _prepare(self, audio: Audio) -> tuple[list[Array], list[int]]:
        """Decode, cut, and go over to spectra at once: they take a tenth of the memory."""
        assert self.spec.rate is not None
        windows = sound_windows(decode_audio(audio, self.spec.rate), self._limit)
        return [self._mel(window) for window in windows], [len(window) for window in windows]

    def _run(self, mels: Sequence[Array]) -> list[Array]:
        library, model = torch(), self._model
        with inference():
            features = library.from_numpy(np.stack(mels))[:, None].expand(-1, self._views, -1, -1)
            # the extractor says of a random sound of a batch that it was longer than the window; none is
            longer = library.zeros(len(mels), 1, dtype=library.bool, device=model.device)
            made = model.get_audio_features(input_features=features.to(model.device, model.dtype), is_longer=longer)
            return list(rows_of(made.pooler_output))


class ClapText:
    """Texts as unit vectors, which find the sounds of `ClapAudio`: the text tower of a `transformers.ClapModel`.

    A text of more tokens than the model reads at once is read in windows, and its vector is their mean.
    """

    def __init__(self, model: Any, tokenizer: Any, name: str, options: TorchOptions) -> None:
        """Wrap a ClapModel and its fast tokenizer."""
        full, config = f"clap:{name}", model.config.text_config
        reader = reader_of(full, tokenizer)
        self._reading = Reading(full, reader, longest_of(model.text_model, tokenizer))
        self._pad = int(config.pad_token_id)
        tower = torch().nn.ModuleList([model.text_model, model.text_projection])
        self._model = on_device(model, full, options)
        notes = ["text", PREPROCESSING, options.dtype, self._reading.room]
        digest = digest_of(tower, notes, said_of(model.config), reader.to_str())
        self._batches = Batches(self._run, size=options.batch)
        self.spec = EncoderSpec(
            identity=f"{full}@{digest}",
            modality=Modality.TEXT,
            dim=int(model.config.projection_dim),
            tokens=self._reading.room,
        )

    def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:  # noqa: ARG002
        """Encode texts."""
        windows = self._reading.windows([text.content for text in batch])
        flat = [encoding.ids for several in windows for _, encoding in several]
        rows = iter(self._batches(flat, [len(ids) for ids in flat]))
        return [
            mean_of_windows([next(rows) for _ in several], [self._reading.length(encoding) for _, encoding in several])
            for several in windows
        ]

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Where the tokens of a text lie: start and end in characters, in order."""
        return self._reading.spans(text)

    def _run(self, batch: Sequence[list[int]]) -> list[Array]:
        library, model = torch(), self._model
        longest = max(map(len, batch))
        with inference():
            ids = library.tensor([one + [self._pad] * (longest - len(one)) for one in batch], device=model.device)
            mask = library.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in batch], device=model.device)
            made = model.get_text_features(input_ids=ids, attention_mask=mask)
            return list(rows_of(made.pooler_output))


def load(model: str, options: TorchOptions) -> list[Encoder[Any]]:
    """Load both towers of a CLAP model, fused or not, from a folder or a hub by its name.

    Raises WeightsError where weights are missing or left over, EncoderError for what is no CLAP model, and
    MissingExtra without transformers.
    """
    checkpoint = Checkpoint(model, options)
    config = checkpoint.read("AutoConfig")
    if config.model_type != "clap":
        raise EncoderError(model, f"is a model of type {config.model_type!r}, not clap")
    extractor = checkpoint.read("ClapFeatureExtractor")
    tokenizer = checkpoint.read("AutoTokenizer")
    loaded = checkpoint.weights("ClapModel", spare=("text_model.embeddings.position_ids",))
    is_fused = bool(config.audio_config.enable_fusion)
    if is_fused != (extractor.truncation == "fusion"):
        reason = f"its extractor prepares for {extractor.truncation!r}; is preprocessor_config.json that of this model?"
        raise EncoderError(model, f"{'a fused' if is_fused else 'an unfused'} model, but {reason}")
    name = checkpoint.name
    return [ClapAudio(loaded, extractor, name, options), ClapText(loaded, tokenizer, name, options)]


_PADDINGS = ("repeatpad", "repeat", "pad")
_BLOCK = 128
"""Frames that are transformed at a time: they stay in the processor's cache, which is twice as fast."""


def _log_mel(extractor: Any, name: str) -> Callable[[Array], Array]:
    """Make the function from at most `nb_max_samples` samples to their [frames, bands] in dB.

    The same sums as ClapFeatureExtractor's, to 1e-5 dB, and three times as fast.
    """
    if extractor.padding not in _PADDINGS:
        known = ", ".join(_PADDINGS)
        raise EncoderError(name, f"its extractor pads by {extractor.padding!r}; octant knows {known}")
    size, hop, limit = int(extractor.fft_window_size), int(extractor.hop_length), int(extractor.nb_max_samples)
    bands = extractor.mel_filters if extractor.truncation == "fusion" else extractor.mel_filters_slaney
    window = np.hanning(size + 1)[:-1]

    def log_mel(samples: Array) -> Array:
        if extractor.padding == "repeat":
            samples = np.resize(samples, limit)
        elif extractor.padding == "repeatpad":
            samples = np.tile(samples, limit // len(samples))
        padded = np.pad(samples, (0, limit - len(samples)))
        centred = np.pad(padded, size // 2, mode="reflect").astype(np.float64)
        frames = np.lib.stride_tricks.sliding_window_view(centred, size)[::hop]
        mel = np.empty((len(frames), bands.shape[1]), np.float32)
        with one_thread():  # several would spin over products of a millisecond, and cost three times the work
            for start in range(0, len(frames), _BLOCK):
                spectrum = np.fft.rfft(frames[start : start + _BLOCK] * window)
                power = spectrum.real**2 + spectrum.imag**2
                mel[start : start + _BLOCK] = 10 * np.log10(np.maximum(power @ bands, 1e-10))
        return mel

    return log_mel


_OF_EXTRACTOR = ("feature_size", "sampling_rate", "hop_length", "fft_window_size", "frequency_min", "frequency_max")
_OF_WINDOW = ("nb_max_samples", "padding", "truncation")
"""What of the extractor decides what comes out."""


FAMILY = Family(
    name="clap",
    summary="CLAP, fused and unfused: sounds and texts in one space",
    modules=("torch", "transformers"),
    install="pip install 'octant-search[transformers]'",
    options=TorchOptions,
    load=load,
    known=(
        Known("laion/clap-htsat-unfused", (Modality.AUDIO, Modality.TEXT), 512, "Apache-2.0"),
        Known("laion/larger_clap_general", (Modality.AUDIO, Modality.TEXT), 512, "Apache-2.0"),
        Known(
            "laion/clap-htsat-fused", (Modality.AUDIO, Modality.TEXT), 512, "see its card", note="hears 10 s at once"
        ),
    ),
)
