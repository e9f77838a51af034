"""The node that makes an MP4 of a latent: it decodes, crops, cuts and encodes at once, without a batch."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import comfy.model_management
import comfy.utils
import folder_paths
import numpy as np
import torch

from .chunks import ChunkedDecode, Cut
from .encoder.local import LocalSender
from .encoder.order import Files, Order, Sound
from .encoder.ring import FrameSender
from .look import Look, UnusablePicture

MEGABYTE = 1_000_000


class DecodeToMP4:
    """Decodes a video latent and encodes its frames as they come."""

    CATEGORY = "video"
    DESCRIPTION = (
        "Decodes an LTX video latent chunk by chunk and encodes the frames meanwhile. "
        "H.264 in BT.709, AAC, index first."
    )
    FUNCTION = "run"
    OUTPUT_NODE = True
    RETURN_TYPES = ()

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's interface
        """What can be connected and typed in, as ComfyUI asks for it."""
        side = {"default": 1280, "min": 2, "max": 8192, "step": 2}
        return {
            "required": {
                "samples": ("LATENT", {"tooltip": "The video latent."}),
                "vae": ("VAE", {"tooltip": "LTX's video VAE."}),
                "width": ("INT", side | {"tooltip": "Width of the video in pixels."}),
                "height": ("INT", side | {"default": 720, "tooltip": "Height of the video in pixels."}),
                "x": ("INT", {"default": 0, "min": 0, "max": 8192, "tooltip": "Left edge of the crop."}),
                "y": ("INT", {"default": 0, "min": 0, "max": 8192, "tooltip": "Upper edge of the crop."}),
                "frames": ("INT", {"default": 240, "min": 1, "max": 100_000, "tooltip": "Frames to keep."}),
                "fps": ("FLOAT", {"default": 24.0, "min": 1.0, "max": 120.0, "step": 1.0}),
                "crf": ("FLOAT", {"default": 18.0, "min": 0.0, "max": 51.0, "tooltip": "H.264 quality."}),
                "buffer_mb": (
                    "INT",
                    {
                        "default": 500,
                        "min": 1,
                        "max": 100_000,
                        "tooltip": "Memory for frames that wait for the encoder; then the decoder waits.",
                    },
                ),
                "filename_prefix": ("STRING", {"default": "video/ltx-2"}),
                "encoder": (
                    "STRING",
                    {"default": "", "tooltip": "Address of the encoder; empty: this ComfyUI encodes itself."},
                ),
            },
            "optional": {"audio": ("AUDIO", {"tooltip": "The sound; without it the file is silent."})},
        }

    @classmethod
    def IS_CHANGED(cls, **_: object) -> float:  # noqa: N802 - ComfyUI's interface
        """Never answered from the cache: the file is what is wanted, and it is somewhere else now."""
        return float("nan")

    def run(
        self,
        *,
        samples: dict[str, torch.Tensor],
        vae: Any,
        width: int,
        height: int,
        x: int,
        y: int,
        frames: int,
        fps: float,
        crf: float,
        buffer_mb: int,
        filename_prefix: str,
        encoder: str,
        audio: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Make the file; with an encoder of its own, return when it has all frames.

        Raises:
            UnusablePicture: the video is black, one flat colour, or not a number.
            ValueError: the latent is too small for what is asked.
        """
        latent = samples["samples"]
        if latent.is_nested:
            latent = latent.unbind()[0]
        sound, waveform = _sound(audio)
        order = Order(width, height, frames, Fraction(round(fps * 1000), 1000), crf, sound)
        buffer, check = buffer_mb * MEGABYTE, comfy.model_management.throw_exception_if_processing_interrupted
        cut = Cut(width, height, x, y, frames)
        if encoder:
            _stream(vae, latent, cut, lambda: FrameSender(encoder, order, waveform, buffer, check))
            return {}
        folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(
            filename_prefix, folder_paths.get_output_directory(), width, height
        )
        path = Path(folder) / f"{name}_{counter:05}_.mp4"
        _stream(vae, latent, cut, lambda: LocalSender(order, Files(path), waveform, buffer, check))
        saved = {"filename": path.name, "subfolder": subfolder, "type": "output"}
        return {"ui": {"images": [saved], "animated": (True,)}}


def _stream(
    vae: Any, latent: torch.Tensor, cut: Cut, connect: Callable[[], FrameSender | LocalSender]
) -> None:
    """Decode into an encoder, looking at each frame."""
    look, progress = Look(), comfy.utils.ProgressBar(cut.frames)

    def take(frame: torch.Tensor) -> None:
        slot = sender.slot()
        torch.from_numpy(slot).copy_(frame)
        look.add(slot)
        sender.send()

    decode = ChunkedDecode(vae, latent, cut, take, progress.update)
    sender = connect()
    try:
        decode.run()
        if (unusable := look.unusable) is not None:
            raise UnusablePicture(unusable)
        sender.finish({"frozen": look.frozen})
    except BaseException:
        sender.close()
        raise


def _sound(audio: dict[str, Any] | None) -> "tuple[Sound | None, np.ndarray[Any, Any] | None]":
    """An AUDIO as an order says it, and its samples: channels by samples, the first two channels at most."""
    if audio is None:
        return None, None
    waveform = audio["waveform"][0, :2].float().cpu().contiguous().numpy()
    return Sound(int(audio["sample_rate"]), *waveform.shape), waveform


NODE_CLASS_MAPPINGS = {"LTX2DecodeToMP4": DecodeToMP4}
NODE_DISPLAY_NAME_MAPPINGS = {"LTX2DecodeToMP4": "Decode to MP4"}
