"""The emulator for programs that are no coroutines: a platform on HTTP, with its event loop in a thread."""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import parse_qsl, urlsplit

from local.runpod import worker_api
from local.runpod.clock import Clock
from local.runpod.faults import Fault, Request, Route
from local.runpod.job import Job, Policy, Submission
from local.runpod.message import Call, Reply
from local.runpod.platform import HOST_NAME, WORKER_ID, WORKER_KEY, Options, Platform
from local.runpod.scripted import Play, ScriptedWorker
from local.runpod.server import listening

T = TypeVar("T")

#: How often a condition is looked at even if nothing was told: it may depend on more than the platform.
_TICK = 0.1
#: What runs on the event loop does not wait; this bounds a fault of our own.
_CALL_SECONDS = 120.0


class Emulator:
    """RunPod on this machine, for tests: a context manager whose methods any thread may call.

    Arguments:
        options: of the platform: endpoint, key, time-outs, rates.
        clock: a `FakeClock` makes time stand still until `advance`.
        host, port: where it listens; port 0 takes a free one.
    """

    def __init__(
        self,
        options: Options | None = None,
        clock: Clock | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.platform = Platform(options, clock)
        self._host, self._port = host, port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="runpod-emulator", daemon=True)
        self._stack = AsyncExitStack()
        self._changed = threading.Condition()
        self._changes = 0

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._await(self._start())
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._close()

    @property
    def base_url(self) -> str:
        """What stands where https://api.runpod.ai/v2 does."""
        return f"http://{self._host}:{self._port}/v2"

    @property
    def url(self) -> str:
        """The endpoint's address: before /run, /status/ID and so on."""
        return f"{self.base_url}/{self.platform.options.endpoint_id}"

    def environment(self, worker_id: str = WORKER_ID) -> dict[str, str]:
        """What a worker process is started with to take jobs from here; /health counts it from now on."""
        self._do(lambda: self.platform.workers.register(worker_id))
        return worker_api.environment(self.url, worker_id, WORKER_KEY, HOST_NAME)

    def play(self, script: Play, workers: int = 1, boot: float = 0.0) -> None:
        """Let scripted workers do the jobs.

        Arguments:
            script: says what a worker does with a job.
            workers: how many there are.
            boot: seconds until they ask for their first job.
        """

        def hire() -> None:
            for number in range(1, workers + 1):
                ScriptedWorker(self.platform, f"scripted-{number}", script, boot)

        self._do(hire)

    def advance(self, seconds: float) -> None:
        """Move a `FakeClock` forward; returns when everything that was due has happened."""
        self._await(self.platform.advance(seconds))

    def request(
        self, method: str, target: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Make a request without a socket.

        Arguments:
            target: below the endpoint, such as /run or /status/ID?ttl=6000.
            body: sent as JSON.
            headers: of the request.

        Raises:
            HangUp: a fault closed the connection without an answer.
        """
        parts = urlsplit(target)
        path = f"/v2/{self.platform.options.endpoint_id}{parts.path}"
        content = b"" if body is None else json.dumps(body).encode()
        lower = {name.lower(): value for name, value in (headers or {}).items()}
        call = Call(method, path, dict(parse_qsl(parts.query)), lower, content)
        return self._await(self.platform.serve(call))

    @property
    def jobs(self) -> dict[str, Job]:
        """The jobs that RunPod knows now."""
        return dict(self.platform.queue.jobs)

    def submit(
        self,
        job_input: Any,
        webhook: str | None = None,
        policy: Policy | None = None,
        *,
        is_sync: bool = False,
        **beside: Any,
    ) -> Job:
        """Queue a job as /run or /runsync does, with what the worker is given beside its input."""
        submission = Submission(job_input, webhook, policy or self.platform.options.policy, beside, is_sync)
        return self._do(lambda: self.platform.queue.submit(submission))

    def cancel(self, job: Job) -> None:
        """Cancel a job as /cancel does."""
        self._do(lambda: self.platform.queue.cancel(job))

    def forget(self, job: Job) -> None:
        """Let RunPod lose a job, as in a failure of its store: 404 from now on."""
        self._do(lambda: self.platform.queue.delete(job))

    def deliver_again(self, job: Job) -> None:
        """Hand a job out once more, as RunPod does when it believes that a worker has lost it."""
        self._do(lambda: self.platform.queue.deliver_again(job))

    def post(self, job: Job, body: dict[str, Any]) -> None:
        """Say something about a job as a worker does: progress, or a result."""
        self._do(lambda: self.platform.queue.post(job.id, body))

    def add_to_stream(self, job: Job, body: Any) -> None:
        """Give one output of a generator handler, as a worker does."""
        self._do(lambda: self.platform.queue.add_to_stream(job.id, body))

    def send_webhook(self, job: Job) -> None:
        """Send a job's webhook once more."""
        self._do(lambda: self.platform.webhooks.send(job))

    def hold(self, seconds: float) -> None:
        """Hold a worker's next requests for jobs or stops so long while there is none."""
        self.platform.worker_api.hold = seconds

    def inject(self, route: Route, *faults: Fault) -> None:
        """Let the next requests of a route go wrong, one fault each, in this order."""
        self._do(lambda: self.platform.faults.inject(route, *faults))

    def choose_faults(self, choose: Callable[[Route], Fault | None]) -> None:
        """Ask `choose` what goes wrong with each request for which nothing was injected."""
        self.platform.faults.choose = choose

    def heal(self) -> None:
        """Let nothing go wrong any more."""
        self._do(self.platform.faults.heal)

    def seen(self, route: Route, job: Job | None = None) -> list[Request]:
        """The requests of a route so far, of one job if given."""
        requests = self._do(lambda: list(self.platform.requests))
        return [r for r in requests if r.route is route and (job is None or r.job_id == job.id)]

    def wait_for(self, condition: Callable[[], object], what: str, timeout: float = 10) -> None:
        """Return as soon as `condition` holds.

        Raises:
            TimeoutError: it does not within `timeout` real seconds; says `what`, and the jobs' states.
        """
        deadline = time.monotonic() + timeout
        while True:
            seen = self._changes
            # Without the lock: the condition may ask the event loop, which may just be telling of a change.
            if condition():
                return
            left = deadline - time.monotonic()
            if left <= 0:
                states = {job.id: str(job.status) for job in self.jobs.values()}
                raise TimeoutError(f"not within {timeout} s: {what}; jobs: {states}")
            with self._changed:
                if self._changes == seen:
                    self._changed.wait(min(left, _TICK))

    def wait_taken(self, job: Job, timeout: float = 10) -> None:
        """Return once a worker has taken the job."""
        self.wait_for(lambda: job.taken, f"{job.id} is taken", timeout)

    def wait_progress(self, job: Job, posts: int = 1, timeout: float = 10) -> None:
        """Return once so many progress posts of the job have come in."""
        self.wait_for(lambda: len(job.progress) >= posts, f"{posts} progress posts of {job.id}", timeout)

    def wait_result(self, job: Job, timeout: float = 10) -> dict[str, Any]:
        """Return what the worker posted as the job's first result."""
        self.wait_for(lambda: job.results, f"{job.id} is answered", timeout)
        return job.results[0].body

    async def _start(self) -> None:
        self.platform.changes.listen(self._tell)
        await self._stack.enter_async_context(self.platform)
        self._port = await self._stack.enter_async_context(listening(self.platform, self._host, self._port))

    def _tell(self) -> None:
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    def _close(self) -> None:
        try:
            self._await(self._stack.aclose())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_CALL_SECONDS)
            self._loop.close()

    def _do(self, call: Callable[[], T]) -> T:
        async def run() -> T:
            return call()

        return self._await(run())

    def _await(self, work: Awaitable[T]) -> T:
        async def run() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(_CALL_SECONDS)
