"""Jobs are taken one at a time, when they may be, and none is lost or taken twice on the way."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from local.runpod import LOST_REPLY, Emulator, Job, Route, refused, slow
from tests.platform.conftest import HANDLER, StartWorker
from tests.platform.jobs import (
    BOOT_SECONDS,
    ENGINE,
    JOB_SECONDS,
    in_stage,
    long_preview,
    only_result,
    preview,
)

QUEUE_HANDLER = Path(__file__).with_name("queue_handler.py")
#: Jobs between two ends of the worker.
JOBS_PER_LIFE = 50


def environment(runpod: Emulator, seed: int) -> dict[str, str]:
    return runpod.environment() | {"SEED": str(seed), "PYTHONPATH": str(HANDLER.parent)}


@pytest.mark.parametrize(
    "lives",
    [
        pytest.param(2, marks=pytest.mark.timeout(300), id="a hundred"),
        pytest.param(20, marks=[pytest.mark.slow, pytest.mark.timeout(3600)], id="a thousand"),
    ],
)
def test_no_job_is_lost_or_taken_twice_over_takes_with_holds_cancels_time_outs_and_sigterm(
    runpod: Emulator, start: StartWorker, record_property: Callable[[str, object], None], lives: int
) -> None:
    record_property("cases", lives * JOBS_PER_LIFE)
    chance = random.Random(16)
    runpod.hold(0.5)
    jobs: list[Job] = []
    stopped: set[str] = set()
    for life in range(lives):
        worker = start(QUEUE_HANDLER, environment(runpod, life))
        for _ in range(JOBS_PER_LIFE):
            job = runpod.submit({"number": len(jobs)})
            jobs.append(job)
            match chance.randrange(8):
                case 0:
                    runpod.cancel(job)
                    stopped.add(job.id)
                case 1:
                    runpod.wait_taken(job, 180)
                    runpod.cancel(job)
                    stopped.add(job.id)
                case 2:
                    runpod.inject(Route.TAKE, chance.choice((refused(500), LOST_REPLY, slow(0.2), slow(1))))
                case 3 | 4:
                    runpod.wait_result(job, 180)
        # The last jobs are queued, on their way, or in hand when the signal comes.
        worker.terminate()
        assert worker.wait_exit(120) == 0, worker.output
        taken = [job for job in jobs if job.taken and job.id not in stopped]
        assert not [job.id for job in taken if not job.results], "taken, and never answered"
    start(QUEUE_HANDLER, environment(runpod, lives))
    for job in jobs:
        if job.id not in stopped:
            runpod.wait_result(job, 180)
            assert only_result(job) == {"output": {"answer": job.input}}
    assert not [job.id for job in jobs if len(job.taken) > 1], "taken twice"
    assert not runpod.seen(Route.TAKE_BATCH)


def test_an_idle_worker_takes_a_job_on_a_request_that_outlives_the_sdk_s_own_time_outs(
    runpod: Emulator, start: StartWorker
) -> None:
    runpod.hold(120)
    worker = start(QUEUE_HANDLER, environment(runpod, 1))
    runpod.wait_for(lambda: runpod.seen(Route.TAKE), "the worker asks for a job", 60)
    worker.wait_output("Job acquisition timed out", 60, times=3)
    job = runpod.submit({})
    runpod.wait_taken(job)
    assert len(runpod.seen(Route.TAKE)) == 1
    runpod.wait_result(job)


@pytest.mark.engine
@pytest.mark.timeout(600)
def test_the_second_job_is_taken_when_the_engine_is_about_to_be_free_and_no_job_before_it_has_booted(
    runpod: Emulator, start_worker: StartWorker
) -> None:
    first, second = runpod.submit(long_preview()), runpod.submit(preview())
    worker = start_worker(LTX2_TAKE_AHEAD="0")
    worker.wait_output("engine booted", BOOT_SECONDS)
    booted = time.monotonic()
    in_stage(worker, first, "sampling")
    with worker.paused(ENGINE):
        pings = len(runpod.seen(Route.PING))
        runpod.wait_for(lambda: len(runpod.seen(Route.PING)) >= pings + 3, "two seconds have passed")
        assert not second.taken
    runpod.wait_result(second, JOB_SECONDS)
    assert runpod.seen(Route.TAKE)[0].at > booted - 1
    assert "error" not in only_result(first)
