"""What is due, and who does it: generations are sent, followed and ended, in any process, after any crash.

`submit_due` and `reconcile_due` may be called at any time, by several processes: what is due is leased, each
step writes its state before it calls RunPod, and each end is one transaction.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from . import finding, generations
from .contract import FINAL, State
from .following import Follower
from .generations import Row
from .pace import Pace
from .ports import Links, Queue
from .sending import LEASE, Sender
from .settings import Settings
from .store import Store

log = logging.getLogger(__name__)

#: How many generations one step handles side by side.
AT_ONCE = 32


@dataclass
class Dispatcher:
    """Carries generations through their states.

    Attributes:
        watched: whether an account has a stream open.
    """

    store: Store
    queue: Queue
    links: Links
    settings: Settings
    watched: Callable[[str], bool] = lambda _account: False

    def __post_init__(self) -> None:
        self._pace = Pace(self.watched, {})
        self._sender = Sender(self.store, self.queue, self.settings)
        self._follower = Follower(self.store, self.queue, self.links, self._pace, self.settings.job_ttl)

    async def submit_due(self) -> int:
        """Send what is held, and what was sent without an answer; returns how many were handled."""
        return await self._each([State.HELD, State.SUBMITTING], self._sender.submit)

    async def reconcile_due(self) -> int:
        """Ask after what was sent, and end what has ended; returns how many were handled."""
        self._pace.jobs = await self.store.within(finding.count_by_state)
        return await self._each([State.QUEUED, State.RUNNING], self._follower.reconcile)

    async def heard(self, generation: str, job_id: str) -> None:
        """A webhook says that a job has ended: believe no more of it than that it is worth asking."""
        row = await self.store.get(generation)
        if row.job_id is None:
            row = await self._sender.adopt(row, job_id)
        if row.job_id == job_id:
            await self._follower.reconcile(row)
        else:
            log.warning("webhook of another job", extra={"generation": generation})

    async def cancel(self, row: Row) -> Row:
        """Cancel a generation; one that RunPod has is cancelled there, and ends when RunPod says so."""
        if row.state is State.HELD:
            ended = await self.store.finish(row, State.CANCELLED, only_from=[State.HELD])
            if ended is not None:
                return ended
        now = self.store.clock()
        flagged = await self.store.within(
            lambda db: generations.change(
                db, row, only_from=[s for s in State if s not in FINAL], cancelling=True, next_check_at=now
            )
        )
        if flagged is not None and flagged.job_id is not None:
            await self._follower.cancel(flagged)
        return await self.store.get(row.id)

    async def _each(self, states: list[State], step: Callable[[Row], Awaitable[None]]) -> int:
        now = self.store.clock()
        rows = await self.store.within(lambda db: generations.lease(db, states, now, LEASE, AT_ONCE))

        async def one(row: Row) -> None:
            try:
                await step(row)
            except Exception:
                # One row's fault is that row's: its lease ends, and it is looked at again.
                log.exception("step failed", extra={"generation": row.id})

        await asyncio.gather(*(one(row) for row in rows))
        await self.store.write_postponed()
        return len(rows)
