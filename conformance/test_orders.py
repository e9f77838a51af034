"""An order: once for a key, at the price that was told, with its credits held, and given back."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from conformance.target import JOB, Target, matches, new_key


def test_what_can_be_asked_for_is_told_with_its_prices(api: Target) -> None:
    model = api.model
    matches("Model", model)
    assert "prompt" in model["input_schema"]["properties"]
    assert model["prices"]


def test_the_price_that_is_listed_is_quoted_and_held(api: Target) -> None:
    job, price = api.dearest
    body = {"model": api.model["id"], "input": job}
    quoted = api.call("POST", "/api/generations/quote", json=body).json()
    matches("Quote", quoted)
    assert (quoted["credits"], quoted["faults"]) == (price, [])
    before = api.balance()
    made = api.order(job)
    assert made.status_code == 201, made.text
    matches("Generation", made.json())
    assert (made.json()["credits"], made.json()["charged"]) == (price, 0)
    assert api.balance() == (before[0] - price, before[1] + price)
    ended = api.cancel(made.json()["id"])
    if ended["state"] == "cancelled":
        assert api.balance() == before


def test_a_quote_of_a_job_that_is_not_complete_has_faults_and_is_no_error(api: Target) -> None:
    body = {"model": api.model["id"], "input": {}}
    answer = api.call("POST", "/api/generations/quote", json=body)
    assert answer.status_code == 200
    assert [fault["field"] for fault in answer.json()["faults"]] == ["prompt"]


def test_one_key_is_one_order_however_often_it_comes(api: Target) -> None:
    key, job = new_key(), JOB | {"preview": True}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api.order(job, key), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum(answer.headers.get("Idempotency-Replayed") == "true" for answer in answers) == 7
    api.cancel(answers[0].json()["id"])


def test_a_key_of_another_order_is_refused(api: Target) -> None:
    key = new_key()
    made = api.order(JOB | {"preview": True}, key).json()
    answer = api.order(JOB | {"preview": True, "seed": 1}, key)
    assert (answer.status_code, answer.json()["code"]) == (422, "key_reused")
    api.cancel(made["id"])


def test_fifty_at_once_are_as_many_as_there_are_credits_for(api: Target) -> None:
    job, price = api.dearest
    before = api.balance()
    affordable = before[0] // price
    if affordable > 10:
        pytest.skip(f"the account can pay for {affordable}: give it credits for three, {3 * price}")
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: api.order(job), range(50)))
    made = [answer.json()["id"] for answer in answers if answer.status_code == 201]
    assert len(made) == affordable
    refused = [answer for answer in answers if answer.status_code != 201]
    assert {answer.status_code for answer in refused} == {402}
    told = refused[0].json()
    assert (told["credits"], told["missing"]) == (price, price - told["available"])
    ended = [api.cancel(generation) for generation in made]
    charged = sum(shown["charged"] for shown in ended)
    assert api.balance() == (before[0] - charged, before[1])


@pytest.mark.parametrize(
    ("job", "field"),
    [
        ({}, "prompt"),
        (JOB | {"duration": 11}, "duration"),
        (JOB | {"no_such_field": 1}, "no_such_field"),
        (JOB | {"image_url": "s3://somebody/else.png"}, "image_url"),
        (JOB | {"image_url": "file:///etc/passwd"}, "image_url"),
    ],
)
def test_a_wrong_job_is_refused_with_the_field_at_fault(
    api: Target, job: dict[str, object], field: str
) -> None:
    before = api.balance()
    answer = api.order(job)
    if field == "image_url" and answer.status_code == 201:
        # Where an address leads is the worker's to find out; then it costs nothing.
        api.cancel(answer.json()["id"])
        assert not str(job["image_url"]).startswith("s3:"), "a file of the bucket that is not the caller's"
        return
    assert answer.status_code == 422, answer.text
    assert field in {fault["field"] for fault in answer.json()["faults"]}
    assert api.balance() == before


def test_an_order_without_a_key_is_refused(api: Target) -> None:
    answer = api.call("POST", "/api/generations", json={"model": api.model["id"], "input": JOB})
    assert answer.status_code == 422


def test_the_ledger_tells_where_credits_went(api: Target) -> None:
    job, price = api.dearest
    made = api.order(job).json()
    api.cancel(made["id"])
    page = api.call("GET", "/api/account/ledger").json()
    matches("LedgerPage", page)
    kinds = {line["kind"]: line["amount"] for line in page["items"] if line["generation"] == made["id"]}
    assert kinds["hold"] == price
    assert len(kinds) == 2
    assert set(kinds) < {"hold", "settle", "release"}


@pytest.mark.skipif(os.environ.get("WORKER") != "1", reason="WORKER=1: jobs are really made")
def test_a_preview_becomes_a_video_that_plays_and_is_free(api: Target) -> None:
    before = api.balance()
    made = api.order(JOB | {"preview": True}).json()
    done = api.wait(made["id"], {"succeeded", "failed"}, float(os.environ.get("WORKER_SECONDS", "120")))
    assert done["state"] == "succeeded", done["error"]
    assert (done["credits"], done["charged"]) == (0, 0)
    assert api.balance() == before
    link = api.call("GET", f"/api/generations/{made['id']}/video")
    assert link.status_code == 302
    again = api.order(JOB | {"preview": True}).json()
    assert again["id"] != made["id"]
    api.cancel(again["id"])


@pytest.mark.skipif(os.environ.get("WORKER") != "1", reason="WORKER=1: jobs are really made")
def test_a_video_is_charged_at_its_price(api: Target) -> None:
    before = api.balance()
    made = api.order(JOB).json()
    done = api.wait(made["id"], {"succeeded", "failed"}, float(os.environ.get("WORKER_SECONDS", "120")))
    assert done["state"] == "succeeded", done["error"]
    assert done["charged"] == made["credits"]
    assert api.balance() == (before[0] - made["credits"], before[1])
