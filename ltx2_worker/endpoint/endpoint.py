"""What RunPod needs around a worker: progress, cancel, errors as replies, an orderly end."""

import asyncio
import errno
import logging
import os
import signal
import sys
import threading
import uuid
from types import FrameType
from typing import Any

from rich.console import Console

from ltx2_api.errors import Cancelled, ErrorCode, WorkerError
from ltx2_api.reply import DryRunResult, FailureResult, VideoResult

from .. import logs
from ..accepted_job import AcceptedJob
from ..readiness import unfit
from ..run_mode import RunMode
from ..settings import Settings
from ..worker import Worker
from . import reporters, runpod_sdk
from .jobs import JobsInHand, Result, Running
from .terminal import show_outcome

log = logging.getLogger(__name__)

Outcome = VideoResult | DryRunResult | FailureResult

#: How long a cancelled job may take to clean up before its thread is left to itself.
CANCEL_SECONDS = 10.0
#: The caller's own mistakes are logged without their causes, or any caller could fill the log.
CALLERS_FAULTS = {ErrorCode.INVALID_INPUT, ErrorCode.MEDIA_REJECTED, ErrorCode.MEDIA_UNREACHABLE}


class Endpoint:
    """The worker as RunPod's SDK sees it.

    Arguments:
        settings: the operator's.
        mode: how this process gets its jobs.
    """

    def __init__(self, settings: Settings, mode: RunMode) -> None:
        self._settings = settings
        self._mode = mode
        self._worker = Worker(settings)
        self._jobs = JobsInHand(self._worker)
        self._queue = runpod_sdk.QueueLoop(self._may_take, self._on_drain)
        self._console = Console()
        self._exit_status = 0

    def start(self) -> None:
        """Start the engine, in the background.

        Raises:
            WorkerError: the worker could never deliver a video, and should not take a job.
        """
        if self._mode is RunMode.QUEUE:
            self._queue.install()
        elif self._mode is RunMode.API:
            # The web server shuts down on SIGTERM and then raises it again, which would kill this process.
            signal.signal(signal.SIGTERM, self._exit)
        else:
            runpod_sdk.end_when_interrupted()
        self._worker.start()
        threading.Thread(target=self._end_when_given_up, daemon=True, name="end-when-given-up").start()

    def stop(self) -> int:
        """Stop the engine; return the process's exit status."""
        self._jobs.close()
        self._worker.stop()
        return self._exit_status

    def concurrency(self, _current: int) -> int:
        """How many jobs the SDK may have in hand: one more than may need the engine, for one being delivered.

        Constant, because the SDK changes it only while it has no job.
        """
        self._queue.attend()
        return 1 if self._settings.jobs_in_hand == 1 else self._settings.jobs_in_hand + 1

    async def handle(self, job: dict[str, Any]) -> dict[str, Any]:
        """Run one of RunPod's jobs; every failure is a reply, only a cancel is raised."""
        job_id = str(job["id"])
        self._queue.arrived(job_id)
        if job_id == runpod_sdk.LOCAL_ID:
            job_id = f"local-{uuid.uuid4().hex[:8]}"
        token = logs.JOB_ID.set(job_id)
        try:
            outcome = await self._outcome(job, job_id)
        finally:
            logs.JOB_ID.reset(token)
        if self._mode is RunMode.SINGLE:
            show_outcome(outcome, self._console)
            if self._console.is_terminal:
                runpod_sdk.be_silent()  # it would say the same once more
        return outcome.model_dump(mode="json", exclude_none=True)

    def _may_take(self) -> bool:
        """Whether another job may be taken: the engine will be free soon, and no other job waits for it."""
        left = self._jobs.engine_seconds_left()
        return self._worker.takes_jobs and all(seconds <= self._settings.take_ahead for seconds in left)

    async def _outcome(self, job: dict[str, Any], job_id: str) -> Outcome:
        try:
            if self._queue.draining.is_set():
                raise _shutting_down()
            running = await self._jobs.start(job_id, job.get("input"), job.get("s3Config"))
            return await self._finish(running, job_id)
        except WorkerError as error:
            log.warning(
                "job failed",
                extra={"code": error.code, "field": error.field, "error": error.message},
                exc_info=None if error.code in CALLERS_FAULTS else error.__cause__,
            )
            return FailureResult.of(error, job_id)
        except Exception as error:
            log.exception("job failed unexpectedly")
            return FailureResult.of(_of_unexpected(error), job_id)

    async def _finish(self, running: Running, job_id: str) -> Result:
        """Wait for a job that runs on its thread, reporting its progress, and cancelling it if asked to."""
        done = asyncio.Event()
        reporter = asyncio.create_task(self._report(running.accepted, job_id, done))
        try:
            return await asyncio.shield(running.result)
        except asyncio.CancelledError:
            done.set()  # the platform has closed the job: progress would open it again
            running.accepted.deadline.cancel()
            await asyncio.wait({running.result}, timeout=CANCEL_SECONDS)
            log.info("job cancelled")
            raise
        except Cancelled:
            raise _shutting_down() from None
        finally:
            done.set()
            await asyncio.wait({reporter}, timeout=reporters.POST_TIMEOUT)
            reporter.cancel()

    async def _report(self, accepted: AcceptedJob, job_id: str, done: asyncio.Event) -> None:
        snapshot = accepted.progress.snapshot
        try:
            if self._mode is RunMode.QUEUE:
                await reporters.post_to_platform(job_id, snapshot, done)
            elif self._mode is RunMode.SINGLE and self._console.is_terminal:
                await reporters.draw_bar(self._console, snapshot, done)
        except Exception:
            # A job must not fail because its progress could not be shown.
            log.exception("progress not reported")

    def _on_drain(self) -> None:
        log.info("shutting down", extra={"jobs_in_hand": len(self._jobs)})
        asyncio.get_running_loop().call_later(
            self._settings.shutdown_grace, self._jobs.end_all, _shutting_down()
        )

    def _end_when_given_up(self) -> None:
        """A worker whose engine cannot be kept alive must not swallow jobs: end, and be replaced."""
        why = self._worker.wait_until_given_up()
        log.critical("worker gives up", extra={"why": why})
        self._exit_status = 1
        self._jobs.end_all(unfit())
        if self._mode is RunMode.QUEUE:
            self._queue.listening.wait()
        if self._mode is not RunMode.SINGLE:
            os.kill(os.getpid(), signal.SIGTERM)

    def _exit(self, number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one must not cut the end short
        sys.exit(self._exit_status or 128 + number)


def _shutting_down() -> WorkerError:
    return WorkerError(ErrorCode.SHUTTING_DOWN, "This worker is shutting down; send the job again.")


def _of_unexpected(error: Exception) -> WorkerError:
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return WorkerError(
            ErrorCode.STORAGE_UNAVAILABLE, "The worker has no disk space left for this job; send it again."
        )
    return WorkerError(ErrorCode.INTERNAL, "The worker failed unexpectedly; send the job again.")
