"""Where a running job's progress goes: the platform, or a person's terminal.

Each reporter is a coroutine that runs beside the job and ends soon after `done` is set. Its last post is
finished, or given up, before the job's result is posted.
"""

import asyncio
import logging
from collections.abc import Callable

from rich.console import Console

from ltx2_api.progress import Progress

from .runpod_sdk import open_session, post_progress
from .terminal import Bar

log = logging.getLogger(__name__)

Snapshot = Callable[[], Progress]

#: Seconds between two posts to the platform, at least.
POST_INTERVAL = 1.5
#: A post that takes longer is given up: progress may be lost, a result may not wait for it.
POST_TIMEOUT = 5.0
BAR_INTERVAL = 0.2


async def post_to_platform(job_id: str, snapshot: Snapshot, done: asyncio.Event) -> None:
    """Post progress to RunPod, one post at a time and in order.

    The SDK's own `progress_update` starts a thread for each call and waits for none of them, so that a late
    one can overtake the result and leave the job IN_PROGRESS; this calls what that thread calls, and waits.
    """
    async with open_session() as session:
        while not await _is_set(done, POST_INTERVAL):
            try:
                await asyncio.wait_for(post_progress(session, job_id, snapshot().as_json()), POST_TIMEOUT)
            except TimeoutError:
                log.warning("progress post given up", extra={"after_seconds": POST_TIMEOUT})


async def draw_bar(console: Console, snapshot: Snapshot, done: asyncio.Event) -> None:
    """Draw the progress bar of one job on a terminal."""
    bar = Bar(console)
    try:
        while not await _is_set(done, BAR_INTERVAL):
            bar.show(snapshot())
    finally:
        bar.close()


async def _is_set(event: asyncio.Event, seconds: float) -> bool:
    """Wait up to `seconds` for an event; say whether it is set."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
