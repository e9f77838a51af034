"""The generations' table for coroutines: one transaction at a time, off the event loop."""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa

from . import generations
from .contract import State
from .generations import Row

log = logging.getLogger(__name__)

T = TypeVar("T")

#: How much of the time until the next look chance may change.
JITTER = 0.2


@dataclass
class Store:
    """Changes generations, and tells that something has changed.

    Attributes:
        clock: seconds since 1970.
        changed: called after every transaction, to wake who listens.
    """

    engine: sa.Engine
    clock: Callable[[], float]
    changed: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self._postponed: dict[str, float] = {}

    async def within(self, work: Callable[[sa.Connection], T]) -> T:
        """Do something in one transaction."""

        def transaction() -> T:
            with self.engine.begin() as db:
                return work(db)

        done = await asyncio.to_thread(transaction)
        self.changed()
        return done

    async def get(self, generation: str) -> Row:
        """A generation by its id; raises LookupError."""
        return await self.within(lambda db: generations.get(db, generation))

    async def change(self, row: Row, **values: Any) -> Row | None:
        """See `generations.change`; whoever holds the row's lease gives it back."""
        return await self.within(lambda db: generations.change(db, row, lease_until=0.0, **values))

    def postpone(self, row: Row, at: float) -> None:
        """Look at a generation again at a time; nobody has to hear of it.

        It is written with the others of its round, by `write_postponed`: most looks at a job find nothing
        new, and a commit for each of them would keep orders waiting. Until then the row's lease holds.
        """
        self._postponed[row.id] = at

    async def write_postponed(self) -> None:
        """Write when what was postponed is due again."""
        postponed, self._postponed = self._postponed, {}
        if postponed:
            await self.within(lambda db: generations.due_at(db, postponed))

    async def finish(self, row: Row, state: State, **values: Any) -> Row | None:
        """End a generation and its hold; None if it had ended before."""
        at = self.clock()
        ended = await self.within(lambda db: generations.finish(db, row, state, at, **values))
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

    def later(self, seconds: float) -> float:
        """A time after about so many seconds: what was due together is not due together again."""
        return self.clock() + seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
