"""How long the engine has nothing to do between two jobs that were queued, with a slow upload."""

import time
from itertools import pairwise
from statistics import median

from bench.lab import PREVIEW, running_worker, store
from bench.table import Row, milliseconds
from tests.media.s3_lab import Request, proxy_before

JOBS = 20
UPLOAD_SECONDS = 2.0
#: Generation must take longer than delivery and the second that the SDK waits before it asks for a next job,
#: as it does on the platform, or no order of jobs keeps the engine busy: each preview takes so much longer.
PAUSE_SECONDS = 4.0


def rows() -> list[Row]:
    """Measure with and without a second job in hand."""
    target = "under 50 ms"
    return [
        Row("engine idle between jobs, two in hand", _gaps("2"), target),
        Row("engine idle between jobs, one in hand", _gaps("1")),
    ]


def _gaps(in_hand: str) -> str:
    with store() as url, proxy_before(url) as proxy:
        proxy.rule = _slow_video
        with running_worker(proxy.url, LTX2_JOBS_IN_HAND=in_hand, BENCH_PAUSE=str(PAUSE_SECONDS)) as lab:
            lab.run(PREVIEW)
            times = lab.wait([lab.runpod.submit(PREVIEW | {"seed": seed}) for seed in range(JOBS)])
    prompts = [job.prompt for job in times]
    gaps = milliseconds([later.started - earlier.ended for earlier, later in pairwise(prompts)])
    return f"{gaps}; each took {median(prompt.seconds for prompt in prompts):.1f} s to generate"


def _slow_video(request: Request) -> None:
    if request.method == "PUT" and request.path.endswith(".mp4"):
        time.sleep(UPLOAD_SECONDS)
