"""How often an account may ask: a bucket of requests each, that fills up again; counted by each process."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

#: Accounts that are remembered; the ones that asked longest ago have full buckets, and are forgotten first.
MOST_ACCOUNTS = 10_000


class Rates:
    """Counts requests; any thread may ask.

    Arguments:
        per_minute: how many an account may make; as many at once.
        clock: seconds, never backwards.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = per_minute, clock
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, account: str) -> float:
        """Count a request.

        Returns:
            Seconds after which to ask again; 0.0 if it may be served now.
        """
        with self._lock:
            return self._take(account)

    def _take(self, account: str) -> float:
        now = self._clock()
        left, at = self._left.pop(account, (float(self._most), now))
        left = min(float(self._most), left + (now - at) * self._most / 60)
        served = left >= 1
        self._left[account] = (left - served, now)
        if len(self._left) > MOST_ACCOUNTS:
            self._left.popitem(last=False)
        return 0.0 if served else (1 - left) * 60 / self._most
