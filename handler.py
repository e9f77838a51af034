"""RunPod's entry point: jobs from the platform's queue, from a local API server, or one from a file.

    python handler.py                       runs test_input.json and exits
    python handler.py --test_input '{...}'  runs that job and exits
    python handler.py --rp_serve_api        serves /run, /runsync and /status on port 8000

On the platform the SDK finds its queue in the environment. The SDK's heartbeat process imports this file
again, so importing it does no work.
"""

import logging
import multiprocessing
import os
import signal
import sys
from functools import cache
from typing import Any

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback at Ctrl+C while the packages are being loaded

from ltx2_worker.endpoint import runpod_sdk  # before the SDK  # isort: skip
import runpod
from pydantic import ValidationError

from ltx2_api.errors import WorkerError
from ltx2_worker import logs, telemetry
from ltx2_worker.endpoint.endpoint import Endpoint
from ltx2_worker.run_mode import RunMode
from ltx2_worker.settings import Settings, unknown_variables, variable


@cache
def endpoint() -> Endpoint:
    """The endpoint of this process, made from its environment."""
    return Endpoint(Settings(), RunMode.detect())


async def handler(job: dict[str, Any]) -> dict[str, Any]:
    """Run one job; see docs/api.md for what goes in and comes out."""
    return await endpoint().handle(job)


def main() -> int:
    """Serve jobs until told to stop; return the exit status."""
    mode = RunMode.detect()
    quiet = mode is RunMode.SINGLE and sys.stdout.isatty()
    level = "WARNING" if quiet else "INFO"
    logs.set_up(as_json=mode is RunMode.QUEUE, level=level, without={"job failed"} if quiet else ())
    exporting = telemetry.start(os.environ)
    try:
        return _serve(mode, level)
    finally:
        if exporting is not None:
            exporting.close()


def _serve(mode: RunMode, level: str) -> int:
    # By default the SDK writes whole jobs and results, prompts included, into the log.
    runpod_sdk.set_log_level(level.removesuffix("ING"))
    if wrong := runpod_sdk.wrong_version() or runpod_sdk.shared_memory_fault():
        return _refuse(wrong, mode)
    for name in unknown_variables(os.environ):
        logging.getLogger("ltx2_worker").warning("unknown setting", extra={"variable": name})
    try:
        endpoint().start()
    except ValidationError as error:
        wrong = "; ".join(f"{variable(str(e['loc'][0]))}: {e['msg']}" for e in error.errors())
        return _refuse(f"The settings are wrong: {wrong}.", mode)
    except WorkerError as error:
        return _refuse(error.message, mode)
    except OSError as error:
        return _refuse(f"{error.filename}: {error.strerror}.", mode)
    try:
        runpod.serverless.start({"handler": handler, "concurrency_modifier": endpoint().concurrency})
    finally:
        status = endpoint().stop()
    return status


def _refuse(why: str, mode: RunMode) -> int:
    if mode is RunMode.QUEUE:  # where a machine reads the log, it is an event like any other
        logging.getLogger("ltx2_worker").critical("worker does not start", extra={"why": why})
    else:
        sys.stderr.write(f"The worker does not start. {why}\n")
    return 1


if __name__ == "__main__":
    # The SDK's heartbeat must not be a fork: one made while the engine is being started would keep the pipe
    # open on which that start waits, and no job would ever be done.
    multiprocessing.set_start_method("spawn")
    sys.exit(main())
