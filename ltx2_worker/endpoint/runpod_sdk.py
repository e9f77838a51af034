"""Everything of RunPod's SDK that is not its public interface: what the worker calls, and what it replaces.

No other file touches the SDK's insides. All of it was read in runpod 1.12 (`serverless/modules/`), which is
why another version is refused; tests/platform/test_sdk_contract.py shows what the SDK does by itself.
`runpod.serverless.utils.rp_ssrf` is a helper with a documented interface; media and storage import it.
"""

import asyncio
import logging
import multiprocessing
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from types import FrameType
from typing import Any

import cpuinfo
from aiohttp import ClientSession

# The SDK, when it is imported, asks py-cpuinfo for the processor's name, for a debug report that the worker
# never asks for (`utils/rp_debugger.py`). py-cpuinfo counts clock ticks for a second to find it.
cpuinfo.get_cpu_info = dict

import runpod  # noqa: E402
from runpod.http_client import AsyncClientSession  # noqa: E402
from runpod.serverless.modules import rp_http, rp_scale  # noqa: E402
from runpod.serverless.modules.rp_logger import RunPodLogger  # noqa: E402
from runpod.serverless.modules.worker_state import JobsProgress  # noqa: E402

from .job_json import JobResponse, is_job  # noqa: E402
from .posts import post  # noqa: E402

log = logging.getLogger(__name__)

VERSION = "1.12"
#: The id that the SDK gives to every job of `python handler.py`.
LOCAL_ID = "local_test"

#: How long what the platform has sent already may take to be read after SIGTERM.
SETTLE_SECONDS = 0.5
#: How long one call of the SDK's is held while no job may be taken; the SDK itself cuts it after 90 s.
HOLD_SECONDS = 30.0
#: How long the SDK may take from a job's arrival to the call of the handler; it looks every 0.1 s. A job
#: that is stopped in between never gets there.
ARRIVAL_SECONDS = 2.0
_TICK = 0.1

Fetcher = Callable[..., Awaitable[Any]]


def wrong_version() -> str | None:
    """A sentence, if this SDK is not the one whose insides are known here."""
    found = str(runpod.__version__)
    if found.split(".")[:2] == VERSION.split("."):
        return None
    return f"It was made for runpod {VERSION}, and {found} is installed."


def shared_memory_fault() -> str | None:
    """A sentence, if the machine's shared memory is full: the SDK keeps a lock and a buffer in it."""
    try:
        multiprocessing.Lock()
    except OSError as error:
        return f"Shared memory (/dev/shm) cannot be used: {error.strerror}."
    return None


def set_log_level(level: str) -> None:
    """Set the SDK's own log; its default, DEBUG, holds whole jobs and results, prompts included."""
    RunPodLogger().set_level(level)


def be_silent() -> None:
    """End the SDK's log."""
    RunPodLogger().set_level("NOTSET")


def end_when_interrupted() -> None:
    """Let Ctrl-C end this process with the status of an interrupted program; the SDK's own handler says 0."""
    runpod.serverless._signal_handler = _interrupted


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + signal.SIGINT)


def jobs_in_hand() -> int:
    """How many jobs the SDK has taken and not yet answered."""
    return int(JobsProgress().get_job_count())


def open_session() -> ClientSession:
    """A connection to the platform for posts beside the SDK's own."""
    session: ClientSession = AsyncClientSession()
    return session


async def post_progress(session: ClientSession, job_id: str, progress: dict[str, object]) -> None:
    """Post progress, once; what `runpod.serverless.progress_update` does on a thread that nobody awaits."""
    await rp_http.send_result(session, {"status": "IN_PROGRESS", "output": progress}, {"id": job_id})


class QueueLoop:
    """The SDK's loop around the platform's queue: when it asks for jobs, and how it ends.

    SIGTERM ends it in order. Left alone, the SDK lets jobs in flight finish, but its request for the next
    job stays open for up to 90 s, and a job that arrives on it is never run and never answered. So the SDK
    hears of a signal only once no job can be on its way; one that arrived with the signal is still run, and
    refused there as retryable.

    Arguments:
        may_take: whether another job may be taken now; asked often, on the event loop.
        on_drain: called once, on the event loop, when a signal begins the end.
    """

    def __init__(self, may_take: Callable[[], bool], on_drain: Callable[[], None]) -> None:
        self._may_take = may_take
        self._on_drain = on_drain
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end_sdk: Callable[[], None] = lambda: None
        self._request: asyncio.Future[Any] | None = None
        self._arriving: dict[str, float] = {}
        self.draining = asyncio.Event()
        #: Set once SIGTERM and SIGINT begin the drain; before that, they would kill the process.
        self.listening = threading.Event()

    def install(self) -> None:
        """Put this into the SDK; call before `runpod.serverless.start`."""
        rp_scale.get_job = partial(self._take, rp_scale.get_job)
        rp_scale.get_stop_signals = partial(self._hear_stops, rp_scale.get_stop_signals)
        rp_scale.AsyncClientSession = partial(AsyncClientSession, response_class=JobResponse)
        rp_http._transmit = post

    def attend(self) -> None:
        """Call on the SDK's event loop whenever it is about to ask for jobs."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            sdk_handler = signal.getsignal(signal.SIGTERM)
            if callable(sdk_handler):
                self._end_sdk = partial(sdk_handler, signal.SIGTERM, None)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._on_signal)
            self.listening.set()
        if self.draining.is_set() and self._request is None:
            self._end_sdk()

    def arrived(self, job_id: str) -> None:
        """Note that a job has reached the handler."""
        self._arriving.pop(job_id, None)

    def begin_drain(self) -> None:
        """Take no more jobs and end once those in hand are answered; on the event loop."""
        if not self.draining.is_set():
            self.draining.set()
            self._on_drain()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.begin_drain)

    async def _take(self, fetch: Fetcher, session: ClientSession, _wanted: int) -> list[dict[str, Any]]:
        """The SDK's request for jobs: made when a job may be taken, one job at a time, and never cut off.

        The SDK cancels this call after 90 s. A request that were cancelled with it could lose the job that
        the platform is just sending; so the request goes on, and the next call waits for it.

        Raises:
            TimeoutError: nothing came; the SDK asks again at once.
        """
        if self._request is None and not await self._wait_until_due():
            raise TimeoutError
        if self._request is None and not self.draining.is_set():
            self._request = asyncio.ensure_future(fetch(session, 1))
        if self._request is not None:
            drain = asyncio.ensure_future(self.draining.wait())
            try:
                await asyncio.wait({self._request, drain}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                drain.cancel()
            if self.draining.is_set():
                await asyncio.wait({self._request}, timeout=SETTLE_SECONDS)
            request, self._request = self._request, None
            if request.done() and not request.cancelled():
                return self._jobs(request.result())
            request.cancel()
        # What was taken before lies in the SDK's queue; it empties that before it ends.
        self._end_sdk()
        raise TimeoutError

    async def _wait_until_due(self) -> bool:
        """Wait for the moment to ask for a job; False if it has not come by the end of this call."""
        until = time.monotonic() + HOLD_SECONDS
        while not self.draining.is_set():
            under_way = any(time.monotonic() - at < ARRIVAL_SECONDS for at in self._arriving.values())
            if not under_way and self._may_take():
                break
            if time.monotonic() >= until:
                return False
            await asyncio.sleep(_TICK)
        return True

    async def _hear_stops(self, fetch: Fetcher, *args: Any) -> Any:
        """The SDK's request for jobs to stop, ended with the last job of a drain."""
        request = asyncio.ensure_future(fetch(*args))
        try:
            while not request.done():
                await asyncio.wait({request}, timeout=_TICK)
                if self.draining.is_set() and jobs_in_hand() == 0:
                    # The SDK asks again at once, until its other loops have ended: not without a pause, which
                    # is also where a cancel of this loop is heard.
                    await asyncio.sleep(_TICK)
                    raise TimeoutError
            return request.result()
        finally:
            request.cancel()

    def _jobs(self, answer: object) -> list[dict[str, Any]]:
        """The jobs of an answer that the SDK can run; one that it cannot run would end its loop."""
        taken = answer if isinstance(answer, list) else []
        jobs = [job for job in taken if is_job(job)]
        if len(jobs) < len(taken):
            log.error("job cannot be run", extra={"jobs": len(taken) - len(jobs)})
        self._arriving = {job["id"]: time.monotonic() for job in jobs}
        return jobs
