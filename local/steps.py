"""Runs the programs of the set-up: their output goes to a log, their failure becomes a sentence."""

import os
import re
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.places import LOGS, ROOT, TEMPORARY, shown
from local.problem import Problem
from local.progress import SILENCE, Progress

#: No single step takes longer than this, in seconds, even on a slow line.
STEP_TIMEOUT = 3600.0
_POLL = 0.2

#: What pip says when the machine or its network is at fault, and what to do about it. The first match wins.
_SIGNS = (
    (
        r"DO NOT MATCH THE HASHES",
        "the package index sent another file than the one whose hash the project names; "
        "try another index or network, and do not use what came",
    ),
    (
        r"No space left on device|Errno 28|Disk quota exceeded",
        "the disk is full: free some space and run it again",
    ),
    (
        r"NewConnectionError|ConnectTimeout|ReadTimeout|Max retries exceeded|Name or service not known"
        r"|name resolution|Network is unreachable|Connection refused|Connection reset|Connection broken"
        r"|RemoteDisconnected|IncompleteRead|ProxyError|SSLError|CERTIFICATE_VERIFY_FAILED",
        "the package index cannot be reached: check the network (and the proxy, if any) and run it again",
    ),
    (
        r"No matching distribution found for (?P<what>[^\s;]+)",
        "the package index has no {what} for this Python and machine: "
        "use 64-bit Linux with Python 3.11 to 3.14, or an index that has it",
    ),
    (
        r"Permission denied",
        "a file may not be written: check who owns the project's folder and run it again",
    ),
)
_NEWS = re.compile(r"^\s*(?:Downloading (?P<file>\S+)|Installing collected packages: (?P<names>.*))", re.M)


def explain(what: str, log: str, log_file: str) -> str:
    """Turn the log of a failed step into one sentence.

    Arguments:
        what: what did not work, as the beginning of a sentence.
        log: what the program wrote.
        log_file: where a person finds that.
    """
    for pattern, advice in _SIGNS:
        if match := re.search(pattern, log):
            return f"{what} failed: {advice.format(**match.groupdict())} ({log_file} has the details)."
    return f"{what} failed, and the last lines of {log_file} say why."


def latest_news(log: str) -> str:
    """What pip is doing, from its log."""
    found = list(_NEWS.finditer(log))
    if not found:
        return "working"
    if names := found[-1]["names"]:
        return f"installing {len(names.split(','))} packages"
    return "downloading " + " ".join(found[-1]["file"].rsplit("/", 1)[-1].split("-")[:2])


class Steps:
    """Runs programs one by one in each of several threads; the first failure stops them all.

    Arguments:
        progress: where to say how it goes.
    """

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self._stop = threading.Event()

    def stop(self) -> None:
        """End every program that runs, and start no other."""
        self._stop.set()

    def run(self, name: str, what: str, command: Sequence[str | Path]) -> None:
        """Run a program to its end, saying now and then that it still runs.

        Arguments:
            name: of the log file, and of the lines about it.
            what: what it does, as the beginning of a sentence about its failure.
            command: the program and its arguments.

        Raises:
            Problem: it failed or took too long, or another step failed.
        """
        LOGS.mkdir(parents=True, exist_ok=True)
        TEMPORARY.mkdir(parents=True, exist_ok=True)
        log_file = LOGS / f"{name}.log"
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [str(part) for part in command], cwd=ROOT, env=_environment(), stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
            try:
                status = self._wait(process, name, log_file)
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait(10)
        if status != 0:
            raise Problem(explain(what, log_file.read_text(errors="replace"), shown(log_file)))

    def _wait(self, process: "subprocess.Popen[bytes]", name: str, log_file: Path) -> int:
        started = spoken = time.monotonic()
        while (status := process.poll()) is None:
            now = time.monotonic()
            if self._stop.is_set():
                raise Problem(f"{name} was stopped because another step failed.")
            if now - started > STEP_TIMEOUT:
                raise Problem(f"{name} was given up after an hour; {shown(log_file)} says how far it came.")
            if now - spoken > SILENCE:
                spoken = now
                self.progress.say(f"{name}: {latest_news(log_file.read_text(errors='replace'))}")
            time.sleep(_POLL)
        return status


def _environment() -> Mapping[str, str]:
    """The environment without what would lead another Python astray, and with room for pip's large files."""
    astray = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_USER", "PIP_TARGET", "PIP_REQUIRE_VIRTUALENV")
    kept = {key: value for key, value in os.environ.items() if key not in astray}
    return kept | {"TMPDIR": str(TEMPORARY), "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
