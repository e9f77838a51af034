"""A finished video that its bucket did not take: kept, found, delivered later, and in nobody's way."""

# ruff: noqa: PLR0917 - a test's arguments are its fixtures

import threading
from pathlib import Path

import pytest
from delivery_lab import DIGEST, JOB, ONCE, RESULT, TWICE, is_upload, keep, spool_of
from s3_lab import BUCKET, Proxy, Request

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_worker.deadline import Deadline
from ltx2_worker.settings import Settings
from ltx2_worker.storage.publish import Publisher


def test_a_bucket_that_stays_down_keeps_the_video_for_the_next_start(
    bucket_settings: Settings, proxy: Proxy, bucket, video: Path, deadline: Deadline
) -> None:
    proxy.fail_always((503, "SlowDown"), where=is_upload)
    with pytest.raises(WorkerError, match=r"is overloaded; it is kept") as caught:
        Publisher(bucket_settings, TWICE).deliver(JOB, DIGEST, video, RESULT, deadline)
    assert caught.value.code is ErrorCode.STORAGE_UNAVAILABLE
    assert caught.value.retryable
    assert len([request for request in proxy.log if "uploads" in request.query]) == 2
    content = video.read_bytes()
    video.unlink()

    assert Publisher(bucket_settings, ONCE).deliver_leftovers(deadline) == 0
    assert spool_of(bucket_settings).find(JOB) is not None

    proxy.heal()
    publisher = Publisher(bucket_settings, ONCE)
    assert publisher.deliver_leftovers(deadline) == 1
    assert bucket.get_object(Bucket=BUCKET, Key=f"{JOB}.mp4")["Body"].read() == content
    assert spool_of(bucket_settings).find(JOB) is None
    found = publisher.find(JOB, DIGEST, deadline)
    assert found is not None
    assert found.result == RESULT


def test_the_same_job_sent_again_is_delivered_without_generating(
    bucket_settings: Settings, proxy: Proxy, video: Path, deadline: Deadline
) -> None:
    publisher = Publisher(bucket_settings, ONCE)
    proxy.fail_always("reset", where=is_upload)
    with pytest.raises(WorkerError, match="broke the connection"):
        publisher.deliver(JOB, DIGEST, video, RESULT, deadline)
    with pytest.raises(WorkerError, match="broke the connection; it is kept"):
        publisher.find(JOB, DIGEST, deadline)
    proxy.heal()
    assert publisher.find(JOB, "another-digest", deadline) is None
    found = publisher.find(JOB, DIGEST, deadline)
    assert found is not None
    assert found.delivery.bytes == video.stat().st_size
    assert spool_of(bucket_settings).find(JOB) is None


def test_a_leftover_does_not_replace_what_a_later_run_delivered(
    bucket_settings: Settings, proxy: Proxy, bucket, video: Path, tmp_path: Path, deadline: Deadline
) -> None:
    publisher = Publisher(bucket_settings, ONCE)
    proxy.fail_always((500, "InternalError"), where=is_upload)
    with pytest.raises(WorkerError):
        publisher.deliver(JOB, DIGEST, video, RESULT, deadline)
    proxy.heal()
    later = tmp_path / "later.mp4"
    later.write_bytes(b"the later run's video")
    publisher.deliver(JOB, DIGEST, later, RESULT, deadline)
    assert publisher.deliver_leftovers(deadline) == 0
    assert bucket.get_object(Bucket=BUCKET, Key=f"{JOB}.mp4")["Body"].read() == later.read_bytes()
    assert spool_of(bucket_settings).find(JOB) is None


def test_a_leftover_that_cannot_be_delivered_does_not_hold_up_the_others(
    bucket_settings: Settings, proxy: Proxy, video: Path, deadline: Deadline
) -> None:
    publisher = Publisher(bucket_settings, ONCE)
    keep(publisher, proxy, video, deadline, "refused", "accepted")
    proxy.fail_always(
        (403, "AccessDenied"), where=lambda request: is_upload(request) and "refused" in request.path
    )
    assert publisher.deliver_leftovers(deadline) == 1
    assert [entry.name for entry in spool_of(bucket_settings).entries()] == ["refused"]


def test_a_leftover_that_vanishes_does_not_hold_up_the_others(
    bucket_settings: Settings, proxy: Proxy, video: Path, deadline: Deadline
) -> None:
    publisher = Publisher(bucket_settings, ONCE)
    keep(publisher, proxy, video, deadline, "gone", "there")
    proxy.heal()

    def taken_by_another_worker(request: Request) -> bool:
        if "gone.json" in request.path:
            spool_of(bucket_settings).forget("gone")
        return False

    proxy.fail_always("reset", where=taken_by_another_worker)
    assert publisher.deliver_leftovers(deadline) == 1


def test_a_leftover_that_the_disk_cannot_read_does_not_hold_up_the_others(
    bucket_settings: Settings, proxy: Proxy, video: Path, deadline: Deadline, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = Publisher(bucket_settings, TWICE)
    keep(publisher, proxy, video, deadline, "damaged", "whole")
    proxy.heal()
    entry = next(entry for entry in spool_of(bucket_settings).entries() if entry.name == "damaged")
    unreadable = entry.folder / "damaged.mp4"
    unreadable.unlink()
    unreadable.symlink_to("/proc/self/mem")  # opens like a file; reading its beginning is an I/O error
    assert publisher.deliver_leftovers(deadline) == 1
    assert "damaged could not be read from the spool: Input/output error" in caplog.text


def test_a_video_that_the_deadline_overtakes_is_kept(
    bucket_settings: Settings, proxy: Proxy, video: Path
) -> None:
    def hang(request: Request) -> bool:
        if request.is_part:
            threading.Timer(1.2, proxy.released.set).start()  # after the deadline, whenever that began
        return request.is_part

    proxy.fail_always("hang", where=hang)
    with pytest.raises(WorkerError, match=r"before the job's deadline; it is kept") as caught:
        Publisher(bucket_settings, ONCE).deliver(JOB, DIGEST, video, RESULT, Deadline(1))
    assert caught.value.code is ErrorCode.STORAGE_UNAVAILABLE
    assert spool_of(bucket_settings).find(JOB) is not None
