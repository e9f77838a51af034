"""The jobs that platform tests give to the real worker, and how to see where they are."""

import itertools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from local.runpod import Job
from tests.platform.worker_process import WorkerProcess

PREVIEW = {"prompt": "A cat purrs on a warm window sill.", "preview": True}
#: Goes all the way through the platform and asks nothing of the engine.
DRY_RUN = PREVIEW | {"dry_run": True}
#: What tells the engine's process from the worker's others.
ENGINE = "main.py"
#: ... and a job's encoder.
ENCODER = "ltx2-encoder-"
#: Bounds for a busy machine; a quiet one boots in 7 s and makes a preview in 3 s.
BOOT_SECONDS = 120
JOB_SECONDS = 180

_seeds = itertools.count(1)


def preview() -> dict[str, Any]:
    """A short job of which the engine has nothing in its cache."""
    return PREVIEW | {"seed": next(_seeds)}


def long_preview() -> dict[str, Any]:
    """A job of many steps, to be met in the middle."""
    return preview() | {"quality": "pro", "steps": 40}


def log_of(worker: WorkerProcess, job: Job) -> list[dict[str, Any]]:
    """What the worker wrote about a job."""
    lines = [json.loads(line) for line in worker.output.splitlines() if line.startswith('{"time"')]
    return [line for line in lines if line.get("job_id") == job.id]


def in_stage(worker: WorkerProcess, job: Job, stage: str) -> None:
    """Return once a job has reached a stage."""
    worker.wait_output(f'"event": "job stage", "job_id": "{job.id}", "stage": "{stage}"', JOB_SECONDS)


@contextmanager
def held_while_encoding(worker: WorkerProcess, job: Job) -> Iterator[None]:
    """Hold the encoder of a job, the only one in hand, when it has all of the job's frames.

    It is let on for moments until then: it must have answered the engine, and is not to finish meanwhile.
    """
    in_stage(worker, job, "decoding")
    encoding = f'"event": "job stage", "job_id": "{job.id}", "stage": "encoding"'
    until = time.monotonic() + JOB_SECONDS
    with worker.paused(ENCODER) as (encoder,):
        while encoding not in worker.output:
            assert time.monotonic() < until, "the encoder does not get all frames"
            encoder.resume()
            time.sleep(0.01)
            encoder.suspend()
            with suppress(AssertionError):
                worker.wait_output(encoding, 0.3)
        yield


def only_result(job: Job) -> dict[str, Any]:
    """The one answer; a job that was answered never, or twice, fails the test."""
    assert len(job.results) == 1, f"job {job.id} was answered {len(job.results)} times"
    return job.results[0].body
