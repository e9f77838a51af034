"""LTX-2's detailer on a video of any length: window after window, each guided by the video as it is.

The way is that of Lightricks' video-to-video detailer (ComfyUI-LTXVideo at aceeae9, LTXVLoopingSampler and
LTXVExtendSampler): the latent itself is the guide; a window begins with latents of the window before it,
which condition it at half strength and fade into it. Memory is that of one window, and time grows with the
video's length.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import comfy.sample
import comfy.samplers
import comfy.utils
import torch
from comfy_extras.nodes_lt import LTXVAddGuide, _append_guide_attention_entry

from .node_inputs import CONDITIONED_MODEL
from .token_noise import with_token_noise

#: Frames, height and width in pixels of one latent cell. Source: LTX-2's video VAE.
CELL = (8, 32, 32)
#: How firmly a window's beginning is held by the end of the window before it. Source: Lightricks' workflow
#: LTX-2_V2V_Detailer.json, temporal_overlap_cond_strength.
OVERLAP_STRENGTH = 0.5


@dataclass(frozen=True)
class Window:
    """Latent frames that are sampled together: `start` up to `end`, the end excluded."""

    start: int
    end: int


def windows(frames: int, size: int, overlap: int) -> Iterator[Window]:
    """Cut latent frames into windows of `size`; each shares `overlap` with the last; the end may be short.

    Raises:
        ValueError: the overlap leaves no new frames, or too few to fade over.
    """
    if not 2 <= overlap < size:
        raise ValueError(f"an overlap of {overlap} does not fit windows of {size} latent frames")
    start, end = 0, min(size, frames)
    yield Window(start, end)
    while end < frames:
        start = end - overlap
        end = min(start + size, frames)
        yield Window(start, end)


def joined(done: torch.Tensor, new: torch.Tensor, shared: int) -> torch.Tensor:
    """Append latent frames whose first `shared` are the last of those there: they fade from old to new."""
    weight = torch.linspace(1.0, 0.0, shared + 2)[1:-1].view(1, 1, -1, 1, 1).to(done)
    faded = done[:, :, -shared:] * weight + new[:, :, :shared] * (1 - weight)
    return torch.cat([done[:, :, :-shared], faded, new[:, :, shared:]], dim=2)


@dataclass(frozen=True)
class Guide:
    """Clean latent frames that a window's tokens attend to, from the window's latent frame `at` on."""

    latent: torch.Tensor
    at: int
    strength: float


class Detailer:
    """Samples the windows of one video.

    Arguments:
        model: a ModelPatcher with the detailer LoRA.
        positive, negative: conditionings that name the frame rate.
        noise: ComfyUI's noise; window n takes its seed plus the window's first latent frame.
        sampler, sigmas: as of SamplerCustomAdvanced.
        progress: counts steps.
    """

    def __init__(
        self,
        *,
        model: Any,
        positive: Any,
        negative: Any,
        noise: Any,
        sampler: Any,
        sigmas: Any,
        progress: Any,
    ) -> None:
        # The end of the window before is held at half strength: tokens of a noise level of their own.
        self._model = with_token_noise(model)
        self._conditionings = positive, negative
        self._noise, self._sampler, self._sigmas = noise, sampler, sigmas
        self._progress = progress

    def sample(self, video: torch.Tensor, window: Window, before: torch.Tensor | None) -> torch.Tensor:
        """Refine one window.

        Arguments:
            video: the whole latent, (1, 128, frames, height, width).
            window: which frames.
            before: the refined frames that the window begins with; None for the first.

        Returns:
            The refined latent frames of the window, those of `before` sampled anew.
        """
        latent = video[:, :, window.start : window.end]
        if before is None:
            guides = [Guide(latent, 0, 1.0)]
        else:
            shared = before.shape[2]
            guides = [Guide(before, 0, OVERLAP_STRENGTH), Guide(latent[:, :, shared:], shared, 1.0)]
        positive, negative, guided, mask = self._with(guides, latent)
        guider = comfy.samplers.CFGGuider(self._model)
        guider.set_conds(positive, negative)
        guider.set_cfg(1.0)
        noise = copy.copy(self._noise)
        noise.seed += window.start
        refined = guider.sample(
            noise.generate_noise({"samples": guided}),
            guided,
            self._sampler,
            self._sigmas,
            denoise_mask=mask,
            callback=lambda *_: self._progress.update(1),
            disable_pbar=True,
            seed=noise.seed,
        )
        return refined[:, :, : latent.shape[2]].to(video)

    def _with(self, guides: list[Guide], latent: torch.Tensor) -> tuple[Any, Any, torch.Tensor, torch.Tensor]:
        """Append guides to a window: conditionings, latent and mask as ComfyUI's samplers take them."""
        positive, negative = self._conditionings
        mask = torch.ones(1, 1, latent.shape[2], 1, 1)
        for guide in guides:
            frame = 1 + (guide.at - 1) * CELL[0] if guide.at else 0
            positive, negative, latent, mask = LTXVAddGuide.append_keyframe(
                positive,
                negative,
                frame,
                latent,
                mask,
                guide.latent,
                guide.strength,
                CELL,
                causal_fix=not guide.at,  # ComfyUI would take a single latent frame for a single frame
            )
            shape = list(guide.latent.shape[2:])
            positive, negative = _append_guide_attention_entry(
                positive, negative, shape[0] * shape[1] * shape[2], shape
            )
        return positive, negative, latent, mask


class LTX2Detailer:
    """The node: a video latent, refined window by window."""

    CATEGORY = "ltx2"
    FUNCTION = "refine"
    RETURN_TYPES = ("LATENT",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """The inputs; window and overlap are Lightricks' 56 and 24 frames."""
        return {
            "required": CONDITIONED_MODEL
            | {
                "latent": ("LATENT",),
                "noise": ("NOISE",),
                "sampler": ("SAMPLER",),
                "sigmas": ("SIGMAS",),
                "window": ("INT", {"default": 7, "min": 3, "max": 1000}),
                "overlap": ("INT", {"default": 3, "min": 2, "max": 1000}),
            }
        }

    def refine(
        self,
        *,
        model: Any,
        positive: Any,
        negative: Any,
        latent: dict[str, Any],
        noise: Any,
        sampler: Any,
        sigmas: Any,
        window: int,
        overlap: int,
    ) -> tuple[dict[str, torch.Tensor]]:
        """Refine every frame, the first one too: a mask that holds a start image in place is not kept."""
        video: torch.Tensor = latent["samples"]
        parts = list(windows(video.shape[2], window, overlap))
        detailer = Detailer(
            model=model,
            positive=positive,
            negative=negative,
            noise=noise,
            sampler=sampler,
            sigmas=sigmas,
            progress=comfy.utils.ProgressBar(len(parts) * (len(sigmas) - 1)),
        )
        done = detailer.sample(video, parts[0], None)
        for part in parts[1:]:
            refined = detailer.sample(video, part, done[:, :, -overlap:])
            # A window's first latent was sampled as one frame, and stands for eight here: it is left out.
            done = joined(done, refined[:, :, 1:], overlap - 1)
        return ({"samples": done},)


NODE_CLASS_MAPPINGS = {"LTX2Detailer": LTX2Detailer}
NODE_DISPLAY_NAME_MAPPINGS = {"LTX2Detailer": "LTX-2 Detailer"}
