"""A request that a silent or dripping store cannot stretch; socket time-outs bound each wait alone."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from botocore.response import StreamingBody

from ..deadline import Deadline
from .store import StoreFault

_T = TypeVar("_T")

_CHUNK_BYTES = 16 * 1024


def within(seconds: float, call: Callable[[], _T], deadline: Deadline) -> _T:
    """Return what `call` returns, or raise what it raises, if it ends in time.

    It runs in a thread of its own, which is left to its socket time-outs when the time is up.

    Arguments:
        seconds: most time that it may take.
        call: one request, harmless if it still reaches the store later.
        deadline: ends the wait early.

    Raises a transient `StoreFault` when the time is up, and what `deadline.check` raises.
    """
    return result_of(begun(call), seconds, deadline)


def begun(call: Callable[[], _T]) -> "Future[_T]":
    """Start `call` in a thread of its own, for which nobody has to wait."""
    future: Future[_T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            future.set_exception(error)

    threading.Thread(target=work, daemon=True, name="bucket-request").start()
    return future


def result_of(future: "Future[_T]", seconds: float, deadline: Deadline) -> _T:
    """Return or raise what a call ends with; raises as `within` when it does not end in time."""
    ended = threading.Event()
    future.add_done_callback(lambda _: ended.set())
    deadline.on_cancel(ended.set)
    ended.wait(deadline.remaining(max(0.0, seconds)))
    if not future.done():
        deadline.check()
        raise StoreFault("did not answer in time", transient=True)
    return future.result()


def read_small(body: StreamingBody, most: int, deadline: Deadline) -> bytes:
    """Return a whole answer of at most `most` bytes; raises `StoreFault` for a longer one."""
    data = b""
    # By `read`, never the raw response: it maps exceptions, and notices a connection cut short.
    while piece := body.read(_CHUNK_BYTES):
        deadline.check()
        data += piece
        if len(data) > most:
            raise StoreFault("holds something else under a record's name", transient=False)
    return data
