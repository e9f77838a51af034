"""A worker with a bucket, from its warm-up to the video behind the link; and nothing secret anywhere."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from local.runpod import Emulator
from tests.media.s3_lab import ACCESS_KEY, BUCKET, SECRET_KEY, client, moto_server
from tests.platform.conftest import StartWorker
from tests.platform.jobs import BOOT_SECONDS, JOB_SECONDS, log_of, preview
from tests.platform.worker_process import WorkerProcess

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]


@pytest.fixture
def store() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture
def worker(start_worker: StartWorker, store: str) -> WorkerProcess:
    return start_worker(
        BUCKET_ENDPOINT_URL=store,
        BUCKET_NAME=BUCKET,
        BUCKET_ACCESS_KEY_ID=ACCESS_KEY,
        BUCKET_SECRET_ACCESS_KEY=SECRET_KEY,
        LTX2_OUTPUT_DIR="",
        LTX2_WARMUP="fast",
        LTX2_LIVE_PREVIEWS="true",
    )


def test_a_warm_worker_delivers_into_the_bucket_and_keeps_its_secrets(
    runpod: Emulator, worker: WorkerProcess, store: str, tmp_path: Path
) -> None:
    job = runpod.submit(preview())
    worker.wait_output('"event": "warmed up"', BOOT_SECONDS + JOB_SECONDS)
    assert not log_of(worker, job), "a job was accepted before the worker was warm"
    output = runpod.wait_result(job, JOB_SECONDS)["output"]

    video = requests.get(output["url"], timeout=30).content
    assert hashlib.sha256(video).hexdigest() == output["sha256"]
    assert requests.get(output["poster_url"], timeout=30).content.startswith(b"\xff\xd8")
    listed = client(store).list_objects_v2(Bucket=BUCKET, Prefix=job.id)["Contents"]
    names = {item["Key"] for item in listed}
    assert names == {f"{job.id}.mp4", f"{job.id}.jpg", f"{job.id}.json"}

    worker.terminate()
    assert worker.wait_exit(60) == 0
    record = client(store).get_object(Bucket=BUCKET, Key=f"{job.id}.json")["Body"].read()
    left = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    said = json.dumps([post.body for post in job.posts]).encode()
    for place in (worker.output.encode(), record, left, video):
        assert ACCESS_KEY.encode() not in place
        assert SECRET_KEY.encode() not in place
    # A presigned URL names the access key, by S3's own design; never the secret.
    assert SECRET_KEY.encode() not in said
