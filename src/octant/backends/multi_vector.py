"""Late interaction by sentence-transformers: a vector for each token, or each patch of a page (ColBERT, ColPali)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from octant.backends.batches import Batches
from octant.backends.checkpoints import explained, label_of, weighed
from octant.backends.sentence_transformers import (
    asked_of,
    backbones,
    home_of,
    limit_of,
    made_of,
    prompt_of,
    require_understood,
    stored,
)
from octant.backends.tokens import Reading, reader_of
from octant.backends.torched import TorchOptions, digest_of, import_of, on_device, rows_of, torch
from octant.encoding import EncoderSpec, Role
from octant.errors import EncoderError, WeightsError
from octant.family import Family, Known
from octant.media import Modality, Text
from octant.vectors import Array, Kind, Vector

__all__ = ["FAMILY", "MultiVectorOptions", "MultiVectorTexts"]


class MultiVectorOptions(TorchOptions):
    """How a late interaction model is asked."""

    query: str | None = None
    """What is put before each query, instead of the model's own prompt; an empty one is none."""
    document: str | None = None
    """What is put before each document, likewise."""


class MultiVectorTexts:
    """Texts as one unit vector for each token that counts, which are compared by the sum of the best matches (MaxSim).

    Which tokens count is the model's: ColBERT leaves out punctuation of documents, and fills up queries. A text that
    is longer than the model reads at once is read in windows, and has the vectors of all of them.
    """

    def __init__(self, model: str | Path, options: MultiVectorOptions | None = None) -> None:
        """Load a model from a folder, or from a hub by its name, as `MultiVectorEncoder` does.

        Raises MissingExtra without sentence-transformers, WeightsError for a checkpoint that has not just the weights
        of its model (of a plain BERT, the projection would be random), EncoderError for what does not read texts on
        both sides. Code that comes with a model is never run.
        """
        options = options or MultiVectorOptions()
        name = str(model)
        loaded = on_device(_load(name, options), name, options)
        self._model = loaded
        self._lock = Lock()
        self._readings = {role: _reading(name, loaded, role) for role in Role}
        self._batches: Batches[tuple[Role, str], Array] = Batches(self._run, size=options.batch)
        rooms = [one.room for one in self._readings.values() if one.room is not None]
        noted = [[one.tokenizer.to_str(), one.prompt, one.room] for one in self._readings.values()]
        self.spec = EncoderSpec(
            identity=f"multi_vector:{label_of(name)}@{digest_of(loaded, made_of(loaded), noted, options.dtype)}",
            modality=Modality.TEXT,
            dim=self._run([(Role.QUERY, "a")])[0].shape[1],
            kind=Kind.MULTI,
            tokens=min(rooms, default=None),
        )

    def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
        """Encode a batch: one [tokens, dim] array per text."""
        windows = self._readings[role].windows([text.content for text in batch])
        flat = [pair for several in windows for pair in several]
        lengths = [len(encoding.ids) for _, encoding in flat]
        rows = iter(self._batches([(role, window) for window, _ in flat], lengths))
        return [np.concatenate([next(rows) for _ in several]) for several in windows]

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Where the tokens of a text lie: start and end in characters, in order."""
        return self._readings[Role.DOCUMENT].spans(text)

    def _run(self, texts: Sequence[tuple[Role, str]]) -> list[Array]:
        role = texts[0][0]
        encode = self._model.encode_query if role is Role.QUERY else self._model.encode_document
        prompt = prompt_of(self._model, role)
        with self._lock:
            rows: list[Any] = encode(
                [text for _, text in texts],
                prompt=prompt,
                batch_size=len(texts),
                show_progress_bar=False,
                normalize_embeddings=True,
            )
        return [rows_of(one) for one in rows]


def _load(name: str, options: MultiVectorOptions) -> Any:
    library = import_of("sentence_transformers", "sentence-transformers")
    where = home_of(name)
    said = {key: value for key in ("query", "document") if (value := getattr(options, key)) is not None}

    def load(seed: int) -> Any:
        with torch().random.fork_rng(devices=[]):
            torch().manual_seed(seed)
            return library.MultiVectorEncoder(where, device="cpu", prompts=said, **asked_of(options))

    with explained(name):
        require_understood(name, where, options.revision)
        config: Mapping[str, Any] = stored(where, "config.json", options.revision) or {}
        loaded = load(0)
        if set(loaded.modalities) != {"text"}:
            shown = ", ".join(map(str, loaded.modalities))
            raise EncoderError(name, f"reads {shown}, and not texts alone; of pages name hf_pages:{name}")
        # the library fills up a projection that it does not find, at random: two loads tell
        if digest_of(_projections(loaded)) != digest_of(_projections(load(1))):
            raise WeightsError(name, "have no projection of tokens, and it would be random; give a trained ColBERT")
        for path, transformer in backbones(loaded, where, options.revision):
            network: Any = transformer.model
            given: dict[str, Any] = {"subfolder": path, "revision": options.revision, "trust_remote_code": False}
            told: Any = network.__class__.from_pretrained(
                where, config=network.config, output_loading_info=True, **given
            )
            # ColBERT's own checkpoints have their projection beside the model's weights
            heads = ("linear",) if "HF_ColBERT" in (config.get("architectures") or ()) else ()
            weighed(name, told, heads=heads)
            if getattr(network, "pooler", None) is not None:
                network.pooler = None  # it is not asked, and many checkpoints have none
    return loaded


def _projections(model: Any) -> Any:
    """The parts behind the transformer."""
    return torch().nn.ModuleList([part for part in model.children() if not hasattr(part, "auto_model")])


def _reading(name: str, model: Any, role: Role) -> Reading:
    longest = limit_of(model, role)
    for part in model.modules():
        expansion: Mapping[str, Any] = getattr(part, "query_expansion", None) or {}
        if role is Role.QUERY and expansion.get("strategy") == "fixed":
            longest = min(expansion["length"], longest or expansion["length"])
    return Reading(name, reader_of(name, model.tokenizer), longest, prompt_of(model, role))


FAMILY = Family(
    name="multi_vector",
    summary="late interaction: a vector for each token (ColBERT and its kin), by sentence-transformers",
    modules=("torch", "sentence_transformers"),
    install="pip install 'octant-search[sentence-transformers]'",
    options=MultiVectorOptions,
    load=lambda model, options: [MultiVectorTexts(model, options)],
    known=(
        Known("colbert-ir/colbertv2.0", (Modality.TEXT,), 128, "see its card", Kind.MULTI),
        Known("lightonai/GTE-ModernColBERT-v1", (Modality.TEXT,), 128, "see its card", Kind.MULTI),
    ),
    roles=True,
)
