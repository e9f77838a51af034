"""A handler on the SDK's own loop that writes down when it is called: this worker's, or worker-comfyui's.

    python bench/handlers.py                    this worker
    python bench/handlers.py CHECKOUT PORT      worker-comfyui, on the engine that listens there

A line of JSON for each call goes into the file that BENCH_CALLS names, with the system's monotonic clock.
"""

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    """Serve jobs until told to stop; return the exit status."""
    calls = Path(os.environ["BENCH_CALLS"])
    sys.argv, sys.path[0] = sys.argv[:1], str(ROOT)
    if not arguments:
        ours: Any = import_module("handler")
        ours.handler = _noted(ours.handler, calls)
        multiprocessing.set_start_method("spawn")  # as handler.py's own
        return int(ours.main())
    checkout, port = arguments
    sys.path[:1] = [checkout, f"{checkout}/src"]
    other: Any = import_module("handler")
    other.COMFY_HOST = f"127.0.0.1:{port}"
    import_module("runpod").serverless.start({"handler": _noted(other.handler, calls)})
    return 0


def _noted(handler: Callable[..., Any], calls: Path) -> Callable[..., Any]:
    """The same handler; the SDK awaits what it returns, where it is to be awaited."""

    @wraps(handler)
    def note(job: dict[str, Any]) -> Any:
        with calls.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"job": job["id"], "at": time.monotonic()}) + "\n")
        return handler(job)

    return note


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
