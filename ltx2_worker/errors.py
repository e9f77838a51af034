"""Everything that can go wrong with a job, as the caller sees it: a code, one sentence, retryable or not.

A message is for a person and leaves this worker: it never holds a traceback, a path, a host name or a
secret. What an engineer needs beyond it goes to the log, through the `cause` of the exception.
"""

from dataclasses import dataclass
from enum import StrEnum


class ErrorCode(StrEnum):
    """The closed list of codes; docs/errors.md says what each means and what the caller should do."""

    INVALID_INPUT = "invalid_input"
    OVER_BUDGET = "over_budget"
    MODEL_NOT_INSTALLED = "model_not_installed"
    MEDIA_UNREACHABLE = "media_unreachable"
    MEDIA_REJECTED = "media_rejected"
    ENGINE_UNAVAILABLE = "engine_unavailable"
    ENGINE_CRASHED = "engine_crashed"
    OUT_OF_MEMORY = "out_of_memory"
    GENERATION_FAILED = "generation_failed"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    SHUTTING_DOWN = "shutting_down"
    INTERNAL = "internal"


#: Codes after which the very same job may succeed, on this worker or another one.
RETRYABLE = frozenset(
    {
        ErrorCode.MEDIA_UNREACHABLE,
        ErrorCode.ENGINE_UNAVAILABLE,
        ErrorCode.ENGINE_CRASHED,
        ErrorCode.DEADLINE_EXCEEDED,
        ErrorCode.STORAGE_UNAVAILABLE,
        ErrorCode.SHUTTING_DOWN,
        ErrorCode.INTERNAL,
    }
)


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a job's input: the field (dotted path) and a sentence about it."""

    field: str
    message: str


class WorkerError(Exception):
    """A job's failure, worded for its caller.

    Arguments:
        code: one of the closed list.
        message: one sentence for a person; no path, host name, secret or traceback.
        field: the input field at fault, where there is one.
        retryable: overrides what the code implies.
        faults: all faults, when an input has several.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        field: str | None = None,
        retryable: bool | None = None,
        faults: tuple[Fault, ...] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.retryable = code in RETRYABLE if retryable is None else retryable
        self.faults = faults


class Cancelled(Exception):  # noqa: N818 - it is not an error: the platform asked for it
    """The platform cancelled the job; nothing is reported, everything is cleaned up."""
