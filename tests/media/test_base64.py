"""A file inside the job: base64, bare or as a data URI, and no more of it than allowed."""

import base64
from pathlib import Path

import pytest

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_worker.deadline import Deadline
from ltx2_worker.media.fetch import Source, decode_base64, fetch
from ltx2_worker.settings import Settings
from tests.media.fetch_lab import CONTENT, MOST


@pytest.mark.parametrize(
    "prefix", ["", "data:image/png;base64,", "data:;base64,", "DATA:image/png;name=x;BASE64,"]
)
def test_base64_is_decoded_bare_or_as_a_data_uri(prefix: str, tmp_path: Path) -> None:
    text = prefix + base64.encodebytes(CONTENT).decode()
    target = tmp_path / "decoded"
    fetch(Source("image_base64", base64=text), target, MOST, Deadline(60), Settings())
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
def test_what_is_not_base64_is_bad_input(text: str, tmp_path: Path) -> None:
    with pytest.raises(WorkerError) as caught:
        decode_base64(text, tmp_path / "decoded", "image_base64", MOST)
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_INPUT, "image_base64")
    assert not (tmp_path / "decoded").exists()


@pytest.mark.parametrize("size", [MOST + 1, MOST * 100])
def test_base64_of_too_much_is_refused(size: int, tmp_path: Path) -> None:
    with pytest.raises(WorkerError) as caught:
        decode_base64(base64.b64encode(bytes(size)).decode(), tmp_path / "decoded", "image_base64", MOST)
    assert caught.value.code is ErrorCode.MEDIA_REJECTED
    decode_base64(base64.b64encode(bytes(MOST)).decode(), tmp_path / "decoded", "image_base64", MOST)
