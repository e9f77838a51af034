"""Of two jobs in hand with the same request one works, and the other waits without holding anyone up."""

import threading

import pytest

from ltx2_api.errors import Cancelled
from ltx2_worker.deadline import Deadline
from ltx2_worker.request_locks import RequestLocks


def nothing() -> None:
    """Let go of nothing."""


def test_the_second_job_of_a_request_lets_go_of_its_turn_and_waits_for_the_first() -> None:
    locks, deadline = RequestLocks(), Deadline(30)
    order: list[str] = []
    let_go = threading.Event()

    def second() -> None:
        with locks.held("r", deadline, let_go.set) as waited:
            order.append(f"second, waited: {waited}")

    thread = threading.Thread(target=second)
    with locks.held("r", deadline, nothing) as waited:
        thread.start()
        assert let_go.wait(20)
        order.append(f"first, waited: {waited}")
    thread.join(20)
    assert order == ["first, waited: False", "second, waited: True"]


def test_other_requests_and_jobs_without_one_do_not_wait() -> None:
    locks, deadline = RequestLocks(), Deadline(30)
    with (
        locks.held("r", deadline, nothing),
        locks.held("s", deadline, nothing) as other,
        locks.held(None, deadline, nothing) as first,
        locks.held(None, deadline, nothing) as second,
    ):
        assert not (other or first or second)


def test_a_waiting_job_that_is_cancelled_ends_and_leaves_the_request_to_the_first() -> None:
    locks, cancelled = RequestLocks(), Deadline(30)
    with (
        locks.held("r", Deadline(30), nothing),
        pytest.raises(Cancelled),
        locks.held("r", cancelled, cancelled.cancel),
    ):
        pass
    with locks.held("r", Deadline(30), nothing) as waited:
        assert not waited


def test_a_job_that_fails_leaves_its_request_to_the_next() -> None:
    locks = RequestLocks()
    with pytest.raises(ValueError, match="engine"), locks.held("r", Deadline(30), nothing):
        raise ValueError("the engine crashed")
    with locks.held("r", Deadline(30), nothing) as waited:
        assert not waited
