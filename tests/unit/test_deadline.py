"""One deadline and one cancel switch end every wait."""

import threading

import pytest

from ltx2_api.errors import Cancelled, ErrorCode, WorkerError
from ltx2_worker.deadline import Deadline


def test_a_deadline_that_has_passed_is_an_error_for_the_caller() -> None:
    with pytest.raises(WorkerError) as caught:
        Deadline(0).check()
    assert caught.value.code is ErrorCode.DEADLINE_EXCEEDED
    assert caught.value.retryable


def test_a_cancel_ends_a_sleep_at_once() -> None:
    deadline = Deadline(600)
    sleeping = threading.Event()
    ended: list[type[BaseException]] = []

    def sleep() -> None:
        sleeping.set()
        try:
            deadline.sleep(300)
        except Cancelled as cancelled:
            ended.append(type(cancelled))

    thread = threading.Thread(target=sleep)
    thread.start()
    sleeping.wait(10)
    deadline.cancel()
    thread.join(10)
    assert ended == [Cancelled]


def test_a_reason_given_to_cancel_is_what_is_raised() -> None:
    deadline = Deadline(600)
    deadline.cancel(WorkerError(ErrorCode.SHUTTING_DOWN, "bye"))
    deadline.cancel()
    with pytest.raises(WorkerError, match="bye"):
        deadline.check()


def test_callbacks_are_called_once_also_when_registered_late() -> None:
    deadline, called = Deadline(600), []
    deadline.on_cancel(lambda: called.append("early"))
    deadline.cancel()
    deadline.cancel()
    deadline.on_cancel(lambda: called.append("late"))
    assert called == ["early", "late"]
