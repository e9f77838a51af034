"""What can go wrong with a request on demand, and what is remembered of each request."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Route(StrEnum):
    """What a request is for.

    The first ones are a caller's, WEBHOOK is ours to the caller, and the others are a worker's: progress and
    results share RunPod's job-done address.
    """

    RUN = "run"
    RUNSYNC = "runsync"
    STATUS = "status"
    STREAM = "stream"
    CANCEL = "cancel"
    RETRY = "retry"
    PURGE_QUEUE = "purge-queue"
    HEALTH = "health"
    WEBHOOK = "webhook"
    TAKE = "job-take"
    TAKE_BATCH = "job-take-batch"
    PROGRESS = "progress"
    RESULT = "result"
    STREAM_POST = "job-stream"
    STOP = "job-stop"
    PING = "ping"


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request, or with one try of a webhook.

    Attributes:
        status: answered instead of serving the request.
        delay: seconds before anything happens.
        served: whether the request has its effect.
        answered: whether the other side hears of it; otherwise the connection is closed.
        headers: sent with `status`, such as Retry-After.
    """

    status: int | None = None
    delay: float = 0
    served: bool = True
    answered: bool = True
    headers: tuple[tuple[str, str], ...] = ()


def refused(status: int, **headers: str) -> Fault:
    """Answer with an error; `Retry_After="3"` is the header Retry-After."""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Fault(status=status, served=False, headers=named)


def slow(seconds: float) -> Fault:
    """Serve after so many seconds."""
    return Fault(delay=seconds)


def unanswered(seconds: float = 0) -> Fault:
    """Say nothing for so many seconds, then close the connection: the request had no effect."""
    return Fault(delay=seconds, served=False, answered=False)


#: The request has its effect, and the connection is closed without an answer.
LOST_REPLY = Fault(answered=False)


@dataclass(eq=False)
class Request:
    """One request as it arrived.

    Attributes:
        at: the emulator's clock.
        job_id: what the address names, or the job that /run made.
        body: parsed JSON; None without one.
        fault: what was made to go wrong.
    """

    at: float
    route: Route
    job_id: str | None
    query: dict[str, str]
    body: Any
    fault: Fault | None


class Faults:
    """Faults to come: those injected for a route, one for each request, or whatever `choose` says."""

    def __init__(self) -> None:
        self.choose: Callable[[Route], Fault | None] | None = None
        self._injected: dict[Route, deque[Fault]] = {route: deque() for route in Route}

    def inject(self, route: Route, *faults: Fault) -> None:
        """Let the next requests of a route go wrong, one fault each, in this order."""
        self._injected[route].extend(faults)

    def next(self, route: Route) -> Fault | None:
        """What is to go wrong with the request that has just arrived."""
        injected = self._injected[route]
        if injected:
            return injected.popleft()
        return self.choose(route) if self.choose else None

    def heal(self) -> None:
        """Let nothing go wrong any more."""
        self.choose = None
        for injected in self._injected.values():
            injected.clear()
