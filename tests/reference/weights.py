"""Writes a small random LTX-2 that ComfyUI and Lightricks' ltx-core both load. Run by the engine's Python.

The modules are ltx-core's, shrunk by configuration, so their files' keys are the published ones. Three
blocks, statistics that are not 0 and 1, 32-bit floats: what differs between two implementations is seen.
"""

import json
import zlib
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from ltx_core.model.audio_vae.model_configurator import (
    AudioDecoderConfigurator,
    AudioEncoderConfigurator,
    VocoderConfigurator,
)
from ltx_core.model.transformer.model_configurator import LTXModelConfigurator
from ltx_core.model.upsampler.model_configurator import LatentUpsamplerConfigurator
from ltx_core.model.video_vae.model_configurator import VideoDecoderConfigurator, VideoEncoderConfigurator
from ltx_core.text_encoders.gemma.embeddings_connector import (
    AudioEmbeddings1DConnectorConfigurator,
    Embeddings1DConnectorConfigurator,
)
from safetensors.torch import save_file

from local.tiny.configuration import Configuration, published

State = dict[str, torch.Tensor]

CHECKPOINT = Path("checkpoints", "small.safetensors")
#: The same with so many blocks that the one is there which the family's guidance perturbs.
DEEP, DEEP_BLOCKS = Path("checkpoints", "deep.safetensors"), 30
UPSCALERS = {
    which: Path("latent_upscale_models", f"{which}.safetensors") for which in ("spatial", "temporal")
}
#: A plain LoRA, and one that reads its guide at half size, as the union-control LoRA says of itself.
LORAS = {"plain": None, "union": {"reference_downscale_factor": "2"}}

TEXT_WIDTH = 64
#: Sizes of the transformer, of those that a configuration names.
TRANSFORMER: dict[str, Any] = {
    "num_layers": 3,
    "num_attention_heads": 2,
    "attention_head_dim": 64,
    "cross_attention_dim": 128,
    "audio_num_attention_heads": 2,
    "audio_attention_head_dim": 32,
    "audio_cross_attention_dim": 64,
    "caption_channels": TEXT_WIDTH,
    "connector_attention_head_dim": 32,
    "audio_connector_num_attention_heads": 2,
    "audio_connector_attention_head_dim": 32,
}


def small(family: str) -> Configuration:
    """A family's configuration, shrunk to what two implementations compute in a moment."""
    full = published(family)
    parts = full.checkpoint
    transformer = parts["transformer"] | {
        key: value for key, value in TRANSFORMER.items() if key in parts["transformer"]
    }
    # A connector is as wide as the text that it gets.
    widths = text_widths(transformer)
    transformer["connector_num_attention_heads"] = widths[0] // 32
    return Configuration(
        checkpoint=parts
        | {
            "transformer": transformer,
            "vae": _video_vae(parts["vae"]),
            "audio_vae": _audio_vae(parts["audio_vae"]),
            "vocoder": _vocoder(parts["vocoder"]),
        },
        upscalers={
            which: sizes | {"_class_name": "LatentUpsampler", "mid_channels": 64, "num_blocks_per_stage": 2}
            for which, sizes in full.upscalers.items()
        },
    )


def text_widths(transformer: Mapping[str, Any]) -> tuple[int, int]:
    """How wide the connectors' text is for the picture and for the sound."""
    if transformer.get("caption_proj_before_connector"):
        return transformer["cross_attention_dim"], transformer["audio_cross_attention_dim"]
    return TEXT_WIDTH, TEXT_WIDTH


def _video_vae(full: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = deepcopy(full)
    for _, settings in config["encoder_blocks"] + config["decoder_blocks"]:
        if "num_layers" in settings:
            settings["num_layers"] = 1
    for name, settings in config["encoder_blocks"]:
        if name.startswith("compress"):
            settings["multiplier"] = 1  # ltx-core begins with 128 channels whatever the file says
    return config | {
        "spatial_padding_mode": "zeros",
        "encoder_base_channels": 128,
        "decoder_base_channels": 16,
    }


def _audio_vae(full: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = deepcopy(full)
    config["model"]["params"]["ddconfig"] |= {"num_res_blocks": 1}
    return config


def _vocoder(full: dict[str, Any]) -> dict[str, Any]:
    if "vocoder" not in full:
        return full | {"upsample_initial_channel": 128}
    return {stage: sizes | {"upsample_initial_channel": 128} for stage, sizes in full.items()}


def _random(module: Any, seed: str) -> State:
    rng = torch.Generator().manual_seed(zlib.crc32(seed.encode()))
    # Filters of a resampler are constants, which both sides compute alike.
    state = {key: value for key, value in module.state_dict().items() if not key.endswith(".filter")}
    kept = {key: value.clone() for key, value in module.state_dict().items() if key not in state}
    return kept | {key: _value(key, value.shape, rng) for key, value in state.items()}


def _value(key: str, shape: torch.Size, rng: torch.Generator) -> torch.Tensor:
    if "mel_stft" in key:
        return torch.randn(shape, generator=rng).abs() / shape[-1] ** 0.5  # of a transform, any will do
    if "std-of-means" in key:
        return 0.5 + torch.rand(shape, generator=rng)
    normal = torch.randn(shape, generator=rng)
    if "mean-of-means" in key or "scale_shift_table" in key:
        return 0.3 * normal
    if len(shape) <= 1:
        return 1 + 0.1 * normal if key.endswith("weight") else 0.05 * normal
    return normal / shape[1:].numel() ** 0.5


def _checkpoint(config: dict[str, dict[str, Any]]) -> State:
    transformer = "model.diffusion_model."
    modules = {
        transformer: LTXModelConfigurator,
        f"{transformer}video_embeddings_connector.": Embeddings1DConnectorConfigurator,
        f"{transformer}audio_embeddings_connector.": AudioEmbeddings1DConnectorConfigurator,
        "vae.encoder.": VideoEncoderConfigurator,
        "vae.decoder.": VideoDecoderConfigurator,
        "audio_vae.encoder.": AudioEncoderConfigurator,
        "audio_vae.decoder.": AudioDecoderConfigurator,
        "vocoder.": VocoderConfigurator,
    }
    state: State = {}
    for prefix, configurator in modules.items():
        weights = _random(configurator.from_config(config), prefix)
        state |= {
            # Encoder and decoder share their statistics, which lie beside them in the file.
            (f"{prefix.split('.')[0]}.{key}" if "per_channel_statistics" in key else prefix + key): value
            for key, value in weights.items()
        }
    hidden = TEXT_WIDTH * 49
    rng = torch.Generator().manual_seed(5)
    video, audio = text_widths(config["transformer"])
    outputs = {"aggregate_embed": TEXT_WIDTH}
    if config["transformer"].get("caption_proj_before_connector"):
        outputs = {"video_aggregate_embed": video, "audio_aggregate_embed": audio}
    for name, width in outputs.items():
        projection = f"text_embedding_projection.{name}"
        state[f"{projection}.weight"] = torch.randn(width, hidden, generator=rng) / hidden**0.5
        if len(outputs) > 1:
            state[f"{projection}.bias"] = 0.1 * torch.randn(width, generator=rng)
    return state


def _lora(checkpoint: State, seed: int) -> State:
    rng = torch.Generator().manual_seed(seed)
    lora: State = {}
    for key, weight in checkpoint.items():
        is_linear = weight.ndim == 2 and key.endswith(".weight")
        if is_linear and "transformer_blocks" in key and "connector" not in key:
            rows, columns = weight.shape
            base = key.removeprefix("model.").removesuffix(".weight")
            lora[f"{base}.lora_A.weight"] = torch.randn(2, columns, generator=rng) / columns**0.5
            lora[f"{base}.lora_B.weight"] = torch.randn(rows, 2, generator=rng) * 0.3
    return lora


def write(folder: Path, family: str) -> Configuration:
    """Write every file into a folder of ComfyUI's models layout, and say how large the models are."""
    config = small(family)
    for name in ("checkpoints", "latent_upscale_models", "loras"):
        (folder / name).mkdir(parents=True)
    checkpoint = _checkpoint(config.checkpoint)
    _save(folder / CHECKPOINT, checkpoint, {"config": json.dumps(config.checkpoint)})
    deep = config.checkpoint | {"transformer": config.checkpoint["transformer"] | {"num_layers": DEEP_BLOCKS}}
    _save(folder / DEEP, _checkpoint(deep), {"config": json.dumps(deep)})
    for seed, (name, metadata) in enumerate(LORAS.items(), 7):
        _save(folder / "loras" / f"{name}.safetensors", _lora(checkpoint, seed), metadata)
    for which, path in UPSCALERS.items():
        sizes = config.upscalers[which]
        upscaler = LatentUpsamplerConfigurator.from_config(sizes)
        _save(folder / path, _random(upscaler, which), {"config": json.dumps(sizes)})
    return config


def _save(path: Path, state: State, metadata: dict[str, str] | None) -> None:
    save_file({key: value.contiguous() for key, value in state.items()}, path, metadata=metadata)
