"""The worker's `QueueLoop` in the SDK's real loop, around a handler that does nothing; for tests of takes.

It takes jobs in random moments, and the SDK's own time-out of a request, shortened from 90 s, falls into
every request.
"""

import asyncio
import os
import random
from typing import Any

from ltx2_worker.endpoint import runpod_sdk  # before the SDK  # isort: skip
import runpod
from runpod.serverless.modules import rp_scale

SLOTS = 3
SDK_TIMEOUT = 0.3

chance = random.Random(int(os.environ["SEED"]))


def may_take() -> bool:
    return chance.random() < 0.5


def on_drain() -> None:
    print("drain", flush=True)


queue = runpod_sdk.QueueLoop(may_take, on_drain)


async def handler(job: dict[str, Any]) -> dict[str, Any]:
    queue.arrived(job["id"])
    print("handler-start", job["id"], flush=True)
    await asyncio.sleep(chance.choice((0, 0.01, 0.3)))
    return {"answer": job["input"]}


def concurrency(_current: int) -> int:
    queue.attend()
    return SLOTS


class ImpatientScaler(rp_scale.JobScaler):  # type: ignore[misc]  # the SDK has no types
    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self.jobs_fetcher_timeout = SDK_TIMEOUT


if __name__ == "__main__":
    rp_scale.JobScaler = ImpatientScaler
    runpod_sdk._TICK = 0.01
    runpod_sdk.HOLD_SECONDS = 0.1
    queue.install()
    runpod.serverless.start({"handler": handler, "concurrency_modifier": concurrency})
