"""The process that encodes one job's video, beside the engine: started, listened to, ended.

It is the worker's own and not the engine's: an engine that dies once all frames are handed over costs
nothing, and Python's lock in the engine is left to sampling. It is engine_nodes/encoder, run by the engine's
Python, which has PyAV and numpy; the node at the end of a graph connects to its address.
"""

import contextlib
import json
import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import ValidationError

from ltx2_api.errors import ErrorCode, WorkerError

from ..deadline import Deadline
from . import failures
from .encoder_files import Encoded, EncoderFiles
from .options import OWN_NODES, EngineOptions
from .process import LAUNCHER, lines

log = logging.getLogger(__name__)

_TICK = 0.2
#: A process that has neither said anything nor used the processor for so long hangs; one that merely gets
#: little of a busy processor does not.
_SILENCE_SECONDS = 60.0
#: The engine's node has said its last word a moment before the encoder hears it.
_SETTLE_SECONDS = 5.0


class EncoderLost(Exception):  # noqa: N818 - what to do about it is decided where it is caught
    """The encoder ended, or hung, before its file was finished."""


class _State(Enum):
    WAITING = auto()
    ENCODING = auto()
    RECEIVED = auto()
    ENDED = auto()


class Encoder:
    """One process for one video; a context manager, at whose end it is gone, whatever happened.

    One whose file is finished is only killed: no answer waits until the system has taken back the half
    gigabyte of frames that it holds.

    Arguments:
        options: whose Python and environment it is started with.
        address: where the node at the end of the graph sends the frames; a name that nobody can guess.
        files: what it makes; on failure it removes the video.
    """

    def __init__(self, options: EngineOptions, address: str, files: EncoderFiles) -> None:
        self._changed = threading.Condition()
        self._state = _State.WAITING
        self._heard = time.monotonic()
        self._frames = 0
        self._encoded: Encoded | None = None
        self._disk_full = False
        # Bound to the life of this thread, as the engine is to the supervisor's: it does the job to its end.
        self._process = subprocess.Popen(
            [
                *(str(options.python), "-I", "-S", str(LAUNCHER), str(os.getpid())),
                *(str(options.python), "-s", "-P", "-m", "encoder", address, files.to_json()),
            ],
            env=options.environment() | {"PYTHONPATH": str(OWN_NODES)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name=f"encoder-{self._process.pid}", daemon=True)
        self._reader.start()

    def __enter__(self) -> "Encoder":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        ending = threading.Thread(target=self._end, name=f"end-{self._reader.name}", daemon=True)
        ending.start()
        if self._encoded is None:
            ending.join()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def has_all_frames(self) -> bool:
        """Whether every frame was handed over, so that the engine has no more to do with this video.

        The node sends nothing before the encoder has answered it: one that has not begun has no frames.

        Raises:
            EncoderLost: it will never have them.
            WorkerError: STORAGE_UNAVAILABLE, the disk is full.
        """
        self.check()
        with self._changed:
            return self._state is _State.RECEIVED or self._encoded is not None

    def check(self, timeout: float = _SETTLE_SECONDS) -> None:
        """Raise what ended the process, if it has ended without a file; a moment after its end at the latest.

        Raises:
            EncoderLost: it crashed or was killed.
            WorkerError: STORAGE_UNAVAILABLE, the disk is full.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._state is not _State.ENCODING, timeout)
            if self._disk_full:
                raise WorkerError(ErrorCode.STORAGE_UNAVAILABLE, failures.DISK_FULL)
            if self._state is _State.ENDED and self._encoded is None:
                raise EncoderLost

    def wait(self, deadline: Deadline, on_frames: Callable[[int], None]) -> Encoded:
        """Return when the file is finished.

        Arguments:
            deadline: the job's.
            on_frames: told from time to time how many frames are encoded.

        Raises:
            EncoderLost: the process ended or hung.
            WorkerError: STORAGE_UNAVAILABLE, DEADLINE_EXCEEDED.
            Cancelled: the job was.
        """
        self._heard, used = time.monotonic(), 0
        while True:
            deadline.check()
            self.check(0)
            if used != (used := self._processor_time()):
                self._heard = time.monotonic()
            with self._changed:
                if self._encoded is not None:
                    return self._encoded
                if time.monotonic() - self._heard > _SILENCE_SECONDS:
                    log.error("encoder hangs", extra={"seconds": _SILENCE_SECONDS})
                    raise EncoderLost
                self._changed.wait(deadline.remaining(_TICK))
                frames = self._frames
            on_frames(frames)

    def _end(self) -> None:
        """Wait until the process, which was killed, is gone."""
        with contextlib.suppress(subprocess.TimeoutExpired):  # in uninterruptible sleep, on a dead volume
            self._process.wait(10)
        self._reader.join(5)

    def _processor_time(self) -> int:
        """What it has used of the processor, in the kernel's ticks (proc(5), utime and stime)."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii", errors="replace")
            return sum(map(int, stat.rpartition(")")[2].split()[11:13]))
        except (OSError, ValueError):
            return 0

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in lines(stream):
                self._hear(line)
        with self._changed:
            self._state = _State.ENDED
            self._changed.notify_all()

    def _hear(self, line: str) -> None:
        try:
            said: dict[str, Any] = json.loads(line)
            event = said.pop("event")
            encoded = Encoded.model_validate(said) if event == "finished" else None
        except (ValueError, KeyError, TypeError, AttributeError, ValidationError):
            log.warning("encoder output", extra={"line": line})
            return
        with self._changed:
            self._heard = time.monotonic()
            self._encoded = encoded
            if event == "encoding":
                self._frames = int(said["frames"])
                self._state = _State.ENCODING if self._state is _State.WAITING else self._state
            elif event == "forgotten":
                self._state = _State.WAITING
            elif event == "received":
                self._state = _State.RECEIVED
            elif event == "disk_full":
                self._disk_full = True
            self._changed.notify_all()
