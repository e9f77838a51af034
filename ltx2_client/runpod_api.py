"""RunPod's public REST API: what is sent, and what its answers mean. No I/O.

Source: docs.runpod.io, serverless/endpoints (send-requests, operation-reference, job-states), 2026-08.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from .errors import BadReply, Ltx2Error, NotFound, RateLimited, Refused, Unauthorized
from .wire import Reply, Request

#: RunPod's address; an emulator has another.
PUBLIC_URL = "https://api.runpod.ai/v2"
#: RunPod's limit for the body of `/run`, in bytes.
MOST_BODY_BYTES = 10_000_000


class State(StrEnum):
    """A job's states at RunPod. An unknown one that is not final counts as IN_PROGRESS."""

    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"

    @property
    def final(self) -> bool:
        """Whether nothing more will happen to the job by itself."""
        return self not in {State.IN_QUEUE, State.IN_PROGRESS}


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Policy(_Sent):
    """How RunPod treats one job.

    RunPod deletes a job when its `ttl` ends, even one that runs: its status is 404 from then on.
    """

    ttl: float = Field(6 * 3600, ge=10, le=604_800, description="Seconds from submission until deletion.")
    execution_timeout: float | None = Field(
        None, ge=5, le=604_800, description="Seconds of running; default: the endpoint's."
    )
    low_priority: bool = Field(False, description="Start no worker for this job alone.")

    def as_json(self) -> dict[str, Any]:
        """RunPod's own form, in milliseconds."""
        policy: dict[str, Any] = {"ttl": round(self.ttl * 1000)}
        if self.execution_timeout is not None:
            policy["executionTimeout"] = round(self.execution_timeout * 1000)
        return policy | ({"lowPriority": True} if self.low_priority else {})


class JobBucket(_Sent):
    """The caller's own bucket for one job, where the operator allows that (RunPod's `s3Config`)."""

    endpoint_url: str = Field(description="Public https address of the store.")
    bucket_name: str
    access_key_id: SecretStr
    secret_access_key: SecretStr

    def as_json(self) -> dict[str, str]:
        """RunPod's own form, secrets included."""
        return {
            "endpointUrl": self.endpoint_url,
            "bucketName": self.bucket_name,
            "accessId": self.access_key_id.get_secret_value(),
            "accessSecret": self.secret_access_key.get_secret_value(),
        }


class _Heard(BaseModel):
    """Answers of a party that may say more tomorrow: what is not known is left out."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class WorkerCounts(_Heard):
    """Workers of an endpoint by what they do."""

    idle: int = 0
    initializing: int = 0
    ready: int = 0
    running: int = 0
    throttled: int = 0
    unhealthy: int = 0

    @property
    def total(self) -> int:
        """Workers that exist or are coming; a throttled one waits for a machine."""
        return self.idle + self.initializing + self.ready + self.running + self.throttled


class JobCounts(_Heard):
    """Jobs of an endpoint by state."""

    completed: int = 0
    failed: int = 0
    in_progress: int = Field(0, alias="inProgress")
    in_queue: int = Field(0, alias="inQueue")
    retried: int = 0


class Health(_Heard):
    """What an endpoint has to do, and with how many workers."""

    jobs: JobCounts = JobCounts()
    workers: WorkerCounts = WorkerCounts()

    def why_waiting(self) -> str:
        """One sentence about why a job of this endpoint still waits."""
        workers = self.workers
        if workers.total == 0:
            return (
                "The endpoint has no workers: RunPod sets an endpoint that was idle for days to 0 workers "
                "at most; raise its maximum."
            )
        if workers.throttled == workers.total:
            return "RunPod has no free GPU of the endpoint's kind at the moment."
        if workers.running == 0 and workers.initializing:
            return "A worker is starting."
        return f"{self.jobs.in_queue} jobs wait for {workers.running or workers.total} workers."


class Status(_Heard):
    """What RunPod says of a job; `output` is progress while it runs, and the reply when it has ended."""

    id: str
    state: State
    output: Any = None
    error: str | None = None
    delay_seconds: float | None = None
    execution_seconds: float | None = None
    worker_id: str | None = None


@dataclass(frozen=True)
class Address:
    """One endpoint, and the key to it; builds every request.

    Arguments:
        url: RunPod's API, such as `PUBLIC_URL`.
        endpoint: the endpoint's id.
        key: RunPod's API key.
        timeout: seconds without any byte after which a request is given up.
    """

    url: str
    endpoint: str
    key: SecretStr
    timeout: float = 30.0

    def run(self, body: Mapping[str, Any]) -> Request:
        """The request that submits a job."""
        return self._request("POST", "run", body, fresh=True)

    def status(self, job_id: str) -> Request:
        """The request that asks after a job."""
        return self._request("GET", f"status/{quote(job_id, safe='')}")

    def cancel(self, job_id: str) -> Request:
        """The request that cancels a job; harmless when sent twice."""
        return self._request("POST", f"cancel/{quote(job_id, safe='')}", {})

    def retry(self, job_id: str) -> Request:
        """The request that runs a failed job again under its own id."""
        return self._request("POST", f"retry/{quote(job_id, safe='')}", {}, fresh=True)

    def health(self) -> Request:
        """The request for the endpoint's workers and jobs."""
        return self._request("GET", "health")

    def purge_queue(self) -> Request:
        """The request that removes everybody's waiting jobs."""
        return self._request("POST", "purge-queue", {})

    def _request(
        self, method: Any, route: str, body: Mapping[str, Any] | None = None, *, fresh: bool = False
    ) -> Request:
        headers = {"Authorization": f"Bearer {self.key.get_secret_value()}", "Accept": "application/json"}
        content = None
        if body is not None:
            content = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
            headers["Content-Type"] = "application/json"
        url = f"{self.url.rstrip('/')}/{quote(self.endpoint, safe='')}/{route}"
        return Request(method, url, headers, content, self.timeout, fresh)


def job_id_of(reply: Reply) -> str:
    """The id of the job that `/run` or `/retry` answers with; raises `BadReply` without one."""
    job_id = _json(reply).get("id")
    if not isinstance(job_id, str) or not job_id:
        raise BadReply("RunPod's answer holds no job id.")
    return job_id


def status_of(reply: Reply) -> Status:
    """A job's status out of the answer to `/status`; raises `BadReply`."""
    body = _json(reply)
    try:
        return read_status(body)
    except ValidationError as error:
        raise BadReply("RunPod's answer is not a job's status.") from error


def read_status(body: Mapping[str, Any]) -> Status:
    """A status out of RunPod's JSON, as `/status` answers it and a webhook brings it."""
    named = str(body.get("status", ""))
    state = State(named) if named in State.__members__ else State.IN_PROGRESS
    error = body.get("error")
    return Status.model_validate(
        {
            "id": body.get("id"),
            "state": state,
            "output": body.get("output"),
            "error": error if error is None or isinstance(error, str) else json.dumps(error),
            "delay_seconds": _seconds(body.get("delayTime")),
            "execution_seconds": _seconds(body.get("executionTime")),
            "worker_id": body.get("workerId") if isinstance(body.get("workerId"), str) else None,
        }
    )


def health_of(reply: Reply) -> Health:
    """The answer to `/health`; raises `BadReply`."""
    try:
        return Health.model_validate(_json(reply))
    except ValidationError as error:
        raise BadReply("RunPod's answer does not tell the endpoint's health.") from error


def removed_of(reply: Reply) -> int:
    """How many jobs the answer to `/purge-queue` says were removed; raises `BadReply`."""
    removed = _json(reply).get("removed")
    if not isinstance(removed, int):
        raise BadReply("RunPod did not say how many jobs were removed.")
    return removed


def refusal(reply: Reply, what: str) -> Ltx2Error | None:
    """The error that a reply stands for; None for a success.

    Arguments:
        what: what was asked, such as "the job" or "its status", for the sentence.
    """
    status = reply.status
    if 200 <= status < 300:
        return None
    if status in {401, 403}:
        return Unauthorized(
            f"RunPod refused the API key (HTTP {status}): it is wrong, or not for this endpoint."
        )
    if status == 404:
        return NotFound("RunPod has no such endpoint, or not under this API key (HTTP 404).")
    if status == 429:
        return RateLimited(
            "RunPod's limit on requests is exceeded (HTTP 429).", retry_after=retry_after(reply)
        )
    return Refused(f"RunPod refused {what} with HTTP {status}{_said(reply)}.", status=status)


def retry_after(reply: Reply) -> float | None:
    """The seconds of a `Retry-After` header; a date in it is not read, as RunPod sends none."""
    text = reply.headers.get("retry-after", "").strip()
    return min(float(text), 3600.0) if text.replace(".", "", 1).isdigit() else None


def _said(reply: Reply) -> str:
    """What a refusal says about itself, short and on one line."""
    try:
        body = json.loads(reply.body)
    except ValueError:
        return ""
    text = body.get("error") or body.get("message") if isinstance(body, dict) else None
    if not isinstance(text, str):
        return ""
    return ": " + "".join(letter if letter.isprintable() else " " for letter in text)[:200].rstrip(". ")


def _seconds(milliseconds: object) -> float | None:
    number = isinstance(milliseconds, int | float) and not isinstance(milliseconds, bool)
    return milliseconds / 1000 if number else None  # type: ignore[operator]


def _json(reply: Reply) -> dict[str, Any]:
    try:
        body = json.loads(reply.body)
    except ValueError as error:
        raise BadReply("RunPod's answer is not JSON.") from error
    if not isinstance(body, dict):
        raise BadReply("RunPod's answer is not a JSON object.")
    return body
