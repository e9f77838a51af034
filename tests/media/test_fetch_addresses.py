"""Only public addresses are fetched from, whatever a URL, a name or a redirect says."""

import socket
from pathlib import Path

import pytest

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_worker.media.fetch import download
from ltx2_worker.settings import Settings
from tests.media.fetch_lab import CONTENT, FIELD, MOST, refused
from tests.media.web_lab import Web


def test_this_machine_is_refused_by_default(web: Web, tmp_path: Path) -> None:
    assert refused(f"{web.url}/file", tmp_path, Settings()).code is ErrorCode.INVALID_INPUT
    assert web.asked == []


def test_the_sdk_s_own_switch_does_not_open_this_machine(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
def test_what_is_not_a_public_http_address_is_bad_input(url: str, tmp_path: Path) -> None:
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
) -> None:
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


def test_a_public_name_is_fetched(web: Web, names: dict[str, list[list[str]]], tmp_path: Path) -> None:
    assert downloaded(through_a_public_name(web, names) + "/file", tmp_path) == CONTENT


def test_a_redirect_to_a_private_address_is_refused(
    web: Web, names: dict[str, list[list[str]]], tmp_path: Path
) -> None:
    names["127.0.0.1"] = [["127.0.0.1"]]
    url = through_a_public_name(web, names)
    with pytest.raises(WorkerError) as caught:
        downloaded(f"{url}/redirect/{web.url.replace(':', '%3A').replace('/', '%2F')}%2Ffile", tmp_path)
    assert caught.value.code is ErrorCode.INVALID_INPUT
    assert len(web.asked) == 1


def test_a_name_that_changes_its_address_is_not_asked_twice(
    web: Web, names: dict[str, list[list[str]]], tmp_path: Path
) -> None:
    url = through_a_public_name(web, names)
    names["public.test"] = [[PUBLIC], ["127.0.0.1"]]
    assert downloaded(f"{url}/file", tmp_path) == CONTENT
    assert len(names["public.test"]) == 1


def test_a_name_that_nobody_knows_is_not_worth_a_retry(
    names: dict[str, list[list[str]]], tmp_path: Path
) -> None:
    with pytest.raises(WorkerError) as caught:
        downloaded("http://nobody.test/", tmp_path)
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.MEDIA_UNREACHABLE, False)
