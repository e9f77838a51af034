"""Fetching a caller's file: no more bytes or seconds than allowed, faults named, no secret told."""

import logging
import socket
import threading
from pathlib import Path

import pytest
from mypy_boto3_s3 import S3Client

from ltx2_api.errors import Cancelled, ErrorCode, WorkerError
from ltx2_worker.deadline import Deadline
from ltx2_worker.settings import Settings
from tests.log_lines import logged
from tests.media.fetch_lab import CONTENT, fetched, refused
from tests.media.web_lab import Web, serving_tls
from tests.storage.s3_server import BUCKET

SECRET = "X-Amz-Signature=tell-nobody"


@pytest.fixture
def open_settings() -> Settings:
    """Time-outs short enough for a test; private addresses allowed, for the server is one."""
    return Settings(allow_private_urls=True, fetch_timeout=20, fetch_silence_timeout=10)


@pytest.mark.parametrize(
    "path", ["file", "undeclared", "wrong-type", "redirect/%2Ffile", "redirect/%2Fredirect%2F%252Ffile"]
)
def test_a_file_arrives_whole(path: str, web: Web, tmp_path: Path, open_settings: Settings) -> None:
    assert fetched(f"{web.url}/{path}", tmp_path, open_settings) == CONTENT


@pytest.mark.parametrize(
    ("path", "code", "said", "retryable"),
    [
        ("status/404", ErrorCode.MEDIA_UNREACHABLE, "HTTP 404", False),
        ("status/403", ErrorCode.MEDIA_UNREACHABLE, "HTTP 403", False),
        ("status/206", ErrorCode.MEDIA_UNREACHABLE, "HTTP 206", False),
        ("status/429", ErrorCode.MEDIA_UNREACHABLE, "HTTP 429", True),
        ("status/503", ErrorCode.MEDIA_UNREACHABLE, "HTTP 503", True),
        ("empty", ErrorCode.MEDIA_REJECTED, "empty file", False),
        ("endless", ErrorCode.MEDIA_REJECTED, "larger than 0.03 MB", False),
        ("claims-much", ErrorCode.MEDIA_REJECTED, "larger than 0.03 MB", False),
        ("gzip-bomb", ErrorCode.MEDIA_REJECTED, "larger than 0.03 MB", False),
        ("broken-gzip", ErrorCode.MEDIA_UNREACHABLE, "broke off", True),
        ("short", ErrorCode.MEDIA_UNREACHABLE, "broke off", True),
        ("endless-headers", ErrorCode.MEDIA_UNREACHABLE, "did not answer", True),
        ("no-http", ErrorCode.MEDIA_UNREACHABLE, "did not answer", True),
        ("length-of-4000-digits", ErrorCode.MEDIA_REJECTED, "larger than 0.03 MB", False),
        ("length-of-5000-digits", ErrorCode.MEDIA_REJECTED, "larger than 0.03 MB", False),
        ("two-lengths", ErrorCode.MEDIA_UNREACHABLE, "headers that are not valid", False),
        ("negative-chunk", ErrorCode.MEDIA_UNREACHABLE, "broke off", True),
        ("header-without-colon", ErrorCode.MEDIA_UNREACHABLE, "HTTP 404", False),
        ("loop", ErrorCode.INVALID_INPUT, "redirects (at most 5)", False),
        ("nowhere", ErrorCode.INVALID_INPUT, "redirects", False),
        ("redirect/file%3A%2F%2F%2Fetc%2Fpasswd", ErrorCode.INVALID_INPUT, "http(s)", False),
        ("redirect/ftp%3A%2F%2F127.0.0.1%2Fx", ErrorCode.INVALID_INPUT, "http(s)", False),
    ],
)
def test_a_misbehaving_server_ends_in_a_clear_error(
    path: str,
    code: ErrorCode,
    said: str,
    retryable: bool,
    *,
    web: Web,
    tmp_path: Path,
    open_settings: Settings,
) -> None:
    error = refused(f"{web.url}/{path}", tmp_path, open_settings)
    assert (error.code, error.retryable) == (code, retryable)
    assert said in error.message


def test_a_server_that_falls_silent_is_left(web: Web, tmp_path: Path) -> None:
    settings = Settings(allow_private_urls=True, fetch_silence_timeout=0.3)
    error = refused(f"{web.url}/silent", tmp_path, settings)
    assert "did not answer in time" in error.message
    assert error.retryable


@pytest.mark.parametrize("path", ["drip-body", "drip-headers"])
def test_a_server_that_drips_is_left_when_the_time_in_all_is_over(
    path: str, web: Web, tmp_path: Path
) -> None:
    settings = Settings(allow_private_urls=True, fetch_timeout=1)
    error = refused(f"{web.url}/{path}", tmp_path, settings)
    assert "did not arrive within 1 s" in error.message
    assert error.retryable
    assert web.left.wait(10)


@pytest.mark.parametrize("path", ["drip-body", "drip-headers", "silent"])
def test_a_cancel_ends_a_download_and_its_connection(
    path: str, web: Web, tmp_path: Path, open_settings: Settings
) -> None:
    deadline = Deadline(60)

    def cancel_when_asked() -> None:
        if web.arrived.wait(30):
            deadline.cancel()

    threading.Thread(target=cancel_when_asked, daemon=True).start()
    with pytest.raises(Cancelled):
        fetched(f"{web.url}/{path}", tmp_path, open_settings, deadline)
    assert path == "silent" or web.left.wait(10)


def test_the_job_s_deadline_ends_a_download(web: Web, tmp_path: Path, open_settings: Settings) -> None:
    with pytest.raises(WorkerError) as caught:
        fetched(f"{web.url}/drip-body", tmp_path, open_settings, Deadline(0.5))
    assert caught.value.code is ErrorCode.DEADLINE_EXCEEDED
    assert web.left.wait(10)


def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path, open_settings: Settings) -> None:
    with serving_tls(tmp_path) as web:
        error = refused(f"{web.url}/file", tmp_path, open_settings)
    assert error.code is ErrorCode.MEDIA_UNREACHABLE
    assert "TLS certificate" in error.message
    assert not error.retryable
    assert web.asked == []


def test_a_server_that_is_not_there_may_be_tried_again(tmp_path: Path, open_settings: Settings) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/x"
        error = refused(url, tmp_path, open_settings)
    assert (error.code, error.retryable) == (ErrorCode.MEDIA_UNREACHABLE, True)


@pytest.mark.parametrize(
    "path", ["status/403", "short", "silent", "no-http", "loop", "drip-body", "header-without-colon"]
)
def test_neither_message_nor_log_tells_a_signed_url(
    path: str,
    web: Web,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = Settings(allow_private_urls=True, fetch_timeout=1, fetch_silence_timeout=0.3)
    error = refused(f"{web.url}/{path}?{SECRET}", tmp_path, settings)
    assert any(SECRET in asked for asked in web.asked)
    assert caplog.text
    for told in (str(error), repr(error.__cause__), logged(caplog), *capfd.readouterr()):
        assert "Signature" not in told
        assert "127.0.0.1" not in told
        assert str(tmp_path) not in told


def test_an_object_of_the_operator_s_bucket_is_fetched(
    bucket: S3Client, bucket_settings: Settings, tmp_path: Path
) -> None:
    bucket.put_object(Bucket=BUCKET, Key="in/a b+ü.png", Body=CONTENT)
    assert fetched(f"s3://{BUCKET}/in/a b+ü.png", tmp_path, bucket_settings) == CONTENT


@pytest.mark.parametrize(
    "url",
    ["s3://other-bucket/key", f"s3://{BUCKET}", f"s3://{BUCKET}/", f"s3://{BUCKET}-2/key"]
    + [f"s3://{BUCKET}/{key}" for key in ("../other/key", "a/../key", "./key", "..")],
)
def test_no_other_bucket_is_asked(url: str, bucket_settings: Settings, tmp_path: Path) -> None:
    assert "own bucket" in refused(url, tmp_path, bucket_settings).message


def test_dots_that_are_part_of_a_key_s_name_are_kept(
    bucket: S3Client, bucket_settings: Settings, tmp_path: Path
) -> None:
    bucket.put_object(Bucket=BUCKET, Key="..a/...b", Body=CONTENT)
    assert fetched(f"s3://{BUCKET}/..a/...b", tmp_path, bucket_settings) == CONTENT


def test_an_object_that_is_not_there_is_said_to_be_unreachable(
    bucket_settings: Settings, tmp_path: Path
) -> None:
    error = refused(f"s3://{BUCKET}/absent.png", tmp_path, bucket_settings)
    assert (error.code, error.retryable) == (ErrorCode.MEDIA_UNREACHABLE, False)
