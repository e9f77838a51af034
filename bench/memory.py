"""The handler's peak of memory while it finishes and delivers a large video.

Run as a module with files it is the process that is measured: one that does what the handler does.
"""

import os
import subprocess
import sys
from pathlib import Path

from bench.lab import ROOT, bucket_environment, scratch, store
from bench.table import Row
from bench.videos import write_noise

MEGABYTES = (10, 100, 500)


def rows() -> list[Row]:
    """Measure each size in a process of its own."""
    return [
        Row(f"handler memory, {size} MB video", _peak(size), "under 40 MB above idle") for size in MEGABYTES
    ]


def _peak(megabytes: int) -> str:
    with scratch() as folder, store() as url:
        small, large = write_noise(folder / "small.mp4", 1), write_noise(folder / "large.mp4", megabytes)
        own = {"LTX2_WORK_DIR": str(folder / "work"), "LTX2_VOLUME_DIR": str(folder / "no-volume")}
        done = subprocess.run(
            [sys.executable, "-m", "bench.memory", small, large],
            cwd=ROOT,
            env=os.environ | bucket_environment(url) | own,
            stdout=subprocess.PIPE,
            text=True,
            timeout=600,
            check=True,
        )
    idle, peak = (float(number) for number in done.stdout.split())
    return f"{peak - idle:.0f} MB above {idle:.0f} MB"


def _kilobytes(name: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split(f"{name}:")[1].split()[0])


def _measure(small: Path, large: Path) -> None:
    import handler  # noqa: F401, PLC0415 - what the handler's process has loaded
    from bench.overhead import deliver  # noqa: PLC0415 - not for the process that only measures
    from ltx2_worker.settings import Settings  # noqa: PLC0415
    from ltx2_worker.storage.publish import Publisher  # noqa: PLC0415

    publisher = Publisher(Settings())
    deliver(publisher, small, small.parent, "small")  # loads what is loaded once
    idle = _kilobytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew: proc(5)
    deliver(publisher, large, large.parent, "large")
    print(idle / 1000, _kilobytes("VmHWM") / 1000)


if __name__ == "__main__":
    _measure(Path(sys.argv[1]), Path(sys.argv[2]))
