"""Backend, RunPod or webhook are away, and time passes: the video comes once, or the credits come back."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from local.runpod import LOST_REPLY, Emulator, FakeClock, Job, Options, Route, Script, refused
from ltx2_api.reply import VideoResult
from ltx2_client import AsyncClient
from ltx2_studio import generations, ledger, orders
from ltx2_studio.contract import State
from ltx2_studio.database import connect
from ltx2_studio.dispatching import Dispatcher
from ltx2_studio.generations import New, Row
from ltx2_studio.ports import EndpointQueue, ReplyLinks
from ltx2_studio.store import Store
from tests.studio.small_studio import KEY, VIDEO
from tests.studio.small_studio import settings as studio_settings


class Records(ReplyLinks):
    """A bucket in which some jobs' records lie."""

    def __init__(self) -> None:
        self.of: set[str] = set()

    def record(self, job_id: str) -> VideoResult | None:
        made = VIDEO | {"job_id": job_id}
        return VideoResult.model_validate(made, extra="ignore") if job_id in self.of else None


@dataclass
class World:
    """One order, a dispatcher that is called by hand, and a clock that is moved."""

    engine: sa.Engine
    runpod: Emulator
    records: Records
    now: float = 1_000_000.0
    resubmits: int = 1

    async def live(self, *steps: Any) -> Row:
        """Take an order and do the steps: seconds pass, or something is called. The row then."""
        chosen = studio_settings("unused", job_ttl=6 * 3600.0, resubmits=self.resubmits)
        with self.engine.begin() as db:
            ledger.grant(db, "ada", 100, self.now)
        new = New("ada", "first-order", "ltx-2", {"prompt": "A calm sea."}, (), 0)
        row, _ = orders.take(self.engine, new, chosen, self.now)
        return await self.follow(row, *steps)

    async def follow(self, row: Row, *steps: Any) -> Row:
        """Do the steps with a dispatcher that begins now."""
        chosen = studio_settings("unused", job_ttl=6 * 3600.0, resubmits=self.resubmits)
        async with AsyncClient(
            "an-endpoint", KEY, url=self.runpod.base_url, journal=None, timeout=5
        ) as client:
            queue = EndpointQueue(client, chosen.job_ttl)
            store = Store(self.engine, lambda: self.now)
            dispatcher = Dispatcher(store, queue, self.records, chosen)
            for step in steps:
                if isinstance(step, int | float):
                    await asyncio.to_thread(self.pass_, step)
                elif step == "cancel":
                    await dispatcher.cancel(self.row(row))
                elif step == "round":
                    await dispatcher.submit_due()
                    await dispatcher.reconcile_due()
                elif step == "webhook":
                    await dispatcher.heard(row.id, self.job().id)
                else:
                    await asyncio.to_thread(step)
        return self.row(row)

    def pass_(self, seconds: float) -> None:
        self.now += seconds
        self.runpod.advance(seconds)

    def row(self, row: Row) -> Row:
        with self.engine.begin() as db:
            return generations.get(db, row.id)

    def job(self) -> Job:
        (job,) = self.runpod.jobs.values()
        return job

    def balance(self) -> tuple[int, int]:
        with self.engine.begin() as db:
            found = ledger.balance(db, "ada")
        return found.available, found.held


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    engine = connect(f"sqlite:///{tmp_path / 'studio.db'}")
    with Emulator(Options(endpoint_id="an-endpoint", key=KEY), FakeClock()) as runpod:
        yield World(engine, runpod, Records())
    engine.dispose()


def plays(world: World, seconds: float = 60.0, **changes: Any) -> None:
    world.runpod.play(lambda job: Script(seconds, VIDEO | {"job_id": job.id} | changes))


def test_after_40_minutes_away_the_bucket_s_record_brings_the_video(world: World) -> None:
    plays(world)
    row = asyncio.run(world.live("round", lambda: world.records.of.add(world.job().id), 61, 40 * 60, "round"))
    assert (row.state, world.balance()) == (State.SUCCEEDED, (70, 0))
    assert not world.runpod.jobs


def test_a_job_that_nobody_knows_and_that_left_no_record_gives_the_credits_back(world: World) -> None:
    plays(world)
    row = asyncio.run(world.live("round", 61, 40 * 60, "round"))
    assert (row.state, world.balance()) == (State.EXPIRED, (100, 0))
    assert "no video" in (row.error or {})["message"]


def test_a_lost_reply_is_sent_again_once_under_the_same_name_when_no_webhook_comes(world: World) -> None:
    plays(world)
    world.runpod.inject(Route.RUN, LOST_REPLY)
    row = asyncio.run(world.live("round", 10, "round", 25, "round", 61, "round", 61, "round"))
    assert (row.state, world.balance()) == (State.SUCCEEDED, (70, 0))
    names = {job.submission.input["request_id"] for job in world.runpod.jobs.values()}
    assert (names, len(world.runpod.jobs)) == ({row.id}, 2)


def test_the_strict_send_nothing_twice_and_give_the_credits_back_in_the_end(world: World) -> None:
    world.resubmits = 0
    world.runpod.inject(Route.RUN, LOST_REPLY)
    row = asyncio.run(world.live("round", 3600, "round", 6 * 3600, "round"))
    assert (row.state, (row.error or {})["code"], world.balance()) == (State.FAILED, "lost", (100, 0))
    assert len(world.runpod.seen(Route.RUN)) == 1


def test_a_video_that_comes_after_its_credits_went_back_is_given(world: World) -> None:
    world.resubmits = 0
    world.runpod.inject(Route.RUN, LOST_REPLY)
    late = [lambda: plays(world), 61, "webhook"]
    row = asyncio.run(
        world.live("round", 5.9 * 3600, lambda: setattr(world, "now", world.now + 3600), "round", *late)
    )
    assert (row.state, row.error, world.balance()) == (State.SUCCEEDED, None, (100, 0))


def test_a_cancel_of_a_running_job_ends_it_and_costs_nothing(world: World) -> None:
    plays(world)
    row = asyncio.run(world.live("round", 11, "round", "cancel", 11, "round"))
    assert (row.state, world.balance()) == (State.CANCELLED, (100, 0))
    assert str(world.job().status) == "CANCELLED"


def test_a_cancel_in_the_moment_of_completion_leaves_the_video_and_its_price(world: World) -> None:
    plays(world)
    row = asyncio.run(world.live("round", 61, "cancel", "round", 11, "round"))
    assert (row.state, world.balance()) == (State.SUCCEEDED, (70, 0))


def test_a_key_that_runpod_refuses_is_the_operator_s_to_mend_and_fails_no_customer(world: World) -> None:
    plays(world)
    world.runpod.inject(Route.RUN, *[refused(401)] * 2)
    row = asyncio.run(world.live("round", 61, "round"))
    assert (row.state, row.submits, world.balance()) == (State.HELD, 0, (70, 30))
    row = asyncio.run(world.follow(row, "round", 61, "round", 61, "round", 61, "round"))
    assert (row.state, world.balance()) == (State.SUCCEEDED, (70, 0))


def test_three_webhooks_and_a_round_settle_once(world: World) -> None:
    plays(world)
    row = asyncio.run(world.live("round", 61, "webhook", "webhook", "round", "webhook"))
    assert (row.state, world.balance()) == (State.SUCCEEDED, (70, 0))
    with world.engine.begin() as db:
        kinds = sorted(entry.kind for entry in ledger.entries(db, "ada", None, 10))
    assert kinds == ["grant", "hold", "settle"]
