"""`python -m local.runpod`: RunPod's API on this machine with the real worker behind it.

`python3 -m local serve` sets everything up and starts this with the worker's settings in the environment.
"""

import argparse
import asyncio
import os
import sys
import uuid
from pathlib import Path

from local.places import LOGS, shown
from local.progress import Progress
from local.runpod.ending import signals, until_the_end
from local.runpod.job import Job, Policy
from local.runpod.platform import HOST_NAME, WORKER_KEY, Options, Platform
from local.runpod.server import listening
from local.runpod.worker_api import environment
from local.runpod.worker_process import WorkerProcess

#: How long a worker's request for jobs is held while there is none.
_HOLD_SECONDS = 10.0
#: The worker's own deadline lies 30 s below the execution timeout that it is told (ltx2_worker/settings).
_EXECUTION_TIMEOUT = 600.0
_SHUTDOWN_GRACE = 30.0
#: A ping every ten seconds, as on RunPod, and no line for each.
_QUIET = {"RUNPOD_PING_INTERVAL": "10000", "RUNPOD_DEBUG_LEVEL": "INFO"}


def main() -> int:
    """Serve until SIGINT or SIGTERM; 0 after an orderly end, 1 if the worker ended by itself."""
    parser = argparse.ArgumentParser(prog="python -m local.runpod", description=__doc__, allow_abbrev=False)
    parser.add_argument("--port", type=int, default=8000, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--key", help="what callers must show; anybody may call if left out")
    parser.add_argument("--endpoint", default="ltx2", help="the endpoint's id in the address")
    parser.add_argument("--log", type=Path, default=LOGS / "worker.log", help="where the worker writes")
    options = parser.parse_args()
    platform = Options(
        endpoint_id=options.endpoint,
        key=options.key,
        policy=Policy(execution_timeout=_seconds("LTX2_EXECUTION_TIMEOUT", _EXECUTION_TIMEOUT)),
        hold=_HOLD_SECONDS,
        remember=0,
        # The SDK shows the key in ~/.runpod/config.toml instead of ours where a user has one.
        worker_key=None,
    )
    try:
        return asyncio.run(_serve(platform, options.port, options.log))
    except OSError as error:
        print(f"{error.filename or options.port}: {error.strerror or error}", file=sys.stderr)
        return 1


def _seconds(variable: str, default: float) -> float:
    try:
        return float(os.environ.get(variable) or default)
    except ValueError:
        return default  # the worker refuses it, with a sentence


async def _serve(options: Options, port: int, log: Path) -> int:
    heard = signals()
    async with Platform(options) as platform, listening(platform, "127.0.0.1", port) as bound:
        worker_id = f"worker-{uuid.uuid4().hex[:8]}"
        platform.workers.register(worker_id)
        url = f"http://127.0.0.1:{bound}/v2/{options.endpoint_id}"
        grace = _seconds("LTX2_SHUTDOWN_GRACE", _SHUTDOWN_GRACE)
        variables = environment(url, worker_id, WORKER_KEY, HOST_NAME) | _QUIET
        worker = await WorkerProcess.start(variables, log, grace)
        progress = Progress()
        platform.on_status.append(lambda job: progress.say(_line(job)))
        print(f"RunPod's API for one worker: {url} (/run, /status/ID, ...); the worker's log: {shown(log)}")
        sys.stdout.flush()
        return await until_the_end(worker, heard, platform)


def _line(job: Job) -> str:
    took = f" after {job.ended - job.started:.1f} s" if job.ended and job.started else ""
    return f"{job.id} {job.status}{took}"


if __name__ == "__main__":
    sys.exit(main())
