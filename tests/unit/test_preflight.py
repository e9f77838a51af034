"""What is looked at before the first job, and what is said of it."""

from pathlib import Path

import pytest

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_worker import preflight
from ltx2_worker.catalog.files import ModelLibrary, manifest
from ltx2_worker.deadline import Deadline


class EngineThatFails:
    """Stands for an engine that is stopped, or cannot be started, while it is asked for its nodes."""

    def __init__(self, code: ErrorCode) -> None:
        self._code = code

    def object_info(self, _: Deadline) -> dict[str, object]:
        raise WorkerError(self._code, "No.")


@pytest.mark.parametrize(
    ("code", "told"), [(ErrorCode.SHUTTING_DOWN, 0), (ErrorCode.ENGINE_UNAVAILABLE, 1)], ids=str
)
def test_an_engine_that_was_stopped_is_no_fault_of_its_check(
    code: ErrorCode, told: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for file in manifest().values():
        path = tmp_path / file.relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    with caplog.at_level("INFO", logger="ltx2_worker"):
        verdict = preflight.judge(EngineThatFails(code), ModelLibrary((tmp_path,)))  # type: ignore[arg-type]
    assert verdict.unfit is None
    assert [record.message for record in caplog.records].count("engine not checked") == told
