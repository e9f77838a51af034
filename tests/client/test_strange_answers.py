"""An endpoint, a proxy or a store that answers anything: one error, in bounded time and memory."""

import gzip
import json
import re
import time
import tracemalloc
from pathlib import Path

import anyio
import httpx2
import pytest

from local.runpod import Emulator
from ltx2_api.reply import VideoResult
from ltx2_client import AsyncClient, Client, Journal, Video, body, submitting
from ltx2_client.downloading import place_of
from ltx2_client.errors import BadDownload, BadReply, Ltx2Error
from ltx2_client.models import State, Status
from ltx2_client.outcome import failure, outcome, running
from ltx2_client.part_file import PartFile
from ltx2_client.strangers import read_json, whole_number
from ltx2_client.webhook import parse
from ltx2_client.wire import Reply
from tests.client.outputs import video_output
from tests.client.raw_server import answer, raw_server

DEEP = b'{"id":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
BOMB = gzip.compress(b'{"id":"' + b"a" * (64 << 20) + b'"}', 9)

#: What each is, and its bytes; every one ended in a traceback, or held the caller up, or would be kept.
ANSWERS = {
    "nested a hundred thousand deep": answer(DEEP),
    "an error nested as deep": answer(DEEP, status=400),
    "half of a surrogate pair as the id": answer(b'{"id":"\\ud800"}'),
    "an id with a line break": answer(b'{"id":"a\\nb"}'),
    "an id of a hundred thousand characters": answer(json.dumps({"id": "a" * 100_000}).encode()),
    "a number that is none to int()": answer(b"", b"Retry-After: \xb2", status=429),
    "gzip that was not asked for": answer(BOMB, b"Content-Encoding: gzip"),
    "a length that is none to int()": answer(b'{"id":"a"}', length=b"9" * 5000),
    "a negative length": answer(b'{"id":"a"}', length=b"-5"),
    "fewer bytes than were announced": answer(b'{"id":"a"}', length=b"100"),
    "no JSON": answer(b"<html>"),
    "no UTF-8": answer(b'{"id":"\xff"}'),
    "NaN": answer(b"NaN"),
    "a list": answer(b"[]"),
    "an elsewhere": answer(b"", b"Location: http://127.0.0.1:1/", status=302),
}


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitting, "PATIENCE", 0.0)


@pytest.mark.parametrize("name", ANSWERS)
def test_whatever_is_answered_is_one_error(name: str, journal: Journal) -> None:
    with raw_server(ANSWERS[name]) as url, Client("ep", "key", url=url, timeout=5, journal=journal) as client:
        with pytest.raises(Ltx2Error) as caught:
            client.submit({"prompt": "x"})
        caught.value.message.encode()
        with pytest.raises(Ltx2Error):
            client.handle("job").status()


def test_the_asynchronous_client_has_the_same_bounds() -> None:
    async def ask() -> None:
        async with AsyncClient("ep", "key", url=url, timeout=5, journal=None) as client:
            with pytest.raises(Ltx2Error):
                await client.handle("job").status()

    with raw_server(ANSWERS["gzip that was not asked for"]) as url:
        anyio.run(ask)


def test_an_answer_without_end_is_given_up(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "MOST_REPLY_BYTES", 1_000_000)
    endless = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"a" * 20_000_000
    with raw_server(endless) as url, Client("ep", "key", url=url, timeout=5, journal=journal) as client:
        tracemalloc.start()
        with pytest.raises(Ltx2Error):
            client.handle("job").status()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert most < 60_000_000  # the server's own 20 MB are in it


def test_a_body_that_drips_has_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    counted = body.Body(httpx2.Response(200), 1e9)
    for _ in range(59):
        now[0] += 1
        counted.met(b"a")
    now[0] += 2
    with pytest.raises(Exception, match="too slowly"):
        counted.met(b"a")


@pytest.mark.parametrize("told", ["\u00b2", "\u0663", "9" * 5000, "-1", "1e3", ""])
def test_a_number_that_is_none_is_not_read(told: str) -> None:
    assert whole_number(told) is None


def test_a_length_that_is_none_costs_no_download(tmp_path: Path) -> None:
    with PartFile(tmp_path / "video.mp4", 10, "0" * 64) as part:
        assert part.accept(Reply(200, {"content-length": "\u00b2"}, b"")) is not None


@pytest.mark.parametrize(
    "text", [b"NaN", b'{"a":-Infinity}', b"1e999", b'["\\ud800"]', b'{"\\uDFFF":1}', DEEP]
)
def test_what_no_database_takes_is_no_json(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_json(text)


def test_a_whole_surrogate_pair_is_text() -> None:
    assert read_json(b'"\\ud83d\\ude00"') == "\U0001f600"


@pytest.mark.parametrize(
    "link",
    ["javascript:alert(1)", "https://a\r\nSet-Cookie: x=1", "https://h/\u202e", "", "file:///etc/passwd"],
)
def test_a_link_that_no_page_may_follow_is_no_result(link: str) -> None:
    output = video_output("job", b"video", link)
    with pytest.raises(BadReply):
        outcome(Status(id="job", state=State.COMPLETED, output=output))


@pytest.mark.parametrize(
    "wrong",
    [{"percent": 1000}, {"percent": -1}, {"seconds_left": -1.0}, {"step": 10**30}, {"stage": "x" * 9999}],
)
def test_progress_that_cannot_be_is_not_told(wrong: dict[str, object]) -> None:
    output = {"percent": 5, "stage": "sampling"} | wrong
    assert running(Status(id="job", state=State.IN_PROGRESS, output=output)).percent is None


def test_what_a_worker_says_moves_no_terminal_s_cursor() -> None:
    output = {"code": "internal", "faults": [{"field": "a\x1b[2J", "message": "\x1b]0;title\x07"}]}
    error = failure(Status(id="job", state=State.FAILED, output=output, error="\x1b[31mfailed\r"))
    told = error.message + "".join(fault.field + fault.message for fault in getattr(error, "faults", ()))
    assert not re.search(r"[\x00-\x1f\x7f]", told)


@pytest.mark.parametrize("job_id", ["\\ud800", "a\\nb", "", "a" * 200])
def test_a_webhook_with_an_id_that_is_none_is_none(job_id: str) -> None:
    with pytest.raises(BadReply):
        parse(b'{"id":"%s","status":"COMPLETED"}' % job_id.encode())


@pytest.mark.parametrize(
    "job_id", ["../../etc/x", "/etc/x", "a" * 5000, "", ".", "a\x00b", "\u2028", "..\\x"]
)
def test_no_job_s_id_leads_out_of_the_folder(job_id: str, tmp_path: Path) -> None:
    result = VideoResult.model_validate(video_output("job", b"video") | {"job_id": job_id})
    place = place_of(result, tmp_path, poster=False)
    assert place.parent == tmp_path
    place.write_bytes(b"video")
    assert [path.name for path in tmp_path.iterdir()] == [place.name]


def test_a_reply_that_names_a_file_of_this_machine_gets_none(tmp_path: Path, runpod: Emulator) -> None:
    secret = tmp_path / "id_rsa"
    secret.write_bytes(b"a key")
    output = video_output("job", b"video") | {"poster_path": str(secret)}
    with Client("ep", "key", url=runpod.base_url, journal=None) as client:
        video = Video.of(VideoResult.model_validate(output), client.handle("job"))
        with pytest.raises(BadDownload):
            video.download(tmp_path / "here.jpg", poster=True)
    assert not (tmp_path / "here.jpg").exists()
