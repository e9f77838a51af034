"""The queue protocol that workers speak, as runpod 1.12.0 does.

Source: its serverless/modules rp_job.py, rp_http.py, rp_ping.py and rp_scale.py. job-take and job-take-batch
hold a request until there is a job, or answer 204; job-done gets progress and results at one address, told
apart by the status IN_PROGRESS; job-stop holds until there is an id to stop; ping carries the ids in hand.
"""

from local.runpod.changes import Changes
from local.runpod.faults import Request, Route
from local.runpod.job_queue import JobQueue
from local.runpod.message import Reply
from local.runpod.workers import Workers

ROUTES = frozenset({Route.TAKE, Route.TAKE_BATCH, Route.STREAM_POST, Route.STOP, Route.PING})
JOB_DONE = "job-done"


class WorkerApi:
    """What the platform answers workers.

    Arguments:
        hold: seconds that a request for jobs or stops is held while there is none; may be changed any time.
    """

    def __init__(self, queue: JobQueue, changes: Changes, workers: Workers, hold: float) -> None:
        self.hold = hold
        self._queue = queue
        self._changes = changes
        self._workers = workers

    async def serve(self, request: Request, worker_id: str) -> Reply:
        """Answer one request of a worker."""
        match request.route:
            case Route.TAKE | Route.TAKE_BATCH:
                return await self._take(request, worker_id)
            case Route.STOP:
                if not await self._changes.wait_for(lambda: self._queue.stops_for(worker_id), self.hold):
                    return Reply(204)
                return Reply(200, {"jobsToStop": self._queue.take_stops(worker_id)})
            case Route.PROGRESS | Route.RESULT:
                known = self._queue.post(request.job_id or "", request.body)
                return Reply(200, {}) if known else Reply(404)
            case Route.STREAM_POST:
                known = self._queue.add_to_stream(request.job_id or "", request.body)
                return Reply(200, {}) if known else Reply(404)
        return Reply(200, {})  # a ping

    async def _take(self, request: Request, worker_id: str) -> Reply:
        self._workers.ask(worker_id)
        if not await self._changes.wait_for(lambda: self._queue.waiting, self.hold):
            return Reply(204)
        taken = self._queue.take(worker_id, int(request.query.get("batch_size", "1")))
        jobs = [job.for_worker() for job in taken]
        body = jobs if request.route is Route.TAKE_BATCH else jobs[0]
        return Reply(200, body, undo=lambda: self._queue.put_back(taken))


def environment(base_url: str, worker_id: str, key: str, host_name: str) -> dict[str, str]:
    """What RunPod gives a worker, without the SDK's checks that need a network or a GPU.

    Arguments:
        base_url: of the endpoint, such as http://127.0.0.1:8000/v2/ltx2.
        worker_id: RunPod's pod id.
        key: what the worker shows as its own.
        host_name: the pod's.
    """
    return {
        "RUNPOD_WEBHOOK_GET_JOB": f"{base_url}/job-take/$ID?gpu=none",
        "RUNPOD_WEBHOOK_POST_OUTPUT": f"{base_url}/job-done/$RUNPOD_POD_ID/$ID?gpu=none",
        "RUNPOD_WEBHOOK_POST_STREAM": f"{base_url}/job-stream/$RUNPOD_POD_ID/$ID?gpu=none",
        "RUNPOD_WEBHOOK_PING": f"{base_url}/ping/$RUNPOD_POD_ID",
        "RUNPOD_PING_INTERVAL": "1000",
        "RUNPOD_AI_API_KEY": key,
        "RUNPOD_POD_ID": worker_id,
        "RUNPOD_POD_HOSTNAME": host_name,
        "RUNPOD_ENDPOINT_ID": base_url.rsplit("/", 1)[-1],
        "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
        "RUNPOD_SKIP_GPU_CHECK": "true",
    }
