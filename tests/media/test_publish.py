"""Delivering to a bucket, a volume, a folder or the reply, and finding again what was delivered."""

# ruff: noqa: PLR0917 - a test's arguments are its fixtures

import base64
import hashlib
import json
import socket
from pathlib import Path

import pytest
import requests
from s3_lab import ACCESS_KEY, BUCKET, SECRET_KEY, Proxy

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_worker.deadline import Deadline
from ltx2_worker.settings import Settings
from ltx2_worker.storage.destination import Where
from ltx2_worker.storage.publish import Publisher
from ltx2_worker.storage.store_s3 import Patience

JOB = "0f3c-u1"
DIGEST = "digest-of-the-input"
RESULT = {"seed": 7, "frames": 24}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_bucket_gets_video_poster_and_record(
    bucket_settings: Settings, bucket, video: Path, tmp_path: Path, deadline: Deadline
) -> None:
    poster = tmp_path / "poster.jpg"
    poster.write_bytes(b"jpeg")
    publisher = Publisher(bucket_settings)
    publisher.check()

    delivery = publisher.deliver(JOB, DIGEST, video, RESULT, deadline, poster=poster)

    names = {item["Key"] for item in bucket.list_objects_v2(Bucket=BUCKET)["Contents"]}
    assert names == {f"{JOB}.mp4", f"{JOB}.jpg", f"{JOB}.json"}
    stored = bucket.get_object(Bucket=BUCKET, Key=f"{JOB}.mp4")
    assert stored["Body"].read() == video.read_bytes()
    assert stored["ContentType"] == "video/mp4"
    assert "immutable" in stored["CacheControl"]
    assert stored["Metadata"]["job-id"] == JOB
    assert delivery.where is Where.BUCKET
    assert (delivery.bytes, delivery.sha256) == (video.stat().st_size, sha256(video))
    record = json.load(bucket.get_object(Bucket=BUCKET, Key=f"{JOB}.json")["Body"])
    assert (record["result"], record["sha256"]) == (RESULT, delivery.sha256)


def test_the_presigned_url_serves_the_video_and_says_when_it_ends(
    bucket_settings: Settings, video: Path, deadline: Deadline
) -> None:
    delivery = Publisher(bucket_settings).deliver(JOB, DIGEST, video, RESULT, deadline)
    answer = requests.get(delivery.video.url, timeout=10)
    assert answer.content == video.read_bytes()
    assert delivery.expires_at is not None
    assert f"X-Amz-Expires={bucket_settings.bucket_url_lifetime}" in delivery.video.url
    assert SECRET_KEY not in delivery.video.url


def test_the_same_job_is_found_with_fresh_links(
    bucket_settings: Settings, video: Path, deadline: Deadline
) -> None:
    delivered = Publisher(bucket_settings).deliver(JOB, DIGEST, video, RESULT, deadline)
    found = Publisher(bucket_settings).find(JOB, DIGEST, deadline)
    assert found is not None
    assert found.result == RESULT
    assert (found.delivery.bytes, found.delivery.sha256) == (delivered.bytes, delivered.sha256)
    assert requests.get(found.delivery.video.url, timeout=10).status_code == 200
    assert Publisher(bucket_settings).find("another", DIGEST, deadline) is None


def test_the_same_id_with_another_input_is_another_job(
    bucket_settings: Settings, video: Path, deadline: Deadline
) -> None:
    publisher = Publisher(bucket_settings)
    publisher.deliver(JOB, DIGEST, video, RESULT, deadline)
    assert publisher.find(JOB, "another-digest", deadline) is None


def test_a_record_whose_video_is_gone_or_cut_is_not_believed(
    bucket_settings: Settings, bucket, video: Path, deadline: Deadline
) -> None:
    publisher = Publisher(bucket_settings)
    publisher.deliver(JOB, DIGEST, video, RESULT, deadline)
    bucket.put_object(Bucket=BUCKET, Key=f"{JOB}.mp4", Body=b"cut")
    assert publisher.find(JOB, DIGEST, deadline) is None
    bucket.delete_object(Bucket=BUCKET, Key=f"{JOB}.mp4")
    assert publisher.find(JOB, DIGEST, deadline) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"format": 99}', b'{"format": 1}', b"\xff\xfe"])
def test_a_record_that_is_not_ours_is_no_record(
    bucket_settings: Settings, bucket, deadline: Deadline, content: bytes
) -> None:
    bucket.put_object(Bucket=BUCKET, Key=f"{JOB}.json", Body=content)
    assert Publisher(bucket_settings).find(JOB, DIGEST, deadline) is None


def test_key_prefix_and_public_url_shape_the_link(
    bucket_settings: Settings, bucket, video: Path, deadline: Deadline
) -> None:
    settings = bucket_settings.model_copy(
        update={"bucket_key_prefix": "/clips 2026/", "bucket_public_url": "https://cdn.example.com/v/"}
    )
    delivery = Publisher(settings).deliver(JOB, DIGEST, video, RESULT, deadline)
    assert bucket.head_object(Bucket=BUCKET, Key=f"clips 2026/{JOB}.mp4")["ContentLength"] == delivery.bytes
    assert delivery.video.url == f"https://cdn.example.com/v/clips%202026/{JOB}.mp4"
    assert delivery.expires_at is None


def test_the_check_leaves_nothing_in_the_bucket(bucket_settings: Settings, bucket) -> None:
    Publisher(bucket_settings).check()
    assert bucket.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_without_a_bucket_the_mounted_volume_is_used(
    folders: dict[str, Path], tmp_path: Path, video: Path, deadline: Deadline
) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    publisher = Publisher(Settings(**folders | {"volume_dir": volume}))
    publisher.check()
    delivery = publisher.deliver(JOB, DIGEST, video, RESULT, deadline)
    assert delivery.where is Where.VOLUME
    assert delivery.video.path == volume / "ltx2-worker" / "output" / f"{JOB}.mp4"
    assert delivery.video.path.read_bytes() == video.read_bytes()
    assert publisher.find(JOB, DIGEST, deadline) is not None


def test_a_named_folder_comes_before_the_volume_and_is_made(
    folders: dict[str, Path], tmp_path: Path, video: Path, deadline: Deadline
) -> None:
    (tmp_path / "volume").mkdir()
    settings = Settings(**folders | {"volume_dir": tmp_path / "volume", "output_dir": tmp_path / "a" / "b"})
    publisher = Publisher(settings)
    publisher.check()
    delivery = publisher.deliver(JOB, DIGEST, video, RESULT, deadline)
    assert delivery.where is Where.FOLDER
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == [f"{JOB}.json", f"{JOB}.mp4"]
    assert delivery.sha256 == sha256(video)


def test_what_is_in_the_folder_survives_the_removal_of_the_source(
    folders: dict[str, Path], tmp_path: Path, video: Path, deadline: Deadline
) -> None:
    content = video.read_bytes()
    delivery = Publisher(Settings(output_dir=tmp_path / "out", **folders)).deliver(
        JOB, DIGEST, video, RESULT, deadline
    )
    video.unlink()
    assert delivery.video.path.read_bytes() == content


def test_off_the_platform_a_video_ends_up_where_the_worker_was_started(
    folders: dict[str, Path], tmp_path: Path, video: Path, deadline: Deadline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    delivery = Publisher(Settings(**folders)).deliver(JOB, DIGEST, video, RESULT, deadline)
    assert delivery.video.path == tmp_path / "output" / f"{JOB}.mp4"


def test_a_folder_that_cannot_be_written_is_said_without_its_path(
    folders: dict[str, Path], tmp_path: Path, video: Path, deadline: Deadline
) -> None:
    (tmp_path / "out").write_text("a file")
    publisher = Publisher(Settings(output_dir=tmp_path / "out", **folders))
    for act in (publisher.check, lambda: publisher.deliver(JOB, DIGEST, video, RESULT, deadline)):
        with pytest.raises(WorkerError, match="folder") as caught:
            act()
        assert caught.value.code is ErrorCode.STORAGE_UNAVAILABLE
        assert str(tmp_path) not in caught.value.message


def test_on_the_platform_a_worker_with_nowhere_to_put_a_video_refuses_to_start(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNPOD_ENDPOINT_ID", "endpoint")
    with pytest.raises(WorkerError, match=r"BUCKET_NAME.*network volume") as caught:
        Publisher(Settings(**folders)).check()
    assert caught.value.code is ErrorCode.STORAGE_UNAVAILABLE
    assert not caught.value.retryable


def test_an_inline_reply_holds_the_whole_video_or_says_that_it_does_not_fit(
    folders: dict[str, Path], tmp_path: Path, video: Path, deadline: Deadline
) -> None:
    publisher = Publisher(Settings(inline_base64=True, inline_max_bytes=1000, **folders))
    small = tmp_path / "small.mp4"
    small.write_bytes(b"x" * 1000)
    delivery = publisher.deliver(JOB, DIGEST, small, RESULT, deadline)
    assert delivery.where is Where.INLINE
    assert base64.b64decode(delivery.base64 or "") == small.read_bytes()
    with pytest.raises(WorkerError, match=r"9\.4 MB") as caught:
        publisher.deliver(JOB, DIGEST, video, RESULT, deadline)
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
    folders: dict[str, Path], s3_config: dict[str, str], bucket, video: Path, deadline: Deadline
) -> None:
    publisher = Publisher(Settings(allow_job_bucket=True, **folders))
    publisher.accept(s3_config, deadline)
    delivery = publisher.deliver(JOB, DIGEST, video, RESULT, deadline, s3_config=s3_config)
    assert delivery.where is Where.JOB_BUCKET
    assert bucket.head_object(Bucket=BUCKET, Key=f"{JOB}.mp4")["ContentLength"] == delivery.bytes
    assert publisher.find(JOB, DIGEST, deadline, s3_config) is not None

    with pytest.raises(WorkerError, match="does not take `s3Config`"):
        Publisher(Settings(**folders)).accept(s3_config, deadline)


def test_a_jobs_bucket_that_refuses_its_key_is_refused_before_the_job_runs(
    folders: dict[str, Path], s3_config: dict[str, str], proxy: Proxy, deadline: Deadline
) -> None:
    proxy.fail_always((403, "InvalidAccessKeyId"))
    with pytest.raises(WorkerError, match="does not know the access key") as caught:
        Publisher(Settings(allow_job_bucket=True, **folders)).accept(s3_config, deadline)
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_INPUT, "s3Config")


def test_a_video_for_a_jobs_bucket_waits_until_the_job_is_sent_again(
    folders: dict[str, Path], s3_config: dict[str, str], proxy: Proxy, video: Path, deadline: Deadline
) -> None:
    publisher = Publisher(Settings(allow_job_bucket=True, **folders), Patience(requests=1, attempts=1))
    proxy.fail_always((503, "SlowDown"))
    with pytest.raises(WorkerError, match="it is kept"):
        publisher.deliver(JOB, DIGEST, video, RESULT, deadline, s3_config=s3_config)
    spool = folders["work_dir"].with_name("work-spool")
    kept = b"".join(path.read_bytes() for path in spool.rglob("*.json"))
    assert DIGEST.encode() in kept
    assert SECRET_KEY.encode() not in kept
    proxy.heal()
    assert publisher.deliver_leftovers(deadline) == 0
    found = publisher.find(JOB, DIGEST, deadline, s3_config)
    assert found is not None
    assert found.delivery.where is Where.JOB_BUCKET
    assert list(spool.iterdir()) == []


def test_a_video_whose_bucket_cannot_be_looked_up_any_more_waits_too(
    folders: dict[str, Path],
    s3_config: dict[str, str],
    video: Path,
    deadline: Deadline,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publisher = Publisher(Settings(allow_job_bucket=True, **folders))
    publisher.accept(s3_config, deadline)

    def no_answer(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", no_answer)
        with pytest.raises(WorkerError, match="it is kept") as caught:
            publisher.deliver(JOB, DIGEST, video, RESULT, deadline, s3_config=s3_config)
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.STORAGE_UNAVAILABLE, True)
    assert publisher.find(JOB, DIGEST, deadline, s3_config) is not None


def test_the_spool_is_on_the_volume_where_there_is_one(
    bucket_settings: Settings, proxy: Proxy, tmp_path: Path, video: Path, deadline: Deadline
) -> None:
    (tmp_path / "volume").mkdir()
    settings = bucket_settings.model_copy(update={"volume_dir": tmp_path / "volume"})
    proxy.fail_always((503, "SlowDown"))
    with pytest.raises(WorkerError, match="it is kept"):
        Publisher(settings, Patience(requests=1, attempts=1)).deliver(JOB, DIGEST, video, RESULT, deadline)
    assert (tmp_path / "volume" / "ltx2-worker" / "spool" / JOB / f"{JOB}.mp4").is_file()


def test_an_entry_of_the_spool_that_is_not_whole_goes_and_stops_nothing(
    bucket_settings: Settings, deadline: Deadline
) -> None:
    spool = bucket_settings.work_dir.with_name("work-spool")
    for name, note in (("a", "{}"), ("b", json.dumps({"job_id": "b", "input_digest": "", "result": {}}))):
        (spool / name).mkdir(parents=True)
        (spool / name / "entry.json").write_text(note)
    publisher = Publisher(bucket_settings)
    assert publisher.find("b", "", deadline) is None
    assert publisher.deliver_leftovers(deadline) == 0
    assert list(spool.iterdir()) == []


@pytest.mark.parametrize(("checksums", "sent"), [("when_supported", True), ("when_required", False)])
def test_checksum_headers_are_left_out_for_stores_that_refuse_them(
    bucket_settings: Settings, proxy: Proxy, video: Path, deadline: Deadline, checksums: str, sent: bool
) -> None:
    settings = bucket_settings.model_copy(update={"bucket_checksums": checksums})
    Publisher(settings).deliver(JOB, DIGEST, video, RESULT, deadline)
    parts = [request for request in proxy.log if request.is_part]
    assert len(parts) == 2
    assert all(("x-amz-checksum-crc32" in part.headers) is sent for part in parts)
