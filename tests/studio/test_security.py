"""What a stranger, another customer, a page of another origin and a flood may do: nothing but wait."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from local.runpod import Emulator
from ltx2_client import webhook
from ltx2_studio.body_limit import MOST_BODY_BYTES
from ltx2_studio.logs import JsonLines
from ltx2_studio.rates import Rates
from tests.studio.conftest import makes_a_video
from tests.studio.small_studio import JOB, KEY, SECRET, Studio, running, sqlite


@pytest.fixture
def strict(runpod: Emulator, tmp_path: Path) -> Iterator[Studio]:
    """A backend that lets one page's origin in, and few requests and streams."""
    with running(
        runpod, sqlite(tmp_path), origins=("https://page.example",), requests_per_minute=30, streams=2
    ) as studio:
        yield studio


def test_no_answer_of_any_route_holds_an_id_or_key_of_the_platform(studio: Studio, runpod: Emulator) -> None:
    """Only the Location of a redirect, which a browser follows, leads to the bucket."""
    runpod.play(makes_a_video)
    made = studio.ask("first-order").json()
    studio.wait_for(made["id"], "succeeded")
    failed = studio.ask("second-order", JOB | {"duration": 11})
    (job,) = runpod.jobs.values()
    own = f"/api/generations/{made['id']}"
    answers = [failed]
    described = studio.session.get(f"{studio.url}/openapi.json", timeout=10).json()
    for path, operations in described["paths"].items():
        address = (
            path.replace("{generation}", made["id"]).replace("{name}", "a.png").replace("{film}", made["id"])
        )
        if address.endswith("/events"):
            continue
        answers += [
            studio.call(method.upper(), address) for method in operations if method in {"get", "post"}
        ]
    answers += [studio.call("GET", address) for address in ("/metrics", "/healthz", "/readyz", "/", own)]
    with studio.stream(since=0) as changes:
        told = json.dumps(next(changes))
    secrets = (job.id, "bucket.example", KEY, SECRET, "an-endpoint", runpod.base_url)
    assert len(answers) > 20
    for text in (told, *(answer.text for answer in answers)):
        assert not [secret for secret in secrets if secret in text], text


def test_the_log_holds_no_ticket_token_or_prompt(
    studio: Studio, runpod: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "ltx2_studio")
    runpod.play(makes_a_video)
    made = studio.ask("first-order", {"prompt": "A very private wish."}).json()
    studio.wait_for(made["id"], "succeeded")
    lines = [JsonLines().format(record) for record in caplog.records if record.name.startswith("ltx2_studio")]
    assert {json.loads(line)["event"] for line in lines} >= {"request", "generation ended"}
    text = "\n".join(lines)
    hook = webhook.token(SECRET, made["id"])
    assert not [word for word in ("private wish", studio.token, "ticket=", hook, KEY) if word in text]


@pytest.mark.parametrize("path", ["/api/generations/quote", "/api/films", "/api/uploads", "/api/generations"])
def test_a_page_of_another_origin_can_do_nothing_with_what_a_browser_sends_by_itself(
    strict: Studio, path: str
) -> None:
    """No cookie is a credential here, so that there is no request to forge; a form is no JSON either."""
    sent = {"Origin": "https://evil.example", "Cookie": f"token={strict.token}"}
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/json"):
        answer = requests.post(
            f"{strict.url}{path}", "{}", headers=sent | {"Content-Type": content_type}, timeout=10
        )
        assert answer.status_code == 401
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_only_the_operator_s_origins_may_read(strict: Studio) -> None:
    def allowed(origin: str) -> str | None:
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        answer = requests.options(f"{strict.url}/api/generations", headers=headers, timeout=10)
        return answer.headers.get("Access-Control-Allow-Origin")

    assert allowed("https://page.example") == "https://page.example"
    for origin in (
        "https://evil.example",
        "https://page.example.evil.example",
        "null",
        "http://page.example",
    ):
        assert allowed(origin) is None
    answer = strict.call("GET", "/api/account", headers={"Origin": "https://page.example"})
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_every_answer_says_what_a_browser_may_do_with_it(studio: Studio) -> None:
    for path in ("/api/account", "/api/generations/none", "/api/nowhere"):
        headers = studio.call("GET", path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_a_flood_is_told_to_wait_and_the_next_account_is_not(strict: Studio) -> None:
    answers = [strict.call("GET", "/api/account") for _ in range(40)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert 5 <= len(refused) <= 10
    assert refused[0].json()["code"] == "too_many_requests"
    assert 1 <= int(refused[0].headers["Retry-After"]) <= 2
    assert strict.call("GET", "/api/account", token="token-of-bob").status_code == 200


def test_a_bucket_of_requests_fills_up_again() -> None:
    now = [0.0]
    rates = Rates(60, lambda: now[0])
    assert [bool(rates.take("ada")) for _ in range(61)] == [False] * 60 + [True]
    now[0] += 1.0
    assert rates.take("ada") == 0.0
    assert rates.take("ada") == pytest.approx(1.0)


def test_streams_are_counted(strict: Studio) -> None:
    with strict.stream() as first, strict.stream() as second:
        assert first
        assert second
        ticket = strict.call("POST", "/api/generations/ticket").json()["ticket"]
        answer = strict.call("GET", f"/api/generations/events?ticket={ticket}", stream=True)
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_streams")


def test_a_body_that_is_too_large_is_refused_announced_or_not(studio: Studio) -> None:
    job = {"model": "ltx-2", "input": JOB | {"image_base64": "A" * (MOST_BODY_BYTES + 1)}}
    whole = json.dumps(job).encode()
    parts = (whole[at : at + 100_000] for at in range(0, len(whole), 100_000))
    for body in (whole, parts):
        headers = {"Idempotency-Key": "a-large-order", "Content-Type": "application/json"}
        try:
            answer = studio.call("POST", "/api/generations", headers=headers, data=body)
        except requests.ConnectionError:
            continue  # refused before all of it was sent
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert studio.rows() == 0


def test_a_picture_in_the_job_is_not_sent_back_with_every_change(studio: Studio) -> None:
    shown = studio.ask("first-order", JOB | {"image_base64": "AAAA" * 1000}).json()
    assert shown["input"] == JOB


@pytest.mark.parametrize(
    "guess", ["..%2f..%2fetc%2fpasswd", "%2e%2e/account", "1' or '1'='1", "%00", "ü" * 200]
)
def test_a_guessed_id_is_not_found(studio: Studio, guess: str) -> None:
    for path in (f"/api/generations/{guess}", f"/api/films/{guess}", f"/api/generations/{guess}/video"):
        answer = studio.call("GET", path)
        assert answer.status_code in {404, 422}, path
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_ids_of_two_orders_do_not_tell_each_other(studio: Studio) -> None:
    first, second = (studio.ask(f"order-number-{n}").json()["id"] for n in range(2))
    same = sum(a == b for a, b in zip(first[14:], second[14:], strict=True))
    assert same < 14  # 22 characters, three of them fixed: the rest is chance


@pytest.mark.parametrize("ticket", ["", "ada.9999999999.00", "bob.{until}.{signature}", "ada", "a.b.c.d"])
def test_a_forged_or_foreign_ticket_opens_nothing(studio: Studio, ticket: str) -> None:
    real = studio.call("POST", "/api/generations/ticket").json()["ticket"]
    _, until, signature = real.rsplit(".", 2)
    forged = ticket.format(until=until, signature=signature)
    answer = requests.get(f"{studio.url}/api/generations/events", params={"ticket": forged}, timeout=10)
    assert answer.status_code == 401


def test_a_webhook_of_one_order_is_none_of_another(studio: Studio, runpod: Emulator) -> None:
    first, second = (studio.ask(f"order-number-{n}").json()["id"] for n in range(2))
    for generation in (first, second):
        studio.wait_for(generation, "queued")
    token = webhook.token(SECRET, first)
    body = {"id": next(iter(runpod.jobs)), "status": "COMPLETED", "output": {}}
    swapped = f"{studio.url}/api/generations/hooks/runpod/{second}/{token}"
    assert requests.post(swapped, json=body, timeout=10).status_code == 404
    own = f"{studio.url}/api/generations/hooks/runpod/{first}/{token}"
    for wrong in (b"", b"[]", b"{", b'{"id": 1}', b"\xff" * 1000):
        assert requests.post(own, wrong, timeout=10).status_code == 400
    for _ in range(3):  # three times, and out of order: RunPod is asked, and says that it waits
        assert requests.post(own, json=body, timeout=10).status_code == 200
    assert studio.call("GET", f"/api/generations/{first}").json()["state"] == "queued"


def test_markup_in_a_prompt_is_text(studio: Studio) -> None:
    prompt = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    answer = studio.ask("first-order", {"prompt": prompt})
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["input"]["prompt"] == prompt


def test_a_fault_of_ours_is_a_problem_without_a_trace(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio.backend.auth, "account", lambda _: 1 / 0)
    answer = studio.call("GET", "/api/account")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "ZeroDivision" not in answer.text
