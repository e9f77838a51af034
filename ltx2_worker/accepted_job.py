"""A job that was accepted: checked, planned, and in its place in the engine's order."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from ltx2_api.job import JobInput
from ltx2_api.progress import Stage
from ltx2_api.record import request_name

from .deadline import Deadline
from .engine import Ticket
from .plan import Plan
from .progress import ProgressTracker
from .storage.destination import Destination

log = logging.getLogger(__name__)


def input_digest(raw: object) -> str:
    """The digest of a job's input as it was sent; with the id it says whether a job is the same."""
    return sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class AcceptedJob:
    """Everything about one job in hand.

    Attributes:
        warnings: for the reply.
        input_digest: see `input_digest`.
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
    progress: ProgressTracker
    ticket: Ticket

    @property
    def request_name(self) -> str | None:
        """Where the record of a job with a `request_id` lies once more."""
        request_id = self.job.request_id
        return None if request_id is None else request_name(request_id)

    def enter(self, stage: Stage) -> None:
        """The job works on `stage` now."""
        if self.progress.enter(stage):
            log.info("job stage", extra={"job_id": self.job_id, "stage": stage})
