import threading

import pytest

from ltx2_worker.engine.job_order import JobOrder


class StoppedError(Exception):
    pass


def stop() -> None:
    raise StoppedError


def test_the_first_turn_waits_for_nobody() -> None:
    line = JobOrder()
    waits: list[None] = []
    line.wait(line.take(), 1, lambda: waits.append(None))
    assert not waits


def test_a_turn_waits_until_the_earlier_one_is_submitted() -> None:
    line = JobOrder()
    first, second = line.take(), line.take()
    with pytest.raises(StoppedError):
        line.wait(second, 1, stop)
    line.submitted(first, 1)
    line.wait(second, 1, stop)


def test_a_submission_to_an_engine_that_is_gone_does_not_count() -> None:
    line = JobOrder()
    first, second = line.take(), line.take()
    line.submitted(first, 1)
    with pytest.raises(StoppedError):
        line.wait(second, 2, stop)


def test_a_release_wakes_those_behind() -> None:
    line = JobOrder()
    first, second = line.take(), line.take()
    waiting = threading.Thread(target=line.wait, args=(second, 1, lambda: None))
    waiting.start()
    first.release()
    waiting.join(5)
    assert not waiting.is_alive()


def test_a_released_turn_cannot_come_back_by_a_late_submission() -> None:
    line = JobOrder()
    ticket = line.take()
    ticket.release()
    line.submitted(ticket, 1)
    assert line.first_submitted(1) is None


def test_the_executing_turn_is_the_first_one_submitted_to_this_boot() -> None:
    line = JobOrder()
    first, second, third = line.take(), line.take(), line.take()
    line.submitted(first, 1)
    line.submitted(second, 2)
    line.submitted(third, 2)
    assert line.first_submitted(2) == second.number
    second.release()
    assert line.first_submitted(2) == third.number
