"""What an encoder is told to make, and what it says of what it made.

`engine_nodes/encoder` imports nothing of the worker, as the worker imports nothing of it; `order.py` and
`recorder.py` there have the same fields.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True)
class KeptPieces:
    """What of another video goes around the frames: arguments as `engine_nodes.encoder.order.Kept`."""

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


@dataclass(frozen=True)
class EncoderFiles:
    """What an encoder makes: arguments as `engine_nodes.encoder.order.Files`."""

    video: Path
    poster: Path | None = None
    animation: Path | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    kept: KeptPieces | None = None

    def to_json(self) -> str:
        """As the process takes it."""
        pictures = {name: str(path) for name in ("poster", "animation") if (path := getattr(self, name))}
        kept = {"kept": asdict(self.kept)} if self.kept else {}
        files = {"video": str(self.video), "metadata": dict(self.metadata)}
        return json.dumps(files | pictures | kept, default=str)


class SenderFacts(BaseModel):
    """What the node saw of the frames."""

    model_config = ConfigDict(frozen=True)

    frozen: bool = False


class EncodedSeam(BaseModel):
    """A join of kept and new frames: fields as `engine_nodes.encoder.seams.Seam`."""

    model_config = ConfigDict(frozen=True)

    frame: int
    difference: float
    inside: float | None


class Encoded(BaseModel):
    """What the process says of the finished file: `engine_nodes.encoder.recorder.Recorded`."""

    model_config = ConfigDict(frozen=True)

    bytes: int
    loudness: float | None
    true_peak: float | None
    silent: bool
    poster: bool
    animation: bool
    seams: tuple[EncodedSeam, ...]
    facts: SenderFacts
