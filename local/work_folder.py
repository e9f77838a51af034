"""A scratch folder of its own for each worker that runs here: a worker empties its folder when it starts."""

import fcntl
import os
from itertools import count
from pathlib import Path


def take_work_folder(parent: Path) -> Path:
    """Return the first folder below `parent` that no running worker has; it is this process's until it ends.

    The lock outlives an `exec`, and no process that is started later has it: the folder of a worker that was
    killed is taken, and emptied, by the next one.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        lock = os.open(parent / f"{number}.lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        os.set_inheritable(lock, True)
        folder = parent / str(number)
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder
    raise AssertionError("count() does not end")
