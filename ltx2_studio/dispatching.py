"""What happens between a held generation and its end: sent once, asked after, ended once.

`submit_due` and `reconcile_due` may be called at any time, by several processes, and after any crash: what is
due is leased, each step writes its state before it calls RunPod, and each end is one transaction.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa

from ltx2_api.reply import VideoResult
from ltx2_client import State as JobState
from ltx2_client import Status, errors, webhook
from ltx2_client.outcome import failure, outcome, running

from . import generations
from .contract import FINAL, Error, State
from .generations import Row
from .ports import Links, Queue
from .settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds for which a step may take: RunPod's slowest answer, and the client's own tries.
LEASE = 60.0
#: How many generations one step handles side by side.
AT_ONCE = 32
#: Seconds for which the webhook may still tell the id of a job whose submit was not answered.
UNKNOWN_PATIENCE = 30.0
#: Seconds between two looks at a job, and how much of that chance may change.
LOOK_EVERY = 5.0
JITTER = 0.2
#: After its `ttl` RunPod has deleted a job for certain; so many seconds later it is given up.
AFTER_TTL = 300.0
#: Codes after which RunPod's own retry delivers the kept video, without generating it again.
KEPT = frozenset({"storage_unavailable"})
#: Codes after which the same job would take as long again.
NEVER_AGAIN = frozenset({"deadline_exceeded", "timed_out"})
#: How often one generation is generated, all in all.
MOST_RUNS = 2


@dataclass
class Dispatcher:
    """Carries generations through their states.

    Attributes:
        clock: seconds since 1970.
        changed: called after every change, to wake who listens.
    """

    engine: sa.Engine
    queue: Queue
    links: Links
    settings: Settings
    clock: Callable[[], float]
    changed: Callable[[], None] = lambda: None

    async def submit_due(self) -> int:
        """Send what is held, and what was sent without an answer; returns how many were handled."""
        return await self._each([State.HELD, State.SUBMITTING], self._submit)

    async def reconcile_due(self) -> int:
        """Ask after what was sent, and end what has ended; returns how many were handled."""
        return await self._each([State.QUEUED, State.RUNNING], self._reconcile)

    async def heard(self, generation: str, job_id: str) -> None:
        """A webhook says that a job has ended: believe no more of it than that it is worth asking."""
        row = await self._in(lambda db: generations.get(db, generation))
        if row.state in {State.HELD, State.SUBMITTING} and row.job_id is None:
            row = await self._adopt(row, job_id)
        if row.job_id == job_id:
            await self._reconcile(row)
        else:
            log.warning("webhook of another job", extra={"generation": generation})

    async def cancel(self, row: Row) -> Row:
        """Cancel a generation; one that RunPod has is cancelled there, and ends when RunPod says so."""
        now = self.clock()
        if row.state is State.HELD:
            ended = await self._finish(row, State.CANCELLED, now)
            if ended is not None:
                return ended
        flagged = await self._in(
            lambda db: generations.change(
                db, row, only_from=[s for s in State if s not in FINAL], cancelling=True, next_check_at=now
            )
        )
        if flagged is not None and flagged.job_id is not None:
            await self._cancel_there(flagged)
        return await self._in(lambda db: generations.get(db, row.id))

    async def _submit(self, row: Row) -> None:
        now = self.clock()
        if row.cancelling:
            await self._finish(row, State.CANCELLED, now)
            return
        if now > row.created_at + self.settings.job_ttl + AFTER_TTL:
            error = Error(code="lost", message="RunPod was not heard of again.", retryable=True)
            await self._finish(row, State.FAILED, now, error=error.model_dump())
            return
        if row.state is State.SUBMITTING and row.submits > self.settings.resubmits:
            # Only a webhook can bring this one back; or its time ends.
            await self._in(lambda db: generations.due_at(db, row, now + UNKNOWN_PATIENCE))
            return
        # Written before the call: whoever dies in it leaves a row that says that the job may be there.
        sent = await self._in(
            lambda db: generations.change(
                db,
                row,
                state=State.SUBMITTING,
                submits=row.submits + 1,
                runs=max(1, row.runs),
                submitted_at=now,
                next_check_at=now + LEASE,
            )
        )
        if sent is None:
            return
        await self._send(sent)

    async def _send(self, row: Row) -> None:
        try:
            job_id = await self.queue.submit(
                row.input | {"request_id": row.id, "max_credits": row.credits}, self._webhook(row)
            )
        except errors.SubmitUnknown:
            log.warning("submit without an answer", extra={"generation": row.id, "submits": row.submits})
            await self._in(lambda db: generations.due_at(db, row, self.clock() + UNKNOWN_PATIENCE))
        except (errors.Unreachable, errors.RateLimited, errors.Unauthorized, errors.NotFound) as error:
            # Nothing was taken. A wrong key is the operator's to mend, and no reason to fail a customer.
            log.warning("submit refused", extra={"generation": row.id, "error": type(error).__name__})
            await self._in(
                lambda db: generations.change(
                    db,
                    row,
                    state=State.HELD,
                    submits=row.submits - 1,
                    next_check_at=self._later(LOOK_EVERY * 2 ** min(4, row.submits)),
                    lease_until=0.0,
                )
            )
        except errors.Ltx2Error as error:
            told = Error(code="refused", message="RunPod did not take the job.", retryable=True)
            log.error("submit failed", extra={"generation": row.id, "error": error.message})
            await self._finish(row, State.FAILED, self.clock(), error=told.model_dump())
        else:
            await self._adopt(row, job_id)

    async def _adopt(self, row: Row, job_id: str) -> Row:
        """A generation has a job; where it has one already, the second is not needed."""

        def adopt(db: sa.Connection) -> Row | None:
            return generations.change(
                db,
                row,
                only_from=[State.HELD, State.SUBMITTING],
                state=State.QUEUED,
                job_id=job_id,
                next_check_at=self._later(1.0),
                lease_until=0.0,
            )

        adopted = await self._in(adopt)
        if adopted is not None:
            return adopted
        known = await self._in(lambda db: generations.get(db, row.id))
        if known.job_id not in {None, job_id}:
            log.warning("second job of a generation cancelled", extra={"generation": row.id})
            await self._quietly(self.queue.cancel(job_id))
        return known

    async def _reconcile(self, row: Row) -> None:
        if row.job_id is None:
            return
        now = self.clock()
        try:
            status = await self.queue.status(row.job_id)
        except errors.Expired:
            await self._expired(row)
            return
        except errors.Ltx2Error as error:
            log.warning("status not known", extra={"generation": row.id, "error": type(error).__name__})
            if now > row.created_at + self.settings.job_ttl + AFTER_TTL:
                await self._expired(row)
                return
            await self._in(lambda db: generations.due_at(db, row, self._later(LOOK_EVERY * 2)))
            return
        if status.state is JobState.COMPLETED:
            await self._completed(row, status)
        elif status.state.final:
            await self._failed(row, status)
        elif now > row.created_at + self.settings.job_ttl + AFTER_TTL:
            await self._expired(row)
        else:
            if row.cancelling:
                await self._cancel_there(row)
            await self._moved(row, status)

    async def _moved(self, row: Row, status: Status) -> None:
        """A job that goes on: what is new is written, and nothing else."""
        state = State.RUNNING if status.state is JobState.IN_PROGRESS else State.QUEUED
        seen = running(status)
        progress = None
        if state is State.RUNNING and seen.percent is not None:
            progress = {
                "percent": seen.percent,
                "stage": seen.stage,
                "step": seen.step,
                "steps": seen.steps,
                "seconds_left": None if seen.seconds_left is None else round(seen.seconds_left),
            }
        waiting = await self._why_waiting() if state is State.QUEUED else None
        now, next_look = self.clock(), self._later(LOOK_EVERY)
        if (row.state, row.progress, row.waiting) == (state, progress or row.progress, waiting):
            await self._in(lambda db: generations.due_at(db, row, next_look))
            return
        started = row.started_at or (now if state is State.RUNNING else None)
        await self._in(
            lambda db: generations.change(
                db,
                row,
                state=state,
                progress=progress or row.progress,
                waiting=waiting,
                started_at=started,
                next_check_at=next_look,
                lease_until=0.0,
            )
        )

    async def _completed(self, row: Row, status: Status) -> None:
        try:
            reply = outcome(status)
        except errors.BadReply:
            error = Error(code="unknown", message="The worker's reply could not be read.", retryable=True)
            await self._finish(row, State.FAILED, self.clock(), error=error.model_dump())
            return
        if isinstance(reply, VideoResult):
            await self._succeed(row, reply)

    async def _succeed(self, row: Row, reply: VideoResult) -> None:
        kept = reply.model_dump(mode="json", exclude={"video_base64"})
        if row.state in FINAL:
            log.warning("video after its release, given free", extra={"generation": row.id})
        await self._finish(row, State.SUCCEEDED, self.clock(), reply=kept)

    async def _failed(self, row: Row, status: Status) -> None:
        error = failure(status)
        if isinstance(error, errors.Cancelled):
            await self._finish(row, State.CANCELLED, self.clock())
            return
        assert isinstance(error, errors.JobFailed)
        if error.retryable and row.runs < MOST_RUNS and not row.cancelling:
            if error.code in KEPT and await self._retried(row):
                return
            if error.code not in KEPT | NEVER_AGAIN and await self._again(row, error.code):
                return
        told = Error(
            code=error.code,
            message=error.message,
            field=error.field,
            retryable=error.retryable,
        )
        await self._finish(row, State.FAILED, self.clock(), error=told.model_dump())

    async def _retried(self, row: Row) -> bool:
        """Let RunPod run the job again under its id; whether it does."""
        assert row.job_id is not None
        try:
            await self.queue.retry(row.job_id)
        except errors.Ltx2Error:
            return False
        changed = await self._in(
            lambda db: generations.change(
                db,
                row,
                state=State.QUEUED,
                runs=row.runs + 1,
                next_check_at=self._later(LOOK_EVERY),
                lease_until=0.0,
            )
        )
        return changed is not None

    async def _again(self, row: Row, code: str) -> bool:
        """Send the job once more, as a new one, under the same hold."""
        log.info("generation sent again", extra={"generation": row.id, "code": code})
        changed = await self._in(
            lambda db: generations.change(
                db,
                row,
                state=State.HELD,
                job_id=None,
                submits=0,
                runs=row.runs + 1,
                progress=None,
                next_check_at=self.clock(),
                lease_until=0.0,
            )
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
        await self._finish(row, State.EXPIRED, self.clock(), error=error.model_dump())

    async def _cancel_there(self, row: Row) -> None:
        assert row.job_id is not None
        status = await self._quietly(self.queue.cancel(row.job_id))
        if status is not None and status.state is JobState.CANCELLED:
            await self._finish(row, State.CANCELLED, self.clock())

    async def _why_waiting(self) -> str | None:
        return await self._quietly(self.queue.why_waiting())

    async def _quietly(self, call: Awaitable[T]) -> T | None:
        """What RunPod answers; None where it does not."""
        try:
            return await call
        except errors.Ltx2Error:
            return None

    async def _finish(self, row: Row, state: State, at: float, **values: Any) -> Row | None:
        ended = await self._in(lambda db: generations.finish(db, row, state, at, **values))
        if ended is not None:
            log.info(
                "generation ended",
                extra={
                    "generation": row.id,
                    "state": str(state),
                    "credits": row.credits,
                    "seconds": round(at - row.created_at, 1),
                    "code": (ended.error or {}).get("code"),
                },
            )
        return ended

    async def _each(self, states: list[State], step: Callable[[Row], Awaitable[None]]) -> int:
        rows = await self._in(lambda db: generations.lease(db, states, self.clock(), LEASE, AT_ONCE))

        async def one(row: Row) -> None:
            try:
                await step(row)
            except Exception:
                # One row's fault is that row's: its lease ends, and it is looked at again.
                log.exception("step failed", extra={"generation": row.id})

        await asyncio.gather(*(one(row) for row in rows))
        return len(rows)

    async def _in(self, work: Callable[[sa.Connection], T]) -> T:
        """Do something in one transaction, off the event loop."""

        def transaction() -> T:
            with self.engine.begin() as db:
                return work(db)

        done = await asyncio.to_thread(transaction)
        self.changed()
        return done

    def _webhook(self, row: Row) -> str | None:
        if self.settings.public_url is None:
            return None
        signed = webhook.path(self.settings.secret.get_secret_value(), row.id)
        return f"{self.settings.public_url}/api/generations/hooks/runpod/{signed}"

    def _later(self, seconds: float) -> float:
        return self.clock() + seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
