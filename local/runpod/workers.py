"""The workers of the endpoint as /health counts them."""

from collections.abc import Collection


class Workers:
    """Which workers there are; one that was registered is initializing until it asks for jobs.

    Attributes:
        throttled: how many more /health says have no machine to run on; set it at will.
    """

    def __init__(self) -> None:
        self.throttled = 0
        self._ready: dict[str, bool] = {}

    def register(self, worker_id: str) -> None:
        """There is a worker, which is not ready yet."""
        self._ready.setdefault(worker_id, False)

    def ask(self, worker_id: str) -> None:
        """The worker asks for jobs."""
        self._ready[worker_id] = True

    def remove(self, worker_id: str) -> None:
        """The worker has ended."""
        self._ready.pop(worker_id, None)

    def is_known(self, worker_id: str) -> bool:
        """Whether the worker was registered and has not ended."""
        return worker_id in self._ready

    def is_ready(self, worker_id: str) -> bool:
        """Whether the worker has asked for jobs."""
        return self._ready.get(worker_id, False)

    def count(self, busy: Collection[str | None]) -> dict[str, int]:
        """Workers by state.

        Arguments:
            busy: ids of those that have a job in hand.
        """
        running = sum(worker in busy for worker in self._ready)
        ready = sum(self._ready.values())
        return {
            "idle": ready - sum(self._ready[worker] for worker in self._ready if worker in busy),
            "initializing": sum(not asks for asks in self._ready.values()),
            "ready": ready,
            "running": running,
            "throttled": self.throttled,
        }
