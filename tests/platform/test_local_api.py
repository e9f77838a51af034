"""The local ways of RunPod's SDK: the HTTP API, one job from the command line, and test_input.json."""

import json
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import pytest
import requests

from tests.platform.conftest import HANDLER
from tests.platform.worker_process import WorkerProcess

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

PREVIEW = {"prompt": "Waves roll onto a beach.", "preview": True, "seed": 3}
SECONDS = 200


def local_environment(home: Path) -> dict[str, str]:
    return {"LTX2_WORK_DIR": str(home / "work"), "LTX2_OUTPUT_DIR": str(home / "videos")}


def start_handler(home: Path, *arguments: str) -> WorkerProcess:
    return WorkerProcess([sys.executable, str(HANDLER), *arguments], local_environment(home), home)


def start_api(home: Path) -> tuple[WorkerProcess, str]:
    """A worker that serves RunPod's API, and the address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = ["--rp_api_host", "127.0.0.1", "--rp_api_port", str(port)]
    return start_handler(home, "--rp_serve_api", *address), f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    worker, address = start_api(tmp_path_factory.mktemp("api"))
    with worker:
        worker.wait_output("Uvicorn running", SECONDS)
        yield address
        print(worker.output)


def post(address: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = requests.post(address, json=body, timeout=SECONDS)
    answer.raise_for_status()
    parsed: dict[str, Any] = answer.json()
    return parsed


def test_run_and_status_end_in_an_exact_mp4(api: str) -> None:
    job = post(f"{api}/run", {"input": PREVIEW})
    answer = post(f"{api}/status/{job['id']}")
    assert answer["status"] == "COMPLETED"
    output = answer["output"]
    assert (output["width"], output["height"], output["frames"], output["seed"]) == (448, 256, 24, 3)
    with av.open(output["path"]) as container:
        assert sum(1 for _ in container.decode(video=0)) == 24
    assert Path(output["poster_path"]).read_bytes().startswith(b"\xff\xd8")


def test_runsync_answers_a_dry_run_at_once(api: str) -> None:
    answer = post(f"{api}/runsync", {"input": {"prompt": "a", "quality": "pro", "dry_run": True}})
    assert (answer["status"], answer["output"]["credits"]) == ("COMPLETED", 45)


def test_a_wrong_job_is_one_sentence(api: str) -> None:
    answer = post(f"{api}/runsync", {"input": {"prompt": "a", "duraton": 10}})
    assert answer == {
        "id": answer["id"],
        "status": "FAILED",
        "error": "duraton is not a field of this job; did you mean duration?",
    }


def test_a_signal_ends_the_api_after_its_open_requests(tmp_path: Path) -> None:
    worker, address = start_api(tmp_path)
    with worker, ThreadPoolExecutor(1) as pool:
        worker.wait_output("Uvicorn running", SECONDS)
        answer = pool.submit(post, f"{address}/runsync", {"input": PREVIEW})
        worker.wait_output('stage="sampling"', SECONDS)
        worker.terminate()
        assert answer.result(SECONDS)["status"] == "COMPLETED"
        assert worker.wait_exit(60) == 128 + signal.SIGTERM
        assert not worker.survivors(timeout=10)
    assert "leaked" not in worker.output
    assert "Traceback" not in worker.output


def test_the_job_in_test_input_runs_and_the_process_ends(tmp_path: Path) -> None:
    shutil.copy(HANDLER.with_name("test_input.json"), tmp_path)
    with start_handler(tmp_path) as worker:
        assert worker.wait_exit(SECONDS) == 0, worker.output
        assert not worker.survivors(timeout=10)
    assert "Video:  " in worker.output
    assert "Poster: " in worker.output
    assert [path.suffix for path in sorted((tmp_path / "videos").iterdir())] == [".jpg", ".json", ".mp4"]


def test_a_refused_job_on_the_command_line_ends_with_status_1(tmp_path: Path) -> None:
    with start_handler(tmp_path, "--test_input", json.dumps({"input": {"prompt": ""}})) as worker:
        assert worker.wait_exit(SECONDS) == 1
        assert not worker.survivors(timeout=10)
    assert "Failed (invalid_input): prompt" in worker.output
    assert "Traceback" not in worker.output


def test_ctrl_c_ends_a_job_on_the_command_line_without_a_traceback(tmp_path: Path) -> None:
    with start_handler(tmp_path, "--test_input", json.dumps({"input": PREVIEW})) as worker:
        worker.wait_output('stage="waiting"', SECONDS)
        worker.signal(signal.SIGINT)
        assert worker.wait_exit(60) == 128 + signal.SIGINT
        assert not worker.survivors(timeout=10)
    assert "Traceback" not in worker.output
    assert "never retrieved" not in worker.output
