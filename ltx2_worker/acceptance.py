"""A job that comes in is checked, planned and given its deadline."""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping

from ltx2_api.job import JobInput
from ltx2_api.offers import require
from ltx2_api.ways import loras

from . import job_log
from .accepted_job import AcceptedJob, input_digest
from .catalog.catalogue import catalogue
from .catalog.files import ModelLibrary
from .catalog.own_loras import OwnLora, own_loras
from .deadline import Deadline
from .engine import Ticket
from .offer import Offer
from .plan import Plan, make_plan
from .plan.estimate import deadline_seconds, stage_seconds
from .plan.prompt import readable
from .progress import StageSpeed
from .readiness import Readiness
from .settings import Settings
from .storage.destination import Destination
from .workflow import require_installed

log = logging.getLogger(__name__)

#: A deadline ends this many seconds before the endpoint's execution timeout, which would end the worker.
DEADLINE_MARGIN = 30.0


class Acceptance:
    """Accepts jobs, and knows the deadlines of those in hand and how fast stages are here.

    Arguments:
        settings: the operator's.
        library: the model files that are here.
        readiness: which recipes can be run.
    """

    def __init__(self, settings: Settings, library: ModelLibrary, readiness: Readiness) -> None:
        self._settings = settings
        self._library = library
        self._readiness = readiness
        self._offer = Offer.of(settings.offer)
        # A preview's time is mostly fixed costs, so previews and videos are measured apart; so are models; so
        # are jobs that bring files, as a minute of video is prepared for longer than a preview is generated.
        self._speeds: defaultdict[tuple[str, bool, bool], StageSpeed] = defaultdict(StageSpeed)
        self._in_hand: set[Deadline] = set()
        self._lock = threading.Lock()
        self._own_loras: Mapping[str, OwnLora] | None = None
        self._loras_lock = threading.Lock()

    def accept(
        self, job_id: str, raw: object, ticket: Ticket, find_destination: Callable[[], Destination | None]
    ) -> AcceptedJob:
        """Check and plan a job; `release` must follow.

        Arguments:
            job_id, raw, ticket: see `Worker.accept`.
            find_destination: says where its video goes; may raise `WorkerError`.

        Raises:
            WorkerError: INVALID_INPUT, NOT_OFFERED, OVER_BUDGET, MODEL_NOT_INSTALLED, ENGINE_UNAVAILABLE.
        """
        job, warnings = JobInput.parse(raw)
        require(job, self._offer.ways)
        plan = make_plan(
            job,
            installed=self._library.has,
            default_camera=self._settings.default_camera,
            pro_guidance=self._settings.pro_guidance,
            offered=self._offer.models,
            # Whatever an operator has put there, jobs that name none have nothing to do with it.
            own_loras=self.own_loras if job.loras else None,
        )
        if not job.dry_run:
            require_installed(plan, self._library.has, self._models())
            self._readiness.require(plan.recipe)
        destination = find_destination()
        plan, cut = readable(plan, self._library.find)
        warnings += (*plan.remarks, *cut)
        computed = stage_seconds(plan)
        deadline = Deadline(self._deadline(plan))
        if (expected := sum(computed.values())) > deadline.seconds:
            warnings += (
                f"The job is expected to take about {expected:.0f} s, and this endpoint ends it after "
                f"{deadline.seconds:.0f} s.",
            )
        with self._lock:
            self._in_hand.add(deadline)
        facts = {"job_id": job_id, **job_log.planned(job, plan), "deadline": round(deadline.seconds)}
        log.info(
            "dry run" if job.dry_run else "job accepted",
            extra=facts | ({"prompt": plan.prompt} if self._settings.log_prompts else {}),
        )
        return AcceptedJob(
            job_id=job_id,
            job=job,
            plan=plan,
            warnings=warnings,
            input_digest=input_digest(raw),
            destination=destination,
            computed=computed,
            deadline=deadline,
            progress=self._speed(plan).tracker(computed),
            ticket=ticket,
        )

    @property
    def offers(self) -> tuple[str, ...]:
        """What jobs may ask for here: models, then ways."""
        return (*self._models(), *self._offer.ways)

    @property
    def own_loras(self) -> Mapping[str, OwnLora]:
        """The operator's own LoRAs by name; none where they are not offered. Looked for once."""
        with self._loras_lock:
            if self._own_loras is None:
                self._own_loras = self._find_own_loras()
            return self._own_loras

    def _find_own_loras(self) -> Mapping[str, OwnLora]:
        if loras.WAY.name not in self._offer.ways:
            return {}
        checkpoints = {family.name: catalogue().checkpoints(family) for family in catalogue().families}
        return own_loras(self._library, checkpoints)

    def _models(self) -> tuple[str, ...]:
        return catalogue().installed(self._library.has, self._offer.models)

    def learn(self, accepted: AcceptedJob) -> None:
        """Remember how long the stages of a finished job took, for the next one's estimate."""
        self._speed(accepted.plan).learn(accepted.computed, accepted.progress.timings)

    def _speed(self, plan: Plan) -> StageSpeed:
        with self._lock:
            return self._speeds[plan.family.name, plan.preview, bool(plan.media)]

    def release(self, accepted: AcceptedJob) -> None:
        """Let go of an accepted job: its place at the engine, and the time that it holds up others."""
        accepted.ticket.release()
        with self._lock:
            self._in_hand.discard(accepted.deadline)

    def _deadline(self, plan: Plan) -> float:
        """Seconds for a job: what it may take itself, and what the jobs before it may still take."""
        most = self._settings.execution_timeout - DEADLINE_MARGIN
        if self._settings.job_timeout is not None:
            return min(most, self._settings.job_timeout)
        with self._lock:
            ahead = max((deadline.remaining() for deadline in self._in_hand), default=0.0)
        return min(most, ahead + deadline_seconds(plan))
