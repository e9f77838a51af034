"""The emulator answers callers as RunPod's documentation says, on a clock that the tests move."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.runpod import (
    LOST_REPLY,
    Emulator,
    FakeClock,
    HangUp,
    Job,
    Options,
    Rate,
    Reply,
    Route,
    Script,
    refused,
    sampling,
    slow,
)

INPUT = {"prompt": "A cat purrs."}
MINUTE = 60.0
DAY = 24 * 60 * MINUTE


@pytest.fixture
def runpod() -> Iterator[Emulator]:
    with Emulator(clock=FakeClock()) as emulator:
        yield emulator


def play(job: Job) -> Script:
    """Obey the input."""
    orders: dict[str, Any] = job.input
    output = {"seed": 7}
    return Script(
        orders.get("seconds", 10), output, orders.get("error"), sampling(10), not orders.get("dies", False)
    )


def run(runpod: Emulator, job_input: Any = INPUT, **beside: Any) -> str:
    reply = runpod.request("POST", "/run", {"input": job_input} | beside)
    assert reply.status == 200, reply
    assert reply.body == {"id": reply.body["id"], "status": "IN_QUEUE"}
    return str(reply.body["id"])


def status(runpod: Emulator, job_id: str) -> Any:
    reply = runpod.request("GET", f"/status/{job_id}")
    return reply.body if reply.status == 200 else reply.status


def test_a_job_waits_runs_with_progress_and_completes_with_its_times(runpod: Emulator) -> None:
    job_id = run(runpod)
    assert status(runpod, job_id) == {"id": job_id, "status": "IN_QUEUE"}
    runpod.advance(4)
    runpod.play(play)
    runpod.advance(5)
    running = status(runpod, job_id)
    assert (running["status"], running["delayTime"]) == ("IN_PROGRESS", 4000)
    assert running["output"] == {"percent": 44, "stage": "sampling", "step": 4, "steps": 8, "seconds_left": 6}
    runpod.advance(5)
    assert status(runpod, job_id) == {
        "id": job_id,
        "status": "COMPLETED",
        "delayTime": 4000,
        "executionTime": 10000,
        "output": {"seed": 7},
        "workerId": "scripted-1",
    }


def test_a_failed_job_keeps_the_error_and_the_other_keys_as_output(runpod: Emulator) -> None:
    runpod.play(play)
    job_id = run(runpod, {"error": "No."})
    runpod.advance(10)
    answer = status(runpod, job_id)
    assert (answer["status"], answer["error"], answer["output"]) == ("FAILED", "No.", {"seed": 7})


@pytest.mark.parametrize(("is_sync", "kept"), [(False, 30 * MINUTE), (True, MINUTE)])
def test_a_result_is_forgotten_when_its_retention_is_over(
    runpod: Emulator, is_sync: bool, kept: float
) -> None:
    runpod.play(play)
    job_id = runpod.submit(INPUT, is_sync=is_sync).id
    runpod.advance(10 + kept - 1)
    assert status(runpod, job_id)["status"] == "COMPLETED"
    runpod.advance(2)
    assert status(runpod, job_id) == 404


def test_ttl_deletes_a_job_that_waits(runpod: Emulator) -> None:
    job_id = run(runpod, policy={"ttl": 60_000})
    runpod.advance(59)
    assert status(runpod, job_id)["status"] == "IN_QUEUE"
    runpod.advance(2)
    assert status(runpod, job_id) == 404
    assert runpod.request("GET", "/health").body["jobs"]["inQueue"] == 0


def test_ttl_deletes_a_running_job_and_frees_its_worker(runpod: Emulator) -> None:
    runpod.play(play)
    doomed = run(runpod, {"seconds": 500}, policy={"ttl": 60_000})
    after = run(runpod)
    runpod.advance(61)
    assert status(runpod, doomed) == 404
    assert status(runpod, after)["status"] == "IN_PROGRESS"


def test_a_job_lives_a_day_unless_it_says_otherwise(runpod: Emulator) -> None:
    job_id = run(runpod)
    runpod.advance(DAY - 1)
    assert status(runpod, job_id)["status"] == "IN_QUEUE"
    runpod.advance(2)
    assert status(runpod, job_id) == 404


@pytest.mark.parametrize(("policy", "seconds"), [({}, 600), ({"executionTimeout": 20_000}, 20)])
def test_a_job_that_runs_too_long_is_timed_out_and_its_worker_goes_on(
    runpod: Emulator, policy: dict[str, int], seconds: int
) -> None:
    runpod.play(play)
    long = run(runpod, {"seconds": 5000}, policy=policy)
    after = run(runpod)
    runpod.advance(seconds - 1)
    assert status(runpod, long)["status"] == "IN_PROGRESS"
    runpod.advance(2)
    ended = status(runpod, long)
    assert (ended["status"], ended["executionTime"]) == ("TIMED_OUT", seconds * 1000)
    assert "output" not in ended
    runpod.advance(10)
    assert status(runpod, after)["status"] == "COMPLETED"


def test_a_job_whose_worker_dies_is_timed_out(runpod: Emulator) -> None:
    runpod.play(play)
    job_id = run(runpod, {"dies": True})
    runpod.advance(599)
    assert status(runpod, job_id)["status"] == "IN_PROGRESS"
    runpod.advance(2)
    assert status(runpod, job_id)["status"] == "TIMED_OUT"


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {"prompt": "x"},
        {"input": {}, "policy": {"ttl": 9_999}},
        {"input": {}, "policy": {"ttl": 604_800_001}},
        {"input": {}, "policy": {"executionTimeout": 4_999}},
        {"input": {}, "policy": {"ttl": True}},
        {"input": {}, "policy": 5},
        {"input": {}, "webhook": 5},
    ],
)
def test_a_submission_that_is_none_is_refused_in_a_sentence(runpod: Emulator, body: Any) -> None:
    reply = runpod.request("POST", "/run", body)
    assert reply.status == 400
    assert reply.body["error"]
    assert not runpod.jobs


@pytest.mark.parametrize(("path", "megabytes"), [("/run", 10), ("/runsync?wait=1000", 20)])
def test_a_body_over_the_limit_is_refused(path: str, megabytes: int) -> None:
    text = "x" * (megabytes * 1024 * 1024 - 100)
    with Emulator() as runpod:
        runpod.play(lambda _: Script(seconds=0.0))
        assert runpod.request("POST", path, {"input": {"image": text}}).status == 200
        assert runpod.request("POST", path, {"input": {"image": text + "x" * 100}}).status == 413


def test_runsync_answers_where_the_job_stands_when_its_wait_is_over() -> None:
    with Emulator() as runpod:
        runpod.play(lambda _: Script(seconds=30))
        reply = runpod.request("POST", "/runsync?wait=1000", {"input": INPUT})
        assert reply.body["status"] == "IN_PROGRESS"
        assert reply.body["id"].startswith("sync-")


@pytest.mark.parametrize("wait", ["999", "300001", "soon"])
def test_runsync_refuses_a_wait_out_of_range(runpod: Emulator, wait: str) -> None:
    assert runpod.request("POST", f"/runsync?wait={wait}", {"input": INPUT}).status == 400
    assert not runpod.jobs


def test_cancelling_a_waiting_job_takes_it_off_the_queue(runpod: Emulator) -> None:
    job_id = run(runpod)
    reply = runpod.request("POST", f"/cancel/{job_id}")
    assert reply.body == {"id": job_id, "status": "CANCELLED"}
    runpod.play(play)
    runpod.advance(20)
    assert status(runpod, job_id) == {"id": job_id, "status": "CANCELLED"}


def test_cancelling_a_running_job_is_answered_at_once_and_stops_the_worker(runpod: Emulator) -> None:
    runpod.play(play)
    job_id, after = run(runpod), run(runpod)
    runpod.advance(5)
    assert runpod.request("POST", f"/cancel/{job_id}").body["status"] == "CANCELLED"
    assert status(runpod, after)["status"] == "IN_PROGRESS"
    runpod.advance(20)
    assert status(runpod, job_id)["status"] == "CANCELLED"
    assert "output" not in status(runpod, job_id)


def test_a_result_that_comes_after_the_cancel_changes_nothing(runpod: Emulator) -> None:
    job = runpod.submit(INPUT)
    runpod.cancel(job)
    runpod.post(job, {"output": {"seed": 7}})
    assert status(runpod, job.id) == {"id": job.id, "status": "CANCELLED"}


def test_a_cancel_that_comes_after_the_result_changes_nothing(runpod: Emulator) -> None:
    runpod.play(play)
    job_id = run(runpod)
    runpod.advance(10)
    assert runpod.request("POST", f"/cancel/{job_id}").body["status"] == "COMPLETED"
    assert status(runpod, job_id)["output"] == {"seed": 7}


def test_a_failed_job_is_retried_under_its_id_without_its_output(runpod: Emulator) -> None:
    runpod.play(lambda job: Script(error="No." if not job.retries else None, output={"seed": 7}))
    job_id = run(runpod)
    runpod.advance(10)
    reply = runpod.request("POST", f"/retry/{job_id}")
    assert reply.body == {"id": job_id, "status": "IN_QUEUE"}
    again = status(runpod, job_id)
    assert (again["status"], "output" in again, "error" in again) == ("IN_PROGRESS", False, False)
    runpod.advance(10)
    assert status(runpod, job_id)["status"] == "COMPLETED"
    assert runpod.request("GET", "/health").body["jobs"]["retried"] == 1


def test_only_a_failed_or_timed_out_job_can_be_retried(runpod: Emulator) -> None:
    waiting = run(runpod)
    assert runpod.request("POST", f"/retry/{waiting}").status == 400
    runpod.request("POST", f"/cancel/{waiting}")
    assert runpod.request("POST", f"/retry/{waiting}").status == 400
    runpod.play(play)
    done, timed_out = run(runpod), run(runpod, {"seconds": 100}, policy={"executionTimeout": 20_000})
    runpod.advance(40)
    assert runpod.request("POST", f"/retry/{done}").status == 400
    assert runpod.request("POST", f"/retry/{timed_out}").status == 200
    assert runpod.request("POST", "/retry/unknown").status == 404


def test_purging_removes_waiting_jobs_and_leaves_the_running_one(runpod: Emulator) -> None:
    runpod.play(play)
    running, waiting = run(runpod), [run(runpod), run(runpod)]
    assert runpod.request("POST", "/purge-queue").body == {"removed": 2, "status": "completed"}
    assert [status(runpod, job_id) for job_id in waiting] == [404, 404]
    runpod.advance(10)
    assert status(runpod, running)["status"] == "COMPLETED"


def test_health_counts_jobs_and_workers(runpod: Emulator) -> None:
    nothing = runpod.request("GET", "/health").body
    assert set(nothing["jobs"].values()) == set(nothing["workers"].values()) == {0}
    runpod.play(play, workers=2, boot=30)
    run(runpod)
    starting = runpod.request("GET", "/health").body
    assert (starting["workers"]["initializing"], starting["jobs"]["inQueue"]) == (2, 1)
    runpod.advance(35)
    working = runpod.request("GET", "/health").body
    assert (working["workers"]["running"], working["workers"]["idle"]) == (1, 1)
    assert working["jobs"]["inProgress"] == 1
    runpod.advance(10)
    assert runpod.request("GET", "/health").body["jobs"]["completed"] == 1


def test_stream_gives_each_output_of_a_generator_once(runpod: Emulator) -> None:
    job = runpod.submit(INPUT)
    runpod.add_to_stream(job, {"output": "a"})
    runpod.add_to_stream(job, {"output": "b"})
    first = runpod.request("GET", f"/stream/{job.id}").body
    assert first == {"status": "IN_QUEUE", "stream": [{"output": "a"}, {"output": "b"}]}
    assert runpod.request("GET", f"/stream/{job.id}").body["stream"] == []


@pytest.mark.parametrize("shown", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}])
def test_a_wrong_key_is_refused(shown: dict[str, str]) -> None:
    with Emulator(Options(key="right")) as runpod:
        assert runpod.request("POST", "/run", {"input": {}}, shown).status == 401
        assert not runpod.jobs


@pytest.mark.parametrize("shown", ["Bearer right", "right"])
def test_the_right_key_is_taken_in_both_forms_that_runpod_s_examples_have(shown: str) -> None:
    with Emulator(Options(key="right")) as runpod:
        assert runpod.request("GET", "/health", headers={"Authorization": shown}).status == 200


def test_more_requests_than_the_rate_in_ten_seconds_are_answered_429() -> None:
    options = Options(rates={Route.RUN: Rate(3), Route.STATUS: Rate(1)})
    with Emulator(options, FakeClock()) as runpod:
        answers = [runpod.request("POST", "/run", {"input": {}}).status for _ in range(4)]
        assert answers == [200, 200, 200, 429]
        assert len(runpod.jobs) == 3
        assert runpod.request("GET", "/status/unknown").status == 404
        runpod.advance(10)
        assert runpod.request("POST", "/run", {"input": {}}).status == 200


def test_runpod_s_own_rates_hold_by_default(runpod: Emulator) -> None:
    answers = [runpod.request("POST", "/purge-queue").status for _ in range(3)]
    assert answers == [200, 200, 429]


@pytest.mark.parametrize("target", ["/status/none", "/cancel/none", "/stream/none", "/status", "/dance"])
def test_what_does_not_exist_is_404(runpod: Emulator, target: str) -> None:
    method = "POST" if target.startswith("/cancel") else "GET"
    assert runpod.request(method, target).status == 404


def test_a_lost_reply_to_run_leaves_a_job_that_its_caller_does_not_know(runpod: Emulator) -> None:
    runpod.inject(Route.RUN, LOST_REPLY)
    with pytest.raises(HangUp):
        runpod.request("POST", "/run", {"input": INPUT})
    (job,) = runpod.jobs.values()
    assert [request.job_id for request in runpod.seen(Route.RUN)] == [job.id]


def test_a_refusal_on_demand_has_no_effect_and_says_when_to_come_back(runpod: Emulator) -> None:
    runpod.inject(Route.RUN, refused(429, Retry_After="3"))
    reply = runpod.request("POST", "/run", {"input": INPUT})
    assert (reply.status, reply.headers["Retry-After"]) == (429, "3")
    assert not runpod.jobs
    assert runpod.request("POST", "/run", {"input": INPUT}).status == 200


def test_random_faults_are_asked_for_each_request(runpod: Emulator) -> None:
    runpod.choose_faults(lambda route: refused(500) if route is Route.STATUS else None)
    job_id = run(runpod)
    assert status(runpod, job_id) == 500
    runpod.heal()
    assert status(runpod, job_id)["status"] == "IN_QUEUE"


def test_a_slow_answer_waits_for_the_clock() -> None:
    with Emulator() as runpod:
        runpod.inject(Route.HEALTH, slow(0.2))
        reply: Reply = runpod.request("GET", "/health")
        assert reply.status == 200


def test_a_job_that_runpod_loses_is_404(runpod: Emulator) -> None:
    job = runpod.submit(INPUT)
    runpod.forget(job)
    assert status(runpod, job.id) == 404


def test_a_late_progress_post_reopens_a_finished_job_as_runpod_does(runpod: Emulator) -> None:
    runpod.play(play)
    job = runpod.submit(INPUT)
    runpod.advance(10)
    runpod.post(job, {"status": "IN_PROGRESS", "output": {"percent": 99}})
    assert status(runpod, job.id)["status"] == "IN_PROGRESS"


def test_status_can_shorten_a_job_s_life(runpod: Emulator) -> None:
    job_id = run(runpod)
    runpod.request("GET", f"/status/{job_id}?ttl=6000")
    runpod.advance(7)
    assert status(runpod, job_id) == 404
