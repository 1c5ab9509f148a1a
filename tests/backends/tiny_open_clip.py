"""A tiny CLIP in the format of OpenCLIP, made on the spot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tiny_media import library

CONTEXT = 16


def make(folder: Path, *, resize_mode: str = "shortest", siglip: bool = False, openai: bool = False) -> Path:
    """Write a model of random weights, with a tokenizer of its own."""
    open_clip = library("open_clip")
    torch = library("torch")
    safetensors = library("safetensors.torch")
    folder.mkdir(parents=True, exist_ok=True)
    text: dict[str, Any] = {"context_length": CONTEXT, "vocab_size": 516, "width": 16, "heads": 2, "layers": 2}
    if openai:
        text["vocab_size"] = 49408
    else:
        text["hf_tokenizer_name"] = "beside it"  # any name: from a folder, the folder's own is read
    if siglip:
        text |= {"no_causal_mask": True, "pool_type": "last", "proj_bias": True}
        text["tokenizer_kwargs"] = {"clean": "canonicalize"}
    config: dict[str, Any] = {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8},
        "text_cfg": text,
    }
    if siglip:
        config |= {"custom_text": True, "init_logit_bias": -10}
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": config, "preprocess_cfg": {"interpolation": "bicubic", "resize_mode": resize_mode}})
    )
    clip_tokenizer().save_pretrained(folder)
    torch.manual_seed(0)
    model: Any = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    safetensors.save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


def clip_tokenizer() -> Any:
    """A byte-level tokenizer as CLIP has it, with next to no merges: as many tokens as letters."""
    transformers = library("transformers")
    slow = library("transformers.convert_slow_tokenizer")
    letters = list(slow.bytes_to_unicode().values())
    words = [*letters, *(letter + "</w>" for letter in letters), "ca", "cat</w>", "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: index for index, word in enumerate(words)}
    merges = [("c", "a"), ("ca", "t</w>")]
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)
