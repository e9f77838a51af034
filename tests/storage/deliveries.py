"""Deliveries as the worker asks for them, and buckets that fail."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ltx2_api.errors import WorkerError
from ltx2_api.record import object_name
from ltx2_worker.deadline import Deadline
from ltx2_worker.settings import Settings
from ltx2_worker.storage.destination import Destination
from ltx2_worker.storage.outbox import Outbox
from ltx2_worker.storage.publish import Publisher
from ltx2_worker.storage.record import Artifacts, Delivery, EarlierResult
from ltx2_worker.storage.s3_requests import RetryPolicy
from tests.storage.s3_server import Proxy, Request

JOB, DIGEST, RESULT = "0f3c-u1", "digest-of-the-input", {"seed": 7, "frames": 24}
#: One request, one attempt each: what the layers above do is then seen alone.
ONCE = RetryPolicy(requests=1, attempts=1)
TWICE = RetryPolicy(requests=1, attempts=2, first_wait=0.01)


def artifacts(video: Path, job: str = JOB, input_digest: str = DIGEST, **more: Any) -> Artifacts:
    """A job's files; `more` are the other arguments of `Artifacts`."""
    return Artifacts(object_name(job), job, input_digest, video, RESULT, **more)


def destination(publisher: Publisher, s3_config: object | None = None) -> Destination:
    """Where the video of a job goes."""
    chosen = publisher.destination(s3_config)
    assert chosen is not None
    return chosen


def deliver(
    publisher: Publisher,
    video: Path,
    deadline: Deadline,
    job: str = JOB,
    s3_config: object | None = None,
    **more: Any,
) -> Delivery:
    """Deliver one job's video, as the worker does."""
    return publisher.deliver(artifacts(video, job, **more), destination(publisher, s3_config), deadline)


def find(
    publisher: Publisher,
    deadline: Deadline,
    job: str = JOB,
    digest: str = DIGEST,
    s3_config: object | None = None,
) -> EarlierResult | None:
    """Look for an earlier run of a job, as the worker does."""
    return publisher.find(job, digest, destination(publisher, s3_config), deadline)


def is_upload(request: Request) -> bool:
    """Whether a request writes into the bucket."""
    return request.method in {"PUT", "POST"}


def ends_with(suffix: str) -> Callable[[Request], bool]:
    """A rule for the proxy: what is written under keys with this suffix."""
    return lambda request: is_upload(request) and request.path.endswith(suffix)


def outbox_folder(settings: Settings) -> Path:
    """Where the outbox of `bucket_settings` is."""
    return settings.work_dir.with_name("work-spool")


def outbox_of(settings: Settings) -> Outbox:
    """The outbox of `bucket_settings`."""
    return Outbox(outbox_folder(settings), 50, 10**9)


def kept(settings: Settings) -> list[str]:
    """The names of the jobs whose videos wait."""
    return [entry.artifacts.name for entry in outbox_of(settings).entries()]


def keep(publisher: Publisher, proxy: Proxy, video: Path, deadline: Deadline, *jobs: str) -> None:
    """Leave these jobs' videos in the outbox, in this order; the bucket refuses every upload from here on."""
    proxy.fail_always((503, "SlowDown"), where=is_upload)
    for job in jobs:
        with pytest.raises(WorkerError, match="it is kept"):
            deliver(publisher, video, deadline, job)
