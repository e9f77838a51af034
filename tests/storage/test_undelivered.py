"""A finished video that its bucket did not take: kept, found, delivered later, and in nobody's way."""

# ruff: noqa: PLR0917 - a test's arguments are its fixtures

import errno
import threading
from pathlib import Path

import pytest
from mypy_boto3_s3 import S3Client

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_worker.deadline import Deadline
from ltx2_worker.settings import Settings
from ltx2_worker.storage import outbox_entry
from ltx2_worker.storage.publish import Publisher
from ltx2_worker.storage.store import Digest, digest_of
from tests.storage.deliveries import (
    JOB,
    ONCE,
    RESULT,
    TWICE,
    artifacts,
    deliver,
    destination,
    find,
    is_upload,
    keep,
    kept,
    outbox_of,
)
from tests.storage.s3_server import BUCKET, Proxy, Request


def test_a_bucket_that_stays_down_keeps_the_video_for_the_next_start(
    bucket_settings: Settings, proxy: Proxy, bucket: S3Client, video: Path, deadline: Deadline
) -> None:
    proxy.fail_always((503, "SlowDown"), where=is_upload)
    with pytest.raises(WorkerError, match=r"is overloaded; it is kept") as caught:
        deliver(Publisher(bucket_settings, TWICE), video, deadline)
    assert caught.value.code is ErrorCode.STORAGE_UNAVAILABLE
    assert caught.value.retryable
    assert len([request for request in proxy.log if "uploads" in request.query]) == 2
    content = video.read_bytes()
    video.unlink()

    assert Publisher(bucket_settings, ONCE).empty_outbox(deadline) == 0
    assert kept(bucket_settings) == [JOB]

    proxy.heal()
    publisher = Publisher(bucket_settings, ONCE)
    assert publisher.empty_outbox(deadline) == 1
    assert bucket.get_object(Bucket=BUCKET, Key=f"{JOB}.mp4")["Body"].read() == content
    assert kept(bucket_settings) == []
    found = find(publisher, deadline)
    assert found is not None
    assert found.result == RESULT


def test_the_same_job_sent_again_is_delivered_without_generating(
    bucket_settings: Settings, proxy: Proxy, video: Path, deadline: Deadline
) -> None:
    publisher = Publisher(bucket_settings, ONCE)
    proxy.fail_always("reset", where=is_upload)
    with pytest.raises(WorkerError, match="broke the connection"):
        deliver(publisher, video, deadline)
    with pytest.raises(WorkerError, match="broke the connection; it is kept"):
        find(publisher, deadline)
    proxy.heal()
    assert find(publisher, deadline, digest="another-digest") is None
    found = find(publisher, deadline)
    assert found is not None
    assert found.delivery.bytes == video.stat().st_size
    assert kept(bucket_settings) == []


def test_a_leftover_does_not_replace_what_a_later_run_delivered(
    bucket_settings: Settings, proxy: Proxy, bucket: S3Client, video: Path, tmp_path: Path, deadline: Deadline
) -> None:
    publisher = Publisher(bucket_settings, ONCE)
    proxy.fail_always((500, "InternalError"), where=is_upload)
    with pytest.raises(WorkerError):
        deliver(publisher, video, deadline)
    proxy.heal()
    later = tmp_path / "later.mp4"
    later.write_bytes(b"the later run's video")
    deliver(publisher, later, deadline)
    assert publisher.empty_outbox(deadline) == 0
    assert bucket.get_object(Bucket=BUCKET, Key=f"{JOB}.mp4")["Body"].read() == later.read_bytes()
    assert kept(bucket_settings) == []


def test_a_leftover_neither_replaces_nor_yields_to_the_video_of_another_input_under_its_id(
    bucket_settings: Settings, proxy: Proxy, bucket: S3Client, video: Path, tmp_path: Path, deadline: Deadline
) -> None:
    publisher = Publisher(bucket_settings, ONCE)
    other = tmp_path / "other.mp4"
    other.write_bytes(b"the video of another input")
    publisher.deliver(artifacts(other, JOB, "another-digest"), destination(publisher), deadline)
    keep(publisher, proxy, video, deadline, JOB)
    proxy.heal()
    assert publisher.empty_outbox(deadline) == 0
    assert bucket.get_object(Bucket=BUCKET, Key=f"{JOB}.mp4")["Body"].read() == other.read_bytes()
    found = find(publisher, deadline)  # its job is sent again
    assert found is not None
    assert found.delivery.bytes == video.stat().st_size
    assert bucket.get_object(Bucket=BUCKET, Key=f"{JOB}.mp4")["Body"].read() == video.read_bytes()
    assert kept(bucket_settings) == []


def test_a_leftover_that_cannot_be_delivered_does_not_hold_up_the_others(
    bucket_settings: Settings, proxy: Proxy, video: Path, deadline: Deadline
) -> None:
    publisher = Publisher(bucket_settings, ONCE)
    keep(publisher, proxy, video, deadline, "refused", "accepted")
    proxy.fail_always(
        (403, "AccessDenied"), where=lambda request: is_upload(request) and "refused" in request.path
    )
    assert publisher.empty_outbox(deadline) == 1
    assert kept(bucket_settings) == ["refused"]


def test_a_leftover_that_vanishes_does_not_hold_up_the_others(
    bucket_settings: Settings, proxy: Proxy, video: Path, deadline: Deadline
) -> None:
    publisher = Publisher(bucket_settings, ONCE)
    keep(publisher, proxy, video, deadline, "gone", "there")
    proxy.heal()

    def taken_by_another_worker(request: Request) -> bool:
        if "gone.json" in request.path:
            outbox = outbox_of(bucket_settings)
            outbox.forget(next(entry for entry in outbox.entries() if entry.artifacts.name == "gone"))
        return False

    proxy.fail_always("reset", where=taken_by_another_worker)
    assert publisher.empty_outbox(deadline) == 1


def test_a_leftover_that_the_disk_cannot_read_does_not_hold_up_the_others(
    bucket_settings: Settings,
    proxy: Proxy,
    video: Path,
    deadline: Deadline,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publisher = Publisher(bucket_settings, TWICE)
    keep(publisher, proxy, video, deadline, "unreadable", "whole")
    proxy.heal()

    def failing_disk(path: Path) -> Digest:
        if path.name == "unreadable.mp4":
            raise OSError(errno.EIO, "Input/output error")
        return digest_of(path)

    with monkeypatch.context() as patch:
        patch.setattr(outbox_entry, "digest_of", failing_disk)
        assert publisher.empty_outbox(deadline) == 1
    # The disk may be better later.
    assert kept(bucket_settings) == ["unreadable"]


def test_a_video_that_the_deadline_overtakes_is_kept(
    bucket_settings: Settings, proxy: Proxy, video: Path
) -> None:
    def hang(request: Request) -> bool:
        if request.is_part:
            threading.Timer(1.2, proxy.released.set).start()  # after the deadline, whenever that began
        return request.is_part

    proxy.fail_always("hang", where=hang)
    with pytest.raises(WorkerError, match=r"before the job's deadline; it is kept") as caught:
        deliver(Publisher(bucket_settings, ONCE), video, Deadline(1))
    assert caught.value.code is ErrorCode.STORAGE_UNAVAILABLE
    assert kept(bucket_settings) == [JOB]


def test_a_video_that_was_kept_goes_out_when_the_bucket_is_back_without_a_restart(
    bucket_settings: Settings, proxy: Proxy, bucket: S3Client, video: Path, deadline: Deadline
) -> None:
    publisher = Publisher(bucket_settings, ONCE, pause=0.05)
    threading.Thread(target=publisher.attend_outbox, daemon=True).start()
    keep(publisher, proxy, video, deadline, JOB)
    delivered = threading.Event()

    def recorded(request: Request) -> bool:
        if is_upload(request) and request.path.endswith(f"{JOB}.json"):
            delivered.set()
        return False

    proxy.fail_always("reset", where=recorded)
    assert delivered.wait(60)
    found = find(publisher, deadline)
    assert found is not None
    assert bucket.get_object(Bucket=BUCKET, Key=f"{JOB}.mp4")["Body"].read() == video.read_bytes()
