"""Delivery as a state machine: whatever is killed or fails, what a caller was told stays true.

Two workers share an outbox on a volume and deliver into one store. Between any two system calls a worker may
be killed or its disk may fail; the store may refuse; clocks may jump. A finished video is delivered or kept,
and what is said to be a job's video is that job's video, byte for byte.
"""

# ruff: noqa: PLR0917 - a rule's arguments are what hypothesis chooses

import errno
import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ltx2_api.errors import WorkerError
from ltx2_api.record import object_name
from ltx2_worker.deadline import Deadline
from ltx2_worker.settings import Settings
from ltx2_worker.storage.destination import Destination
from ltx2_worker.storage.folder import FolderStore
from ltx2_worker.storage.publish import Publisher
from ltx2_worker.storage.record import Artifacts, EarlierResult, find_record
from ltx2_worker.storage.store import Digest, StoreFault
from tests.storage.crashes import Killed, Machine

JOBS, INPUTS = st.sampled_from(["one", "two"]), st.sampled_from(["input", "other input"])
WORKERS = st.integers(0, 1)
#: Enough to fall behind the last call of a delivery too.
CALLS = st.none() | st.integers(0, 160)
ERRORS = st.sampled_from([errno.ENOSPC, errno.EROFS, errno.EIO])
FAULTS = st.sampled_from(
    ["none"] * 3 + ["down", "down after the video", "refuses the poster", "refuses the record"]
)


#: A rule's arguments where a kept run does not name them.
NOTHING_FAILS: dict[str, dict[str, Any]] = {
    "send_job": {
        "worker": 0,
        "job": "one",
        "input_": "input",
        "fault": "none",
        "kill": None,
        "fail": None,
        "error": 28,
    },
    "restart": {"worker": 0, "fault": "none", "kill": None, "fail": None, "error": 28},
    "set_clock": {},
}


class FailingStore(FolderStore):
    """A store that is reached over a network, and fails as the model wants it."""

    fault = "none"

    def put_file(self, name: str, *args: Any, **kwargs: Any) -> Digest:
        if self.fault == "refuses the poster" and name.endswith(".jpg"):
            raise StoreFault("does not allow that", transient=False)
        if self.fault == "down" or (self.fault == "down after the video" and name.endswith(".jpg")):
            raise StoreFault("is overloaded", transient=True)
        return super().put_file(name, *args, **kwargs)

    def put_bytes(self, name: str, data: bytes, deadline: Deadline) -> None:
        if self.fault == "refuses the record":
            raise StoreFault("does not allow that", transient=False)
        if self.fault.startswith("down"):
            raise StoreFault("is overloaded", transient=True)
        super().put_bytes(name, data, deadline)


class Delivery(RuleBasedStateMachine):
    """The model: what was finished, and what the callers were told."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ltx2-model-"))
        self.store = FailingStore(self.folder / "bucket")
        #: Contents of all videos that were ever finished for a job and input.
        self.finished: dict[tuple[str, str], set[str]] = {}
        #: job -> input whose video the caller was promised last, delivered or kept.
        self.promised: dict[str, str] = {}
        self.clock = 0.0
        self.runs = 0

    @initialize()
    def start_workers(self) -> None:
        own = Settings(
            work_dir=self.folder / "work",
            spool_dir=self.folder / "volume",
            output_dir=self.folder / "bucket",
            volume_dir=self.folder / "none",
        )
        self.workers = [Publisher(own), Publisher(own)]
        for worker in self.workers:
            worker._operators = Destination(self.store)

    def teardown(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @rule(worker=WORKERS, job=JOBS, input_=INPUTS, fault=FAULTS, kill=CALLS, fail=CALLS, error=ERRORS)
    def send_job(
        self, worker: int, job: str, input_: str, fault: str, kill: int | None, fail: int | None, error: int
    ) -> None:
        """A job arrives: it is answered from an earlier run, or generated and delivered."""
        self.store.fault = fault
        video, poster = self._generate(job, input_)
        digest = hashlib.sha256(video.read_bytes()).hexdigest()
        self.finished.setdefault((job, input_), set()).add(digest)
        artifacts = Artifacts(
            object_name(job), job, input_, video, {"job": job, "input": input_}, poster=poster
        )
        destination = Destination(self.store)
        machine = Machine(kill, fail, error)
        try:
            with patch("time.time", lambda: time.monotonic() + self.clock), machine.running():
                publisher = self.workers[worker]
                if self.promised.get(job) != input_:
                    # The id is used for another input: what was said of the earlier one is void from here on.
                    self.promised.pop(job, None)
                found = publisher.find(job, input_, destination, Deadline(60))
                delivered = None
                if found is None:
                    # Where the job is generated anew, an older promise about it is void too.
                    self.promised.pop(job, None)
                    delivered = publisher.deliver(artifacts, destination, Deadline(60))
        except Killed:
            pass
        except WorkerError as failure:
            assert failure.retryable
            if "it is kept" in failure.message:
                self.promised[job] = input_
        else:
            self.promised[job] = input_
            if found is not None:
                self._is_right(job, input_, found)
            else:
                assert delivered is not None
                assert delivered.sha256 == digest
                assert _content(delivered.video.path) == digest
        finally:
            self.store.fault = "none"
            video.unlink()
            poster.unlink()

    @rule(worker=WORKERS, fault=FAULTS, kill=CALLS, fail=CALLS, error=ERRORS)
    def restart(self, worker: int, fault: str, kill: int | None, fail: int | None, error: int) -> None:
        """A worker starts and delivers what waits; nothing that it meets there may end its thread."""
        self.store.fault = fault
        machine = Machine(kill, fail, error)
        try:
            with patch("time.time", lambda: time.monotonic() + self.clock), machine.running():
                self.workers[worker].empty_outbox(Deadline(60))
        except Killed:
            pass
        finally:
            self.store.fault = "none"

    @rule(seconds=st.sampled_from([-1e6, -7200.0, 7200.0, 1e6]))
    def set_clock(self, seconds: float) -> None:
        """Somebody sets the clock."""
        self.clock += seconds

    @invariant()
    def what_is_believed_is_right(self) -> None:
        """Every record that is believed stands beside the video that it tells of."""
        for job in ("one", "two"):
            for input_ in ("input", "other input"):
                found = find_record(self.store, object_name(job), input_, Deadline(60))
                if found is not None:
                    self._is_right(job, input_, found)

    @invariant()
    def what_was_promised_is_there(self) -> None:
        """A video that a caller was promised is in the store or in the outbox, whole."""
        for job, input_ in self.promised.items():
            places = [self.folder / "bucket" / f"{job}.mp4"]
            entry = self.workers[0]._outbox.find(job, input_)
            if entry is not None:
                places.append(entry.artifacts.video)
            there = {_content(place) for place in places if place.is_file()}
            assert there & self.finished[job, input_], f"{job} with {input_} is lost"

    def _is_right(self, job: str, input_: str, found: EarlierResult) -> None:
        assert found.result == {"job": job, "input": input_}
        assert found.delivery.sha256 in self.finished[job, input_]
        assert _content(found.delivery.video.path) == found.delivery.sha256

    def _generate(self, job: str, input_: str) -> tuple[Path, Path]:
        """A video that differs from every other one, in no more than its content."""
        self.runs += 1
        video, poster = self.folder / "finished.mp4", self.folder / "poster.jpg"
        video.write_bytes(f"{job:>10} {input_:>20} {self.runs:>10}".encode() * 50)
        poster.write_bytes(b"poster")
        return video, poster


def _content(path: Path | None) -> str:
    assert path is not None
    return hashlib.sha256(path.read_bytes()).hexdigest()


#: Runs that once ended in a lie, kept: each a sentence, and its rules with their arguments.
CORPUS = json.loads(Path(__file__).with_name("delivery_corpus.json").read_text())


@pytest.mark.parametrize("run", CORPUS, ids=[run["why"] for run in CORPUS])
def test_a_run_that_once_ended_in_a_lie_does_not_again(run: dict[str, Any]) -> None:
    machine = Delivery()
    try:
        machine.start_workers()
        for name, arguments in run["rules"]:
            getattr(machine, name)(**NOTHING_FAILS[name] | arguments)
            machine.what_is_believed_is_right()
            machine.what_was_promised_is_there()
    finally:
        machine.teardown()


BUDGET = settings(
    max_examples=60,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


def test_a_finished_video_is_delivered_or_kept_and_what_is_said_of_it_is_true(
    record_property: Callable[[str, object], None],
) -> None:
    record_property("cases", BUDGET.max_examples)
    run_state_machine_as_test(Delivery, settings=BUDGET)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_finished_video_is_delivered_or_kept_over_thousands_of_runs(
    record_property: Callable[[str, object], None],
) -> None:
    runs = 3000
    record_property("cases", runs)
    run_state_machine_as_test(Delivery, settings=settings(BUDGET, max_examples=runs, stateful_step_count=30))
