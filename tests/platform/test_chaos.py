"""Two hundred jobs, a random fault in every third: each is answered once, and nothing piles up; on demand."""

import random
import resource
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from local.runpod import LOST_REPLY, Emulator, Job, Route, refused
from ltx2_worker.media.video import inspect
from tests.platform.conftest import StartWorker
from tests.platform.jobs import BOOT_SECONDS, ENCODER, ENGINE, JOB_SECONDS, preview
from tests.platform.worker_process import WorkerProcess

JOBS = 200
#: Jobs after which memory is taken as the worker's own.
SETTLED = 30
SEED = 20
IN_HAND = 4
#: A fault comes up to so many seconds after the beginning of a stage.
LATEST = 0.6
#: An encoder that is held is slow for so many seconds; one that is stopped is given up after a minute.
HELD = 3.0
#: Bytes that fit onto an encoder's disk when it is full: less than the smallest of these videos.
FULL = 8_000

#: Stages that no job skips; the same prompt as before is in the engine's cache.
STAGES = ("waiting", "sampling", "refining", "decoding", "encoding", "delivering")


def kill_engine(_: Emulator, worker: WorkerProcess, __: Job) -> None:
    for process in worker.descendants(ENGINE):
        process.send_signal(signal.SIGKILL)


def kill_encoder(_: Emulator, worker: WorkerProcess, __: Job) -> None:
    for process in worker.descendants(ENCODER):
        process.send_signal(signal.SIGKILL)


def stop_encoder(_: Emulator, worker: WorkerProcess, __: Job) -> None:
    for process in worker.descendants(ENCODER):
        process.send_signal(signal.SIGSTOP)


def hold_encoder(_: Emulator, worker: WorkerProcess, __: Job) -> None:
    for process in worker.descendants(ENCODER):
        process.send_signal(signal.SIGSTOP)
        threading.Timer(HELD, go_on, [process]).start()


def go_on(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGCONT)


def fill_disk(_: Emulator, worker: WorkerProcess, __: Job) -> None:
    for process in worker.descendants(ENCODER):
        process.rlimit(resource.RLIMIT_FSIZE, (FULL, FULL))


def stop_job(queue: Emulator, _: WorkerProcess, job: Job) -> None:
    queue.cancel(job)


def refuse_result(queue: Emulator, _: WorkerProcess, __: Job) -> None:
    queue.inject(Route.RESULT, refused(500), refused(429))


def lose_reply_to_result(queue: Emulator, _: WorkerProcess, __: Job) -> None:
    queue.inject(Route.RESULT, LOST_REPLY)


def refuse_take(queue: Emulator, _: WorkerProcess, __: Job) -> None:
    queue.inject(Route.TAKE, refused(500), LOST_REPLY)


Chaos = Callable[[Emulator, WorkerProcess, Job], None]
FAULTS: tuple[Chaos, ...] = (
    kill_engine,
    kill_engine,
    kill_encoder,
    stop_encoder,
    hold_encoder,
    fill_disk,
    stop_job,
    refuse_result,
    lose_reply_to_result,
    refuse_take,
)


def reach(worker: WorkerProcess, job: Job, stage: str) -> None:
    """Return once a job is in a stage, or is over: a fault may end one that it was not meant for."""
    line = f'"event": "job stage", "job_id": "{job.id}", "stage": "{stage}"'
    until = time.monotonic() + JOB_SECONDS
    while line not in worker.output and not job.results:
        assert time.monotonic() < until, f"{job.id} does not reach {stage}"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.timeout(3600)
def test_every_job_of_two_hundred_is_answered_once_and_nothing_piles_up(
    runpod: Emulator, start_worker: StartWorker, tmp_path: Path
) -> None:
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    worker = start_worker(LTX2_ENGINE_MAX_CRASHES="10")
    worker.wait_output('"event": "engine ready"', BOOT_SECONDS)
    jobs: list[Job] = []
    stopped: set[str] = set()
    memory: list[int] = []
    for number in range(JOBS):
        if len(jobs) >= IN_HAND and jobs[-IN_HAND].id not in stopped:
            runpod.wait_result(jobs[-IN_HAND], JOB_SECONDS)
        quality = chance.choice(("fast", "fast", "pro"))
        job = runpod.submit(preview() | {"quality": quality} | ({"steps": 20} if quality == "pro" else {}))
        jobs.append(job)
        if number % 3 == 2:
            fault = chance.choice(FAULTS)
            reach(worker, job, chance.choice(STAGES))
            time.sleep(chance.uniform(0, LATEST))
            print(f"job {number}, {job.id}: {fault.__name__}")
            with suppress(psutil.NoSuchProcess):  # it may have ended by itself
                fault(runpod, worker, job)
            stopped |= {job.id} if fault is stop_job else set()
        memory.append(worker.memory)
    for job in jobs:
        if job.id not in stopped:
            runpod.wait_result(job, JOB_SECONDS)

    for job in jobs:
        bodies = [result.body for result in job.results]
        assert all(body == bodies[0] for body in bodies), "a job was answered in two ways"
        if job.id in stopped:
            continue
        assert "error" not in bodies[0] or bodies[0]["output"]["retryable"]
        if "error" not in bodies[0]:
            video = bodies[0]["output"]
            facts = inspect(Path(video["path"]))
            assert (facts.frames, facts.bytes) == (video["frames"], video["bytes"])
    failed = [job for job in jobs if job.results and "error" in job.results[0].body]
    print("failed:", [job.results[0].body["output"]["code"] for job in failed])
    assert len(failed) <= JOBS // 10
    grown = memory[-1] - memory[SETTLED]
    assert grown < 30e6, f"the handler grew by {grown / 1e6:.0f} MB"
    folders = [tmp_path / "work" / "engine" / name for name in ("input", "output", "temp")]
    left = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert not left
    assert not worker.descendants(ENCODER)
    worker.terminate()
    assert worker.wait_exit(60) == 0
    assert not worker.survivors(timeout=10)
