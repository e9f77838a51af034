"""The bucket knows a job when RunPod has forgotten it: real S3 protocol, real presigned links."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from local.runpod import LOST_REPLY, Emulator, Route, Script
from ltx2_api.record import object_name, request_name
from ltx2_client import Bucket, Client, Expired, Journal, SubmitUnknown
from tests.client.conftest import KEY, VIDEO
from tests.client.outputs import video_output
from tests.storage.s3_server import ACCESS_KEY, BUCKET, SECRET_KEY, moto_server
from tests.storage.s3_server import client as s3_client

JOB = {"prompt": "A kite.", "preview": True}


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture
def client(runpod: Emulator, journal: Journal, s3: str) -> Iterator[Client]:
    bucket = Bucket(s3, BUCKET, SecretStr(ACCESS_KEY), SecretStr(SECRET_KEY), prefix="videos/")
    with Client("ltx2", KEY, url=runpod.base_url, journal=journal, bucket=bucket) as client:
        yield client


def put(s3: str, job_id: str, *, record: bool = True) -> None:
    """Deliver as the worker does: the video, then its record."""
    store, name = s3_client(s3), object_name(job_id)
    store.put_object(Bucket=BUCKET, Key=f"videos/{name}.mp4", Body=VIDEO)
    output = video_output(job_id, VIDEO)
    facts = {key: value for key, value in output.items() if key not in {"bytes", "sha256", "url"}}
    content = {
        "format": 1,
        "job_id": job_id,
        "input_digest": "d",
        "files": {f"{name}.mp4": len(VIDEO)},
        "sha256": output["sha256"],
        "result": facts,
    }
    if record:
        key = f"videos/{request_name('order-7')}.json"
        store.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(content).encode())
        store.put_object(Bucket=BUCKET, Key=f"videos/{name}.json", Body=json.dumps(content).encode())


def test_a_job_that_runpod_forgot_is_answered_from_its_record(
    runpod: Emulator, client: Client, s3: str, tmp_path: Path
) -> None:
    handle = client.submit(JOB)
    put(s3, handle.id)
    runpod.forget(runpod.jobs[handle.id])
    video = handle.wait()
    assert video.job_id == handle.id and video.url_expires_at
    assert video.download(tmp_path / "kite.mp4").read_bytes() == VIDEO


def test_a_submit_that_went_unheard_is_found_by_its_request_id(
    runpod: Emulator, client: Client, s3: str, tmp_path: Path
) -> None:
    runpod.inject(Route.RUN, LOST_REPLY)
    with pytest.raises(SubmitUnknown):
        client.submit(JOB | {"request_id": "order-7"})
    assert client.find("order-8") is None
    (job_id,) = runpod.jobs
    put(s3, job_id)
    runpod.forget(runpod.jobs[job_id])
    handle = client.find("order-7")
    assert handle is not None and handle.id == job_id
    assert handle.result().download(tmp_path / "kite.mp4").read_bytes() == VIDEO


def test_without_a_record_a_forgotten_job_is_expired(runpod: Emulator, client: Client, s3: str) -> None:
    handle = client.submit(JOB)
    put(s3, handle.id, record=False)
    runpod.forget(runpod.jobs[handle.id])
    with pytest.raises(Expired):
        handle.wait()


def test_a_link_that_expired_is_made_anew_from_the_keys(
    runpod: Emulator, client: Client, s3: str, tmp_path: Path
) -> None:
    handle = client.submit(JOB)
    put(s3, handle.id)
    stale = f"{s3}/{BUCKET}/videos/gone.mp4"
    runpod.play(lambda job: Script(0.05, video_output(job.id, VIDEO, stale)))
    video = handle.wait()
    assert video.url == stale
    assert video.download(tmp_path / "kite.mp4").read_bytes() == VIDEO


def test_the_workers_own_variables_name_the_bucket() -> None:
    variables = {
        "BUCKET_ENDPOINT_URL": "https://s3.example.com",
        "BUCKET_NAME": "b",
        "BUCKET_ACCESS_KEY_ID": "a",
        "BUCKET_SECRET_ACCESS_KEY": "s",
        "BUCKET_KEY_PREFIX": "x/",
    }
    bucket = Bucket.from_environment(variables)
    assert bucket is not None
    link = bucket.record_request("job-1").url
    assert link.startswith("https://s3.example.com/b/x/job-1.json?")
    assert Bucket.from_environment({**variables, "BUCKET_NAME": ""}) is None
    assert "s" not in repr(bucket.secret_access_key).replace("SecretStr", "")
