"""`python -m local.runpod`, which `local serve` starts: RunPod's API with the real worker behind it."""

import re
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import requests

from tests.platform.conftest import HANDLER
from tests.platform.jobs import BOOT_SECONDS, DRY_RUN, ENGINE, JOB_SECONDS, long_preview
from tests.platform.worker_process import WorkerProcess

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]

HEADERS = {"Authorization": "Bearer a-key"}


def serving(home: Path, *arguments: str, **environment: str) -> WorkerProcess:
    """The command with folders of its own."""
    folders = {"LTX2_WORK_DIR": str(home / "work"), "LTX2_OUTPUT_DIR": str(home / "videos")}
    root = {"PYTHONPATH": str(HANDLER.parent)}
    options = ["--port", "0", "--log", str(home / "worker.log"), *arguments]
    command = [sys.executable, "-m", "local.runpod", *options]
    return WorkerProcess(command, folders | root | environment, home)


def address(command: WorkerProcess) -> str:
    command.wait_output("RunPod's API for one worker", BOOT_SECONDS)
    found = re.search(r"http://127\.0\.0\.1:\d+/v2/\w+", command.output)
    assert found
    return found.group()


def in_stage(log: Path, job_id: str, stage: str) -> None:
    """Return once the worker's log says that a job has reached a stage; the engine may then be held in it.

    /status shows a stage at the next post of progress, when a small job has left it.
    """
    wanted = f'"event": "job stage", "job_id": "{job_id}", "stage": "{stage}"'
    until = time.monotonic() + JOB_SECONDS
    while not log.exists() or wanted not in log.read_text(encoding="utf-8"):
        assert time.monotonic() < until, f"{job_id} never came to {stage}"
        time.sleep(0.02)


def test_a_signal_ends_the_api_when_the_job_in_hand_is_answered(tmp_path: Path) -> None:
    with (
        serving(tmp_path, "--key", "a-key", LTX2_SHUTDOWN_GRACE="300", LTX2_TAKE_AHEAD="3600") as command,
        ThreadPoolExecutor(1) as pool,
    ):
        runpod = address(command)
        assert requests.post(f"{runpod}/run", json={"input": DRY_RUN}, timeout=30).status_code == 401
        job = requests.post(
            f"{runpod}/run", json={"input": long_preview()}, headers=HEADERS, timeout=30
        ).json()
        in_stage(tmp_path / "worker.log", job["id"], "sampling")
        with command.paused(ENGINE):
            held = pool.submit(
                requests.post, f"{runpod}/runsync?wait=300000", json={"input": DRY_RUN}, headers=HEADERS
            )
            assert held.result(60).json()["status"] == "COMPLETED"
            command.terminate()
            command.wait_output("Ending when the jobs in hand are done", 30)
        command.wait_output(f"{job['id']} COMPLETED", JOB_SECONDS)
        assert command.wait_exit(60) == 0
        assert not command.survivors(timeout=30)
        assert (tmp_path / "videos" / f"{job['id']}.mp4").exists()
        assert "Traceback" not in command.output


def test_ctrl_c_ends_an_idle_api_and_its_worker(tmp_path: Path) -> None:
    with serving(tmp_path) as command:
        answer = requests.post(f"{address(command)}/runsync", json={"input": DRY_RUN}, timeout=BOOT_SECONDS)
        assert answer.json()["output"]["credits"] == 0
        command.signal(signal.SIGINT)
        assert command.wait_exit(60) == 0
        assert not command.survivors(timeout=30)
        assert "Traceback" not in command.output


def test_a_killed_api_leaves_no_worker_and_no_engine(tmp_path: Path) -> None:
    with serving(tmp_path) as command:
        job = requests.post(f"{address(command)}/run", json={"input": long_preview()}, timeout=30).json()
        in_stage(tmp_path / "worker.log", job["id"], "sampling")
        held = command.descendants(HANDLER.name) + command.descendants(ENGINE)
        assert len(held) == 2
        command.kill()
        assert command.wait_exit(10) == -signal.SIGKILL
        # Not all: the SDK's heartbeat is a process that only an orderly end of the worker takes along.
        assert not psutil.wait_procs(held, timeout=30)[1]


def test_a_worker_that_cannot_work_ends_the_api_with_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with serving(tmp_path, LTX2_MODELS_DIRS=str(tmp_path / "empty")) as command:
        assert command.wait_exit(BOOT_SECONDS) == 1
        assert "The worker ended with status 1" in command.output
        assert "no recipe has its models" in command.output
        assert not command.survivors(timeout=30)
