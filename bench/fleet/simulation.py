"""One run: jobs go through an endpoint; waits and costs come out."""

from collections.abc import Sequence
from dataclasses import dataclass

import simpy

from .model import Endpoint, Job, Machine, Process
from .platform import Platform

#: Share of the first jobs that is left out: the endpoint fills up.
_WARMING_UP = 0.05
#: Simulated seconds after the last arrival in which the queue must empty; what is left then is not finished.
_AFTERWARDS = 36_000.0


@dataclass(frozen=True)
class Result:
    """What an endpoint did to its callers and to its bill.

    Attributes:
        waits: seconds from a job's arrival until the engine samples it, in ascending order.
        totals: seconds from a job's arrival until its answer, in ascending order.
        in_hand: seconds from a worker's take until the answer, which an execution timeout counts.
        videos: jobs that were finished.
        unfinished: jobs that were not.
        paid: seconds of workers that are paid, per video.
        busy: share of them in which an engine sampled.
        starts: workers started, per video.
    """

    waits: tuple[float, ...]
    totals: tuple[float, ...]
    in_hand: tuple[float, ...]
    videos: int
    unfinished: int
    paid: float
    busy: float
    starts: float

    def over(self, seconds: float) -> float:
        """Share of jobs that an execution timeout of so many seconds would have ended."""
        return sum(value > seconds for value in self.in_hand) / max(1, len(self.in_hand))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of ascending values lie; 0.0 where there are none."""
    if not values:
        return 0.0
    position = share * (len(values) - 1)
    low = int(position)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (position - low)


def simulate(jobs: Sequence[Job], endpoint: Endpoint, machine: Machine, seed: int = 1) -> Result:
    """Send the jobs to an endpoint and wait until it has done them.

    Arguments:
        jobs: in order of arrival; what becomes of them is written into them.
    """
    env = simpy.Environment()
    platform = Platform(env, endpoint, machine, seed)
    env.process(_arrive(env, platform, jobs))
    last = jobs[-1].arrives
    env.run(until=last + 1.0)
    while any(job.finished is None for job in jobs) and env.now < last + _AFTERWARDS:
        env.run(until=env.now + 60.0)
    bill = platform.bill
    paid = bill.paid + sum(env.now - worker.began for worker in platform.workers)
    done = [job for job in jobs if job.finished is not None]
    counted = [job for job in jobs[int(len(jobs) * _WARMING_UP) :] if job.finished is not None]
    videos = max(1, len(done))
    return Result(
        waits=tuple(sorted((job.started or 0.0) - job.arrives for job in counted)),
        totals=tuple(sorted((job.finished or 0.0) - job.arrives for job in counted)),
        in_hand=tuple(sorted((job.finished or 0.0) - (job.taken or 0.0) for job in counted)),
        videos=len(done),
        unfinished=len(jobs) - len(done),
        paid=paid / videos,
        busy=bill.sampled / paid if paid else 0.0,
        starts=bill.starts / videos,
    )


def _arrive(env: simpy.Environment, platform: Platform, jobs: Sequence[Job]) -> Process:
    for job in jobs:
        if job.arrives > env.now:
            yield env.timeout(job.arrives - env.now)
        platform.submit(job)
