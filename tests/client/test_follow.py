"""Following a job: nothing but its own end, or the caller's deadline, ends the wait."""

import asyncio
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from local.runpod import FakeClock, Fault, Job, Platform, Route, Script, ScriptedWorker, refused, sampling
from ltx2_api.errors import ErrorCode
from ltx2_client import Cancelled, Expired, JobFailed, Policy, TimedOut, Unauthorized
from ltx2_client.errors import BadReply
from ltx2_client.events import Done, Event, Queued, Running, Troubled
from ltx2_client.journal import Entered, Journal
from ltx2_client.outcome import Outcome
from ltx2_client.rules import Rules
from ltx2_client.runpod_api import Address
from ltx2_client.submitting import Options
from tests.client.outputs import failed_output, video_output
from tests.client.simulation import SimulatedDriver, to_the_end

JOB = {"prompt": "A kite.", "preview": True}


class Followed:
    """One job followed on a clock of its own: what was told, what it came to, what was asked when."""

    def __init__(
        self,
        play: Callable[[Job], Script] | None = None,
        *,
        before: Callable[[Platform], object] | None = None,
        at: dict[float, Callable[[Platform, Job], object]] | None = None,
        timeout: float | None = None,
        journal: Journal | None = None,
        policy: Policy | None = None,
    ) -> None:
        self.events: list[tuple[float, Event]] = []
        self.asked: list[tuple[float, str]] = []
        self.outcome: Outcome | BaseException | None = None
        self.ended_at = 0.0
        self._before, self._at, self._timeout, self._journal = before, at or {}, timeout, journal
        self._policy = policy
        asyncio.run(self._run(play))

    async def _run(self, play: Callable[[Job], Script] | None) -> None:
        async with Platform(clock=FakeClock()) as self.platform:
            if play:
                ScriptedWorker(self.platform, "worker", play)
            if self._before:
                self._before(self.platform)
            (result,) = await to_the_end(self.platform, [self._follow()])
            self.outcome = result
            self.ended_at = self.platform.clock.now()

    async def _follow(self) -> Outcome:
        platform = self.platform
        driver = SimulatedDriver(platform)
        address = Address("http://runpod/v2", platform.options.endpoint_id, SecretStr("key"))
        rules = Rules(address, self._journal, None, platform.clock.now, random.Random(1).random)
        job_id = await driver.run(rules.submit(JOB, Options(policy=self._policy)))
        for seconds, change in self._at.items():
            job = platform.queue.jobs[job_id]
            platform.clock.call_later(seconds, partial(change, platform, job))
        self.asked = driver.asked

        def listen(event: Event) -> None:
            self.events.append((platform.clock.now(), event))

        return await driver.run(rules.follow(job_id, self._timeout), listen)

    def status_times(self) -> list[float]:
        return [at for at, path in self.asked if "/status/" in path]


def done(seconds: float = 10, **changes: Any) -> Callable[[Job], Script]:
    return lambda job: Script(seconds, video_output(job.id, b"x", **changes), progress=sampling(seconds))


def failing(code: ErrorCode) -> Callable[[Job], Script]:
    return lambda job: Script(1, failed_output(job.id, code), error="It went wrong.")


def test_a_job_is_told_from_the_queue_to_its_end() -> None:
    followed = Followed(done(30))
    kinds = [type(event) for _, event in followed.events]
    assert kinds[0] in {Queued, Running} and kinds[-1] is Done
    percents = [event.percent for _, event in followed.events if isinstance(event, Running) and event.percent]
    assert percents == sorted(percents)
    assert any(isinstance(e, Running) and e.stage == "sampling" and e.steps == 8 for _, e in followed.events)


@pytest.mark.parametrize("seconds", [3, 20, 90, 600])
def test_a_job_is_known_to_be_done_within_one_interval_and_asked_after_thriftily(seconds: float) -> None:
    # RunPod's own default would end the longest of them.
    followed = Followed(done(seconds), policy=Policy(execution_timeout=3600))
    assert followed.ended_at - seconds <= 7
    assert len(followed.status_times()) <= 8 + seconds / 2


def test_near_its_end_a_job_is_asked_after_every_second() -> None:
    followed = Followed(done(60))
    assert followed.ended_at - 60 <= 2


def test_a_job_that_waits_long_is_told_why() -> None:
    followed = Followed(None, timeout=200)
    reasons = [event.reason for _, event in followed.events if isinstance(event, Queued) and event.reason]
    assert "no workers" in reasons[0]
    assert isinstance(followed.outcome, TimedOut)
    assert sum("/health" in path for _, path in followed.asked) <= 3


def test_progress_is_never_taken_for_a_result() -> None:
    """RunPod may show a late progress post in a finished job's place."""

    def overwrite(platform: Platform, job: Job) -> None:
        job.output, kept = {"percent": 99, "stage": "delivering", "seconds_left": 1}, job.output
        platform.clock.call_later(3, lambda: setattr(job, "output", kept))

    followed = Followed(done(5), at={5.01: overwrite})
    assert getattr(followed.outcome, "seed", None) == 7


def test_a_job_that_is_completed_without_a_result_is_an_error_in_the_end() -> None:
    followed = Followed(lambda job: Script(2, {"percent": 99, "stage": "sampling", "seconds_left": 1}))
    assert isinstance(followed.outcome, BadReply)


def test_no_number_of_failed_requests_ends_a_job() -> None:
    """The cable is out for five minutes."""

    def out(platform: Platform, _job: Job) -> None:
        platform.faults.choose = lambda route: Fault(served=False, answered=False)

    def back(platform: Platform, _job: Job) -> None:
        platform.faults.choose = None

    followed = Followed(done(60), at={10: out, 310: back})
    assert getattr(followed.outcome, "seed", None) == 7
    assert sum(isinstance(event, Troubled) for _, event in followed.events) >= 8
    assert followed.ended_at <= 310 + 31
    assert len([at for at in followed.status_times() if 10 < at < 310]) <= 20


def test_retry_after_is_kept_to() -> None:
    def limit(platform: Platform) -> None:
        platform.faults.inject(Route.STATUS, refused(429, Retry_After="25"))

    followed = Followed(done(5), before=limit)
    first, second = followed.status_times()[:2]
    assert 25 <= second - first <= 26


def test_a_wait_ends_at_its_deadline_and_the_job_goes_on() -> None:
    followed = Followed(done(500), timeout=33)
    assert isinstance(followed.outcome, TimedOut)
    assert followed.outcome.job_id in followed.platform.queue.jobs
    assert 33 <= followed.ended_at <= 34


def test_a_failed_job_says_code_and_sentence(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "jobs.sqlite")
    followed = Followed(failing(ErrorCode.OUT_OF_MEMORY), journal=journal)
    error = followed.outcome
    assert isinstance(error, JobFailed)
    assert (error.code, error.message, error.retryable) == ("out_of_memory", "It went wrong.", False)
    (entry,) = journal.entries()
    assert (entry.state, entry.error) == (Entered.FAILED, "It went wrong.")


def test_a_failure_without_a_code_shows_no_traceback() -> None:
    trace = "Traceback (most recent call last):\n  File '/app/handler.py', line 1\nValueError: secret"
    followed = Followed(lambda job: Script(1, None, error=trace))
    error = followed.outcome
    assert isinstance(error, JobFailed)
    assert error.code == "unknown"
    assert "Traceback" not in error.message and "secret" not in error.message


def test_a_newer_workers_words_are_understood_as_far_as_they_go() -> None:
    def newer(job: Job) -> Script:
        progress = {"percent": 5, "stage": "dreaming", "mood": "good"}
        return Script(5, video_output(job.id, b"") | {"smell": "sea"}, progress=((1.0, progress),))

    followed = Followed(newer)
    assert getattr(followed.outcome, "seed", None) == 7
    assert any(isinstance(event, Running) and event.stage == "dreaming" for _, event in followed.events)


def test_a_job_cancelled_by_somebody_is_cancelled() -> None:
    followed = Followed(done(60), at={10: lambda platform, job: platform.queue.cancel(job)})
    assert isinstance(followed.outcome, Cancelled)


def test_a_job_that_outran_the_execution_timeout_is_failed_and_retryable() -> None:
    followed = Followed(done(600), policy=Policy(execution_timeout=20))
    assert isinstance(followed.outcome, JobFailed)
    assert (followed.outcome.code, followed.outcome.retryable) == ("timed_out", True)


def test_a_job_that_runpod_has_forgotten_is_expired(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "jobs.sqlite")
    followed = Followed(done(60), at={10: lambda platform, job: platform.queue.delete(job)}, journal=journal)
    assert isinstance(followed.outcome, Expired)
    (entry,) = journal.entries()
    assert entry.state is Entered.EXPIRED


def test_one_not_found_is_not_believed() -> None:
    def lapse(platform: Platform) -> None:
        platform.faults.inject(Route.STATUS, refused(404), refused(404))

    assert getattr(Followed(done(5), before=lapse).outcome, "seed", None) == 7


def test_a_key_that_stays_refused_ends_the_wait() -> None:
    def revoke(platform: Platform, _job: Job) -> None:
        platform.faults.choose = lambda route: refused(401)

    followed = Followed(done(60), at={10: revoke})
    assert isinstance(followed.outcome, Unauthorized)


def test_a_page_of_some_proxy_is_not_the_jobs_end() -> None:
    def portal(platform: Platform) -> None:
        platform.faults.inject(Route.STATUS, *[refused(200)] * 6)

    assert getattr(Followed(done(30), before=portal).outcome, "seed", None) == 7
