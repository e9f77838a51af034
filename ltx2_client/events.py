"""What is told while a job is followed, and while a file is fetched."""

from dataclasses import dataclass

from ltx2_api.reply import DryRunResult, VideoResult


@dataclass(frozen=True)
class Queued:
    """The job waits for a worker.

    Attributes:
        seconds: since it was first seen waiting.
        reason: why it may take longer, once that is known: a sentence.
    """

    job_id: str
    seconds: float
    reason: str | None = None


@dataclass(frozen=True)
class Running:
    """A worker has the job.

    Attributes:
        percent: 0 to 99, never lower than before; None before the worker has said anything.
        stage: one of `ltx2_api.progress.Stage`, or what a newer worker calls it.
        step, steps: sampling steps, in stages that have them.
        seconds_left: estimate for the whole job.
        picture: a small JPEG as base64, where the operator turned that on.
    """

    job_id: str
    percent: int | None = None
    stage: str | None = None
    step: int | None = None
    steps: int | None = None
    seconds_left: float | None = None
    picture: str | None = None


@dataclass(frozen=True)
class Troubled:
    """A status request failed; the job is not affected, and is asked after again.

    Attributes:
        failures: requests that failed in a row.
    """

    job_id: str
    failures: int
    reason: str


@dataclass(frozen=True)
class Done:
    """The job is finished."""

    job_id: str
    result: VideoResult | DryRunResult


@dataclass(frozen=True)
class Downloading:
    """So many bytes of a file are here; `total` is None where its size is not known."""

    job_id: str
    received: int
    total: int | None


@dataclass(frozen=True)
class TakeStarted:
    """A take of a batch has a job now; `resumed` is one that an earlier call submitted."""

    job_id: str
    take: str
    resumed: bool


@dataclass(frozen=True)
class TakeEnded:
    """A take of a batch lies at `file`, or has failed with `error`."""

    job_id: str | None
    take: str
    file: str | None
    error: str | None


Event = Queued | Running | Troubled | Done | Downloading | TakeStarted | TakeEnded
