"""The caller's pictures, videos and sounds: fetched, verified, and fitted to the job."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ltx2_api.errors import ErrorCode, WorkerError

from ..deadline import Deadline
from ..settings import Settings
from .control import fit_video, still_video
from .fetch import Source, fetch
from .fit import Frame
from .image import fit_image
from .isolate import run_isolated
from .sound import fit_sound


@dataclass(frozen=True)
class Prepared:
    """A file that the engine can load, and what is known about it.

    Attributes:
        path: where it is.
        warnings: what the caller should know.
        frames: of a source that is spliced, how many it has.
        copied: how many of those that stay are its own, packet by packet.
    """

    path: Path
    warnings: tuple[str, ...] = ()
    frames: int | None = None
    copied: int = 0


def prepare_image(
    source: Source,
    frame: Frame,
    into: Path,
    deadline: Deadline,
    settings: Settings,
    *,
    name: str = "start_image",
) -> Prepared:
    """Fetch a picture and fit it to the canvas.

    Arguments:
        source: where it comes from.
        frame: the canvas and the delivered crop, in pixels.
        into: an existing folder of the job's own.
        deadline: the job's.
        settings: how large it may be, and how long it may take.
        name: of the file, without its suffix.

    Returns:
        The PNG in `into`: 8-bit RGB, exactly the canvas's size.

    Raises:
        WorkerError: INVALID_INPUT, MEDIA_UNREACHABLE or MEDIA_REJECTED, naming the field; no file is left.
        Cancelled: the job was cancelled; no file is left.
    """
    with files(into, name, ".png") as (raw, fitted):
        fetch(source, raw, settings.max_image_bytes, deadline, settings)
        work = partial(fit_image, raw, fitted, source.field, frame, settings.max_image_pixels)
        return Prepared(fitted, decode(work, source.field, deadline, settings))


def prepare_control(
    source: Source,
    frame: Frame,
    into: Path,
    deadline: Deadline,
    settings: Settings,
    *,
    fps: int,
    frames: int,
) -> Prepared:
    """Fetch the control video, fit it to the canvas and resample it to the job's frames.

    Arguments:
        source: where it comes from.
        frame: the canvas and the delivered crop, in pixels.
        into, deadline, settings: as for `prepare_image`.
        fps, frames: of what is generated.

    Returns:
        `control.mp4` in `into`: H.264, exactly the canvas's size, exactly `frames` frames at `fps`.

    Raises:
        WorkerError: INVALID_INPUT, MEDIA_UNREACHABLE or MEDIA_REJECTED, naming the field; no file is left.
        Cancelled: the job was cancelled; no file is left.
    """
    with files(into, "control", ".mp4") as (raw, fitted):
        fetch(source, raw, settings.max_video_bytes, deadline, settings)
        work = partial(
            fit_video,
            raw,
            fitted,
            source.field,
            frame,
            fps=fps,
            frames=frames,
            max_seconds=settings.max_video_seconds,
            max_side=settings.max_video_side,
        )
        return Prepared(fitted, decode(work, source.field, deadline, settings))


def prepare_sound(
    source: Source, into: Path, deadline: Deadline, settings: Settings, *, start: float, seconds: float
) -> Prepared:
    """Fetch a sound and cut it to the video.

    Arguments:
        source: where it comes from.
        into, deadline, settings: as for `prepare_image`.
        start: second of the source at which the video begins.
        seconds: of the video.

    Returns:
        `sound.wav` in `into`, a little longer than the video.

    Raises:
        WorkerError: INVALID_INPUT, MEDIA_UNREACHABLE or MEDIA_REJECTED, naming the field; no file is left.
        Cancelled: the job was cancelled; no file is left.
    """
    with files(into, "sound", ".wav") as (raw, fitted):
        fetch(source, raw, settings.max_video_bytes, deadline, settings)
        longest = settings.max_sound_seconds
        work = partial(
            fit_sound, raw, fitted, source.field, start=start, seconds=seconds, max_seconds=longest
        )
        return Prepared(fitted, decode(work, source.field, deadline, settings))


def still_as_control(
    image: Path, into: Path, deadline: Deadline, settings: Settings, *, fps: int
) -> Prepared:
    """Make the control video of a job without one: the fitted start image, as one frame.

    Arguments:
        image: what `prepare_image` wrote.
        into, deadline, settings: as for `prepare_image`.
        fps: of what is generated.

    Returns:
        `control.mp4` in `into`.
    """
    failed = WorkerError(ErrorCode.INTERNAL, "The start image could not be made the control video.")
    with files(into, "control", ".mp4") as (_, fitted):
        run_isolated(
            partial(still_video, image, fitted, fps),
            deadline=deadline,
            seconds=settings.media_timeout,
            too_long=failed,
            crashed=failed,
        )
        return Prepared(fitted)


def decode(
    work: Callable[[], list[str]], field: str, deadline: Deadline, settings: Settings
) -> tuple[str, ...]:
    """Open a stranger's file in a process of its own, and return the warnings about it."""
    sentences = run_isolated(
        work,
        deadline=deadline,
        seconds=settings.media_timeout,
        too_long=_rejected(field, "takes too long to decode"),
        crashed=_rejected(field, "cannot be decoded"),
    )
    return tuple(sentences)


@contextmanager
def files(into: Path, name: str, suffix: str) -> Iterator[tuple[Path, Path]]:
    """Names for what comes in, never left behind, and for what is made of it, left only on success."""
    raw, fitted = into / f"{name}.part", into / f"{name}{suffix}"
    try:
        yield raw, fitted
    except BaseException:
        fitted.unlink(missing_ok=True)
        raise
    finally:
        raw.unlink(missing_ok=True)


def _rejected(field: str, what: str) -> WorkerError:
    return WorkerError(ErrorCode.MEDIA_REJECTED, f"{field} {what}.", field=field)
