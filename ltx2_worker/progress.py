"""How far a job is: engine and worker events become percent, stage, step and seconds left."""

import threading
import time
from collections.abc import Callable, Mapping

from ltx2_api.progress import Progress, Stage

ORDER = {stage: position for position, stage in enumerate(Stage)}

#: The stages in which the engine works on the job, and those of them that report their steps.
ENGINE_STAGES = tuple(
    stage for stage in Stage if ORDER[Stage.CONTROL] <= ORDER[stage] <= ORDER[Stage.DECODING]
)
STEPPED_STAGES = frozenset({Stage.SAMPLING, Stage.REFINING, Stage.DETAILING})
#: How many times longer than computed a stage may take on a machine that was not measured yet.
UNMEASURED = 3.0

#: Share of a stage without steps that is shown at most before its end is known.
MOST_OF_A_STAGE = 0.95


class StageSpeed:
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

    def tracker(self, computed: Mapping[Stage, float]) -> "ProgressTracker":
        """The progress of a new job."""
        with self._lock:
            measured = bool(self._ratios)
        return ProgressTracker(self.expected(computed), measured=measured)

    def learn(self, computed: Mapping[Stage, float], measured: Mapping[Stage, float]) -> None:
        """Take in the stage timings of a job that finished; waiting and loading teach nothing."""
        with self._lock:
            for stage, seconds in measured.items():
                if stage in {Stage.WAITING, Stage.LOADING} or computed.get(stage, 0) <= 0:
                    continue
                ratio = seconds / computed[stage]
                known = self._ratios.get(stage, ratio)
                self._ratios[stage] = known + self.NEWEST * (ratio - known)


class ProgressTracker:
    """One job's progress and timings; events may come from several threads.

    Arguments:
        expected: seconds per stage, for the stages that the job has.
        clock: seconds, monotonic.
        measured: whether `expected` was corrected by jobs that were done on this machine.
    """

    def __init__(
        self,
        expected: Mapping[Stage, float],
        clock: Callable[[], float] = time.monotonic,
        *,
        measured: bool = True,
    ) -> None:
        self.expected = dict(expected)
        self._unmeasured_factor = 1.0 if measured else UNMEASURED
        self._clock = clock
        self._lock = threading.Lock()
        self._stage = Stage.PREPARING
        self._since = clock()
        self._step: tuple[int, int] | None = None
        self._percent = 0
        self._picture: bytes | None = None
        self._run_again = False
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

    def run_again(self) -> None:
        """The engine does the job from its beginning; what is shown stays as it is until it gets further."""
        with self._lock:
            self._run_again = True

    def show(self, jpeg: bytes) -> None:
        """Keep the newest picture of the emerging video."""
        with self._lock:
            self._picture = jpeg

    def engine_seconds_left(self) -> float:
        """Seconds until the engine is free of this job: 0 when it is through, infinite where nobody can tell.

        Nobody can tell before the engine has begun, nor when it does the job a second time.

        Rather too many than too few: time to load weights counts as the stage's pace, and what was never
        measured on this machine may take several times as long as computed.
        """
        with self._lock:
            if self._stage is not Stage.DELIVERING and (
                self._run_again or ORDER[self._stage] < ORDER[ENGINE_STAGES[0]]
            ):
                return float("inf")
            if ORDER[self._stage] > ORDER[ENGINE_STAGES[-1]]:
                return 0.0
            later = sum(self.expected.get(s, 0.0) for s in ENGINE_STAGES if ORDER[s] > ORDER[self._stage])
            spent = self._clock() - self._since
            own = self.expected.get(self._stage, 0.0)
            unsure = later
            measured = 0.0
            if self._step and self._step[0] > 0:
                measured = spent / self._step[0] * (self._step[1] - self._step[0])
            elif self._stage in STEPPED_STAGES:
                unsure += own  # before its first step nothing tells how fast it will be
            else:
                unsure += max(0.0, own - spent)
            return measured + unsure * self._unmeasured_factor

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
