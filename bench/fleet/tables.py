"""Writes the tables of docs/fleet.md, and a month in docs/deploy.md: `python -m bench.fleet.tables`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from . import picture, report, traffic
from .model import Endpoint, Job, Machine, Scaler
from .simulation import Result, percentile, simulate

DOCS = Path(__file__).parents[2] / "docs"
FLEET, DEPLOY = DOCS / "fleet.md", DOCS / "deploy.md"
#: Of a GPU of the H100 class, to show how to reckon; dollars.
GPU_HOUR = 4.0
#: What a month is reckoned for.
VIDEOS = 500_000

MIX = traffic.Mix()
ONE = Endpoint(jobs_in_hand=1)
EAGER = Endpoint(take_ahead=None)
LATE = Endpoint()
#: Decoding and encoding keep the engine, as before frames were streamed.
WITH_TAIL = Machine(tail_hidden=False)
HIDDEN = Machine()
POLICIES: dict[str, tuple[Endpoint, Machine]] = {
    "one job in hand": (ONE, WITH_TAIL),
    "two, taken at once": (EAGER, WITH_TAIL),
    "two, the second late": (LATE, WITH_TAIL),
    "two, the second late, the next job samples while one is encoded": (LATE, HIDDEN),
}
LOADS = (0.3, 0.6, 0.85, 0.95)
HOURS = 24.0
SEED = 1

Rows = Mapping[str, Result]


def rate(load: float, endpoint: Endpoint) -> float:
    """Jobs an hour that are a load on an endpoint, as a share of its largest number of workers."""
    return load * endpoint.max_workers * 3600 / MIX.mean_seconds()


def steady(load: float, endpoint: Endpoint, machine: Machine) -> Result:
    """A day of jobs that arrive at random, at one rate."""
    times = traffic.steady(rate(load, endpoint), HOURS, SEED)
    return simulate(_jobs(times), endpoint, machine)


def day(load: float, endpoint: Endpoint, machine: Machine) -> Result:
    """A day whose busiest hour has ten times the jobs of the quietest."""
    times = traffic.day(rate(load, endpoint), HOURS, SEED)
    return simulate(_jobs(times), endpoint, machine)


def _jobs(times: list[float]) -> list[Job]:
    return traffic.jobs(times, MIX, SEED)


def _second_job() -> str:
    rows = {
        f"load {load}: {name}": steady(load, endpoint, machine)
        for load in LOADS
        for name, (endpoint, machine) in POLICIES.items()
    }
    return report.markdown("load and policy", rows)


def _idle_timeout() -> str:
    rows = {
        f"{what} day (mean load {load}), idle timeout {seconds} s": day(
            load, replace(LATE, idle_timeout=float(seconds)), HIDDEN
        )
        for what, load in (("busy", 0.35), ("quiet", 0.05))
        for seconds in (5, 60, 120, 180, 300)
    }
    for what, load in (("busy", 0.35), ("quiet", 0.05)):
        rows[f"{what} day, idle timeout 60 s, one active worker"] = day(
            load, replace(LATE, idle_timeout=60.0, active_workers=1), HIDDEN
        )
    return report.markdown("idle timeout", rows)


def _scaler() -> str:
    scalers: list[tuple[Scaler, float]] = [("queue delay", value) for value in (4.0, 15.0, 30.0, 60.0)]
    scalers += [("request count", value) for value in (1.0, 2.0, 4.0)]
    rows = {
        f"load {load}: {scaler} {value:.0f}": steady(
            load,
            replace(LATE, scaler=scaler, scaler_value=value),
            HIDDEN,
        )
        for load in (0.3, 0.6)
        for scaler, value in scalers
    }
    return report.markdown("load and scaler", rows)


def _workers() -> str:
    machines = {
        "weights load in 20 to 120 s": HIDDEN,
        "weights load in 15 to 25 s": replace(HIDDEN, load=(15.0, 25.0)),
        "weights load in 100 to 200 s": replace(HIDDEN, load=(100.0, 200.0)),
        "a change of recipe costs 10 to 20 s": replace(HIDDEN, resident=False),
        "a change of recipe costs 30 to 60 s": replace(HIDDEN, resident=False, switch=(30.0, 60.0)),
        "a change of camera costs nothing": replace(HIDDEN, patch=(0.0, 0.0)),
        "a change of camera costs 5 to 8 s": replace(HIDDEN, patch=(5.0, 8.0)),
    }
    rows = {
        f"load {load}: {name}": steady(load, LATE, machine)
        for load in (0.3, 0.85)
        for name, machine in machines.items()
    }
    for load in (0.3, 0.85):
        rows[f"load {load}: LTX2_WARMUP=fast"] = steady(load, replace(LATE, warmup=True), HIDDEN)
    return report.markdown("load and worker", rows)


@cache
def _of_a_month() -> dict[int, tuple[float, Result]]:
    """Max workers -> the mean load that a month's videos are for them, and a day of it."""
    rows = {}
    for workers in (20, 25, 30, 35, 40, 50):
        endpoint = replace(LATE, max_workers=workers)
        load = VIDEOS / 30 / 24 / rate(1.0, endpoint)
        rows[workers] = load, day(load, endpoint, HIDDEN)
    return rows


def _month() -> str:
    rows = {
        f"max workers {workers} (mean load {load:.2f})": result
        for workers, (load, result) in _of_a_month().items()
    }
    return report.markdown(f"{VIDEOS:,} videos a month", rows)


def _month_in_money() -> str:
    """The same as an operator has to buy it."""
    lines = [
        ("max workers", "load, mean", "load, busiest hour", "p95 wait, s", "GPU hours", "dollars"),
        ("---",) * 6,
    ]
    for workers, (load, result) in _of_a_month().items():
        hours = VIDEOS * result.paid / 3600
        busiest = load * (1 + traffic.swing(traffic.RATIO))
        wait = f"{percentile(result.waits, 0.95):,.0f}"
        lines.append(
            (
                *(f"{workers}", f"{load:.2f}", f"{busiest:.2f}", wait),
                *(f"{hours:,.0f}", f"{hours * GPU_HOUR:,.0f}"),
            )
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


TABLES: dict[str, tuple[Path, Callable[[], str]]] = {
    "second job": (FLEET, _second_job),
    "idle timeout": (FLEET, _idle_timeout),
    "scaler": (FLEET, _scaler),
    "workers": (FLEET, _workers),
    "month": (FLEET, _month),
    "a month in money": (DEPLOY, _month_in_money),
}


def main() -> None:
    """Simulate everything and write it into the documents, and the picture beside them."""
    for name, (document, table) in TABLES.items():
        text = document.read_text(encoding="utf-8")
        before, start, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        assert start and end, f"{document.name} has no place for {name}"
        document.write_text(before + start + table() + end + after, encoding="utf-8")
    loads = tuple(step / 10 for step in range(1, 10))
    lines = {
        name: [steady(load, endpoint, machine) for load in loads]
        for name, (endpoint, machine) in POLICIES.items()
    }
    picture.draw(DOCS / "fleet.svg", loads, lines)


if __name__ == "__main__":
    main()
