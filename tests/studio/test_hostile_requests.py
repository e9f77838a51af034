"""Whatever a caller or an endpoint sends: no server's fault, and nothing is kept that breaks a page."""

import asyncio
import http.client
import json
from collections.abc import Callable

import pytest
import sqlalchemy as sa
import websocket

from local.runpod import Emulator, Job, Script
from ltx2_studio import backend, body_limit
from ltx2_studio.events import account_of
from tests.studio.small_studio import VIDEO, Studio, running

#: Values as they stand in a JSON text.
VALUES = [
    '"\\ud800"',
    '"\\u0000"',
    "NaN",
    "Infinity",
    "1e999",
    "9" * 5000,
    "[]",
    "[" * 100_000 + "]" * 100_000,
]
TEXTS = ["%00", "%C2%B2", "9" * 30, "9" * 5000, "-1", "%ED%A0%80", "%FF", "..%2F..", "%0d%0aX:1"]
ADDRESSES = [
    "/api/generations?cursor=",
    "/api/generations?q=",
    "/api/generations?tag=",
    "/api/account/ledger?cursor=",
    "/api/generations/",
    "/api/generations/events?ticket=",
    "/api/generations/events?ticket=ada.99999999999.",
    "/api/generations/events?ticket=ada.",
    "/api/films?cursor=",
    "/api/films/",
    "/api/uploads/",
    "/studio/",
]


def send(studio: Studio, method: str, path: str, body: bytes = b"", **headers: str) -> int:
    """One request as it is, without a library that would correct it; the answer's status."""
    line = http.client.HTTPConnection("127.0.0.1", int(studio.url.rsplit(":", 1)[1]), timeout=20)
    named = {"Authorization": f"Bearer {studio.token}", "Content-Type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    line.request(method, path, body, named)
    status = line.getresponse().status
    line.close()
    return status


@pytest.fixture
def anywhere(runpod: Emulator, database: str) -> Studio:  # type: ignore[misc]
    """A backend on each kind of database."""
    with running(runpod, database, requests_per_minute=1_000_000) as studio:
        yield studio


def test_no_address_is_a_server_s_fault(
    anywhere: Studio, record_property: Callable[[str, object], None]
) -> None:
    record_property("cases", len(ADDRESSES) * len(TEXTS))
    statuses = {path + text[:20]: send(anywhere, "GET", path + text) for path in ADDRESSES for text in TEXTS}
    assert {path: status for path, status in statuses.items() if status >= 500} == {}


def test_no_body_is_a_server_s_fault_or_breaks_the_list(
    anywhere: Studio, record_property: Callable[[str, object], None]
) -> None:
    bodies = [
        body % value
        for value in VALUES
        for body in (
            '{"input":{"prompt":"x","cfg":%s}}',
            '{"input":{"prompt":"x","seed":%s}}',
            '{"input":{"prompt":%s}}',
            '{"input":%s}',
            '{"input":{"prompt":"x"},"tags":[%s]}',
        )
    ]
    record_property("cases", 2 * len(bodies))
    for number, body in enumerate(bodies):
        for path in ("", "/quote"):
            status = send(
                anywhere,
                "POST",
                f"/api/generations{path}",
                body.encode(),
                Idempotency_Key=f"number-{number:04}",
            )
            assert status < 500, body[:80]
    assert send(anywhere, "GET", "/api/generations") == 200


def test_a_body_that_is_too_large_is_not_read(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_limit, "MOST_BYTES", 1000)
    body = b'{"input":{"prompt":"' + b"x" * 2000 + b'"}}'
    assert send(studio, "POST", "/api/generations/quote", body) == 413
    line = http.client.HTTPConnection("127.0.0.1", int(studio.url.rsplit(":", 1)[1]), timeout=20)
    # Without an announced length, by somebody without a token.
    line.request("POST", "/api/generations/quote", iter([body]), {"Content-Type": "application/json"})
    assert line.getresponse().status == 413
    line.close()


@pytest.mark.parametrize(
    "ticket", ["ada.\u00b2.x", "ada.99999999999.\u00e9", "ada." + "9" * 5000 + ".x", ".."]
)
def test_a_forged_ticket_is_nobody_s(ticket: str) -> None:
    assert account_of("a secret of sixteen", ticket, 0.0) is None


@pytest.mark.parametrize("change", [{"percent": 1000}, {"percent": -5}, {"seconds_left": 1e300}])
def test_progress_that_cannot_be_breaks_no_page(
    studio: Studio, runpod: Emulator, change: dict[str, float]
) -> None:
    progress = {"percent": 5, "stage": "sampling"} | change

    def play(job: Job) -> Script:
        return Script(60, VIDEO | {"job_id": job.id}, progress=((0.1, progress),))

    runpod.play(play)
    made = studio.ask("an-order")
    assert studio.wait_for(made.json()["id"], "running")["progress"] is None
    assert studio.call("GET", "/api/generations").status_code == 200


def test_a_database_that_is_away_for_a_moment_ends_no_round() -> None:
    looks: list[str] = []

    async def look() -> int:
        looks.append("looked")
        if len(looks) == 1:
            raise sa.exc.OperationalError("select", {}, Exception("away"))
        return 1

    async def rounds() -> None:
        going = asyncio.create_task(backend.again_and_again(look))
        while len(looks) < 2 and not going.done():
            await asyncio.sleep(0.01)
        assert not going.done()
        going.cancel()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backend, "PAUSE_AFTER_FAULT", 0.01)
        asyncio.run(rounds())


def test_a_web_socket_that_is_sent_what_it_does_not_expect_goes_on(studio: Studio) -> None:
    ticket = studio.call("POST", "/api/generations/ticket").json()["ticket"]
    address = f"{studio.url.replace('http', 'ws', 1)}/api/generations/ws?ticket={ticket}&since=0"
    socket = websocket.create_connection(address, timeout=20, http_no_proxy=["127.0.0.1"])
    socket.send_binary(b"\xff" * 1000)
    made = studio.ask("an-order").json()
    assert json.loads(socket.recv())["id"] == made["id"]
    socket.close()
