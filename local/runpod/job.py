"""One job as RunPod keeps it: what the caller sent, where it is, and everything a worker said about it."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """RunPod's job states (docs.runpod.io, serverless/endpoints/job-states)."""

    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"

    @property
    def is_final(self) -> bool:
        """Whether a job in this state is over."""
        return self not in {Status.IN_QUEUE, Status.IN_PROGRESS}


@dataclass(frozen=True)
class Policy:
    """How long a job may run and exist; in seconds, though RunPod's API takes milliseconds.

    Attributes:
        execution_timeout: from when a worker took it.
        ttl: from when it was submitted; then it is deleted, whatever its state.
        low_priority: starts no worker; kept and without effect here.
    """

    execution_timeout: float = 600.0
    ttl: float = 86_400.0
    low_priority: bool = False


@dataclass(frozen=True)
class Submission:
    """What a caller sent to /run or /runsync.

    Attributes:
        beside: what the worker is given beside `input`, such as `s3Config`.
    """

    input: Any
    webhook: str | None = None
    policy: Policy = field(default_factory=Policy)
    beside: dict[str, Any] = field(default_factory=dict)
    is_sync: bool = False


@dataclass(frozen=True)
class Post:
    """Something that a worker said about a job, at the time it took effect."""

    at: float
    body: dict[str, Any]

    @property
    def is_progress(self) -> bool:
        """Whether it is progress; otherwise it is a result."""
        return self.body.get("status") == "IN_PROGRESS"


@dataclass(eq=False)
class Job:
    """One job; times are the emulator's clock.

    Attributes:
        taken: when workers took it; a delivery that failed does not count.
        posts: progress and results, in the order in which they took effect.
        stream: outputs of a generator handler that no /stream has fetched yet.
        retries: how many times /retry queued it again.
        webhooks: the answers to the webhook's tries: a status code, or what went wrong.
    """

    id: str
    submission: Submission
    submitted: float
    status: Status = Status.IN_QUEUE
    output: Any = None
    error: Any = None
    worker_id: str | None = None
    started: float | None = None
    ended: float | None = None
    taken: list[float] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    stream: list[Any] = field(default_factory=list)
    retries: int = 0
    webhooks: list[int | str] = field(default_factory=list)

    @property
    def input(self) -> Any:
        """What the caller sent as `input`."""
        return self.submission.input

    @property
    def progress(self) -> list[Post]:
        """The progress posts."""
        return [post for post in self.posts if post.is_progress]

    @property
    def results(self) -> list[Post]:
        """Every time the job was answered; a retried post counts again."""
        return [post for post in self.posts if not post.is_progress]

    def for_worker(self) -> dict[str, Any]:
        """The job as a worker gets it."""
        return {"id": self.id, "input": self.input} | self.submission.beside

    def for_caller(self) -> dict[str, Any]:
        """The job as /status shows it; while it runs, `output` is its progress."""
        shown: dict[str, Any] = {"id": self.id, "status": str(self.status)}
        if self.started is not None:
            shown["delayTime"] = round((self.started - self.submitted) * 1000)
            if self.ended is not None:
                shown["executionTime"] = round((self.ended - self.started) * 1000)
        optional = {"workerId": self.worker_id, "output": self.output, "error": self.error}
        return shown | {name: value for name, value in optional.items() if value is not None}

    def for_webhook(self) -> dict[str, Any]:
        """The body of the webhook: the status, and all that the caller sent but the bucket's keys.

        Source: runpod/runpod-python issue 409, which shows the cloud's body.
        """
        sent = {"input": self.input, "webhook": self.submission.webhook}
        return {k: v for k, v in self.for_caller().items() if k != "workerId"} | sent
