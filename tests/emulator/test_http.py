"""The emulator on real sockets, and RunPod's own client against it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import runpod as sdk

from local.runpod import (
    LOST_REPLY,
    Emulator,
    Options,
    Rate,
    Route,
    Script,
    Status,
    refused,
    sampling,
    unanswered,
)

KEY = "a-key"
INPUT = {"prompt": "A cat purrs."}


@pytest.fixture
def runpod() -> Iterator[Emulator]:
    with Emulator(Options(key=KEY)) as emulator:
        yield emulator


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {KEY}"
        yield session


@pytest.fixture
def endpoint(runpod: Emulator, monkeypatch: pytest.MonkeyPatch) -> sdk.Endpoint:
    """RunPod's own client of the emulated endpoint."""
    monkeypatch.setattr(sdk, "endpoint_url_base", runpod.base_url)
    return sdk.Endpoint(runpod.platform.options.endpoint_id, api_key=KEY)


def test_a_lost_reply_is_a_broken_connection_and_a_job(runpod: Emulator, session: requests.Session) -> None:
    runpod.inject(Route.RUN, LOST_REPLY)
    with pytest.raises(requests.ConnectionError):
        session.post(f"{runpod.url}/run", json={"input": INPUT}, timeout=5)
    assert [job.status for job in runpod.jobs.values()] == [Status.IN_QUEUE]


def test_an_unanswered_request_is_a_broken_connection_without_a_job(
    runpod: Emulator, session: requests.Session
) -> None:
    runpod.inject(Route.RUN, unanswered())
    with pytest.raises(requests.ConnectionError):
        session.post(f"{runpod.url}/run", json={"input": INPUT}, timeout=5)
    assert not runpod.jobs


def test_a_refusal_carries_its_headers(runpod: Emulator, session: requests.Session) -> None:
    runpod.inject(Route.STATUS, refused(503, Retry_After="2"))
    answer = session.get(f"{runpod.url}/status/any", timeout=5)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


def test_another_endpoint_is_not_found(runpod: Emulator, session: requests.Session) -> None:
    assert session.get(f"{runpod.base_url}/other/health", timeout=5).status_code == 404


def test_more_at_once_than_allowed_are_answered_429() -> None:
    with (
        Emulator(Options(rates={Route.RUNSYNC: Rate(100, at_once=1)})) as runpod,
        ThreadPoolExecutor(1) as pool,
    ):
        address = f"{runpod.url}/runsync?wait=300000"
        held = pool.submit(requests.post, address, json={"input": INPUT}, timeout=60)
        runpod.wait_for(lambda: runpod.jobs, "the first one is held")
        assert requests.post(address, json={"input": INPUT}, timeout=5).status_code == 429
        runpod.play(lambda _: Script(seconds=0.0))
        assert held.result().json()["status"] == "COMPLETED"


def test_a_caller_that_hangs_up_during_runsync_leaves_its_job_to_run(
    runpod: Emulator, session: requests.Session
) -> None:
    with pytest.raises(requests.Timeout):
        session.post(f"{runpod.url}/runsync", json={"input": INPUT}, timeout=0.5)
    (job,) = runpod.jobs.values()
    runpod.play(lambda _: Script(seconds=0.0))
    runpod.wait_for(lambda: job.status is Status.COMPLETED, "the job completes")


def test_runpod_s_own_client_submits_follows_and_gets_the_output(
    runpod: Emulator, endpoint: sdk.Endpoint
) -> None:
    runpod.play(lambda _: Script(0.2, {"seed": 7}, progress=sampling(0.2)))
    job = endpoint.run({"input": INPUT})
    assert job.output(timeout=10) == {"seed": 7}
    assert job.status() == "COMPLETED"
    assert endpoint.run_sync({"input": INPUT}, timeout=10) == {"seed": 7}


def test_runpod_s_own_client_cancels_purges_and_asks_for_health(
    runpod: Emulator, endpoint: sdk.Endpoint
) -> None:
    job = endpoint.run({"input": INPUT})
    assert job.cancel() == {"id": job.job_id, "status": "CANCELLED"}
    endpoint.run({"input": INPUT})
    assert endpoint.purge_queue() == {"removed": 1, "status": "completed"}
    assert endpoint.health()["jobs"]["inQueue"] == 0


def test_runpod_s_own_client_says_that_a_key_is_wrong(runpod: Emulator, endpoint: sdk.Endpoint) -> None:
    wrong = sdk.Endpoint(runpod.platform.options.endpoint_id, api_key="wrong")
    with pytest.raises(RuntimeError, match="401"):
        wrong.run({"input": INPUT})
    assert not runpod.jobs
