"""Sending a generation to RunPod: once, also where its answer is lost."""

import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa

from ltx2_client import errors, webhook

from . import generations
from .contract import Error, State
from .generations import Row
from .ports import Queue
from .settings import Settings
from .store import Store

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds for which a step may take: RunPod's slowest answer, and the client's own tries.
LEASE = 60.0
#: Seconds for which the webhook may still tell the id of a job whose submit was not answered.
UNKNOWN_PATIENCE = 30.0
#: Seconds after which a submit that RunPod refused is tried again; twice as many after each.
TRY_AGAIN = 5.0
#: After its `ttl` RunPod has deleted a job for certain; so many seconds later it is given up.
AFTER_TTL = 300.0


@dataclass
class Sender:
    """Sends what is held; the state is written before the call."""

    store: Store
    queue: Queue
    settings: Settings

    async def submit(self, row: Row) -> None:
        """Send a generation that is due, or find out that it must not be sent."""
        now = self.store.clock()
        if row.cancelling:
            await self.store.finish(row, State.CANCELLED)
            return
        if now > row.created_at + self.settings.job_ttl + AFTER_TTL:
            error = Error(code="lost", message="RunPod was not heard of again.", retryable=True)
            await self.store.finish(row, State.FAILED, error=error.model_dump())
            return
        if row.state is State.SUBMITTING and row.submits > self.settings.resubmits:
            # Only a webhook can bring this one back; or its time ends.
            self.store.postpone(row, now + UNKNOWN_PATIENCE)
            return
        # Written before the call: whoever dies in it leaves a row that says that the job may be there.
        sent = await self.store.within(
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
        if sent is not None:
            await self._send(sent)

    async def adopt(self, row: Row, job_id: str) -> Row:
        """A generation has a job; where it has one already, or was cancelled, this one is not needed."""

        def adopt(db: sa.Connection) -> Row | None:
            return generations.change(
                db,
                row,
                only_from=[State.HELD, State.SUBMITTING],
                state=State.QUEUED,
                job_id=job_id,
                next_check_at=self.store.later(1.0),
                lease_until=0.0,
            )

        adopted = await self.store.within(adopt)
        if adopted is not None:
            return adopted
        known = await self.store.get(row.id)
        if known.job_id is None:
            # It ended while its submit was on the way; by the id it is known what becomes of the job.
            known = await self.store.change(known, job_id=job_id) or known
        if known.job_id != job_id or known.state is State.CANCELLED:
            log.warning("unneeded job cancelled", extra={"generation": row.id})
            await quietly(self.queue.cancel(job_id))
        return known

    async def _send(self, row: Row) -> None:
        try:
            job_id = await self.queue.submit(
                row.input | {"request_id": row.id, "max_credits": row.credits}, self._webhook(row)
            )
        except errors.SubmitUnknown:
            log.warning("submit without an answer", extra={"generation": row.id, "submits": row.submits})
            self.store.postpone(row, self.store.clock() + UNKNOWN_PATIENCE)
        except (errors.Unreachable, errors.RateLimited, errors.Unauthorized, errors.NotFound) as error:
            # Nothing was taken. A wrong key is the operator's to mend, and no reason to fail a customer.
            log.warning("submit refused", extra={"generation": row.id, "error": type(error).__name__})
            again = self.store.later(TRY_AGAIN * 2 ** min(4, row.submits))
            await self.store.change(row, state=State.HELD, submits=row.submits - 1, next_check_at=again)
        except errors.Ltx2Error as error:
            told = Error(code="refused", message="RunPod did not take the job.", retryable=True)
            log.error("submit failed", extra={"generation": row.id, "error": error.message})
            await self.store.finish(row, State.FAILED, error=told.model_dump())
        else:
            await self.adopt(row, job_id)

    def _webhook(self, row: Row) -> str | None:
        if self.settings.public_url is None:
            return None
        signed = webhook.path(self.settings.secret.get_secret_value(), row.id)
        return f"{self.settings.public_url}/api/generations/hooks/runpod/{signed}"


async def quietly(call: Awaitable[T]) -> T | None:
    """What RunPod answers; None where it does not."""
    try:
        return await call
    except errors.Ltx2Error:
        return None
