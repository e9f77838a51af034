"""What runs behind the requests: orders are submitted and reconciled, and changes are told."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from .database import reader_of
from .dispatching import Dispatcher
from .events import Changes
from .ports import Auth, Links, Queue
from .rates import Rates
from .rendering import Renderer
from .settings import Settings
from .store import Store
from .sweeping import Sweeper

log = logging.getLogger(__name__)

#: Seconds between two rounds where nothing was due, and after one that failed.
PAUSE = 0.5
PAUSE_AFTER_FAULT = 5.0
#: Seconds between two looks for what was deleted.
SWEEP_EVERY = 5.0


@dataclass
class Backend:
    """Everything that a request may need.

    Attributes:
        clock: seconds since 1970.
    """

    settings: Settings
    engine: sa.Engine
    auth: Auth
    queue: Queue
    links: Links
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self.rates = Rates(self.settings.requests_per_minute)
        self.metrics = CollectorRegistry()
        self.reader = reader_of(self.engine)
        self.changes = Changes(self.reader)
        self.store = Store(self.engine, self.clock, self.changes.wake)
        self.dispatcher = Dispatcher(
            self.store, self.queue, self.links, self.settings, lambda account: self.changes.count(account) > 0
        )
        self.renderer = Renderer(self.engine, self.links, self.settings, self.clock, self.changes.wake)

    async def run(self) -> None:
        """Submit, reconcile and tell of changes until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(again_and_again(self.changes.tell_new, pause=0.0))
            tasks.create_task(again_and_again(self.dispatcher.submit_due))
            tasks.create_task(again_and_again(self.dispatcher.reconcile_due))
            if self.links.keeps_files:
                tasks.create_task(again_and_again(Sweeper(self.store, self.links).sweep_due, SWEEP_EVERY))
            if self.links.keeps_files and self.settings.open_films:
                tasks.create_task(again_and_again(self.renderer.render_due))


async def again_and_again(step: Callable[[], Awaitable[int]], pause: float = PAUSE) -> None:
    """Do a step whenever it is due, until cancelled; `step` says how much there was."""
    while True:
        try:
            handled = await step()
        except Exception:
            # The database is away, say: it may come back, and what is due is still due then.
            log.exception("round failed")
            await asyncio.sleep(PAUSE_AFTER_FAULT)
        else:
            await asyncio.sleep(0.0 if handled else pause)
