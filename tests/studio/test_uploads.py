"""An upload is just the file that was announced, of an allowed type and size, in its owner's folder."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import sqlalchemy as sa
from mypy_boto3_s3 import S3Client

from local.runpod import Emulator
from ltx2_studio.limits import MOST_IMAGE_BYTES, MOST_MUSIC_BYTES, MOST_VIDEO_BYTES
from ltx2_studio.tables import generations
from tests.storage.s3_server import BUCKET
from tests.studio import small_bucket
from tests.studio.small_studio import JOB, Studio, running, sqlite
from tests.studio.strict_bucket import strict_before

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(200))


@pytest.fixture
def studio(runpod: Emulator, s3_server: str, bucket: S3Client, tmp_path: Path) -> Iterator[Studio]:
    with (
        strict_before(s3_server) as url,
        running(runpod, sqlite(tmp_path), links=small_bucket.links(url)) as studio,
    ):
        yield studio


def announce(studio: Studio, name: str = "a.png", **changes: Any) -> requests.Response:
    file = {"name": name, "bytes": len(PICTURE), "sha256": sha256(PICTURE).hexdigest()} | changes
    return studio.call("POST", "/api/uploads", json=file)


def test_the_announced_file_is_taken_and_lies_in_its_owner_s_folder(studio: Studio, bucket: S3Client) -> None:
    place = announce(studio).json()
    assert requests.put(place["put_url"], PICTURE, headers=place["headers"], timeout=10).status_code == 200
    bucket_name, _, key = place["url"].removeprefix("s3://").partition("/")
    assert (bucket_name, key.split("/")[:2]) == (BUCKET, ["uploads", "ada"])
    assert bucket.get_object(Bucket=BUCKET, Key=key)["Body"].read() == PICTURE


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (PICTURE[:-1] + b"x", {}),
        (PICTURE + b"x", {}),
        (PICTURE[:-1], {}),
        (b"", {}),
        (PICTURE, {"Content-Type": "text/html"}),
        (PICTURE, {"x-amz-checksum-sha256": "A" * 43 + "="}),
        (PICTURE, {"x-amz-checksum-sha256": None}),
    ],
)
def test_anything_else_is_refused_by_the_store(
    studio: Studio, bucket: S3Client, body: bytes, headers: dict[str, str | None]
) -> None:
    place = announce(studio).json()
    sent = {name: value for name, value in (place["headers"] | headers).items() if name != "Content-Length"}
    sent = {name: value for name, value in sent.items() if value is not None}
    assert requests.put(place["put_url"], body, headers=sent, timeout=10).status_code in {400, 403}
    assert bucket.list_objects_v2(Bucket=BUCKET).get("KeyCount") == 0


def test_a_link_takes_one_key_and_no_other(studio: Studio, bucket: S3Client) -> None:
    place = announce(studio).json()
    elsewhere = place["put_url"].replace("uploads/ada/", "uploads/bob/")
    assert requests.put(elsewhere, PICTURE, headers=place["headers"], timeout=10).status_code == 403
    assert requests.delete(place["put_url"], headers=place["headers"], timeout=10).status_code == 403


@pytest.mark.parametrize(
    "name", ["a.html", "a.svg", "a.js", "a", ".png", "a.png\u0000.html", "a." + "b" * 300]
)
def test_a_type_that_is_no_medium_is_refused(studio: Studio, name: str) -> None:
    answer = announce(studio, name)
    assert (answer.status_code, answer.json()["faults"][0]["field"]) == (422, "name"), answer.text


@pytest.mark.parametrize("name", ["../../bob/a.png", "/etc/passwd.png", "..\\..\\a.png", "uploads/bob/x.png"])
def test_a_name_leads_nowhere(studio: Studio, name: str) -> None:
    assert announce(studio, name).json()["url"].startswith(f"s3://{BUCKET}/uploads/ada/")
    assert announce(studio, name).json()["url"].count("/") == 5


@pytest.mark.parametrize(
    ("name", "most"),
    [("a.png", MOST_IMAGE_BYTES), ("a.mp4", MOST_VIDEO_BYTES), ("a.mp3", MOST_MUSIC_BYTES)],
)
def test_each_kind_has_its_size(studio: Studio, name: str, most: int) -> None:
    assert announce(studio, name, bytes=most).status_code == 201
    answer = announce(studio, name, bytes=most + 1)
    assert (answer.status_code, answer.json()["faults"][0]["field"]) == (422, "bytes")


@pytest.mark.parametrize("field", ["image_url", "control"])
@pytest.mark.parametrize(
    "url",
    [
        f"s3://{BUCKET}/uploads/bob/0.png",
        f"s3://{BUCKET}/uploads/ada/../bob/0.png",
        f"s3://{BUCKET}/some-job.mp4",
        "s3://another/uploads/ada/0.png",
        f"S3://{BUCKET}/uploads/bob/0.png",
        f" s3://{BUCKET}/uploads/bob/0.png",
    ],
)
def test_a_job_may_name_no_file_of_the_bucket_but_its_owner_s_uploads(
    studio: Studio, field: str, url: str
) -> None:
    own = {"image_url": announce(studio).json()["url"]}
    job = (
        JOB
        | own
        | ({"image_url": url} if field == "image_url" else {field: {"type": "depth", "video_url": url}})
    )
    answer = studio.ask("first-order", job)
    named = field if field == "image_url" else "control.video_url"
    assert (answer.status_code, answer.json()["faults"][0]["field"]) == (422, named)
    assert studio.rows() == 0


def test_a_prompt_may_say_what_it_wants(studio: Studio) -> None:
    assert studio.ask("first-order", {"prompt": "s3://videos/uploads/bob/0.png on a wall"}).status_code == 201
    own = announce(studio).json()["url"]
    assert studio.ask("second-order", JOB | {"image_url": own}).status_code == 201


def test_what_is_deleted_is_deleted_in_the_bucket_too(
    studio: Studio, runpod: Emulator, bucket: S3Client, tmp_path: Path
) -> None:
    runpod.play(small_bucket.Deliveries(bucket, tmp_path).script())
    kept, deleted = (studio.ask(f"order-number-{number}").json()["id"] for number in range(2))
    for generation in (kept, deleted):
        studio.wait_for(generation, "succeeded")
    assert studio.call("DELETE", f"/api/generations/{deleted}").status_code == 204

    def files() -> int:
        return int(bucket.list_objects_v2(Bucket=BUCKET)["KeyCount"])

    runpod.wait_for(lambda: files() == 2, "a video and a poster are left", 20)
    assert studio.call("GET", f"/api/generations/{kept}/video").status_code == 302


def test_each_look_at_a_video_makes_a_fresh_link(
    studio: Studio, runpod: Emulator, bucket: S3Client, tmp_path: Path
) -> None:
    """So a video of last week plays: its generation is older than any link."""
    runpod.play(small_bucket.Deliveries(bucket, tmp_path).script())
    made = studio.ask("first-order").json()["id"]
    studio.wait_for(made, "succeeded")
    with studio.backend.engine.begin() as db:
        week_ago = time.time() - 7 * 86_400
        db.execute(sa.update(generations).values(created_at=week_ago, finished_at=week_ago))
    link = studio.call("GET", f"/api/generations/{made}/video").headers["Location"]
    query = dict(parse_qsl(urlsplit(link).query))
    signed = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - signed) < timedelta(minutes=1)
    assert requests.get(link, timeout=10).status_code == 200
