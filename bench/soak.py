"""Many jobs one after the other: time per job, memory, descriptors, threads and files must not grow."""

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from bench.lab import PREVIEW, Lab, running_worker, store
from bench.table import Row

_ENGINE, _ENCODER = "main.py", "ltx2-encoder-"
#: How often encoders are looked for while a job runs; each lives for as long as its job generates.
_LOOK_EVERY = 0.1


@dataclass(frozen=True)
class Sample:
    """One job, and what is there when it is answered.

    Seconds of the handler's processor time tell more than those on the wall, which hold waits of the SDK. An
    encoder's memory is its highest; its threads and descriptors are the most that were seen. Spooled files
    are those that wait for a bucket; shared bytes are all of the machine's /dev/shm.
    """

    overhead: float
    processor: float
    engine: float
    handler_megabytes: float
    engine_megabytes: float
    encoder_megabytes: float
    handler_files: float
    engine_files: float
    encoder_files: float
    handler_threads: float
    engine_threads: float
    encoder_threads: float
    encoders: float
    encoders_left: float
    scratch_files: float
    spooled_files: float
    temporary_files: float
    shared_bytes: float


#: Label, name in `Sample`, digits.
_FIGURES = (
    ("overhead per job, s", "overhead", 3),
    ("handler's processor time per job, s", "processor", 3),
    ("engine's time per job, s", "engine", 2),
    ("handler's memory, MB", "handler_megabytes", 1),
    ("engine's memory, MB", "engine_megabytes", 0),
    ("an encoder's memory at its highest, MB", "encoder_megabytes", 1),
    ("handler's open files", "handler_files", 0),
    ("engine's open files", "engine_files", 0),
    ("an encoder's open files", "encoder_files", 0),
    ("handler's threads", "handler_threads", 0),
    ("engine's threads", "engine_threads", 0),
    ("an encoder's threads", "encoder_threads", 0),
    ("encoders per job", "encoders", 0),
    ("encoders that are there after the answer", "encoders_left", 0),
    ("files in the scratch folders", "scratch_files", 0),
    ("files in the spool", "spooled_files", 0),
    ("further files in the temporary folder", "temporary_files", 0),
    ("bytes in /dev/shm", "shared_bytes", 0),
)


def rows(jobs: int) -> list[Row]:
    """Compare the first tenth with the last."""
    with store() as url, running_worker(url) as lab:
        lab.run(PREVIEW)
        samples = [_sample(lab, seed) for seed in range(jobs)]
    part = max(1, jobs // 10)
    return [
        Row(f"soak, {jobs} previews: {label}", _change(samples, part, name, digits), "flat")
        for label, name, digits in _FIGURES
    ]


class _Encoders:
    """What is seen of the encoders of a job while it runs."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._over = threading.Event()
        self.seen: set[int] = set()
        self.memory = self.files = self.threads = 0

    def look(self) -> None:
        """Look at those that run now."""
        for encoder in self._lab.worker.descendants(_ENCODER):
            with contextlib.suppress(OSError, psutil.Error):
                self.seen.add(encoder.pid)
                self.memory = max(self.memory, _highest_memory(encoder.pid))
                self.files = max(self.files, encoder.num_fds())
                self.threads = max(self.threads, encoder.num_threads())

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Look until the block ends."""
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_EVERY):
            self.look()


def _sample(lab: Lab, seed: int) -> Sample:
    engine = lab.worker.descendants(_ENGINE)[-1]
    handler = psutil.Process(engine.ppid())
    before = _processor_seconds(handler)
    encoders = _Encoders(lab)
    with encoders.watched():
        job = lab.run(PREVIEW | {"seed": seed})
    left = len(lab.worker.descendants(_ENCODER))
    folders = [lab.work_dir / "engine" / name for name in ("input", "output", "temp")]
    return Sample(
        overhead=job.seconds - job.prompt.seconds,
        processor=_processor_seconds(handler) - before,
        engine=job.prompt.seconds,
        handler_megabytes=handler.memory_info().rss / 1e6,
        engine_megabytes=engine.memory_info().rss / 1e6,
        encoder_megabytes=encoders.memory / 1e6,
        handler_files=handler.num_fds(),
        engine_files=engine.num_fds(),
        encoder_files=encoders.files,
        handler_threads=handler.num_threads(),
        engine_threads=engine.num_threads(),
        encoder_threads=encoders.threads,
        encoders=len(encoders.seen),
        encoders_left=left,
        scratch_files=sum(_files(folder) for folder in folders),
        spooled_files=_files(lab.spool_dir),
        temporary_files=_files(lab.temporary_dir),
        shared_bytes=_used("/dev/shm"),
    )


def _processor_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _highest_memory(pid: int) -> int:
    """The most memory that a process ever held, in bytes (proc(5), VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def _used(path: str) -> int:
    facts = os.statvfs(path)
    return (facts.f_blocks - facts.f_bfree) * facts.f_frsize


def _files(folder: Path) -> int:
    return sum(1 for path in folder.rglob("*") if path.is_file())


def _change(samples: list[Sample], part: int, name: str, digits: int) -> str:
    first, last = (median(getattr(s, name) for s in some) for some in (samples[:part], samples[-part:]))
    return f"{first:.{digits}f} in the first tenth, {last:.{digits}f} in the last"
