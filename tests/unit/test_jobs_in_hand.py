"""Jobs are accepted and run beside the event loop, in the order of their arrival, one under each id."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_worker.accepted_job import AcceptedJob
from ltx2_worker.endpoint import jobs
from ltx2_worker.endpoint.jobs import JobsInHand
from ltx2_worker.engine import Ticket
from ltx2_worker.settings import Settings
from ltx2_worker.worker import Worker

#: Needs no engine.
DRY_RUN = {"prompt": "A cat.", "preview": True, "dry_run": True, "seed": 1}


class WorkerOnSlowVolume(Worker):
    """A worker whose model files can be looked at only while `volume` is set."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.volume = threading.Event()
        self.accepted: list[str] = []
        self.released_jobs: list[str] = []

    def accept(
        self, job_id: str, raw: object, ticket: Ticket, s3_config: object | None = None
    ) -> AcceptedJob:
        if job_id.startswith("slow"):
            self.volume.wait(30)
        self.accepted.append(job_id)
        return super().accept(job_id, raw, ticket, s3_config)

    def release(self, accepted: AcceptedJob) -> None:
        self.released_jobs.append(accepted.job_id)
        super().release(accepted)


@pytest.fixture
def worker(tmp_path: Path) -> WorkerOnSlowVolume:
    return WorkerOnSlowVolume(
        Settings(work_dir=tmp_path / "work", output_dir=tmp_path / "videos", comfyui_dir=tmp_path)
    )


def with_jobs(worker: Worker, work: Callable[[JobsInHand], Awaitable[None]]) -> None:
    async def main() -> None:
        in_hand = JobsInHand(worker)
        try:
            await asyncio.wait_for(work(in_hand), 30)
        finally:
            in_hand.close()

    asyncio.run(main())


async def answer(in_hand: JobsInHand, job_id: str, raw: Any = DRY_RUN) -> Any:
    return await (await in_hand.start(job_id, raw, None)).result


def test_a_job_that_is_slow_to_accept_holds_up_no_other(worker: WorkerOnSlowVolume) -> None:
    async def work(in_hand: JobsInHand) -> None:
        slow = asyncio.create_task(answer(in_hand, "slow"))
        assert (await answer(in_hand, "quick")).job_id == "quick"
        assert not slow.done()
        worker.volume.set()
        assert (await slow).job_id == "slow"

    with_jobs(worker, work)


def test_jobs_reach_the_engine_in_the_order_in_which_they_arrived(worker: WorkerOnSlowVolume) -> None:
    async def work(in_hand: JobsInHand) -> None:
        slow = asyncio.create_task(in_hand.start("slow", DRY_RUN, None))
        while not len(in_hand):
            await asyncio.sleep(0)
        quick = await in_hand.start("quick", DRY_RUN, None)
        worker.volume.set()
        assert worker.accepted[0] == "quick"
        assert (await slow).accepted.ticket.number < quick.accepted.ticket.number

    with_jobs(worker, work)


def test_a_volume_that_does_not_answer_ends_in_a_sentence_and_a_released_turn(
    worker: WorkerOnSlowVolume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "ACCEPT_SECONDS", 0.1)

    async def work(in_hand: JobsInHand) -> None:
        with pytest.raises(WorkerError) as failed:
            await in_hand.start("slow", DRY_RUN, None)
        assert (failed.value.code, failed.value.retryable) == (ErrorCode.ENGINE_UNAVAILABLE, True)
        assert not len(in_hand)
        behind = worker.take_ticket()
        worker._engine._order.wait(behind, 1, _never_wait)
        worker.volume.set()
        while not worker.released_jobs:
            await asyncio.sleep(0.01)
        assert worker.released_jobs == ["slow"]

    with_jobs(worker, work)


def test_a_cancel_while_a_job_is_accepted_releases_its_turn(worker: WorkerOnSlowVolume) -> None:
    async def work(in_hand: JobsInHand) -> None:
        starting = asyncio.create_task(in_hand.start("slow", DRY_RUN, None))
        while not len(in_hand):
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        while len(in_hand):
            await asyncio.sleep(0.01)
        worker._engine._order.wait(worker.take_ticket(), 1, _never_wait)
        worker.volume.set()

    with_jobs(worker, work)


def test_a_refused_job_releases_its_turn(worker: WorkerOnSlowVolume) -> None:
    async def work(in_hand: JobsInHand) -> None:
        with pytest.raises(WorkerError):
            await in_hand.start("bad", {"prompt": ""}, None)
        assert not len(in_hand)
        worker._engine._order.wait(worker.take_ticket(), 1, _never_wait)

    with_jobs(worker, work)


def test_the_same_job_twice_at_once_is_accepted_once(worker: WorkerOnSlowVolume) -> None:
    async def work(in_hand: JobsInHand) -> None:
        both = asyncio.gather(answer(in_hand, "slow"), answer(in_hand, "slow", dict(DRY_RUN)))
        await asyncio.sleep(0.1)
        worker.volume.set()
        first, second = await both
        assert first is second
        assert worker.accepted == ["slow"]

    with_jobs(worker, work)


@pytest.mark.parametrize("other", [DRY_RUN | {"seed": 2}, None, {"prompt": [[[]]]}])
def test_another_input_under_an_id_in_hand_is_refused(worker: WorkerOnSlowVolume, other: object) -> None:
    async def work(in_hand: JobsInHand) -> None:
        first = asyncio.create_task(answer(in_hand, "slow"))
        while not len(in_hand):
            await asyncio.sleep(0)
        with pytest.raises(WorkerError, match="Another job with this id") as refused:
            await in_hand.start("slow", other, None)
        assert refused.value.code is ErrorCode.INVALID_INPUT
        worker.volume.set()
        assert (await first).seed == 1

    with_jobs(worker, work)


def test_more_jobs_than_can_be_in_hand_are_told_to_try_again(worker: WorkerOnSlowVolume) -> None:
    async def work(in_hand: JobsInHand) -> None:
        starting = [
            asyncio.create_task(answer(in_hand, f"slow-{number}", DRY_RUN)) for number in range(jobs.MOST)
        ]
        while len(in_hand) < jobs.MOST:
            await asyncio.sleep(0)
        with pytest.raises(WorkerError) as refused:
            await in_hand.start("one-more", DRY_RUN, None)
        assert refused.value.retryable
        worker.volume.set()
        await asyncio.gather(*starting)

    with_jobs(worker, work)


def test_a_dry_run_answers_what_the_job_needs_whatever_else_is_in_hand(worker: WorkerOnSlowVolume) -> None:
    async def work(in_hand: JobsInHand) -> None:
        long = {"prompt": "A cat.", "quality": "pro", "resolution": "1080p", "duration": 20, "dry_run": True}
        alone = await answer(in_hand, "alone", long)
        ahead = asyncio.create_task(answer(in_hand, "slow"))
        while not len(in_hand):
            await asyncio.sleep(0)
        behind = await answer(in_hand, "behind", long)
        worker.volume.set()
        await ahead
        assert alone.deadline_seconds == behind.deadline_seconds > worker._settings.execution_timeout

    with_jobs(worker, work)


def _never_wait() -> None:
    raise AssertionError("an earlier ticket is held")
