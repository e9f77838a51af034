"""Sizes and frame counts: what is delivered, and what has to be generated for it.

LTX-2's latent is 1/32 of the picture's sides and 1/8 of its frames (plus the first). The engine rounds
anything else down without a word (ComfyUI 0.30.0, EmptyLTXVLatentVideo), so nothing else is ever sent to it.
"""

from dataclasses import dataclass

from ltx2_api.prices import Resolution

#: Frames per second that LTX-2's templates generate at; the temporal upscaler doubles it.
BASE_FPS = 24


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


DELIVERED: dict[Resolution, Size] = {"720p": Size(1280, 720), "1080p": Size(1920, 1080)}
PREVIEW = Size(448, 256)
PREVIEW_SECONDS = 1

#: Two stages need multiples of 64: a half-size latent of whole cells, then doubled.
CANVAS_STEP = 64


def canvas_for(delivered: Size, *, even_first_latent: bool, two_stage: bool) -> Size:
    """The canvas to generate, whose centre crop is delivered.

    Arguments:
        delivered: size of the video in the file.
        even_first_latent: the first stage's latent must have even sides (the union-control LoRA's guide is
            half its size; ComfyUI raises ValueError otherwise).
        two_stage: the first stage works at half the canvas.
    """
    step = 2 * CANVAS_STEP if even_first_latent and two_stage else CANVAS_STEP
    return delivered.rounded_up(step)


def frames_to_generate(frames: int) -> int:
    """The smallest 8n+1 that holds `frames`; the surplus is cut off afterwards."""
    return -(-(frames - 1) // 8) * 8 + 1


def latent_tokens(canvas: Size, frames: int) -> int:
    """How many tokens the transformer sees for a canvas and 8n+1 frames (one per latent cell)."""
    return (canvas.width // 32) * (canvas.height // 32) * ((frames - 1) // 8 + 1)
