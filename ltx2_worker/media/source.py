"""A stranger's video that is worked on: its frames and its sound; runs in a child process (isolate.py)."""

from pathlib import Path

from .control import fit_video
from .fit import Frame
from .sound import fit_sound


def fit_source(
    source: Path,
    video: Path,
    sound: Path | None,
    field: str,
    frame: Frame,
    *,
    fps: int,
    frames: int,
    max_seconds: float,
    max_side: int,
) -> list[str]:
    """Write the frames of a video, and its sound if it has any.

    Arguments:
        source: the file as it came.
        video: the MP4 to write, as `control.fit_video` does; a source that is too short for it is refused.
        sound: the WAV to write; None: it is not wanted.
        field: the input field it came in, for messages.
        frame: the canvas and the delivered crop, in pixels.
        fps, frames: of what is generated.
        max_seconds, max_side: larger videos are refused.

    Returns:
        Warnings for the caller.

    Raises:
        WorkerError: MEDIA_REJECTED if it is not an allowed, whole video.
    """
    warnings = fit_video(
        source,
        video,
        field,
        frame,
        fps=fps,
        frames=frames,
        max_seconds=max_seconds,
        max_side=max_side,
        whole=True,
    )
    if sound is not None:
        seconds = frames / fps
        fit_sound(source, sound, field, start=0.0, seconds=seconds, max_seconds=max_seconds, of_video=True)
    return warnings
