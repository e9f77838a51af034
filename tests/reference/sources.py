"""The jobs with a source that are compared: what the graphs are built from, and what both sides make anew.

Windows of 41 frames, six latent frames: the makers' number of sound latents and the worker's are the same.
"""

from dataclasses import dataclass
from typing import Any

URL = "https://example.org/file"
FRAMES = 41
#: Width and height of the stages, pixels: small, as the encoders of the comparison are wide.
FIRST, FULL = (64, 32), (128, 64)


@dataclass(frozen=True)
class Job:
    """A job with a source.

    Attributes:
        raw: what is asked for.
        source: how many frames the source has, at 24 per second.
        begins: frame of what is generated at which the source begins.
        span: the frames of what is generated that are made anew: the first, and the first behind them.
        sound_to: the first frame whose sound is kept, where that is not the span's.
    """

    raw: dict[str, Any]
    source: int
    begins: int
    span: tuple[int, int]
    sound_to: float | None = None


def _retake(**more: Any) -> Job:
    raw = {"retake": {"video_url": URL, "from": 17 / 24, "to": 30 / 24} | more}
    return Job(raw | {"audio": True}, FRAMES, 0, (17, 33))


def _extend(side: str) -> dict[str, Any]:
    return {"extend": {"video_url": URL, "seconds": 1, "from": side}, "audio": True}


def _with(job: Job, **more: Any) -> Job:
    return Job(job.raw | more, job.source, job.begins, job.span, job.sound_to)


ONE_STAGE: dict[str, Any] = {"spatial_upscaler": False}

JOBS: dict[str, Job] = {
    "retake:one stage": _with(_retake(), **ONE_STAGE),
    "retake:one stage picture": _with(_retake(what="video"), **ONE_STAGE),
    "retake:one stage sound": _with(_retake(what="audio"), **ONE_STAGE),
    "retake:one stage guided": _with(_retake(), quality="pro", **ONE_STAGE),
    "retake:two stages": _retake(),
    "extend:end": Job(_extend("end"), 17, 0, (17, FRAMES)),
    # What the sound's encoder looks back at is not there: 0.32 s more are made anew.
    "extend:start": Job(_extend("start"), 16, 25, (0, 25), 25 + 24 * 0.32),
}
