"""Ctrl+C while `python3 -m local run` makes a video."""

import json
import sys
from pathlib import Path

import pytest

from tests.platform.conftest import HANDLER
from tests.platform.worker_process import WorkerProcess

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

JOB = {"input": {"prompt": "Waves roll onto a beach.", "preview": True}}
SECONDS = 200


@pytest.mark.parametrize("moment", ["waiting", "prompt"])
def test_ctrl_c_ends_in_one_line_and_status_130_and_leaves_no_process(tmp_path: Path, moment: str) -> None:
    (tmp_path / "test_input.json").write_text(json.dumps(JOB))
    folders = {"LTX2_WORK_DIR": str(tmp_path / "work"), "LTX2_OUTPUT_DIR": str(tmp_path / "videos")}
    with WorkerProcess([sys.executable, str(HANDLER)], folders, tmp_path) as worker:
        worker.wait_output(f'stage="{moment}"', SECONDS)
        said = len(worker.output)
        worker.interrupt()
        assert worker.wait_exit(SECONDS) == 130
        assert worker.survivors(timeout=SECONDS) == []
    assert worker.output[said:].splitlines()[-1] == "Stopped; no video was made."
    assert "Traceback" not in worker.output
