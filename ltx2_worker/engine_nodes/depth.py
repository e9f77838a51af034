"""Turns measured distances into the depth video that LTX-2's depth LoRA was trained on."""

from typing import Any

import torch

#: Sky where its probability is at least this. Source: ComfyUI 0.30.0, `depth_anything_3/preprocess.py`.
SKY = 0.3
#: The shares of the clip's pixels that lie below black and above white. Source: the same file.
LOWEST, HIGHEST = 0.01, 0.99
#: Quantiles are taken over at most so many pixels, evenly spaced: never drawn at random, so that the same
#: clip gives the same guide; torch.quantile takes no more than 16 million.
SAMPLES = 4_000_000
NEAREST = 1e-6


def disparity_video(depth: torch.Tensor, sky: torch.Tensor | None) -> torch.Tensor:
    """A clip's disparity (1 / distance), near white and far black, on one scale for all frames.

    Arguments:
        depth: linear distances, (frames, height, width), any unit.
        sky: probability of sky, of the same shape; sky is black.

    Returns:
        (frames, height, width), 0 to 1.
    """
    disparity = 1.0 / depth.float().clamp(min=NEAREST)
    ground = disparity.flatten() if sky is None else disparity[sky < SKY]
    if not len(ground):
        return torch.zeros_like(disparity)
    sample = ground[:: -(-len(ground) // SAMPLES)]
    low, high = torch.quantile(sample, torch.tensor((LOWEST, HIGHEST), device=sample.device))
    disparity.sub_(low).div_((high - low).clamp(min=NEAREST)).clamp_(0.0, 1.0)
    return disparity if sky is None else disparity.masked_fill_(sky >= SKY, 0.0)


class LTX2DepthGuide:
    """The node: what Depth Anything 3 measured, as frames."""

    CATEGORY = "ltx2"
    FUNCTION = "render"
    RETURN_TYPES = ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """The input: the output of ComfyUI's DA3Inference."""
        return {"required": {"da3_geometry": ("DA3_GEOMETRY",)}}

    def render(self, *, da3_geometry: dict[str, Any]) -> tuple[torch.Tensor]:
        """Make the frames: (frames, height, width, 3), 0 to 1, three equal channels without a copy each."""
        disparity = disparity_video(da3_geometry["depth"], da3_geometry.get("sky"))
        return (disparity.unsqueeze(-1).expand(-1, -1, -1, 3),)


NODE_CLASS_MAPPINGS = {"LTX2DepthGuide": LTX2DepthGuide}
NODE_DISPLAY_NAME_MAPPINGS = {"LTX2DepthGuide": "LTX-2 Depth Guide"}
