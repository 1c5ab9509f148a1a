"""Models of sounds of a few thousand weights, saved as transformers saves them."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

torch: Any = importlib.import_module("torch")
transformers: Any = importlib.import_module("transformers")

DIM = 32
WAVEFORM: dict[str, tuple[Any, Any]] = {
    "wav2vec2": (transformers.Wav2Vec2Config, transformers.Wav2Vec2Model),
    "hubert": (transformers.HubertConfig, transformers.HubertModel),
    "wavlm": (transformers.WavLMConfig, transformers.WavLMModel),
    "data2vec": (transformers.Data2VecAudioConfig, transformers.Data2VecAudioModel),
}
HEADS: dict[str, tuple[Any, Any]] = {
    "wav2vec2 for CTC": (transformers.Wav2Vec2Config, transformers.Wav2Vec2ForCTC),
    "wav2vec2 for pretraining": (transformers.Wav2Vec2Config, transformers.Wav2Vec2ForPreTraining),
    "hubert for CTC": (transformers.HubertConfig, transformers.HubertForCTC),
    "wavlm for CTC": (transformers.WavLMConfig, transformers.WavLMForCTC),
    "wavlm for speakers": (transformers.WavLMConfig, transformers.WavLMForXVector),
    "data2vec for CTC": (transformers.Data2VecAudioConfig, transformers.Data2VecAudioForCTC),
}


def tiny_waveform(folder: Path, config: Any, model: Any, *, norm: str = "group", **more: Any) -> Path:
    """Write a random model; `norm` is that of its first layers: group, as the base models have it, or layer."""
    small: dict[str, Any] = {
        "hidden_size": DIM,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "conv_dim": (16,) * 7,
        "num_conv_pos_embeddings": 2 if config is transformers.Data2VecAudioConfig else 16,
        "num_conv_pos_embedding_groups": 2,
        "feat_extract_norm": norm,
        "do_stable_layer_norm": norm == "layer",
        "conv_bias": norm == "layer",
        "vocab_size": 12,
    }
    if config is transformers.Data2VecAudioConfig:
        small = {key: value for key, value in small.items() if key not in ("feat_extract_norm", "do_stable_layer_norm")}
    torch.manual_seed(0)
    made = model(config(**{**small, **more}))
    with torch.no_grad():  # fresh ones are so small that all sounds are alike
        for weight in made.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    made.save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(return_attention_mask=norm == "layer").save_pretrained(folder)
    return folder


def tiny_whisper(folder: Path, *, with_head: bool = False) -> Path:
    """Write a random Whisper model, with or without the head that tells words."""
    config = transformers.WhisperConfig(
        vocab_size=64,
        d_model=DIM,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        num_mel_bins=80,
        max_source_positions=1500,
        max_target_positions=32,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
        begin_suppress_tokens=None,
    )
    torch.manual_seed(0)
    made = transformers.WhisperForConditionalGeneration(config)
    with torch.no_grad():
        for weight in made.model.encoder.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    (made if with_head else made.model).save_pretrained(folder)
    transformers.WhisperFeatureExtractor().save_pretrained(folder)
    return folder
