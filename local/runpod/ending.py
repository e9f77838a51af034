"""Serving with one worker until a signal comes, or until the worker ends by itself."""

import asyncio
import signal
import sys
from contextlib import suppress

from local.runpod.platform import Platform
from local.runpod.worker_process import WorkerProcess

_WEBHOOK_SECONDS = 10.0


def signals() -> "asyncio.Queue[int]":
    """SIGINT and SIGTERM from now on, as they come; they end nothing by themselves."""
    heard: asyncio.Queue[int] = asyncio.Queue()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, heard.put_nowait, number)
    return heard


async def until_the_end(worker: WorkerProcess, heard: "asyncio.Queue[int]", platform: Platform) -> int:
    """Wait for a signal, then for the jobs in hand; a second signal ends at once.

    Returns:
        The exit status: 0 after an orderly end, 1 if the worker ended by itself.
    """
    ended = asyncio.create_task(worker.wait())
    told = asyncio.create_task(heard.get())
    await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
    if ended.done():
        told.cancel()
        print(f"The worker ended with status {ended.result()}:\n{worker.last_lines}", file=sys.stderr)
        return 1
    if platform.queue.in_hand():
        print("Ending when the jobs in hand are done; once more ends at once.", flush=True)
    stopping = asyncio.create_task(worker.stop())
    again = asyncio.create_task(heard.get())
    await asyncio.wait({stopping, again}, return_when=asyncio.FIRST_COMPLETED)
    if again.done():
        worker.kill()
    again.cancel()
    await stopping
    with suppress(TimeoutError):
        await asyncio.wait_for(platform.webhooks.settle(), _WEBHOOK_SECONDS)
    if platform.queue.waiting:
        print(f"{platform.queue.waiting} waiting jobs are gone: this queue is kept in memory.", flush=True)
    return 0
