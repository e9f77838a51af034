"""What passes between a worker and the control plane of the tests, and what can go wrong with it."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Route(StrEnum):
    """What a request is for; progress and results share RunPod's job-done address."""

    TAKE = "job-take"
    TAKE_BATCH = "job-take-batch"
    PROGRESS = "progress"
    RESULT = "result"
    STREAM = "job-stream"
    STOP = "job-stop"
    PING = "ping"


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request.

    Attributes:
        status: answered instead of serving the request.
        delay: seconds before anything happens.
        served: whether the request has its effect.
        answered: whether the worker hears of it; otherwise the connection is closed.
    """

    status: int | None = None
    delay: float = 0
    served: bool = True
    answered: bool = True


def refused(status: int) -> Fault:
    """Answer with an error."""
    return Fault(status=status, served=False)


def slow(seconds: float) -> Fault:
    """Serve after so many seconds."""
    return Fault(delay=seconds)


def unanswered(seconds: float) -> Fault:
    """Say nothing for so many seconds, then close the connection: the request had no effect."""
    return Fault(delay=seconds, served=False, answered=False)


LOST_REPLY = Fault(answered=False)


@dataclass(frozen=True)
class Request:
    """One request as it arrived; `at` is time.monotonic()."""

    at: float
    route: Route
    job_id: str | None
    query: dict[str, str]
    body: Any
    fault: Fault | None


@dataclass(frozen=True)
class Post:
    """Something a worker said about a job, at the time it took effect."""

    at: float
    body: dict[str, Any]


@dataclass
class PlatformJob:
    """One job as the platform sees it; `posts` holds progress and results in the order they took effect.

    `beside` is what the caller sent beside `input`, such as `s3Config`.
    """

    id: str
    input: Any
    beside: dict[str, Any] = field(default_factory=dict)
    taken: list[float] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)

    @property
    def progress(self) -> list[Post]:
        return [post for post in self.posts if post.body.get("status") == "IN_PROGRESS"]

    @property
    def results(self) -> list[Post]:
        """Every time the job was answered; a retried post counts again."""
        return [post for post in self.posts if post.body.get("status") != "IN_PROGRESS"]

    @property
    def result(self) -> dict[str, Any]:
        """The one answer; a job that was answered never, or twice, fails the test."""
        assert len(self.results) == 1, f"job {self.id} was answered {len(self.results)} times"
        return self.results[0].body

    @property
    def shown_status(self) -> str:
        """What a caller would be shown: the platform believes the last post."""
        if not self.posts:
            return "IN_PROGRESS" if self.taken else "IN_QUEUE"
        last = self.posts[-1].body
        return str(last.get("status") or ("FAILED" if "error" in last else "COMPLETED"))
