"""A job that was accepted: checked, planned, and in its place in the engine's order."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from ltx2_api.job import JobInput
from ltx2_api.progress import Stage

from .deadline import Deadline
from .engine import Turn
from .plan.plan import Plan
from .progress import Meter
from .storage.destination import Destination

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Assignment:
    """Everything about one job in hand.

    Attributes:
        warnings: for the reply.
        input_digest: of the job's input as it was sent; with the id it says whether a job is the same.
        destination: where its video goes; None where there is no place for one (a dry run needs none).
        computed: expected seconds per stage before the correction by what was measured here.
    """

    job_id: str
    job: JobInput
    plan: Plan
    warnings: tuple[str, ...]
    input_digest: str
    destination: Destination | None
    computed: Mapping[Stage, float]
    deadline: Deadline
    meter: Meter
    turn: Turn

    def enter(self, stage: Stage) -> None:
        """The job works on `stage` now."""
        if self.meter.enter(stage):
            log.info("job stage", extra={"job_id": self.job_id, "stage": stage})
