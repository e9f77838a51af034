"""RunPod around the worker: jobs in, progress and replies out, and an orderly end."""

from .endpoint import Endpoint, Mode

__all__ = ["Endpoint", "Mode"]
