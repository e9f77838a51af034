"""Submitting: one POST, an id on disk, and a doubt that is called a doubt."""

import json
import socket
from pathlib import Path

import pytest

from local.runpod import LOST_REPLY, Emulator, Fault, Route, refused, unanswered
from ltx2_client import (
    Client,
    InvalidJob,
    JobBucket,
    Journal,
    JournalUnwritable,
    NotConfigured,
    NotFound,
    Policy,
    RateLimited,
    Refused,
    SubmitUnknown,
    Unauthorized,
    Unreachable,
)
from ltx2_client import submitting as submitting_module
from ltx2_client.journal import Entered
from tests.client.conftest import KEY

JOB = {"prompt": "A kite over a hill.", "preview": True}


def test_a_job_is_posted_once_and_its_id_is_in_the_journal(
    runpod: Emulator, client: Client, journal: Journal
) -> None:
    handle = client.submit(JOB)
    (post,) = runpod.seen(Route.RUN)
    sent = post.body["input"]
    assert sent == JOB | {"request_id": sent["request_id"]}
    (entry,) = journal.entries()
    assert (entry.job_id, entry.state, entry.input) == (handle.id, Entered.SUBMITTED, sent)


def test_every_submit_has_a_request_id_of_its_own_unless_the_caller_gives_one(
    runpod: Emulator, client: Client
) -> None:
    client.submit(JOB)
    client.submit(JOB)
    client.submit(JOB | {"request_id": "order-7"})
    ids = [request.body["input"]["request_id"] for request in runpod.seen(Route.RUN)]
    assert len(set(ids)) == 3 and ids[2] == "order-7"


def test_what_is_unknown_can_be_sent_again_as_the_same_request(runpod: Emulator, client: Client) -> None:
    runpod.inject(Route.RUN, LOST_REPLY)
    with pytest.raises(SubmitUnknown) as caught:
        client.submit(JOB)
    client.submit(JOB | {"request_id": caught.value.request_id})
    first, second = runpod.seen(Route.RUN)
    assert first.body["input"] == second.body["input"]


def test_what_goes_beside_the_input_has_runpods_names(runpod: Emulator, client: Client) -> None:
    bucket = JobBucket(
        endpoint_url="https://s3.example.com", bucket_name="b", access_key_id="a", secret_access_key="s"
    )
    policy = Policy(ttl=7200, execution_timeout=900, low_priority=True)
    job = JOB | {"request_id": "order-7"}
    client.submit(job, webhook="https://example.com/hook", policy=policy, bucket=bucket)
    (post,) = runpod.seen(Route.RUN)
    assert post.body == {
        "input": JOB | {"request_id": "order-7"},
        "webhook": "https://example.com/hook",
        "policy": {"ttl": 7_200_000, "executionTimeout": 900_000, "lowPriority": True},
        "s3Config": {
            "endpointUrl": "https://s3.example.com",
            "bucketName": "b",
            "accessId": "a",
            "accessSecret": "s",
        },
    }


def test_a_time_to_live_is_always_sent(runpod: Emulator, client: Client) -> None:
    client.submit(JOB)
    (post,) = runpod.seen(Route.RUN)
    assert post.body["policy"] == {"ttl": 6 * 3600 * 1000}


@pytest.mark.parametrize("fault", [LOST_REPLY, unanswered(), refused(500), refused(502), refused(504)])
def test_a_submit_without_a_usable_answer_is_unknown_and_not_repeated(
    runpod: Emulator, client: Client, journal: Journal, fault: Fault
) -> None:
    runpod.inject(Route.RUN, fault)
    with pytest.raises(SubmitUnknown) as caught:
        client.submit(JOB)
    assert len(runpod.seen(Route.RUN)) == 1
    entry = journal.entry(caught.value.reference)
    assert entry is not None
    assert (entry.state, entry.job_id) == (Entered.UNKNOWN, None)


def test_a_submit_that_was_refused_for_its_rate_is_sent_again_when_it_may_be(
    runpod: Emulator, client: Client
) -> None:
    runpod.inject(Route.RUN, refused(429, Retry_After="1"))
    handle = client.submit(JOB)
    first, second = runpod.seen(Route.RUN)
    assert second.at - first.at >= 1
    assert list(runpod.jobs) == [handle.id]


def test_a_rate_that_stays_exceeded_ends_the_submit_and_leaves_no_trace(
    runpod: Emulator, client: Client, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitting_module, "PATIENCE", 0.5)
    runpod.inject(Route.RUN, refused(429, Retry_After="7"))
    with pytest.raises(RateLimited) as caught:
        client.submit(JOB)
    assert caught.value.retry_after == 7
    assert not journal.entries()


def test_an_unreachable_api_leaves_no_trace(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitting_module, "PATIENCE", 0.5)
    with socket.socket() as taken:  # bound, not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v2"
        with Client("ltx2", KEY, url=url, journal=journal) as client, pytest.raises(Unreachable):
            client.submit(JOB)
    assert not journal.entries()


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, Unauthorized), (403, Unauthorized), (404, NotFound), (400, Refused), (413, Refused)],
)
def test_a_refused_submit_is_that_error_at_once_and_leaves_no_trace(
    runpod: Emulator, client: Client, journal: Journal, status: int, error: type[Exception]
) -> None:
    runpod.inject(Route.RUN, refused(status))
    with pytest.raises(error) as caught:
        client.submit(JOB)
    assert len(runpod.seen(Route.RUN)) == 1
    assert not journal.entries()
    assert KEY not in str(caught.value)


def test_a_wrong_key_is_said_without_showing_it(runpod: Emulator, journal: Journal) -> None:
    with Client("ltx2", "wrong-key", url=runpod.base_url, journal=journal) as client:
        with pytest.raises(Unauthorized) as caught:
            client.submit(JOB)
        assert "wrong-key" not in str(caught.value)
        assert "wrong-key" not in repr(client.__dict__)


def test_every_fault_of_a_job_is_told_and_nothing_is_sent(runpod: Emulator, client: Client) -> None:
    with pytest.raises(InvalidJob) as caught:
        client.submit({"prompt": "x", "resolution": "4k", "fps": 25})
    assert {fault.field for fault in caught.value.faults} == {"resolution", "fps"}
    assert not runpod.seen(Route.RUN)


def test_a_job_over_its_own_budget_is_not_sent(runpod: Emulator, client: Client) -> None:
    with pytest.raises(InvalidJob, match="costs 30 credits") as caught:
        client.submit({"prompt": "x", "max_credits": 29})
    assert caught.value.code == "over_budget"
    assert not runpod.seen(Route.RUN)


def test_a_job_that_runpod_would_find_too_large_is_not_sent(runpod: Emulator, client: Client) -> None:
    with pytest.raises(InvalidJob, match="MB"):
        client.submit(JOB | {"image_base64": "A" * 10_000_001})
    assert not runpod.seen(Route.RUN)


def test_a_journal_that_cannot_be_written_stops_the_submit_before_it_costs(
    runpod: Emulator, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    broken = Journal(tmp_path / "file" / "jobs.sqlite")
    with Client("ltx2", KEY, url=runpod.base_url, journal=broken) as client, pytest.raises(JournalUnwritable):
        client.submit(JOB)
    assert not runpod.seen(Route.RUN)


def test_the_journal_keeps_no_media_and_is_for_its_user_alone(
    runpod: Emulator, client: Client, journal: Journal
) -> None:
    client.submit(JOB | {"image_base64": "QUJD" * 10_000})
    (entry,) = journal.entries()
    assert entry.input["image_base64"].startswith("sha256:")
    assert journal.path.stat().st_mode & 0o077 == 0
    assert KEY not in json.dumps(entry.input)


def test_without_endpoint_or_key_there_is_no_client() -> None:
    with pytest.raises(NotConfigured, match="LTX2_ENDPOINT_ID"):
        Client()
    with pytest.raises(NotConfigured, match="RUNPOD_API_KEY"):
        Client("ltx2")
