"""BGE-M3: one XLM-RoBERTa that gives a text a dense vector, weights of its words, or a vector for each token.

Chen et al., BGE M3-Embedding, 2024 (arXiv:2402.03216), whose formulas these are.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tokenizers import Encoding

from octant.backends.batches import Batches
from octant.backends.checkpoints import explained, label_of, longest_of, place_of, said_of, weighed
from octant.backends.tokens import Reading, reader_of
from octant.backends.torched import TorchOptions, digest_of, import_of, inference, on_device, rows_of, torch, whole
from octant.backends.windows import mean_of_windows
from octant.encoding import EncoderSpec, Role
from octant.errors import EncoderError, WeightsError
from octant.family import Family, Known
from octant.media import Modality, Text
from octant.vectors import Array, Kind, Sparse, Vector, normalize

__all__ = ["FAMILY", "BgeM3", "BgeM3Options"]

Output = Literal["dense", "sparse", "multi"]

_KINDS = {"dense": Kind.DENSE, "sparse": Kind.SPARSE, "multi": Kind.MULTI}
_HEADS = {"sparse": "sparse_linear", "multi": "colbert_linear"}
"""The files, without suffix, of the heads beside the model's weights."""


class BgeM3Options(TorchOptions):
    """Which vectors of BGE-M3 are asked for; a collection may have a field of each."""

    output: Output = "dense"
    """One dense vector, weights of words (lexical weights), or one vector for each token (late interaction)."""


class BgeM3:
    """Texts by BGE-M3. Queries and documents are encoded alike, without prompts.

    dense    the state of the first token, of unit length
    sparse   max(0, w·h + b) of each token's state h, the greatest for each index of the vocabulary; special and
             unknown tokens have none
    multi    W·h + b of each token but the first, of unit length: the sum of the best matches compares them (MaxSim).
             The published score divides that by the tokens of the query, which changes no order

    A text that is longer than the model reads at once is read in windows: their mean, weighted by their tokens; the
    greatest weights of all; the vectors of all.
    """

    def __init__(self, model: str | Path = "BAAI/bge-m3", options: BgeM3Options | None = None) -> None:
        """Load the model from a folder, or from a hub by its name.

        Its heads are read as tensors alone (`sparse_linear.pt`, `colbert_linear.pt`, or .safetensors). Raises
        MissingExtra without transformers, EncoderError for another architecture than BGE-M3's, WeightsError where
        weights or the head that is asked for are not whole.
        """
        options = options or BgeM3Options()
        name = str(model)
        transformers = import_of("transformers", "transformers")
        where = place_of(name)
        asked: dict[str, Any] = {"revision": options.revision, "trust_remote_code": False}
        with explained(name):
            kind: str = transformers.AutoConfig.from_pretrained(where, **asked).model_type
            if kind != "xlm-roberta":
                raise EncoderError(name, f"is a {kind} model, and BGE-M3 an xlm-roberta; name another family")
            loaded = transformers.AutoModel.from_pretrained(
                where, dtype=getattr(torch(), options.dtype), output_loading_info=True, **asked
            )
            tokenizer: Any = transformers.AutoTokenizer.from_pretrained(where, **asked)
            network = weighed(name, loaded)
            head = _head(name, where, options, network.config.hidden_size)
        network.pooler = None  # it is not asked
        parts = on_device(torch().nn.ModuleList([network] if head is None else [network, head]), name, options)
        self._network: Any = parts[0]
        self._head = head
        self._output: Output = options.output
        self._padding: int = tokenizer.pad_token_id
        self._silent = set(tokenizer.all_special_ids) - {tokenizer.mask_token_id}
        longest = longest_of(network, tokenizer)
        self._reading = Reading(name, reader_of(name, tokenizer), longest)
        self._batches: Batches[Encoding, Array] = Batches(self._run, size=options.batch)
        noted = [said_of(network.config), self._reading.tokenizer.to_str(), longest, options.output, options.dtype]
        ((_, probe),) = self._reading.windows(["a"])[0]
        self.spec = EncoderSpec(
            identity=f"bge_m3:{label_of(name)}@{digest_of(parts, noted)}",
            modality=Modality.TEXT,
            dim=None if options.output == "sparse" else self._run([probe])[0].shape[-1],
            kind=_KINDS[options.output],
            tokens=self._reading.room,
        )

    def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:  # noqa: ARG002 (it has no roles)
        """Encode a batch: one vector of the kind that was asked for per text."""
        windows = self._reading.windows([text.content for text in batch])
        flat = [encoding for several in windows for _, encoding in several]
        rows = iter(self._batches(flat, [len(encoding.ids) for encoding in flat]))
        return [
            self._joined([encoding for _, encoding in several], [next(rows) for _ in several]) for several in windows
        ]

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Where the tokens of a text lie: start and end in characters, in order."""
        return self._reading.spans(text)

    def _joined(self, encodings: Sequence[Encoding], rows: Sequence[Array]) -> Vector:
        match self._output:
            case "dense":
                return mean_of_windows(rows, [self._reading.length(encoding) for encoding in encodings])
            case "multi":
                return normalize(np.concatenate(rows))
            case "sparse":
                weights: dict[int, float] = {}
                for encoding, row in zip(encodings, rows, strict=True):
                    for index, weight in zip(encoding.ids, row.tolist(), strict=True):
                        if weight > 0 and index not in self._silent:
                            weights[index] = max(weight, weights.get(index, 0.0))
                return Sparse(tuple(weights), tuple(weights.values()))

    def _run(self, encodings: Sequence[Encoding]) -> list[Array]:
        """Of each text: its [dim] first state, its [tokens] weights, or [tokens - 1, dim] of its tokens."""
        lengths = [len(encoding.ids) for encoding in encodings]
        ids = np.full((len(encodings), max(lengths)), self._padding, np.int64)
        mask = np.zeros_like(ids)
        for row, encoding in enumerate(encodings):
            ids[row, : lengths[row]], mask[row, : lengths[row]] = encoding.ids, 1
        device: Any = self._network.device
        given = {"input_ids": torch().from_numpy(ids).to(device), "attention_mask": torch().from_numpy(mask).to(device)}
        with inference():
            states: Any = self._network(**given).last_hidden_state
            if self._head is None:
                return list(rows_of(states[:, 0]))
            if self._output == "sparse":
                weights = rows_of(self._head(states)[:, :, 0].relu())
                return [row[:length] for row, length in zip(weights, lengths, strict=True)]
            tokens = rows_of(self._head(states[:, 1:]))
            return [row[: length - 1] for row, length in zip(tokens, lengths, strict=True)]


def _head(name: str, where: str, options: BgeM3Options, hidden: int) -> Any:
    """The linear layer behind the states that makes what is asked for; None for dense vectors."""
    if options.output == "dense":
        return None
    stem = _HEADS[options.output]
    find: Any = importlib.import_module("transformers.utils").cached_file
    files = [
        find(where, stem + suffix, revision=options.revision, _raise_exceptions_for_missing_entries=False)
        for suffix in (".safetensors", ".pt")
    ]
    file: str | None = next((one for one in files if one is not None), None)
    if file is None:
        raise WeightsError(name, f"have no {stem}.pt, which {options.output} vectors want; give a whole BGE-M3")
    state = _tensors(name, file)
    wanted = ("weight", "bias")
    whole(
        f"{name} ({stem})",
        [key for key in wanted if key not in state],
        [key for key in state if key not in wanted],
        [key for key, one in state.items() if key == "weight" and tuple(one.shape)[1:] != (hidden,)],
    )
    layer: Any = torch().nn.Linear(hidden, len(state["weight"]))
    if options.output == "sparse" and layer.out_features != 1:
        raise WeightsError(f"{name} ({stem})", f"give {layer.out_features} weights for each token, not one")
    layer.load_state_dict(state)
    return layer


def _tensors(name: str, file: str) -> Mapping[str, Any]:
    if file.endswith(".safetensors"):
        read: Any = importlib.import_module("safetensors.torch").load_file
        tensors: Mapping[str, Any] = read(file)
        return tensors
    try:
        # tensors alone: a pickle could hold code, and torch would run it
        state: Mapping[str, Any] = torch().load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler's own, EOFError, and what zip files raise
        raise WeightsError(name, f"{Path(file).name} holds more than tensors, or is damaged; it is not read") from error
    return state


FAMILY = Family(
    name="bge_m3",
    summary="BGE-M3: dense vectors, weights of words, or a vector for each token, of one multilingual model",
    modules=("torch", "transformers"),
    install="pip install 'octant-search[transformers]'",
    options=BgeM3Options,
    load=lambda model, options: [BgeM3(model, options)],
    known=(
        Known("BAAI/bge-m3", (Modality.TEXT,), 1024, "see its card"),
        Known("BAAI/bge-m3?output=sparse", (Modality.TEXT,), None, "see its card", Kind.SPARSE),
        Known("BAAI/bge-m3?output=multi", (Modality.TEXT,), 1024, "see its card", Kind.MULTI),
    ),
)
