"""Following a generation that RunPod has: asked after, and ended once, by what RunPod or the bucket says."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from ltx2_api.reply import VideoResult
from ltx2_client import State as JobState
from ltx2_client import Status, errors
from ltx2_client.events import Running
from ltx2_client.outcome import failure, outcome, running

from . import pictures
from .contract import FINAL, Error, State
from .generations import Row
from .pace import Pace
from .ports import Links, Queue
from .sending import AFTER_TTL, quietly
from .store import Store

log = logging.getLogger(__name__)

#: Seconds after which a job is looked at again that RunPod did not tell of, or has begun anew.
LOOK_AGAIN = 10.0
#: Seconds for which it is believed why jobs wait: it is the same for all of them.
WHY_SECONDS = 10.0
#: Codes after which RunPod's own retry delivers the kept video, without generating it again.
KEPT = frozenset({"storage_unavailable"})
#: Codes after which the same job would take as long again.
NEVER_AGAIN = frozenset({"deadline_exceeded", "timed_out"})
#: How often one generation is generated, all in all.
MOST_RUNS = 2


@dataclass
class Follower:
    """Carries generations from the queue to their end."""

    store: Store
    queue: Queue
    links: Links
    pace: Pace
    job_ttl: float

    def __post_init__(self) -> None:
        self._why: str | None = None
        self._why_until = 0.0
        self._asking = asyncio.Lock()

    async def reconcile(self, row: Row) -> None:
        """Ask after a generation's job, and write what is new."""
        if row.job_id is None:
            return
        try:
            status = await self.queue.status(row.job_id)
        except errors.Expired:
            await self._expired(row)
            return
        except errors.Ltx2Error as error:
            log.warning("status not known", extra={"generation": row.id, "error": type(error).__name__})
            if self._is_over(row):
                await self._expired(row)
            else:
                self.store.postpone(row, self.store.later(LOOK_AGAIN))
            return
        if status.state is JobState.COMPLETED:
            await self._completed(row, status)
        elif status.state.final:
            await self._failed(row, status)
        elif self._is_over(row):
            await self._expired(row)
        else:
            if row.cancelling:
                await self.cancel(row)
            await self._moved(row, status)

    async def cancel(self, row: Row) -> None:
        """Cancel a generation's job; it ends when RunPod says that it has."""
        assert row.job_id is not None
        status = await quietly(self.queue.cancel(row.job_id))
        if status is not None and status.state is JobState.CANCELLED:
            await self.store.finish(row, State.CANCELLED)

    def _is_over(self, row: Row) -> bool:
        """Whether RunPod has deleted the job for certain."""
        return self.store.clock() > row.created_at + self.job_ttl + AFTER_TTL

    async def _moved(self, row: Row, status: Status) -> None:
        """A job that goes on: what is new is written, and nothing else."""
        state = State.RUNNING if status.state is JobState.IN_PROGRESS else State.QUEUED
        seen = running(status)
        told = _told(seen) if state is State.RUNNING and seen.percent is not None else {}
        waiting = await self._why_waiting() if state is State.QUEUED else None
        next_look = self.store.later(self.pace.seconds(row.account, state))
        if (row.state, row.progress, row.waiting) == (state, told.get("progress", row.progress), waiting):
            self.store.postpone(row, next_look)
            return
        started = row.started_at or (self.store.clock() if state is State.RUNNING else None)
        await self.store.change(
            row,
            state=state,
            waiting=waiting,
            started_at=started,
            next_check_at=next_look,
            **told,
        )

    async def _why_waiting(self) -> str | None:
        async with self._asking:
            if self.store.clock() >= self._why_until:
                self._why = await quietly(self.queue.why_waiting())
                self._why_until = self.store.clock() + WHY_SECONDS
            return self._why

    async def _completed(self, row: Row, status: Status) -> None:
        try:
            reply = outcome(status)
        except errors.BadReply:
            error = Error(code="unknown", message="The worker's reply could not be read.", retryable=True)
            await self.store.finish(row, State.FAILED, error=error.model_dump())
            return
        if isinstance(reply, VideoResult):
            await self._succeed(row, reply)

    async def _succeed(self, row: Row, reply: VideoResult) -> None:
        kept = reply.model_dump(mode="json", exclude={"video_base64"})
        if row.state in FINAL and row.state is not State.SUCCEEDED:
            log.warning("video after its release, given free", extra={"generation": row.id})
        await self.store.finish(row, State.SUCCEEDED, reply=kept)

    async def _failed(self, row: Row, status: Status) -> None:
        error = failure(status)
        if isinstance(error, errors.Cancelled):
            await self.store.finish(row, State.CANCELLED)
            return
        assert isinstance(error, errors.JobFailed)
        if error.retryable and row.runs < MOST_RUNS and not row.cancelling:
            if error.code in KEPT and await self._retried(row):
                return
            if error.code not in KEPT | NEVER_AGAIN and await self._again(row, error.code):
                return
        told = Error(code=error.code, message=error.message, field=error.field, retryable=error.retryable)
        await self.store.finish(row, State.FAILED, error=told.model_dump())

    async def _retried(self, row: Row) -> bool:
        """Let RunPod run the job again under its id; whether it does."""
        assert row.job_id is not None
        try:
            await self.queue.retry(row.job_id)
        except errors.Ltx2Error:
            return False
        next_look = self.store.later(LOOK_AGAIN)
        changed = await self.store.change(row, state=State.QUEUED, runs=row.runs + 1, next_check_at=next_look)
        return changed is not None

    async def _again(self, row: Row, code: str) -> bool:
        """Send the job once more, as a new one, under the same hold."""
        log.info("generation sent again", extra={"generation": row.id, "code": code})
        changed = await self.store.change(
            row,
            state=State.HELD,
            job_id=None,
            submits=0,
            runs=row.runs + 1,
            progress=None,
            next_check_at=self.store.clock(),
        )
        return changed is not None

    async def _expired(self, row: Row) -> None:
        """RunPod has forgotten the job: what the bucket has decides."""
        assert row.job_id is not None
        reply = await asyncio.to_thread(self.links.record, row.job_id)
        if reply is not None:
            await self._succeed(row, reply)
            return
        error = Error(code="expired", message="RunPod has forgotten the job, and there is no video of it.")
        await self.store.finish(row, State.EXPIRED, error=error.model_dump())


def _told(seen: Running) -> dict[str, Any]:
    """What a worker says of a job, as a change of its generation: progress, and the picture that it names."""
    jpeg = pictures.jpeg_of(seen.picture)
    progress = {
        "percent": seen.percent,
        "stage": seen.stage,
        "step": seen.step,
        "steps": seen.steps,
        "seconds_left": None if seen.seconds_left is None else round(seen.seconds_left),
        "picture": pictures.name_of(jpeg) if jpeg else None,
    }
    return {"progress": progress, "picture": jpeg}
