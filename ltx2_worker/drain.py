"""SIGTERM, done right: no new job is taken, the jobs in hand finish, then the process ends.

RunPod's SDK 1.12 lets jobs in flight finish, but its request for the next job stays open for up to 90 s, and
a job that arrives on it is never run and never answered. So that request is ended when the drain begins.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

from runpod.serverless.modules import rp_scale

Fetcher = Callable[..., Awaitable[Any]]


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
        self.begun = asyncio.Event()

    def wrap_sdk(self) -> None:
        """Make the SDK's two long polls end with the drain; call before the SDK starts its loop."""
        rp_scale.get_job = self._until(rp_scale.get_job, self.begun.is_set)
        # Jobs in hand can still be stopped while they finish.
        rp_scale.get_stop_signals = self._until(
            rp_scale.get_stop_signals, lambda: self.begun.is_set() and self._in_hand() == 0
        )

    def install(self) -> None:
        """Listen to SIGTERM and SIGINT beside the SDK; call on its event loop, once it listens itself."""
        if self._loop is not None:
            return
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._chain(signal.getsignal(number)))

    def begin(self) -> None:
        """Begin the drain; on the event loop."""
        if not self.begun.is_set():
            self.begun.set()
            self._on_begin()

    def _chain(self, sdk_handler: Any) -> Callable[[int, FrameType | None], None]:
        def handle(number: int, frame: FrameType | None) -> None:
            if callable(sdk_handler):
                sdk_handler(number, frame)
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self.begin)

        return handle

    @staticmethod
    def _until(fetch: Fetcher, ended: Callable[[], bool]) -> Fetcher:
        async def bounded(*args: Any, **kwargs: Any) -> Any:
            request = asyncio.ensure_future(fetch(*args, **kwargs))
            try:
                while not request.done():
                    if ended():
                        # The SDK takes a time-out as "nothing came" and then sees that it must stop.
                        raise TimeoutError
                    await asyncio.wait({request}, timeout=0.25)
                return request.result()
            finally:
                request.cancel()

        return bounded
