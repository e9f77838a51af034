"""A job that was accepted: checked, planned, and in its place in the engine's order."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from ltx2_api.job import JobInput
from ltx2_api.progress import Stage

from .deadline import Deadline
from .engine import Turn
from .plan import Plan
from .progress import Meter

log = logging.getLogger(__name__)


def input_digest(raw: object) -> str:
    """The digest of a job's input as it was sent; with the id it says whether a job is the same."""
    return sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Assignment:
    """Everything about one job in hand.

    Attributes:
        warnings: for the reply.
        input_digest: see `input_digest`.
        s3_config: the job's own bucket, as it was sent.
        computed: expected seconds per stage before the correction by what was measured here.
    """

    job_id: str
    job: JobInput
    plan: Plan
    warnings: tuple[str, ...]
    input_digest: str
    s3_config: object | None
    computed: Mapping[Stage, float]
    deadline: Deadline
    meter: Meter
    turn: Turn

    def enter(self, stage: Stage) -> None:
        """The job works on `stage` now."""
        if self.meter.enter(stage):
            log.info("job stage", extra={"job_id": self.job_id, "stage": stage})
