"""RunPod's part: one queue, and a scaler that starts workers for it.

RunPod documents what makes its scaler act, not how often it looks or how many workers it starts at once:
here it looks once a second, and starts one for each late job that no booting worker will take.
Source: RunPod's documentation, "Endpoint settings".
"""

import math
import random
from itertools import islice

import simpy

from .job_queue import Bill, JobQueue
from .model import Endpoint, Job, Machine, Process
from .worker import Worker


class Platform:
    """One endpoint.

    Arguments:
        env: simulated time.
        endpoint: its settings.
        machine: what its workers cost.
        seed: of everything that is drawn.
    """

    def __init__(self, env: simpy.Environment, endpoint: Endpoint, machine: Machine, seed: int) -> None:
        self.bill = Bill()
        self.workers: list[Worker] = []
        self._env, self._endpoint, self._machine = env, endpoint, machine
        self._draw = random.Random(seed)
        self._queue = JobQueue(env, self._draw)
        for _ in range(endpoint.active_workers):
            self._start(active=True)
        env.process(self._scale())

    def submit(self, job: Job) -> None:
        """A job arrives."""
        if not self.workers:
            self._start()
        self._queue.submit(job)

    def _start(self, *, active: bool = False) -> None:
        self.bill.starts += 1
        worker = Worker(
            self._env,
            self._queue,
            self._endpoint,
            self._machine,
            draw=self._draw,
            bill=self.bill,
            active=active,
            on_stop=self._stopped,
        )
        self.workers.append(worker)

    def _stopped(self, worker: Worker) -> None:
        self.bill.paid += self._env.now - worker.began
        self.workers.remove(worker)

    def _scale(self) -> Process:
        while True:
            yield self._env.timeout(1.0)
            active = sum(worker.active for worker in self.workers)
            for _ in range(self._endpoint.active_workers - active):
                self._start(active=True)
            room = self._endpoint.max_workers - len(self.workers)
            for _ in range(min(room, self._wanted())):
                self._start()

    def _wanted(self) -> int:
        """How many workers the scaler would start now, were there room."""
        queue, value = self._queue, self._endpoint.scaler_value
        if self._endpoint.scaler == "request count":
            return math.ceil((len(queue.waiting) + queue.in_progress) / value) - len(self.workers)
        # More late jobs than there can be workers change nothing.
        first = islice(queue.waiting, self._endpoint.max_workers)
        late = sum(self._env.now - job.arrives > value for job in first)
        return late - sum(not worker.ready for worker in self.workers)
