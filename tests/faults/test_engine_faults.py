"""The engine dies, hangs, or is not reached; no job is lost, none is answered wrongly."""

import os
import random
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import wait
from pathlib import Path

import av
import pytest

from ltx2_api.errors import Cancelled, ErrorCode, WorkerError
from ltx2_worker.deadline import Deadline
from ltx2_worker.engine import (
    Engine,
    EngineOptions,
    Event,
    NodeProgress,
    NodeStarted,
    Queued,
    Restarted,
    RestartReason,
    Started,
    supervisor,
)
from ltx2_worker.engine.process import EngineProcess, free_port
from tests.engine import graphs
from tests.engine.bad_network import BadNetwork
from tests.engine.fixtures import Job, StartJob
from tests.log_lines import logged

pytestmark = pytest.mark.engine

DIED = Restarted(RestartReason.ENGINE_STOPPED)
HUNG = Restarted(RestartReason.ENGINE_HUNG)


def strike(engine: Engine, number: signal.Signals) -> int:
    """Send the engine a signal; return its process id."""
    pid = engine.pid
    assert pid is not None
    os.kill(pid, number)
    return pid


def is_running(pid: int) -> bool:
    """Whether a process is there and not a zombie (a container's init may never reap it)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def await_end(pid: int, seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while is_running(pid):
        assert time.monotonic() < until, "the engine's process lives on"
        time.sleep(0.02)


def members(group: int) -> list[int]:
    """The living processes of a process group."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getpgid(int(entry.name)) == group and is_running(int(entry.name)):
                found.append(int(entry.name))
        except ProcessLookupError:
            continue
    return found


def playable(path: Path) -> bool:
    with av.open(str(path)) as container:
        return any(True for _ in container.decode(video=0))


# --- the process dies ---------------------------------------------------------------------------------


def test_killed_between_jobs_the_next_job_is_served(engine: Engine, start_job: StartJob, prefix: str) -> None:
    killed = strike(engine, signal.SIGKILL)
    job = start_job(graphs.video(prefix))
    assert playable(*job.paths())
    assert engine.pid != killed


def test_killed_during_sampling_both_jobs_are_run_and_keep_their_order(
    engine: Engine, start_job: StartJob, prefix: str
) -> None:
    first = start_job(graphs.sampled(prefix + "-a", seed=11, steps=200))
    second = start_job(graphs.video(prefix + "-b"))
    first.wait_for(lambda event: isinstance(event, NodeProgress) and event.node_id == graphs.STEPS)
    second.wait_for(lambda event: isinstance(event, Queued))
    strike(engine, signal.SIGKILL)
    paths = [*first.paths(), *second.paths()]
    assert all(map(playable, paths))
    assert paths[0].stat().st_mtime_ns < paths[1].stat().st_mtime_ns
    assert first.heard(Restarted) == [DIED]
    assert second.heard(Restarted) == [DIED]


def test_killed_during_encode_the_job_is_run_again(engine: Engine, start_job: StartJob, prefix: str) -> None:
    job = start_job(graphs.video(prefix, frames=240, size=512))
    job.wait_for(lambda event: event == NodeStarted(graphs.SAVE))
    strike(engine, signal.SIGKILL)
    assert all(map(playable, job.paths()))
    assert job.heard(Restarted) == [DIED]


def heard_times(job: Job, kind: type[Event], count: int) -> Callable[[Event], bool]:
    """Whether a job has heard so many events of a kind."""
    return lambda _: len(job.heard(kind)) == count


def test_a_job_that_kills_the_engine_twice_fails_and_the_waiting_one_is_not_charged(
    engine: Engine, start_job: StartJob, prefix: str
) -> None:
    poison = start_job(graphs.stepping(prefix + "-a", steps=1000, seconds=0.05))
    waiting = start_job(graphs.video(prefix + "-b"))
    for life in (1, 2):
        poison.wait_for(heard_times(poison, Started, life))
        waiting.wait_for(heard_times(waiting, Queued, life))
        strike(engine, signal.SIGKILL)
    error = poison.future.exception(60)
    assert isinstance(error, WorkerError)
    assert (error.code, error.retryable) == (ErrorCode.ENGINE_CRASHED, True)
    assert all(map(playable, waiting.paths()))
    assert waiting.heard(Restarted) == [DIED, DIED]


def test_a_failed_device_restarts_the_engine(engine: Engine, start_job: StartJob, prefix: str) -> None:
    (engine.input_dir / "device").touch()
    job = start_job(graphs.raising(prefix, "device", marker="device"))
    pid = engine.pid
    assert job.paths()
    assert job.heard(Restarted) == [HUNG]
    assert engine.pid != pid


# --- the process hangs --------------------------------------------------------------------------------


def test_a_stopped_process_is_replaced_and_its_job_run_again(
    engine: Engine, start_job: StartJob, prefix: str
) -> None:
    job = start_job(graphs.stepping(prefix, steps=20, seconds=0.05))
    job.wait_for(lambda event: isinstance(event, NodeProgress))
    frozen = strike(engine, signal.SIGSTOP)
    assert job.paths()
    assert job.heard(Restarted) == [HUNG]
    await_end(frozen)


def test_a_cancel_ends_the_wait_for_an_engine_that_hangs(
    engine: Engine, start_job: StartJob, prefix: str
) -> None:
    job = start_job(graphs.stepping(prefix, steps=1000, seconds=0.05))
    job.wait_for(lambda event: isinstance(event, NodeProgress))
    frozen = strike(engine, signal.SIGSTOP)
    job.deadline.cancel()
    assert isinstance(job.future.exception(6), Cancelled)
    os.kill(frozen, signal.SIGCONT)
    assert start_job(graphs.video(prefix + "-next")).paths()


# --- the network between ------------------------------------------------------------------------------


def test_a_hundred_cuts_of_the_websocket_lose_nothing(
    network: BadNetwork, start_job: StartJob, prefix: str
) -> None:
    job = start_job(graphs.stepping(prefix + "-a", steps=500, seconds=0.02))
    second = start_job(graphs.video(prefix + "-b"))
    job.wait_for(lambda event: isinstance(event, Started))
    rng = random.Random(7)
    while network.cuts < 100 and not job.future.done():
        network.cut_websockets()
        wait([job.future], timeout=rng.uniform(0, 0.05))
    assert network.cuts >= 100
    assert job.paths() and second.paths()
    assert not job.heard(Restarted)


def test_a_finish_that_falls_into_a_cut_is_found(
    network: BadNetwork, start_job: StartJob, prefix: str
) -> None:
    job = start_job(graphs.stepping(prefix, steps=2, seconds=0.5))
    job.wait_for(lambda event: event == NodeStarted(graphs.STEPS))
    stop = threading.Event()

    def keep_cutting() -> None:
        while not stop.wait(0.005):
            network.cut_websockets()

    cutter = threading.Thread(target=keep_cutting)
    cutter.start()
    try:
        assert job.paths()
    finally:
        stop.set()
        cutter.join()


def test_a_history_that_comes_late_is_waited_for(
    network: BadNetwork, start_job: StartJob, prefix: str
) -> None:
    network.histories_withheld = 30
    job = start_job(graphs.video(prefix))
    assert job.paths()
    assert network.histories_withheld == 0
    assert not job.heard(Restarted)


def test_a_lost_reply_to_a_prompt_does_not_run_it_twice(
    network: BadNetwork, start_job: StartJob, prefix: str
) -> None:
    network.replies_lost = 1
    job = start_job(graphs.stepping(prefix, steps=3, seconds=0.05))
    (path,) = job.paths()
    assert network.replies_lost == 0
    assert len(list(path.parent.iterdir())) == 1


def test_garbage_on_the_port_while_a_job_runs_is_survived(
    network: BadNetwork, start_job: StartJob, prefix: str
) -> None:
    job = start_job(graphs.stepping(prefix, steps=30, seconds=0.05))
    job.wait_for(lambda event: isinstance(event, NodeProgress))
    network.garbage = True
    network.cut_websockets()
    for _ in range(2):
        assert network.looks_spoilt.acquire(timeout=30)
    network.garbage = False
    assert job.paths()
    assert not job.heard(Restarted)


def test_an_engine_that_answers_only_garbage_is_replaced(
    engine: Engine, network: BadNetwork, start_job: StartJob, prefix: str
) -> None:
    deaf = engine.pid
    assert deaf is not None
    network.garbage = True
    await_end(deaf, 30)
    network.garbage = False
    assert start_job(graphs.video(prefix)).paths()


# --- start and end ------------------------------------------------------------------------------------


def test_neither_a_kill_while_it_boots_nor_a_taken_port_costs_a_job(
    make_engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch, start_job: StartJob, prefix: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        ports = iter([free_port(), stranger.getsockname()[1], free_port()])
        booted: list[EngineProcess] = []

        class KilledAtFirst(EngineProcess):
            def __init__(self, options: EngineOptions, port: int) -> None:
                super().__init__(options, port)
                booted.append(self)
                if len(booted) == 1:
                    os.kill(self.pid, signal.SIGKILL)

        monkeypatch.setattr(supervisor, "EngineProcess", KilledAtFirst)
        monkeypatch.setattr(supervisor, "free_port", lambda: next(ports))
        engine = make_engine(max_crashes=2)  # the kill is one; the taken port must not be another
        engine.start()
        job = start_job(graphs.video(prefix), seconds=100, on=engine)
        assert job.paths(100)
        assert not job.heard(Restarted)
        assert len(booted) == 3


def test_a_dead_worker_thread_is_noticed_and_a_stop_leaves_no_process(
    make_engine: Callable[..., Engine], start_job: StartJob, prefix: str
) -> None:
    engine = make_engine(stall_timeout=3)
    engine.start()
    (engine.input_dir / "thread").touch()
    job = start_job(graphs.raising(prefix, "thread", marker="thread"), seconds=100, on=engine)
    assert job.paths(100)
    assert job.heard(Restarted) == [HUNG]
    group = engine.pid
    assert group is not None
    running = start_job(graphs.stepping(prefix + "-2", steps=1000, seconds=0.05), on=engine)
    running.wait_for(lambda event: isinstance(event, NodeProgress))
    engine.stop(2)
    error = running.future.exception(10)
    assert isinstance(error, WorkerError)
    assert error.code is ErrorCode.SHUTTING_DOWN
    assert members(group) == []


def test_an_engine_that_cannot_start_is_given_up(
    make_engine: Callable[..., Engine], caplog: pytest.LogCaptureFixture
) -> None:
    engine = make_engine(extra_args=("--no-such-flag",), max_crashes=2)
    engine.start()
    with pytest.raises(WorkerError) as caught:
        engine.wait_ready(Deadline(60))
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.ENGINE_UNAVAILABLE, True)
    assert engine.gave_up.is_set()
    assert "unrecognized arguments: --no-such-flag" in logged(caplog)
    assert "engine did not answer" not in logged(caplog)  # it ended; it was not waited for in vain


def test_no_engine_outlives_a_killed_worker(engine_options: EngineOptions, tmp_path: Path) -> None:
    script = """
        import dataclasses, signal, sys
        from pathlib import Path
        from ltx2_worker.engine import Engine, EngineOptions
        from ltx2_worker.deadline import Deadline
        from ltx2_worker.settings import Settings
        options = EngineOptions.from_settings(Settings())
        engine = Engine(dataclasses.replace(options, work_dir=Path(sys.argv[1])))
        engine.start()
        engine.wait_ready(Deadline(90))
        print(engine.pid, flush=True)
        signal.pause()
    """
    worker = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert worker.stdout is not None
        pid = int(worker.stdout.readline())
        assert is_running(pid)
    finally:
        worker.kill()
        worker.wait(10)
    await_end(pid)
    assert members(pid) == []
