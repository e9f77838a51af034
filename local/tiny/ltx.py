"""The tiny LTX-2 itself: checkpoints, text encoder, latent upscalers and LoRAs. Runs in the engine's Python.

ComfyUI reads the sizes of the transformer, both VAEs, the vocoder and the upscalers from the file's
metadata, so these shrink by configuration alone; only the text encoder needs tiny_nodes/tiny_gemma.
"""

import io
import json
import re
from typing import Any

import comfy.ops
import sentencepiece
import torch
from comfy.ldm.lightricks.av_model import LTXAVModel
from comfy.ldm.lightricks.latent_upsampler import LatentUpsampler
from comfy.ldm.lightricks.vae.audio_vae import AudioVAE
from comfy.ldm.lightricks.vae.causal_video_autoencoder import VideoVAE
from comfy.text_encoders import lt

from local.tiny.configuration import Configuration, published
from local.tiny.random_weights import State, generator, random_state
from local.tiny.shrink import shrunk
from local.tiny_nodes.tiny_gemma import AUDIO_WIDTH, HIDDEN, HIDDEN_STATES, VIDEO_WIDTH

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

#: How many pixels each of the decoder's upsampling blocks makes out of one.
UPSAMPLING = {"compress_all": 8, "compress_space": 4, "compress_time": 2}

#: What the tokenizer learns its pieces from; anything else falls back to bytes.
CORPUS = (
    "a cat sitting on a cushion purring softly",
    "the camera pans slowly across the golden hour landscape",
    "a person speaking: hello and welcome",
    "waves crash on a rocky shore at sunset, seagulls cry in the distance",
)


def checkpoint(family: str, name: str) -> tuple[State, dict[str, str]]:
    """A checkpoint as LTX-2 ships it: transformer, both VAEs, vocoder and text projection in one file.

    Arguments:
        family: whose published configuration is made tiny.
        name: names the transformer's random numbers; everything else is the same in all of a family's.
    """
    config = tiny(family).checkpoint
    metadata = {"config": json.dumps(config)}
    state = random_state(_transformer(family), name, prefix="model.diffusion_model.")
    state |= {f"vae.{key}": value for key, value in _video_vae(config["vae"]).items()}
    audio = random_state(AudioVAE(metadata=metadata), "audio vae")  # with the vocoder's keys, which stay
    audio |= {key: _listening(key, value) for key, value in audio.items() if "mel_stft" in key}
    state |= {re.sub(r"^autoencoder\.", "audio_vae.", key): value for key, value in audio.items()}
    return state | _text_projection(config["transformer"]), metadata


def tiny(family: str) -> Configuration:
    """The small configuration of a family."""
    return shrunk(published(family))


def _transformer(family: str) -> Any:
    sizes = tiny(family).checkpoint["transformer"]
    return LTXAVModel(**sizes, dtype=torch.bfloat16, device="cpu", operations=OPERATIONS)


def _text_projection(transformer: dict[str, Any]) -> State:
    """From the text encoder's hidden states to what the connectors take: one width, or one for each."""
    rng, width = generator("text projection"), HIDDEN * HIDDEN_STATES
    outputs = {"aggregate_embed": HIDDEN}
    if transformer.get("caption_proj_before_connector"):
        outputs = {"video_aggregate_embed": VIDEO_WIDTH, "audio_aggregate_embed": AUDIO_WIDTH}
    state: State = {}
    for name, size in outputs.items():
        projection = torch.randn(size, width, generator=rng) / width**0.5
        state[f"text_embedding_projection.{name}.weight"] = projection.bfloat16()
        if len(outputs) > 1:
            state[f"text_embedding_projection.{name}.bias"] = torch.zeros(size, dtype=torch.bfloat16)
    return state


def _listening(key: str, value: torch.Tensor) -> torch.Tensor:
    """What a vocoder's second stage hears the first one's sound with: a Fourier transform and mel bands.

    ComfyUI fills both from the file. Source of their form: `VocoderWithBWE` in its `vocoder.py`.
    """
    if key.endswith("mel_basis"):
        bands, frequencies = value.shape
        edges = torch.linspace(0.0, frequencies - 1.0, bands + 2)
        bins = torch.arange(frequencies)
        rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
        falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
        return torch.minimum(rising, falling).clamp(min=0.0).to(value.dtype)
    rows, _, length = value.shape
    angles = 2 * torch.pi * torch.outer(torch.arange(rows // 2), torch.arange(length)) / length
    window = torch.hann_window(length)
    return (torch.cat((angles.cos(), -angles.sin())) * window)[:, None].to(value.dtype)


def _video_vae(config: dict[str, Any]) -> State:
    """The video VAE, with a decoder that blurs as it upsamples: its picture is coloured mist, not noise.

    Ten seconds of noise at 1280x720 cost H.264 half a minute and a hundred megabytes.
    """
    blocks = list(reversed(config["decoder_blocks"]))
    state = random_state(VideoVAE(config=config), "video vae")
    for key, value in state.items():
        if not (key.startswith("decoder.") and value.ndim == 5):
            continue
        blurred = (3, 4) if key.startswith(MOVING) else (2, 3, 4)
        weight = value.mean(dim=blurred, keepdim=True).expand_as(value)
        if key == "decoder.conv_out.conv.weight":
            state[key] = _same_in_groups(weight, config["patch_size"] ** 2) * CONTRAST
        elif key.startswith("decoder.up_blocks.") and key.split(".")[3] == "conv":
            state[key] = _same_in_groups(weight, UPSAMPLING[blocks[int(key.split(".")[2])][0]])
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


def upscaler(family: str, which: str) -> tuple[State, dict[str, str]]:
    """A latent upscaler by two: "spatial" or "temporal"."""
    config = tiny(family).upscalers[which]
    metadata = {"config": json.dumps({"_class_name": "LatentUpsampler", **config})}
    return random_state(LatentUpsampler(operations=OPERATIONS, **config), f"{which} upscaler"), metadata


def lora(family: str, name: str) -> State:
    """A LoRA on every linear layer of the transformer's blocks, strong enough that its effect can be seen."""
    rng = generator(name)
    state: State = {}
    for key, weight in _transformer(family).state_dict().items():
        if "transformer_blocks" not in key or weight.ndim != 2 or not key.endswith(".weight"):
            continue
        rows, columns = weight.shape
        base = "diffusion_model." + key.removesuffix(".weight")
        down = torch.randn(LORA_RANK, columns, generator=rng) / columns**0.5
        up = torch.randn(rows, LORA_RANK, generator=rng) * LORA_STRENGTH / LORA_RANK**0.5
        state |= {f"{base}.lora_A.weight": down.bfloat16(), f"{base}.lora_B.weight": up.bfloat16()}
    return state
