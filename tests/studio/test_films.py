"""A film is made of the caller's own videos, once, by a process of its own that may die at any time."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import av
import psutil
import pytest
import requests
from mypy_boto3_s3 import S3Client

from local.runpod import Emulator
from ltx2_studio import films, rendering
from ltx2_studio.film_contract import FilmState
from tests.film import small_clips
from tests.storage.s3_server import BUCKET
from tests.studio import small_bucket
from tests.studio.small_studio import Studio, running, sqlite


@pytest.fixture
def studio(runpod: Emulator, s3_server: str, bucket: S3Client, tmp_path: Path) -> Iterator[Studio]:
    deliveries = small_bucket.Deliveries(bucket, tmp_path)
    runpod.play(deliveries.script())
    with running(runpod, sqlite(tmp_path), links=small_bucket.links(s3_server)) as studio:
        yield studio


@pytest.fixture
def video(studio: Studio) -> str:
    """A generation with a video of a second."""
    made = studio.ask("first-order").json()
    return str(studio.wait_for(made["id"], "succeeded")["id"])


def ask(studio: Studio, edit: dict[str, Any], key: str = "first-film", **options: Any) -> requests.Response:
    return studio.call("POST", "/api/films", headers={"Idempotency-Key": key}, json=edit, **options)


def two_clips(video: str, **more: Any) -> dict[str, Any]:
    transition = {"kind": "crossfade", "seconds": 0.5}
    clips = [{"generation": video}, {"generation": video, "transition": transition}]
    return {"clips": clips, "loudness": {"target": None}} | more


def upload(studio: Studio, name: str, content: bytes) -> str:
    file = {"name": name, "bytes": len(content), "sha256": sha256(content).hexdigest()}
    place = studio.call("POST", "/api/uploads", json=file).json()
    requests.put(place["put_url"], content, headers=place["headers"], timeout=10).raise_for_status()
    return str(place["url"])


def test_clips_a_transition_and_music_become_a_film_that_costs_nothing(
    studio: Studio, video: str, tmp_path: Path
) -> None:
    before = studio.balance()
    music = small_clips.write_wave(tmp_path / "music.wav", small_clips.tone(0.7, 0.2)).read_bytes()
    edit = two_clips(video, music={"url": upload(studio, "song.WAV", music)}, loudness={"target": -20})
    made = ask(studio, edit)
    assert made.status_code == 201, made.text
    assert (made.json()["object"], made.json()["state"]) == ("film", "queued")
    film = studio.wait_for(made.json()["id"], "succeeded", "failed")
    assert film["error"] is None
    assert (film["result"]["frames"], film["result"]["duration"]) == (36, 1.5)
    assert abs(film["result"]["loudness"] + 20) < 1
    link = studio.call("GET", f"/api/films/{film['id']}/video?download=1")
    assert link.status_code == 302
    content = requests.get(link.headers["Location"], timeout=10).content
    assert sha256(content).hexdigest() == film["result"]["sha256"]
    (tmp_path / "film.mp4").write_bytes(content)
    with av.open(str(tmp_path / "film.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 36
    assert studio.balance() == before


def test_the_same_key_is_the_same_film(studio: Studio, video: str) -> None:
    first, again = ask(studio, two_clips(video)), ask(studio, two_clips(video))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    other = ask(studio, {"clips": [{"generation": video}]})
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")


def test_a_clip_that_is_not_the_caller_s_is_none(studio: Studio, video: str) -> None:
    answer = ask(studio, two_clips(video), token="token-of-bob")
    assert (answer.status_code, answer.json()["faults"][0]["field"]) == (422, "clips.0.generation")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"clips": [{"generation": "VIDEO", "out": 3.0}]}, "clips.0.out"),
        ({"clips": [{"generation": "VIDEO", "in": 0.01}]}, "clips.0.in"),
        ({"clips": [{"generation": "VIDEO"}], "width": 4000, "height": 4000}, "width"),
        (
            {"clips": [{"generation": "VIDEO"}], "music": {"url": "s3://videos/uploads/bob/a.mp3"}},
            "music.url",
        ),
        ({"clips": [{"generation": "VIDEO"}], "music": {"url": "https://a.b/c.mp3"}}, "music.url"),
        ({"clips": []}, "clips"),
        ({"clips": [{"generation": "VIDEO", "transition": {}}]}, "body"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_rendered(
    studio: Studio, video: str, wrong: dict[str, Any], field: str
) -> None:
    for clip in wrong["clips"]:
        clip["generation"] = video
    answer = ask(studio, wrong)
    assert answer.status_code == 422, answer.text
    assert field in {fault["field"] for fault in answer.json()["faults"]}, answer.text
    assert studio.call("GET", "/api/films").json()["items"] == []


def test_somebody_else_s_film_is_not_there(studio: Studio, video: str) -> None:
    made = ask(studio, two_clips(video)).json()
    for method, end in (("GET", ""), ("GET", "/video"), ("POST", "/cancel"), ("DELETE", "")):
        answer = studio.call(method, f"/api/films/{made['id']}{end}", token="token-of-bob")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (method, end)


def test_a_film_is_deleted_with_its_file_and_its_clips_stay(
    studio: Studio, video: str, bucket: S3Client
) -> None:
    made = ask(studio, two_clips(video)).json()
    studio.wait_for(made["id"], "succeeded")
    assert bucket.head_object(Bucket=BUCKET, Key=f"films/{made['id']}.mp4")
    assert studio.call("DELETE", f"/api/films/{made['id']}").status_code == 204
    assert studio.call("GET", f"/api/films/{made['id']}").status_code == 404
    assert bucket.list_objects_v2(Bucket=BUCKET, Prefix="films/").get("KeyCount") == 0
    assert studio.call("GET", f"/api/generations/{video}").status_code == 200


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The renderer begins and then waits; the ids of its processes."""
    started: list[int] = []
    run = asyncio.create_subprocess_exec

    async def waits(*command: str, **options: Any) -> asyncio.subprocess.Process:
        process = await run(command[0], "-c", "import sys; sys.stdin.read()", **options)
        started.append(process.pid)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", waits)
    return started


def test_a_cancel_ends_the_renderer(studio: Studio, video: str, slow: list[int]) -> None:
    made = ask(studio, two_clips(video)).json()
    wait(lambda: slow)
    assert studio.call("POST", f"/api/films/{made['id']}/cancel").status_code == 202
    studio.wait_for(made["id"], "cancelled")
    wait(lambda: not psutil.pid_exists(slow[0]))


def test_a_film_that_takes_too_long_is_given_up(studio: Studio, video: str, slow: list[int]) -> None:
    studio.backend.settings.__dict__["film_timeout"] = 0.5
    made = ask(studio, two_clips(video)).json()
    failed = studio.wait_for(made["id"], "failed")
    assert failed["error"]["code"] == "film_too_slow"
    wait(lambda: not psutil.pid_exists(slow[0]))


def test_a_renderer_that_dies_fails_the_film_and_not_the_next(
    studio: Studio, video: str, slow: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ask(studio, two_clips(video)).json()
    wait(lambda: slow)
    os.kill(slow[0], signal.SIGKILL)
    assert studio.wait_for(made["id"], "failed")["error"]["code"] == "film_failed"
    monkeypatch.undo()
    again = ask(studio, two_clips(video), "second-film").json()
    assert studio.wait_for(again["id"], "succeeded", "failed")["state"] == "succeeded"


def test_a_film_whose_backend_died_is_begun_anew_a_few_times(studio: Studio, video: str) -> None:
    """What a dead backend leaves: a film under a lease that ends."""
    studio.backend.settings.__dict__["film_timeout"] = 60.0
    made = ask(studio, two_clips(video)).json()
    studio.wait_for(made["id"], "succeeded")
    for tries, state in ((rendering.MOST_TRIES - 1, "succeeded"), (rendering.MOST_TRIES, "failed")):
        with studio.backend.engine.begin() as db:
            row = films.get(db, made["id"])
            left = {"state": FilmState.RENDERING, "tries": tries, "lease_until": time.time() - 1}
            films.change(db, row, only_from=list(FilmState), **left)
        studio.wait_for(made["id"], state)


def wait(ready: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.05)
