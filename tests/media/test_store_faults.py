"""A bucket that fails: what is tried again, what is not, and that no finished video is lost over it."""

# ruff: noqa: PLR0917 - a test's arguments are its fixtures

import logging
import threading
import traceback
from pathlib import Path

import pytest
from delivery_lab import DIGEST, JOB, ONCE, RESULT, TWICE, is_upload, spool_of
from s3_lab import ACCESS_KEY, BUCKET, SECRET_KEY, Fault, Proxy, Request

from ltx2_api.errors import Cancelled, ErrorCode, WorkerError
from ltx2_worker.deadline import Deadline
from ltx2_worker.settings import Settings
from ltx2_worker.storage.publish import Publisher
from ltx2_worker.storage.store_s3 import Patience

QUICK = Patience(requests=2, attempts=3, first_wait=0.01)

TRANSIENT: list[Fault] = [
    (500, "InternalError"),
    (503, "SlowDown"),
    (503, "ServiceUnavailable"),
    (400, "RequestTimeout"),
    (400, "BadDigest"),
    (404, "NoSuchUpload"),
    (429, "TooManyRequests"),
    (502, ""),
    "reset",
]
PERMANENT: list[tuple[Fault, str]] = [
    ((403, "InvalidAccessKeyId"), "does not know the access key"),
    ((403, "SignatureDoesNotMatch"), "refuses the secret key"),
    ((400, "ExpiredToken"), "has expired"),
    ((403, "RequestTimeTooSkewed"), "clock is wrong"),
    ((403, "AccessDenied"), "does not allow"),
    ((404, "NoSuchBucket"), "does not exist"),
    ((400, "AuthorizationHeaderMalformed"), "in another region"),
    ((501, "NotImplemented"), "BUCKET_CHECKSUMS=when_required"),
]


@pytest.mark.parametrize("fault", TRANSIENT, ids=str)
def test_a_part_that_fails_once_is_sent_again(
    bucket_settings: Settings, proxy: Proxy, bucket, video: Path, deadline: Deadline, fault: Fault
) -> None:
    proxy.fail(fault, times=1, where=lambda request: request.is_part)
    delivery = Publisher(bucket_settings, QUICK).deliver(JOB, DIGEST, video, RESULT, deadline)
    assert proxy.faults.total() == 1
    assert bucket.get_object(Bucket=BUCKET, Key=f"{JOB}.mp4")["Body"].read() == video.read_bytes()
    assert delivery.bytes == video.stat().st_size


@pytest.mark.parametrize(("fault", "reason"), PERMANENT, ids=str)
def test_what_cannot_be_cured_is_tried_once_and_named(
    bucket_settings: Settings, proxy: Proxy, deadline: Deadline, fault: Fault, reason: str
) -> None:
    proxy.fail_always(fault)
    with pytest.raises(WorkerError, match=reason) as caught:
        Publisher(bucket_settings, QUICK).check(deadline)
    assert caught.value.code is ErrorCode.STORAGE_UNAVAILABLE
    assert not caught.value.retryable
    assert proxy.faults.total() == 1


def test_a_bucket_that_is_down_at_the_start_is_tried_again_and_named(
    bucket_settings: Settings, proxy: Proxy, deadline: Deadline
) -> None:
    proxy.fail_always((503, "SlowDown"))
    with pytest.raises(WorkerError, match="The bucket for videos") as caught:
        Publisher(bucket_settings, QUICK).check(deadline)
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.STORAGE_UNAVAILABLE, True)
    assert proxy.faults.total() == QUICK.attempts


@pytest.mark.parametrize("fault", ["corrupt", "lie"])
def test_a_damaged_copy_is_noticed_and_sent_again(
    bucket_settings: Settings, proxy: Proxy, bucket, video: Path, deadline: Deadline, fault: str
) -> None:
    def picked(request: Request) -> bool:
        return request.is_part if fault == "corrupt" else request.method == "HEAD"

    proxy.fail(fault, times=1, where=picked)
    Publisher(bucket_settings, QUICK).deliver(JOB, DIGEST, video, RESULT, deadline)
    assert proxy.faults[fault] == 1
    assert len([request for request in proxy.log if request.is_part]) > 2
    assert bucket.get_object(Bucket=BUCKET, Key=f"{JOB}.mp4")["Body"].read() == video.read_bytes()


def test_a_key_that_may_only_write_is_enough(
    bucket_settings: Settings, proxy: Proxy, video: Path, deadline: Deadline
) -> None:
    proxy.fail_always((403, "AccessDenied"), where=lambda request: request.method not in {"PUT", "POST"})
    publisher = Publisher(bucket_settings, ONCE)
    publisher.check(deadline)
    assert publisher.find(JOB, DIGEST, deadline) is None
    assert publisher.deliver(JOB, DIGEST, video, RESULT, deadline).video.url


def test_a_failed_upload_leaves_no_parts_in_the_bucket(
    bucket_settings: Settings, proxy: Proxy, bucket, video: Path, deadline: Deadline
) -> None:
    proxy.fail((403, "AccessDenied"), times=1, where=lambda request: request.is_part)
    with pytest.raises(WorkerError):
        Publisher(bucket_settings, ONCE).deliver(JOB, DIGEST, video, RESULT, deadline)
    assert "Uploads" not in bucket.list_multipart_uploads(Bucket=BUCKET)


@pytest.mark.parametrize("silent", ["GET", "PUT"])
def test_a_silent_bucket_does_not_hold_a_job_beyond_its_deadline(
    bucket_settings: Settings, proxy: Proxy, video: Path, silent: str
) -> None:
    proxy.fail_always("hang", where=lambda request: request.method == silent)
    publisher = Publisher(bucket_settings)
    act = publisher.check if silent == "PUT" else lambda deadline: publisher.find(JOB, DIGEST, deadline)
    with pytest.raises(WorkerError) as caught:
        act(Deadline(1))
    assert caught.value.code is ErrorCode.DEADLINE_EXCEEDED
    # The request is still held: what came back did not wait for the bucket.
    assert not proxy.released.is_set()


def test_a_record_too_large_or_cut_is_no_record(
    bucket_settings: Settings, proxy: Proxy, bucket, deadline: Deadline, caplog: pytest.LogCaptureFixture
) -> None:
    bucket.put_object(Bucket=BUCKET, Key=f"{JOB}.json", Body=b" " * 300_000)
    assert Publisher(bucket_settings, ONCE).find(JOB, DIGEST, deadline) is None
    assert "holds something else under a record's name" in caplog.text
    bucket.put_object(Bucket=BUCKET, Key=f"{JOB}.json", Body=b" " * 1000)
    proxy.fail("lie", times=1, where=lambda request: request.method == "GET")
    assert Publisher(bucket_settings, TWICE).find(JOB, DIGEST, deadline) is None
    assert "get failed, attempt 1: it broke the connection" in caplog.text
    assert "attempt 2" not in caplog.text


def test_a_cancelled_upload_ends_and_leaves_nothing(
    bucket_settings: Settings, proxy: Proxy, bucket, video: Path
) -> None:
    deadline = Deadline(60)

    def hang(request: Request) -> bool:
        if request.is_part:
            deadline.cancel()
            threading.Timer(0.2, proxy.released.set).start()
        return request.is_part

    proxy.fail_always("hang", where=hang)
    with pytest.raises(Cancelled):
        Publisher(bucket_settings, ONCE).deliver(JOB, DIGEST, video, RESULT, deadline)
    assert spool_of(bucket_settings).find(JOB) is None
    assert bucket.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
    assert "Uploads" not in bucket.list_multipart_uploads(Bucket=BUCKET)


def test_a_full_disk_is_said_in_the_error(
    bucket_settings: Settings, proxy: Proxy, video: Path, deadline: Deadline
) -> None:
    proxy.fail_always((503, "SlowDown"), where=is_upload)
    settings = bucket_settings.model_copy(update={"spool_max_bytes": 1000})
    with pytest.raises(WorkerError, match="it could not be kept"):
        Publisher(settings, ONCE).deliver(JOB, DIGEST, video, RESULT, deadline)


@pytest.mark.parametrize("fault", [*TRANSIENT, *(fault for fault, _ in PERMANENT), "lie"], ids=str)
def test_no_secret_reaches_a_log_or_an_exception(
    bucket_settings: Settings,
    proxy: Proxy,
    video: Path,
    deadline: Deadline,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
) -> None:
    caplog.set_level(logging.DEBUG)
    # The proxy puts the secret key into its error message, as a careless store might.
    proxy.fail_always(fault, where=lambda request: fault != "lie" or request.method == "HEAD")
    publisher = Publisher(bucket_settings, ONCE)
    said = []
    for act in (
        lambda: publisher.check(deadline),
        lambda: publisher.find(JOB, DIGEST, deadline),
        lambda: publisher.deliver(JOB, DIGEST, video, RESULT, deadline),
        lambda: publisher.deliver_leftovers(deadline),
    ):
        try:
            act()
        except WorkerError as error:
            said.append(error.message)
            caplog.records.append(logging.makeLogRecord({"msg": "".join(traceback.format_exception(error))}))
    assert said
    for message in said:
        assert proxy.url not in message
        assert "127.0.0.1" not in message
        assert BUCKET not in message.replace("for videos", "")
    logged = "\n".join(record.getMessage() for record in caplog.records)
    for secret in (SECRET_KEY, ACCESS_KEY, "X-Amz-Signature"):
        assert secret not in logged
        assert secret not in "".join(said)
        assert secret not in repr(publisher.__dict__) + repr(bucket_settings)
