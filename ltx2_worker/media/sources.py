"""A caller's video that is worked on: fetched, verified, and fitted as a whole or taken apart."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from ..deadline import Deadline
from ..settings import Settings
from ..splice import Splice
from .fetch import Source, fetch
from .fit import Frame
from .pieces import Pieces
from .prepare import Prepared, decode, files
from .source import fit_source
from .spliced import fit_spliced

#: Characters of what a child process says of a source.
_LONGEST_FACTS = 1000


class SourceFacts(BaseModel):
    """What a child process says of a source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    frames: int = Field(ge=1, le=1_000_000)
    copied: int = Field(ge=0, le=1_000_000)


@dataclass(frozen=True)
class Spliced:
    """A source, taken apart.

    Attributes:
        pieces: where its pieces are.
        frames: how many it has.
        copied: how many of those that stay are its own, packet by packet.
        warnings: what the caller should know about it.
    """

    pieces: Pieces
    frames: int
    copied: int
    warnings: tuple[str, ...]


def prepare_source(
    source: Source,
    frame: Frame,
    into: Path,
    deadline: Deadline,
    settings: Settings,
    *,
    fps: int,
    frames: int,
    with_sound: bool,
) -> tuple[Prepared, Prepared | None]:
    """Fetch a video that is worked on, fit it to the canvas and to the job's frames, and take its sound.

    Arguments:
        source: where it comes from.
        frame: the canvas and the delivered crop, in pixels.
        into, deadline, settings: as for `prepare_image`.
        fps, frames: of what is generated.
        with_sound: whether its sound is wanted.

    Returns:
        `source.mp4` in `into`: H.264, exactly the canvas's size, exactly `frames` frames at `fps`; and
        `sound.wav`, None where it has no sound.

    Raises:
        WorkerError: INVALID_INPUT, MEDIA_UNREACHABLE or MEDIA_REJECTED, naming the field; no file is left.
        Cancelled: the job was cancelled; no file is left.
    """
    with files(into, "source", ".mp4") as (raw, fitted), files(into, "sound", ".wav") as (_, sound):
        fetch(source, raw, settings.max_video_bytes, deadline, settings)
        work = partial(
            fit_source,
            raw,
            fitted,
            sound if with_sound else None,
            source.field,
            frame,
            fps=fps,
            frames=frames,
            max_seconds=settings.max_video_seconds,
            max_side=settings.max_video_side,
        )
        warnings = decode(work, source.field, deadline, settings)
        return Prepared(fitted, warnings), Prepared(sound) if with_sound and sound.exists() else None


def prepare_spliced(
    source: Source,
    frame: Frame,
    into: Path,
    deadline: Deadline,
    settings: Settings,
    *,
    cut: Callable[[int], Splice],
    fps: int,
    with_sound: bool,
) -> Spliced:
    """Fetch a video in which frames are made anew, and take it apart.

    Arguments:
        source: where it comes from.
        frame: the canvas and the delivered crop, in pixels.
        into, deadline, settings: as for `prepare_image`.
        cut: says for a number of frames what is made of them.
        fps: of what is generated.
        with_sound: whether its sound is wanted.

    Raises:
        WorkerError: INVALID_INPUT, MEDIA_UNREACHABLE or MEDIA_REJECTED, naming the field; no file is left.
        Cancelled: the job was cancelled; no file is left.
    """
    pieces = Pieces(into)
    with files(into, "source", ".mp4") as (raw, _):
        fetch(source, raw, settings.max_video_bytes, deadline, settings)
        work = partial(
            fit_spliced,
            raw,
            pieces,
            source.field,
            frame,
            cut,
            fps=fps,
            crf=settings.video_crf,
            with_sound=with_sound,
            max_seconds=settings.max_video_seconds,
            max_side=settings.max_video_side,
        )
        warnings = decode(work, source.field, deadline, settings)
        facts = SourceFacts.model_validate_json(pieces.facts.read_bytes()[:_LONGEST_FACTS])
        return Spliced(pieces, facts.frames, facts.copied, warnings)
