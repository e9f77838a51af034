"""What a simulation is made of: the endpoint's settings, the machines that it gets, the jobs that arrive."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Literal

import simpy

#: What SimPy runs: a generator that yields the events it waits for.
Process = Generator[simpy.Event, Any, None]

#: Lowest and highest of a uniform distribution, in seconds.
Span = tuple[float, float]

Scaler = Literal["queue delay", "request count"]


@dataclass(frozen=True)
class Endpoint:
    """What an operator sets on RunPod and on the worker.

    Attributes:
        max_workers: RunPod's "max workers".
        active_workers: workers that are never stopped.
        idle_timeout: seconds without a job after which a worker that is not active stops.
        scaler: RunPod's scaling strategy.
        scaler_value: seconds for "queue delay", jobs for "request count". RunPod's default is 4 for both.
        jobs_in_hand: jobs that one worker holds at most.
        take_ahead: the second job is taken when the engine is expected to be free within so many seconds;
            None takes it at once.
        warmup: whether a worker loads the fast recipe before it takes its first job.
    """

    max_workers: int = 10
    active_workers: int = 0
    idle_timeout: float = 120.0
    scaler: Scaler = "queue delay"
    scaler_value: float = 4.0
    jobs_in_hand: int = 2
    take_ahead: float | None = 10.0
    warmup: bool = False


@dataclass(frozen=True)
class Machine:
    """What a worker costs beside its jobs. All of it is assumed, and worth measuring on the endpoint itself.

    Attributes:
        boot: seconds from a worker's start until it takes jobs.
        load: seconds in which the first recipe's weights are loaded, drawn once for each worker.
        second_load: share of `load` that the second recipe takes on the same worker.
        resident: whether both recipes stay loaded; otherwise each change of recipe costs `switch`.
        switch: seconds.
        patch: seconds for another camera LoRA than the last one of the recipe.
        take: seconds from asking for a job until it is in hand.
        pause: seconds between two questions of a worker whose places are taken.
        upload: seconds of delivery, beside the next job.
        tail_hidden: whether decoding to file goes on beside the next job's sampling.
        crashes: share of jobs in which the worker is lost.
        requeue: seconds after which the platform gives a lost worker's jobs to others.
        estimate_error: standard deviation of the worker's estimate of when its engine is free, as a share.
    """

    boot: Span = (12.0, 18.0)
    load: Span = (20.0, 120.0)
    second_load: float = 0.75
    resident: bool = True
    switch: Span = (10.0, 20.0)
    patch: Span = (2.0, 4.0)
    take: Span = (0.2, 0.3)
    pause: Span = (0.0, 1.0)
    upload: Span = (1.1, 4.1)
    tail_hidden: bool = True
    crashes: float = 0.005
    requeue: float = 60.0
    estimate_error: float = 0.15


@dataclass
class Job:
    """One job, and what became of it; times are seconds since the simulation began.

    Attributes:
        arrives: when it is sent.
        recipe: "fast" or "pro".
        camera: which camera LoRA it needs.
        media: seconds to fetch and fit what the caller sent.
        sampling: seconds of the engine.
        tail: seconds after the last step of sampling: decode, encode, mux.
        taken, started, finished: when a worker had it in hand, when the engine worked on it, when it was
            answered.
    """

    arrives: float
    recipe: str
    camera: int
    media: float
    sampling: float
    tail: float
    taken: float | None = None
    started: float | None = None
    finished: float | None = None
