"""Two jobs in hand that stand for the same request: one is done, the other waits for its outcome."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .deadline import Deadline

#: How often a waiting job looks whether it was cancelled or is over its deadline, in seconds.
_LOOK_EVERY = 0.5


class RequestLocks:
    """Who works on which request here. Safe to use from several threads.

    A caller who does not know whether a job was taken sends it again under the same `request_id`. RunPod sees
    two jobs; where they meet on one worker, the second waits for the first, and is answered from its record.
    """

    def __init__(self) -> None:
        self._held: set[str] = set()
        self._changed = threading.Condition()

    @contextmanager
    def held(
        self, request_id: str | None, deadline: Deadline, before_waiting: Callable[[], None]
    ) -> Iterator[bool]:
        """Work on a request as the only one; yields whether another job had to be waited for.

        Arguments:
            request_id: None for a job without one, which never waits.
            before_waiting: lets go of what others need in the meantime, such as the turn at the engine: the
                job that is waited for may be behind this one there.

        Raises what `deadline.check` raises.
        """
        if request_id is None:
            yield False
            return
        waited = False
        with self._changed:
            while request_id in self._held:
                if not waited:
                    before_waiting()
                waited = True
                self._changed.wait(_LOOK_EVERY)
                deadline.check()
            self._held.add(request_id)
        try:
            yield waited
        finally:
            with self._changed:
                self._held.discard(request_id)
                self._changed.notify_all()
