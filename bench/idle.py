"""How long the engine has nothing to do between two jobs that were queued, with a slow upload."""

import os
import time
from itertools import pairwise
from statistics import median

from bench.lab import PREVIEW, running_worker, store
from bench.table import Row, milliseconds
from tests.storage.s3_server import Request, proxy_before

JOBS = int(os.environ.get("BENCH_IDLE_JOBS", "20"))
UPLOAD_SECONDS = 2.0
#: Generation must take longer than delivery and the second that the SDK waits before it asks for a next job,
#: as it does on the platform, or no order of jobs keeps the engine busy: each preview takes so much longer.
PAUSE_SECONDS = 4.0


def rows() -> list[Row]:
    """Measure with the second job taken late, at once, and not at all."""
    target = "under 50 ms"
    return [
        Row("engine idle between jobs, the second taken 10 s ahead", _gaps(), target),
        Row("engine idle between jobs, the second taken 2 s ahead", _gaps(LTX2_TAKE_AHEAD="2")),
        Row("engine idle between jobs, the second taken at once", _gaps(LTX2_TAKE_AHEAD="3600")),
        Row("engine idle between jobs, one in hand", _gaps(LTX2_JOBS_IN_HAND="1")),
    ]


def _gaps(**settings: str) -> str:
    with store() as url, proxy_before(url) as proxy:
        proxy.rule = _slow_video
        with running_worker(proxy.url, BENCH_PAUSE=str(PAUSE_SECONDS), **settings) as lab:
            lab.run(PREVIEW)
            times = lab.wait([lab.runpod.submit(PREVIEW | {"seed": seed}) for seed in range(JOBS)])
    prompts = [job.prompt for job in times]
    gaps = milliseconds([later.started - earlier.ended for earlier, later in pairwise(prompts)])
    return f"{gaps}; each took {median(prompt.seconds for prompt in prompts):.1f} s to generate"


def _slow_video(request: Request) -> None:
    if request.method == "PUT" and request.path.endswith(".mp4"):
        time.sleep(UPLOAD_SECONDS)
