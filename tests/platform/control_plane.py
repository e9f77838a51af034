"""RunPod's queue on loopback, for tests: what the SDK's loop takes jobs from and reports to, faults included.

Spoken as runpod 1.12.0 speaks it (its serverless/modules rp_job.py, rp_http.py and rp_ping.py): job-take and
job-take-batch hold a request until there is a job or answer 204; job-done gets progress and results at one
address, told apart by status IN_PROGRESS; job-stop holds until there is an id to stop; ping carries the ids
in hand.
What RunPod does not document is decided here: a job whose delivery failed goes back to the head of the queue.
"""

import itertools
import json
import select
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

API_KEY = "control-plane-key"
WORKER_ID = "worker-under-test"
HOST_NAME = "pod-host-under-test"
_TICK = 0.1


class Route(StrEnum):
    """What a request is for; progress and results share RunPod's job-done address."""

    TAKE = "job-take"
    TAKE_BATCH = "job-take-batch"
    PROGRESS = "progress"
    RESULT = "result"
    STREAM = "job-stream"
    STOP = "job-stop"
    PING = "ping"


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request.

    Attributes:
        status: answered instead of serving the request.
        delay: seconds before anything happens.
        served: whether the request has its effect.
        answered: whether the worker hears of it; otherwise the connection is closed.
    """

    status: int | None = None
    delay: float = 0
    served: bool = True
    answered: bool = True


def refused(status: int) -> Fault:
    """Answer with an error."""
    return Fault(status=status, served=False)


def slow(seconds: float) -> Fault:
    """Serve after so many seconds."""
    return Fault(delay=seconds)


def unanswered(seconds: float) -> Fault:
    """Say nothing for so many seconds, then close the connection: the request had no effect."""
    return Fault(delay=seconds, served=False, answered=False)


LOST_REPLY = Fault(answered=False)


@dataclass(frozen=True)
class Request:
    """One request as it arrived; `at` is time.monotonic()."""

    at: float
    route: Route
    job_id: str | None
    query: dict[str, str]
    body: Any
    fault: Fault | None


@dataclass(frozen=True)
class Post:
    """Something a worker said about a job, at the time it took effect."""

    at: float
    body: dict[str, Any]


@dataclass
class PlatformJob:
    """One job as the platform sees it; `posts` holds progress and results in the order they took effect."""

    id: str
    input: Any
    taken: list[float] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)

    @property
    def progress(self) -> list[Post]:
        return [post for post in self.posts if post.body.get("status") == "IN_PROGRESS"]

    @property
    def results(self) -> list[Post]:
        """Every time the job was answered; a retried post counts again."""
        return [post for post in self.posts if post.body.get("status") != "IN_PROGRESS"]

    @property
    def result(self) -> dict[str, Any]:
        """The one answer; a job that was answered never, or twice, fails the test."""
        assert len(self.results) == 1, f"job {self.id} was answered {len(self.results)} times"
        return self.results[0].body

    @property
    def shown_status(self) -> str:
        """What a caller would be shown: the platform believes the last post."""
        if not self.posts:
            return "IN_PROGRESS" if self.taken else "IN_QUEUE"
        last = self.posts[-1].body
        return str(last.get("status") or ("FAILED" if "error" in last else "COMPLETED"))


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
        self._server = _Server(self)

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

    def submit(self, job_input: Any, job_id: str | None = None) -> PlatformJob:
        """Queue a job; the same id again queues the same job again."""
        with self._changed:
            job_id = job_id or f"job-{next(self._numbers)}"
            job = self.jobs.setdefault(job_id, PlatformJob(job_id, job_input))
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


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, plane: ControlPlane) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.plane = plane

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Workers are killed in tests: a connection that they broke is no news."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """HTTP in front of ControlPlane: /v2/<endpoint>/<route>/<worker>[/<job>]?<query>."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._serve(None)

    def do_POST(self) -> None:
        self._serve(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Requests are kept in `ControlPlane.requests`, not printed."""

    def _serve(self, body: Any) -> None:
        url = urlsplit(self.path)
        name, worker_id, *rest = url.path.removeprefix("/v2/endpoint/").split("/")
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        if self.headers.get("Authorization") != API_KEY or worker_id != WORKER_ID:
            self._answer(401, None)
            return
        if name == "job-done":
            name = Route.PROGRESS if body.get("status") == "IN_PROGRESS" else Route.RESULT
        route, job_id = Route(name), rest[0] if rest else None
        fault = self.server.plane.receive(route, job_id, query, body) or Fault()
        if fault.status is not None:
            self._answer(fault.status, None)
            return
        delivered: list[PlatformJob] = []
        try:
            status, answer = (
                self._effect(route, job_id, query, body, delivered) if fault.served else (200, None)
            )
            if not fault.answered:
                raise ConnectionAbortedError
            self._answer(status, answer)
        except OSError:
            self.server.plane.put_back(delivered)
            self._hang_up()

    def _effect(
        self, route: Route, job_id: str | None, query: dict[str, str], body: Any, delivered: list[PlatformJob]
    ) -> tuple[int, Any]:
        plane = self.server.plane
        match route:
            case Route.TAKE | Route.TAKE_BATCH:
                delivered += plane.take(int(query.get("batch_size", 1)), self._client_gone)
                jobs = [{"id": job.id, "input": job.input} for job in delivered]
                return (200, jobs if route is Route.TAKE_BATCH else jobs[0]) if jobs else (204, None)
            case Route.STOP:
                stops = plane.take_stops(self._client_gone)
                return (200, {"jobsToStop": stops}) if stops else (204, None)
            case Route.PROGRESS | Route.RESULT:
                return (200, {}) if plane.post(job_id or "", body) else (404, None)
            case Route.STREAM | Route.PING:
                return 200, {}

    def _answer(self, status: int, body: Any) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(content)

    def _client_gone(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def _hang_up(self) -> None:
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the worker was first
