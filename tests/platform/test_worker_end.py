"""How the real worker ends: told to, unfit, or killed; and that nothing is lost or left."""

import signal
import sys
from pathlib import Path

import pytest

from tests.platform.conftest import StartWorker
from tests.platform.control_plane import ControlPlane
from tests.platform.jobs import (
    BOOT_SECONDS,
    DRY_RUN,
    ENGINE,
    JOB_SECONDS,
    in_stage,
    long_preview,
    preview,
)
from tests.platform.messages import Route

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]


def test_sigterm_lets_both_jobs_in_hand_finish_takes_no_other_and_leaves_no_process(
    plane: ControlPlane, start_worker: StartWorker
) -> None:
    worker = start_worker(LTX2_SHUTDOWN_GRACE="300")
    jobs = [plane.submit(long_preview()), plane.submit(preview())]
    in_stage(worker, jobs[0], "sampling")
    with worker.paused(ENGINE):
        in_stage(worker, jobs[1], "waiting")
        worker.terminate()
        worker.wait_output('"event": "shutting down", "jobs_in_hand": 2')
        late = plane.submit(preview())
    for job in jobs:
        plane.wait_result(job, JOB_SECONDS)
        assert "error" not in job.result
    assert worker.wait_exit(30) == 0
    assert not late.taken
    assert not worker.survivors(timeout=5)


def test_jobs_that_cannot_finish_in_the_grace_time_are_handed_back_as_retryable(
    plane: ControlPlane, start_worker: StartWorker
) -> None:
    worker = start_worker(LTX2_SHUTDOWN_GRACE="0")
    jobs = [plane.submit(long_preview()), plane.submit(preview())]
    in_stage(worker, jobs[0], "sampling")
    with worker.paused(ENGINE):
        in_stage(worker, jobs[1], "waiting")
        worker.terminate()
        for job in jobs:
            plane.wait_result(job, 20)
            assert job.result["output"]["code"] == "shutting_down"
            assert job.result["output"]["retryable"] is True
    assert worker.wait_exit(30) == 0
    assert not worker.survivors(timeout=5)


def test_an_idle_worker_ends_at_once_though_the_platform_holds_its_request(
    plane: ControlPlane, start_worker: StartWorker
) -> None:
    plane.hold = 600
    worker = start_worker()
    plane.wait_for(lambda: plane.seen(Route.TAKE), "the worker asks for jobs", BOOT_SECONDS)
    worker.terminate()
    assert worker.wait_exit(30) == 0
    assert not worker.survivors(timeout=5)


def test_a_job_that_arrives_together_with_sigterm_is_not_lost(
    plane: ControlPlane, start_worker: StartWorker
) -> None:
    plane.hold = 60
    worker = start_worker()
    plane.wait_for(lambda: plane.seen(Route.TAKE), "the worker asks for jobs", BOOT_SECONDS)
    # A worker that is paused finds both when it goes on.
    worker.signal(signal.SIGSTOP)
    job = plane.submit(DRY_RUN)
    plane.wait_taken(job)
    worker.terminate()
    pings = len(plane.seen(Route.PING))
    plane.wait_for(
        lambda: len(plane.seen(Route.PING)) >= pings + 2, "the pause is longer than any of its timers"
    )
    worker.signal(signal.SIGCONT)
    plane.wait_result(job, 20)
    assert worker.wait_exit(30) == 0


def test_the_heartbeat_is_no_fork_that_keeps_the_pipes_of_the_starting_engine_open(
    plane: ControlPlane, start_worker: StartWorker
) -> None:
    worker = start_worker()
    plane.wait_for(lambda: plane.seen(Route.PING), "the heartbeat beats", BOOT_SECONDS)
    children = worker.descendants()
    assert children
    assert not [child for child in children if child.cmdline() == worker.command]


def test_a_killed_worker_leaves_no_engine(plane: ControlPlane, start_worker: StartWorker) -> None:
    worker = start_worker()
    job = plane.submit(long_preview())
    in_stage(worker, job, "sampling")
    engines = worker.descendants(ENGINE)
    assert engines
    worker.kill()
    assert worker.wait_exit(10) == -signal.SIGKILL
    alive = worker.survivors(timeout=10)
    assert not [engine for engine in engines if engine in alive]


def test_a_worker_without_models_ends_with_an_error_instead_of_failing_job_after_job(
    plane: ControlPlane, start_worker: StartWorker, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    worker = start_worker(LTX2_MODELS_DIRS=str(tmp_path / "empty"))
    assert worker.wait_exit(BOOT_SECONDS) == 1
    assert "neither recipe has its models" in worker.output
    assert not worker.survivors(timeout=5)


def test_a_worker_whose_engine_never_starts_takes_no_job_and_ends_with_an_error(
    plane: ControlPlane, start_worker: StartWorker, tmp_path: Path
) -> None:
    broken = tmp_path / "python"
    broken.write_text(f"#!{sys.executable}\nraise SystemExit(1)\n")
    broken.chmod(0o700)
    job = plane.submit(preview())
    worker = start_worker(LTX2_ENGINE_PYTHON=str(broken), LTX2_ENGINE_MAX_CRASHES="3")
    assert worker.wait_exit(60) == 1
    assert not job.taken
