"""Noise levels that start lower: sampling from a latent that is there, instead of from noise alone."""

from typing import Any

import torch


class StartLevel:
    """The node: a schedule from a level on."""

    CATEGORY = "ltx2"
    DESCRIPTION = "Starts a schedule at a noise level, and goes on with those of its levels that are lower."
    FUNCTION = "start"
    RETURN_TYPES = ("SIGMAS",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """The schedule, and the level."""
        level = {"default": 0.8, "min": 0.01, "max": 1.0, "step": 0.001}
        return {"required": {"sigmas": ("SIGMAS",), "level": ("FLOAT", level)}}

    def start(self, *, sigmas: torch.Tensor, level: float) -> tuple[torch.Tensor]:
        """Return the level and all lower ones; at least one step to 0 is left."""
        lower = sigmas[sigmas < level - 1e-6]
        return (torch.cat([sigmas.new_tensor([level]), lower]),)


NODE_CLASS_MAPPINGS = {"LTX2StartLevel": StartLevel}
NODE_DISPLAY_NAME_MAPPINGS = {"LTX2StartLevel": "Start Level"}
