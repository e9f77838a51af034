"""News that something has changed, for everyone who waits for it."""

import asyncio
from collections.abc import Callable

from local.runpod.clock import Clock


class Changes:
    """Tells listeners at once, and wakes coroutines that wait for a condition.

    Arguments:
        clock: what the waiting is measured with.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._listeners: list[Callable[[], None]] = []
        self._waiting: set[asyncio.Event] = set()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every change."""
        self._listeners.append(listener)

    def tell(self) -> None:
        """Say that something has changed."""
        for listener in self._listeners:
            listener()
        for event in self._waiting:
            event.set()

    async def wait_for(self, condition: Callable[[], object], seconds: float) -> bool:
        """Return True as soon as the condition holds, or False after so many seconds."""
        woken = asyncio.Event()
        timer = self._clock.call_later(seconds, woken.set)
        until = self._clock.now() + seconds
        self._waiting.add(woken)
        try:
            while not condition():
                if self._clock.now() >= until:
                    return False
                woken.clear()
                await woken.wait()
            return True
        finally:
            self._waiting.discard(woken)
            timer.cancel()
