"""The real worker on the SDK's real loop, with the engine's clock, a queue and a bucket on loopback."""

import json
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench import clock
from local.runpod import Emulator, Job
from tests.platform.worker_process import WorkerProcess
from tests.storage.s3_server import ACCESS_KEY, BUCKET, SECRET_KEY, moto_server

ROOT = Path(__file__).resolve().parent.parent
HANDLER = ROOT / "handler.py"
BOOT_SECONDS = 180.0
JOB_SECONDS = 300.0

PREVIEW: dict[str, Any] = {"prompt": "A cat purrs on a warm window sill.", "preview": True, "camera": "none"}


@dataclass(frozen=True)
class JobTimes:
    """One job as the platform saw it, and its prompt in the engine; times are time.monotonic()."""

    taken: float
    answered: float
    prompt: clock.PromptTimes
    reply: dict[str, Any]

    @property
    def seconds(self) -> float:
        """From when the worker was given the job until it had answered."""
        return self.answered - self.taken


@dataclass
class Lab:
    """A running worker.

    Attributes:
        work_dir: its scratch folder.
        spool_dir: where its videos wait for a bucket.
        temporary_dir: the system's, of its own.
        finished: how many jobs were waited for.
    """

    runpod: Emulator
    worker: WorkerProcess
    clock_file: Path
    work_dir: Path
    spool_dir: Path
    temporary_dir: Path
    finished: int = 0

    def run(self, job: dict[str, Any]) -> JobTimes:
        """Do one job and wait for its answer."""
        return self.wait([self.runpod.submit(job)])[0]

    def next_prompt(self) -> clock.PromptTimes:
        """The prompt that the engine has just done for somebody else."""
        self.finished += 1
        return self._prompts(self.finished)[-1]

    def accepted(self, job: JobTimes) -> float:
        """When the worker itself got a job from the SDK, by its log (milliseconds, as time.monotonic())."""
        lines = (json.loads(line) for line in self.worker.output.splitlines() if line.startswith('{"time"'))
        mine = (line for line in lines if line.get("job_id") == job.reply["job_id"])
        written = next(line["time"] for line in mine if line["event"] == "job accepted")
        return datetime.fromisoformat(written).timestamp() - time.time() + time.monotonic()

    def wait(self, jobs: list[Job]) -> list[JobTimes]:
        """Wait for the answers to jobs that were submitted in this order, and are the last ones."""
        for job in jobs:
            reply = self.runpod.wait_result(job, JOB_SECONDS * len(jobs))
            if "error" in reply:
                raise SystemExit(f"A job failed: {reply}\n{self.worker.output[-4000:]}")
        self.finished += len(jobs)
        prompts = self._prompts(self.finished)[-len(jobs) :]
        return [
            JobTimes(job.taken[0], job.results[0].at, prompt, job.results[0].body["output"])
            for job, prompt in zip(jobs, prompts, strict=True)
        ]

    def _prompts(self, at_least: int) -> list[clock.PromptTimes]:
        """All prompts, as soon as the engine is free of so many."""
        until = time.monotonic() + 5
        while True:
            prompts = clock.read(self.clock_file)
            if sum(prompt.freed > 0 for prompt in prompts) >= at_least or time.monotonic() > until:
                return prompts
            time.sleep(0.05)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is removed."""
    with tempfile.TemporaryDirectory(prefix="ltx2-bench-") as name:
        yield Path(name)


@contextmanager
def running_worker(
    bucket_url: str | None = None, script: Path = HANDLER, /, **environment: str
) -> Iterator[Lab]:
    """A worker whose engine is ready; it delivers into the bucket, or else into a folder.

    Arguments:
        bucket_url: of a server that has the bucket.
        script: what runs it.
        environment: further settings.
    """
    with ExitStack() as stack:
        home = stack.enter_context(scratch())
        runpod = stack.enter_context(Emulator())
        clock_file = home / "clock.jsonl"
        destination = (
            bucket_environment(bucket_url) if bucket_url else {"LTX2_OUTPUT_DIR": str(home / "videos")}
        )
        settings = {
            "LTX2_WORK_DIR": str(home / "work"),
            "LTX2_VOLUME_DIR": str(home / "no-volume"),
            "LTX2_SPOOL_DIR": str(home / "spool"),
            "TMPDIR": str(home / "tmp"),
            "LTX2_ENGINE_NODES_DIR": str(_nodes_with_clock(home / "nodes")),
            "BENCH_CLOCK": str(clock_file),
        }
        (home / "tmp").mkdir()
        everything = runpod.environment() | settings | destination | environment
        worker = stack.enter_context(WorkerProcess.python(script, everything, home))
        worker.wait_output('"event": "engine ready"', BOOT_SECONDS)
        yield Lab(runpod, worker, clock_file, home / "work", home / "spool", home / "tmp")
        worker.terminate()
        worker.wait_exit(60)


def bucket_environment(url: str) -> dict[str, str]:
    """The settings that name the bucket of `store`."""
    return {
        "BUCKET_ENDPOINT_URL": url,
        "BUCKET_NAME": BUCKET,
        "BUCKET_ACCESS_KEY_ID": ACCESS_KEY,
        "BUCKET_SECRET_ACCESS_KEY": SECRET_KEY,
    }


@contextmanager
def store() -> Iterator[str]:
    """An S3 server in a process of its own, so that it takes no time of those that are measured."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve_bucket, args=(theirs,), daemon=True)
    process.start()
    try:
        if not ours.poll(60):
            raise SystemExit("The S3 server did not start.")
        yield ours.recv()
    finally:
        process.terminate()
        process.join(10)


def _serve_bucket(pipe: Connection) -> None:
    with moto_server() as url:
        pipe.send(url)
        pipe.poll(None)


def _nodes_with_clock(folder: Path) -> Path:
    """A folder with the custom nodes that the weights need, and the clock."""
    folder.mkdir()
    given = os.environ.get("LTX2_ENGINE_NODES_DIR")
    for source in (clock.NODES, *([Path(given)] if given else [])):
        for package in source.iterdir():
            if package.is_dir() and package.name[0] not in "._":
                shutil.copytree(package, folder / package.name)
    return folder
