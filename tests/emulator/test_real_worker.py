"""The real worker on the real engine behind the emulated API: what a caller sees of a job."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from local.runpod import Emulator, Job
from tests.emulator.receiver import receiver
from tests.platform.conftest import HANDLER, worker_environment
from tests.platform.jobs import BOOT_SECONDS, ENGINE, JOB_SECONDS, in_stage, log_of, long_preview, preview
from tests.platform.worker_process import WorkerProcess

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]

Shared = tuple[Emulator, WorkerProcess, Path]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """One emulator and one worker with a warm engine, for all tests of this file."""
    home = tmp_path_factory.mktemp("home")
    with (
        Emulator() as runpod,
        WorkerProcess.python(HANDLER, worker_environment(runpod, home), home) as worker,
    ):
        worker.wait_output('"event": "engine ready"', BOOT_SECONDS)
        yield runpod, worker, home / "videos"
        print(worker.output)


@pytest.fixture
def runpod(shared: Shared) -> Emulator:
    return shared[0]


@pytest.fixture
def worker(shared: Shared) -> WorkerProcess:
    return shared[1]


@pytest.fixture
def videos(shared: Shared) -> Path:
    return shared[2]


def run(runpod: Emulator, job_input: Any, **beside: Any) -> Job:
    """Submit a job over HTTP, as a caller does."""
    answer = requests.post(f"{runpod.url}/run", json={"input": job_input} | beside, timeout=30)
    return runpod.jobs[answer.json()["id"]]


def status(runpod: Emulator, job: Job) -> Any:
    return requests.get(f"{runpod.url}/status/{job.id}", timeout=30).json()


def wait_over(runpod: Emulator, job: Job) -> Any:
    runpod.wait_for(lambda: job.status.is_final, f"{job.id} is over", JOB_SECONDS)
    return status(runpod, job)


def test_a_job_is_seen_running_with_progress_and_then_with_its_video(
    runpod: Emulator, worker: WorkerProcess, videos: Path
) -> None:
    job = run(runpod, long_preview())
    in_stage(worker, job, "sampling")
    with worker.paused(ENGINE):
        runpod.wait_for(
            lambda: (job.output or {}).get("stage") == "sampling", "its progress is posted", JOB_SECONDS
        )
        running = status(runpod, job)
    assert running["status"] == "IN_PROGRESS"
    assert 0 < running["output"]["percent"] < 100
    done = wait_over(runpod, job)
    assert done["status"] == "COMPLETED"
    assert done["output"]["path"] == str(videos / f"{job.id}.mp4")
    assert done["executionTime"] > 0


def test_cancelling_a_running_job_stops_the_engine_and_delivers_nothing(
    runpod: Emulator, worker: WorkerProcess, videos: Path
) -> None:
    job = run(runpod, long_preview())
    in_stage(worker, job, "sampling")
    with worker.paused(ENGINE):
        answer = requests.post(f"{runpod.url}/cancel/{job.id}", timeout=30).json()
        assert answer == {"id": job.id, "status": "CANCELLED"}
        worker.wait_output(f'{{"requestId": "{job.id}", "message": "Stopping job."', JOB_SECONDS)
    after = run(runpod, preview())
    assert wait_over(runpod, after)["status"] == "COMPLETED"
    assert "job cancelled" in [line["event"] for line in log_of(worker, job)]
    assert status(runpod, job)["status"] == "CANCELLED"
    assert not list(videos.glob(f"{job.id}*"))


def test_a_retry_delivers_the_video_that_could_not_be_stored_without_making_it_again(
    runpod: Emulator, worker: WorkerProcess, videos: Path
) -> None:
    job = run(runpod, long_preview())
    in_stage(worker, job, "sampling")
    aside = videos.with_name("videos-aside")
    videos.mkdir(exist_ok=True)
    videos.rename(aside)
    videos.touch()  # a file where the folder was: nothing can be stored
    try:
        failed = wait_over(runpod, job)
        assert (failed["status"], failed["output"]["code"]) == ("FAILED", "storage_unavailable")
    finally:
        videos.unlink()
        shutil.move(aside, videos)
    assert requests.post(f"{runpod.url}/retry/{job.id}", timeout=30).json()["status"] == "IN_QUEUE"
    assert wait_over(runpod, job)["status"] == "COMPLETED"
    assert [line.get("stage") for line in log_of(worker, job)].count("sampling") == 1


def test_the_webhook_brings_the_video_and_the_input(runpod: Emulator) -> None:
    asked = preview()
    with receiver() as backend:
        job = run(runpod, asked, webhook=backend.url)
        runpod.wait_for(lambda: job.webhooks, "the webhook is answered", JOB_SECONDS)
        (body,) = backend.bodies
    assert (body["id"], body["status"], body["input"]) == (job.id, "COMPLETED", asked)
    assert body["output"]["seed"] == asked["seed"]


def test_a_job_that_runs_too_long_is_timed_out_and_its_worker_told_to_stop(
    runpod: Emulator, worker: WorkerProcess
) -> None:
    job = run(runpod, long_preview(), policy={"executionTimeout": 5_000})
    runpod.wait_taken(job, JOB_SECONDS)
    with worker.paused(ENGINE):
        assert wait_over(runpod, job)["status"] == "TIMED_OUT"
        worker.wait_output(f'{{"requestId": "{job.id}", "message": "Stopping job."', JOB_SECONDS)
    assert wait_over(runpod, run(runpod, preview()))["status"] == "COMPLETED"
