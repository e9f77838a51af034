"""A child process that crashes, hangs or eats memory takes nothing with it."""

import errno
import importlib
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from ltx2_api.errors import Cancelled, ErrorCode, WorkerError
from ltx2_worker.deadline import Deadline
from ltx2_worker.media import isolate
from ltx2_worker.media.isolate import run_isolated

TOO_LONG = WorkerError(ErrorCode.MEDIA_REJECTED, "too long")
CRASHED = WorkerError(ErrorCode.MEDIA_REJECTED, "crashed")


def run(
    work: Callable[[], list[str]], deadline: Deadline | None = None, seconds: float = 30, **environment: str
) -> list[str]:
    return run_isolated(
        work,
        deadline=deadline or Deadline(60),
        seconds=seconds,
        too_long=TOO_LONG,
        crashed=CRASHED,
        environment=environment,
    )


def say(*sentences: str) -> list[str]:
    return list(sentences)


def refuse() -> list[str]:
    raise WorkerError(ErrorCode.MEDIA_UNREACHABLE, "No.", field="image_url", retryable=False)


def hang(started: Path) -> list[str]:
    started.write_text(str(os.getpid()))
    while True:
        time.sleep(60)


def kill_self(number: int) -> list[str]:
    os.kill(os.getpid(), number)
    return hang(Path(os.devnull))


def eat_memory() -> list[str]:
    return [str(len(bytearray(isolate.MEMORY)))]


def fill_disk(path: Path) -> list[str]:
    with path.open("wb") as file:
        file.truncate(isolate.LARGEST_FILE + 1)
    return []


def fail() -> list[str]:
    raise RuntimeError("http://host/?signature=secret")


def talk() -> list[str]:
    return ["x" * isolate.LARGEST_REPLY]


def environment() -> list[str]:
    return [f"{name}={value}" for name, value in os.environ.items()]


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_what_the_work_says_comes_back() -> None:
    assert run(partial(say, "One.", "Zwei ü.")) == ["One.", "Zwei ü."]


def test_what_the_work_refuses_comes_back() -> None:
    with pytest.raises(WorkerError) as caught:
        run(refuse)
    error = caught.value
    assert (error.code, error.message, error.field) == (ErrorCode.MEDIA_UNREACHABLE, "No.", "image_url")
    assert not error.retryable


def test_work_that_hangs_is_killed_when_its_time_is_over(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="too long"):
        run(partial(hang, tmp_path / "pid"), seconds=4)
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_cancel_kills_the_work_at_once(tmp_path: Path) -> None:
    deadline, pid = Deadline(60), tmp_path / "pid"

    def cancel_when_started() -> None:
        while not (pid.exists() and pid.read_text()):
            threading.Event().wait(0.01)
        deadline.cancel()

    threading.Thread(target=cancel_when_started, daemon=True).start()
    with pytest.raises(Cancelled):
        run(partial(hang, pid), deadline)
    assert gone(int(pid.read_text()))


def test_nothing_starts_for_a_cancelled_job(tmp_path: Path) -> None:
    deadline = Deadline(60)
    deadline.cancel()
    with pytest.raises(Cancelled):
        run(partial(hang, tmp_path / "pid"), deadline)
    assert not (tmp_path / "pid").exists()


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_a_decoder_that_crashes_is_the_file_s_fault(number: int) -> None:
    with pytest.raises(WorkerError, match="crashed"):
        run(partial(kill_self, number))


def test_a_child_that_the_machine_kills_may_be_tried_again() -> None:
    with pytest.raises(WorkerError) as caught:
        run(partial(kill_self, signal.SIGKILL))
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.INTERNAL, True)


def test_memory_beyond_the_bound_is_the_file_s_fault() -> None:
    with pytest.raises(WorkerError, match="crashed"):
        run(eat_memory)


def test_a_file_beyond_the_bound_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(WorkerError) as caught:
        run(partial(fill_disk, tmp_path / "big"))
    assert caught.value.code is ErrorCode.INTERNAL
    assert (tmp_path / "big").stat().st_size == 0


def test_a_mistake_of_ours_tells_the_caller_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(WorkerError) as caught:
        run(fail)
    assert caught.value.code is ErrorCode.INTERNAL
    details = [vars(record).get("detail", "") for record in caplog.records]
    assert any("RuntimeError at" in detail for detail in details)
    assert "secret" not in f"{caplog.text} {details} {caught.value.message}"


def test_a_reply_beyond_the_bound_is_not_read() -> None:
    with pytest.raises(WorkerError) as caught:
        run(talk)
    assert caught.value.code is ErrorCode.INTERNAL


def test_the_child_has_no_secrets_of_the_worker_s(monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(environment, EXTRA="given")
    assert "EXTRA=given" in found
    # LC_CTYPE is Python's own, where no locale is set (PEP 538).
    names = {line.partition("=")[0] for line in found} - {"EXTRA", "LC_CTYPE"}
    assert {name for name in names if not name.lower().endswith("_proxy")} <= isolate._INHERITED


def initial_environment() -> list[str]:
    """What any process of the same user can read of this one."""
    return Path("/proc/self/environ").read_text().split("\0")


def test_no_secret_was_ever_in_the_environment_of_the_process_that_opens_strangers_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert {line.partition("=")[0] for line in run(initial_environment) if line} <= {
        *isolate._INHERITED,
        *(name for name in os.environ if name.lower().endswith("_proxy")),
    }


def meet_a_full_disk() -> list[str]:
    raise OSError(errno.ENOSPC, "No space left on device", "/srv/secret")


def test_a_full_disk_is_no_fault_of_the_file_and_may_be_tried_again() -> None:
    with pytest.raises(WorkerError) as caught:
        run(meet_a_full_disk)
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.STORAGE_UNAVAILABLE, True)
    assert "secret" not in caught.value.message


def test_everything_that_is_loaded_in_advance_can_be_loaded() -> None:
    for name in isolate._PRELOAD:
        importlib.import_module(name)
