"""Jobs of the same request are done one after the other, in the order in which they were accepted."""

import threading

import pytest

from ltx2_api.errors import Cancelled
from ltx2_worker.deadline import Deadline
from ltx2_worker.request_queue import RequestQueue


def test_the_second_job_of_a_request_waits_until_the_first_leaves() -> None:
    requests = RequestQueue()
    first, second = requests.enter("r"), requests.enter("r")
    requests.wait(first, Deadline(10))
    passed = threading.Event()

    def wait() -> None:
        requests.wait(second, Deadline(10))
        passed.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not passed.is_set()
    requests.leave(first)
    thread.join(10)
    assert passed.is_set()
    requests.leave(second)
    requests.wait(requests.enter("r"), Deadline(10))


def test_other_requests_and_jobs_without_one_do_not_wait() -> None:
    requests = RequestQueue()
    requests.enter("r")
    requests.wait(requests.enter("s"), Deadline(10))
    requests.wait(requests.enter(None), Deadline(10))


def test_a_waiting_job_that_is_cancelled_leaves_the_row_to_the_next() -> None:
    requests = RequestQueue()
    first, second, third = (requests.enter("r") for _ in range(3))
    deadline = Deadline(10)
    deadline.cancel()
    with pytest.raises(Cancelled):
        requests.wait(second, deadline)
    requests.leave(second)
    requests.leave(first)
    requests.wait(third, Deadline(10))
