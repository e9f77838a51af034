"""How the real worker ends: told to, unfit, or killed; and that nothing is lost or left."""

import signal
import sys
from pathlib import Path

import pytest

from local.runpod import Emulator, Route
from tests.platform.conftest import StartWorker
from tests.platform.jobs import (
    BOOT_SECONDS,
    DRY_RUN,
    ENCODER,
    ENGINE,
    JOB_SECONDS,
    in_stage,
    long_preview,
    only_result,
    preview,
)

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]


def test_sigterm_lets_both_jobs_in_hand_finish_takes_no_other_and_leaves_no_process(
    runpod: Emulator, start_worker: StartWorker
) -> None:
    worker = start_worker(LTX2_SHUTDOWN_GRACE="300")
    jobs = [runpod.submit(long_preview()), runpod.submit(preview())]
    in_stage(worker, jobs[0], "sampling")
    with worker.paused(ENGINE):
        in_stage(worker, jobs[1], "waiting")
        worker.terminate()
        worker.wait_output('"event": "shutting down", "jobs_in_hand": 2')
        late = runpod.submit(preview())
    for job in jobs:
        runpod.wait_result(job, JOB_SECONDS)
        assert "error" not in only_result(job)
    assert worker.wait_exit(30) == 0
    assert not late.taken
    assert not worker.survivors(timeout=30)


def test_jobs_that_cannot_finish_in_the_grace_time_are_handed_back_as_retryable(
    runpod: Emulator, start_worker: StartWorker
) -> None:
    worker = start_worker(LTX2_SHUTDOWN_GRACE="0")
    jobs = [runpod.submit(long_preview()), runpod.submit(preview())]
    in_stage(worker, jobs[0], "sampling")
    with worker.paused(ENGINE):
        in_stage(worker, jobs[1], "waiting")
        worker.terminate()
        for job in jobs:
            runpod.wait_result(job, 20)
            assert only_result(job)["output"]["code"] == "shutting_down"
            assert only_result(job)["output"]["retryable"] is True
    assert worker.wait_exit(30) == 0
    assert not worker.survivors(timeout=30)


def test_an_idle_worker_ends_at_once_though_the_platform_holds_its_request(
    runpod: Emulator, start_worker: StartWorker
) -> None:
    runpod.hold(600)
    worker = start_worker()
    runpod.wait_for(lambda: runpod.seen(Route.TAKE), "the worker asks for jobs", BOOT_SECONDS)
    worker.terminate()
    assert worker.wait_exit(30) == 0
    assert not worker.survivors(timeout=30)


def test_a_job_that_arrives_together_with_sigterm_is_not_lost(
    runpod: Emulator, start_worker: StartWorker
) -> None:
    runpod.hold(60)
    worker = start_worker()
    runpod.wait_for(lambda: runpod.seen(Route.TAKE), "the worker asks for jobs", BOOT_SECONDS)
    # A worker that is paused finds both when it goes on.
    worker.signal(signal.SIGSTOP)
    job = runpod.submit(DRY_RUN)
    runpod.wait_taken(job)
    worker.terminate()
    pings = len(runpod.seen(Route.PING))
    runpod.wait_for(
        lambda: len(runpod.seen(Route.PING)) >= pings + 2,
        "the pause is longer than any of its timers",
        BOOT_SECONDS,
    )
    worker.signal(signal.SIGCONT)
    runpod.wait_result(job, 20)
    assert worker.wait_exit(30) == 0


def test_the_heartbeat_is_no_fork_that_keeps_the_pipes_of_the_starting_engine_open(
    runpod: Emulator, start_worker: StartWorker
) -> None:
    worker = start_worker()
    runpod.wait_for(lambda: runpod.seen(Route.PING), "the heartbeat beats", BOOT_SECONDS)
    children = worker.descendants()
    assert children
    assert not [child for child in children if child.cmdline() == worker.command]


def test_a_killed_worker_leaves_no_engine_and_no_encoder(runpod: Emulator, start_worker: StartWorker) -> None:
    worker = start_worker()
    job = runpod.submit(long_preview())
    in_stage(worker, job, "sampling")
    engines, encoders = worker.descendants(ENGINE), worker.descendants(ENCODER)
    assert engines and encoders
    worker.kill()
    assert worker.wait_exit(10) == -signal.SIGKILL
    alive = worker.survivors(timeout=10)
    assert not [process for process in (*engines, *encoders) if process in alive]


def test_a_worker_without_models_ends_with_an_error_instead_of_failing_job_after_job(
    runpod: Emulator, start_worker: StartWorker, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    worker = start_worker(LTX2_MODELS_DIRS=str(tmp_path / "empty"))
    assert worker.wait_exit(BOOT_SECONDS) == 1
    assert "no recipe has its models" in worker.output
    assert not worker.survivors(timeout=30)


def test_a_worker_whose_engine_never_starts_takes_no_job_and_ends_with_an_error(
    runpod: Emulator, start_worker: StartWorker, tmp_path: Path
) -> None:
    broken = tmp_path / "python"
    broken.write_text(f"#!{sys.executable}\nraise SystemExit(1)\n")
    broken.chmod(0o700)
    job = runpod.submit(preview())
    worker = start_worker(LTX2_ENGINE_PYTHON=str(broken), LTX2_ENGINE_MAX_CRASHES="3")
    assert worker.wait_exit(60) == 1
    assert not job.taken
