"""Whatever dies, whenever: one video and one charge, or no video and the credits back.

A crash is an exception between two transactions of the dispatcher, or before one is committed; what goes on
afterwards is a new dispatcher on the same database, as after kill -9.
"""

import asyncio
import random
from collections.abc import Callable
from typing import TypeVar

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.runpod import LOST_REPLY, Emulator, FakeClock, Fault, Job, Options, Route, Script, refused
from ltx2_client import AsyncClient
from ltx2_studio import generations, ledger, orders
from ltx2_studio.contract import FINAL, State
from ltx2_studio.database import connect
from ltx2_studio.dispatching import Dispatcher
from ltx2_studio.generations import New
from ltx2_studio.ports import EndpointQueue, ReplyLinks
from ltx2_studio.store import Store
from ltx2_studio.tables import generations as table
from ltx2_studio.tables import ledger as ledger_table
from tests.studio.small_studio import KEY, VIDEO
from tests.studio.small_studio import settings as studio_settings

T = TypeVar("T")

GRANT, CREDITS, ORDERS = 1000, 30, 3


class Crash(BaseException):
    """The process is gone."""


class MortalStore(Store):
    """Dies before or after one of its transactions."""

    lives = 1_000_000
    after = False

    async def within(self, work: Callable[[sa.Connection], T]) -> T:
        self.lives -= 1
        if self.lives == 0 and not self.after:
            raise Crash
        done = await super().within(work)
        if self.lives == 0:
            raise Crash
        return done


def seconds_of(job: Job) -> Script:
    """Most jobs become videos; some fail, for good or not."""
    draw = random.Random(str(job.input.get("prompt")))
    told = {"faults": [], "job_id": job.id}
    kind = draw.choice(["video", "video", "media_rejected", "engine_crashed"])
    if kind == "video":
        return Script(20, VIDEO | {"job_id": job.id})
    return Script(5, told | {"code": kind, "retryable": kind == "engine_crashed"}, error="It failed.")


def check(engine: sa.Engine) -> None:
    with engine.begin() as db:
        balance = ledger.balance(db, "ada")
        settled = db.scalar(
            sa.select(sa.func.coalesce(sa.func.sum(ledger_table.c.amount), 0)).where(
                ledger_table.c.kind == "settle"
            )
        )
        assert balance.available + balance.held == GRANT - int(settled or 0)
        for state, count in db.execute(sa.select(table.c.state, sa.func.count()).group_by(table.c.state)):
            if State(state) in FINAL:
                ends = db.scalar(
                    sa.select(sa.func.count())
                    .select_from(ledger_table.join(table, table.c.id == ledger_table.c.generation))
                    .where(table.c.state == state, ledger_table.c.kind.in_(("settle", "release")))
                )
                assert ends == count


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    deaths=st.lists(st.tuples(st.integers(1, 8), st.booleans()), max_size=6),
    faults=st.lists(st.sampled_from(["run", "status", "forget", "none"]), max_size=6),
    cancelled=st.sets(st.integers(0, ORDERS - 1), max_size=2),
    seed=st.integers(0, 1000),
)
def test_whatever_dies_each_order_ends_once_and_the_books_balance(
    tmp_path_factory: pytest.TempPathFactory,
    deaths: list[tuple[int, bool]],
    faults: list[str],
    cancelled: set[int],
    seed: int,
) -> None:
    database = tmp_path_factory.mktemp("studio") / "studio.db"
    engine = connect(f"sqlite:///{database}")
    clock = FakeClock()
    try:
        with Emulator(Options(endpoint_id="an-endpoint", key=KEY), clock) as runpod:
            runpod.play(seconds_of, workers=2)
            asyncio.run(_live(engine, runpod, deaths=deaths, faults=faults, cancelled=cancelled, seed=seed))
    finally:
        engine.dispose()


async def _live(
    engine: sa.Engine,
    runpod: Emulator,
    *,
    deaths: list[tuple[int, bool]],
    faults: list[str],
    cancelled: set[int],
    seed: int,
) -> None:
    now = [1_000_000.0]
    chosen = studio_settings("unused", job_ttl=3600.0)
    with engine.begin() as db:
        ledger.grant(db, "ada", GRANT, now[0])
    rows = [
        orders.take(
            engine, New("ada", f"key-of-{n}", "ltx-2", {"prompt": f"{seed} {n}"}, (), 0), chosen, now[0]
        )[0]
        for n in range(ORDERS)
    ]
    async with AsyncClient("an-endpoint", KEY, url=runpod.base_url, journal=None, timeout=5) as client:
        queue = EndpointQueue(client, chosen.job_ttl)
        deaths, faults = list(deaths), list(faults)
        for _ in range(400):
            store = MortalStore(engine, lambda: now[0])
            dispatcher = Dispatcher(store, queue, ReplyLinks(), chosen)
            if deaths:
                store.lives, store.after = deaths.pop()
            if faults:
                _harm(runpod, faults.pop())
            try:
                if cancelled:
                    # As it was taken: what a cancel has read may be old by the time that it writes.
                    await dispatcher.cancel(rows[cancelled.pop()])
                await dispatcher.submit_due()
                await dispatcher.reconcile_due()
            except Crash:
                pass
            check(engine)
            with engine.begin() as db:
                if all(generations.get(db, row.id).state in FINAL for row in rows):
                    break
            now[0] += 31
            runpod.advance(31)
        with engine.begin() as db:
            ended = [generations.get(db, row.id) for row in rows]
    assert all(row.state in FINAL for row in ended), [row.state for row in ended]
    assert not [job.id for job in runpod.jobs.values() if not job.status.is_final]
    for row in ended:
        assert (row.reply is not None) == (row.state is State.SUCCEEDED)


def _harm(runpod: Emulator, kind: str) -> None:
    fault: dict[str, tuple[Route, Fault]] = {
        "run": (Route.RUN, LOST_REPLY),
        "status": (Route.STATUS, refused(500)),
    }
    if kind in fault:
        runpod.inject(*fault[kind])
    elif kind == "forget" and runpod.jobs:
        runpod.forget(next(iter(runpod.jobs.values())))
