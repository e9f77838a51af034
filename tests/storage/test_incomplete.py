"""A delivery that succeeds in part, a file or an object that changes meanwhile: what is said stays true."""

# ruff: noqa: PLR0917 - a test's arguments are its fixtures

from pathlib import Path

import pytest
from mypy_boto3_s3 import S3Client

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_worker.deadline import Deadline
from ltx2_worker.settings import Settings
from ltx2_worker.storage.publish import Publisher
from ltx2_worker.storage.store import Digest, digest_of
from tests.storage.deliveries import (
    JOB,
    ONCE,
    TWICE,
    deliver,
    ends_with,
    find,
    is_upload,
    keep,
    kept,
    outbox_of,
)
from tests.storage.s3_server import BUCKET, Proxy, Request


@pytest.fixture
def poster(tmp_path: Path) -> Path:
    path = tmp_path / "poster.jpg"
    path.write_bytes(b"jpeg")
    return path


def keys(bucket: S3Client) -> set[str]:
    return {item["Key"] for item in bucket.list_objects_v2(Bucket=BUCKET).get("Contents", [])}


def test_a_poster_that_the_bucket_refuses_does_not_cost_the_video(
    bucket_settings: Settings, proxy: Proxy, bucket: S3Client, video: Path, poster: Path, deadline: Deadline
) -> None:
    proxy.fail_always((403, "AccessDenied"), where=ends_with(".jpg"))
    publisher = Publisher(bucket_settings, ONCE)
    delivery = deliver(publisher, video, deadline, poster=poster)
    assert delivery.video.url
    assert delivery.poster is None
    assert keys(bucket) == {f"{JOB}.mp4", f"{JOB}.json"}
    found = find(publisher, deadline)
    assert found is not None
    assert found.delivery.poster is None
    assert kept(bucket_settings) == []


def test_a_record_that_the_bucket_refuses_does_not_cost_the_video(
    bucket_settings: Settings, proxy: Proxy, bucket: S3Client, video: Path, deadline: Deadline
) -> None:
    proxy.fail_always((403, "AccessDenied"), where=ends_with(".json"))
    publisher = Publisher(bucket_settings, ONCE)
    assert deliver(publisher, video, deadline).video.url
    assert keys(bucket) == {f"{JOB}.mp4"}
    # A key that may never write records must not fill the outbox with delivered videos.
    assert kept(bucket_settings) == []


@pytest.mark.parametrize("suffix", [".jpg", ".json"])
def test_a_bucket_that_goes_down_after_the_video_gets_the_record_later(
    bucket_settings: Settings,
    proxy: Proxy,
    bucket: S3Client,
    video: Path,
    poster: Path,
    deadline: Deadline,
    suffix: str,
) -> None:
    proxy.fail_always((503, "SlowDown"), where=ends_with(suffix))
    publisher = Publisher(bucket_settings, ONCE)
    assert deliver(publisher, video, deadline, poster=poster).video.url
    assert publisher.empty_outbox(deadline) == 0
    assert kept(bucket_settings) == [JOB]
    proxy.heal()
    assert publisher.empty_outbox(deadline) == 1
    assert keys(bucket) == {f"{JOB}.mp4", f"{JOB}.jpg", f"{JOB}.json"}
    assert kept(bucket_settings) == []


def test_a_deadline_that_passes_after_the_video_does_not_cost_it(
    bucket_settings: Settings, proxy: Proxy, video: Path
) -> None:
    proxy.fail_always("hang", where=ends_with(".json"))
    deadline = Deadline(60)

    def expired(request: Request) -> bool:
        if ends_with(".json")(request):
            deadline.cancel(WorkerError(ErrorCode.DEADLINE_EXCEEDED, "The job did not finish in time."))
        return ends_with(".json")(request)

    proxy.fail_always("hang", where=expired)
    assert deliver(Publisher(bucket_settings, ONCE), video, deadline).video.url
    assert kept(bucket_settings) == [JOB]


def test_an_object_that_vanishes_after_its_upload_is_sent_again(
    bucket_settings: Settings, proxy: Proxy, bucket: S3Client, video: Path, deadline: Deadline
) -> None:
    vanished: list[Request] = []

    def vanish(request: Request) -> bool:
        if request.method == "HEAD" and not vanished:
            bucket.delete_object(Bucket=BUCKET, Key=f"{JOB}.mp4")
            vanished.append(request)
        return False

    proxy.fail_always("reset", where=vanish)
    delivery = deliver(Publisher(bucket_settings, TWICE), video, deadline)
    assert vanished
    assert bucket.head_object(Bucket=BUCKET, Key=f"{JOB}.mp4")["ContentLength"] == delivery.bytes


def test_an_object_that_keeps_vanishing_is_named_and_the_video_kept(
    bucket_settings: Settings, proxy: Proxy, video: Path, deadline: Deadline
) -> None:
    proxy.fail_always((404, ""), where=lambda request: request.method == "HEAD")
    with pytest.raises(WorkerError, match="took the file and no longer has it; it is kept") as caught:
        deliver(Publisher(bucket_settings, TWICE), video, deadline)
    assert caught.value.retryable
    assert kept(bucket_settings) == [JOB]


def test_a_file_that_is_not_what_was_finished_is_not_delivered(
    bucket_settings: Settings, bucket: S3Client, video: Path, deadline: Deadline, tmp_path: Path
) -> None:
    finished = digest_of(video)
    video.write_bytes(video.read_bytes()[:-1] + b"x")
    for settings in (bucket_settings, Settings(output_dir=tmp_path / "out", work_dir=tmp_path / "work")):
        publisher = Publisher(settings, ONCE)
        with pytest.raises(WorkerError, match="cannot be read back from this worker's disk") as caught:
            deliver(publisher, video, deadline, digest=Digest(finished.bytes, finished.sha256))
        assert (caught.value.code, caught.value.retryable) == (ErrorCode.STORAGE_UNAVAILABLE, True)
        assert find(publisher, deadline) is None


@pytest.mark.parametrize("kind", ["bucket", "folder"])
def test_a_record_whose_video_was_replaced_by_one_of_the_same_size_is_not_believed(
    bucket_settings: Settings, bucket: S3Client, video: Path, deadline: Deadline, tmp_path: Path, kind: str
) -> None:
    folder = Settings(output_dir=tmp_path / "out", work_dir=tmp_path / "work")
    publisher = Publisher(bucket_settings if kind == "bucket" else folder, ONCE)
    small = tmp_path / "small.mp4"
    small.write_bytes(b"the video of one input")
    deliver(publisher, small, deadline)
    assert find(publisher, deadline) is not None
    other = b"the video of the other"
    if kind == "bucket":
        bucket.put_object(Bucket=BUCKET, Key=f"{JOB}.mp4", Body=other, ChecksumAlgorithm="CRC32")
    else:
        (tmp_path / "out" / f"{JOB}.mp4").write_bytes(other)
    assert find(publisher, deadline) is None


def test_a_kept_video_that_another_worker_delivers_meanwhile_is_found_at_its_place(
    bucket_settings: Settings, proxy: Proxy, bucket: S3Client, video: Path, deadline: Deadline
) -> None:
    publisher, other = Publisher(bucket_settings, ONCE), Publisher(bucket_settings, ONCE)
    keep(publisher, proxy, video, deadline, JOB)
    proxy.heal()
    began: list[Request] = []

    def overtaken(request: Request) -> bool:
        if is_upload(request) and not began:
            began.append(request)
            assert other.empty_outbox(deadline) == 1
        return False

    proxy.fail_always("reset", where=overtaken)
    found = find(publisher, deadline)
    assert began
    assert found is not None
    assert found.delivery.bytes == video.stat().st_size
    assert list(outbox_of(bucket_settings).entries()) == []
