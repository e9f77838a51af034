"""What the endpoint answers when something other than the job goes wrong."""

import asyncio
import errno
import json
import os
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from ltx2_worker.endpoint.endpoint import Endpoint
from ltx2_worker.run_mode import RunMode
from ltx2_worker.settings import Settings

pytestmark = pytest.mark.engine

JOB = {"prompt": "A cat.", "preview": True, "image_base64": b64encode(b"no picture").decode()}


def handled(job_input: object, folder: Path, **beside: object) -> dict[str, Any]:
    settings = Settings(
        work_dir=folder / "work",
        output_dir=folder / "videos",
        models_dirs=tuple(Path(name) for name in os.environ["LTX2_MODELS_DIRS"].split(":")),
    )
    return asyncio.run(Endpoint(settings, RunMode.API).handle({"id": "job", "input": job_input} | beside))


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, "storage_unavailable"), (errno.EIO, "internal")])
def test_a_full_disk_has_a_sentence_of_its_own_and_the_job_may_be_sent_again(
    number: int, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, _data: bytes) -> int:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "write_bytes", fail)
    reply = handled(JOB, tmp_path)
    assert (reply["code"], reply["retryable"]) == (code, True)
    assert str(tmp_path) not in str(reply)


def test_an_input_that_is_nested_too_deeply_is_invalid_not_a_fault_of_the_worker(tmp_path: Path) -> None:
    nested: Any = 1
    for _ in range(900):
        nested = {"control": nested}
    reply = handled({"prompt": "A cat."} | nested, tmp_path)
    assert (reply["code"], reply["retryable"]) == ("invalid_input", False)


@pytest.mark.parametrize("config", [{f"p{n}": 0 for n in range(100_000)}, {"endpointUrl": "x" * 1_000_000}])
def test_a_bucket_of_a_job_s_own_cannot_make_a_large_reply(
    config: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LTX2_ALLOW_JOB_BUCKET", "true")
    reply = handled(JOB, tmp_path, s3Config=config)
    assert reply["code"] == "invalid_input"
    assert reply["field"].startswith("s3Config")
    assert len(json.dumps(reply)) < 64 << 10
