"""The picture of the emerging video: taken from the status, shown to its owner, gone with the end."""

import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from PIL import Image

from local.runpod import Emulator, Job, Script, sampling
from ltx2_studio import generations, ledger, orders, pictures
from ltx2_studio.contract import FINAL, State
from ltx2_studio.database import connect
from ltx2_studio.generations import New, Row
from ltx2_studio.tables import pictures as table
from tests.studio.small_studio import JOB, Studio, running, settings, sqlite


def jpeg(colour: str = "teal", size: tuple[int, int] = (20, 12), **options: Any) -> bytes:
    """A picture as the engine makes them."""
    written = BytesIO()
    Image.new("RGB", size, colour).save(written, "JPEG", **options)
    return written.getvalue()


def as_text(picture: bytes) -> str:
    return b64encode(picture).decode()


def png() -> bytes:
    written = BytesIO()
    Image.new("RGB", (20, 12)).save(written, "PNG")
    return written.getvalue()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 95, "comment": b"x" * 9000}])
def test_a_picture_is_taken_as_it_is(options: dict[str, Any]) -> None:
    assert pictures.jpeg_of(as_text(jpeg(**options))) == jpeg(**options)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "not base64",
        "/9j/",
        as_text(png()),
        as_text(jpeg()[:-2]),
        as_text(jpeg()[:40] + b"\xff\xd9"),
        as_text(b"\xff\xd8" + b"\xff\xe0\x00\x00" * 10 + b"\xff\xd9"),
        as_text(jpeg(size=(20, pictures.MOST_PIXELS + 1))),
        as_text(jpeg(size=(pictures.MOST_PIXELS + 1, 20))),
        as_text(jpeg()[:-2] + bytes(pictures.MOST_BYTES) + b"\xff\xd9"),
        "A" * 1_000_000,
    ],
)
def test_what_is_no_small_jpeg_is_not_taken(text: str | None) -> None:
    assert pictures.jpeg_of(text) is None


def shows(job: Job) -> Script:
    """A worker that shows a teal picture, then a red one, and goes on for an hour."""
    return Script(seconds=3600.0, progress=sampling(0.6, 2, [jpeg("teal"), jpeg("red")]))


def of(studio: Studio, generation: str, **options: Any) -> requests.Response:
    return studio.call("GET", f"/api/generations/{generation}/picture", **options)


def count(db: sa.Connection) -> int:
    return int(db.scalar(sa.select(sa.func.count()).select_from(table)) or 0)


def test_the_emerging_picture_is_there_for_its_owner_as_long_as_the_job_runs(
    runpod: Emulator, database: str
) -> None:
    runpod.play(shows)
    with running(runpod, database) as studio, studio.stream(since=0) as changes:
        made = studio.ask("order-001").json()["id"]
        assert of(studio, made).status_code == 204
        last = pictures.name_of(jpeg("red"))
        shown = next(each for each in changes if each["progress"] and each["progress"]["picture"] == last)
        answer = of(studio, made)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
        assert answer.content == jpeg("red")
        assert (answer.headers["Cache-Control"], answer.headers["X-Content-Type-Options"]) == (
            "no-store",
            "nosniff",
        )
        assert "base64" not in str(shown)
        ticket = studio.call("POST", "/api/generations/ticket").json()["ticket"]
        address = f"{studio.url}/api/generations/{made}/picture"
        assert requests.get(address, params={"ticket": ticket}, timeout=10).content == jpeg("red")
        assert requests.get(address, timeout=10).status_code == 401
        assert of(studio, made, token="token-of-bob").status_code == 404
        studio.call("POST", f"/api/generations/{made}/cancel")
        next(each for each in changes if each["state"] == "cancelled")
        assert of(studio, made).status_code == 204
        with studio.backend.engine.begin() as db:
            assert count(db) == 0


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[tuple[sa.Engine, Row]]:
    """A generation that runs, and shows a picture."""
    engine, now = connect(sqlite(tmp_path)), time.time()
    with engine.begin() as db:
        ledger.grant(db, "ada", 100, now)
    row, _ = orders.take(engine, New("ada", "order-001", "ltx-2", JOB, (), 0), settings("unused"), now)
    with engine.begin() as db:
        named = {"percent": 3, "stage": "sampling", "picture": pictures.name_of(jpeg())}
        row = changed(generations.change(db, row, state=State.RUNNING, progress=named, picture=jpeg()))
        assert pictures.get(db, row.id) == jpeg()
    yield engine, row
    engine.dispose()


def changed(row: Row | None) -> Row:
    assert row is not None
    return row


@pytest.mark.parametrize("state", sorted(FINAL))
def test_no_end_leaves_a_picture_behind(shown: tuple[sa.Engine, Row], state: State) -> None:
    engine, row = shown
    before = replace(row, progress=None)  # as whoever read it before the picture came has it
    with engine.begin() as db:
        changed(generations.finish(db, before, state, time.time()))
        assert count(db) == 0
        late = generations.change(
            db, row, progress={"picture": "another"}, picture=jpeg()
        )  # by a look that began before the end
        assert late is None
        assert count(db) == 0


def test_a_worker_that_begins_anew_without_pictures_leaves_none_of_the_one_before(
    shown: tuple[sa.Engine, Row],
) -> None:
    engine, row = shown
    with engine.begin() as db:
        row = changed(generations.change(db, row, waiting="busy"))
        assert count(db) == 1
        changed(generations.change(db, row, progress={"percent": 1, "stage": "loading", "picture": None}))
        assert count(db) == 0
