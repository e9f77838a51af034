"""Everything that can go wrong with a job, as the caller sees it: a code, one sentence, retryable or not.

A message is for a person and leaves this worker: it never holds a traceback, a path, a host name or a
secret. What an engineer needs beyond it goes to the log, through the `cause` of the exception.
"""

from dataclasses import dataclass
from enum import StrEnum


class ErrorCode(StrEnum):
    """The closed list of codes; docs/errors.md says what each means and what the caller should do."""

    INVALID_INPUT = "invalid_input"
    NOT_OFFERED = "not_offered"
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
class Explanation:
    """What a code means to the caller, and what to do about it; docs/errors.md is made of these."""

    meaning: str
    action: str


EXPLANATIONS = {
    ErrorCode.INVALID_INPUT: Explanation(
        "The input breaks the job's rules; `faults`, or else `field`, names what is at fault.",
        "Correct the input. Sending it again unchanged fails again.",
    ),
    ErrorCode.NOT_OFFERED: Explanation(
        "The job asks for a way of making videos that this endpoint does not offer; a dry run's `offers` "
        "lists what it does.",
        "Leave the field out, or ask the endpoint's operator to offer it.",
    ),
    ErrorCode.OVER_BUDGET: Explanation(
        "The job costs more than its own `max_credits`.", "Raise `max_credits`, or ask for less."
    ),
    ErrorCode.MODEL_NOT_INSTALLED: Explanation(
        "The model that the job names, or a file that it needs, is not on this endpoint; the message says "
        "which, and what there is instead.",
        "Name another model, leave the option out, or ask the operator to install the file.",
    ),
    ErrorCode.MEDIA_UNREACHABLE: Explanation(
        "The start image or control video could not be fetched.",
        "Where the reply says `retryable`: later. Else (no such address, for one): check the URL.",
    ),
    ErrorCode.MEDIA_REJECTED: Explanation(
        "The start image or control video is too large, broken, or not of an allowed kind.",
        "Send another file; the message says what is allowed.",
    ),
    ErrorCode.ENGINE_UNAVAILABLE: Explanation(
        "The engine did not start, or the worker cannot take more jobs.", "Send the job again."
    ),
    ErrorCode.ENGINE_CRASHED: Explanation(
        "The engine crashed or hung during the job, and again when the job was run once more.",
        "Send the job again; if it fails everywhere, ask for a smaller video.",
    ),
    ErrorCode.OUT_OF_MEMORY: Explanation(
        "The GPU's memory is too small for the job, also after it was emptied.",
        "Ask for 720p, a shorter video, or fewer options.",
    ),
    ErrorCode.GENERATION_FAILED: Explanation(
        "The engine refused the graph or failed in it; a fault of this worker, with the details in its log.",
        "Report the `job_id` to the operator.",
    ),
    ErrorCode.DEADLINE_EXCEEDED: Explanation(
        "The job took longer than its deadline and was interrupted.",
        "Send it again; if that fails too, ask for a shorter or smaller video.",
    ),
    ErrorCode.STORAGE_UNAVAILABLE: Explanation(
        "The video could not be stored; the message says whether it was made, and kept.",
        "Retry the job under its id (`POST /retry/{id}`): a kept video is delivered, not generated anew.",
    ),
    ErrorCode.SHUTTING_DOWN: Explanation(
        "The worker was told to end before the job was done.", "Send the job again."
    ),
    ErrorCode.INTERNAL: Explanation(
        "Something that should not happen did; the details are in the worker's log.",
        "Send the job again, and report the `job_id`.",
    ),
}


#: An input's faults are told up to this number; the rest are counted. It bounds the reply.
MAX_FAULTS = 16


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
