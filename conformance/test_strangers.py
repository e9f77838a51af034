"""What others may not: see, change, guess or spend what is not theirs."""

import os
from hashlib import sha256

import pytest
import requests

from conformance.target import JOB, Target, new_key

ADDRESSES = ("/api/generations", "/api/generations/models", "/api/account", "/api/account/ledger")


@pytest.mark.parametrize("token", ["", "wrong", "Bearer", "null"])
@pytest.mark.parametrize("path", ADDRESSES)
def test_without_a_valid_token_there_is_nothing(api: Target, token: str, path: str) -> None:
    answer = requests.get(f"{api.url}{path}", headers={"Authorization": f"Bearer {token}"}, timeout=30)
    api.check(answer)
    assert answer.status_code == 401


def test_a_cookie_or_a_query_is_no_token(api: Target) -> None:
    answer = requests.post(
        f"{api.url}/api/generations?token={api.token}&access_token={api.token}",
        headers={"Idempotency-Key": new_key(), "Cookie": f"token={api.token}; session={api.token}"},
        json={"model": api.model["id"], "input": JOB},
        timeout=30,
    )
    assert answer.status_code == 401


def test_a_ticket_looks_and_changes_nothing(api: Target) -> None:
    ticket = api.call("POST", "/api/generations/ticket").json()["ticket"]
    answer = requests.post(
        f"{api.url}/api/generations?ticket={ticket}",
        headers={"Idempotency-Key": new_key()},
        json={"model": api.model["id"], "input": JOB},
        timeout=30,
    )
    assert answer.status_code == 401


def test_somebody_else_s_generation_is_not_there(api: Target, other: Target) -> None:
    made = api.order(JOB | {"preview": True}).json()["id"]
    for method, end in (
        ("GET", ""),
        ("GET", "/video"),
        ("GET", "/poster"),
        ("GET", "/picture"),
        ("POST", "/cancel"),
        ("POST", "/retry"),
        ("DELETE", ""),
    ):
        answer = other.call(method, f"/api/generations/{made}{end}")
        assert answer.status_code == 404, (method, end)
    assert made not in {shown["id"] for shown in other.call("GET", "/api/generations").json()["items"]}
    assert api.get(made)["id"] == made
    api.cancel(made)


@pytest.mark.parametrize(
    "guess", ["..%2f..%2fetc%2fpasswd", "1", "00000000-0000-0000-0000-000000000000", "%00", "a" * 500]
)
def test_a_guessed_id_is_not_found(api: Target, guess: str) -> None:
    assert api.call("GET", f"/api/generations/{guess}").status_code in {404, 422}


def test_a_page_of_another_origin_may_not_read(api: Target) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = requests.options(f"{api.url}/api/generations", headers=headers, timeout=30)
    assert answer.headers.get("Access-Control-Allow-Origin") not in {"*", "https://evil.example"}


def test_a_request_that_is_too_large_is_refused(api: Target) -> None:
    job = JOB | {"image_base64": "A" * 30_000_000}
    try:
        answer = api.order(job)
    except requests.ConnectionError:
        return  # refused while it was being sent
    assert answer.status_code in {413, 422}


@pytest.mark.skipif(os.environ.get("UPLOADS") != "1", reason="UPLOADS=1: files can be uploaded")
def test_an_upload_is_just_the_file_that_was_announced(api: Target, other: Target) -> None:
    content = b"\x89PNG\r\n\x1a\n" + bytes(64)
    file = {"name": "a.png", "bytes": len(content), "sha256": sha256(content).hexdigest()}
    place = api.call("POST", "/api/uploads", json=file)
    assert place.status_code == 201, place.text
    put, headers = place.json()["put_url"], place.json()["headers"]
    assert requests.put(put, content + b"x", headers=headers, timeout=30).status_code >= 400
    assert requests.put(put, content, headers=headers, timeout=30).ok
    stolen = other.order(JOB | {"image_url": place.json()["url"], "preview": True})
    assert stolen.status_code == 422, stolen.text


@pytest.mark.skipif(os.environ.get("UPLOADS") != "1", reason="UPLOADS=1: files can be uploaded")
@pytest.mark.parametrize("name", ["a.html", "a.svg", "a.exe", "a", "a.png.html", ".png"])
def test_an_upload_that_is_no_medium_is_refused(api: Target, name: str) -> None:
    file = {"name": name, "bytes": 10, "sha256": "0" * 64}
    assert api.call("POST", "/api/uploads", json=file).status_code == 422


@pytest.mark.skipif(os.environ.get("UPLOADS") != "1", reason="UPLOADS=1: files can be uploaded")
@pytest.mark.parametrize("size", [0, -1, 10**12])
def test_an_upload_without_bytes_or_with_too_many_is_refused(api: Target, size: int) -> None:
    file = {"name": "a.png", "bytes": size, "sha256": "0" * 64}
    assert api.call("POST", "/api/uploads", json=file).status_code == 422
