"""Waiting for a job at a terminal: the first Ctrl-C leaves it running, a second one cancels it."""

import shlex
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from .. import errors
from ..client import Client, Handle, Video
from ..models import State
from .exits import Exit
from .output import Output, video_json

#: Seconds after the first Ctrl-C in which a second one cancels the job.
SECOND_PRESS = 3.0


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Let a Ctrl-C wait until the end of this: a submit that has begun must hear the job's id."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []

    def hold(number: int, _frame: FrameType | None) -> None:
        pressed.append(number)

    before = signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def client_for(endpoint: str | None) -> Client:
    """The client for a command; it reads everything else from the environment."""
    return Client(endpoint)


def bring(
    handle: Handle,
    output: Output,
    out: Path | None,
    *,
    timeout: float | None,
    overwrite: bool,
    poster: bool,
    endpoint: str | None,
) -> Exit:
    """Follow a job to its end, fetch its video, and say where it lies.

    Arguments:
        out: a file or folder; None: a file in this folder, named after the job.
        endpoint: as it was given on the command line, for the command that goes on.
    """
    go_on = _go_on(handle.id, out, endpoint)
    try:
        video = handle.wait(timeout, on=output.listen)
        target = fetch(video, output, out, overwrite=overwrite, poster=poster)
    except KeyboardInterrupt:
        return _interrupted(handle, output, go_on)
    except errors.TimedOut as error:
        output.error(error, f"Go on with:  {go_on}")
        return Exit.STILL_RUNNING
    except errors.BadDownload as error:
        output.error(error, f"Try again with:  {go_on.replace(' watch ', ' download ', 1)}")
        return Exit.DOWNLOAD
    for warning in video.warnings:
        output.say(warning)
    output.result(video_json(video, target), str(target))
    return Exit.OK


def fetch(video: Video, output: Output, out: Path | None, *, overwrite: bool, poster: bool) -> Path:
    """Fetch a finished job's video, and its poster beside it if that is wanted."""
    target = video.download(out or Path.cwd(), overwrite=overwrite, on=output.listen)
    if poster:
        video.download(target.with_suffix(".jpg"), poster=True, overwrite=overwrite)
    return target


def require_free(out: Path | None, *, overwrite: bool) -> None:
    """Refuse a target that is taken before anything is paid for."""
    if out is not None and out.exists() and not out.is_dir() and not overwrite:
        raise errors.InvalidJob(f"{out} is there already; choose another name, or --overwrite.")


def _go_on(job_id: str, out: Path | None, endpoint: str | None) -> str:
    parts = ["ltx2", "watch", job_id]
    parts += ["--out", str(out)] if out else []
    parts += ["--endpoint", endpoint] if endpoint else []
    return shlex.join(parts)


def _interrupted(handle: Handle, output: Output, go_on: str) -> Exit:
    try:
        output.stop_bars()
        output.say(f"\nThe job goes on. Come back to it with:\n  {go_on}")
        # Inside the `try`: a second press may come as soon as this line can be read.
        output.say(f"Ctrl-C again within {SECOND_PRESS:.0f} s cancels it.")
        time.sleep(SECOND_PRESS)
    except KeyboardInterrupt:
        with interrupts_held():
            state = handle.cancel().state
        if state is State.CANCELLED:
            output.say("Cancelled; nothing is to be paid.")
            return Exit.CANCELLED
        output.say(f"The job had ended before: {state}.")
    return Exit.DETACHED
