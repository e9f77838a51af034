"""Changes as they happen, for any number of listeners: the same objects over SSE and over a WebSocket.

A change is found by its number, in the table, by every process for itself; so a listener that comes back with
the last number that it saw gets everything newer, once.
"""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TypeVar

import sqlalchemy as sa

from ltx2_client.strangers import whole_number

from . import generations
from .generations import Row

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds between two looks where no change was made by this process.
LOOK_EVERY = 1.0
#: Changes that are read at a time.
BATCH = 200
#: Seconds for which a ticket opens a stream.
TICKET_SECONDS = 60


class Changes:
    """Wakes listeners when there may be something new.

    Arguments:
        engine: the database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._newest = 0
        self._new = asyncio.Event()
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look now: this process has changed something. Call it on the event loop."""
        self._woken.set()

    async def watch(self) -> None:
        """Look for changes until cancelled; run it once in each process."""
        while True:
            try:
                newest = await asyncio.to_thread(self._read, generations.newest)
            except sa.exc.SQLAlchemyError:
                # The database is away: with this watch would end what submits and reconciles beside it.
                log.exception("no look for changes")
                newest = self._newest
            if newest > self._newest:
                self._newest = newest
                new, self._new = self._new, asyncio.Event()
                new.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), LOOK_EVERY)
            self._woken.clear()

    async def of(self, account: str, since: int | None, quiet: float) -> AsyncIterator[Row | None]:
        """An account's changes, those newer than `since` first; None after `quiet` seconds without one.

        Arguments:
            since: the number of the last change that was seen; None: only what is new from now on.
        """
        last = since if since is not None else await asyncio.to_thread(self._read, generations.newest)
        while True:
            new = self._new
            rows = await asyncio.to_thread(
                self._read, lambda db, after=last: generations.changed_since(db, after, BATCH, account)
            )
            for row in rows:
                last = row.seq
                yield row
            if rows:
                continue
            try:
                await asyncio.wait_for(new.wait(), quiet)
            except TimeoutError:
                yield None

    def _read(self, read: Callable[[sa.Connection], T]) -> T:
        with self._engine.begin() as db:
            return read(db)


def ticket(secret: str, account: str, at: float) -> str:
    """A ticket that opens an account's stream for TICKET_SECONDS: an EventSource can send no header."""
    until = int(at + TICKET_SECONDS)
    return f"{account}.{until}.{_signature(secret, account, until)}"


def account_of(secret: str, given: str, at: float) -> str | None:
    """The account of a ticket; None if it is forged or old."""
    signed, _, signature = given.rpartition(".")
    account, _, until = signed.rpartition(".")
    moment = whole_number(until)
    if moment is None or moment < at:
        return None
    right = _signature(secret, account, moment)
    return account if hmac.compare_digest(signature.encode(), right.encode()) else None


def _signature(secret: str, account: str, until: int) -> str:
    return hmac.new(secret.encode(), f"ticket\n{account}\n{until}".encode(), hashlib.sha256).hexdigest()
