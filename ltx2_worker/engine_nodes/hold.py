"""Latents that are held: a source's picture and sound, put into a latent and kept through the sampling.

A latent frame of LTX's video is 8 frames, the first one a single frame; one of its sound is 40 ms, the first
one 10 ms (ltx-core 1.0.0, `VideoLatentPatchifier` and `AudioPatchifier`, `get_patch_grid_bounds`). What is
held has a noise mask of 0, what is made anew of 1; nothing in between.
"""

from typing import Any

import comfy.utils
import torch
import torchaudio

#: ComfyUI 0.30.0 takes every waveform that it encodes for one of 44.1 kHz, and crops it at both ends to whole
#: blocks of this many samples (comfy/sd.py, `VAE`, the LTX audio branch; `vae_encode_crop_pixels`).
_RATE, _BLOCK = 44_100, 4096
#: A block of 44.1 kHz is 2.3 latent frames; so much silence is put behind that none of the sound is cropped.
_TAIL = 4 * _BLOCK


class HoldVideo:
    """Puts the latents of some frames into a video latent, and makes anew what is in a span alone."""

    CATEGORY = "ltx2"
    DESCRIPTION = "Holds a source's latents through the sampling, all but those of a span."
    FUNCTION = "hold"
    RETURN_TYPES = ("LATENT",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """What can be connected and typed in."""
        index = ("INT", {"default": 0, "min": 0, "max": 10_000})
        return {
            "required": {
                "latent": ("LATENT", {"tooltip": "Empty, or upscaled."}),
                "vae": ("VAE", {"tooltip": "LTX's video VAE."}),
                "images": ("IMAGE", {"tooltip": "Frames of the source; scaled to the latent's size."}),
                "at": (*index[:1], index[1] | {"tooltip": "Where their first latent frame goes."}),
                "lead": (
                    *index[:1],
                    index[1] | {"tooltip": "Latent frames of them that are left out before."},
                ),
                "new_from": (*index[:1], index[1] | {"tooltip": "First latent frame that is made anew."}),
                "new_to": (*index[:1], index[1] | {"tooltip": "First one behind those."}),
                "starts_new": (
                    "BOOLEAN",
                    {"default": False, "tooltip": "Starts what is made anew from the source as well."},
                ),
            }
        }

    def hold(
        self,
        *,
        latent: dict[str, Any],
        vae: Any,
        images: torch.Tensor,
        at: int,
        lead: int,
        new_from: int,
        new_to: int,
        starts_new: bool,
    ) -> tuple[dict[str, Any]]:
        """Return the latent with the source's in it, and the mask.

        What is made anew starts as the latent has it, unless `starts_new`: in a stage that refines, that is
        what the stage before made of it.

        Raises:
            ValueError: a latent frame outside of the span is none of the source's.
        """
        samples = latent["samples"].clone()
        _, _, frames, height, width = samples.shape
        _, cell, _ = vae.downscale_index_formula
        size = width * cell, height * cell
        pixels = images[..., :3]
        if (pixels.shape[2], pixels.shape[1]) != size:
            moved = comfy.utils.common_upscale(pixels.movedim(-1, 1), *size, "area", "disabled")
            pixels = moved.movedim(1, -1)
        held = vae.encode(pixels)[:, :, lead:]
        held = held[:, :, : max(0, frames - at)]
        if not _covers(at, at + held.shape[2], frames, new_from, new_to):
            raise ValueError(
                f"{held.shape[2]} latent frames at {at} do not hold all but {new_from} to {new_to}"
            )
        samples[:, :, at : at + held.shape[2]] = held.to(samples)
        mask = torch.zeros((1, 1, frames, 1, 1), dtype=torch.float32, device=samples.device)
        mask[:, :, new_from:new_to] = 1.0
        if not starts_new:
            samples[:, :, new_from:new_to] = latent["samples"][:, :, new_from:new_to]
        return ({**latent, "samples": samples, "noise_mask": mask},)


class HoldSound:
    """Puts a source's sound into a sound latent, and makes anew what is in a span alone."""

    CATEGORY = "ltx2"
    DESCRIPTION = "Holds a source's sound through the sampling, all but a span of it."
    FUNCTION = "hold"
    RETURN_TYPES = ("LATENT",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """What can be connected and typed in."""
        seconds = {"default": 0.0, "min": -100.0, "max": 1000.0, "step": 0.001}
        index = {"default": 0, "min": 0, "max": 100_000}
        return {
            "required": {
                "latent": ("LATENT", {"tooltip": "Empty."}),
                "audio_vae": ("VAE", {"tooltip": "LTX's audio VAE."}),
                "audio": ("AUDIO", {"tooltip": "The source's sound."}),
                "begins": (
                    "FLOAT",
                    seconds | {"tooltip": "Second of the source at which the latent begins."},
                ),
                "new_from": ("INT", index | {"tooltip": "First latent frame that is made anew."}),
                "new_to": ("INT", index | {"tooltip": "First one behind those."}),
            }
        }

    def hold(
        self,
        *,
        latent: dict[str, Any],
        audio_vae: Any,
        audio: dict[str, Any],
        begins: float,
        new_from: int,
        new_to: int,
    ) -> tuple[dict[str, Any]]:
        """Return the latent with the source's sound in it, silence where it has none, and the mask."""
        samples = latent["samples"].clone()
        frames = samples.shape[2]
        held = _sound_latents(audio_vae, audio, begins, frames)
        samples[:] = held.to(samples)
        mask = torch.zeros((1, 1, frames, samples.shape[3]), dtype=torch.float32, device=samples.device)
        mask[:, :, new_from:new_to] = 1.0
        return ({**latent, "samples": samples, "noise_mask": mask},)


def _covers(first: int, last: int, frames: int, new_from: int, new_to: int) -> bool:
    """Whether every latent frame outside of the span is one of those from `first` to `last`."""
    return all(first <= each < last or new_from <= each < new_to for each in range(frames))


def _sound_latents(vae: Any, audio: dict[str, Any], begins: float, frames: int) -> torch.Tensor:
    """So many latent frames of a sound, from a second on; where there is none yet or no more, of silence."""
    per_second = vae.first_stage_model.latents_per_second
    waveform, rate = audio["waveform"][:1].float(), int(audio["sample_rate"])
    if waveform.shape[1] == 1:
        waveform = waveform.expand(-1, 2, -1)
    waveform = torchaudio.functional.resample(waveform[:, :2], rate, _RATE)
    first, wanted = round(begins * _RATE), round(frames / per_second * _RATE) + _TAIL
    wanted += -wanted % _BLOCK
    piece = waveform[..., max(0, first) : max(0, first + wanted)]
    piece = torch.nn.functional.pad(piece, (max(0, -first), 0))[..., :wanted]
    piece = torch.nn.functional.pad(piece, (0, wanted - piece.shape[-1]))
    return vae.encode(piece.movedim(1, -1))[:, :, :frames]


NODE_CLASS_MAPPINGS = {"LTX2HoldVideo": HoldVideo, "LTX2HoldSound": HoldSound}
NODE_DISPLAY_NAME_MAPPINGS = {"LTX2HoldVideo": "Hold Video", "LTX2HoldSound": "Hold Sound"}
