"""Webhooks as the cloud sends them: unsigned, the whole input in the body, three tries ten seconds apart.

Source: docs.runpod.io, serverless/endpoints/send-requests ("Webhook notifications"); runpod/runpod-python
issues 409 (the body), 410 (sent for failures too) and 413 (no signature).
"""

import asyncio

from aiohttp import ClientError, ClientSession, ClientTimeout

from local.runpod.clock import Clock
from local.runpod.faults import Fault, Faults, Route
from local.runpod.job import Job

TRIES = 3
PAUSE_SECONDS = 10.0
#: How long an answer may take; RunPod does not say (decided here).
ANSWER_SECONDS = 10.0


class Webhooks:
    """Sends what callers asked for, beside everything else; start it on the event loop.

    Arguments:
        clock: the pauses are measured with it.
        faults: those of Route.WEBHOOK meet one try each.
    """

    def __init__(self, clock: Clock, faults: Faults) -> None:
        self._clock = clock
        self._faults = faults
        self._session: ClientSession | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._on_the_wire = 0
        self._quiet = asyncio.Event()

    async def start(self) -> None:
        """Make ready to send."""
        self._session = ClientSession(timeout=ClientTimeout(total=ANSWER_SECONDS))

    async def stop(self) -> None:
        """Give up what is not yet sent."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._session:
            await self._session.close()

    def send(self, job: Job) -> None:
        """Send a job's webhook, if it has one; the tries are noted in `job.webhooks`."""
        if job.submission.webhook:
            task = asyncio.get_running_loop().create_task(
                self._try(job, job.submission.webhook, job.for_webhook())
            )
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def settle(self) -> None:
        """Return when every try has been answered that is due now; pauses and delays are not waited for."""
        await asyncio.sleep(0)  # a task that was just made begins
        while self._on_the_wire:
            self._quiet.clear()
            await self._quiet.wait()
            await asyncio.sleep(0)

    async def _try(self, job: Job, url: str, body: dict[str, object]) -> None:
        for number in range(TRIES):
            if number:
                await self._clock.sleep(PAUSE_SECONDS)
            fault = self._faults.next(Route.WEBHOOK) or Fault()
            if fault.delay:
                await self._clock.sleep(fault.delay)
            answer = await self._post(url, body) if fault.served else "lost"
            if not fault.answered:
                answer = "lost"
            job.webhooks.append(answer)
            if answer == 200:
                return

    async def _post(self, url: str, body: dict[str, object]) -> int | str:
        assert self._session, "Webhooks.start was not awaited"
        self._on_the_wire += 1
        try:
            async with self._session.post(url, json=body, allow_redirects=False) as response:
                await response.read()
                return response.status
        except (ClientError, TimeoutError, ValueError) as error:
            return type(error).__name__
        finally:
            self._on_the_wire -= 1
            self._quiet.set()
