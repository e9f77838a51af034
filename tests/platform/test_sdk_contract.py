"""What the worker relies on in RunPod's SDK, and what it works around: a new SDK must pass this first."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.runpod import HOST_NAME, LOST_REPLY, Emulator, Fault, Job, Route, refused, slow, unanswered
from tests.platform.conftest import SDK_HANDLER, StartWorker
from tests.platform.worker_process import WorkerProcess


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Emulator, WorkerProcess]]:
    """One queue and one worker for the tests that leave both as they were."""
    home = tmp_path_factory.mktemp("home")
    with Emulator() as runpod, WorkerProcess.python(SDK_HANDLER, runpod.environment(), home) as worker:
        yield runpod, worker


@pytest.fixture
def queue(shared: tuple[Emulator, WorkerProcess]) -> Emulator:
    return shared[0]


@pytest.fixture
def worker(shared: tuple[Emulator, WorkerProcess]) -> WorkerProcess:
    return shared[1]


def wait_finished(worker: WorkerProcess, job: Job) -> None:
    """Return once the SDK is through with a job, answered or not."""
    worker.wait_output(f'"requestId": "{job.id}", "message": "Finished Job"')


def test_two_jobs_are_in_hand_and_a_third_waits_its_turn(
    queue: Emulator, worker: WorkerProcess, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    first, second, third = (queue.submit({"until": str(gate)}) for _ in range(3))
    worker.wait_output(f"handler-start {second.id}")
    assert not third.taken
    gate.touch()
    for job in (first, second, third):
        queue.wait_result(job)
    starts = [line.split()[1] for line in worker.output.splitlines() if line.startswith("handler-start")]
    assert starts[-3:] == [first.id, second.id, third.id]


def test_a_stopped_job_is_cancelled_and_not_answered(
    queue: Emulator, worker: WorkerProcess, tmp_path: Path
) -> None:
    stopped, other = (queue.submit({"until": str(tmp_path / "gate")}) for _ in range(2))
    worker.wait_output(f"handler-start {other.id}")
    queue.cancel(stopped)
    worker.wait_output(f"handler-cancelled {stopped.id}")
    (tmp_path / "gate").touch()
    queue.wait_result(other)
    assert not stopped.results


def test_a_swallowed_cancel_is_reported_as_a_finished_job(
    queue: Emulator, worker: WorkerProcess, tmp_path: Path
) -> None:
    job = queue.submit({"until": str(tmp_path / "never"), "swallow_cancel": True})
    worker.wait_output(f"handler-start {job.id}")
    queue.cancel(job)
    assert queue.wait_result(job) == {"output": {"ok": True}}


def test_progress_update_can_overtake_the_result(queue: Emulator) -> None:
    queue.inject(Route.PROGRESS, slow(0.5))
    job = queue.submit({"progress": {"percent": 50}})
    queue.wait_progress(job)
    assert job.results
    assert job.status == "IN_PROGRESS"


def test_an_exception_shows_the_caller_traceback_and_host_name(
    queue: Emulator, worker: WorkerProcess
) -> None:
    job = queue.submit({"raise": "boom"})
    told = json.loads(queue.wait_result(job)["error"])
    assert "Traceback" in told["error_traceback"]
    assert told["hostname"] == HOST_NAME


def test_an_error_in_the_answer_is_the_jobs_error_and_its_other_keys_the_output(queue: Emulator) -> None:
    job = queue.submit({"answer": {"error": "No.", "code": "invalid_input"}})
    assert queue.wait_result(job) == {"error": "No.", "output": {"code": "invalid_input"}}
    assert job.status == "FAILED"


def test_a_result_is_posted_again_after_a_server_error(queue: Emulator) -> None:
    queue.inject(Route.RESULT, refused(500))
    job = queue.submit({})
    queue.wait_result(job)
    assert len(queue.seen(Route.RESULT, job)) == 2


@pytest.mark.parametrize("fault", [refused(429), unanswered(0)])
def test_a_result_is_dropped_at_once_when_refused_or_cut_off(
    queue: Emulator, worker: WorkerProcess, fault: Fault
) -> None:
    """aiohttp_retry 2.9.1 tries again after 5xx alone unless told otherwise; the SDK does not tell it."""
    queue.inject(Route.RESULT, fault)
    job = queue.submit({})
    wait_finished(worker, job)
    assert len(queue.seen(Route.RESULT, job)) == 1
    assert not job.results


def test_a_result_that_fails_three_times_is_dropped_and_the_worker_goes_on(
    queue: Emulator, worker: WorkerProcess
) -> None:
    queue.inject(Route.RESULT, *[refused(500)] * 3)
    dropped = queue.submit({})
    wait_finished(worker, dropped)
    after = queue.submit({})
    queue.wait_result(after)
    assert not dropped.results


@pytest.mark.parametrize("fault", [refused(500), refused(429), unanswered(0), LOST_REPLY])
def test_taking_a_job_is_tried_again(queue: Emulator, fault: Fault) -> None:
    queue.inject(Route.TAKE_BATCH, fault)
    job = queue.submit({})
    queue.wait_result(job)
    assert len(job.taken) == 1


def test_the_heartbeat_names_the_jobs_in_hand(queue: Emulator, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    job = queue.submit({"until": str(gate)})
    queue.wait_for(
        lambda: any(r.query.get("job_id") == job.id for r in queue.seen(Route.PING)), "a ping with the id"
    )
    assert not job.results
    gate.touch()
    queue.wait_result(job)
    assert job.status == "COMPLETED"


def test_sigterm_lets_jobs_in_flight_finish_but_loses_one_that_arrives_later(
    runpod: Emulator, start_sdk: StartWorker, tmp_path: Path
) -> None:
    runpod.hold(3)
    worker = start_sdk()
    in_flight = runpod.submit({"until": str(tmp_path / "gate")})
    runpod.wait_for(lambda: runpod.seen(Route.TAKE), "the worker asks for a second job")
    worker.terminate()
    worker.wait_output("Kill worker")
    pings = len(runpod.seen(Route.PING))
    runpod.wait_for(lambda: len(runpod.seen(Route.PING)) >= pings + 2, "the loop that runs jobs has ended")
    late = runpod.submit({})
    runpod.wait_taken(late)
    (tmp_path / "gate").touch()
    runpod.wait_result(in_flight)
    assert worker.wait_exit(10) == 0
    assert not late.posts
    assert not worker.survivors(timeout=5)


def test_a_handler_that_ends_the_process_leaves_its_job_unanswered(
    runpod: Emulator, start_sdk: StartWorker
) -> None:
    job = runpod.submit({"exit": 3})
    assert start_sdk().wait_exit(10) == 3
    assert job.taken
    assert not job.posts


def test_a_modifier_that_returns_0_stops_job_taking(
    runpod: Emulator, start_sdk: StartWorker, tmp_path: Path
) -> None:
    switch = tmp_path / "take-nothing"
    switch.touch()
    worker = start_sdk(TAKE_NOTHING_FILE=str(switch))
    job = runpod.submit({})
    runpod.wait_for(lambda: len(runpod.seen(Route.PING)) >= 2, "a second of life")
    assert not runpod.seen(Route.TAKE) + runpod.seen(Route.TAKE_BATCH)
    switch.unlink()
    runpod.wait_result(job)
    assert worker.running
