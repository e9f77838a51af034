"""A memory limit of the kernel's, as a container has it: who allocates beyond it is killed."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

#: cgroups of version 1 and 2: where they are mounted, and the names of the limit and of the count of kills.
_VERSIONS = (
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.oom_control"),
    (Path("/sys/fs/cgroup"), "memory.max", "memory.events"),
)


@dataclass(frozen=True)
class MemoryLimit:
    """A group of processes that share a limit; what they held before they came in does not count."""

    folder: Path
    _limit: str
    _events: str

    def add(self, pid: int) -> None:
        """Let the limit hold for a process and what it starts from now on."""
        (self.folder / "cgroup.procs").write_text(str(pid))

    def set(self, size: int) -> None:
        """Set the limit, in bytes."""
        (self.folder / self._limit).write_text(str(size))

    @property
    def kills(self) -> int:
        """How many processes the kernel has killed for it."""
        counted = dict(line.split() for line in (self.folder / self._events).read_text().splitlines())
        return int(counted["oom_kill"])


def can_limit() -> bool:
    """Whether this machine lets a test make such a group."""
    with suppress(OSError), memory_limit(1 << 30):
        return True
    return False


@contextmanager
def memory_limit(size: int) -> Iterator[MemoryLimit]:
    """A group without processes; those that are left in it at the end leave it. Raises `OSError`."""
    root, limit, events = next(version for version in _VERSIONS if (version[0] / "cgroup.procs").exists())
    folder = root / f"ltx2-test-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    group = MemoryLimit(folder, limit, events)
    try:
        group.set(size)
        yield group
    finally:
        for pid in (folder / "cgroup.procs").read_text().split():
            with suppress(OSError):
                (root / "cgroup.procs").write_text(pid)
        os.rmdir(folder)  # noqa: PTH106 - a cgroup's files cannot be removed, its folder can
