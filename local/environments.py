"""The Python environments: the handler's without torch, the tests', and the engine's."""

import importlib.util
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local.places import HOME, REQUIREMENTS, digest, is_stamped, put_stamp
from local.problem import Problem
from local.steps import Steps


@dataclass(frozen=True)
class Environment:
    """A virtual environment and what belongs in it.

    It is built where it stays, because its programs name their own path; its stamp is written last, so that
    one whose making was interrupted is recognised and made again.

    Arguments:
        name: of its folder.
        requirements: files in pip's format.
        constraints: pins everything that the requirements bring along.
        megabytes: the free disk that making it takes.
    """

    name: str
    requirements: tuple[Path, ...]
    constraints: Path
    megabytes: int

    @property
    def folder(self) -> Path:
        """Where it is."""
        return HOME / self.name

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def stamp(self) -> str:
        """What it is made from: the requirements, this Python, and its own place."""
        files = [part for file in self.requirements for part in with_included(file)]
        return digest([*files, self.constraints], sys.version, sys.base_prefix, str(self.folder))

    def is_ready(self) -> bool:
        """Tell whether it is complete and made from the requirements as they are now."""
        return self.python.exists() and is_stamped(self.folder, self.stamp)

    def create(self, steps: Steps) -> None:
        """Make it anew and empty."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if not can_make_environments(_has_module):
            raise Problem(
                "This Python has neither ensurepip nor pip, so it can make no environment: install it "
                "(on Debian and Ubuntu: apt install python3-venv) or use another Python."
            )
        without = [] if _has_module("ensurepip") else ["--without-pip"]
        command = [sys.executable, "-m", "venv", *without, str(self.folder)]
        steps.run(f"{self.name}-venv", f"Making the {self.name} environment", command)

    def pip(self, *arguments: str | Path) -> list[str | Path]:
        """The command that runs pip for this environment."""
        if _has_module("ensurepip"):
            return [self.python, "-m", "pip", *arguments]
        # Debian splits ensurepip off; its pip serves instead: it can install into another environment.
        return [sys.executable, "-m", "pip", "--python", self.python, *arguments]

    def install(self, steps: Steps) -> None:
        """Put in what belongs into it, and mark it as complete."""
        wanted = [part for file in self.requirements for part in ("-r", str(file))]
        options = ["--progress-bar", "off", "--no-compile", "-c", str(self.constraints)]
        what = f"Installing the {self.name} environment"
        steps.run(f"{self.name}-install", what, self.pip("install", *options, *wanted))
        put_stamp(self.folder, self.stamp)


def with_included(file: Path) -> list[Path]:
    """A requirements file, and those that it includes with -r."""
    lines = file.read_text(encoding="utf-8").splitlines()
    included = [file.parent / line[3:].split("#")[0].strip() for line in lines if line.startswith("-r ")]
    return [file, *(part for other in included for part in with_included(other))]


def can_make_environments(has_module: Callable[[str], bool]) -> bool:
    """Tell whether a Python with these modules can make an environment and install into it."""
    return has_module("venv") and (has_module("ensurepip") or has_module("pip"))


def _has_module(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


HANDLER = Environment("handler", (REQUIREMENTS / "handler.txt",), REQUIREMENTS / "handler.lock", 1_500)
TESTS = Environment(
    "tests", (REQUIREMENTS / "handler.txt", REQUIREMENTS / "test.txt"), REQUIREMENTS / "handler.lock", 2_000
)


def engine_environment(comfyui: Path) -> Environment:
    """The engine's environment: torch, and what the ComfyUI in this folder asks for."""
    files = (REQUIREMENTS / "engine.txt", comfyui / "requirements.txt")
    return Environment("engine", files, REQUIREMENTS / "engine.lock", 10_000)
