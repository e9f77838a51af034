"""How often RunPod is asked after a job: often while somebody looks on, never more than it allows in all."""

from collections.abc import Callable
from dataclasses import dataclass

from .contract import State

#: Seconds between two looks at a job, by its state, where its account has a stream open, and where not.
#: A webhook brings the end sooner; after 30 minutes RunPod would have forgotten it.
WATCHED = {State.QUEUED: 5.0, State.RUNNING: 2.0}
UNWATCHED = {State.QUEUED: 15.0, State.RUNNING: 10.0}
#: Looks in a second, for each of the two states. RunPod allows 200 in all (2000 in 10 s, RunPod's
#: documentation, "Send API requests"), and other callers of the endpoint need some.
PER_SECOND = 25.0


@dataclass
class Pace:
    """When to look again.

    Attributes:
        watched: whether an account has a stream open.
        jobs: how many there are in each state; counted from time to time.
    """

    watched: Callable[[str], bool]
    jobs: dict[State, int]

    def seconds(self, account: str, state: State) -> float:
        """Seconds until the next look at a job."""
        often = (WATCHED if self.watched(account) else UNWATCHED)[state]
        return max(often, self.jobs.get(state, 0) / PER_SECOND)
