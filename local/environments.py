"""The Python environments: the handler's without torch, the tests', and the engine's."""

import sys
from dataclasses import dataclass
from pathlib import Path

from local.places import HOME, REQUIREMENTS, digest, is_stamped, put_stamp
from local.steps import Program
from local.uv import uv


@dataclass(frozen=True)
class Environment:
    """A virtual environment and what belongs in it.

    It is built where it stays, because its programs name their own path; its stamp is written last, so that
    one whose making was interrupted is recognised and made again. What uv has downloaded stays in uv's cache.

    Arguments:
        name: of its folder.
        lock: every package in it, direct or not, with its hashes.
        megabytes: the free disk that making it takes.
        wider: a lock that has all of this one and more; an environment made from it serves too.
    """

    name: str
    lock: Path
    megabytes: int
    wider: Path | None = None

    @property
    def folder(self) -> Path:
        """Where it is."""
        return HOME / self.name

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def is_ready(self) -> bool:
        """Tell whether it is complete and made from the lock as it is now."""
        locks = [self.lock, self.wider] if self.wider else [self.lock]
        return self.python.exists() and any(is_stamped(self.folder, self._stamp(lock)) for lock in locks)

    def making(self) -> Program:
        """What makes it anew, with no packages."""
        command = uv("venv", "--clear", "--python", sys.executable, self.folder)
        return Program(f"{self.name}-venv", f"Making the {self.name} environment", command)

    def installing(self) -> Program:
        """What puts in the packages of its lock, and no others."""
        command = uv("pip", "sync", "--require-hashes", "--python", self.python, self.lock)
        return Program(self.name, f"Installing the {self.name} environment", command)

    def finish(self) -> None:
        """Mark it as complete."""
        put_stamp(self.folder, self._stamp(self.lock))

    def _stamp(self, lock: Path) -> str:
        """What it is made from: the lock, this Python, and its own place."""
        return digest([lock], sys.version, sys.base_prefix, str(self.folder))


HANDLER = Environment("handler", REQUIREMENTS / "handler.lock", 1_500)
AUDIT = Environment("audit", REQUIREMENTS / "audit.lock", 300)
TESTS = Environment("tests", REQUIREMENTS / "test.lock", 2_000)
ENGINE = Environment("engine", REQUIREMENTS / "engine.lock", 10_000, wider=REQUIREMENTS / "engine-test.lock")
#: The same folder: the tests' packages beside the engine's own.
TEST_ENGINE = Environment("engine", REQUIREMENTS / "engine-test.lock", 10_000)
