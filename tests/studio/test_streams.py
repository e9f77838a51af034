"""Streams: many of one account, slow ones, and a change that comes while one begins to listen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from ltx2_studio import events, ledger, orders
from ltx2_studio.database import connect, reader_of
from ltx2_studio.events import Change, Changes
from ltx2_studio.generations import New, Row
from tests.studio.small_studio import Studio, settings, sqlite


def test_seven_tabs_hear_of_the_same_order(studio: Studio) -> None:
    with ExitStack() as stack:
        streams = [stack.enter_context(studio.stream()) for _ in range(7)]
        made = studio.ask("first-order").json()["id"]
        assert [next(stream)["id"] for stream in streams] == [made] * 7


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    engine = connect(sqlite(tmp_path))
    with engine.begin() as db:
        for account in ("ada", "bob"):
            ledger.grant(db, account, 100_000, 0.0)
    return engine


def ordered(engine: sa.Engine, number: int, account: str = "ada") -> Row:
    new = New(account, f"order-number-{number}", "ltx-2", {"prompt": "A calm sea."}, (), 0)
    return orders.take(engine, new, settings("unused", open_generations=1000), 0.0)[0]


async def next_of(changes: AsyncIterator[Change | None]) -> Change:
    while True:
        change = await anext(changes)
        if change is not None:
            return change


def test_a_listener_that_was_too_slow_misses_nothing(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST_WAITING", 5)
    monkeypatch.setattr(events, "LOOK_EVERY", 0.01)

    async def listen() -> list[int]:
        changes = Changes(reader_of(engine))
        await changes.begin()
        stream = changes.of("ada", None, 0.05)
        assert await anext(stream) is None  # it listens now
        first = ordered(engine, 0)
        while await changes.tell_new():
            pass
        seen = [(await next_of(stream)).seq]
        assert seen == [first.seq]
        for number in range(1, 30):
            ordered(engine, number)
            ordered(engine, number, "bob")
            await changes.tell_new()
        while len(seen) < 30:
            seen.append((await next_of(stream)).seq)
        return seen

    seen = asyncio.run(listen())
    assert seen == sorted(set(seen))


def test_a_stream_that_ends_is_forgotten(engine: sa.Engine) -> None:
    async def listen() -> tuple[int, int]:
        changes = Changes(reader_of(engine))
        await changes.begin()
        stream = changes.of("ada", 0, 0.01)
        await anext(stream)
        opened = changes.count("ada")
        await stream.aclose()  # type: ignore[attr-defined]
        return opened, changes.listeners

    assert asyncio.run(listen()) == (1, 0)
