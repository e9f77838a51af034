"""What the rules ask of the world, and what they hear back: the border between rules and I/O.

Every rule of this package is a generator (`Procedure`). It yields one `Step`, is sent the step's answer, and
returns its result. `drive.py` carries the steps out, once for threads and once for async code; tests carry
them out on a clock of their own. So each rule is written once and has no I/O in it.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from .events import Event

Result = TypeVar("Result")


@dataclass(frozen=True)
class Request:
    """One HTTP request to RunPod or to a bucket, answered by a `Reply`.

    Attributes:
        content: the body, JSON.
        timeout: seconds without any byte after which it is given up.
        fresh: on a connection of its own. One that was idle may be half closed, which shows only after the
            request went out; for a request that must not be sent twice that would be one doubt too many.
    """

    method: Literal["GET", "POST"]
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes | None = field(default=None, repr=False)
    timeout: float = 30.0
    fresh: bool = False


@dataclass(frozen=True)
class Reply:
    """An HTTP answer; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Fetch:
    """A GET whose body is passed on in pieces as it arrives; answered by a `Reply` without a body.

    Attributes:
        accept: is shown the answer's head and returns where its body goes, or None to leave it unread.
    """

    url: str
    headers: Mapping[str, str]
    accept: Callable[[Reply], Callable[[bytes], None] | None]
    timeout: float = 30.0


@dataclass(frozen=True)
class Pause:
    """Wait so many seconds; answered by None."""

    seconds: float


@dataclass(frozen=True)
class Tell:
    """Tell whoever listens; answered by None."""

    event: Event


class NotSent(Exception):
    """The request never left: no connection could be made, so nothing can have been started."""


class Unclear(Exception):
    """The request went out, at least in part, and no whole answer came back."""


Step = Request | Fetch | Pause | Tell
Procedure = Generator[Step, Any, Result]


def ask(request: Request) -> Procedure[Reply]:
    """Send a request and return its reply, typed; raises `NotSent` and `Unclear`."""
    reply = yield request
    assert isinstance(reply, Reply)
    return reply
