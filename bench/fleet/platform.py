"""RunPod's part: one queue, workers that ask it for jobs, and a scaler that starts them.

RunPod documents what makes its scaler act, not how often it looks or how many workers it starts at once:
here it looks once a second, and starts one for each late job that no booting worker will take. Which of
several workers that wait gets a job is not documented either: it is drawn.
Source: RunPod's documentation, "Endpoint settings".
"""

import math
import random
from collections import deque
from dataclasses import dataclass
from itertools import islice

import simpy

from .model import Endpoint, Job, Machine, Process
from .worker import Worker


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


class Platform:
    """One endpoint.

    Arguments:
        env: simulated time.
        endpoint: its settings.
        machine: what its workers cost.
        seed: of everything that is drawn.
    """

    def __init__(self, env: simpy.Environment, endpoint: Endpoint, machine: Machine, seed: int) -> None:
        self.env, self.endpoint, self.machine = env, endpoint, machine
        self.draw = random.Random(seed)
        self.bill = Bill()
        self.workers: list[Worker] = []
        self.in_progress = 0
        self._queue: deque[Job] = deque()
        self._asking: list[tuple[Worker, int, simpy.Event]] = []
        for _ in range(endpoint.active_workers):
            self._start(active=True)
        env.process(self._scale())

    def submit(self, job: Job) -> None:
        """A job arrives."""
        self._queue.append(job)
        if not self.workers:
            self._start()
        self._hand_out()

    def give_back(self, lost: list[Job]) -> None:
        """Jobs of a worker that was lost are the first in the queue again."""
        for job in reversed(lost):
            job.taken = job.started = None
            self.in_progress -= 1
            self._queue.appendleft(job)
        self._hand_out()

    def ask(self, worker: Worker, most: int) -> simpy.Event:
        """Return an event that comes with at most `most` jobs, or with none if `worker` is stopped."""
        event = self.env.event()
        self._asking.append((worker, most, event))
        self._hand_out()
        return event

    def left(self, worker: Worker) -> None:
        """A worker is gone: it is paid for, and asks no more."""
        self.bill.paid += self.env.now - worker.began
        self.workers.remove(worker)
        for entry in [entry for entry in self._asking if entry[0] is worker]:
            self._asking.remove(entry)
            entry[2].succeed([])

    def _hand_out(self) -> None:
        while self._queue and self._asking:
            entry = self.draw.choice(self._asking)
            self._asking.remove(entry)
            _, most, event = entry
            given = [self._queue.popleft() for _ in range(min(most, len(self._queue)))]
            for job in given:
                job.taken = self.env.now
            self.in_progress += len(given)
            event.succeed(given)

    def _start(self, *, active: bool = False) -> None:
        self.bill.starts += 1
        self.workers.append(Worker(self, active=active))

    def _scale(self) -> Process:
        while True:
            yield self.env.timeout(1.0)
            active = sum(worker.active for worker in self.workers)
            for _ in range(self.endpoint.active_workers - active):
                self._start(active=True)
            room = self.endpoint.max_workers - len(self.workers)
            for _ in range(min(room, self._wanted())):
                self._start()

    def _wanted(self) -> int:
        """How many workers the scaler would start now, were there room."""
        value = self.endpoint.scaler_value
        if self.endpoint.scaler == "request count":
            return math.ceil((len(self._queue) + self.in_progress) / value) - len(self.workers)
        # More late jobs than there can be workers change nothing.
        first = islice(self._queue, self.endpoint.max_workers)
        late = sum(self.env.now - job.arrives > value for job in first)
        return late - sum(not worker.ready for worker in self.workers)
