"""What to change: the operator's settings, and each other value of one of them, on the same jobs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from .model import Endpoint, Job, Machine
from .simulation import Result, percentile, simulate

#: A change of less than this, as a share, is lost in the noise of the draw.
NOISE = 0.1

IDLE_TIMEOUTS = (5.0, 60.0, 120.0, 180.0, 300.0)
QUEUE_DELAYS = (4.0, 30.0)
REQUEST_COUNTS = (1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Change:
    """One other value of one setting, and what it did.

    Attributes:
        wait, cost: the 95th percentile of the wait and the paid seconds per video, as shares of today's.
    """

    name: str
    result: Result
    wait: float
    cost: float

    @property
    def is_better(self) -> bool:
        """Whether it gains more than the noise in one, and loses no more than the noise in the other."""
        gains = self.wait < 1 - NOISE or self.cost < 1 - NOISE
        return gains and self.wait < 1 + NOISE and self.cost < 1 + NOISE

    @property
    def is_a_trade(self) -> bool:
        """Whether it gains more than the noise in one, and loses more than that in the other."""
        return (self.wait < 1 - NOISE and self.cost > 1 + NOISE) or (
            self.cost < 1 - NOISE and self.wait > 1 + NOISE
        )


def changes(
    draw: Callable[[], list[Job]], endpoint: Endpoint, machine: Machine, today: Result
) -> list[Change]:
    """Try every variation on the same jobs, and return those that change something, the best first.

    Arguments:
        draw: makes the jobs anew, the same ones each time.
        today: what the operator's own settings gave.
    """
    tried = []
    for name, other in _variations(endpoint):
        result = simulate(draw(), other, machine)
        if result.unfinished > today.unfinished:
            continue
        wait = _ratio(percentile(result.waits, 0.95), percentile(today.waits, 0.95))
        tried.append(Change(name, result, wait, _ratio(result.paid, today.paid)))
    worth_saying = [change for change in tried if change.is_better or change.is_a_trade]
    return sorted(worth_saying, key=lambda change: (not change.is_better, change.wait * change.cost))


def _ratio(value: float, today: float) -> float:
    return value / today if today > 0 else 1.0


def _variations(endpoint: Endpoint) -> Iterator[tuple[str, Endpoint]]:
    """The settings with one of them changed, and what to call the change."""
    for name, other in (*_of_the_scaler(endpoint), *_of_the_workers(endpoint)):
        if other != endpoint:
            yield name, other


def _of_the_scaler(endpoint: Endpoint) -> Iterator[tuple[str, Endpoint]]:
    for seconds in IDLE_TIMEOUTS:
        yield f"idle timeout {seconds:.0f} s", replace(endpoint, idle_timeout=seconds)
    for seconds in QUEUE_DELAYS:
        yield f"queue delay {seconds:.0f} s", replace(endpoint, scaler="queue delay", scaler_value=seconds)
    for count in REQUEST_COUNTS:
        yield f"request count {count:.0f}", replace(endpoint, scaler="request count", scaler_value=count)


def _of_the_workers(endpoint: Endpoint) -> Iterator[tuple[str, Endpoint]]:
    for active in (endpoint.active_workers + 1, endpoint.active_workers - 1):
        if 0 <= active <= endpoint.max_workers:
            yield f"active workers {active}", replace(endpoint, active_workers=active)
    for factor in (0.7, 1.3):
        most = max(1, endpoint.active_workers, round(endpoint.max_workers * factor))
        yield f"max workers {most}", replace(endpoint, max_workers=most)
    yield "LTX2_WARMUP=fast", replace(endpoint, warmup=True)
    yield "LTX2_TAKE_AHEAD=10", replace(endpoint, take_ahead=10.0)
    yield "LTX2_JOBS_IN_HAND=2", replace(endpoint, jobs_in_hand=2)
