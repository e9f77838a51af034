"""A source that is taken apart: which of its frames go into which file, and how."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..splice import Splice


@dataclass(frozen=True)
class Run:
    """Frames of a source that stay, one after the other, in a file of their own.

    Attributes:
        path: the file.
        first, last: the first of the frames, and the first one behind them.
        copied: whether they are copied packet by packet; else they are encoded once more.
    """

    path: Path
    first: int
    last: int
    copied: bool

    @property
    def frames(self) -> int:
        """How many they are."""
        return self.last - self.first


@dataclass(frozen=True)
class Pieces:
    """Where the pieces of a source go.

    Attributes:
        folder: where all of them are.
    """

    folder: Path

    @property
    def before(self) -> tuple[Path, ...]:
        """What is kept in front of the new frames, at the delivered size; not written where nothing is."""
        return self.folder / "before_copied.mp4", self.folder / "before_encoded.mp4"

    @property
    def after(self) -> tuple[Path, ...]:
        """What is kept behind them."""
        return self.folder / "after_encoded.mp4", self.folder / "after_copied.mp4"

    @property
    def edge_before(self) -> Path:
        """The luma of the last frames that are kept in front, as `edges.py` writes it."""
        return self.folder / "edge_before.luma"

    @property
    def edge_after(self) -> Path:
        """The luma of the first frames that are kept behind."""
        return self.folder / "edge_after.luma"

    @property
    def shown(self) -> Path:
        """What the model sees, at the canvas's size, without loss."""
        return self.folder / "source.mp4"

    @property
    def sound(self) -> Path:
        """The source's sound; not written where it has none."""
        return self.folder / "sound.wav"

    @property
    def facts(self) -> Path:
        """How many frames the source has, and how many of them are copied, as JSON."""
        return self.folder / "source.json"


def runs(pieces: Pieces, splice: Splice, frames: int, keys: Sequence[int]) -> list[Run]:
    """Divide the frames that stay: what lies between two key frames is copied, the rest encoded.

    Arguments:
        pieces: where they go.
        splice: what stays.
        frames: of the source.
        keys: frames at which a group begins that can be copied, in order; the first is frame 0. None: none
            can.
    """
    if splice.keeps_picture:
        before, after = frames, frames
    else:
        before, after = splice.before, splice.before + splice.replaced
    borders = (*keys, frames) if keys else ()
    end = max((border for border in borders if border <= before), default=0)
    begin = min((border for border in borders if border >= after), default=frames)
    copied_before, encoded_before = pieces.before
    encoded_after, copied_after = pieces.after
    found = [
        Run(copied_before, 0, end, copied=True),
        Run(encoded_before, end, before, copied=False),
        Run(encoded_after, after, begin, copied=False),
        Run(copied_after, begin, frames, copied=True),
    ]
    return [run for run in found if run.frames]
