"""What a page looks at: lists that are searched, files by ticket, the last frame as the next start."""

from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
import requests
from mypy_boto3_s3 import S3Client
from PIL import Image

from local.runpod import Emulator
from ltx2_client.last_frame import last_frame
from tests.studio import small_bucket
from tests.studio.conftest import makes_a_video
from tests.studio.small_studio import Studio, running, sqlite


@pytest.fixture
def with_bucket(runpod: Emulator, s3_server: str, bucket: S3Client, tmp_path: Path) -> Iterator[Studio]:
    with running(runpod, sqlite(tmp_path), links=small_bucket.links(s3_server)) as studio:
        yield studio


def test_a_list_is_searched_by_words_and_by_several_states(studio: Studio, runpod: Emulator) -> None:
    for key, prompt in (("order-1-", "A calm sea."), ("order-2-", "A storm: 100 % rain, it's loud.")):
        studio.ask(key, {"prompt": prompt})

    def found(**asked: object) -> list[str]:
        page = studio.call("GET", "/api/generations", params=asked).json()
        return [item["input"]["prompt"][:7] for item in page["items"]]

    assert found(q="CALM") == ["A calm "]
    assert found(q="0 %") == found(q="it's") == ["A storm"]
    assert found(q="_") == found(q="snow") == []
    open_states = ["held", "submitting", "queued", "running"]
    assert found(state=open_states) == ["A storm", "A calm "]
    assert found(state=["succeeded", "failed"]) == []


def test_a_browser_looks_at_a_video_and_a_poster_with_a_ticket(
    with_bucket: Studio, runpod: Emulator, bucket: S3Client, tmp_path: Path
) -> None:
    delivered = small_bucket.Deliveries(bucket, tmp_path)
    runpod.play(delivered.script())
    made = with_bucket.ask("order-1-").json()["id"]
    with_bucket.wait_for(made, "succeeded")
    address = f"{with_bucket.url}/api/generations/{made}"
    ticket = with_bucket.call("POST", "/api/generations/ticket").json()["ticket"]
    video = requests.get(f"{address}/video", params={"ticket": ticket}, timeout=10)
    assert video.content == delivered.clip.read_bytes()
    assert (
        requests.get(f"{address}/poster", params={"ticket": ticket}, timeout=10).content == delivered.poster
    )
    for bad in ({}, {"ticket": "ada.1.x"}, {"ticket": ticket[:-1]}):
        assert requests.get(f"{address}/video", params=bad, timeout=10).status_code == 401
    of_bob = with_bucket.call("POST", "/api/generations/ticket", token="token-of-bob").json()["ticket"]
    assert requests.get(f"{address}/video", params={"ticket": of_bob}, timeout=10).status_code == 404


def test_the_last_frame_of_a_video_is_the_next_start_image(
    with_bucket: Studio, runpod: Emulator, bucket: S3Client, tmp_path: Path
) -> None:
    delivered = small_bucket.Deliveries(bucket, tmp_path)
    runpod.play(delivered.script())
    made = with_bucket.ask("order-1-").json()["id"]
    with_bucket.wait_for(made, "succeeded")
    answer = with_bucket.call("POST", f"/api/generations/{made}/last-frame")
    assert answer.status_code == 201
    name = answer.json()["url"].rpartition("/")[2]
    with_bucket.session.headers.clear()
    shown = with_bucket.call("GET", f"/api/uploads/{name}")
    picture = requests.get(shown.headers["Location"], timeout=10).content
    assert sha256(picture).digest() == sha256(last_frame(delivered.clip)).digest()
    assert Image.open(BytesIO(picture)).size == (448, 256)
    assert with_bucket.ask("order-2-", {"prompt": "It goes on.", "image_url": answer.json()["url"]}).ok
    of_bob = with_bucket.call("GET", f"/api/uploads/{name}", token="token-of-bob")
    assert requests.get(of_bob.headers["Location"], timeout=10).status_code == 404
    assert with_bucket.call("GET", "/api/uploads/..%2Fada%2Fx.png").status_code == 404


def test_without_a_bucket_there_is_no_last_frame_and_the_answer_says_so(
    studio: Studio, runpod: Emulator
) -> None:
    runpod.play(makes_a_video)
    made = studio.ask("order-1-").json()["id"]
    assert studio.call("POST", f"/api/generations/{made}/last-frame").json()["code"] == "no_video"
    assert studio.call("GET", "/api/uploads/any.png").json()["code"] == "no_uploads"


def test_the_page_may_load_nothing_but_its_own_scripts(studio: Studio) -> None:
    answer = requests.get(studio.url, timeout=10)
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["default-src"] == "'none'"
    script = requests.get(f"{studio.url}/studio/vendor/lit.js", timeout=10)
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert requests.get(f"{studio.url}/studio/..%2F..%2Fsettings.py", timeout=10).status_code == 404
