"""Jobs in hand that stand for the same request: the later ones wait for the first one's outcome."""

import threading
from collections import deque

from .deadline import Deadline

#: How often a waiting job looks whether it was cancelled or is over its deadline, in seconds.
_LOOK_EVERY = 0.5


class Place:
    """One job's place among those of its request; the first one works, and leaves in the end."""

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id


class RequestQueue:
    """Who works on which request here. Safe to use from several threads.

    A caller who does not know whether a job was taken sends it again under the same `request_id`. RunPod sees
    two jobs; where they meet on one worker, the second waits for the first, and is answered from its record.
    """

    def __init__(self) -> None:
        self._places: dict[str, deque[Place]] = {}
        self._changed = threading.Condition()

    def enter(self, request_id: str | None) -> Place | None:
        """Take the next place, in the order in which jobs take their turns at the engine."""
        if request_id is None:
            return None
        place = Place(request_id)
        with self._changed:
            self._places.setdefault(request_id, deque()).append(place)
        return place

    def wait(self, place: Place | None, deadline: Deadline) -> None:
        """Return when it is this job's turn; raises what `deadline.check` raises."""
        if place is None:
            return
        with self._changed:
            while self._places[place.request_id][0] is not place:
                deadline.check()
                self._changed.wait(_LOOK_EVERY)

    def leave(self, place: Place | None) -> None:
        """Give the place up, from wherever in the row."""
        if place is None:
            return
        with self._changed:
            row = self._places[place.request_id]
            row.remove(place)
            if not row:
                del self._places[place.request_id]
            self._changed.notify_all()
