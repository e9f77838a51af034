"""Which bucket is meant, in all the ways that people write it, and which a job may not name."""

import socket

import pytest

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_worker.settings import Settings
from ltx2_worker.storage.bucket import bucket_from_job, bucket_from_settings
from ltx2_worker.storage.destination import jobs_destination, operators_destination
from ltx2_worker.storage.store_s3 import S3Store

KEYS = {"bucket_access_key_id": "AKIALAB", "bucket_secret_access_key": "never-to-be-seen"}
S3_CONFIG = {
    "accessId": "AKIALAB",
    "accessSecret": "never-to-be-seen",
    "bucketName": "videos",
    "endpointUrl": "https://s3.eu-west-1.amazonaws.com",
}


@pytest.mark.parametrize(
    ("given", "endpoint", "region"),
    [
        ("https://s3.eu-west-1.amazonaws.com", "https://s3.eu-west-1.amazonaws.com", "eu-west-1"),
        ("https://videos.s3.eu-west-1.amazonaws.com/", "https://s3.eu-west-1.amazonaws.com", "eu-west-1"),
        ("https://videos.s3.amazonaws.com", "https://s3.amazonaws.com", "us-east-1"),
        ("s3.us-west-004.backblazeb2.com", "https://s3.us-west-004.backblazeb2.com", "us-west-004"),
        ("https://acc.r2.cloudflarestorage.com/videos", "https://acc.r2.cloudflarestorage.com", "us-east-1"),
        ("https://storage.googleapis.com", "https://storage.googleapis.com", "us-east-1"),
        ("https://videos.fra1.digitaloceanspaces.com", "https://fra1.digitaloceanspaces.com", "us-east-1"),
        ("http://[::1]:9000/videos", "http://[::1]:9000", "us-east-1"),
        ("http://minio:9000", "http://minio:9000", "us-east-1"),
        (None, None, "us-east-1"),
    ],
)
def test_an_endpoint_is_understood_as_people_write_it(
    given: str | None, endpoint: str | None, region: str
) -> None:
    bucket = bucket_from_settings(Settings(bucket_endpoint_url=given, bucket_name="videos", **KEYS))
    assert bucket is not None
    assert (bucket.name, bucket.endpoint_url, bucket.region) == ("videos", endpoint, region)


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [
        ("https://my.videos.s3.eu-west-1.amazonaws.com", "my.videos"),
        ("https://videos.s3-eu-west-1.amazonaws.com", "videos"),
        ("https://acc.r2.cloudflarestorage.com/videos/", "videos"),
    ],
)
def test_the_endpoint_may_name_the_bucket(endpoint: str, name: str) -> None:
    bucket = bucket_from_settings(Settings(bucket_endpoint_url=endpoint, **KEYS))
    assert bucket is not None
    assert bucket.name == name


def test_a_region_that_is_set_is_used() -> None:
    settings = Settings(
        bucket_endpoint_url="https://s3api-eu-ro-1.runpod.io",
        bucket_name="v",
        bucket_region="EU-RO-1",
        **KEYS,
    )
    bucket = bucket_from_settings(settings)
    assert bucket is not None
    assert bucket.region == "EU-RO-1"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"bucket_name": "videos"}, "BUCKET_ACCESS_KEY_ID and BUCKET_SECRET_ACCESS_KEY"),
        ({"bucket_name": "videos", "bucket_access_key_id": "AKIALAB"}, "set BUCKET_SECRET_ACCESS_KEY"),
        ({"bucket_endpoint_url": "https://storage.googleapis.com", **KEYS}, "set BUCKET_NAME"),
        ({"bucket_endpoint_url": "ftp://files.example.com/videos", **KEYS}, "BUCKET_ENDPOINT_URL must be"),
        (
            {"bucket_endpoint_url": "https://user:pw@example.com/videos", **KEYS},
            "BUCKET_ENDPOINT_URL must be",
        ),
        ({"bucket_endpoint_url": "https://example.com/a/b", **KEYS}, "BUCKET_ENDPOINT_URL must be"),
        ({"bucket_endpoint_url": "https://example.com:port", **KEYS}, "BUCKET_ENDPOINT_URL must be"),
    ],
)
def test_a_bucket_configured_by_halves_is_refused_by_name(given: dict[str, str], named: str) -> None:
    with pytest.raises(WorkerError, match=named) as caught:
        bucket_from_settings(Settings(**given))
    assert not caught.value.retryable


def test_no_bucket_variables_are_no_bucket() -> None:
    assert bucket_from_settings(Settings()) is None


@pytest.mark.parametrize("addressing", ["path", "virtual"])
def test_presigned_urls_follow_the_addressing_style(addressing: str) -> None:
    settings = Settings(
        bucket_endpoint_url="https://s3.example.com",
        bucket_name="videos",
        bucket_addressing=addressing,
        **KEYS,
    )
    bucket = bucket_from_settings(settings)
    assert bucket is not None
    url = S3Store(bucket).link("job.mp4").url or ""
    start = {
        "path": "https://s3.example.com/videos/job.mp4?",
        "virtual": "https://videos.s3.example.com/job.mp4?",
    }
    assert url.startswith(start[addressing])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"accessId": ""}, "s3Config.accessId"),
        ({"accessSecret": None}, "s3Config.accessSecret"),
        ({"bucketName": "../videos"}, "s3Config.bucketName"),
        ({"bucketName": "videos\n"}, "s3Config.bucketName"),
        ({"region": "eu"}, "s3Config.region"),
        ({"endpointUrl": "https://example.com/other"}, "s3Config.endpointUrl"),
        ({"endpointUrl": "file:///etc/passwd"}, "s3Config.endpointUrl"),
        ({"endpointUrl": "https://169.254.169.254"}, "s3Config.endpointUrl"),
        ({"endpointUrl": "https://127.0.0.1:9000"}, "s3Config.endpointUrl"),
        ({"endpointUrl": "https://[::1]"}, "s3Config.endpointUrl"),
        ({"endpointUrl": "http://93.184.215.14"}, "s3Config.endpointUrl"),
    ],
)
def test_a_jobs_bucket_that_is_wrong_or_not_public_is_refused_with_its_field(
    change: dict[str, object], field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUNPOD_ALLOW_PRIVATE_DOWNLOAD_URLS", raising=False)
    with pytest.raises(WorkerError) as caught:
        bucket_from_job(S3_CONFIG | change, Settings(allow_job_bucket=True))
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_INPUT, field)
    assert "never-to-be-seen" not in caught.value.message
    assert caught.value.__cause__ is None or "never-to-be-seen" not in repr(caught.value.__cause__)


@pytest.mark.parametrize("s3_config", ["text", [], 7, {}])
def test_an_s3_config_that_is_no_object_is_refused(s3_config: object) -> None:
    with pytest.raises(WorkerError) as caught:
        bucket_from_job(s3_config, Settings(allow_job_bucket=True))
    assert (caught.value.field or "").startswith("s3Config")


def test_a_jobs_endpoint_whose_name_resolves_to_a_private_address_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: answer)
    with pytest.raises(WorkerError, match="public internet"):
        bucket_from_job(S3_CONFIG, Settings(allow_job_bucket=True))


def test_a_jobs_endpoint_that_cannot_be_looked_up_may_be_there_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_answer(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", no_answer)
    with pytest.raises(WorkerError, match="could not be looked up") as caught:
        bucket_from_job(S3_CONFIG, Settings(allow_job_bucket=True))
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.STORAGE_UNAVAILABLE, True)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"bucket_endpoint_url": "http://my_minio:9000"}, "BUCKET_ENDPOINT_URL"),
        ({"bucket_region": "eu west"}, "BUCKET_REGION"),
    ],
)
def test_a_bucket_that_no_client_can_be_made_for_is_refused_by_its_setting(
    given: dict[str, str], named: str
) -> None:
    with pytest.raises(WorkerError, match=named) as caught:
        operators_destination(Settings(bucket_name="videos", **KEYS, **given))
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.STORAGE_UNAVAILABLE, False)


def test_a_jobs_bucket_that_no_client_can_be_made_for_is_refused_with_its_field(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: answer)
    with pytest.raises(WorkerError) as caught:
        jobs_destination(
            S3_CONFIG | {"endpointUrl": "https://my_store.example.com"}, Settings(allow_job_bucket=True)
        )
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_INPUT, "s3Config")


def test_secrets_do_not_show_in_a_buckets_repr() -> None:
    bucket = bucket_from_settings(Settings(bucket_name="videos", **KEYS))
    assert "never-to-be-seen" not in repr(bucket)
    assert "AKIALAB" not in repr(bucket)
