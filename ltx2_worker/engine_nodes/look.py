"""A look at a video as it passes: whether it is black, one flat colour, or frozen from end to end.

Known failures of the model look so: fp8 weights whose scales were lost, a wrong recipe, an overflow.
What is called black or flat costs a second generation, so each limit leaves room for a real picture.
"""

import math
from enum import StrEnum
from typing import Any

import numpy as np

#: About so many points of a frame are looked at, in a grid: enough for a blink of an eye in a 1080p portrait,
#: and under a millisecond a frame.
_POINTS = 32_000
#: A point counts as lit above this level of 255: decoded black wavers by one or two levels, and the darkest
#: night has a lamp, a star or a face above it.
_DARK_LEVEL = 12
#: A frame with this share of lit points is a picture.
_LIT_SHARE = 5e-4
#: Levels by which the points of a channel deviate from their mean in one flat colour: the decoder makes one
#: or two of an empty latent; fog or an empty sky still have a gradient of several.
_FLAT_DEVIATION = 1.5
#: A point has moved when it differs from the first frame by more levels than the decoder flickers.
_MOVED_LEVELS = 8
#: A video in which at no time this share of the points has moved is frozen; a blink moves three times it.
_MOVED_SHARE = 1e-4


class Unusable(StrEnum):
    """Why a video is not worth delivering."""

    NOT_A_NUMBER = "not a number"
    BLACK = "black"
    FLAT = "one flat colour"


class UnusablePicture(Exception):  # noqa: N818 - a state of the video; the worker knows it by this name
    """The decoded video is not worth delivering; the text is the `Unusable`."""


class Look:
    """What is seen of a video, frame by frame."""

    def __init__(self) -> None:
        self._first: np.ndarray[Any, Any] | None = None
        self._frames = 0
        self._lit = self._deviation = self._moved = 0.0

    def add(self, rgb: "np.ndarray[Any, Any]") -> None:
        """Look at the next frame: height by width by 3, 8 bits."""
        step = max(1, round(math.sqrt(rgb.shape[0] * rgb.shape[1] / _POINTS)))
        points = rgb[::step, ::step].reshape(-1, 3).astype(np.int16)
        self._frames += 1
        if self._first is None:
            self._first = points
        else:
            moved = np.abs(points - self._first).max(axis=1) > _MOVED_LEVELS
            self._moved = max(self._moved, float(moved.mean()))
        if self._lit < _LIT_SHARE:
            self._lit = max(self._lit, float((points.max(axis=1) > _DARK_LEVEL).mean()))
        if self._deviation < _FLAT_DEVIATION:
            self._deviation = max(self._deviation, float(points.std(axis=0).max()))

    @property
    def unusable(self) -> Unusable | None:
        """Why the video is not worth delivering, if it is not."""
        if self._lit < _LIT_SHARE:
            return Unusable.BLACK
        return Unusable.FLAT if self._deviation < _FLAT_DEVIATION else None

    @property
    def frozen(self) -> bool:
        """Whether all frames are one picture."""
        return self._frames > 1 and self._moved < _MOVED_SHARE
