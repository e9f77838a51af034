"""Where this process runs: the one place that asks whether RunPod is around it."""

import os
import sys
from enum import Enum, auto


class RunMode(Enum):
    """How this process gets its jobs; the rules are the SDK's own, in its order (`serverless/worker.py`)."""

    QUEUE = auto()
    API = auto()
    SINGLE = auto()

    @classmethod
    def detect(cls) -> "RunMode":
        """The mode that the command line and the environment ask for."""
        if "--rp_serve_api" in sys.argv:
            return cls.API
        test_input = any(argument.startswith("--test_input") for argument in sys.argv)
        return cls.QUEUE if _has_queue() and not test_input else cls.SINGLE


def on_runpod() -> bool:
    """Whether this is a serverless endpoint of RunPod, whose own disk nobody can read afterwards.

    An endpoint without a queue (a load-balancing one) has an id only.
    """
    return _has_queue() or bool(os.environ.get("RUNPOD_ENDPOINT_ID"))


def _has_queue() -> bool:
    return bool(os.environ.get("RUNPOD_WEBHOOK_GET_JOB"))
