"""What the engine's own errors mean: for the next step of a run, and in words for the caller."""

import json
import logging
from enum import Enum, auto
from typing import Any

from ltx2_api.errors import ErrorCode, WorkerError

log = logging.getLogger(__name__)

#: Characters of the end of a traceback, where the cause stands.
LONGEST_TRACEBACK = 4000


class Failure(Enum):
    """Kinds of `execution_error` that are handled differently."""

    OUT_OF_MEMORY = auto()
    DEVICE_LOST = auto()
    DISK_FULL = auto()
    UNUSABLE_PICTURE = auto()
    ENCODER_LOST = auto()
    OTHER = auto()


def classify(error: dict[str, Any]) -> Failure:
    """The kind of an `execution_error`, by the type and text of its exception.

    Types are those of torch 2.8 to 2.11: `torch.OutOfMemoryError`, `torch.AcceleratorError`; the texts are
    those of torch's CUDA and CPU allocators, of CUDA's runtime and of the C library.
    """
    kind = str(error.get("exception_type", ""))
    text = str(error.get("exception_message", "")).lower()
    # ComfyUI's own advice, added below the message, speaks of memory only when memory was short.
    if kind.endswith("OutOfMemoryError") or kind == "MemoryError":
        return Failure.OUT_OF_MEMORY
    if any(
        sign in text
        for sign in ("out of memory", "can't allocate memory", "cannot allocate memory", "bad_alloc")
    ):
        return Failure.OUT_OF_MEMORY
    # After such an error every further CUDA call of the process fails: it is as good as a crash.
    if kind.endswith("AcceleratorError") or any(
        sign in text for sign in ("cuda error", "cublas_status", "cudnn_status")
    ):
        return Failure.DEVICE_LOST
    if kind.endswith("UnusablePicture"):
        return Failure.UNUSABLE_PICTURE
    if kind.endswith("ReceiverLost"):
        return Failure.ENCODER_LOST
    if "no space left on device" in text:
        return Failure.DISK_FULL
    return Failure.OTHER


def log_execution_error(error: dict[str, Any]) -> None:
    """Write an `execution_error` into the log, whole but for the node's input values, which hold prompts."""
    shown = {name: value for name, value in error.items() if name not in ("current_inputs", "traceback")}
    traceback = "".join(map(str, error.get("traceback") or ()))[-LONGEST_TRACEBACK:]
    log.error(
        "execution error",
        extra={
            "execution_error": json.dumps(shown, default=str),
            "traceback": traceback,
        },
    )


def generation_failed(error: dict[str, Any]) -> WorkerError:
    """The caller's sentence for an `execution_error` that another try would not mend."""
    node = str(error.get("node_type", "unknown"))
    return WorkerError(
        ErrorCode.GENERATION_FAILED,
        f"The video engine failed in its step {node}; the worker's log says why.",
    )


def out_of_memory() -> WorkerError:
    """The caller's sentence for a graph that ran out of memory, also after it was emptied."""
    return WorkerError(ErrorCode.OUT_OF_MEMORY, OUT_OF_MEMORY)


def engine_crashed() -> WorkerError:
    """The caller's sentence for a graph in which the engine was lost twice."""
    return WorkerError(ErrorCode.ENGINE_CRASHED, ENGINE_CRASHED)


def unusable_picture() -> WorkerError:
    """The caller's sentence for a video that came out black, of one colour or not a number, twice."""
    return WorkerError(ErrorCode.GENERATION_FAILED, UNUSABLE_PICTURE, retryable=True)


def refused(body: str) -> WorkerError:
    """The caller's sentence for a graph that the engine rejected; the whole answer goes to the log."""
    log.error("graph refused", extra={"answer": body})
    return WorkerError(
        ErrorCode.GENERATION_FAILED,
        "The video engine refused this job's workflow; the worker's log says why.",
    )


OUT_OF_MEMORY = (
    "There is not enough memory for this video; "
    "ask for a lower resolution, a shorter duration or fewer options."
)
ENGINE_CRASHED = "The video engine stopped twice while it made this video; send the job again."
DISK_FULL = "The worker has no disk space left for this video; send the job again."
UNUSABLE_PICTURE = (
    "The video came out black or without a picture, twice; "
    "send the job again, and tell the operator if that does not help."
)
NO_OUTPUT = "The video engine finished without a video; the worker's log says why."
