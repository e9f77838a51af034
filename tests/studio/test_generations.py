"""An order becomes a job once, is followed, and is paid for once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from local.runpod import LOST_REPLY, Emulator, Job, Route, Script, refused
from tests.studio.conftest import makes_a_video
from tests.studio.small_studio import JOB, Studio


def test_an_order_becomes_a_video_that_is_paid_for(studio: Studio, runpod: Emulator) -> None:
    runpod.play(makes_a_video)
    answer = studio.ask("first-order")
    assert answer.status_code == 201
    made = answer.json()
    assert (made["state"], made["credits"], made["charged"]) == ("held", 30, 0)
    done = studio.wait_for(made["id"], "succeeded")
    assert done["charged"] == 30
    assert done["result"]["seed"] == 7
    assert (studio.balance().available, studio.balance().held) == (970, 0)
    link = studio.call("GET", f"/api/generations/{made['id']}/video")
    assert (link.status_code, link.headers["Location"]) == (302, "https://bucket.example/job.mp4")


def test_no_id_link_or_key_of_runpod_reaches_the_page(studio: Studio, runpod: Emulator) -> None:
    runpod.play(makes_a_video)
    made = studio.ask("first-order").json()
    studio.wait_for(made["id"], "succeeded")
    text = studio.call("GET", f"/api/generations/{made['id']}").text
    (job,) = runpod.jobs.values()
    for secret in (job.id, "bucket.example", "a-key-of-tests", "an-endpoint"):
        assert secret not in text


def test_the_same_key_is_the_same_order_however_often_it_comes(studio: Studio, runpod: Emulator) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: studio.ask("one-key-only"), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 7
    runpod.wait_for(lambda: runpod.jobs, "the job")
    assert (studio.rows(), studio.entries("hold"), len(runpod.jobs)) == (1, 1, 1)


def test_a_key_of_another_order_is_refused(studio: Studio) -> None:
    studio.ask("one-key-only")
    answer = studio.ask("one-key-only", {"prompt": "Another one."})
    assert (answer.status_code, answer.json()["code"]) == (422, "key_reused")
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_fifty_at_once_with_credits_for_three_are_three(studio: Studio) -> None:
    dear = JOB | {"quality": "pro", "resolution": "1080p", "duration": 20}  # 120 credits of 1,000
    studio.backend.settings.__dict__["open_generations"] = 100
    for number in range(5):
        assert studio.ask(f"earlier-{number}", dear).status_code == 201
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: studio.ask(f"order-{n:02}", dear), range(50)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [402] * 47
    refused_one = next(answer.json() for answer in answers if answer.status_code == 402)
    assert (refused_one["credits"], refused_one["available"], refused_one["missing"]) == (120, 40, 80)
    assert (studio.balance().available, studio.balance().held) == (40, 960)


def test_a_wrong_job_is_refused_with_every_fault_and_costs_nothing(studio: Studio) -> None:
    answer = studio.ask("first-order", {"prompt": "x", "duration": 11, "quality": "good"})
    assert answer.status_code == 422
    assert {fault["field"] for fault in answer.json()["faults"]} == {"duration", "quality"}
    assert (studio.rows(), studio.balance().available) == (0, 1000)


@pytest.mark.parametrize("field", ["request_id", "max_credits", "dry_run"])
def test_a_field_that_is_not_the_page_s_is_refused(studio: Studio, field: str) -> None:
    answer = studio.ask("first-order", JOB | {field: 1})
    assert (answer.status_code, answer.json()["faults"][0]["field"]) == (422, field)


@pytest.mark.parametrize("quality", ["fast", "pro"])
@pytest.mark.parametrize("resolution", ["720p", "1080p"])
@pytest.mark.parametrize("duration", [10, 15, 20])
def test_the_price_that_is_quoted_is_held(
    studio: Studio, quality: str, resolution: str, duration: int
) -> None:
    job = JOB | {"quality": quality, "resolution": resolution, "duration": duration}
    body = {"model": "ltx-2", "input": job}
    quoted = studio.call("POST", "/api/generations/quote", json=body).json()
    assert quoted["credits"] == studio.ask("first-order", job).json()["credits"] == studio.balance().held


def test_a_quote_shows_the_price_before_the_prompt_is_written(studio: Studio) -> None:
    body = {"model": "ltx-2", "input": {"quality": "pro"}}
    quoted = studio.call("POST", "/api/generations/quote", json=body).json()
    assert quoted["credits"] == 45
    assert quoted["faults"] == [{"field": "prompt", "message": "prompt is required."}]


def test_previews_are_free_and_limited(studio: Studio) -> None:
    answers = [studio.ask(f"preview-{n}", JOB | {"preview": True}) for n in range(7)]
    assert [answer.status_code for answer in answers] == [201] * 6 + [429]
    assert answers[-1].headers["Retry-After"] == "60"
    assert (studio.balance().available, studio.rows()) == (1000, 6)


def test_a_failure_costs_nothing_and_says_why(studio: Studio, runpod: Emulator) -> None:
    told = {"code": "media_rejected", "field": "image_url", "faults": [], "retryable": False, "job_id": "x"}
    runpod.play(lambda _: Script(0.1, told, error="The image is broken."))
    made = studio.ask("first-order").json()
    failed = studio.wait_for(made["id"], "failed")
    assert failed["error"] == {
        "code": "media_rejected",
        "message": "The image is broken.",
        "field": "image_url",
        "retryable": False,
    }
    assert (failed["charged"], studio.balance().available, studio.balance().held) == (0, 1000, 0)


def test_a_failure_that_may_pass_is_tried_once_more_under_the_same_hold(
    studio: Studio, runpod: Emulator
) -> None:
    told = {"code": "engine_crashed", "faults": [], "retryable": True, "job_id": "x"}

    def second_time(job: Job) -> Script:
        return makes_a_video(job) if len(runpod.jobs) > 1 else Script(0.1, told, error="It crashed.")

    runpod.play(second_time)
    made = studio.ask("first-order").json()
    assert studio.wait_for(made["id"], "succeeded", "failed")["state"] == "succeeded"
    assert (len(runpod.jobs), studio.entries("hold"), studio.balance().available) == (2, 1, 970)


def test_a_retry_is_a_new_generation_that_names_the_old_one(studio: Studio, runpod: Emulator) -> None:
    told = {"code": "deadline_exceeded", "faults": [], "retryable": True, "job_id": "x"}
    runpod.play(lambda _: Script(0.1, told, error="Too long."))
    made = studio.ask("first-order").json()
    studio.wait_for(made["id"], "failed")
    again = studio.call("POST", f"/api/generations/{made['id']}/retry")
    assert (again.status_code, again.json()["retry_of"]) == (201, made["id"])
    assert studio.entries("hold") == 2


def test_a_cancel_in_the_queue_gives_the_credits_back(studio: Studio, runpod: Emulator) -> None:
    made = studio.ask("first-order").json()
    studio.wait_for(made["id"], "queued")
    assert studio.call("POST", f"/api/generations/{made['id']}/cancel").status_code == 202
    studio.wait_for(made["id"], "cancelled")
    assert (studio.balance().available, studio.balance().held) == (1000, 0)


def test_somebody_else_s_generation_is_not_there(studio: Studio) -> None:
    made = studio.ask("first-order").json()
    for method, end in (("GET", ""), ("GET", "/video"), ("POST", "/cancel"), ("DELETE", "")):
        answer = studio.call(method, f"/api/generations/{made['id']}{end}", token="token-of-bob")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (method, end)
    assert studio.call("GET", "/api/generations", token="token-of-bob").json()["items"] == []


@pytest.mark.parametrize("token", ["", "wrong", "token-of-ada "])
def test_without_a_valid_token_there_is_nothing(studio: Studio, token: str) -> None:
    for path in ("/api/generations", "/api/account", "/api/generations/models", "/api/generations/events"):
        answer = studio.session.get(f"{studio.url}{path}", headers={"Authorization": f"Bearer {token}x"})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), path


def test_a_lost_reply_is_healed_by_the_webhook(studio: Studio, runpod: Emulator) -> None:
    runpod.inject(Route.RUN, LOST_REPLY)
    runpod.play(makes_a_video)
    made = studio.ask("first-order").json()
    assert studio.wait_for(made["id"], "succeeded")["charged"] == 30
    assert len(runpod.jobs) == 1


def test_a_refusal_that_took_nothing_is_sent_again(studio: Studio, runpod: Emulator) -> None:
    runpod.inject(Route.RUN, refused(429))
    runpod.play(makes_a_video)
    made = studio.ask("first-order").json()
    assert studio.wait_for(made["id"], "succeeded")["charged"] == 30
    assert len(runpod.jobs) == 1


def test_a_forged_webhook_changes_nothing(studio: Studio, runpod: Emulator) -> None:
    made = studio.ask("first-order").json()
    queued = studio.wait_for(made["id"], "queued")
    forged = {"id": "another-job", "status": "COMPLETED", "output": {}}
    hook = f"/api/generations/hooks/runpod/{made['id']}"
    assert studio.call("POST", f"{hook}/{'0' * 64}", json=forged).status_code == 404
    shown = studio.call("GET", f"/api/generations/{made['id']}").json()
    assert (shown["state"], shown["seq"]) == ("queued", queued["seq"])


def test_a_listener_that_comes_back_gets_everything_newer_once(studio: Studio) -> None:
    first = studio.ask("first-order").json()
    queued = studio.wait_for(first["id"], "queued")
    second = studio.ask("second-order").json()
    with studio.stream(since=queued["seq"]) as changes:
        seen = next(changes)
    assert seen["id"] == second["id"]
    assert seen["seq"] > queued["seq"]


def test_a_page_goes_on_where_the_last_one_ended(studio: Studio) -> None:
    made = [studio.ask(f"order-number-{number}").json()["id"] for number in range(5)]
    for generation in made:
        studio.wait_for(generation, "queued")
    first = studio.call("GET", "/api/generations?limit=3").json()
    rest = studio.call("GET", f"/api/generations?limit=3&cursor={first['next']}").json()
    assert {item["id"] for item in first["items"] + rest["items"]} == set(made)
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (3, 2, None)


def test_the_ledger_adds_up_to_the_balance(studio: Studio, runpod: Emulator) -> None:
    runpod.play(makes_a_video)
    made = studio.ask("first-order").json()
    studio.wait_for(made["id"], "succeeded")
    lines = studio.call("GET", "/api/account/ledger").json()["items"]
    assert [(line["kind"], line["amount"]) for line in lines] == [
        ("settle", 30),
        ("hold", 30),
        ("grant", 1000),
    ]
    assert studio.call("GET", "/api/account").json() == {"available": 970, "held": 0}


def test_operators_see_what_is_under_way(studio: Studio) -> None:
    studio.ask("first-order")
    metrics = studio.call("GET", "/metrics").text
    assert 'studio_credits{kind="hold"} 30.0' in metrics
    assert studio.call("GET", "/readyz").json() == {"status": "ok"}
