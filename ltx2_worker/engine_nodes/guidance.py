"""A guider that steers picture and sound apart: by prompt, by structure, and by how they fit together."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import comfy.samplers
import torch

from .node_inputs import CONDITIONED_MODEL
from .passes import PASSES, Pass, told_apart


@dataclass(frozen=True)
class Scales:
    """How far one modality's prediction is pushed away from each of the other passes' predictions.

    Attributes:
        cfg: away from the negative prompt; 1 is off.
        stg: away from the perturbed self-attention (spatio-temporal guidance); 0 is off.
        modality: away from the prediction without the other modality; 1 is off.
        rescale: how much of the conditional prediction's standard deviation is restored, 0 to 1.
    """

    cfg: float = 1.0
    stg: float = 0.0
    modality: float = 1.0
    rescale: float = 0.0

    @property
    def passes(self) -> frozenset[Pass]:
        """The passes that these scales need."""
        wanted = {
            Pass.POSITIVE: True,
            Pass.NEGATIVE: not math.isclose(self.cfg, 1.0),
            Pass.PERTURBED: not math.isclose(self.stg, 0.0),
            Pass.ISOLATED: not math.isclose(self.modality, 1.0),
        }
        return frozenset(each for each, is_needed in wanted.items() if is_needed)

    def guided(
        self, predictions: Mapping[Pass, torch.Tensor], counted: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Combine the passes' predictions of the clean latent.

        Source: ltx-core 1.0.0, `components/guiders.py`, MultiModalGuider.

        Arguments:
            predictions: the clean latent as each pass predicts it, all of one shape.
            counted: True where an element is a token of the transformer; the standard deviations are taken
                over those. None: everywhere.
        """
        positive = predictions[Pass.POSITIVE]
        guided = positive
        if Pass.NEGATIVE in self.passes:
            guided = guided + (self.cfg - 1) * (positive - predictions[Pass.NEGATIVE])
        if Pass.PERTURBED in self.passes:
            guided = guided + self.stg * (positive - predictions[Pass.PERTURBED])
        if Pass.ISOLATED in self.passes:
            guided = guided + (self.modality - 1) * (positive - predictions[Pass.ISOLATED])
        if self.rescale:
            before, after = positive, guided
            if counted is not None:
                before, after = positive[counted], guided[counted]
            guided = guided * (self.rescale * before.std() / after.std() + 1 - self.rescale)
        return guided


class MultiModalGuider(comfy.samplers.CFGGuider):  # type: ignore[misc]
    """Guides picture and sound with scales of their own; up to four passes a step, in one batch if it fits.

    Arguments:
        model: a ModelPatcher with LTX-2's audio and video transformer.
        video: scales of the picture.
        audio: scales of the sound; unused for a latent without sound.
        stg_block: the block that the perturbed pass perturbs, counted from 0.
    """

    def __init__(self, model: Any, video: Scales, audio: Scales, stg_block: int) -> None:
        super().__init__(model)
        self._video, self._audio, self._stg_block = video, audio, stg_block
        self._video_size: int | None = None
        self._counted: torch.Tensor | None = None

    def inner_sample(  # noqa: PLR0917 - ComfyUI's signature
        self,
        noise: torch.Tensor,
        latent_image: torch.Tensor,
        device: Any,
        sampler: Any,
        sigmas: torch.Tensor,
        denoise_mask: torch.Tensor | None,
        callback: Any,
        disable_pbar: bool,
        seed: int | None,
        latent_shapes: Any = None,
    ) -> torch.Tensor:
        """Sample as CFGGuider does, with the transformer told what each pass leaves out."""
        has_sound = latent_shapes is not None and len(latent_shapes) > 1
        self._video_size = math.prod(latent_shapes[0][1:]) if has_sound else None
        # A guide that is smaller than the video lies in a grid with holes. ComfyUI marks them by a negative
        # mask, drops them before the transformer, and puts zeros there afterwards: they are no tokens.
        self._counted = None if denoise_mask is None else denoise_mask >= 0
        try:
            with told_apart(self.inner_model.diffusion_model, self._stg_block):
                return super().inner_sample(
                    noise,
                    latent_image,
                    device,
                    sampler,
                    sigmas,
                    denoise_mask,
                    callback,
                    disable_pbar,
                    seed,
                    latent_shapes=latent_shapes,
                )
        finally:
            self._counted = None

    def predict_noise(
        self,
        x: torch.Tensor,
        timestep: torch.Tensor,
        model_options: dict[str, Any] | None = None,
        seed: int | None = None,
    ) -> torch.Tensor:
        """Evaluate the passes that the scales need, and combine them per modality."""
        options = dict(model_options or {})
        needed = self._video.passes | (self._audio.passes if self._video_size is not None else frozenset())
        passes = [each for each in Pass if each in needed]
        options["transformer_options"] = options.get("transformer_options", {}) | {PASSES: passes}
        conditions = [self.conds["negative" if each is Pass.NEGATIVE else "positive"] for each in passes]
        evaluated = comfy.samplers.calc_cond_batch(self.inner_model, conditions, x, timestep, options)
        predictions = dict(zip(passes, evaluated, strict=True))
        if self._video_size is None:
            return self._video.guided(predictions, self._counted)
        # Packed: the picture's elements first, then the sound's.
        sizes = [self._video_size, x.shape[-1] - self._video_size]
        split = {each: part.split(sizes, dim=-1) for each, part in predictions.items()}
        counted = (None, None) if self._counted is None else self._counted.split(sizes, dim=-1)
        return torch.cat(
            [
                scales.guided({each: parts[i] for each, parts in split.items()}, counted[i])
                for i, scales in enumerate((self._video, self._audio))
            ],
            dim=-1,
        )


def _scale(default: float, highest: float = 100.0) -> tuple[str, dict[str, float]]:
    return ("FLOAT", {"default": default, "min": 0.0, "max": highest, "step": 0.01})


class LTX2Guider:
    """The node that makes the guider: LTX-2's full guidance, in Lightricks' formula."""

    CATEGORY = "ltx2"
    FUNCTION = "get_guider"
    RETURN_TYPES = ("GUIDER",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """The inputs; the defaults are ltx-pipelines' for LTX-2.0 (`utils/constants.py`)."""
        return {
            "required": CONDITIONED_MODEL
            | {
                "video_cfg": _scale(3.0),
                "audio_cfg": _scale(7.0),
                "stg": _scale(1.0),
                "stg_block": ("INT", {"default": 29, "min": 0, "max": 1000}),
                "modality": _scale(3.0),
                "rescale": _scale(0.7, highest=1.0),
            }
        }

    def get_guider(
        self,
        *,
        model: Any,
        positive: Any,
        negative: Any,
        video_cfg: float,
        audio_cfg: float,
        stg: float,
        stg_block: int,
        modality: float,
        rescale: float,
    ) -> tuple[MultiModalGuider]:
        """Make the guider."""
        video, audio = (Scales(cfg, stg, modality, rescale) for cfg in (video_cfg, audio_cfg))
        guider = MultiModalGuider(model, video, audio, stg_block)
        guider.set_conds(positive, negative)
        return (guider,)


NODE_CLASS_MAPPINGS = {"LTX2Guider": LTX2Guider}
NODE_DISPLAY_NAME_MAPPINGS = {"LTX2Guider": "LTX-2 Guider"}
