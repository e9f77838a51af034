"""When a job is asked after next. Pure arithmetic; the clock and chance come from outside."""

from dataclasses import dataclass

from .events import Queued, Running

#: Seconds between requests: while queued from the first to the second, growing by the factor.
QUEUED_FIRST, QUEUED_MOST, QUEUED_GROWTH = 1.0, 8.0, 1.5
#: While running: this share of the seconds left, within the two bounds.
RUNNING_SHARE, RUNNING_LEAST, RUNNING_MOST = 1 / 8, 1.5, 6.0
#: When less than this is left, every so many seconds.
NEARLY_DONE, NEARLY_DONE_EVERY = 5.0, 1.0
#: After a request that failed, doubling.
FAILED_FIRST, FAILED_MOST = 1.0, 30.0
#: Each interval is up to a tenth shorter or longer, so that many followers do not ask in step.
JITTER = 0.1


@dataclass
class Schedule:
    """The pace of one job's status requests."""

    _queued: float = QUEUED_FIRST
    _failures: int = 0

    @property
    def failures(self) -> int:
        """Requests that failed in a row."""
        return self._failures

    def after(self, event: Queued | Running, chance: float) -> float:
        """Seconds until the next request, after one that was answered.

        Arguments:
            chance: 0 to 1, uniform; moves the interval within its jitter.
        """
        self._failures = 0
        if isinstance(event, Queued):
            seconds = self._queued
            self._queued = min(QUEUED_MOST, self._queued * QUEUED_GROWTH)
        elif event.seconds_left is None:
            seconds = RUNNING_LEAST
        elif event.seconds_left <= NEARLY_DONE:
            seconds = NEARLY_DONE_EVERY
        else:
            seconds = min(RUNNING_MOST, max(RUNNING_LEAST, event.seconds_left * RUNNING_SHARE))
        return _moved(seconds, chance)

    def after_failure(self, chance: float, retry_after: float | None = None) -> float:
        """Seconds until the next request, after one that failed; what the other side asks for is kept to."""
        seconds = back_off(self._failures)
        self._failures += 1
        return max(_moved(seconds, chance), retry_after or 0.0)


def back_off(failures: int) -> float:
    """Seconds after so many failures before this one: 1, 2, 4 … 30."""
    return min(FAILED_MOST, FAILED_FIRST * 2.0 ** min(failures, 10))


def _moved(seconds: float, chance: float) -> float:
    return seconds * (1 - JITTER + 2 * JITTER * chance)
