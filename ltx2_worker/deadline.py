"""How long a job may still go on: its one deadline, and whether the platform has cancelled it.

Every function that waits takes a `Deadline` and asks it; so a deadline or a cancel ends any wait at once.
"""

import threading
import time
from collections.abc import Callable

from ltx2_api.errors import Cancelled, ErrorCode, WorkerError


class Deadline:
    """One job's deadline and cancel switch; safe to use from several threads.

    Arguments:
        seconds: time from now until the deadline, in seconds.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._cancelled = threading.Event()
        self._reason: WorkerError | None = None
        self._on_cancel: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def cancel(self, reason: WorkerError | None = None) -> None:
        """End the job: wake every wait, and call what `on_cancel` registered. A second call does nothing.

        Arguments:
            reason: what `check` raises from now on; None stands for the platform's cancel.
        """
        with self._lock:
            if self._cancelled.is_set():
                return
            self._reason = reason
            self._cancelled.set()
            callbacks = list(self._on_cancel)
        for callback in callbacks:
            callback()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled.is_set()

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Call `callback` (quick, not raising) when the job is cancelled; at once if it already was."""
        with self._lock:
            if not self._cancelled.is_set():
                self._on_cancel.append(callback)
                return
        callback()

    def remaining(self, at_most: float = float("inf")) -> float:
        """Seconds until the deadline, never negative, never more than `at_most`."""
        return max(0.0, min(at_most, self._deadline - time.monotonic()))

    def check(self) -> None:
        """Raise `Cancelled`, the reason given to `cancel`, or DEADLINE_EXCEEDED if the job must not go on."""
        if self.cancelled:
            raise self._reason or Cancelled
        if self.remaining() <= 0:
            raise WorkerError(
                ErrorCode.DEADLINE_EXCEEDED,
                f"The job did not finish in its {self.seconds:.0f} s; ask for a shorter or smaller video.",
            )

    def sleep(self, seconds: float) -> None:
        """Wait `seconds`, ended early (with what `check` raises) by a cancel or the deadline."""
        self._cancelled.wait(self.remaining(seconds))
        self.check()
