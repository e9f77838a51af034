"""What goes to RunPod beside a job, and what it says of jobs and endpoints."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr


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
