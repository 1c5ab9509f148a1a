"""SPLADE and other learned sparse encoders of texts, by sentence-transformers (extra `sentence-transformers`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from octant.backends.checkpoints import explained, place_of
from octant.backends.tokens import ENDLESS
from octant.backends.torched import certain, import_of
from octant.backends.windows import text_windows
from octant.encoding import EncoderSpec, Role
from octant.family import Family, Known, Options
from octant.media import Modality, Text
from octant.vectors import Kind, Sparse, Vector

__all__ = ["FAMILY", "Splade", "SpladeOptions"]


class Splade:
    """Texts as weights of the words of a model's vocabulary, those that they mean among them.

    The weights are the model's own: a store must not weigh them by rarity again. A text that is longer than the model
    reads at once is read in windows, and a word weighs as much as in the window where it weighs most.
    """

    def __init__(self, model: str | Path | Any, *, revision: str | None = None, device: str | None = None) -> None:
        """Wrap a `sentence_transformers.SparseEncoder`, or load one from a folder or a hub by its name.

        Raises MissingExtra without sentence-transformers, WeightsError for a checkpoint that lacks some of the weights.
        Code that comes with a model is never run.
        """
        encoder: Any = _load(str(model), revision, device) if isinstance(model, str | Path) else model
        modalities = set(getattr(encoder, "modalities", ["text"]))
        if modalities != {"text"}:  # such a model takes a text that looks like a URL for a picture, and fetches it
            raise ValueError(f"a sparse encoder of texts is needed, not one of {', '.join(sorted(modalities))}")
        self._encoder = encoder
        self._tokenizer = _tokenizer(encoder)
        self._limit = self._room()
        self.spec = EncoderSpec(
            identity=f"splade@1:{_digest(encoder, self._tokenizer)}",
            modality=Modality.TEXT,
            dim=None,
            kind=Kind.SPARSE,
            tokens=self._limit,
        )

    def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
        """Encode a batch: one sparse vector per text, index in the vocabulary -> weight."""
        windows = [list(text_windows(text.content, self.token_spans, self._limit)) for text in batch]
        flat = [window for several in windows for window in several]
        if not flat:
            return []
        encode = self._encoder.encode_query if role is Role.QUERY else self._encoder.encode_document
        rows = iter(encode(flat, convert_to_tensor=False, save_to_cpu=True, show_progress_bar=False))
        return [_joined([next(rows) for _ in several]) for several in windows]

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Where the tokens of a text lie: start and end in characters, in order."""
        return self._tokenizer.encode(text, add_special_tokens=False).offsets

    def _room(self) -> int | None:
        """How many tokens of a text it reads at once, beside its special tokens and its longest prompt."""
        longest: int | None = self._encoder.max_seq_length
        if longest is None or longest > ENDLESS:
            return None
        prompts: list[str] = [prompt for prompt in self._encoder.prompts.values() if prompt]
        said = max((len(self.token_spans(prompt)) for prompt in prompts), default=0)
        room = longest - self._tokenizer.num_special_tokens_to_add(is_pair=False) - said
        if room < 1:
            raise ValueError(f"the model reads {longest} tokens at once and its prompt takes {said}: no text has room")
        return room


_OF_PART = ("pooling_strategy", "activation_function", "k")
_OF_CONFIG = ("model_type", "hidden_act", "activation", "num_attention_heads", "n_heads", "layer_norm_eps", "norm_eps")
"""What else than weights decides what comes out."""


def _load(name: str, revision: str | None, device: str | None) -> Any:
    library = import_of("sentence_transformers", "sentence-transformers")

    def load() -> Any:
        encoder = library.SparseEncoder(name, revision=revision, device=device, trust_remote_code=False)
        return encoder.float()  # a checkpoint in half precision would be slow on a CPU, and other on each device

    return certain(name, load)


def _tokenizer(encoder: Any) -> Tokenizer:
    """A copy of the model's tokenizer that neither cuts nor pads, for any thread to ask."""
    backend: Any = getattr(encoder.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ValueError(f"{type(encoder.tokenizer).__name__} does not tell where tokens lie; give a fast tokenizer")
    copy = Tokenizer.from_str(backend.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy


def _joined(rows: Sequence[Any]) -> Sparse:
    weights: dict[int, float] = {}
    for row in rows:
        entries: Any = row.coalesce()
        for index, value in zip(entries.indices()[0].tolist(), entries.values().tolist(), strict=True):
            weights[index] = max(value, weights.get(index, 0.0))
    return Sparse(tuple(weights), tuple(weights.values()))


def _digest(encoder: Any, tokenizer: Tokenizer) -> str:
    """Hash all that makes the vectors: weights, how they are put together, tokenizer, prompts, limits.

    Nothing of it depends on how the libraries of the day name their parts, so that a collection outlives them.
    """
    parts: Iterable[Any] = encoder.modules()
    made = sorted({json.dumps(_made_of(part), sort_keys=True) for part in parts})
    limits = [encoder.max_seq_length, encoder.max_active_dims, {k: v for k, v in encoder.prompts.items() if v}]
    shape = json.dumps([made, limits], sort_keys=True)
    noted = "\n".join((_weights(encoder), shape, tokenizer.to_str()))
    return hashlib.sha256(noted.encode()).hexdigest()[:16]


def _made_of(part: Any) -> dict[str, Any]:
    """How a part of a model works, beside its weights: transformers keeps that in a config, pooling in itself."""
    config: Any = getattr(part, "config", None)
    told = {key: getattr(config, key, None) for key in _OF_CONFIG} | {key: getattr(part, key, None) for key in _OF_PART}
    return {key: value for key, value in told.items() if isinstance(value, str | int | float)}


def _weights(encoder: Any) -> str:
    """Hash the numbers of a model, whatever device they are on."""
    parameters: Iterable[Any] = encoder.parameters()
    hashes = sorted(
        hashlib.sha256(
            f"{tuple(one.shape)} {one.dtype}".encode() + one.detach().cpu().float().numpy().tobytes()
        ).digest()
        for one in parameters
    )
    return hashlib.sha256(b"".join(hashes)).hexdigest()


class SpladeOptions(Options):
    """How a learned sparse encoder is asked."""

    revision: str | None = None
    """A commit, tag or branch of the model's repository."""
    device: str | None = None
    """Such as cpu, cuda or cuda:1; None takes a GPU where there is one."""


def _made(model: str, options: SpladeOptions) -> list[Splade]:
    where = place_of(model)
    with explained(model):
        return [Splade(where, revision=options.revision, device=options.device)]


FAMILY = Family(
    name="splade",
    summary="learned sparse encoders of texts (SPLADE and its kin), by sentence-transformers",
    modules=("torch", "sentence_transformers"),
    install="pip install 'octant-search[sentence-transformers]'",
    options=SpladeOptions,
    load=_made,
    known=(
        Known("naver/splade-v3", (Modality.TEXT,), None, "see its card", Kind.SPARSE),
        Known("naver/splade-cocondenser-ensembledistil", (Modality.TEXT,), None, "see its card", Kind.SPARSE),
    ),
    roles=True,
)
