"""What RunPod needs around a worker: jobs on threads, cancel, progress, errors as replies, an orderly end."""

import asyncio
import logging
import os
import signal
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from enum import Enum, auto
from types import FrameType
from typing import Any

from rich.console import Console
from runpod.serverless.modules.worker_state import JobsProgress

from ltx2_api.errors import Cancelled, ErrorCode, WorkerError
from ltx2_api.reply import DryRunResult, FailureResult, VideoResult

from .. import logs
from ..assignment import Assignment
from ..settings import Settings
from ..worker import Worker, unfit
from . import reporters, result_posts
from .drain import Drain
from .terminal import tell

log = logging.getLogger(__name__)

Outcome = VideoResult | DryRunResult | FailureResult

#: The platform gives at most settings.jobs_in_hand; the local API server gives what it is sent, up to this.
MAX_IN_HAND = 16
#: How long a cancelled job may take to clean up before its thread is left to itself.
CANCEL_SECONDS = 10.0
#: Failures that need no engineer: their causes would fill the log at any caller's will.
CALLERS_FAULTS = {ErrorCode.INVALID_INPUT, ErrorCode.MEDIA_REJECTED, ErrorCode.MEDIA_UNREACHABLE}
#: The id that the SDK gives to every job of `python handler.py`.
SDK_LOCAL_ID = "local_test"


class Mode(Enum):
    """How this process gets its jobs."""

    PLATFORM = auto()
    API = auto()
    SINGLE = auto()

    @classmethod
    def detect(cls) -> "Mode":
        """The SDK's own rules, in its order."""
        if "--rp_serve_api" in sys.argv:
            return cls.API
        test_input = any(argument.startswith("--test_input") for argument in sys.argv)
        return cls.PLATFORM if "RUNPOD_WEBHOOK_GET_JOB" in os.environ and not test_input else cls.SINGLE


@dataclass
class _InHand:
    assignment: Assignment
    future: asyncio.Future[VideoResult | DryRunResult]


class Endpoint:
    """The worker as RunPod's SDK sees it.

    Arguments:
        settings: the operator's.
        mode: how this process gets its jobs.
    """

    def __init__(self, settings: Settings, mode: Mode) -> None:
        self._settings = settings
        self._mode = mode
        self._worker = Worker(settings)
        self._pool = ThreadPoolExecutor(MAX_IN_HAND, thread_name_prefix="job")
        self._in_hand: dict[str, _InHand] = {}
        self._drain = Drain(JobsProgress().get_job_count, self._on_drain)
        self._console = Console()
        self._exit_status = 0

    def start(self) -> None:
        """Start the engine, in the background.

        Raises:
            WorkerError: the worker could never deliver a video, and should not take a job.
        """
        if self._mode is Mode.PLATFORM:
            self._drain.wrap_sdk()
            result_posts.wrap_sdk()
        elif self._mode is Mode.API:
            # The web server shuts down on SIGTERM and then raises it again, which would kill this process.
            signal.signal(signal.SIGTERM, self._exit)
        self._worker.start()
        threading.Thread(target=self._end_when_given_up, daemon=True, name="end-when-given-up").start()

    def stop(self) -> int:
        """Stop the engine; return the process's exit status."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._worker.stop()
        return self._exit_status

    def concurrency(self, _current: int) -> int:
        """How many jobs the SDK may have in hand; constant once it has any, as it changes only when idle."""
        self._drain.attend()
        # With 0, a job that lies in the SDK's queue would neither start nor let the SDK end.
        idle = JobsProgress().get_job_count() == 0
        return 0 if idle and not self._worker.takes_jobs else self._settings.jobs_in_hand

    async def handle(self, job: dict[str, Any]) -> dict[str, Any]:
        """Run one of RunPod's jobs; every failure is a reply, only a cancel is raised."""
        job_id = str(job["id"])
        if job_id == SDK_LOCAL_ID:
            job_id = f"local-{uuid.uuid4().hex[:8]}"
        token = logs.JOB_ID.set(job_id)
        try:
            outcome = await self._outcome(job, job_id)
        finally:
            logs.JOB_ID.reset(token)
        if self._mode is Mode.SINGLE:
            tell(outcome, self._console)
        return outcome.model_dump(mode="json", exclude_none=True)

    async def _outcome(self, job: dict[str, Any], job_id: str) -> Outcome:
        try:
            in_hand = self._in_hand.get(job_id) or self._accept(job, job_id)
            return await self._finish(in_hand, job_id)
        except WorkerError as error:
            log.warning(
                "job failed",
                extra={"code": error.code, "field": error.field, "error": error.message},
                exc_info=None if error.code in CALLERS_FAULTS else error.__cause__,
            )
            return FailureResult.of(error, job_id)
        except Exception:
            log.exception("job failed unexpectedly")
            return FailureResult.of(
                WorkerError(ErrorCode.INTERNAL, "The worker failed unexpectedly; send the job again."), job_id
            )

    def _accept(self, job: dict[str, Any], job_id: str) -> _InHand:
        if self._drain.begun.is_set():
            raise _shutting_down()
        if len(self._in_hand) >= MAX_IN_HAND:
            raise WorkerError(
                ErrorCode.ENGINE_UNAVAILABLE, f"The worker has {MAX_IN_HAND} jobs in hand; try again later."
            )
        assignment = self._worker.accept(job_id, job.get("input"), job.get("s3Config"))
        future: asyncio.Future[VideoResult | DryRunResult] = asyncio.get_running_loop().run_in_executor(
            self._pool, copy_context().run, self._worker.run, assignment
        )
        self._in_hand[job_id] = in_hand = _InHand(assignment, future)
        future.add_done_callback(lambda _: self._in_hand.pop(job_id, None))
        return in_hand

    async def _finish(self, in_hand: _InHand, job_id: str) -> VideoResult | DryRunResult:
        """Wait for a job that runs on its thread, reporting its progress, and cancelling it if asked to."""
        done = asyncio.Event()
        reporter = asyncio.create_task(self._report(in_hand.assignment, job_id, done))
        try:
            return await asyncio.shield(in_hand.future)
        except asyncio.CancelledError:
            done.set()  # the platform has closed the job: progress would open it again
            in_hand.assignment.deadline.cancel()
            await asyncio.wait({in_hand.future}, timeout=CANCEL_SECONDS)
            log.info("job cancelled")
            raise
        except Cancelled:
            raise _shutting_down() from None
        finally:
            done.set()
            await asyncio.wait({reporter}, timeout=reporters.POST_TIMEOUT)
            reporter.cancel()

    async def _report(self, assignment: Assignment, job_id: str, done: asyncio.Event) -> None:
        snapshot = assignment.meter.snapshot
        try:
            if self._mode is Mode.PLATFORM:
                await reporters.post_to_platform({"id": job_id}, snapshot, done)
            elif self._mode is Mode.SINGLE and self._console.is_terminal:
                await reporters.draw_bar(self._console, snapshot, done)
        except Exception:
            # A job must not fail because its progress could not be shown.
            log.exception("progress is no longer reported")

    def _on_drain(self) -> None:
        log.info("shutting down", extra={"jobs_in_hand": len(self._in_hand)})
        asyncio.get_running_loop().call_later(self._settings.shutdown_grace, self._hand_back)

    def _hand_back(self) -> None:
        for in_hand in self._in_hand.values():
            in_hand.assignment.deadline.cancel(_shutting_down())

    def _end_when_given_up(self) -> None:
        """A worker whose engine cannot be kept alive must not swallow jobs: end, and be replaced."""
        why = self._worker.wait_until_given_up()
        log.critical("the worker gives up and ends", extra={"why": why})
        self._exit_status = 1
        for in_hand in list(self._in_hand.values()):
            in_hand.assignment.deadline.cancel(unfit())
        if self._mode is Mode.PLATFORM:
            self._drain.listening.wait()
        if self._mode is not Mode.SINGLE:
            os.kill(os.getpid(), signal.SIGTERM)

    def _exit(self, number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one must not cut the end short
        sys.exit(self._exit_status or 128 + number)


def _shutting_down() -> WorkerError:
    return WorkerError(ErrorCode.SHUTTING_DOWN, "This worker is shutting down; send the job again.")
