"""Delivering to a bucket, a volume, a folder or the reply, and finding again what was delivered."""

# ruff: noqa: PLR0917 - a test's arguments are its fixtures

import base64
import hashlib
import json
import socket
from pathlib import Path
from typing import Any

import pytest
import requests
from mypy_boto3_s3 import S3Client

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_worker.deadline import Deadline
from ltx2_worker.settings import Settings
from ltx2_worker.storage.outbox import Outbox
from ltx2_worker.storage.publish import Publisher
from tests.storage.deliveries import (
    DIGEST,
    JOB,
    ONCE,
    RESULT,
    artifacts,
    deliver,
    destination,
    find,
    is_upload,
)
from tests.storage.s3_server import ACCESS_KEY, BUCKET, SECRET_KEY, Proxy, Request


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_bucket_gets_video_poster_and_record(
    bucket_settings: Settings, bucket: S3Client, video: Path, tmp_path: Path, deadline: Deadline
) -> None:
    poster = tmp_path / "poster.jpg"
    poster.write_bytes(b"jpeg")
    publisher = Publisher(bucket_settings)
    publisher.check()

    delivery = deliver(publisher, video, deadline, poster=poster)

    names = {item["Key"] for item in bucket.list_objects_v2(Bucket=BUCKET)["Contents"]}
    assert names == {f"{JOB}.mp4", f"{JOB}.jpg", f"{JOB}.json"}
    stored = bucket.get_object(Bucket=BUCKET, Key=f"{JOB}.mp4")
    assert stored["Body"].read() == video.read_bytes()
    assert stored["ContentType"] == "video/mp4"
    assert "immutable" in stored["CacheControl"]
    assert stored["Metadata"]["job-id"] == JOB
    assert (delivery.bytes, delivery.sha256) == (video.stat().st_size, sha256(video))
    record = json.load(bucket.get_object(Bucket=BUCKET, Key=f"{JOB}.json")["Body"])
    assert (record["result"], record["sha256"]) == (RESULT, delivery.sha256)


def test_the_presigned_url_serves_the_video_and_says_when_it_ends(
    bucket_settings: Settings, video: Path, deadline: Deadline
) -> None:
    delivery = deliver(Publisher(bucket_settings), video, deadline)
    answer = requests.get(delivery.video.url or "", timeout=10)
    assert answer.content == video.read_bytes()
    assert delivery.expires_at is not None
    url = delivery.video.url or ""
    assert f"X-Amz-Expires={bucket_settings.bucket_url_lifetime}" in url
    assert SECRET_KEY not in url


def test_the_same_job_is_found_with_fresh_links(
    bucket_settings: Settings, video: Path, deadline: Deadline
) -> None:
    delivered = deliver(Publisher(bucket_settings), video, deadline)
    found = find(Publisher(bucket_settings), deadline)
    assert found is not None
    assert found.result == RESULT
    assert (found.delivery.bytes, found.delivery.sha256) == (delivered.bytes, delivered.sha256)
    assert requests.get(found.delivery.video.url or "", timeout=10).status_code == 200
    assert find(Publisher(bucket_settings), deadline, "another") is None


def test_the_same_id_with_another_input_is_another_job(
    bucket_settings: Settings, video: Path, deadline: Deadline
) -> None:
    publisher = Publisher(bucket_settings)
    deliver(publisher, video, deadline)
    assert find(publisher, deadline, digest="another-digest") is None


def test_a_record_whose_video_is_gone_or_cut_is_not_believed(
    bucket_settings: Settings, bucket: S3Client, video: Path, deadline: Deadline
) -> None:
    publisher = Publisher(bucket_settings)
    deliver(publisher, video, deadline)
    bucket.put_object(Bucket=BUCKET, Key=f"{JOB}.mp4", Body=b"cut")
    assert find(publisher, deadline) is None
    bucket.delete_object(Bucket=BUCKET, Key=f"{JOB}.mp4")
    assert find(publisher, deadline) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"format": 99}', b'{"format": 1}', b"\xff\xfe"])
def test_a_record_that_is_not_ours_is_no_record(
    bucket_settings: Settings, bucket: S3Client, deadline: Deadline, content: bytes
) -> None:
    bucket.put_object(Bucket=BUCKET, Key=f"{JOB}.json", Body=content)
    assert find(Publisher(bucket_settings), deadline) is None


def test_key_prefix_and_public_url_shape_the_link(
    bucket_settings: Settings, bucket: S3Client, video: Path, deadline: Deadline
) -> None:
    settings = bucket_settings.model_copy(
        update={"bucket_key_prefix": "/clips 2026/", "bucket_public_url": "https://cdn.example.com/v/"}
    )
    delivery = deliver(Publisher(settings), video, deadline)
    assert bucket.head_object(Bucket=BUCKET, Key=f"clips 2026/{JOB}.mp4")["ContentLength"] == delivery.bytes
    assert delivery.video.url == f"https://cdn.example.com/v/clips%202026/{JOB}.mp4"
    assert delivery.expires_at is None


def test_the_check_leaves_nothing_in_the_bucket(bucket_settings: Settings, bucket: S3Client) -> None:
    Publisher(bucket_settings).check()
    assert bucket.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_without_a_bucket_the_mounted_volume_is_used(
    folders: dict[str, Any], tmp_path: Path, video: Path, deadline: Deadline
) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    publisher = Publisher(Settings(**folders | {"volume_dir": volume}))
    publisher.check()
    delivery = deliver(publisher, video, deadline)
    assert delivery.video.path == volume / "ltx2-worker" / "output" / f"{JOB}.mp4"
    assert delivery.video.path.read_bytes() == video.read_bytes()
    assert find(publisher, deadline) is not None


def test_a_named_folder_comes_before_the_volume_and_is_made(
    folders: dict[str, Any], tmp_path: Path, video: Path, deadline: Deadline
) -> None:
    (tmp_path / "volume").mkdir()
    settings = Settings(**folders | {"volume_dir": tmp_path / "volume", "output_dir": tmp_path / "a" / "b"})
    publisher = Publisher(settings)
    publisher.check()
    delivery = deliver(publisher, video, deadline)
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == [f"{JOB}.json", f"{JOB}.mp4"]
    assert delivery.sha256 == sha256(video)


def test_what_is_in_the_folder_survives_the_removal_of_the_source(
    folders: dict[str, Any], tmp_path: Path, video: Path, deadline: Deadline
) -> None:
    content = video.read_bytes()
    delivery = deliver(Publisher(Settings(output_dir=tmp_path / "out", **folders)), video, deadline)
    video.unlink()
    assert delivery.video.path is not None
    assert delivery.video.path.read_bytes() == content


def test_off_the_platform_a_video_ends_up_where_the_worker_was_started(
    folders: dict[str, Any], tmp_path: Path, video: Path, deadline: Deadline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    delivery = deliver(Publisher(Settings(**folders)), video, deadline)
    assert delivery.video.path == tmp_path / "output" / f"{JOB}.mp4"


def test_a_folder_that_cannot_be_written_is_said_without_its_path(
    folders: dict[str, Any], tmp_path: Path, video: Path, deadline: Deadline
) -> None:
    (tmp_path / "out").write_text("a file")
    publisher = Publisher(Settings(output_dir=tmp_path / "out", **folders))
    for act in (publisher.check, lambda: deliver(publisher, video, deadline)):
        with pytest.raises(WorkerError, match="folder") as caught:
            act()
        assert caught.value.code is ErrorCode.STORAGE_UNAVAILABLE
        assert str(tmp_path) not in caught.value.message


def test_on_the_platform_a_worker_with_nowhere_to_put_a_video_refuses_to_start(
    folders: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNPOD_ENDPOINT_ID", "endpoint")
    with pytest.raises(WorkerError, match=r"BUCKET_NAME.*network volume") as caught:
        Publisher(Settings(**folders)).check()
    assert caught.value.code is ErrorCode.STORAGE_UNAVAILABLE
    assert not caught.value.retryable


def test_an_inline_reply_holds_the_whole_video_or_says_that_it_does_not_fit(
    folders: dict[str, Any], tmp_path: Path, video: Path, deadline: Deadline
) -> None:
    publisher = Publisher(Settings(inline_base64=True, inline_max_bytes=1000, **folders))
    small = tmp_path / "small.mp4"
    small.write_bytes(b"x" * 1000)
    delivery = deliver(publisher, small, deadline)
    assert base64.b64decode(delivery.base64 or "") == small.read_bytes()
    with pytest.raises(WorkerError, match=r"9\.4 MB") as caught:
        deliver(publisher, video, deadline)
    assert not caught.value.retryable


@pytest.fixture
def s3_config(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A job's own bucket; the SDK's switch for private addresses is on, as the server is on loopback."""
    monkeypatch.setenv("RUNPOD_ALLOW_PRIVATE_DOWNLOAD_URLS", "true")
    return {
        "accessId": ACCESS_KEY,
        "accessSecret": SECRET_KEY,
        "bucketName": BUCKET,
        "endpointUrl": proxy.url,
    }


def test_a_job_may_bring_its_own_bucket_where_the_operator_allows_it(
    folders: dict[str, Any], s3_config: dict[str, str], bucket: S3Client, video: Path, deadline: Deadline
) -> None:
    publisher = Publisher(Settings(allow_job_bucket=True, **folders))
    publisher.try_jobs_bucket(destination(publisher, s3_config), deadline)
    delivery = deliver(publisher, video, deadline, s3_config=s3_config)
    assert bucket.head_object(Bucket=BUCKET, Key=f"{JOB}.mp4")["ContentLength"] == delivery.bytes
    assert find(publisher, deadline, s3_config=s3_config) is not None

    with pytest.raises(WorkerError, match="does not take `s3Config`"):
        Publisher(Settings(**folders)).destination(s3_config)


def test_a_jobs_bucket_that_refuses_its_key_is_refused_before_the_job_runs(
    folders: dict[str, Any], s3_config: dict[str, str], proxy: Proxy, deadline: Deadline
) -> None:
    proxy.fail_always((403, "InvalidAccessKeyId"))
    publisher = Publisher(Settings(allow_job_bucket=True, **folders))
    with pytest.raises(WorkerError, match="does not know the access key") as caught:
        publisher.try_jobs_bucket(destination(publisher, s3_config), deadline)
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_INPUT, "s3Config")


def test_a_video_for_a_jobs_bucket_waits_until_the_job_is_sent_again(
    folders: dict[str, Any], s3_config: dict[str, str], proxy: Proxy, video: Path, deadline: Deadline
) -> None:
    publisher = Publisher(Settings(allow_job_bucket=True, **folders), ONCE)
    proxy.fail_always((503, "SlowDown"))
    with pytest.raises(WorkerError, match="it is kept"):
        deliver(publisher, video, deadline, s3_config=s3_config)
    outbox = folders["work_dir"].with_name("work-spool") / "outbox"
    kept = b"".join(path.read_bytes() for path in outbox.rglob("*.json"))
    assert DIGEST.encode() in kept
    assert SECRET_KEY.encode() not in kept
    proxy.heal()
    assert publisher.empty_outbox(deadline) == 0
    assert find(publisher, deadline, s3_config=s3_config) is not None
    assert list(outbox.iterdir()) == []


def test_a_video_whose_bucket_cannot_be_looked_up_any_more_waits_too(
    folders: dict[str, Any],
    s3_config: dict[str, str],
    video: Path,
    deadline: Deadline,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publisher = Publisher(Settings(allow_job_bucket=True, **folders))
    accepted = destination(publisher, s3_config)
    publisher.try_jobs_bucket(accepted, deadline)

    def no_answer(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", no_answer)
        with pytest.raises(WorkerError, match="it is kept") as caught:
            publisher.deliver(artifacts(video), accepted, deadline)
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.STORAGE_UNAVAILABLE, True)
    assert find(publisher, deadline, s3_config=s3_config) is not None


def test_the_outbox_is_on_the_volume_where_there_is_one(
    bucket_settings: Settings, proxy: Proxy, tmp_path: Path, video: Path, deadline: Deadline
) -> None:
    (tmp_path / "volume").mkdir()
    settings = bucket_settings.model_copy(update={"volume_dir": tmp_path / "volume"})
    proxy.fail_always((503, "SlowDown"))
    with pytest.raises(WorkerError, match="it is kept"):
        deliver(Publisher(settings, ONCE), video, deadline)
    outbox = Outbox(tmp_path / "volume" / "ltx2-worker" / "spool", 50, 10**9)
    assert [entry.artifacts.name for entry in outbox.entries()] == [JOB]


@pytest.mark.parametrize(("checksums", "sent"), [("when_supported", True), ("when_required", False)])
def test_checksum_headers_are_left_out_for_stores_that_refuse_them(
    bucket_settings: Settings, proxy: Proxy, video: Path, deadline: Deadline, checksums: str, sent: bool
) -> None:
    settings = bucket_settings.model_copy(update={"bucket_checksums": checksums})
    deliver(Publisher(settings), video, deadline)
    parts = [request for request in proxy.log if request.is_part]
    assert len(parts) == 2
    assert all(("x-amz-checksum-crc32" in part.headers) is sent for part in parts)


def test_another_job_of_the_same_request_finds_what_the_first_one_made(
    bucket_settings: Settings, video: Path, deadline: Deadline
) -> None:
    publisher = Publisher(bucket_settings)
    deliver(publisher, video, deadline, request_name="request-order-7")
    chosen = destination(publisher)
    found = publisher.find("another-job", DIGEST, chosen, deadline, "request-order-7")
    assert found is not None and found.result == RESULT
    assert f"/{JOB}.mp4" in str(found.delivery.video.url)
    assert publisher.find("another-job", "another input", chosen, deadline, "request-order-7") is None
    assert publisher.find("another-job", DIGEST, chosen, deadline, "request-order-8") is None
    assert publisher.find("another-job", DIGEST, chosen, deadline) is None


def test_another_job_of_the_same_request_finds_what_the_first_one_could_not_deliver(
    bucket_settings: Settings, proxy: Proxy, video: Path, deadline: Deadline
) -> None:
    publisher = Publisher(bucket_settings, ONCE)
    proxy.fail_always((503, "SlowDown"), is_upload)
    with pytest.raises(WorkerError):
        deliver(publisher, video, deadline, request_name="request-order-7")
    proxy.heal()
    chosen = destination(publisher)
    assert publisher.find("another-job", "another input", chosen, deadline, "request-order-7") is None
    found = publisher.find("another-job", DIGEST, chosen, deadline, "request-order-7")
    assert found is not None
    assert requests.get(found.delivery.video.url or "", timeout=10).content == video.read_bytes()


def test_the_poster_comes_after_its_video_and_the_record_last(
    bucket_settings: Settings, proxy: Proxy, video: Path, tmp_path: Path, deadline: Deadline
) -> None:
    """A poster before its video could be shown with an earlier record of the job; a record is a promise."""
    poster = tmp_path / "poster.jpg"
    poster.write_bytes(b"jpeg")
    order = list[str]()

    def note(request: Request) -> None:
        if request.method == "PUT":
            order.append(Path(request.path).suffix)

    proxy.rule = note
    deliver(Publisher(bucket_settings, ONCE), video, deadline, poster=poster)
    assert list(dict.fromkeys(order)) == [".mp4", ".jpg", ".json"]  # the video goes in parts
