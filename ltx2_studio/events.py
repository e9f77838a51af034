"""Changes as they happen, for any number of listeners: the same objects over SSE and over a WebSocket.

A change is found by its number, in the table, by every process for itself; so a listener that comes back with
the last number that it saw gets everything newer, once.
"""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TypeVar

import sqlalchemy as sa

from ltx2_client.strangers import whole_number

from . import films, finding, numbering
from .films import FilmRow
from .generations import Row

T = TypeVar("T")

#: Seconds between two looks where no change was made by this process.
LOOK_EVERY = 1.0
#: Changes that are read at a time.
BATCH = 200
#: Changes that wait for one slow listener; then it reads them from the table when it comes to it.
MOST_WAITING = 100
#: Seconds for which a ticket opens a stream.
TICKET_SECONDS = 60


#: Whatever has a number of a change.
Change = Row | FilmRow


class _Listener:
    """One stream's changes that it has not sent yet; one that is too slow catches up from the table."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Change] = asyncio.Queue(MOST_WAITING)
        self.behind = False

    def put(self, change: Change) -> None:
        try:
            self._waiting.put_nowait(change)
        except asyncio.QueueFull:
            self.behind = True

    async def next(self, quiet: float) -> Change | None:
        """The next change; None after `quiet` seconds without one."""
        try:
            return await asyncio.wait_for(self._waiting.get(), quiet)
        except TimeoutError:
            return None

    def catch_up(self) -> None:
        """What waits is in the table too, from which it is read next."""
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self.behind = False


class Changes:
    """Tells listeners what is new; the table is read once for all of them.

    Arguments:
        engine: the database, to look at.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._newest = 0
        self._woken = asyncio.Event()
        self._listeners: dict[str, set[_Listener]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def listeners(self) -> int:
        """How many streams are open."""
        return sum(map(len, self._listeners.values()))

    def count(self, account: str) -> int:
        """How many streams an account has open."""
        return len(self._listeners.get(account, ()))

    def wake(self) -> None:
        """Look now: this process has changed something. Any thread may say so."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._woken.set)

    async def begin(self) -> None:
        """Tell of what is new from now on; call it before anybody listens."""
        self._loop = asyncio.get_running_loop()
        self._newest = await asyncio.to_thread(self._read, numbering.newest)

    async def tell_new(self) -> int:
        """Read what is new and hand it to its listeners; returns how much there was."""
        self._woken.clear()
        seen = self._newest
        rows = await asyncio.to_thread(self._read, lambda db: _changed_since(db, seen))
        for row in rows:
            self._newest = row.seq
            if row.hidden_at is None:
                for listener in self._listeners.get(row.account, ()):
                    listener.put(row)
        if len(rows) < BATCH:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), LOOK_EVERY)
        return len(rows)

    async def of(self, account: str, since: int | None, quiet: float) -> AsyncIterator[Change | None]:
        """An account's changes, those newer than `since` first; None after `quiet` seconds without one.

        Arguments:
            since: the number of the last change that was seen; None: only what is new from now on.
        """
        listener = _Listener()
        # Listening begins before the first look at the table: what comes between is told twice, sent once.
        self._listeners.setdefault(account, set()).add(listener)
        try:
            last = since if since is not None else await asyncio.to_thread(self._read, numbering.newest)
            while True:
                listener.catch_up()
                rows = await asyncio.to_thread(
                    self._read, lambda db, after=last: _changed_since(db, after, account)
                )
                for row in rows:
                    last = row.seq
                    yield row
                while len(rows) < BATCH and not listener.behind:
                    change = await listener.next(quiet)
                    if change is None:
                        yield None
                    elif change.seq > last:
                        last = change.seq
                        yield change
        finally:
            self._listeners[account].discard(listener)
            if not self._listeners[account]:
                del self._listeners[account]

    def _read(self, read: Callable[[sa.Connection], T]) -> T:
        with self._engine.begin() as db:
            return read(db)


def _changed_since(db: sa.Connection, seq: int, account: str | None = None) -> list[Change]:
    """The next BATCH changes after a number, of generations and films in one order."""
    made: list[Change] = [*finding.changed_since(db, seq, BATCH, account)]
    made += films.changed_since(db, seq, BATCH, account)
    return sorted(made, key=lambda change: change.seq)[:BATCH]


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
