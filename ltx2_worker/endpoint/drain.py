"""SIGTERM, done right: no new job is taken, the jobs in hand finish, then the process ends.

RunPod's SDK 1.12 lets jobs in flight finish, but its request for the next job stays open for up to 90 s, and
a job that arrives on it is never run and never answered. So the SDK hears of a signal only once nothing is
on its way any more; a job that arrived with the signal is still run, and refused there as retryable.
"""

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from types import FrameType
from typing import Any

from runpod.serverless.modules import rp_scale

Fetcher = Callable[..., Awaitable[Any]]

#: How long what the platform has sent already may take to be read.
SETTLE_SECONDS = 0.5
_TICK = 0.25


class Drain:
    """Whether the worker is shutting down, and whether its last job has been answered.

    Arguments:
        in_hand: how many jobs are being worked on; the SDK's own count, which includes unanswered ones.
        on_begin: called once, on the event loop, when the drain begins.
    """

    def __init__(self, in_hand: Callable[[], int], on_begin: Callable[[], None]) -> None:
        self._in_hand = in_hand
        self._on_begin = on_begin
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end_sdk: Callable[[], None] = lambda: None
        self.begun = asyncio.Event()
        #: Set once a signal begins the drain; until then it would kill the process.
        self.listening = threading.Event()

    def wrap_sdk(self) -> None:
        """Make the SDK's two long polls end with the drain; call before the SDK starts its loop."""
        rp_scale.get_job = partial(self._take, rp_scale.get_job)
        rp_scale.get_stop_signals = partial(self._listen, rp_scale.get_stop_signals)

    def attend(self) -> None:
        """Call on the SDK's event loop, whenever it is about to ask for jobs: no job is on its way then."""
        if self.begun.is_set():
            self._end_sdk()
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            sdk_handler = signal.getsignal(signal.SIGTERM)
            if callable(sdk_handler):
                self._end_sdk = partial(sdk_handler, signal.SIGTERM, None)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._on_signal)
            self.listening.set()

    def begin(self) -> None:
        """Begin the drain; on the event loop."""
        if not self.begun.is_set():
            self.begun.set()
            self._on_begin()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.begin)

    async def _take(self, fetch: Fetcher, *args: Any) -> Any:
        """The SDK's request for jobs, ended by the drain unless they have arrived."""
        if not self.begun.is_set():
            request = asyncio.ensure_future(fetch(*args))
            begun = asyncio.ensure_future(self.begun.wait())
            try:
                await asyncio.wait({request, begun}, return_when=asyncio.FIRST_COMPLETED)
                await asyncio.wait({request}, timeout=SETTLE_SECONDS)
                if request.done():
                    return request.result()
            finally:
                request.cancel()
                begun.cancel()
        # What was taken before lies in the SDK's queue; it empties that before it ends.
        self._end_sdk()
        # To the SDK a time-out means that nothing came.
        raise TimeoutError

    async def _listen(self, fetch: Fetcher, *args: Any) -> Any:
        """The SDK's request for jobs to stop: jobs in hand can still be stopped while they finish."""
        request = asyncio.ensure_future(fetch(*args))
        try:
            while not request.done():
                await asyncio.wait({request}, timeout=_TICK)
                if self.begun.is_set() and self._in_hand() == 0:
                    raise TimeoutError
            return request.result()
        finally:
            request.cancel()
