"""Text models of Hugging Face transformers, with a pooling and prompts that are said (extra `transformers`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tokenizers import Encoding

from octant.backends.batches import Batches
from octant.backends.checkpoints import explained, label_of, longest_of, place_of, said_of, weighed
from octant.backends.tokens import Reading, reader_of
from octant.backends.torched import TorchOptions, digest_of, import_of, inference, on_device, rows_of, torch
from octant.backends.windows import mean_of_windows
from octant.encoding import EncoderSpec, Role
from octant.errors import EncoderError
from octant.family import Family, Known
from octant.media import Modality, Text
from octant.vectors import Array, Vector

__all__ = ["FAMILY", "HfText", "HfTextOptions"]

Pooling = Literal["mean", "cls", "max", "last", "attention"]


class HfTextOptions(TorchOptions):
    """How a model of transformers is asked for texts."""

    pooling: Pooling = "mean"
    """How one vector is made of the tokens' (see `HfText`); the model's card says which it was trained with."""
    query: str = ""
    """What is put before each query, such as `query: `."""
    document: str = ""
    """What is put before each document."""


class HfText:
    """Texts as the last hidden states of a model of transformers, pooled over their tokens, of unit length.

    Pooled are the tokens that the tokenizer gives, special ones and those of the prompt among them; never padding.

    mean        the mean of the tokens
    cls         the first token
    max         the greatest value of each dimension
    last        the last token; padding is always behind it, whatever side the tokenizer would pad
    attention   the mean, weighted by the attention that a token receives in the last layer: averaged over its heads,
                summed over the tokens that pay it, and made to sum to 1

    A text that is longer than the model reads at once is read in windows, each with the prompt, and its vector is the
    mean of theirs, weighted by their tokens.
    """

    def __init__(self, model: str | Path, options: HfTextOptions | None = None) -> None:
        """Load a model from a folder, or from a hub by its name. Code that comes with it is never run.

        Raises MissingExtra without transformers, EncoderError for what is no text encoder that transformers knows by
        itself, WeightsError where the checkpoint has not just the weights of the model.
        """
        options = options or HfTextOptions()
        name = str(model)
        transformers = import_of("transformers", "transformers")
        where = place_of(name)
        asked: dict[str, Any] = {"revision": options.revision, "trust_remote_code": False}
        with explained(name):
            config: Any = transformers.AutoConfig.from_pretrained(where, **asked)
            _require_texts(name, config)
            attention = {"attn_implementation": "eager"} if options.pooling == "attention" else {}
            loaded = transformers.AutoModel.from_pretrained(
                where, dtype=getattr(torch(), options.dtype), output_loading_info=True, **asked, **attention
            )
            tokenizer: Any = transformers.AutoTokenizer.from_pretrained(where, **asked)
        network = weighed(name, loaded)
        if getattr(network, "pooler", None) is not None:
            network.pooler = None  # it would not be asked, and many checkpoints have none
        self._model = on_device(network, name, options)
        self._pooling: Pooling = options.pooling
        self._padding: int = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
        self._has_types = "token_type_ids" in tokenizer.model_input_names
        reader = reader_of(name, tokenizer)
        longest = longest_of(network, tokenizer)
        prompts = {Role.QUERY: options.query, Role.DOCUMENT: options.document}
        self._read = {role: Reading(name, reader, longest, prompt) for role, prompt in prompts.items()}
        self._batches: Batches[Encoding, Array] = Batches(self._run, size=options.batch)
        noted = [said_of(config), reader.to_str(), longest, options.pooling, prompts, options.dtype]
        rooms = [reading.room for reading in self._read.values() if reading.room is not None]
        ((_, probe),) = self._read[Role.QUERY].windows(["a"])[0]
        self.spec = EncoderSpec(
            identity=f"hf_text:{label_of(name)}@{digest_of(network, noted)}",
            modality=Modality.TEXT,
            dim=len(self._run([probe])[0]),
            tokens=min(rooms, default=None),
        )

    def encode(self, batch: Sequence[Text], role: Role) -> list[Vector]:
        """Encode a batch: one unit vector per text."""
        reading = self._read[role]
        windows = reading.windows([text.content for text in batch])
        flat = [encoding for several in windows for _, encoding in several]
        vectors = iter(self._batches(flat, [len(encoding.ids) for encoding in flat]))
        return [
            mean_of_windows([next(vectors) for _ in several], [reading.length(encoding) for _, encoding in several])
            for several in windows
        ]

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Where the tokens of a text lie: start and end in characters, in order."""
        return self._read[Role.DOCUMENT].spans(text)

    def _run(self, encodings: Sequence[Encoding]) -> list[Array]:
        """Pool the last hidden states: [n, dim], not of unit length."""
        library = torch()
        device: Any = self._model.device
        longest = max(1, *(len(encoding.ids) for encoding in encodings))
        ids = np.full((len(encodings), longest), self._padding, np.int64)
        types = np.zeros_like(ids)
        mask = np.zeros_like(ids)
        for row, encoding in enumerate(encodings):
            length = len(encoding.ids)
            ids[row, :length], types[row, :length], mask[row, :length] = encoding.ids, encoding.type_ids, 1
        given = {"input_ids": ids, "attention_mask": mask} | ({"token_type_ids": types} if self._has_types else {})
        tensors = {key: library.from_numpy(value).to(device) for key, value in given.items()}
        with inference():
            if self._pooling == "attention":
                output: Any = self._model(**tensors, output_attentions=True)
                pooled = _attended(output.last_hidden_state, output.attentions[-1], tensors["attention_mask"])
            else:
                output = self._model(**tensors)
                pooled = _pooled(output.last_hidden_state, tensors["attention_mask"], self._pooling)
            return list(rows_of(pooled))


def _pooled(states: Any, mask: Any, pooling: Pooling) -> Any:
    """[n, tokens, dim] and its [n, tokens] mask, padded behind, as [n, dim] in float32."""
    states = states.float()
    match pooling:
        case "cls":
            return states[:, 0]
        case "last":
            rows = torch().arange(len(states), device=states.device)
            return states[rows, (mask.sum(1) - 1).clamp(min=0)]
        case "max":
            return states.masked_fill(mask[:, :, None] == 0, float("-inf")).amax(1)
        case _:
            weights = mask[:, :, None].float()
            return (states * weights).sum(1) / weights.sum(1).clamp(min=1)


def _attended(states: Any, attention: Any, mask: Any) -> Any:
    """The mean of [n, tokens, dim], weighted by what each token receives of [n, heads, from, to], in float32."""
    seen = mask.float()
    received = (attention.float().mean(1) * seen[:, :, None]).sum(1) * seen
    weights = received / received.sum(1, keepdim=True)
    return (states.float() * weights[:, :, None]).sum(1)


def _require_texts(name: str, config: Any) -> None:
    if getattr(config, "is_encoder_decoder", False):
        raise EncoderError(
            name,
            "has a decoder, which wants other input; if it was trained with sentence-transformers, "
            f"name sentence_transformers:{name}",
        )
    others = [key for key in ("vision_config", "audio_config") if getattr(config, key, None) is not None]
    if others:
        raise EncoderError(name, f"reads more than texts; name sentence_transformers:{name}, or a family of images")


FAMILY = Family(
    name="hf_text",
    summary="text models of Hugging Face transformers with a pooling of your choice: BERT, ModernBERT, Qwen3, …",
    modules=("torch", "transformers"),
    install="pip install 'octant-search[transformers]'",
    options=HfTextOptions,
    load=lambda model, options: [HfText(model, options)],
    known=(
        Known("BAAI/bge-small-en-v1.5?pooling=cls", (Modality.TEXT,), 384, "see its card"),
        Known("Alibaba-NLP/gte-modernbert-base?pooling=cls", (Modality.TEXT,), 768, "see its card"),
        Known("Qwen/Qwen3-Embedding-0.6B?pooling=last", (Modality.TEXT,), 1024, "Apache-2.0", note="wants a prompt"),
    ),
    roles=True,
)
