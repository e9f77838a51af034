"""What a job came to: a status read as progress, as a result, or as an error. No I/O.

The worker of tomorrow may say more than the contract of today: fields that are not known are left out.
"""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ltx2_api.errors import Fault
from ltx2_api.reply import DryRunResult, VideoResult

from .errors import BadReply, Cancelled, JobFailed, Ltx2Error
from .events import Running
from .models import State, Status
from .strangers import on_one_line

Outcome = VideoResult | DryRunResult
#: An address that a browser may be sent to; what is not ASCII has to be escaped in it.
_LINK = re.compile(r"https?://[!-~]{1,8000}")


class _Progress(BaseModel):
    model_config = ConfigDict(extra="ignore")

    percent: int = Field(ge=0, le=100)
    stage: str = Field(max_length=100)
    step: int | None = Field(None, ge=0, le=100_000)
    steps: int | None = Field(None, ge=0, le=100_000)
    seconds_left: float | None = Field(None, ge=0, le=1e7)
    picture: str | None = Field(None, max_length=1_000_000)


class _Failure(BaseModel):
    """`FailureResult` as it arrives: RunPod has taken `error` out of it, and its code may be a newer one."""

    model_config = ConfigDict(extra="ignore")

    code: str
    field: str | None = None
    faults: tuple[dict[str, Any], ...] = ()
    retryable: bool = False


def running(status: Status) -> Running:
    """What a running job says of itself; anything that is not progress counts as nothing said."""
    try:
        progress = _Progress.model_validate(status.output)
    except ValidationError:
        return Running(status.id)
    return Running(status.id, **progress.model_dump())


def outcome(status: Status) -> Outcome:
    """The result of a COMPLETED job.

    Raises:
        BadReply: what came back is no result. RunPod has been seen to show a late progress post in the
            result's place; that is never taken for one.
    """
    output = status.output
    kind = DryRunResult if isinstance(output, dict) and output.get("dry_run") is True else VideoResult
    try:
        result = kind.model_validate(output, extra="ignore")
        if isinstance(result, VideoResult):
            _check_links(result)
        return result
    except ValueError as error:
        raise BadReply(
            "The job is completed, but what came back is not a result of this worker.", job_id=status.id
        ) from error


def failure(status: Status) -> Ltx2Error:
    """The error that a job which ended without a result stands for."""
    if status.state is State.CANCELLED:
        return Cancelled("The job was cancelled; nothing is to be paid.", job_id=status.id)
    if status.state is State.TIMED_OUT:
        return JobFailed(
            "RunPod ended the job: it ran longer than the endpoint's execution timeout.",
            job_id=status.id,
            code="timed_out",
            retryable=True,
        )
    try:
        told = _Failure.model_validate(status.output)
    except ValidationError:
        # Not this worker's own words: a traceback of the SDK, or RunPod's. The first line is enough.
        text = (status.error or "").strip().splitlines()
        said = (
            f": {on_one_line(text[0][:200])}" if text and not text[0].startswith(("{", "Traceback")) else "."
        )
        return JobFailed(f"The job failed without a code{said}", job_id=status.id, code="unknown")
    return JobFailed(
        on_one_line(status.error or "The job failed."),
        job_id=status.id,
        code=told.code,
        field=told.field,
        faults=[Fault(_text(fault, "field"), _text(fault, "message")) for fault in told.faults],
        retryable=told.retryable,
    )


def _text(fault: dict[str, Any], name: str) -> str:
    return on_one_line(str(fault.get(name)))


def _check_links(result: VideoResult) -> None:
    """Raise `ValueError` for a link that is none: a page follows it."""
    for link in (result.url, result.poster_url, result.animation_url):
        if link is not None and not _LINK.fullmatch(link):
            raise ValueError("a link is no http(s) address")
