"""One ComfyUI process: started, read, ended. What to do when it ends is the supervisor's."""

import contextlib
import logging
import os
import re
import signal
import socket
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .options import EngineOptions

log = logging.getLogger(__name__)
engine_log = logging.getLogger(f"{__package__}.output")

#: Binds what it starts to the life of the thread that started it.
LAUNCHER = Path(__file__).with_name("launch.py")
_KEPT_LINES = 200
_LONGEST_LINE = 2000
_LONGEST_REPORT = 4000
_COLOR = re.compile("\x1b\\[[0-9;]*m")


class EngineProcess:
    """A running ComfyUI, in a process group of its own, that dies with the thread that made it.

    Arguments:
        options: how to start it.
        port: the loopback port it is to listen on.
    """

    def __init__(self, options: EngineOptions, port: int) -> None:
        self.port = port
        self.flags = options.flags(port)
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._process = subprocess.Popen(
            [
                *(str(options.python), "-I", "-S", str(LAUNCHER), str(os.getpid())),
                *(str(options.python), "main.py", *self.flags),
            ],
            cwd=options.comfyui_dir,
            env=options.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name=f"engine-output-{self.pid}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process id, which is also its process group's."""
        return self._process.pid

    def exit_status(self) -> int | None:
        """None while it runs; a negative number is the signal that ended it."""
        return self._process.poll()

    def last_lines(self) -> str:
        """What it wrote last, for the log."""
        return "\n".join(list(self._lines)[-40:])[-_LONGEST_REPORT:]

    def port_was_taken(self) -> bool:
        """Whether it ended because another process had got the port first."""
        return any("already in use" in line.lower() for line in list(self._lines))

    def end(self, grace_seconds: float = 0) -> None:
        """End the whole process group: SIGTERM, at most `grace_seconds`, SIGKILL; then reap it."""
        if grace_seconds > 0 and self.exit_status() is None:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_seconds)
        # Also when the leader is gone: children of its own would live on in the group.
        self._signal(signal.SIGKILL)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:  # in uninterruptible sleep, on a dead driver or volume
            log.error("engine does not die", extra={"pid": self.pid})
        self._reader.join(5)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _read(self) -> None:
        """Keep the pipe empty, or the engine would block on a full one."""
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in lines(stream):
                self._lines.append(line)
                engine_log.debug("engine output", extra={"line": line})


def free_port() -> int:
    """A loopback port that is free now; it may be taken until the engine binds it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def lines(stream: IO[bytes]) -> Iterator[str]:
    """Lines of a stream, ended by newline or carriage return (progress bars), none longer than the limit."""
    rest = b""
    while chunk := os.read(stream.fileno(), 65536):
        *whole, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
        if len(rest) > _LONGEST_LINE:
            whole, rest = [*whole, rest], b""
        yield from (_text(line) for line in whole if line.strip())
    if rest.strip():
        yield _text(rest)


def _text(line: bytes) -> str:
    return _COLOR.sub("", line.decode(errors="replace"))[:_LONGEST_LINE]
