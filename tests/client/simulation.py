"""Carries the client's procedures out on the emulator's clock, without sockets: hours pass in a moment."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from local.runpod import Call, FakeClock, HangUp, Platform
from ltx2_client.events import Event
from ltx2_client.wire import Fetch, NotSent, Pause, Procedure, Reply, Request, Tell, Unclear

T = TypeVar("T")
#: Turns of the event loop after which everything that was woken has run to its next wait.
_TURNS = 4


class SimulatedDriver:
    """Carries procedures out on a platform with a `FakeClock`.

    Arguments:
        chance: None for a perfect network; otherwise some requests never leave, by its dice.
        unsent: the share of those.
    """

    def __init__(self, platform: Platform, chance: random.Random | None = None, unsent: float = 0.05) -> None:
        self._platform, self._chance, self._unsent = platform, chance, unsent
        self.asked: list[tuple[float, str]] = []

    async def run(self, procedure: Procedure[T], listen: Callable[[Event], None] | None = None) -> T:
        answer: Any = None
        try:
            while True:
                step = procedure.throw(answer) if isinstance(answer, Exception) else procedure.send(answer)
                try:
                    answer = await self._carry_out(step, listen)
                except (NotSent, Unclear) as error:
                    answer = error
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        finally:
            procedure.close()

    async def _carry_out(self, step: Any, listen: Callable[[Event], None] | None) -> Reply | None:
        if isinstance(step, Tell):
            if listen:
                listen(step.event)
            return None
        if isinstance(step, Pause):
            await self._platform.clock.sleep(step.seconds)
            return None
        assert isinstance(step, Request) and not isinstance(step, Fetch)
        if self._chance is not None and self._chance.random() < self._unsent:
            raise NotSent("the dice say so")
        path = step.url.partition("//")[2].partition("/")[2]
        self.asked.append((self._platform.clock.now(), path))
        call = Call(
            step.method, f"/{path}", {}, {k.lower(): v for k, v in step.headers.items()}, step.content or b""
        )
        try:
            reply = await self._platform.serve(call)
        except HangUp:
            raise Unclear("the connection broke") from None
        return Reply(reply.status, {k.lower(): v for k, v in reply.headers.items()}, reply.content)


async def to_the_end(platform: Platform, work: Iterable[Awaitable[T]]) -> list[T | BaseException]:
    """Move the platform's clock from event to event until all this work is done."""
    clock = platform.clock
    assert isinstance(clock, FakeClock)
    tasks = [asyncio.ensure_future(one) for one in work]
    while not all(task.done() for task in tasks):
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        due = clock.next_at()
        if due is not None:
            await platform.advance(max(0.0, due - clock.now()))
    return await asyncio.gather(*tasks, return_exceptions=True)
