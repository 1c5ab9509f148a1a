"""Checkpoints of Hugging Face transformers: where they lie, whether they are whole, what of them makes vectors."""

from __future__ import annotations

import importlib
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from octant.backends.tokens import ENDLESS
from octant.backends.torched import torch, whole
from octant.errors import EncoderError, OctantError, WeightsError

__all__ = ["explained", "label_of", "longest_of", "place_of", "said_of", "weighed"]


def place_of(name: str) -> str:
    """The folder that a name means, or the name, for a hub. Raises EncoderError for a folder that is not there."""
    path = Path(name).expanduser()
    if path.is_dir():
        return str(path)
    if path.is_absolute() or path.exists() or name.startswith((".", "~")):
        raise EncoderError(name, "is no folder; give one that a model was saved to, or its name on a hub")
    return name


def label_of(name: str) -> str:
    """What an identity calls a model: of a folder its own name alone, for it may lie elsewhere tomorrow."""
    path = Path(name).expanduser()
    return path.resolve().name if path.is_dir() else name


@contextmanager
def explained(name: str) -> Generator[None]:
    """Raise what a library raises while it loads a model as EncoderError, or WeightsError, with the remedy."""
    try:
        yield
    except OctantError:
        raise
    except (OSError, ValueError, RuntimeError, KeyError, AttributeError, TypeError, ImportError) as error:
        told = " ".join(str(error).split())
        if "trust_remote_code" in told or "auto_map" in told:
            raise EncoderError(
                name,
                "runs on code that comes with it, and octant never runs such code; take a model that the library knows "
                "by itself, or serve this one (vLLM, TEI, infinity) and name it openai_compatible:MODEL?url=…",
            ) from error
        if "size mismatch" in told or "mismatched" in told or "state_dict" in told:
            raise WeightsError(name, f"they do not fit the model: {told[:200]}") from error
        raise EncoderError(name, f"cannot be loaded: {told[:300] or type(error).__name__}") from error


def weighed(
    name: str, loaded: tuple[Any, Mapping[str, Any]], *, pooler: bool = False, heads: Sequence[str] = ()
) -> Any:
    """The model of what `from_pretrained(..., output_loading_info=True)` returned, once its weights are known whole.

    Raises WeightsError otherwise. Heads of the architecture that the checkpoint names itself by are not asked for, nor,
    unless `pooler`, what stands between the last hidden states and such a head; others that may be there are `heads`.
    """
    model, told = loaded
    missing = [key for key in told["missing_keys"] if pooler or not key.startswith("pooler.")]
    unexpected = [key for key in told["unexpected_keys"] if not key.endswith((".position_ids", ".inv_freq"))]
    if unexpected:
        known = {*heads, *_heads(model)}
        unexpected = [key for key in unexpected if key.partition(".")[0] not in known]
    whole(name, sorted(missing), sorted(unexpected), _names(told))
    return model


def _names(told: Mapping[str, Any]) -> list[str]:
    mismatched: Sequence[Any] = list(told.get("mismatched_keys", ()))
    return sorted(f"{key[0]}" if isinstance(key, tuple) else f"{key}" for key in mismatched)


def _heads(model: Any) -> set[str]:
    """What the checkpoint's own architecture has beside the model: the heads of a language model or a classifier."""
    transformers: Any = importlib.import_module("transformers")
    mine = {part for part, _ in model.named_children()} | {model.base_model_prefix}
    heads: set[str] = set()
    for architecture in model.config.architectures or ():
        kind = getattr(transformers, architecture, None)
        if kind is not None and kind is not type(model):
            with torch().device("meta"):
                heads |= {part for part, _ in kind(model.config).named_children()}
    return heads - mine


def longest_of(model: Any, tokenizer: Any) -> int | None:
    """How many tokens a model reads at once, special ones too: what its tokenizer says and its positions allow."""
    limits: list[int] = []
    if tokenizer is not None and tokenizer.model_max_length < ENDLESS:
        limits.append(int(tokenizer.model_max_length))
    config = model.config.get_text_config()
    if isinstance(positions := getattr(config, "max_position_embeddings", None), int) and positions > 0:
        limits.append(positions - _first_position(model))
    return min(limits, default=None)


def _first_position(model: Any) -> int:
    """Models of the family of RoBERTa count positions from behind that of the padding."""
    for part in model.modules():
        padding: Any = getattr(part, "padding_idx", None)
        if isinstance(padding, int) and hasattr(getattr(part, "position_embeddings", None), "num_embeddings"):
            return padding + 1
    return 0


def said_of(config: Any) -> dict[str, Any]:
    """What of a config decides the vectors and is not the default: nothing of where it lies or who wrote it."""
    return _said(config.to_diff_dict())


_NOT_SAID = (
    *("transformers_version", "dtype", "torch_dtype", "architectures", "use_cache", "attn_implementation"),
    *("id2label", "label2id"),  # names of a classifier's classes
)


def _said(told: Mapping[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for key, value in told.items():
        if key not in _NOT_SAID and not str(key).startswith("_"):
            said[key] = _said(cast("dict[str, Any]", value)) if isinstance(value, dict) else value
    return said
