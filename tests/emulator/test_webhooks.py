"""The emulator's webhooks are the cloud's: the whole job in the body, unsigned, three tries."""

from collections.abc import Iterator

import pytest

from local.runpod import LOST_REPLY, Emulator, FakeClock, Options, Policy, Route, Script, slow, unanswered
from tests.emulator.receiver import Receiver, receiver

INPUT = {"prompt": "A cat purrs."}


@pytest.fixture
def runpod() -> Iterator[Emulator]:
    with Emulator(Options(policy=Policy(execution_timeout=60)), FakeClock()) as emulator:
        emulator.play(lambda job: Script(job.input.get("seconds", 10), {"seed": 7}, job.input.get("error")))
        yield emulator


@pytest.fixture
def backend() -> Iterator[Receiver]:
    with receiver() as state:
        yield state


def test_the_end_of_a_job_is_posted_with_its_whole_input_and_without_a_signature(
    runpod: Emulator, backend: Receiver
) -> None:
    body = {"input": INPUT, "webhook": backend.url, "s3Config": {"accessSecret": "s"}}
    job_id = runpod.request("POST", "/run", body).body["id"]
    runpod.advance(10)
    assert backend.bodies == [
        {
            "id": job_id,
            "status": "COMPLETED",
            "input": INPUT,
            "output": {"seed": 7},
            "delayTime": 0,
            "executionTime": 10000,
            "webhook": backend.url,
        }
    ]
    sent = {name.lower() for name in backend.headers[0]}
    assert not [name for name in sent if "signature" in name or "authorization" in name]


@pytest.mark.parametrize(("order", "status"), [({"error": "No."}, "FAILED"), ({"seconds": 100}, "TIMED_OUT")])
def test_failures_are_posted_too(
    runpod: Emulator, backend: Receiver, order: dict[str, object], status: str
) -> None:
    runpod.submit(INPUT | order, backend.url)
    runpod.advance(60)
    assert [body["status"] for body in backend.bodies] == [status]


def test_a_cancelled_or_deleted_job_is_not_posted(runpod: Emulator, backend: Receiver) -> None:
    runpod.cancel(runpod.submit(INPUT, backend.url))
    runpod.forget(runpod.submit(INPUT, backend.url))
    runpod.advance(100)
    assert not backend.bodies


def test_anything_but_200_is_tried_twice_more_ten_seconds_apart(runpod: Emulator, backend: Receiver) -> None:
    backend.answers = [500, 404, 503]
    job = runpod.submit(INPUT, backend.url)
    runpod.advance(10)
    assert job.webhooks == [500]
    runpod.advance(9)
    assert job.webhooks == [500]
    runpod.advance(11)
    assert job.webhooks == [500, 404, 503]
    runpod.advance(3600)
    assert len(backend.bodies) == 3


def test_nothing_follows_a_try_that_is_answered_with_200(runpod: Emulator, backend: Receiver) -> None:
    backend.answers = [201]
    job = runpod.submit(INPUT, backend.url)
    runpod.advance(100)
    assert job.webhooks == [201, 200]


def test_an_address_where_nobody_listens_stops_nothing(runpod: Emulator) -> None:
    job = runpod.submit(INPUT, "http://127.0.0.1:9/hook")
    wrong = runpod.submit(INPUT, "no address")
    runpod.advance(60)
    assert (len(job.webhooks), len(wrong.webhooks)) == (3, 3)
    assert runpod.request("GET", f"/status/{job.id}").body["status"] == "COMPLETED"


def test_faults_make_a_webhook_late_lost_or_double(runpod: Emulator, backend: Receiver) -> None:
    runpod.inject(Route.WEBHOOK, slow(30))
    late = runpod.submit(INPUT, backend.url)
    runpod.advance(39)
    assert not backend.bodies
    runpod.advance(1)
    assert late.webhooks == [200]

    runpod.inject(Route.WEBHOOK, *[unanswered()] * 3)
    lost = runpod.submit(INPUT, backend.url)
    runpod.advance(60)
    assert lost.webhooks == ["lost"] * 3
    assert lost.id not in {body["id"] for body in backend.bodies}

    runpod.inject(Route.WEBHOOK, LOST_REPLY)
    double = runpod.submit(INPUT, backend.url)
    runpod.advance(60)
    assert [body["id"] for body in backend.bodies].count(double.id) == 2
    runpod.send_webhook(double)
    runpod.advance(0)
    assert [body["id"] for body in backend.bodies].count(double.id) == 3
