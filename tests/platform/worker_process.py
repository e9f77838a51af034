"""A worker as the platform runs it: a process of its own, with its output, signals and descendants."""

import codecs
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

_TICK = 0.1


class WorkerProcess:
    """One running worker; whatever is left of it and its descendants is killed on leaving the context.

    Arguments:
        command: program and arguments.
        environment: added to this process's own, from which RunPod's and the bucket's are left out.
        home: the worker's home and working directory, so that nobody's own RunPod credentials are read.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], home: Path) -> None:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RUNPOD_", "BUCKET_"))}
        self.command = list(command)
        self._written: list[str] = []
        self._changed = threading.Condition()
        self._known: dict[int, psutil.Process] = {}
        self._process = subprocess.Popen(
            command,
            env={
                **inherited,
                "HOME": str(home),
                "PYTHONUNBUFFERED": "1",
                "NO_PROXY": "127.0.0.1",
                **environment,
            },
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self._process.stdout
        self._pipe, self._ended = self._process.stdout.fileno(), False
        self._self = psutil.Process(self._process.pid)
        threading.Thread(target=self._read, daemon=True).start()

    @classmethod
    def python(cls, script: Path, environment: Mapping[str, str], home: Path) -> Self:
        """Run a script with this Python."""
        return cls([sys.executable, str(script)], environment, home)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.descendants()
        if self._process.poll() is None:
            self.signal(signal.SIGCONT)
            self.kill()
        for process in self.survivors(timeout=0):
            process.kill()
        self._process.wait(10)

    @property
    def output(self) -> str:
        """Everything written to stdout and stderr so far, what still lies in the pipe too."""
        deadline = time.monotonic() + 10
        with self._changed:
            while not self._ended and self._has_more(0) and time.monotonic() < deadline:
                self._changed.wait(_TICK)
            return "".join(self._written)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def memory(self) -> int:
        """What the worker's own process holds, in bytes (resident set)."""
        return int(self._self.memory_info().rss)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the worker alone, as a container's runtime does."""
        self.descendants()
        self._process.send_signal(number)

    def terminate(self) -> None:
        self.signal(signal.SIGTERM)

    def interrupt(self) -> None:
        """Send SIGINT as a terminal does at Ctrl+C: to every process of the worker's group at once."""
        for process in [self._self, *self.descendants()]:
            if os.getpgid(process.pid) == os.getpgid(self._process.pid):
                process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def wait_exit(self, timeout: float) -> int:
        """The exit status; fails the test after `timeout` seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the worker still runs after {timeout} s") from None

    def wait_output(self, text: str, timeout: float = 10, times: int = 1) -> None:
        """Return once `text` was written so many times; fails the test after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while "".join(self._written).count(text) < times:
                left = deadline - time.monotonic()
                assert left > 0, f"not written within {timeout} s: {text!r}"
                self._changed.wait(min(left, _TICK))

    def descendants(self, name: str = "") -> list[psutil.Process]:
        """Living children and their children whose command line contains `name`; all are remembered."""
        try:
            found = self._self.children(recursive=True)
        except psutil.NoSuchProcess:
            found = []
        for process in found:
            self._known.setdefault(process.pid, process)
        return [process for process in found if name in _command_line(process)]

    @contextmanager
    def paused(self, name: str) -> Iterator[list[psutil.Process]]:
        """Hold the descendants whose command line contains `name`, so that a test meets them at work."""
        held = self.descendants(name)
        assert held, f"no process {name}"
        for process in held:
            process.suspend()
        try:
            yield held
        finally:
            for process in held:
                with suppress(psutil.NoSuchProcess):  # the worker may have ended it meanwhile
                    process.resume()

    def survivors(self, timeout: float) -> list[psutil.Process]:
        """Descendants that still live after at most `timeout` seconds: orphans, once the worker ended.

        psutil's own wait fails where a process's number is a thread's by now.
        """
        until = time.monotonic() + timeout
        while alive := [process for process in self._known.values() if _lives(process)]:
            if time.monotonic() >= until:
                break
            time.sleep(_TICK)
        return alive

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while not self._ended:
            self._has_more(None)
            # What is taken from the pipe stands in the output before anybody else looks at either.
            with self._changed:
                data = os.read(self._pipe, 65_536)
                self._written.append(decoder.decode(data, final=not data))
                self._ended = not data
                self._changed.notify_all()

    def _has_more(self, timeout: float | None) -> bool:
        return bool(select.select([self._pipe], [], [], timeout)[0])


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
