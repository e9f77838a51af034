"""RunPod's public REST API: what is sent, and what its answers mean. No I/O.

Source: docs.runpod.io, serverless/endpoints (send-requests, operation-reference, job-states), 2026-08.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pydantic import SecretStr, ValidationError

from .errors import BadReply, Ltx2Error, NotFound, RateLimited, Refused, Unauthorized
from .models import Health, State, Status
from .strangers import is_job_id, on_one_line, read_json
from .wire import Reply, Request

#: RunPod's address; an emulator has another.
PUBLIC_URL = "https://api.runpod.ai/v2"
#: RunPod's limit for the body of `/run`, in bytes.
MOST_BODY_BYTES = 10_000_000


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
    if not is_job_id(job_id):
        raise BadReply("RunPod's answer holds no job id.")
    return str(job_id)


def status_of(reply: Reply) -> Status:
    """A job's status out of the answer to `/status`; raises `BadReply`."""
    body = _json(reply)
    try:
        return read_status(body)
    except ValueError as error:
        raise BadReply("RunPod's answer is not a job's status.") from error


def read_status(body: Mapping[str, Any]) -> Status:
    """A status out of RunPod's JSON, as `/status` answers it and a webhook brings it; raises `ValueError`."""
    if not is_job_id(body.get("id")):
        raise ValueError("it is no job's")
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
    plain = text.isascii() and text.replace(".", "", 1).isdigit()
    return min(float(text), 3600.0) if plain else None


def _said(reply: Reply) -> str:
    """What a refusal says about itself, short and on one line."""
    try:
        body = read_json(reply.body)
    except ValueError:
        return ""
    text = body.get("error") or body.get("message") if isinstance(body, dict) else None
    if not isinstance(text, str):
        return ""
    return ": " + on_one_line(text[:200]).rstrip(". ")


def _seconds(milliseconds: object) -> float | None:
    number = isinstance(milliseconds, int | float) and not isinstance(milliseconds, bool)
    return milliseconds / 1000 if number else None  # type: ignore[operator]


def _json(reply: Reply) -> dict[str, Any]:
    try:
        body = read_json(reply.body)
    except ValueError as error:
        raise BadReply("RunPod's answer is not JSON.") from error
    if not isinstance(body, dict):
        raise BadReply("RunPod's answer is not a JSON object.")
    return body
