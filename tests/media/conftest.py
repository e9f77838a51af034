"""Fixtures of the media tests: one S3 server for all, a fault proxy and a clean bucket for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fetch_lab import CONTENT
from s3_lab import ACCESS_KEY, BUCKET, SECRET_KEY, Proxy, client, moto_server, proxy_before
from web_lab import Web, serving

from ltx2_worker.deadline import Deadline
from ltx2_worker.settings import Settings


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture
def bucket(s3_server: str):
    """The tests' own view of the bucket, empty."""
    s3 = client(s3_server)
    for upload in s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])
    for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=item["Key"])
    return s3


@pytest.fixture
def proxy(s3_server: str, bucket: object) -> Iterator[Proxy]:
    with proxy_before(s3_server) as running:
        yield running


@pytest.fixture
def off_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RUNPOD_WEBHOOK_GET_JOB", "RUNPOD_ENDPOINT_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def folders(tmp_path: Path, off_platform: None) -> dict[str, Path]:
    """Settings that keep everything of a test in its own folder."""
    return {"work_dir": tmp_path / "work", "volume_dir": tmp_path / "no-volume"}


@pytest.fixture
def bucket_settings(proxy: Proxy, folders: dict[str, Path]) -> Settings:
    """Settings for the bucket behind the fault proxy."""
    return Settings(
        bucket_endpoint_url=proxy.url,
        bucket_name=BUCKET,
        bucket_access_key_id=ACCESS_KEY,
        bucket_secret_access_key=SECRET_KEY,
        **folders,
    )


@pytest.fixture
def deadline() -> Deadline:
    return Deadline(60)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A file of a part and a bit, standing for an MP4."""
    path = tmp_path / "finished.mp4"
    path.write_bytes(bytes(range(256)) * 4 * 1024 * 9)
    return path


@pytest.fixture
def web() -> Iterator[Web]:
    """A web server with one small file, and many ways to misbehave."""
    with serving() as running:
        running.content = CONTENT
        yield running
