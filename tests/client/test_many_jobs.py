"""Five hundred jobs followed by one process, over HTTP."""

import asyncio
import time

import pytest

from local.runpod import Emulator, Job, Route, Script, sampling
from ltx2_client import AsyncClient
from tests.client.conftest import KEY
from tests.client.outputs import video_output

JOBS = 500


@pytest.mark.timeout(300)
def test_five_hundred_jobs_are_followed_to_their_ends_by_one_process(runpod: Emulator) -> None:
    def play(job: Job) -> Script:
        seed = job.input["seed"]
        return Script(1 + seed % 5, video_output(job.id, b"x", seed=seed), progress=sampling(1, steps=2))

    async def whole() -> tuple[list[int], float]:
        async with AsyncClient("ltx2", KEY, url=runpod.base_url, journal=None) as client:

            async def one(number: int) -> int:
                job = {"prompt": "A kite.", "preview": True, "seed": number}
                return (await client.run(job)).seed

            spent = time.process_time()
            seeds = await asyncio.gather(*(one(number) for number in range(JOBS)))
            return seeds, time.process_time() - spent

    runpod.play(play, workers=JOBS)
    seeds, seconds = asyncio.run(whole())
    assert seeds == list(range(JOBS))
    assert len(runpod.seen(Route.RUN)) == JOBS
    requests = JOBS + len(runpod.seen(Route.STATUS))
    print(
        f"{requests} requests, {1000 * seconds / requests:.1f} ms of processor time each, emulator included"
    )
