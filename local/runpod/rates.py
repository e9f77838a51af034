"""RunPod's rate limits: requests in ten seconds and requests at once, for each operation of an endpoint."""

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from local.runpod.faults import Route

WINDOW_SECONDS = 10.0


@dataclass(frozen=True)
class Rate:
    """The most requests in ten seconds, and at once."""

    per_window: int
    at_once: int | None = None


#: Source: docs.runpod.io, serverless/endpoints/send-requests, "Rate limits". RunPod raises them with the
#: number of running workers, by numbers that it does not publish; here they stay. /retry and /health are not
#: in its table.
RATES: Mapping[Route, Rate] = {
    Route.RUN: Rate(1000, 200),
    Route.RUNSYNC: Rate(2000, 400),
    Route.STATUS: Rate(2000, 400),
    Route.STREAM: Rate(2000, 400),
    Route.CANCEL: Rate(100, 20),
    Route.PURGE_QUEUE: Rate(2),
}


class TooManyRequests(Exception):  # noqa: N818 - the name that HTTP gives it
    """Answered with 429."""


@dataclass
class _Use:
    arrived: deque[float] = field(default_factory=deque)
    open: int = 0


class RateLimiter:
    """Counts the requests of each operation.

    Arguments:
        rates: the limits; an operation that is not named has none.
    """

    def __init__(self, rates: Mapping[Route, Rate]) -> None:
        self._rates = dict(rates)
        self._uses = {route: _Use() for route in rates}

    @contextmanager
    def admit(self, route: Route, now: float) -> Iterator[None]:
        """Count one request until it is answered.

        Raises:
            TooManyRequests: it is over a limit, and does not count.
        """
        rate = self._rates.get(route)
        if rate is None:
            yield
            return
        use = self._uses[route]
        while use.arrived and use.arrived[0] <= now - WINDOW_SECONDS:
            use.arrived.popleft()
        if len(use.arrived) >= rate.per_window or (rate.at_once is not None and use.open >= rate.at_once):
            raise TooManyRequests
        use.arrived.append(now)
        use.open += 1
        try:
            yield
        finally:
            use.open -= 1
