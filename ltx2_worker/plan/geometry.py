"""Sizes and frame counts: what is delivered, and what has to be generated for it.

A family's latent has fewer cells than the picture has pixels, and fewer frames. The engine rounds what is
not whole down without a word (ComfyUI 0.30.0, EmptyLTXVLatentVideo), so nothing else is ever sent to it.
"""

import math
from dataclasses import dataclass

from ltx2_api.prices import Resolution
from ltx2_api.ways.shapes import Aspect

from ..catalog.tables import Latent


@dataclass(frozen=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int

    def rounded_up(self, step: int) -> "Size":
        """The smallest size that holds this one with both sides multiples of `step` pixels."""
        return Size(-(-self.width // step) * step, -(-self.height // step) * step)

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


#: What is delivered, by resolution and shape. 21:9 has 16:9's area at 720p and its width at 1080p; the
#: margins of its canvas are even, as the first stage's are half of them.
DELIVERED: dict[tuple[Resolution, Aspect], Size] = {
    ("720p", "16:9"): Size(1280, 720),
    ("720p", "9:16"): Size(720, 1280),
    ("720p", "1:1"): Size(720, 720),
    ("720p", "21:9"): Size(1472, 632),
    ("1080p", "16:9"): Size(1920, 1080),
    ("1080p", "9:16"): Size(1080, 1920),
    ("1080p", "1:1"): Size(1080, 1080),
    ("1080p", "21:9"): Size(1920, 824),
}
PREVIEW: dict[Aspect, Size] = {
    "16:9": Size(448, 256),
    "9:16": Size(256, 448),
    "1:1": Size(320, 320),
    "21:9": Size(448, 192),
}
PREVIEW_SECONDS = 1


def canvas_for(delivered: Size, latent: Latent, *, reference_downscale: int = 1, two_stage: bool) -> Size:
    """The canvas to generate, whose centre crop is delivered.

    Arguments:
        delivered: size of the video in the file.
        latent: the family's grid.
        reference_downscale: the guide is so much smaller than the first stage; the first stage's latent must
            be divisible by it (ComfyUI raises ValueError otherwise).
        two_stage: the first stage works at half the canvas.
    """
    cells = latent.cell * reference_downscale * (2 if two_stage else 1)
    return delivered.rounded_up(math.lcm(latent.canvas_step, cells))


def frames_to_generate(frames: int, latent: Latent) -> int:
    """The smallest whole latent length (8n+1 frames of LTX-2) that holds `frames`; the surplus is cut off."""
    return -(-(frames - 1) // latent.frames) * latent.frames + 1


def latent_tokens(canvas: Size, frames: int, latent: Latent) -> int:
    """How many tokens the transformer sees for a canvas and its frames (one per latent cell)."""
    cells = (canvas.width // latent.cell) * (canvas.height // latent.cell)
    return cells * ((frames - 1) // latent.frames + 1)
