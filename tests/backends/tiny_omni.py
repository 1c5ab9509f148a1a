"""A tiny EmbeddingGemma 2, a tiny SigLIP and a tiny CLIP with random weights, saved as their libraries save them."""

from __future__ import annotations

import importlib
import string
from pathlib import Path
from typing import Any

import numpy as np
from tiny_text import seeded, tokenizer

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}"
    "{% elif part['type'] == 'image' %}<|image|>{% elif part['type'] == 'audio' %}<|audio|>"
    "{% elif part['type'] == 'video' %}<|video|>{% endif %}{% endfor %}{% endif %}{% endfor %}"
)


def omni(folder: Path) -> Path:
    """An any-to-any model for sentence-transformers: mean of all tokens, unit length, prompts for both roles."""
    torch = seeded()
    transformers: Any = importlib.import_module("transformers")
    tokenizers: Any = importlib.import_module("tokenizers")
    library: Any = importlib.import_module("sentence_transformers")
    shared: Any = importlib.import_module("sentence_transformers.base.modules")
    dense: Any = importlib.import_module("sentence_transformers.sentence_transformer.modules")
    marks = ["<pad>", "<eos>", "<bos>", "<unk>", "<|image|>", "<|audio|>", "<|video|>", "<boi>", "<eoi>", "<boa>"]
    words = [*marks, "<eoa>", *string.printable]
    vocabulary = {word: index for index, word in enumerate(words)}
    base = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=base,
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        unk_token="<unk>",
        model_max_length=1000,
        extra_special_tokens={
            "image_token": "<|image|>",
            "audio_token": "<|audio|>",
            "boi_token": "<boi>",
            "eoi_token": "<eoi>",
            "boa_token": "<boa>",
            "eoa_token": "<eoa>",
        },
    )
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "rms_norm_eps": 1e-6}
    config = transformers.EmbeddingGemma2Config(
        text_config=small
        | {
            "vocab_size": len(words),
            "intermediate_size": 64,
            "num_key_value_heads": 1,
            "head_dim": 16,
            "global_head_dim": 16,
            "hidden_size_per_layer_input": 8,
            "embedding_dim": 24,
            "initializer_range": 0.2,
        },
        vision_config=small
        | {
            "model_type": "gemma4_vision",
            "intermediate_size": 64,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "position_embedding_size": 256,
            "initializer_range": 0.2,
        },
        audio_config={
            "model_type": "gemma4_audio",
            "hidden_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "subsampling_conv_channels": [128, 4],
            "output_proj_dims": 32,
            "initializer_range": 0.2,
        },
        image_token_id=vocabulary["<|image|>"],
        audio_token_id=vocabulary["<|audio|>"],
        video_token_id=vocabulary["<|video|>"],
        boi_token_id=vocabulary["<boi>"],
        eoi_token_id=vocabulary["<eoi>"],
        boa_token_id=vocabulary["<boa>"],
        eoa_token_index=vocabulary["<eoa>"],
    )
    vision: Any = importlib.import_module("transformers.models.gemma4.image_processing_gemma4")
    video: Any = importlib.import_module("transformers.models.embedding_gemma2.video_processing_embedding_gemma2")
    processor = transformers.EmbeddingGemma2Processor(
        feature_extractor=transformers.Gemma4AudioFeatureExtractor(),
        image_processor=vision.Gemma4ImageProcessor(max_soft_tokens=70),
        tokenizer=tokenizer,
        video_processor=video.EmbeddingGemma2VideoProcessor(),
        chat_template=TEMPLATE,
    )
    raw = folder / "raw"
    model = transformers.EmbeddingGemma2Model(config).to(torch.float32)
    model.save_pretrained(raw)
    processor.save_pretrained(raw)
    backbone = shared.Transformer(str(raw))
    made = library.SentenceTransformer(
        modules=[backbone, dense.Pooling(24, pooling_mode="mean"), shared.Normalize()],
        device="cpu",
        prompts={"query": "task: search | ", "document": "title: none | "},
    )
    made.save_pretrained(str(folder / "omni"), create_model_card=False)
    return folder / "omni"


def clip(folder: Path) -> Path:
    """A CLIP whose texts have at most 20 tokens, as transformers saves it."""
    return _towers(folder, "CLIP", "CLIPConfig", "CLIPModel", "CLIPImageProcessor", "CLIPProcessor")


def siglip(folder: Path) -> Path:
    """A SigLIP whose texts are padded to 20 tokens, as transformers saves it."""
    return _towers(folder, "Siglip", "SiglipConfig", "SiglipModel", "SiglipImageProcessor", "SiglipProcessor")


def _towers(folder: Path, kind: str, config: str, model: str, pictures: str, processor: str) -> Path:
    seeded()
    transformers: Any = importlib.import_module("transformers")
    made = tokenizer(longest=20)
    small: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    small |= {"projection_dim": 24} if kind == "CLIP" else {}
    special = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    text = small | special | {"vocab_size": len(made), "max_position_embeddings": 20}
    vision = small | {"image_size": 32, "patch_size": 8}
    whole = {"text_config": text, "vision_config": vision} | ({"projection_dim": 24} if kind == "CLIP" else {})
    network = getattr(transformers, model)(getattr(transformers, config)(**whole))
    for parameter in network.parameters():  # else all texts are alike, and all pictures
        parameter.data += 0.2 * importlib.import_module("torch").randn_like(parameter)
    size = {"shortest_edge": 32} if kind == "CLIP" else {"height": 32, "width": 32}
    prepare = getattr(transformers, pictures)(size=size)
    if kind == "CLIP":
        prepare.crop_size = {"height": 32, "width": 32}
    network.save_pretrained(folder)
    prepare.save_pretrained(folder)
    made.save_pretrained(folder)
    return folder


def picture(seed: int, size: tuple[int, int] = (60, 40)) -> Any:
    """A Pillow image of coarse colours."""
    pillow: Any = importlib.import_module("PIL.Image")
    coarse = np.random.default_rng(seed).integers(0, 255, (4, 6, 3), dtype=np.uint8)
    return pillow.fromarray(coarse).resize(size, pillow.Resampling.BICUBIC)


def sound(seed: int, seconds: float, rate: int = 16_000) -> Any:
    """Noise that swells: its parts are not alike."""
    count = int(seconds * rate)
    noise = np.random.default_rng(seed).normal(0, 0.1, count)
    return (noise * np.linspace(0.1, 1, count)).astype(np.float32)
