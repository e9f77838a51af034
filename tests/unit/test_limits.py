"""One deadline and one cancel switch end every wait."""

import threading

import pytest

from ltx2_worker.errors import Cancelled, ErrorCode, WorkerError
from ltx2_worker.limits import Limits


def test_a_deadline_that_has_passed_is_an_error_for_the_caller() -> None:
    with pytest.raises(WorkerError) as caught:
        Limits(0).check()
    assert caught.value.code is ErrorCode.DEADLINE_EXCEEDED
    assert caught.value.retryable


def test_a_cancel_ends_a_sleep_at_once() -> None:
    limits = Limits(600)
    sleeping = threading.Event()
    ended: list[type[BaseException]] = []

    def sleep() -> None:
        sleeping.set()
        try:
            limits.sleep(300)
        except Cancelled as cancelled:
            ended.append(type(cancelled))

    thread = threading.Thread(target=sleep)
    thread.start()
    sleeping.wait(10)
    limits.cancel()
    thread.join(10)
    assert ended == [Cancelled]


def test_a_reason_given_to_cancel_is_what_is_raised() -> None:
    limits = Limits(600)
    limits.cancel(WorkerError(ErrorCode.SHUTTING_DOWN, "bye"))
    limits.cancel()
    with pytest.raises(WorkerError, match="bye"):
        limits.check()


def test_callbacks_are_called_once_also_when_registered_late() -> None:
    limits, called = Limits(600), []
    limits.on_cancel(lambda: called.append("early"))
    limits.cancel()
    limits.cancel()
    limits.on_cancel(lambda: called.append("late"))
    assert called == ["early", "late"]
