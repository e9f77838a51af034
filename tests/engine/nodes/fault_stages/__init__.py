"""Raises torch's own exceptions inside the real engine, in the stage that a marker file names."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import comfy.model_base
import comfy.model_management
import comfy.sd
import folder_paths
import torch
from comfy.ldm.lightricks.vae import audio_vae
from comfy.ldm.lightricks.vae import causal_video_autoencoder as video_vae

ERRORS: dict[str, Callable[[], BaseException]] = {
    "memory": lambda: torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    "device": lambda: torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
}

#: Stage -> the function that does its work, as an object and a name.
STAGES: dict[str, tuple[Any, str]] = {
    "loading": (comfy.model_management, "load_models_gpu"),
    "prompt": (comfy.sd.CLIP, "encode_from_tokens_scheduled"),
    "sampling": (comfy.model_base.BaseModel, "apply_model"),
    "decoding": (video_vae.Decoder, "forward"),
    "sound": (audio_vae.AudioVAE, "decode"),
}


def _faulty(stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """The function, unless its stage's marker is in the input folder: `KIND TIMES`."""

    @functools.wraps(work)
    def faulty(*args: Any, **kwargs: Any) -> Any:
        marker = Path(folder_paths.get_input_directory()) / f"fault-{stage}"
        try:
            kind, times = marker.read_text().split()
        except FileNotFoundError:
            return work(*args, **kwargs)
        if times == "1":
            marker.unlink()
        else:
            marker.write_text(f"{kind} {int(times) - 1}")
        raise ERRORS[kind]()

    return faulty


for _stage, (_owner, _name) in STAGES.items():
    setattr(_owner, _name, _faulty(_stage, getattr(_owner, _name)))

NODE_CLASS_MAPPINGS: dict[str, Any] = {}
