"""The emulated platform: one endpoint, its queue and its two APIs, on one event loop and without HTTP."""

import hmac
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from local.runpod import caller_api, worker_api
from local.runpod.changes import Changes
from local.runpod.clock import Clock, FakeClock, LoopClock
from local.runpod.faults import Fault, Faults, Request, Route
from local.runpod.job import Job, Policy, Status
from local.runpod.job_queue import JobQueue
from local.runpod.message import Call, HangUp, Reply, refuse
from local.runpod.rates import RATES, Rate, RateLimiter, TooManyRequests
from local.runpod.webhooks import Webhooks
from local.runpod.workers import Workers

#: What workers show instead of a caller's key.
WORKER_KEY = "worker-key"
WORKER_ID = "emulated-worker"
HOST_NAME = "emulated-pod-host"


@dataclass(frozen=True)
class Options:
    """How the platform is set up.

    Attributes:
        endpoint_id: names the endpoint in its address.
        key: what callers must show; None lets everybody in.
        policy: the endpoint's own time-outs, for jobs that state none.
        rates: requests allowed, by operation.
        hold: seconds that a worker's request for jobs or stops is held while there is none.
        remember: how many requests are kept for `Platform.requests`, at most.
        worker_key: what workers must show; None lets every one in that was registered.
    """

    endpoint_id: str = "ltx2"
    key: str | None = None
    policy: Policy = field(default_factory=Policy)
    rates: Mapping[Route, Rate] = field(default_factory=lambda: RATES)
    hold: float = 1.0
    remember: int = 100_000
    worker_key: str | None = WORKER_KEY


class Platform:
    """RunPod, as its callers and its workers see it.

    Use it as an async context manager, on one event loop; `Emulator` has one in a thread of its own.

    Attributes:
        on_status: each is called with a job whenever its status has changed.

    Arguments:
        options: how it is set up.
        clock: the time; the event loop's if left out.
    """

    def __init__(self, options: Options | None = None, clock: Clock | None = None) -> None:
        self.options = options or Options()
        self.clock = clock or LoopClock()
        self.changes = Changes(self.clock)
        self.faults = Faults()
        self.webhooks = Webhooks(self.clock, self.faults)
        self.on_status: list[Callable[[Job], None]] = [self._send_webhook]
        self.queue = JobQueue(self.clock, self.changes, self._tell_status)
        self.workers = Workers()
        self.requests: deque[Request] = deque(maxlen=self.options.remember)
        self.callers = caller_api.CallerApi(self.queue, self.changes, self.workers, self.options.policy)
        self.worker_api = worker_api.WorkerApi(self.queue, self.changes, self.workers, self.options.hold)
        self._rates = RateLimiter(self.options.rates)

    async def __aenter__(self) -> Self:
        await self.webhooks.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.webhooks.stop()

    async def advance(self, seconds: float) -> None:
        """Move a `FakeClock` forward; webhooks that are due on the way are answered first."""
        assert isinstance(self.clock, FakeClock), "only a FakeClock can be moved"
        await self.clock.advance(seconds, self.webhooks.settle)

    def job(self, job_id: str) -> Job | None:
        """The job with this id; None if RunPod does not know it (any more)."""
        return self.queue.jobs.get(job_id)

    async def serve(self, call: Call) -> Reply:
        """Answer one request.

        Raises:
            HangUp: the connection is to be closed without an answer.
        """
        parts = call.path.strip("/").split("/")
        if parts[:2] != ["v2", self.options.endpoint_id] or len(parts) < 3:
            return refuse(404, f"there is nothing here; the endpoint is /v2/{self.options.endpoint_id}")
        name, arguments = parts[2], parts[3:]
        if name in caller_api.ROUTES:
            return await self._serve_caller(Route(name), arguments, call)
        if name in worker_api.ROUTES or name == worker_api.JOB_DONE:
            return await self._serve_worker(name, arguments, call)
        return refuse(404, f"there is no operation {name}")

    async def _serve_caller(self, route: Route, arguments: list[str], call: Call) -> Reply:
        request = self._note(route, arguments[0] if arguments else None, call)
        fault = await self._fault(request)
        if fault.status is not None:
            return Reply(fault.status, {"error": "a fault that was asked for"}, dict(fault.headers))
        reply = Reply(200)
        if fault.served:
            reply = await self._admit_caller(request, call)
        if not fault.answered:
            raise HangUp
        return reply

    async def _admit_caller(self, request: Request, call: Call) -> Reply:
        key = self.options.key
        # RunPod's own examples send the key bare as well as after "Bearer".
        shown = call.headers.get("authorization", "").removeprefix("Bearer ")
        if key is not None and not hmac.compare_digest(shown.encode(), key.encode()):
            return refuse(401, "the API key is wrong or missing")
        try:
            with self._rates.admit(request.route, self.clock.now()):
                return await self.callers.serve(request, call)
        except TooManyRequests:
            return refuse(429, "too many requests")

    async def _serve_worker(self, name: str, arguments: list[str], call: Call) -> Reply:
        worker_id = arguments[0] if arguments else ""
        job_id = arguments[1] if len(arguments) > 1 else None
        key = self.options.worker_key
        shown = call.headers.get("authorization")
        if not self.workers.is_known(worker_id) or (key is not None and key != shown):
            return Reply(401)
        body = _parsed(call.content)
        if name == worker_api.JOB_DONE:
            if not isinstance(body, dict):
                return Reply(400)
            name = Route.PROGRESS if body.get("status") == "IN_PROGRESS" else Route.RESULT
        request = self._note(Route(name), job_id, call, body)
        fault = await self._fault(request)
        if fault.status is not None:
            return Reply(fault.status, None, dict(fault.headers))
        reply = await self.worker_api.serve(request, worker_id) if fault.served else Reply(200)
        if not fault.answered:
            if reply.undo:
                reply.undo()
            raise HangUp
        return reply

    def _tell_status(self, job: Job) -> None:
        for listener in self.on_status:
            listener(job)

    def _send_webhook(self, job: Job) -> None:
        # Whether RunPod sends one for a cancelled job is not documented; its caller knows (decided here).
        if job.status.is_final and job.status is not Status.CANCELLED:
            self.webhooks.send(job)

    def _note(self, route: Route, job_id: str | None, call: Call, body: Any = None) -> Request:
        body = _parsed(call.content) if body is None else body
        fault = self.faults.next(route)
        request = Request(self.clock.now(), route, job_id, dict(call.query), body, fault)
        self.requests.append(request)
        self.changes.tell()
        return request

    async def _fault(self, request: Request) -> Fault:
        fault = request.fault or Fault()
        if fault.delay:
            await self.clock.sleep(fault.delay)
        return fault


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return None
