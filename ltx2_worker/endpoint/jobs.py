"""The jobs that this process has in hand: accepted and run on threads, one under each id."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_api.reply import DryRunResult, VideoResult

from ..accepted_job import AcceptedJob, input_digest
from ..worker import Worker

#: The platform gives a few at most; the local API server gives what it is sent, up to this.
MOST = 16
#: How long checking and planning a job may take: it asks a network volume which model files are there.
ACCEPT_SECONDS = 60.0

P = ParamSpec("P")
T = TypeVar("T")
Result = VideoResult | DryRunResult


@dataclass(frozen=True)
class Running:
    """A job that was accepted and runs on its thread."""

    accepted: AcceptedJob
    result: asyncio.Future[Result]


@dataclass(frozen=True)
class _Entry:
    raw: object
    starting: asyncio.Task[Running]


class JobsInHand:
    """Jobs on threads, so that nothing slow happens on the SDK's event loop; used on that loop only.

    Arguments:
        worker: what does the jobs.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._threads = ThreadPoolExecutor(MOST, thread_name_prefix="job")
        self._entries: dict[str, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    async def start(self, job_id: str, raw: object, s3_config: object) -> Running:
        """Accept a job and begin it; the same job sent twice at once is done once.

        Raises:
            WorkerError: the job is refused.
        """
        entry = self._entries.get(job_id)
        if entry is None:
            if len(self._entries) >= MOST:
                raise WorkerError(
                    ErrorCode.ENGINE_UNAVAILABLE, f"The worker has {MOST} jobs in hand; try again later."
                )
            entry = _Entry(raw, asyncio.create_task(self._begin(job_id, raw, s3_config)))
            self._entries[job_id] = entry
        elif not await self._on_thread(_same_input, entry.raw, raw):
            raise WorkerError(
                ErrorCode.INVALID_INPUT,
                "Another job with this id is in hand; send this one under an id of its own.",
            )
        try:
            return await asyncio.shield(entry.starting)
        except asyncio.CancelledError:
            if not entry.starting.cancel() and _has_begun(entry.starting):
                entry.starting.result().accepted.deadline.cancel()
            raise

    def engine_seconds_left(self) -> list[float]:
        """For each job, for how long it still needs the engine; infinite before it has begun to."""
        return [
            entry.starting.result().accepted.progress.engine_seconds_left()
            if _has_begun(entry.starting)
            else float("inf")
            for entry in self._entries.values()
        ]

    def end_all(self, why: WorkerError) -> None:
        """End every job that runs, with `why` as its answer."""
        for entry in list(self._entries.values()):
            if _has_begun(entry.starting):
                entry.starting.result().accepted.deadline.cancel(why)

    def close(self) -> None:
        """Start no job any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _begin(self, job_id: str, raw: object, s3_config: object) -> Running:
        ticket = self._worker.take_ticket()  # here, so that the order of arrival is the engine's order
        accepting = self._on_thread(self._worker.accept, job_id, raw, ticket, s3_config)
        try:
            accepted = await asyncio.wait_for(asyncio.shield(accepting), ACCEPT_SECONDS)
        except BaseException as error:
            self._entries.pop(job_id, None)
            ticket.release()
            accepting.add_done_callback(self._release)
            if isinstance(error, TimeoutError):
                raise WorkerError(
                    ErrorCode.ENGINE_UNAVAILABLE,
                    "This worker cannot read its model files; send the job again.",
                ) from error
            raise
        result = self._on_thread(self._worker.run, accepted)
        result.add_done_callback(lambda _: self._end(job_id, result))
        return Running(accepted, result)

    def _end(self, job_id: str, result: asyncio.Future[Result]) -> None:
        self._entries.pop(job_id, None)
        if not result.cancelled():
            result.exception()  # nobody waits for a cancelled job's; asyncio would write it to the terminal

    def _release(self, accepting: asyncio.Future[AcceptedJob]) -> None:
        """Let go of a job that was accepted too late."""
        if not accepting.cancelled() and accepting.exception() is None:
            self._worker.release(accepting.result())

    def _on_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        call = partial(work, *args, **kwargs)
        return asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, call)


def _has_begun(starting: asyncio.Task[Running]) -> bool:
    return starting.done() and not starting.cancelled() and starting.exception() is None


def _same_input(one: object, other: object) -> bool:
    try:
        return input_digest(one) == input_digest(other)
    except (RecursionError, ValueError):  # no job that could have been accepted
        return False
