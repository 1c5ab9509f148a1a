"""Tiny CLIP-like models in the format of Hugging Face, made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tiny_media import library
from tiny_open_clip import clip_tokenizer

SIDE = 32
_SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "projection_dim": 24,
}
_VISION: dict[str, Any] = {**_SMALL, "image_size": SIDE, "patch_size": 8}


def bert_tokenizer(length: int) -> Any:
    """A word piece tokenizer that knows letters and a few words."""
    transformers = library("transformers")
    letters = [chr(code) for code in range(33, 127)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cat", "dog", *letters, *("##" + one for one in letters)]
    return transformers.BertTokenizer(vocab={word: index for index, word in enumerate(words)}, model_max_length=length)


def siglip_tokenizer() -> Any:
    """A tokenizer of bytes that ends texts as T5 and Gemma do, and fills up on the right."""
    tokenizers = library("tokenizers")
    transformers = library("transformers")
    slow = library("transformers.convert_slow_tokenizer")
    vocabulary = {
        word: index for index, word in enumerate(["<pad>", "<eos>", "<unk>", *slow.bytes_to_unicode().values()])
    }
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    made.normalizer = tokenizers.normalizers.Lowercase()
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    made.post_processor = tokenizers.processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<unk>",
        padding_side="right",
        model_input_names=["input_ids"],
    )


def _clip() -> tuple[Any, Any]:
    transformers = library("transformers")
    tokenizer = clip_tokenizer()
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    text = {**_SMALL, **ends, "vocab_size": len(tokenizer), "max_position_embeddings": 20, "pad_token_id": 0}
    config = transformers.CLIPConfig(text_config=text, vision_config=_VISION, projection_dim=24)
    pictures = transformers.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    return transformers.CLIPModel(config), transformers.CLIPProcessor(image_processor=pictures, tokenizer=tokenizer)


def _metaclip2() -> tuple[Any, Any]:
    transformers = library("transformers")
    tokenizer = clip_tokenizer()
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    text = {**_SMALL, **ends, "vocab_size": len(tokenizer), "max_position_embeddings": 20, "pad_token_id": 0}
    config = transformers.MetaClip2Config(text_config=text, vision_config=_VISION, projection_dim=24)
    pictures = transformers.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    return transformers.MetaClip2Model(config), transformers.CLIPProcessor(
        image_processor=pictures, tokenizer=tokenizer
    )


def _siglip_parts() -> tuple[Any, dict[str, Any]]:
    tokenizer = siglip_tokenizer()
    text = {**_SMALL, "vocab_size": len(tokenizer), "max_position_embeddings": 64, "projection_size": 32}
    return tokenizer, text


def _siglip() -> tuple[Any, Any]:
    transformers = library("transformers")
    tokenizer, text = _siglip_parts()
    pictures = transformers.SiglipImageProcessor(size={"height": SIDE, "width": SIDE})
    processor = transformers.SiglipProcessor(image_processor=pictures, tokenizer=tokenizer)
    return transformers.SiglipModel(transformers.SiglipConfig(text_config=text, vision_config=_VISION)), processor


def _siglip2() -> tuple[Any, Any]:
    transformers = library("transformers")
    tokenizer, text = _siglip_parts()
    vision = {**_SMALL, "patch_size": 8, "num_patches": 16}
    processor = transformers.Siglip2Processor(
        image_processor=transformers.Siglip2ImageProcessor(patch_size=8, max_num_patches=16), tokenizer=tokenizer
    )
    return transformers.Siglip2Model(transformers.Siglip2Config(text_config=text, vision_config=vision)), processor


def _align() -> tuple[Any, Any]:
    transformers = library("transformers")
    tokenizer = bert_tokenizer(64)
    text = {**_SMALL, "vocab_size": len(tokenizer), "max_position_embeddings": 64}
    vision = {
        "image_size": SIDE,
        "width_coefficient": 1.0,
        "depth_coefficient": 1.0,
        "in_channels": [32, 8],
        "out_channels": [8, 32],
        "kernel_sizes": [3, 3],
        "strides": [2, 2],
        "num_block_repeats": [1, 1],
        "expand_ratios": [1, 2],
        "depthwise_padding": [],
        "squeeze_expansion_ratio": 0.25,
        "hidden_dim": 32,
    }
    config = transformers.AlignConfig(text_config=text, vision_config=vision, projection_dim=32)
    pictures = transformers.EfficientNetImageProcessor(
        size={"height": SIDE, "width": SIDE},
        do_center_crop=True,
        crop_size={"height": SIDE, "width": SIDE},
        do_normalize=False,
        rescale_offset=True,
        rescale_factor=1 / 127.5,
    )
    return transformers.AlignModel(config), transformers.AlignProcessor(image_processor=pictures, tokenizer=tokenizer)


def _flava() -> tuple[Any, Any]:
    transformers = library("transformers")
    tokenizer = bert_tokenizer(77)
    plain = {key: value for key, value in _SMALL.items() if key != "projection_dim"}
    config = transformers.FlavaConfig(
        image_config={**plain, "image_size": SIDE, "patch_size": 8},
        text_config={**plain, "vocab_size": len(tokenizer), "max_position_embeddings": 77},
        multimodal_config=plain,
        image_codebook_config={},
        hidden_size=32,
        projection_dim=24,
    )
    pictures = transformers.FlavaImageProcessor(
        size={"height": SIDE, "width": SIDE}, crop_size={"height": SIDE, "width": SIDE}, do_center_crop=True
    )
    return transformers.FlavaModel(config), transformers.FlavaProcessor(image_processor=pictures, tokenizer=tokenizer)


KINDS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "clip": _clip,
    "metaclip2": _metaclip2,
    "siglip": _siglip,
    "siglip2": _siglip2,
    "align": _align,
    "flava": _flava,
}


def make(folder: Path, kind: str, *, seed: int = 0) -> Path:
    """Write a model of random weights, its tokenizer and its preprocessing."""
    torch = library("torch")
    torch.manual_seed(seed)
    model, processor = KINDS[kind]()
    with torch.no_grad():
        for one in model.parameters():  # fresh ones are so small that all inputs look nearly alike
            one.add_(torch.randn_like(one) * (0.5 if one.ndim == 4 else 0.1))
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
