"""Tiny ColPali, ColQwen2 and ColModernVBERT, made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tiny_media import library

_SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
DIM = 16
POSITIONS = 160


def byte_tokenizer(special: Sequence[str], **named: str) -> Any:
    """A tokenizer of bytes with special tokens."""
    tokenizers = library("tokenizers")
    transformers = library("transformers")
    slow = library("transformers.convert_slow_tokenizer")
    vocabulary = {word: index for index, word in enumerate([*special, *slow.bytes_to_unicode().values()])}
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    made.add_special_tokens([tokenizers.AddedToken(one, special=True, normalized=False) for one in special])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, padding_side="right", model_input_names=["input_ids", "attention_mask"], **named
    )


def _colpali() -> tuple[Any, Any]:
    transformers = library("transformers")
    tokenizer = byte_tokenizer(
        ["<pad>", "<eos>", "<bos>", "<unk>", "<image>"],
        pad_token="<pad>",
        eos_token="<eos>",
        bos_token="<bos>",
        unk_token="<unk>",
    )
    pictures = transformers.SiglipImageProcessor(size={"height": 32, "width": 32})
    pictures.image_seq_length = 16
    processor = transformers.ColPaliProcessor(image_processor=pictures, tokenizer=tokenizer)
    image = processor.image_token_id
    vision = transformers.SiglipVisionConfig(**_SMALL, image_size=32, patch_size=8, projection_dim=32)
    vlm = transformers.PaliGemmaConfig(
        vision_config=vision.to_dict(),
        text_config=transformers.GemmaConfig(
            **_SMALL,
            num_key_value_heads=1,
            head_dim=16,
            vocab_size=len(tokenizer),
            max_position_embeddings=POSITIONS,
            pad_token_id=0,
            eos_token_id=1,
            bos_token_id=2,
        ).to_dict(),
        image_token_id=image,
        projection_dim=32,
        hidden_size=32,
    )
    return transformers.ColPaliForRetrieval(transformers.ColPaliConfig(vlm_config=vlm, embedding_dim=DIM)), processor


def _colqwen2() -> tuple[Any, Any]:
    transformers = library("transformers")
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"]
    tokenizer = byte_tokenizer([*special, "<|video_pad|>"], pad_token="<|endoftext|>", eos_token="<|im_end|>")
    number = tokenizer.convert_tokens_to_ids
    pictures = transformers.Qwen2VLImageProcessor(
        patch_size=4, merge_size=2, size={"shortest_edge": 256, "longest_edge": 2048}
    )
    vlm = transformers.Qwen2VLConfig(
        text_config={
            **_SMALL,
            "num_key_value_heads": 2,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": POSITIONS,
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0},
            "pad_token_id": 0,
            "eos_token_id": 2,
            "bos_token_id": None,
        },
        vision_config={
            "depth": 2,
            "embed_dim": 32,
            "hidden_size": 32,
            "num_heads": 2,
            "mlp_ratio": 2,
            "patch_size": 4,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
        image_token_id=number("<|image_pad|>"),
        video_token_id=number("<|video_pad|>"),
        vision_start_token_id=number("<|vision_start|>"),
        vision_end_token_id=number("<|vision_end|>"),
    )
    processor = transformers.ColQwen2Processor(image_processor=pictures, tokenizer=tokenizer)
    return transformers.ColQwen2ForRetrieval(transformers.ColQwen2Config(vlm_config=vlm, embedding_dim=DIM)), processor


def _colmodernvbert() -> tuple[Any, Any]:
    transformers = library("transformers")
    tiles = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    special = ["[PAD]", "[CLS]", "[SEP]", "[MASK]", "<fake_token_around_image>", "<image>", "<end_of_utterance>"]
    tokenizer = byte_tokenizer(
        [*special, "<global-img>", "<|begin_of_text|>", *tiles],
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
    pictures = transformers.Idefics3ImageProcessor(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})
    processor = transformers.ColModernVBertProcessor(image_processor=pictures, tokenizer=tokenizer, image_seq_len=4)
    vlm = transformers.ModernVBertConfig(
        text_config={
            "model_type": "modernbert",
            **_SMALL,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": POSITIONS,
            "pad_token_id": 0,
            "cls_token_id": 1,
            "sep_token_id": 2,
            "bos_token_id": 1,
            "eos_token_id": 2,
        },
        vision_config={"model_type": "siglip_vision_model", **_SMALL, "image_size": 32, "patch_size": 8},
        image_token_id=processor.image_token_id,
        pixel_shuffle_factor=2,
    )
    return transformers.ColModernVBertForRetrieval(
        transformers.ColModernVBertConfig(vlm_config=vlm, embedding_dim=DIM)
    ), processor


KINDS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "colpali": _colpali,
    "colqwen2": _colqwen2,
    "colmodernvbert": _colmodernvbert,
}


def make(folder: Path, kind: str, *, seed: int = 0) -> Path:
    """Write a model of random weights with its processor."""
    torch = library("torch")
    torch.manual_seed(seed)
    model, processor = KINDS[kind]()
    with torch.no_grad():
        for one in model.parameters():  # fresh ones are so small that all inputs look nearly alike
            one.add_(torch.randn_like(one) * 0.1)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
