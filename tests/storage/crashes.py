"""A machine that fails between any two system calls: a process that is killed, a disk that refuses.

The calls through which the storage code reaches the disk are wrapped while `Machine.running` is entered. In
this process a kill is an exception that every further call raises again, so that no clean-up runs either.
"""

import builtins
import errno
import functools
import io
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

#: What changes the disk, and what reads it. pathlib, shutil and tempfile look these up when they are called.
WRITING = ("mkdir", "rename", "replace", "link", "unlink", "rmdir", "fsync", "sendfile")
READING = ("listdir", "scandir", "stat", "lstat", "open")


class Killed(BaseException):
    """The process is gone: nothing may catch it, nothing may run after it."""


@dataclass
class Machine:
    """One worker's view of its disk.

    Attributes:
        kill_after: the process dies at this call, counted from 0; None lets it live.
        fail_after: from this call on, calls fail with `error`; None lets them work.
        error: ENOSPC and EROFS meet calls that write, EIO every call.
        calls: how many there were.
        for_good: it dies by a real SIGKILL, for a process that was forked to die.
    """

    kill_after: int | None = None
    fail_after: int | None = None
    error: int = errno.EIO
    calls: int = 0
    for_good: bool = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """The code in this block, in this thread, meets the faults."""
        me = threading.get_ident()
        with ExitStack() as stack:
            for name in (*WRITING, *READING):
                stack.enter_context(
                    patch.object(os, name, self._wrapped(getattr(os, name), name in WRITING, me))
                )
            for module in (io, builtins):
                stack.enter_context(patch.object(module, "open", self._wrapped_open(io.open, me)))
            yield

    def _wrapped(self, call: Callable[..., Any], writes: bool, thread: int) -> Callable[..., Any]:
        @functools.wraps(call)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() == thread:
                self._step(writes)
            return call(*args, **kwargs)

        return wrapped

    def _wrapped_open(self, call: Callable[..., Any], thread: int) -> Callable[..., Any]:
        @functools.wraps(call)
        def wrapped(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() == thread:
                self._step(any(letter in mode for letter in "wax+"))
            return call(file, mode, *args, **kwargs)

        return wrapped

    def _step(self, writes: bool) -> None:
        number = self.calls
        self.calls += 1
        if self.kill_after is not None and number >= self.kill_after:
            if self.for_good:
                os.kill(os.getpid(), signal.SIGKILL)
            raise Killed
        if self.fail_after is not None and number >= self.fail_after and (writes or self.error == errno.EIO):
            raise OSError(self.error, os.strerror(self.error))
