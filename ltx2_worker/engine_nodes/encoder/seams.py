"""Where kept frames and new ones meet: how far the picture jumps, beside how far it moves on both sides."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np

from .order import Kept, Order

#: Neighbours that are compared on each side of a join: a second's.
_NEAR = 24


@dataclass(frozen=True)
class Seam:
    """A join.

    Arguments:
        frame: of the whole video, the first one behind the join.
        difference: between the two frames that meet: the mean over the pixels of how far their luma is apart,
            in 8 bits (black is 16, white 235).
        inside: the mean of the same between neighbouring frames within a second on both sides; None where
            there are none.
    """

    frame: int
    difference: float
    inside: float | None


class Seams:
    """The joins of one video, measured as its new frames pass.

    Arguments:
        order: of the whole video.
        kept: what is around the new frames.
        new: how many new frames come.
    """

    def __init__(self, order: Order, kept: Kept, new: int) -> None:
        self._before = _luma(kept.edge_before, order)[-_NEAR - 1 :]
        self._after = _luma(kept.edge_after, order)[: _NEAR + 1]
        self._first, self._new = kept.sound_before, new
        #: The last new frame that was looked at, and its number.
        self._last: tuple[int, np.ndarray[Any, Any]] | None = None
        #: Between a new frame and the one before it, by its number.
        self._differences: dict[int, float] = {}
        self._join_before: float | None = None
        self._passed = 0

    def add(self, picture: av.VideoFrame) -> None:
        """Look at the next new frame, as it is encoded: yuv420p."""
        number = self._passed
        self._passed += 1
        if _NEAR < number < self._new - _NEAR - 1:
            return
        plane = picture.planes[0]
        luma = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)[:, : plane.width].copy()
        if self._last is None and len(self._before):
            self._join_before = _difference(self._before[-1], luma)
        elif self._last and self._last[0] == number - 1:
            self._differences[number] = _difference(self._last[1], luma)
        self._last = number, luma

    def measured(self) -> tuple[Seam, ...]:
        """Every join, when all new frames have passed."""
        if self._last is None:
            return ()
        seams = []
        if self._join_before is not None:
            inside = _inside(self._before, self._near(range(1, _NEAR + 1)))
            seams.append(Seam(self._first, self._join_before, inside))
        if len(self._after):
            inside = _inside(self._after, self._near(range(self._new - _NEAR, self._new)))
            difference = _difference(self._last[1], self._after[0])
            seams.append(Seam(self._first + self._new, difference, inside))
        return tuple(seams)

    def _near(self, numbers: range) -> list[float]:
        return [difference for number, difference in self._differences.items() if number in numbers]


def _luma(path: Path | None, order: Order) -> "np.ndarray[Any, Any]":
    """Frames by height by width, of a file that has them one after the other; none without a file."""
    if path is None:
        return np.empty((0, order.height, order.width), np.uint8)
    return np.fromfile(path, np.uint8).reshape(-1, order.height, order.width)


def _inside(kept: "np.ndarray[Any, Any]", new: list[float]) -> float | None:
    found = [_difference(one, other) for one, other in pairwise(kept)] + new
    return round(sum(found) / len(found), 2) if found else None


def _difference(one: "np.ndarray[Any, Any]", other: "np.ndarray[Any, Any]") -> float:
    return round(float(np.abs(one.astype(np.int16) - other).mean()), 2)
