"""The emulator's time: the event loop's own, or one that a test moves."""

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol


class Timer(Protocol):
    """A call that is planned."""

    def cancel(self) -> None:
        """Let the call not happen; nothing happens if it did already."""


class Clock(Protocol):
    """Seconds, and calls at a later time; used on the emulator's event loop only."""

    def now(self) -> float:
        """Seconds since an arbitrary start."""

    def call_later(self, seconds: float, call: Callable[[], object]) -> Timer:
        """Plan a call in so many seconds."""

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""


class LoopClock:
    """The event loop's time: `time.monotonic()`, unless the loop has another."""

    def now(self) -> float:
        """Seconds since an arbitrary start."""
        return asyncio.get_running_loop().time()

    def call_later(self, seconds: float, call: Callable[[], object]) -> Timer:
        """Plan a call in so many seconds."""
        return asyncio.get_running_loop().call_later(seconds, call)

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        await asyncio.sleep(seconds)


@dataclass(order=True)
class _Planned:
    at: float
    number: int
    call: Callable[[], object] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        self.cancelled = True


class FakeClock:
    """A time that stands still until `advance` moves it; what is due at one moment happens in planned order.

    Arguments:
        start: what the clock shows at first, in seconds.
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._planned: list[_Planned] = []
        self._numbers = itertools.count()

    def now(self) -> float:
        """Seconds since an arbitrary start."""
        return self._now

    def call_later(self, seconds: float, call: Callable[[], object]) -> Timer:
        """Plan a call in so many seconds."""
        planned = _Planned(self._now + max(0.0, seconds), next(self._numbers), call)
        heapq.heappush(self._planned, planned)
        return planned

    async def sleep(self, seconds: float) -> None:
        """Return once the time has been moved so far."""
        woken = asyncio.Event()
        timer = self.call_later(seconds, woken.set)
        try:
            await woken.wait()
        finally:
            timer.cancel()

    def next_at(self) -> float | None:
        """When the next planned call is due; None if nothing is planned."""
        while self._planned and self._planned[0].cancelled:
            heapq.heappop(self._planned)
        return self._planned[0].at if self._planned else None

    async def advance(self, seconds: float, settle: Callable[[], Awaitable[None]]) -> None:
        """Move the time forward, making every planned call at its own moment.

        Arguments:
            seconds: how far.
            settle: awaited after each call, so that what the call began is done before time goes on.
        """
        target = self._now + seconds
        await settle()
        while (due := self.next_at()) is not None and due <= target:
            self._now = max(self._now, due)
            heapq.heappop(self._planned).call()
            await settle()
        self._now = target
