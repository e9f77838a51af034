"""A thousand jobs on a network that loses and refuses: one POST each, none lost, none paid twice."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest
from pydantic import SecretStr

from local.runpod import (
    LOST_REPLY,
    FakeClock,
    Fault,
    Job,
    Options,
    Platform,
    Route,
    Script,
    ScriptedWorker,
    refused,
    sampling,
    unanswered,
)
from ltx2_api.errors import ErrorCode
from ltx2_client.errors import JobFailed, Ltx2Error, RateLimited, SubmitUnknown, Unreachable
from ltx2_client.journal import Entered, Journal
from ltx2_client.rules import Rules
from ltx2_client.runpod_api import Address
from ltx2_client.submitting import Options as SubmitOptions
from tests.client.outputs import failed_output, video_output
from tests.client.simulation import SimulatedDriver, to_the_end


def dice(chance: random.Random) -> Fault | None:
    """What goes wrong with a request; about one in four has something."""
    roll = chance.random()
    faults = [
        (0.05, LOST_REPLY),
        (0.04, unanswered()),
        (0.05, refused(500)),
        (0.04, refused(502)),
        (0.05, refused(429, Retry_After="2")),
        (0.02, refused(429)),
    ]
    for share, fault in faults:
        if roll < share:
            return fault
        roll -= share
    return None


def play(job: Job) -> Script:
    """Most jobs succeed; some fail with a code."""
    seed = job.input["seed"]
    if seed % 10 == 3:
        code = ErrorCode.GENERATION_FAILED
        return Script(5, failed_output(job.id, code), error="It went wrong.")
    return Script(20 + seed % 40, video_output(job.id, b"", seed=seed), progress=sampling(20))


def rules_on(platform: Platform, journal: Journal | None, chance: random.Random) -> Rules:
    address = Address("http://runpod/v2", platform.options.endpoint_id, SecretStr("key"))
    return Rules(address, journal, None, platform.clock.now, chance.random)


@pytest.mark.parametrize(("jobs", "noted"), [(1000, False), (40, True)], ids=["1000", "40, journal"])
def test_of_a_thousand_jobs_each_is_posted_once_and_none_is_lost_or_paid_twice(
    jobs: int, noted: bool, tmp_path: Path
) -> None:
    chance = random.Random(jobs)
    journal = Journal(tmp_path / "jobs.sqlite") if noted else None
    outcomes: dict[int, object] = {}
    ids: dict[int, str] = {}

    async def whole() -> Platform:
        async with Platform(Options(), FakeClock()) as platform:
            platform.faults.choose = lambda route: dice(chance)
            for number in range(250):
                ScriptedWorker(platform, f"worker-{number}", play)
            rules = rules_on(platform, journal, chance)
            driver = SimulatedDriver(platform, chance)

            async def one(number: int) -> None:
                await platform.clock.sleep(number / 4)
                fields = {"prompt": "A kite.", "preview": True, "seed": number}
                try:
                    ids[number] = await driver.run(rules.submit(fields, SubmitOptions()))
                    outcomes[number] = await driver.run(rules.follow(ids[number], None))
                except Ltx2Error as error:
                    outcomes[number] = error

            await to_the_end(platform, [one(number) for number in range(jobs)])
            return platform

    platform = asyncio.run(whole())
    posts = Counter(
        request.body["input"]["seed"]
        for request in platform.requests
        if request.route is Route.RUN and (request.fault is None or request.fault.served)
    )
    made = Counter(job.input["seed"] for job in platform.queue.jobs.values())
    # Not one job arrived twice; every POST that arrived is one job; none was made twice.
    assert set(posts.values()) == {1}
    assert posts == made
    assert all(len(job.results) <= 1 for job in platform.queue.jobs.values())

    for number in range(jobs):
        outcome = outcomes[number]
        if number in ids:
            # What was submitted came to exactly its own end.
            if number % 10 == 3:
                assert isinstance(outcome, JobFailed) and outcome.code == ErrorCode.GENERATION_FAILED
            else:
                assert getattr(outcome, "seed", None) == number, outcome
        elif number in made:
            # A job that arrived without our hearing of it is said to be unknown, never to have failed.
            assert isinstance(outcome, SubmitUnknown)
        else:
            assert isinstance(outcome, SubmitUnknown | Unreachable | RateLimited)
    assert len(ids) > jobs / 2
    if journal is not None:
        _journal_agrees(journal, ids, outcomes)


def _journal_agrees(journal: Journal, ids: dict[int, str], outcomes: dict[int, object]) -> None:
    entries = journal.entries(at_most=10_000)
    assert {entry.job_id for entry in entries if entry.job_id} == set(ids.values())
    unknown = {number for number, outcome in outcomes.items() if isinstance(outcome, SubmitUnknown)}
    noted = {entry.input["seed"] for entry in entries if entry.state is Entered.UNKNOWN}
    assert noted == unknown
    assert not [entry for entry in entries if entry.state in {Entered.SUBMITTING, Entered.SUBMITTED}]
