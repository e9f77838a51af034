"""Starts ComfyUI so that it cannot outlive the worker; run as a script by the engine's own Python.

The kernel is asked to kill this process when its parent dies (`PR_SET_PDEATHSIG`, Linux prctl(2)); the wish
survives `exec`. It is made here and not in a `preexec_fn` because Python code between fork and exec may
deadlock in a process with threads. "Parent" means the *thread* that started this process (prctl(2)): the
supervisor's, which lives as long as the engine.

Usage: launch.py PARENT_PID PROGRAM ARGUMENT...
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Bind this process to its parent's life and become the program."""
    parent, *command = arguments
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl(PR_SET_PDEATHSIG) failed: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != int(parent):
        sys.exit("the worker ended before the engine started")
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
