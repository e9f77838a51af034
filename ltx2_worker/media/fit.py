"""How a picture of any shape is laid on the canvas, so that the delivered crop shows it centred."""

from dataclasses import dataclass

#: Above this share of the picture outside the delivered frame, the caller is told.
NOTABLE_CUT = 0.40
#: Above this enlargement, the caller is told that the picture will look soft.
NOTABLE_ENLARGEMENT = 2.0


@dataclass(frozen=True)
class Frame:
    """What is generated (the canvas) and what is delivered: the canvas's centre crop; all in pixels."""

    width: int
    height: int
    canvas_width: int
    canvas_height: int

    def __post_init__(self) -> None:
        for delivered, canvas in ((self.width, self.canvas_width), (self.height, self.canvas_height)):
            if not 0 < delivered <= canvas <= 2 * delivered or (canvas - delivered) % 2:
                raise ValueError(f"{delivered} px cannot be the centre crop of {canvas} px")


@dataclass(frozen=True)
class Placement:
    """Where a picture goes on the canvas.

    `box` is the part of the picture that shows (left, top, right, bottom, in its own pixels); it is scaled to
    `width` x `height` canvas pixels and put at (`left`, `top`). What the canvas has left and right of it, or
    above and below, is filled with the mirrored edge.
    """

    box: tuple[float, float, float, float]
    width: int
    height: int
    left: int
    top: int
    enlargement: float
    cut_away: float


def place(picture_width: float, picture_height: float, frame: Frame) -> Placement:
    """Scale a picture to cover the delivered frame, centred; the canvas margin shows more of it, if any.

    Arguments:
        picture_width, picture_height: in square pixels; a fraction where the stored pixels are not square.
        frame: the canvas and its delivered centre crop.
    """
    scale = max(frame.width / picture_width, frame.height / picture_height)
    left, width, first, last = _along(picture_width, scale, frame.width, frame.canvas_width)
    top, height, upper, lower = _along(picture_height, scale, frame.height, frame.canvas_height)
    shown = (frame.width * frame.height) / (picture_width * picture_height * scale * scale)
    return Placement((first, upper, last, lower), width, height, left, top, scale, 1 - shown)


def _along(picture: float, scale: float, delivered: int, canvas: int) -> tuple[int, int, float, float]:
    """One axis: margin and length on the canvas, and the stretch of the picture that lies there."""
    # The surplus is split evenly over both sides, in whole pixels, or the crop would be off centre.
    surplus = 2 * int((picture * scale - delivered) / 2 + 1e-6)
    length = min(canvas, delivered + surplus)
    half = min(length / scale, picture) / 2
    return (canvas - length) // 2, length, picture / 2 - half, picture / 2 + half


def warnings(field: str, width: int, height: int, placement: Placement, frame: Frame) -> list[str]:
    """Sentences for the caller about a picture that loses much of itself, or is much too small."""
    found = []
    if placement.cut_away > NOTABLE_CUT:
        found.append(
            f"{placement.cut_away:.0%} of {field} is cut away: its shape ({width}x{height}) is far from "
            f"the video's ({frame.width}x{frame.height})."
        )
    if placement.enlargement > NOTABLE_ENLARGEMENT:
        found.append(
            f"{field} is small ({width}x{height}): it is enlarged {placement.enlargement:.1f} times and "
            "will look soft."
        )
    return found
