"""Fetching a caller's file: public addresses only, no more bytes or seconds than allowed, no secret told."""

import base64
import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from s3_lab import BUCKET
from web_lab import Web, serving, serving_tls

from ltx2_worker.errors import Cancelled, ErrorCode, WorkerError
from ltx2_worker.limits import Limits
from ltx2_worker.media.fetch import Source, decode_base64, download, fetch
from ltx2_worker.settings import Settings

FIELD = "image_url"
CONTENT = bytes(range(256)) * 100
MOST = 30_000
SECRET = "X-Amz-Signature=tell-nobody"


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as running:
        running.content = CONTENT
        yield running


@pytest.fixture
def open_settings() -> Settings:
    """Time-outs short enough for a test; private addresses allowed, for the server is one."""
    return Settings(allow_private_urls=True, fetch_timeout=20, fetch_silence_timeout=10)


def fetched(url: str, folder: Path, settings: Settings, limits: Limits | None = None) -> bytes:
    target = folder / "fetched"
    fetch(Source(FIELD, url=url), target, MOST, limits or Limits(60), settings)
    return target.read_bytes()


def refused(url: str, folder: Path, settings: Settings) -> WorkerError:
    with pytest.raises(WorkerError) as caught:
        fetched(url, folder, settings)
    assert caught.value.field == FIELD
    assert caught.value.message.startswith(FIELD)
    return caught.value


@pytest.mark.parametrize(
    "path", ["file", "undeclared", "wrong-type", "redirect/%2Ffile", "redirect/%2Fredirect%2F%252Ffile"]
)
def test_a_file_arrives_whole(path: str, web: Web, tmp_path: Path, open_settings: Settings):
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
):
    error = refused(f"{web.url}/{path}", tmp_path, open_settings)
    assert (error.code, error.retryable) == (code, retryable)
    assert said in error.message


def test_a_server_that_falls_silent_is_left(web: Web, tmp_path: Path):
    settings = Settings(allow_private_urls=True, fetch_silence_timeout=0.3)
    error = refused(f"{web.url}/silent", tmp_path, settings)
    assert "did not answer in time" in error.message
    assert error.retryable


@pytest.mark.parametrize("path", ["drip-body", "drip-headers"])
def test_a_server_that_drips_is_left_when_the_time_in_all_is_over(path: str, web: Web, tmp_path: Path):
    settings = Settings(allow_private_urls=True, fetch_timeout=1)
    error = refused(f"{web.url}/{path}", tmp_path, settings)
    assert "did not arrive within 1 s" in error.message
    assert error.retryable
    assert web.left.wait(10)


@pytest.mark.parametrize("path", ["drip-body", "drip-headers", "silent"])
def test_a_cancel_ends_a_download_and_its_connection(
    path: str, web: Web, tmp_path: Path, open_settings: Settings
):
    limits = Limits(60)
    threading.Thread(target=lambda: web.arrived.wait(30) and limits.cancel(), daemon=True).start()
    with pytest.raises(Cancelled):
        fetched(f"{web.url}/{path}", tmp_path, open_settings, limits)
    assert path == "silent" or web.left.wait(10)


def test_the_job_s_deadline_ends_a_download(web: Web, tmp_path: Path, open_settings: Settings):
    with pytest.raises(WorkerError) as caught:
        fetched(f"{web.url}/drip-body", tmp_path, open_settings, Limits(0.5))
    assert caught.value.code is ErrorCode.DEADLINE_EXCEEDED
    assert web.left.wait(10)


def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path, open_settings: Settings):
    with serving_tls(tmp_path) as web:
        error = refused(f"{web.url}/file", tmp_path, open_settings)
    assert error.code is ErrorCode.MEDIA_UNREACHABLE
    assert "TLS certificate" in error.message
    assert not error.retryable
    assert web.asked == []


def test_a_server_that_is_not_there_may_be_tried_again(tmp_path: Path, open_settings: Settings):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/x"
        error = refused(url, tmp_path, open_settings)
    assert (error.code, error.retryable) == (ErrorCode.MEDIA_UNREACHABLE, True)


def test_this_machine_is_refused_by_default(web: Web, tmp_path: Path):
    assert refused(f"{web.url}/file", tmp_path, Settings()).code is ErrorCode.INVALID_INPUT
    assert web.asked == []


def test_the_sdk_s_own_switch_does_not_open_this_machine(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("RUNPOD_ALLOW_PRIVATE_DOWNLOAD_URLS", "1")
    assert refused(f"{web.url}/file", tmp_path, Settings()).code is ErrorCode.INVALID_INPUT
    assert web.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/etc/passwd",
        "file:///etc/passwd",
        "ftp://example.com/x.png",
        "gopher://example.com/",
        "data:image/png;base64,AAAA",
        "//example.com/x.png",
        "http://",
        "http:///x.png",
        "http://example.com:99999/x.png",
        "http://[::1/x.png",
        "http://example.com:port/",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://0/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://user:password@127.0.0.1/",
        "s3://somebody-elses/key",
        "s3://",
    ],
)
def test_what_is_not_a_public_http_address_is_bad_input(url: str, tmp_path: Path):
    error = refused(url, tmp_path, Settings())
    assert error.code is ErrorCode.INVALID_INPUT
    assert not error.retryable


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """A resolver: name to its answers, one after the other, the last one for good; all else fails."""
    monkeypatch.delenv("RUNPOD_ALLOW_PRIVATE_DOWNLOAD_URLS", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    known: dict[str, list[list[str]]] = {}

    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        answers = known.get(host)
        if not answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (
                    address.rpartition("@")[0] or address,
                    int(address.rpartition("@")[2]) if "@" in address else port,
                ),
            )
            for address in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


def downloaded(url: str, folder: Path) -> bytes:
    target = folder / "fetched"
    download(url, target, FIELD, MOST, (5, 5))
    return target.read_bytes()


PUBLIC = "93.184.216.34"


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.1.2.3"],
        ["172.16.0.1"],
        ["169.254.169.254"],
        ["100.64.0.1"],
        ["0.0.0.0"],
        ["::1"],
        ["fd00::1"],
        ["fe80::1"],
        ["::ffff:10.0.0.1"],
        ["224.0.0.1"],
        [PUBLIC, "127.0.0.1"],
    ],
)
def test_a_name_of_a_private_address_is_refused(
    addresses: list[str], names: dict[str, list[list[str]]], tmp_path: Path
):
    names["harmless.test"] = [addresses]
    with pytest.raises(WorkerError) as caught:
        downloaded("http://harmless.test/x.png", tmp_path)
    assert caught.value.code is ErrorCode.INVALID_INPUT


def through_a_public_name(web: Web, names: dict[str, list[list[str]]]) -> str:
    """A URL of the server under a name and an address that the guard holds for public."""
    port = web.url.rpartition(":")[2]
    names["public.test"] = [[PUBLIC]]
    names[PUBLIC] = [[f"127.0.0.1@{port}"]]
    return "http://public.test"


def test_a_public_name_is_fetched(web: Web, names: dict[str, list[list[str]]], tmp_path: Path):
    assert downloaded(through_a_public_name(web, names) + "/file", tmp_path) == CONTENT


def test_a_redirect_to_a_private_address_is_refused(
    web: Web, names: dict[str, list[list[str]]], tmp_path: Path
):
    names["127.0.0.1"] = [["127.0.0.1"]]
    url = through_a_public_name(web, names)
    with pytest.raises(WorkerError) as caught:
        downloaded(f"{url}/redirect/{web.url.replace(':', '%3A').replace('/', '%2F')}%2Ffile", tmp_path)
    assert caught.value.code is ErrorCode.INVALID_INPUT
    assert len(web.asked) == 1


def test_a_name_that_changes_its_address_is_not_asked_twice(
    web: Web, names: dict[str, list[list[str]]], tmp_path: Path
):
    url = through_a_public_name(web, names)
    names["public.test"] = [[PUBLIC], ["127.0.0.1"]]
    assert downloaded(f"{url}/file", tmp_path) == CONTENT
    assert len(names["public.test"]) == 1


def test_a_name_that_nobody_knows_is_not_worth_a_retry(names: dict[str, list[list[str]]], tmp_path: Path):
    with pytest.raises(WorkerError) as caught:
        downloaded("http://nobody.test/", tmp_path)
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.MEDIA_UNREACHABLE, False)


@pytest.mark.parametrize("path", ["status/403", "short", "silent", "no-http", "loop", "drip-body"])
def test_neither_message_nor_log_tells_a_signed_url(
    path: str, web: Web, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    settings = Settings(allow_private_urls=True, fetch_timeout=1, fetch_silence_timeout=0.3)
    error = refused(f"{web.url}/{path}?{SECRET}", tmp_path, settings)
    assert any(SECRET in asked for asked in web.asked)
    assert caplog.text
    for told in (str(error), repr(error.__cause__), caplog.text):
        assert "Signature" not in told
        assert "127.0.0.1" not in told
        assert str(tmp_path) not in told


def test_an_object_of_the_operator_s_bucket_is_fetched(
    bucket: object, bucket_settings: Settings, tmp_path: Path
):
    bucket.put_object(Bucket=BUCKET, Key="in/a b+ü.png", Body=CONTENT)  # type: ignore[attr-defined]
    assert fetched(f"s3://{BUCKET}/in/a b+ü.png", tmp_path, bucket_settings) == CONTENT


@pytest.mark.parametrize(
    "url", ["s3://other-bucket/key", f"s3://{BUCKET}", f"s3://{BUCKET}/", f"s3://{BUCKET}-2/key"]
)
def test_no_other_bucket_is_asked(url: str, bucket_settings: Settings, tmp_path: Path):
    assert "own bucket" in refused(url, tmp_path, bucket_settings).message


def test_an_object_that_is_not_there_is_said_to_be_unreachable(bucket_settings: Settings, tmp_path: Path):
    error = refused(f"s3://{BUCKET}/absent.png", tmp_path, bucket_settings)
    assert (error.code, error.retryable) == (ErrorCode.MEDIA_UNREACHABLE, False)


@pytest.mark.parametrize(
    "prefix", ["", "data:image/png;base64,", "data:;base64,", "DATA:image/png;name=x;BASE64,"]
)
def test_base64_is_decoded_bare_or_as_a_data_uri(prefix: str, tmp_path: Path, open_settings: Settings):
    text = prefix + base64.encodebytes(CONTENT).decode()
    target = tmp_path / "decoded"
    fetch(Source("image_base64", base64=text), target, MOST, Limits(60), open_settings)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "data:",
        "data:image/png,abc",
        "data:image/png;base64",
        "ab",
        "a b c",
        "é" * 8,
        "####",
        "QUJD=QUJD",
        "AA==AA==",
        "_-_-",
    ],
)
def test_what_is_not_base64_is_bad_input(text: str, tmp_path: Path):
    with pytest.raises(WorkerError) as caught:
        decode_base64(text, tmp_path / "decoded", "image_base64", MOST)
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_INPUT, "image_base64")
    assert not (tmp_path / "decoded").exists()


@pytest.mark.parametrize("size", [MOST + 1, MOST * 100])
def test_base64_of_too_much_is_refused(size: int, tmp_path: Path):
    with pytest.raises(WorkerError) as caught:
        decode_base64(base64.b64encode(bytes(size)).decode(), tmp_path / "decoded", "image_base64", MOST)
    assert caught.value.code is ErrorCode.MEDIA_REJECTED
    decode_base64(base64.b64encode(bytes(MOST)).decode(), tmp_path / "decoded", "image_base64", MOST)
