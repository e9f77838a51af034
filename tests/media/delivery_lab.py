"""Deliveries that fail: one job, how often a bucket is tried, and what was kept."""

from pathlib import Path

import pytest
from s3_lab import Proxy, Request

from ltx2_api.errors import WorkerError
from ltx2_worker.deadline import Deadline
from ltx2_worker.settings import Settings
from ltx2_worker.storage.publish import Publisher
from ltx2_worker.storage.spool import Spool
from ltx2_worker.storage.store_s3 import Patience

JOB, DIGEST, RESULT = "0f3c-u1", "digest-of-the-input", {"seed": 7}
#: One request, one attempt each: what the layers above do is then seen alone.
ONCE = Patience(requests=1, attempts=1)
TWICE = Patience(requests=1, attempts=2, first_wait=0.01)


def is_upload(request: Request) -> bool:
    return request.method in {"PUT", "POST"}


def spool_of(settings: Settings) -> Spool:
    return Spool(settings.work_dir.with_name("work-spool"), 50, 10**9)


def keep(publisher: Publisher, proxy: Proxy, video: Path, deadline: Deadline, *jobs: str) -> None:
    """Leave these jobs' videos in the spool, in this order; the bucket refuses every upload from here on."""
    proxy.fail_always((503, "SlowDown"), where=is_upload)
    for job in jobs:
        with pytest.raises(WorkerError, match="it is kept"):
            publisher.deliver(job, DIGEST, video, RESULT, deadline)
