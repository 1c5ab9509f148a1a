"""A CLAP model of a few thousand weights, saved as transformers saves it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

torch: Any = importlib.import_module("torch")
transformers: Any = importlib.import_module("transformers")

DIM = 24


def tiny_clap(folder: Path, *, fused: bool) -> Path:
    """Write a random model; text and audio meet in 24 dimensions, and a text has room for 128 tokens."""
    vocabulary = {word: at for at, word in enumerate(["<s>", "<pad>", "</s>", "<unk>", "<mask>", *_bytes()])}
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    text = {"vocab_size": len(vocabulary), "max_position_embeddings": 130, "projection_dim": DIM, "pad_token_id": 1}
    audio = {
        "window_size": 4,
        "num_mel_bins": 64,
        "spec_size": 256,
        "patch_size": 4,
        "patch_stride": [4, 4],
        "hidden_size": 64,
        "patch_embeds_hidden_size": 8,
        "depths": [1] * 4,
        "num_attention_heads": [1] * 4,
        "projection_dim": DIM,
        "num_classes": 4,
        "enable_fusion": fused,
        "fusion_type": "aff_2d" if fused else None,
        "aff_block_r": 2,
    }
    torch.manual_seed(0)
    config = transformers.ClapConfig(text_config={**small, **text}, audio_config=audio, projection_dim=DIM)
    model = transformers.ClapModel(config)
    model.save_pretrained(folder)
    kind = "fusion" if fused else "rand_trunc"
    extractor = transformers.ClapFeatureExtractor(truncation=kind, padding="repeatpad")
    processor = transformers.ClapProcessor(
        feature_extractor=extractor,
        tokenizer=transformers.RobertaTokenizer(vocab=vocabulary, merges=[], model_max_length=128),
    )
    processor.save_pretrained(folder)
    return folder


def _bytes() -> list[str]:
    slow: Any = importlib.import_module("transformers.convert_slow_tokenizer")
    return list(slow.bytes_to_unicode().values())
