"""Runs the programs of the set-up: their output goes to a log, their failure becomes a sentence."""

import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local.places import LOGS, ROOT, TEMPORARY, shown
from local.problem import Problem
from local.progress import Progress

#: No single step takes longer than this, in seconds, even on a slow line.
STEP_TIMEOUT = 3600.0
#: Seconds without a line after which a long step says that it is alive.
SILENCE = 15.0
_POLL = 0.1

Command = Sequence[str | Path]

#: What uv and pip say when machine or network is at fault, and what to do about it. The first match wins.
_SIGNS = (
    (
        r"DO NOT MATCH THE HASHES|Hash mismatch",
        "the package index sent another file than the one whose hash the project names; "
        "try another index or network, and do not use what came",
    ),
    (
        r"No space left on device|Errno 28|Disk quota exceeded",
        "the disk is full: free some space and run it again",
    ),
    (
        r"Failed to fetch|Failed to download"
        r"|NewConnectionError|ConnectTimeout|ReadTimeout|Max retries exceeded|Name or service not known"
        r"|name resolution|Network is unreachable|Connection refused|Connection reset|Connection broken"
        r"|RemoteDisconnected|IncompleteRead|ProxyError|SSLError|CERTIFICATE_VERIFY_FAILED",
        "the package index cannot be reached: check the network (and the proxy, if any) and run it again",
    ),
    (
        r"No matching distribution found for (?P<what>[^\s;]+)"
        r"|[Bb]ecause (?:there is no version of )?(?P<that>[^\s,]+)(?: has no wheels with| and you require)",
        "the package index has no {what} for this Python and machine: "
        "use 64-bit Linux with Python 3.11 to 3.14, or an index that has it",
    ),
    (
        r"Permission denied",
        "a file may not be written: check who owns the project's folder and run it again",
    ),
)
#: uv names each large file when it begins and when it has it; then it unpacks and installs them all at once.
_NEWS = re.compile(r"^ *(Downloading|Downloaded|Prepared) (\S+)", re.MULTILINE)


def explain(what: str, log: str, log_file: str) -> str:
    """Turn the log of a failed step into one sentence.

    Arguments:
        what: what did not work, as the beginning of a sentence.
        log: what the program wrote.
        log_file: where a person finds that.
    """
    for pattern, advice in _SIGNS:
        if match := re.search(pattern, log):
            named = next((text for text in match.groupdict().values() if text), "")
            return f"{what} failed: {advice.format(what=named)} ({log_file} has the details)."
    return f"{what} failed, and the last lines of {log_file} say why."


def latest_news(log: str) -> str:
    """What uv is doing, from its log."""
    pending: dict[str, None] = {}  # a set that keeps its order
    for verb, name in _NEWS.findall(log):
        if verb == "Prepared":
            return f"installing {name} packages"
        pending.pop(name, None)
        if verb == "Downloading":
            pending[name] = None
    if not pending:
        return "working"
    others = f" and {len(pending) - 3} more" if len(pending) > 3 else ""
    return "downloading " + ", ".join(list(pending)[:3]) + others


@dataclass(frozen=True)
class Program:
    """A program to run to its end.

    Arguments:
        name: of the log file, and of the lines about it.
        what: what it does, as the beginning of a sentence about its failure.
        command: the program and its arguments.
    """

    name: str
    what: str
    command: Command

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return LOGS / f"{self.name}.log"


_Running = tuple[Program, "subprocess.Popen[bytes]"]


@dataclass(frozen=True)
class Steps:
    """Runs programs, some side by side; the first failure ends them all.

    Arguments:
        progress: where to say how it goes.
        variables: of the environment, for every program, beside this process's own.
    """

    progress: Progress = field(default_factory=Progress)
    variables: Mapping[str, str] = field(default_factory=dict)

    def run(self, *programs: Program) -> None:
        """Run programs side by side to their ends, saying now and then that they still run.

        Raises:
            Problem: one failed or took too long; the others were ended.
        """
        LOGS.mkdir(parents=True, exist_ok=True)
        TEMPORARY.mkdir(parents=True, exist_ok=True)
        running: list[_Running] = []
        try:
            for program in programs:
                running.append((program, self._start(program)))  # noqa: PERF401 - one by one, to end what has begun
            self._wait(running)
        finally:
            for _, process in running:
                process.terminate()  # does nothing to one that has ended
            for _, process in running:
                process.wait(10)

    def _start(self, program: Program) -> "subprocess.Popen[bytes]":
        with program.log.open("wb") as log:
            return subprocess.Popen(
                [str(part) for part in program.command], cwd=ROOT, env={**_environment(), **self.variables},
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def _wait(self, running: Sequence[_Running]) -> None:
        started = spoken = time.monotonic()
        while running := [part for part in running if not _has_ended(*part)]:
            now = time.monotonic()
            if now - started > STEP_TIMEOUT:
                late = running[0][0]
                raise Problem(
                    f"{late.name} was given up after an hour; {shown(late.log)} says how far it came."
                )
            if now - spoken > SILENCE:
                spoken = now
                for program, _ in running:
                    self.progress.say(
                        f"{program.name}: {latest_news(program.log.read_text(errors='replace'))}"
                    )
            time.sleep(_POLL)


def _has_ended(program: Program, process: "subprocess.Popen[bytes]") -> bool:
    status = process.poll()
    if status is not None and status != 0:
        raise Problem(explain(program.what, program.log.read_text(errors="replace"), shown(program.log)))
    return status is not None


def _environment() -> Mapping[str, str]:
    """The environment without what would lead another Python astray, and with room for pip's large files.

    What Python compiles on the way is kept: the engine starts with it.
    """
    astray = {
        "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV",
        "PIP_USER", "PIP_TARGET", "PIP_REQUIRE_VIRTUALENV", "UV_PYTHON",
    }  # fmt: skip
    kept = {key: value for key, value in os.environ.items() if key not in astray}
    return kept | {"TMPDIR": str(TEMPORARY), "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
