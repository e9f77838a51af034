"""The simulator held against the formulas of queueing theory, where there are any.

Sources: L. Kleinrock, Queueing Systems, volume 1: M/M/1 (3.2), M/M/c (Erlang C, 3.5), M/G/1 (5.7,
Pollaczek-Khinchine).
"""

import math
import random
from collections.abc import Callable

import pytest

from bench.fleet.model import Endpoint, Job, Machine
from bench.fleet.simulation import simulate

JOBS = 40_000
SERVICE = 10.0
#: Share by which the mean of so many waits, which depend on each other, may miss the formula.
NOISE = 0.08

NOTHING = (0.0, 0.0)
#: A machine that costs nothing beside its jobs.
IDEAL = Machine(
    boot=NOTHING, load=NOTHING, patch=NOTHING, take=NOTHING, pause=NOTHING, upload=NOTHING, crashes=0.0
)


def mean_wait(servers: int, load: float, service: Callable[[random.Random], float]) -> float:
    draw, arrives, jobs = random.Random(5), 0.0, []
    for _ in range(JOBS):
        arrives += draw.expovariate(load * servers / SERVICE)
        jobs.append(Job(arrives, "fast", 0, 0.0, service(draw), 0.0))
    endpoint = Endpoint(max_workers=servers, active_workers=servers, jobs_in_hand=1)
    waits = simulate(jobs, endpoint, IDEAL).waits
    return sum(waits) / len(waits)


def exponential(draw: random.Random) -> float:
    return draw.expovariate(1 / SERVICE)


def erlang_c(servers: int, load: float) -> float:
    """The share of jobs that wait in M/M/c."""
    offered = servers * load
    waiting = offered**servers / math.factorial(servers) / (1 - load)
    return waiting / (sum(offered**k / math.factorial(k) for k in range(servers)) + waiting)


@pytest.mark.parametrize("load", [0.3, 0.7])
def test_one_worker_waits_as_m_m_1(load: float) -> None:
    assert mean_wait(1, load, exponential) == pytest.approx(load / (1 - load) * SERVICE, rel=NOISE)


@pytest.mark.parametrize(("servers", "load"), [(3, 0.6), (10, 0.7)])
def test_several_workers_wait_as_m_m_c(servers: int, load: float) -> None:
    expected = erlang_c(servers, load) * SERVICE / (servers * (1 - load))
    assert mean_wait(servers, load, exponential) == pytest.approx(expected, rel=NOISE)


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_service_times_of_any_shape_wait_as_m_g_1(spread: float) -> None:
    load, low, high = 0.6, SERVICE * (1 - spread), SERVICE * (1 + spread)
    variation = (high - low) ** 2 / 12 / SERVICE**2
    expected = load / (1 - load) * SERVICE * (1 + variation) / 2
    assert mean_wait(1, load, lambda draw: draw.uniform(low, high)) == pytest.approx(expected, rel=NOISE)
