"""The queue between callers and workers: jobs wait in it, and workers ask it for jobs.

Which of several workers that wait gets a job is not documented by RunPod: it is drawn.
"""

import random
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass

import simpy

from .model import Job


@dataclass
class Bill:
    """What is paid for, in seconds of a worker.

    Attributes:
        paid: from boot to stop.
        sampled: of it, with the engine at work.
    """

    paid: float = 0.0
    sampled: float = 0.0
    starts: int = 0


class JobQueue:
    """Jobs that wait, and workers that wait for one.

    Arguments:
        env: simulated time.
        draw: chooses among workers.

    Attributes:
        waiting: the jobs, the next one first.
        in_progress: jobs that a worker has in hand.
    """

    def __init__(self, env: simpy.Environment, draw: random.Random) -> None:
        self.waiting: deque[Job] = deque()
        self.in_progress = 0
        self._env, self._draw = env, draw
        self._asking: list[tuple[Hashable, int, simpy.Event]] = []

    def submit(self, job: Job) -> None:
        """A job arrives."""
        self.waiting.append(job)
        self._hand_out()

    def give_back(self, lost: list[Job]) -> None:
        """Jobs of a worker that was lost are the first in the queue again."""
        for job in reversed(lost):
            job.taken = job.started = None
            self.in_progress -= 1
            self.waiting.appendleft(job)
        self._hand_out()

    def ask(self, worker: Hashable, most: int) -> simpy.Event:
        """Return an event that comes with at most `most` jobs, or with none if `worker` is withdrawn."""
        event = self._env.event()
        self._asking.append((worker, most, event))
        self._hand_out()
        return event

    def withdraw(self, worker: Hashable) -> None:
        """A worker asks no more."""
        for entry in [entry for entry in self._asking if entry[0] is worker]:
            self._asking.remove(entry)
            entry[2].succeed([])

    def _hand_out(self) -> None:
        while self.waiting and self._asking:
            entry = self._draw.choice(self._asking)
            self._asking.remove(entry)
            _, most, event = entry
            given = [self.waiting.popleft() for _ in range(min(most, len(self.waiting)))]
            for job in given:
                job.taken = self._env.now
            self.in_progress += len(given)
            event.succeed(given)
