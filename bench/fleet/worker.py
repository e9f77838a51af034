"""A simulated worker: it boots, asks for jobs as the SDK's loop does, runs one at a time on its engine."""

import random
from collections.abc import Callable

import simpy

from .job_queue import Bill, JobQueue
from .model import Endpoint, Job, Machine, Process, Span


class Worker:
    """One worker.

    Arguments:
        env: simulated time.
        queue: what it asks for jobs.
        endpoint, machine: how it behaves, and what it costs.
        draw: draws its seconds, and its end.
        bill: what its engine's work is noted on.
        active: whether it is never stopped for want of jobs.
        on_stop: told once when it is gone.
    """

    def __init__(
        self,
        env: simpy.Environment,
        queue: JobQueue,
        endpoint: Endpoint,
        machine: Machine,
        *,
        draw: random.Random,
        bill: Bill,
        active: bool,
        on_stop: Callable[["Worker"], None],
    ) -> None:
        self.active, self.ready, self.began = active, False, env.now
        self._env, self._queue, self._endpoint, self._machine = env, queue, endpoint, machine
        self._draw, self._bill, self._on_stop = draw, bill, on_stop
        self._load = self._seconds(self._machine.load)
        self._hand: list[Job] = []
        self._engine = simpy.Resource(self._env, 1)
        self._running: Job | None = None
        self._expected_end = 0.0
        self._changed = self._env.event()
        self._alive = True
        self._idle_since = 0
        self._loaded: dict[str, int] = {}
        self._last_recipe: str | None = None
        self._env.process(self._live())

    def _seconds(self, span: Span) -> float:
        return self._draw.uniform(*span)

    def _live(self) -> Process:
        """Boot, then ask for jobs until stopped."""
        yield self._env.timeout(self._seconds(self._machine.boot))
        if self._endpoint.warmup:
            yield self._env.timeout(self._load)
            self._loaded["fast"], self._last_recipe = 0, "fast"
        self.ready = True
        self._watch_idleness()
        while self._alive:
            if len(self._hand) >= self._endpoint.jobs_in_hand:
                yield self._changed
                yield self._env.timeout(self._seconds(self._machine.pause))
                continue
            if (hold := self._hold()) > 0:
                yield self._env.timeout(hold) | self._changed
                continue
            yield self._env.timeout(self._seconds(self._machine.take))
            if not self._alive:
                return
            late = self._endpoint.take_ahead is not None
            most = 1 if late else self._endpoint.jobs_in_hand - len(self._hand)
            given: list[Job] = yield self._queue.ask(self, most)
            for job in given:
                self._idle_since += 1
                self._hand.append(job)
                self._env.process(self._run(job))

    def _hold(self) -> float:
        """Seconds for which the worker does not ask for a second job yet."""
        ahead = self._endpoint.take_ahead
        if ahead is None or not self._hand:
            return 0.0
        if any(job is not self._running and job.started is None for job in self._hand):
            return 3600.0  # another one waits for the engine already; a change ends the wait
        left = self._expected_end - self._env.now - ahead
        return left + 0.001 if self._running and left > 0 else 0.0

    def _run(self, job: Job) -> Process:
        machine, fetched = self._machine, self._env.now + job.media
        with self._engine.request() as turn:
            yield turn
            if self._env.now < fetched:
                yield self._env.timeout(fetched - self._env.now)
            if not self._alive:
                return
            load = self._preparation(job)
            job.started = self._env.now + load
            tail = 0.0 if machine.tail_hidden else job.tail
            seconds = load + job.sampling + tail
            self._begin(job, seconds)
            if self._draw.random() < machine.crashes:
                yield self._env.timeout(seconds * self._draw.random())
                if self._alive:
                    self._crash()
                return
            yield self._env.timeout(seconds)
            if not self._alive:
                return
            self._bill.sampled += job.sampling
            self._running = None
            self._tell()
        rest = job.tail if machine.tail_hidden else 0.0
        yield self._env.timeout(rest + self._seconds(machine.upload))
        if self._alive:
            job.finished = self._env.now
            self._hand.remove(job)
            self._queue.in_progress -= 1
            self._tell()
            self._watch_idleness()

    def _preparation(self, job: Job) -> float:
        """Seconds until sampling can begin: weights that are not loaded, another LoRA than the last one."""
        seconds = 0.0
        if job.recipe not in self._loaded:
            seconds += self._load * (self._machine.second_load if self._loaded else 1.0)
        elif not self._machine.resident and self._last_recipe != job.recipe:
            seconds += self._seconds(self._machine.switch)
        if self._loaded.get(job.recipe) != job.camera:
            seconds += self._seconds(self._machine.patch)
        self._loaded[job.recipe], self._last_recipe = job.camera, job.recipe
        return seconds

    def _begin(self, job: Job, seconds: float) -> None:
        error = max(0.5, self._draw.gauss(1.0, self._machine.estimate_error))
        self._running, self._expected_end = job, self._env.now + seconds * error
        self._tell()

    def _tell(self) -> None:
        """Wake what waits for a change of the jobs in hand."""
        changed, self._changed = self._changed, self._env.event()
        changed.succeed()

    def _watch_idleness(self) -> None:
        if not self._hand and not self.active:
            self._idle_since += 1
            self._env.process(self._stop_when_idle(self._idle_since))

    def _stop_when_idle(self, since: int) -> Process:
        yield self._env.timeout(self._endpoint.idle_timeout)
        if self._alive and since == self._idle_since and not self._hand:
            self._stop()

    def _stop(self) -> None:
        self._alive = False
        self._on_stop(self)
        self._queue.withdraw(self)
        self._tell()

    def _crash(self) -> None:
        lost = list(self._hand)
        self._stop()
        self._env.process(self._requeue(lost))

    def _requeue(self, lost: list[Job]) -> Process:
        yield self._env.timeout(self._machine.requeue)
        self._queue.give_back(lost)
