"""One job from input to result: the only file that knows the order of the steps."""

import logging
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from ltx2_api.bounds import check_bounds
from ltx2_api.reply import DryRunResult, VideoRecord, VideoResult

from . import job_log, steps
from .acceptance import Acceptance
from .accepted_job import AcceptedJob
from .catalog.files import ModelLibrary, link_cached, manifest
from .dry_run import dry_run
from .engine import Engine, EngineOptions, Ticket
from .enhancing import enhancer
from .generation import generate
from .media import isolate
from .media.content_credentials import ContentCredentials
from .plan import Plan, by_recipe
from .readiness import Readiness
from .request_locks import RequestLocks
from .settings import Settings
from .storage.destination import Destination, nowhere
from .storage.publish import Publisher

log = logging.getLogger(__name__)


class Worker:
    """Turns jobs into videos; `accept` and `run` block and are called on a thread per job.

    Arguments:
        settings: the operator's.

    Raises:
        WorkerError: STORAGE_UNAVAILABLE if the bucket's settings contradict each other; INTERNAL if those of
            the content credentials do.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cached_models = settings.work_dir / "cached-models"
        self._library = ModelLibrary((*settings.models_dirs, self._cached_models))
        self._engine = Engine(replace(EngineOptions.from_settings(settings), models_dirs=self._library.dirs))
        self._publisher = Publisher(settings)
        self._credentials = ContentCredentials.from_settings(settings)
        self._readiness = Readiness(settings, self._engine, self._library)
        self._acceptance = Acceptance(settings, self._library, self._readiness)
        self._requests = RequestLocks()

    def start(self) -> None:
        """Start the engine and, in the background, its check, its warm-up, and the delivery of leftovers.

        Raises:
            WorkerError: STORAGE_UNAVAILABLE, there is nowhere to put a video; INTERNAL, videos could not be
                signed.
        """
        self._publisher.check()
        if self._credentials is not None:
            self._credentials.check()
        self._settings.work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self._engine.input_dir, self._engine.output_dir):
            # What a worker that was killed has left there belongs to nobody any more.
            shutil.rmtree(folder, ignore_errors=True)
        link_cached(manifest().values(), self._cached_models)
        if self._readiness.has_engine():
            self._engine.start()
        threading.Thread(target=lambda: self._acceptance.own_loras, daemon=True, name="own-loras").start()
        threading.Thread(target=isolate.warm_up, daemon=True, name="media-warm-up").start()
        get_ready = partial(self._readiness.get_ready, self._warm_up)
        threading.Thread(target=get_ready, daemon=True, name="get-ready").start()
        threading.Thread(target=self._publisher.attend_outbox, daemon=True, name="outbox").start()

    def stop(self) -> None:
        """Stop the engine; jobs still in hand end with SHUTTING_DOWN."""
        self._engine.stop()

    @property
    def takes_jobs(self) -> bool:
        """Whether jobs may come: while the engine is up, once it was found fit and is warm."""
        return self._readiness.is_ready and self._engine.is_up

    def wait_until_given_up(self) -> str:
        """Return, when it comes to that, why no job can be done here any more."""
        return self._readiness.wait_until_given_up()

    def take_ticket(self) -> Ticket:
        """The next place in the engine's order of jobs, for `accept`."""
        return self._engine.take_ticket()

    def accept(
        self, job_id: str, raw: object, ticket: Ticket, s3_config: object | None = None
    ) -> AcceptedJob:
        """Check and plan a job; `run` or `release` must follow. It may take long on a slow volume.

        Arguments:
            job_id: the platform's.
            raw: the job's `input`, as received.
            ticket: the job's place at the engine; released by the caller if this raises.
            s3_config: the job's own bucket, by RunPod's convention.

        Raises:
            WorkerError: INVALID_INPUT, OVER_BUDGET, MODEL_NOT_INSTALLED, ENGINE_UNAVAILABLE.
        """
        check_bounds(s3_config, "s3Config")
        return self._acceptance.accept(job_id, raw, ticket, lambda: self._publisher.destination(s3_config))

    def run(self, accepted: AcceptedJob) -> VideoResult | DryRunResult:
        """Do an accepted job, from its media to its delivered video.

        Raises:
            WorkerError: any code.
            Cancelled: the platform cancelled the job; nothing of it is left.
        """
        try:
            if accepted.job.dry_run:
                return dry_run(
                    accepted.job_id,
                    accepted.plan,
                    installed=self._library.has,
                    expected_seconds=sum(accepted.progress.expected.values()),
                    warnings=accepted.warnings,
                    offers=self._acceptance.offers,
                    own_loras=self._acceptance.own_loras,
                )
            if (destination := accepted.destination) is None:
                raise nowhere()
            release, deadline = accepted.ticket.release, accepted.deadline
            with self._requests.held(accepted.job.request_id, deadline, release) as waited:
                if waited:
                    accepted = replace(accepted, ticket=self._engine.take_ticket())
                return self._known(accepted, destination) or self._make(accepted, destination)
        finally:
            self.release(accepted)

    def _known(self, accepted: AcceptedJob, destination: Destination) -> VideoResult | None:
        """What an earlier run of this very job delivered: nothing is generated, or charged, twice."""
        found = self._publisher.find(
            accepted.job_id,
            accepted.input_digest,
            destination,
            accepted.deadline,
            accepted.request_name,
        )
        if found is None:
            return None
        try:
            record = VideoRecord.model_validate(found.result)
        except ValidationError:
            log.warning("job record not readable")
            return None
        log.info("job answered from its record")
        return steps.reply(record, found.delivery)

    def _make(self, accepted: AcceptedJob, destination: Destination) -> VideoResult:
        settings = self._settings
        self._publisher.try_jobs_bucket(destination, accepted.deadline)
        with self._folders() as (inputs, outputs), ExitStack() as tickets:
            others = self._by_others(accepted.plan)
            accepted, graph, warnings = steps.prepare(
                accepted,
                inputs,
                settings,
                resident=others,
                enhance=enhancer(self._engine, self._library, outputs, others, tickets),
            )
            files, encoded = generate(accepted, graph, self._engine, outputs, settings)
            product = steps.finish(
                accepted,
                files,
                encoded,
                settings,
                warnings=(*accepted.warnings, *warnings),
                engine=self._engine.version,
                credentials=self._credentials,
            )
            uploading = time.monotonic()
            artifacts = steps.artifacts(accepted, product)
            delivery = self._publisher.deliver(artifacts, destination, accepted.deadline)
            upload_seconds = time.monotonic() - uploading
        self._acceptance.learn(accepted)
        facts = job_log.done(
            accepted.job,
            accepted.plan,
            product.record,
            delivery,
            accepted.deadline,
            upload_seconds=upload_seconds,
            device=self._readiness.device,
        )
        log.info("job done", extra=facts)
        return steps.reply(product.record, delivery)

    @contextmanager
    def _folders(self) -> Iterator[tuple[Path, Path]]:
        """A job's own folders below the engine's input and output folders, removed in the end."""
        name = uuid.uuid4().hex
        folders = (self._engine.input_dir / name, self._engine.output_dir / name)
        try:
            for folder in folders:
                folder.mkdir(parents=True)
            yield folders
        finally:
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)

    def _by_others(self, plan: Plan) -> tuple[Plan, ...]:
        """The same job by the other recipes that can be run here, if their weights are to stay loaded."""
        if not self._settings.keep_models_loaded:
            return ()
        others = (
            recipe
            for recipe in self._readiness.fit
            if recipe is not plan.recipe
            and (recipe.family is plan.family or self._settings.keep_all_models_loaded)
        )
        return tuple(by_recipe(plan, recipe, self._library.has) for recipe in others)

    def release(self, accepted: AcceptedJob) -> None:
        """Let go of an accepted job."""
        self._acceptance.release(accepted)

    def _warm_up(self) -> None:
        """Generate one preview and throw it away; its second stage loads what other jobs' will need."""
        recipe = self._settings.warmup
        job = {"prompt": "A calm sea at dawn.", "preview": True, "quality": recipe, "spatial_upscaler": True}
        ticket = self.take_ticket()
        try:
            accepted = self.accept("warm-up", job, ticket)
        except BaseException:
            ticket.release()  # or every job would wait behind it
            raise
        try:
            with self._folders() as (inputs, outputs), ExitStack() as tickets:
                others = self._by_others(accepted.plan)
                enhance = enhancer(self._engine, self._library, outputs, others, tickets)
                accepted, graph, _ = steps.prepare(
                    accepted, inputs, self._settings, resident=others, enhance=enhance
                )
                generate(accepted, graph, self._engine, outputs, self._settings)
        finally:
            self.release(accepted)
        log.info("warmed up")
