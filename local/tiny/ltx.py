"""The tiny LTX-2 itself: checkpoints, text encoder, latent upscalers and LoRAs. Runs in the engine's Python.

ComfyUI reads the sizes of the transformer, both VAEs, the vocoder and the upscalers from the file's
metadata, so these shrink by configuration alone; only the text encoder needs tiny_nodes/tiny_gemma.
"""

import io
import json
import re
from copy import deepcopy
from typing import Any

import comfy.ops
import sentencepiece
import torch
from comfy.ldm.lightricks.av_model import LTXAVModel
from comfy.ldm.lightricks.latent_upsampler import LatentUpsampler
from comfy.ldm.lightricks.vae.audio_vae import AudioVAE
from comfy.ldm.lightricks.vae.causal_video_autoencoder import VideoVAE
from comfy.text_encoders import lt

from local.tiny import ltx2_config
from local.tiny.random_weights import State, generator, random_state
from local.tiny_nodes.tiny_gemma import HIDDEN, HIDDEN_STATES

OPERATIONS = comfy.ops.disable_weight_init

#: What a LoRA at strength 1.0 adds to a layer, relative to the layer's own weights.
LORA_STRENGTH = 0.7
LORA_RANK = 2

#: How far the decoder's picture departs from grey: little enough to compress well, enough to show a change.
CONTRAST = 0.6

#: Parts of the decoder that do not blur over time. They work on an eighth or a quarter of the frames: what
#: moves stays, and does not flicker. What the tiny transformer makes is much the same in all frames; blurred
#: over time as well it would be one picture.
MOVING = ("decoder.conv_in.", "decoder.up_blocks.0.", "decoder.up_blocks.1.")

#: Each of the decoder's upsampling layers makes 2x2x2 pixels out of one.
UPSAMPLING = 8

TRANSFORMER: dict[str, Any] = ltx2_config.TRANSFORMER | {
    "num_layers": 1,
    "num_attention_heads": 1,
    "attention_head_dim": 64,
    "cross_attention_dim": 64,
    "audio_num_attention_heads": 1,
    "audio_attention_head_dim": 32,
    "audio_cross_attention_dim": 32,
    "caption_channels": HIDDEN,
    "connector_attention_head_dim": 32,
    "connector_num_attention_heads": 2,
}

VIDEO_VAE: dict[str, Any] = ltx2_config.VIDEO_VAE | {
    "encoder_blocks": [
        ["res_x", {"num_layers": 1}],
        ["compress_space_res", {"multiplier": 2}],
        ["compress_time_res", {"multiplier": 2}],
        ["compress_all_res", {"multiplier": 2}],
        ["compress_all_res", {"multiplier": 2}],
        ["res_x", {"num_layers": 1}],
    ],
    "decoder_blocks": [
        ["res_x", {"num_layers": 1, "inject_noise": False}],
        ["compress_all", {"residual": False, "multiplier": 2}],
        ["compress_all", {"residual": False, "multiplier": 2}],
        ["compress_all", {"residual": False, "multiplier": 2}],
        ["res_x", {"num_layers": 1, "inject_noise": False}],
    ],
    "encoder_base_channels": 4,
    "decoder_base_channels": 4,
    "spatial_padding_mode": "zeros",
}

AUDIO_VAE: dict[str, Any] = deepcopy(ltx2_config.AUDIO_VAE)
AUDIO_VAE["model"]["params"]["ddconfig"] |= {"ch": 8, "num_res_blocks": 1}

VOCODER: dict[str, Any] = ltx2_config.VOCODER | {
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1, 3, 5]],
    "upsample_initial_channel": 64,
}

#: What the tokenizer learns its pieces from; anything else falls back to bytes.
CORPUS = (
    "a cat sitting on a cushion purring softly",
    "the camera pans slowly across the golden hour landscape",
    "a person speaking: hello and welcome",
    "waves crash on a rocky shore at sunset, seagulls cry in the distance",
)


def checkpoint(name: str) -> tuple[State, dict[str, str]]:
    """A checkpoint as LTX-2 ships it: transformer, both VAEs, vocoder and text projection in one file.

    Arguments:
        name: names the transformer's random numbers; everything else is the same in all checkpoints.
    """
    config = {"transformer": TRANSFORMER, "vae": VIDEO_VAE, "audio_vae": AUDIO_VAE, "vocoder": VOCODER}
    metadata = {"config": json.dumps(config)}
    state = random_state(_transformer(), name, prefix="model.diffusion_model.")
    state |= {f"vae.{key}": value for key, value in _video_vae().items()}
    audio = random_state(AudioVAE(metadata=metadata), "audio vae")  # with the vocoder's keys, which stay
    state |= {re.sub(r"^autoencoder\.", "audio_vae.", key): value for key, value in audio.items()}
    width = HIDDEN * HIDDEN_STATES
    projection = torch.randn(HIDDEN, width, generator=generator("text projection")) / width**0.5
    state["text_embedding_projection.aggregate_embed.weight"] = projection.bfloat16()
    return state, metadata


def _transformer() -> Any:
    return LTXAVModel(**TRANSFORMER, dtype=torch.bfloat16, device="cpu", operations=OPERATIONS)


def _video_vae() -> State:
    """The video VAE, with a decoder that blurs as it upsamples: its picture is coloured mist, not noise.

    Ten seconds of noise at 1280x720 cost H.264 half a minute and a hundred megabytes.
    """
    state = random_state(VideoVAE(config=VIDEO_VAE), "video vae")
    for key, value in state.items():
        if not (key.startswith("decoder.") and value.ndim == 5):
            continue
        blurred = (3, 4) if key.startswith(MOVING) else (2, 3, 4)
        weight = value.mean(dim=blurred, keepdim=True).expand_as(value)
        if key == "decoder.conv_out.conv.weight":
            state[key] = _same_in_groups(weight, VIDEO_VAE["patch_size"] ** 2) * CONTRAST
        elif key.startswith("decoder.up_blocks.") and key.split(".")[3] == "conv":
            state[key] = _same_in_groups(weight, UPSAMPLING)
        else:
            state[key] = weight
    return state


def _same_in_groups(weight: torch.Tensor, size: int) -> torch.Tensor:
    """Give each run of `size` output channels the same weights: they become a block of equal pixels."""
    return weight[::size].repeat_interleave(size, dim=0)


def text_encoder() -> State:
    """A Gemma with its tokenizer in one file, as ComfyUI's own text encoder files have it."""
    model = lt.LTXAVTEModel(dtype=torch.bfloat16, dtype_llama=torch.bfloat16)
    state = random_state(model.gemma3_12b.transformer, "text encoder")
    pieces = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 50),
        model_writer=pieces,
        vocab_size=400,
        model_type="bpe",
        byte_fallback=True,
        pad_id=0,
        eos_id=1,
        bos_id=2,
        unk_id=3,
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
    )
    state["spiece_model"] = torch.frombuffer(bytearray(pieces.getvalue()), dtype=torch.uint8)
    return state


def upscaler(*, spatial: bool) -> tuple[State, dict[str, str]]:
    """A latent upscaler by two, in space or in time."""
    which = "spatial" if spatial else "temporal"
    config = ltx2_config.UPSCALERS[which] | {"mid_channels": 32, "num_blocks_per_stage": 1}
    name = f"{which} upscaler"
    metadata = {"config": json.dumps({"_class_name": "LatentUpsampler", **config})}
    return random_state(LatentUpsampler(operations=OPERATIONS, **config), name), metadata


def lora(name: str) -> State:
    """A LoRA on every linear layer of the transformer's blocks, strong enough that its effect can be seen."""
    rng = generator(name)
    state: State = {}
    for key, weight in _transformer().state_dict().items():
        if "transformer_blocks" not in key or weight.ndim != 2 or not key.endswith(".weight"):
            continue
        rows, columns = weight.shape
        base = "diffusion_model." + key.removesuffix(".weight")
        down = torch.randn(LORA_RANK, columns, generator=rng) / columns**0.5
        up = torch.randn(rows, LORA_RANK, generator=rng) * LORA_STRENGTH / LORA_RANK**0.5
        state |= {f"{base}.lora_A.weight": down.bfloat16(), f"{base}.lora_B.weight": up.bfloat16()}
    return state
