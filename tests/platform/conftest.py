"""What every platform test starts from: a queue, and workers that talk to it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.platform.control_plane import ControlPlane
from tests.platform.worker_process import WorkerProcess

SDK_HANDLER = Path(__file__).with_name("sdk_handler.py")


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        yield plane


@pytest.fixture
def start(plane: ControlPlane, tmp_path: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """Start a script as a worker of `plane`; its output is shown when the test fails."""
    with ExitStack() as stack:

        def start_one(script: Path, **environment: str) -> WorkerProcess:
            worker = WorkerProcess.python(script, {**plane.environment, **environment}, tmp_path)
            stack.enter_context(worker)
            stack.callback(lambda: print(worker.output))
            return worker

        yield start_one
