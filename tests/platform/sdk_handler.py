"""A handler that does as its job says, to learn what the SDK around it does; started as the worker is."""

import asyncio
import os
from pathlib import Path
from typing import Any

import cpuinfo

cpuinfo.get_cpu_info = dict  # as in ltx2_worker/endpoint/runpod_sdk.py, which a script here cannot import
import runpod  # noqa: E402


async def handler(job: dict[str, Any]) -> Any:
    """Obey the input: `until` (a file to await), `progress`, `exit`, `raise`, `swallow_cancel`, `answer`."""
    orders = job["input"]
    print("handler-start", job["id"], flush=True)
    try:
        if "progress" in orders:
            runpod.serverless.progress_update(job, orders["progress"])
        while "until" in orders and not Path(orders["until"]).exists():
            await asyncio.sleep(0.02)
    except asyncio.CancelledError:
        print("handler-cancelled", job["id"], flush=True)
        if not orders.get("swallow_cancel"):
            raise
    if "exit" in orders:
        os._exit(orders["exit"])
    if "raise" in orders:
        raise RuntimeError(orders["raise"])
    return orders.get("answer", {"ok": True})


def concurrency(current: int) -> int:
    """Two jobs in hand; an optional file turns job-taking off while it exists."""
    switch = os.environ.get("TAKE_NOTHING_FILE")
    return 0 if switch and Path(switch).exists() else 2


if __name__ == "__main__":
    runpod.serverless.start({"handler": handler, "concurrency_modifier": concurrency})
