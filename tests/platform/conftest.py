"""What every platform test starts from: a queue, and workers that talk to it."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from local.runpod import Emulator
from tests.engine.fixtures import NEEDED
from tests.platform.worker_process import WorkerProcess

SDK_HANDLER = Path(__file__).with_name("sdk_handler.py")
HANDLER = Path(__file__).parents[2] / "handler.py"

StartWorker = Callable[..., WorkerProcess]


def worker_environment(runpod: Emulator, home: Path) -> dict[str, str]:
    """What the real worker is started with: the queue, the tiny weights, and folders of its own."""
    missing = [name for name in NEEDED if not os.environ.get(name)]
    assert not missing, f"platform tests need {', '.join(missing)}; `python3 -m local test` sets them"
    return runpod.environment() | {
        "LTX2_WORK_DIR": str(home / "work"),
        "LTX2_OUTPUT_DIR": str(home / "videos"),
        # Most tests want two jobs in hand; tests/platform/test_late_take.py takes the second one late.
        "LTX2_TAKE_AHEAD": "3600",
    }


@pytest.fixture
def runpod() -> Iterator[Emulator]:
    with Emulator() as runpod:
        yield runpod


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartWorker]:
    """Start a script as a worker; what it wrote is shown when the test fails."""
    with ExitStack() as stack:

        def start_one(script: Path, environment: dict[str, str]) -> WorkerProcess:
            worker = stack.enter_context(WorkerProcess.python(script, environment, tmp_path))
            stack.callback(lambda: print(worker.output))
            return worker

        yield start_one


@pytest.fixture
def start_sdk(runpod: Emulator, start: StartWorker) -> StartWorker:
    """Start the SDK's loop around a handler that obeys its jobs."""
    return lambda **environment: start(SDK_HANDLER, runpod.environment() | environment)


@pytest.fixture
def start_worker(runpod: Emulator, start: StartWorker, tmp_path: Path) -> StartWorker:
    """Start the real worker on the real engine."""
    return lambda **environment: start(HANDLER, worker_environment(runpod, tmp_path) | environment)
