"""RunPod's queue on loopback, for tests: what the SDK's loop takes jobs from and reports to, faults included.

What RunPod does not document is decided here: a job whose delivery failed goes back to the head of the queue.
"""

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from tests.platform.control_http import API_KEY, WORKER_ID, ControlServer
from tests.platform.messages import Fault, PlatformJob, Post, Request, Route

HOST_NAME = "pod-host-under-test"
_TICK = 0.1


class ControlPlane:
    """The queue of one endpoint with one worker.

    Arguments:
        hold: seconds that a request for jobs or stops is held when there is none.
    """

    def __init__(self, hold: float = 1.0) -> None:
        self.hold = hold
        self.requests: list[Request] = []
        self.jobs: dict[str, PlatformJob] = {}
        self._queue: deque[PlatformJob] = deque()
        self._stops: list[str] = []
        self._faults: dict[Route, deque[Fault]] = {route: deque() for route in Route}
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._server = ControlServer(self)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(_TICK,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def environment(self) -> dict[str, str]:
        """What RunPod gives a worker, without the SDK's checks that need a network or a GPU."""
        base = f"http://127.0.0.1:{self._server.server_port}/v2/endpoint"
        return {
            "RUNPOD_WEBHOOK_GET_JOB": f"{base}/job-take/$ID?gpu=none",
            "RUNPOD_WEBHOOK_POST_OUTPUT": f"{base}/job-done/$RUNPOD_POD_ID/$ID?gpu=none",
            "RUNPOD_WEBHOOK_POST_STREAM": f"{base}/job-stream/$RUNPOD_POD_ID/$ID?gpu=none",
            "RUNPOD_WEBHOOK_PING": f"{base}/ping/$RUNPOD_POD_ID",
            "RUNPOD_PING_INTERVAL": "1000",
            "RUNPOD_AI_API_KEY": API_KEY,
            "RUNPOD_POD_ID": WORKER_ID,
            "RUNPOD_POD_HOSTNAME": HOST_NAME,
            "RUNPOD_ENDPOINT_ID": "endpoint",
            "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
            "RUNPOD_SKIP_GPU_CHECK": "true",
        }

    def submit(self, job_input: Any, job_id: str | None = None, **beside: Any) -> PlatformJob:
        """Queue a job, with what is sent beside its input; the same id again queues the same job again."""
        with self._changed:
            job_id = job_id or f"job-{next(self._numbers)}"
            job = self.jobs.setdefault(job_id, PlatformJob(job_id, job_input, beside))
            self._queue.append(job)
            self._changed.notify_all()
            return job

    def stop(self, job: PlatformJob) -> None:
        """Tell the worker to stop a job; one that still waits here is taken off the queue."""
        with self._changed:
            if job in self._queue:
                self._queue.remove(job)
            else:
                self._stops.append(job.id)
            self._changed.notify_all()

    def inject(self, route: Route, *faults: Fault) -> None:
        """Let the next requests of a route go wrong, one fault each, in this order."""
        with self._changed:
            self._faults[route].extend(faults)

    def heal(self) -> None:
        """Let nothing go wrong any more."""
        with self._changed:
            for faults in self._faults.values():
                faults.clear()

    def seen(self, route: Route, job: PlatformJob | None = None) -> list[Request]:
        """The requests of a route so far, of one job if given."""
        with self._changed:
            return [r for r in self.requests if r.route is route and (job is None or r.job_id == job.id)]

    def wait_for(self, condition: Callable[[], object], what: str, timeout: float = 10) -> None:
        """Return as soon as `condition` holds; fail the test with `what` after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not condition():
                left = deadline - time.monotonic()
                assert left > 0, f"not within {timeout} s: {what}; jobs: {self._states()}"
                self._changed.wait(min(left, _TICK))

    def wait_taken(self, job: PlatformJob, timeout: float = 10) -> None:
        self.wait_for(lambda: job.taken, f"{job.id} is taken", timeout)

    def wait_progress(self, job: PlatformJob, posts: int = 1, timeout: float = 10) -> None:
        self.wait_for(lambda: len(job.progress) >= posts, f"{posts} progress posts of {job.id}", timeout)

    def wait_result(self, job: PlatformJob, timeout: float = 10) -> dict[str, Any]:
        self.wait_for(lambda: job.results, f"{job.id} is answered", timeout)
        return job.results[0].body

    def _states(self) -> dict[str, str]:
        return {
            job.id: f"{job.shown_status}, {len(job.progress)} progress posts" for job in self.jobs.values()
        }

    def receive(self, route: Route, job_id: str | None, query: dict[str, str], body: Any) -> Fault | None:
        """Write a request down; returns what is to go wrong with it."""
        with self._changed:
            faults = self._faults[route]
            fault = faults.popleft() if faults else None
            self.requests.append(Request(time.monotonic(), route, job_id, query, body, fault))
            self._changed.notify_all()
        if fault:
            self._closing.wait(fault.delay)
        return fault

    def take(self, at_most: int, gone: Callable[[], bool]) -> list[PlatformJob]:
        """The next jobs, waiting for one as long as requests are held; none for a worker that hung up."""
        with self._changed:
            self._hold_until(lambda: self._queue, gone)
            if gone():
                return []
            jobs = [self._queue.popleft() for _ in range(min(at_most, len(self._queue)))]
            for job in jobs:
                job.taken.append(time.monotonic())
            self._changed.notify_all()
            return jobs

    def put_back(self, jobs: list[PlatformJob]) -> None:
        """Undo a delivery that did not arrive."""
        with self._changed:
            for job in reversed(jobs):
                job.taken.pop()
                self._queue.appendleft(job)
            self._changed.notify_all()

    def take_stops(self, gone: Callable[[], bool]) -> list[str]:
        """The ids to stop, waiting for one as long as requests are held."""
        with self._changed:
            self._hold_until(lambda: self._stops, gone)
            if gone():
                return []
            stops, self._stops = self._stops, []
            return stops

    def post(self, job_id: str, body: dict[str, Any]) -> bool:
        """Let progress or a result take effect; False for a job that does not exist."""
        with self._changed:
            job = self.jobs.get(job_id)
            if job:
                job.posts.append(Post(time.monotonic(), body))
                self._changed.notify_all()
            return job is not None

    def _hold_until(self, ready: Callable[[], object], gone: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self.hold
        while not (ready() or gone() or self._closing.is_set()) and time.monotonic() < deadline:
            self._changed.wait(_TICK)
