"""What is to be encoded, and what became of it: the two ends of an encode, both small enough for JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Sound:
    """A sound track as 32-bit floats, one row of samples a channel.

    Arguments:
        rate: samples per second.
        channels: 1 or 2.
        samples: of each channel, as they are given; the file gets as many as its frames last.
    """

    rate: int
    channels: int
    samples: int


@dataclass(frozen=True)
class Order:
    """One video to encode.

    Arguments:
        width: in pixels, even.
        height: in pixels, even.
        frames: how many will come.
        fps: frames per second.
        crf: H.264's constant rate factor, 0 (lossless) to 51.
        sound: None for a silent file.
    """

    width: int
    height: int
    frames: int
    fps: Fraction
    crf: float
    sound: Sound | None = None

    @property
    def frame_bytes(self) -> int:
        """Size of a frame as it comes: RGB, 8 bits a channel."""
        return self.width * self.height * 3

    @property
    def samples(self) -> int:
        """Samples of each channel in the file: exactly as long as the frames, the last one begun."""
        return int(-(-self.frames * self.sound.rate // self.fps)) if self.sound else 0

    def to_json(self) -> str:
        """As text; `from_json` reads it."""
        return json.dumps(asdict(self) | {"fps": str(self.fps)})

    @classmethod
    def from_json(cls, text: str) -> "Order":
        """Read what `to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        sound = values.pop("sound")
        return cls(**values | {"fps": Fraction(values["fps"])}, sound=Sound(**sound) if sound else None)


@dataclass(frozen=True)
class Kept:
    """Pieces of another video around the frames that come; all counts are of frames.

    Arguments:
        before: H.264 that goes in front, encoded as the frames that come will be, piece after piece.
        after: H.264 that goes behind.
        edge_before: luma of the last frames in front, as `seams.py` reads it; None where there are none.
        edge_after: luma of the first frames behind.
        sound: a WAV of that video's sound; None if it has none.
        frames: of the whole video.
        skipped: of the frames that come, the first ones, which are not wanted.
        drops: whether none of them is wanted, and only their sound.
        sound_skipped: as long is what comes of sound before the new one.
        sound_before: of that video, frames whose sound goes before the new one.
        sound_replaced: frames behind those whose sound the new one takes the place of.
        sound_new: as long is the new one.
        sound_after: frames whose sound goes behind it.
    """

    before: tuple[Path, ...]
    after: tuple[Path, ...]
    edge_before: Path | None
    edge_after: Path | None
    sound: Path | None
    frames: int
    skipped: int
    drops: bool
    sound_skipped: int
    sound_before: int
    sound_replaced: int
    sound_new: int
    sound_after: int

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Kept":
        """Read what `engine/encoder.py` wrote."""
        pieces = {name: tuple(map(Path, values[name])) for name in ("before", "after")}
        others = ("edge_before", "edge_after", "sound")
        files = {name: Path(values[name]) if values[name] else None for name in others}
        return cls(**values | pieces | files)


@dataclass(frozen=True)
class Files:
    """What is made of one video, and where.

    Arguments:
        video: the MP4.
        poster: a JPEG of the frame in the middle, None for none.
        animation: a small animated WebP, None for none.
        metadata: what to say inside the MP4; mostly nothing.
        kept: what of another video goes around the frames that come.
    """

    video: Path
    poster: Path | None = None
    animation: Path | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    kept: Kept | None = None
