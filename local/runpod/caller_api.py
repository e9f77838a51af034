"""The operations that callers use: /run, /runsync, /status, /stream, /cancel, /retry, /purge-queue, /health.

Source: docs.runpod.io, serverless/endpoints/operation-reference and send-requests, as of 2026-08-20. Where it
does not name a status code or a body, "decided here" stands beside ours.
"""

from collections.abc import Mapping

from local.runpod.changes import Changes
from local.runpod.faults import Request, Route
from local.runpod.job import Job, Policy, Status
from local.runpod.job_queue import JobQueue
from local.runpod.message import Call, Reply, refuse
from local.runpod.submission import RUN_BYTES, RUNSYNC_BYTES, BadRequest, parse
from local.runpod.workers import Workers

_DEFAULT_WAIT = 90_000
_WAIT_RANGE = (1_000, 300_000)
#: Jobs that may wait, as the documentation had it until 2025: beyond 500 for each worker, /run answers 429.
MOST_WAITING = 10_000

_METHODS: Mapping[Route, tuple[str, ...]] = {
    Route.RUN: ("POST",),
    Route.RUNSYNC: ("POST",),
    Route.STATUS: ("GET", "POST"),
    Route.STREAM: ("GET", "POST"),
    Route.CANCEL: ("POST",),
    Route.RETRY: ("POST",),
    Route.PURGE_QUEUE: ("POST",),
    Route.HEALTH: ("GET",),
}
ROUTES = frozenset(_METHODS)


class CallerApi:
    """What an endpoint answers its callers.

    Arguments:
        queue: its jobs.
        changes: awaited by /runsync.
        workers: counted by /health.
        policy: the endpoint's own, for jobs that state none.
    """

    def __init__(self, queue: JobQueue, changes: Changes, workers: Workers, policy: Policy) -> None:
        self._queue = queue
        self._changes = changes
        self._workers = workers
        self._policy = policy

    async def serve(self, request: Request, call: Call) -> Reply:
        """Answer one request; one that makes a job notes its id in `request.job_id`."""
        if call.method not in _METHODS[request.route]:
            return refuse(405, f"{request.route} takes {' or '.join(_METHODS[request.route])}")
        match request.route:
            case Route.RUN:
                return self._submit(request, call, RUN_BYTES)
            case Route.RUNSYNC:
                return await self._run_and_wait(request, call)
            case Route.PURGE_QUEUE:
                return Reply(200, {"removed": self._queue.purge(), "status": "completed"})
            case Route.HEALTH:
                return Reply(200, self._health())
        job = self._queue.jobs.get(request.job_id or "")
        return self._about(job, request) if job else refuse(404, "there is no such job")

    def _about(self, job: Job, request: Request) -> Reply:
        match request.route:
            case Route.CANCEL:
                return Reply(200, {"id": job.id, "status": str(self._queue.cancel(job))})
            case Route.RETRY:
                if not self._queue.retry(job):  # the code is decided here
                    return refuse(400, f"a job that is {job.status} cannot be retried")
                return Reply(200, {"id": job.id, "status": str(Status.IN_QUEUE)})
            case Route.STREAM:
                chunks, job.stream = job.stream, []
                return Reply(200, {"status": str(job.status), "stream": chunks})
        if request.query.get("ttl", "").isdigit():
            self._queue.set_life(job, int(request.query["ttl"]) / 1000)
        return Reply(200, job.for_caller())

    def _submit(self, request: Request, call: Call, most: int) -> Reply:
        if len(call.content) > most:  # the code is decided here
            return refuse(413, f"the body is larger than {most // 1024 // 1024} MB")
        if self._queue.waiting >= MOST_WAITING:
            return refuse(429, "too many jobs wait")
        try:
            submission = parse(call.content, self._policy, is_sync=request.route is Route.RUNSYNC)
        except BadRequest as bad:
            return refuse(400, str(bad))
        job = self._queue.submit(submission)
        request.job_id = job.id
        return Reply(200, {"id": job.id, "status": str(Status.IN_QUEUE)})

    async def _run_and_wait(self, request: Request, call: Call) -> Reply:
        wait = request.query.get("wait", str(_DEFAULT_WAIT))
        if not wait.isdigit() or not _WAIT_RANGE[0] <= int(wait) <= _WAIT_RANGE[1]:
            return refuse(400, f"wait must be {_WAIT_RANGE[0]} to {_WAIT_RANGE[1]} milliseconds")
        reply = self._submit(request, call, RUNSYNC_BYTES)
        if reply.status != 200:
            return reply
        job = self._queue.jobs[request.job_id or ""]
        await self._changes.wait_for(
            lambda: job.status.is_final or job.id not in self._queue.jobs, int(wait) / 1000
        )
        return Reply(200, job.for_caller())

    def _health(self) -> dict[str, dict[str, int]]:
        counts, running = self._queue.counts, self._queue.in_hand()
        jobs = {
            "completed": counts[Status.COMPLETED],
            "failed": counts[Status.FAILED],
            "inProgress": len(running),
            "inQueue": self._queue.waiting,
            "retried": counts["retried"],
        }
        return {"jobs": jobs, "workers": self._workers.count({job.worker_id for job in running})}
