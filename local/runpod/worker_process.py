"""The real worker as a process: started with the platform's environment, ended in order."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Self

from local.places import ROOT

_HANDLER = ROOT / "handler.py"
#: Asks the kernel to end the process when this one dies, however it dies.
_LAUNCHER = ROOT / "ltx2_worker" / "engine" / "launch.py"
#: Beyond the time that the worker gives its jobs at the end: it also stops its engine.
_EXTRA_SECONDS = 30.0
_TAIL_BYTES = 16_000
_TAIL_LINES = 15


class WorkerProcess:
    """A running worker; make one with `start`.

    Arguments:
        process: it.
        log: where its output goes.
        grace: seconds that it lets its jobs finish after SIGTERM.
    """

    def __init__(self, process: asyncio.subprocess.Process, log: Path, grace: float) -> None:
        self._process = process
        self._log = log
        self._grace = grace

    @classmethod
    async def start(cls, environment: dict[str, str], log: Path, grace: float) -> Self:
        """Start a worker beside this process, whose end is its own.

        Arguments:
            environment: added to this process's own.
            log: written anew.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, str(_LAUNCHER), str(os.getpid())),
                *(sys.executable, str(_HANDLER)),
                env=os.environ | environment,
                cwd=ROOT,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                # Ctrl-C in the terminal is for us: we end the worker when its jobs may finish.
                start_new_session=True,
            )
        return cls(process, log, grace)

    @property
    def last_lines(self) -> str:
        """The end of what it wrote."""
        tail = self._log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace")
        return "\n".join(tail.splitlines()[-_TAIL_LINES:])

    async def wait(self) -> int:
        """Return its exit status once it has ended."""
        return await self._process.wait()

    async def stop(self) -> int:
        """End it: SIGTERM first, SIGKILL if it takes longer than it may; returns its exit status."""
        self._signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self._process.wait(), self._grace + _EXTRA_SECONDS)
        except TimeoutError:
            self.kill()
            return await self._process.wait()

    def kill(self) -> None:
        """End it now; its engine ends with it."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            self._process.send_signal(number)
