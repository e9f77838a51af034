"""Many jobs one after the other: time per job, memory, disk and open files must not grow."""

from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from bench.lab import PREVIEW, Lab, running_worker
from bench.table import Row


@dataclass(frozen=True)
class Sample:
    """One job: seconds beyond the engine's, memory of both processes, files in scratch, open files.

    Seconds of the handler's processor time tell more than those on the wall, which hold waits of the SDK.
    """

    overhead: float
    processor: float
    engine: float
    handler_megabytes: float
    engine_megabytes: float
    scratch_files: float
    open_files: float


def rows(jobs: int) -> list[Row]:
    """Compare the first tenth with the last."""
    with running_worker() as lab:
        lab.run(PREVIEW)
        samples = [_sample(lab, seed) for seed in range(jobs)]
    part = max(1, jobs // 10)
    return [
        Row(f"soak, {jobs} previews: {label}", _change(samples, part, name, digits), "flat")
        for label, name, digits in (
            ("overhead per job, s", "overhead", 3),
            ("handler's processor time per job, s", "processor", 3),
            ("engine's time per job, s", "engine", 2),
            ("handler's memory, MB", "handler_megabytes", 1),
            ("engine's memory, MB", "engine_megabytes", 0),
            ("files in the scratch folders", "scratch_files", 0),
            ("handler's open files", "open_files", 0),
        )
    ]


def _sample(lab: Lab, seed: int) -> Sample:
    engine = lab.worker.descendants("main.py")[-1]
    handler = psutil.Process(engine.ppid())
    before = _processor_seconds(handler)
    job = lab.run(PREVIEW | {"seed": seed})
    folders = [lab.work_dir / "engine" / name for name in ("input", "output", "temp")]
    return Sample(
        overhead=job.seconds - job.prompt.seconds,
        processor=_processor_seconds(handler) - before,
        engine=job.prompt.seconds,
        handler_megabytes=handler.memory_info().rss / 1e6,
        engine_megabytes=engine.memory_info().rss / 1e6,
        scratch_files=sum(_files(folder) for folder in folders),
        open_files=handler.num_fds(),
    )


def _processor_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _files(folder: Path) -> int:
    return sum(1 for path in folder.rglob("*") if path.is_file())


def _change(samples: list[Sample], part: int, name: str, digits: int) -> str:
    first, last = (median(getattr(s, name) for s in some) for some in (samples[:part], samples[-part:]))
    return f"{first:.{digits}f} in the first tenth, {last:.{digits}f} in the last"
