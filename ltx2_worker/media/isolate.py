"""A child process for work on strangers' bytes: little memory, no secrets, killed the moment the job ends.

A decoder that crashes, hangs or eats memory takes only the child with it. A thread could not be ended in
the middle of a name lookup, a server's dripping header or a picture of 50 megapixels; a process can.
Children are forked from a server process that has the decoders loaded, so one starts in milliseconds.
"""

import errno
import json
import logging
import multiprocessing
import os
import resource
import signal
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from multiprocessing import forkserver, util
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ltx2_api.errors import ErrorCode, WorkerError

from ..deadline import Deadline

log = logging.getLogger(__name__)

#: Address space of a child: three copies of a 50-megapixel picture, or a 4K decoder with all its frames.
MEMORY = 4 << 30
#: Nothing that a child writes is larger: 20 s of noise at 1080p, nearly lossless, is about half of it.
LARGEST_FILE = 2 << 30
#: A reply is a few sentences.
LARGEST_REPLY = 64 << 10

_spawn_with_all: Callable[..., int] = util.spawnv_passfds

#: Seconds that the system may take to end a process that is dying.
_LAST_BREATH = 10

#: What the server process is given of the environment, besides the proxies.
_INHERITED = frozenset(
    {"HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "TMPDIR"}
    | {"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"}
)
_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

_PRELOAD = [
    "__main__",
    "runpod.serverless.utils.rp_ssrf",
    "ltx2_worker.media.fetch",
    "ltx2_worker.media.image",
    "ltx2_worker.media.control",
    "ltx2_worker.media.source",
    "ltx2_worker.media.spliced",
]


def warm_up() -> None:
    """Start the server process; it is ready about 2 s later, which the first job would wait for otherwise."""
    _children()
    # Ctrl+C on a terminal reaches every process there; the server ignores it, but only once it has loaded.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@cache
def _children() -> ForkServerContext:
    util.spawnv_passfds = _spawn  # type: ignore[assignment]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    return context


def _spawn(path: bytes, arguments: Sequence[str | bytes], file_descriptors: Sequence[int]) -> int:
    """Start a process of multiprocessing's; the server process without any secret in its environment.

    In place of `multiprocessing.util.spawnv_passfds` (the same in Python 3.11 to 3.14), which hands the whole
    environment on. What a process was started with can be read in /proc for as long as it lives, by its
    children too, whatever it deletes of it later.
    """
    if not any("multiprocessing.forkserver" in os.fsdecode(argument) for argument in arguments):
        return _spawn_with_all(path, arguments, file_descriptors)
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in _INHERITED or name.lower().endswith("_proxy")
    }
    kept_open = [(os.POSIX_SPAWN_DUP2, number, number) for number in file_descriptors]
    return os.posix_spawn(path, [*arguments], environment, file_actions=kept_open)


def run_isolated(
    work: Callable[[], list[str]],
    *,
    deadline: Deadline,
    seconds: float,
    too_long: WorkerError,
    crashed: WorkerError,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> list[str]:
    """Call `work` in a child process and return the sentences that it returns.

    Arguments:
        work: a module-level function with its arguments (functools.partial), all picklable.
        deadline: the job's; a cancel or the deadline kills the child.
        seconds: how long the work may take.
        too_long: what is raised when it takes longer.
        crashed: what is raised when the child dies of the bytes it works on, or runs out of memory.
        environment: variables that the child is to see besides the few it inherits.

    Raises:
        WorkerError: what `work` raised, `too_long`, `crashed`, or INTERNAL if `work` failed otherwise.
        Cancelled: the job was cancelled.
    """
    deadline.check()
    receiver, sender = _children().Pipe(duplex=False)
    process = _children().Process(target=_child, args=(sender, work, seconds, dict(environment)), daemon=True)
    with receiver:
        with sender:
            process.start()
        deadline.on_cancel(lambda: _kill(process))
        try:
            answered = receiver.poll(deadline.remaining(seconds))
            reply = _read(receiver) if answered else None
            if answered and reply is None:
                process.join(
                    _LAST_BREATH
                )  # it is dying by itself: killed now, it would have another exit code
        finally:
            _kill(process)
            process.join(_LAST_BREATH)
    deadline.check()
    if not answered:
        log.info("media child took too long", extra={"seconds": seconds, "error": too_long.message})
        raise too_long
    if reply is None:
        log.warning("media child died", extra={"exit_code": process.exitcode})
        raise _of_exit(process.exitcode, crashed)
    return _sentences(reply, crashed)


def _read(receiver: Connection) -> dict[str, Any] | None:
    """The child's reply, or None if it died without one. JSON, for a pickle could run code here."""
    try:
        reply = json.loads(receiver.recv_bytes(LARGEST_REPLY))
    except EOFError:
        return None
    except (OSError, ValueError):
        return {}
    return reply if isinstance(reply, dict) else {}


def _of_exit(code: int | None, crashed: WorkerError) -> WorkerError:
    # Killed by someone else, most likely for the machine's memory: not the fault of what came in.
    if code == -signal.SIGKILL:
        return WorkerError(ErrorCode.INTERNAL, "Preparing the input was interrupted; try again.")
    return crashed


def _sentences(reply: dict[str, Any], crashed: WorkerError) -> list[str]:
    match reply:
        case {"sentences": [*sentences]}:
            return [str(sentence) for sentence in sentences]
        case {
            "code": str(code),
            "message": str(message),
            "field": str() | None as field,
            "retryable": bool(retryable),
        } if code in set(ErrorCode):
            log.info("media refused", extra={"code": code, "detail": str(reply.get("detail"))})
            raise WorkerError(ErrorCode(code), message, field=field, retryable=retryable)
        case {"memory": True}:
            raise crashed
        case {"disk_full": True}:
            raise WorkerError(
                ErrorCode.STORAGE_UNAVAILABLE,
                "The worker has no disk space left for the input; send the job again.",
            )
        case _:
            log.error("media child failed", extra={"detail": str(reply.get("detail"))})
            raise WorkerError(ErrorCode.INTERNAL, "Preparing the input failed.")


def _kill(process: BaseProcess) -> None:
    with suppress(ValueError, ProcessLookupError):  # it has ended already
        process.kill()


def _child(
    sender: Connection,
    work: Callable[[], list[str]],
    seconds: float,
    environment: Mapping[str, str],
) -> None:
    _restrict(seconds)
    logging.disable()  # urllib3 writes whole URLs, signatures included, into its warnings
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl+C is for the parent, which ends us
    warnings.simplefilter("ignore")  # a decoder's would reach the worker's stderr with text of the file's
    os.environ.update(environment)
    reply: dict[str, Any]
    try:
        reply = {"sentences": work()}
    except WorkerError as error:
        reply = {
            "code": error.code,
            "message": error.message,
            "field": error.field,
            "retryable": error.retryable,
            "detail": _detail(error),
        }
    except MemoryError:
        reply = {"memory": True}
    except OSError as error:
        reply = {"disk_full": error.errno in _DISK_FULL, "detail": _detail(error)}
    except Exception as error:  # noqa: BLE001 - the parent logs it
        reply = {"detail": _detail(error)}
    sender.send_bytes(json.dumps(reply).encode())


def _detail(error: BaseException) -> str:
    """What failed where, for the log: no message of an exception, for it may quote a signed URL."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    places = " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
    cause = f", from {_detail(error.__cause__)}" if error.__cause__ else ""
    return f"{type(error).__name__} at {places}{cause}"[:2000]


def _restrict(seconds: float) -> None:
    for limit, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, LARGEST_FILE),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, int(seconds * (os.cpu_count() or 1)) + 1),  # should the parent die first
    ):
        _, hard = resource.getrlimit(limit)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (allowed, allowed))
