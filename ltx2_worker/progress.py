"""How far a job is: engine and worker events become percent, stage, step and seconds left."""

import threading
import time
from collections.abc import Callable, Mapping

from ltx2_api.progress import Progress, Stage

ORDER = {stage: position for position, stage in enumerate(Stage)}

#: Share of a stage without steps that is shown at most before its end is known.
MOST_OF_A_STAGE = 0.95


class StagePace:
    """How long stages take here compared with what was computed for them, learned from finished jobs.

    The computed seconds know the proportions of one stage at different sizes, not this machine. Thread-safe.
    """

    #: Weight of the newest job in the running average.
    NEWEST = 0.5

    def __init__(self) -> None:
        self._ratios: dict[Stage, float] = {}
        self._lock = threading.Lock()

    def expected(self, computed: Mapping[Stage, float]) -> dict[Stage, float]:
        """Seconds per stage, corrected by what was measured; other stages take the average correction."""
        with self._lock:
            ratios = dict(self._ratios)
        overall = sum(ratios.values()) / len(ratios) if ratios else 1.0
        return {stage: seconds * ratios.get(stage, overall) for stage, seconds in computed.items()}

    def learn(self, computed: Mapping[Stage, float], measured: Mapping[Stage, float]) -> None:
        """Take in the stage timings of a job that finished; waiting and loading teach nothing."""
        with self._lock:
            for stage, seconds in measured.items():
                if stage in {Stage.WAITING, Stage.LOADING} or computed.get(stage, 0) <= 0:
                    continue
                ratio = seconds / computed[stage]
                known = self._ratios.get(stage, ratio)
                self._ratios[stage] = known + self.NEWEST * (ratio - known)


class Meter:
    """One job's progress and timings; events may come from several threads.

    Arguments:
        expected: seconds per stage, for the stages that the job has.
        clock: seconds, monotonic.
    """

    def __init__(self, expected: Mapping[Stage, float], clock: Callable[[], float] = time.monotonic) -> None:
        self.expected = dict(expected)
        self._clock = clock
        self._lock = threading.Lock()
        self._stage = Stage.PREPARING
        self._since = clock()
        self._step: tuple[int, int] | None = None
        self._percent = 0
        self._picture: bytes | None = None
        self._timings: dict[Stage, float] = {}

    def enter(self, stage: Stage) -> bool:
        """The job works on `stage` now; going back (a late loader, a second try) is not shown.

        Returns:
            Whether the job's stage has changed.
        """
        with self._lock:
            if ORDER[stage] <= ORDER[self._stage]:
                return False
            self._leave()
            self._stage = stage
            return True

    def step(self, stage: Stage, value: int, steps: int) -> None:
        """`value` of `steps` of `stage` are done; news of a stage that is not the current one is old."""
        with self._lock:
            if stage is self._stage and steps > 0 and 0 <= value <= steps:
                self._step = (value, steps)

    def show(self, jpeg: bytes) -> None:
        """Keep the newest picture of the emerging video."""
        with self._lock:
            self._picture = jpeg

    @property
    def timings(self) -> dict[Stage, float]:
        """Seconds that each finished stage took."""
        with self._lock:
            return dict(self._timings)

    def finish(self) -> dict[Stage, float]:
        """End the last stage and return the seconds that each stage took."""
        with self._lock:
            self._leave()
            return dict(self._timings)

    def snapshot(self) -> Progress:
        """The job's progress now."""
        with self._lock:
            spent = self._clock() - self._since
            own = self.expected.get(self._stage, 0.0)
            done = sum(s for stage, s in self.expected.items() if ORDER[stage] < ORDER[self._stage])
            later = sum(s for stage, s in self.expected.items() if ORDER[stage] > ORDER[self._stage])
            if self._step and self._step[0] > 0:
                share = self._step[0] / self._step[1]
                left = spent / self._step[0] * (self._step[1] - self._step[0])
            else:
                share = min(MOST_OF_A_STAGE, spent / own) if own > 0 else 0.0
                left = max(0.0, own - spent)
            total = done + own + later
            percent = int(100 * (done + share * own) / total) if total > 0 else 0
            self._percent = max(self._percent, min(99, percent))
            step, steps = self._step or (None, None)
            return Progress(self._percent, self._stage, step, steps, round(left + later), self._picture)

    def _leave(self) -> None:
        now = self._clock()
        self._timings[self._stage] = self._timings.get(self._stage, 0.0) + now - self._since
        self._since, self._step = now, None
