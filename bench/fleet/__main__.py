"""`python3 -m local fleet`: the operator's own numbers in; waits, cost, and what to change, out."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from . import advice, picture, report, traffic
from .model import Endpoint, Job, Machine, Span
from .simulation import Result, simulate

#: The picture's loads, as shares of the largest number of workers.
LOADS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        endpoint, machine, mix = _endpoint(options), _machine(options), _mix(options)
    except ValueError as error:
        _parser().error(str(error))
    arrive = traffic.day if options.pattern == "day" else traffic.steady

    def jobs(per_hour: float) -> list[Job]:
        times = arrive(per_hour, options.hours, options.seed)
        return traffic.jobs(times, mix, options.seed)

    if not jobs(options.per_hour):
        _parser().error("no job arrives in so few hours: raise --per-hour or --hours")
    today = simulate(jobs(options.per_hour), endpoint, machine)
    load = options.per_hour / 3600 * mix.mean_seconds() / endpoint.max_workers
    console = Console()
    console.print(
        f"Simulated, not measured: {options.per_hour:g} jobs an hour of {mix.mean_seconds():.0f} engine "
        f"seconds are a load of {load:.2f} on {endpoint.max_workers} workers."
    )
    changes = advice.changes(lambda: jobs(options.per_hour), endpoint, machine, today)
    report.show(console, today, changes, timeout=options.timeout, gpu_hour=options.gpu_hour)
    if options.picture:
        rows: dict[str, list[Result]] = {}
        per_load = 3600 * endpoint.max_workers / mix.mean_seconds()
        for name, variant in _lines(endpoint).items():
            rows[name] = [simulate(jobs(share * per_load), variant, machine) for share in LOADS]
        picture.draw(options.picture, LOADS, rows, load)
        console.print(f"Picture: {options.picture}")
    return 0


def _lines(endpoint: Endpoint) -> dict[str, Endpoint]:
    """What the picture compares: the operator's settings with one job in hand, with two, and late."""
    return {
        "one job in hand": replace(endpoint, jobs_in_hand=1),
        "two, taken at once": replace(endpoint, jobs_in_hand=2, take_ahead=None),
        "two, the second late": replace(endpoint, jobs_in_hand=2, take_ahead=endpoint.take_ahead or 10.0),
    }


def _parser() -> argparse.ArgumentParser:
    defaults, machine, mix = Endpoint(), Machine(), traffic.Mix()
    parser = argparse.ArgumentParser(prog="python3 -m local fleet", description=__doc__, allow_abbrev=False)

    jobs = parser.add_argument_group("what arrives")
    jobs.add_argument("--per-hour", type=_positive, default=160.0, help="jobs an hour (%(default)s)")
    jobs.add_argument("--hours", type=_positive, default=24.0, help="simulated (%(default)s)")
    jobs.add_argument("--pattern", choices=("steady", "day"), default="steady", help="day: 10:1 over a day")
    jobs.add_argument("--pro", type=_share, default=0.25, help="share of pro jobs (%(default)s)")
    jobs.add_argument("--1080p", dest="large", type=_share, default=0.25, help="share of 1080p (%(default)s)")
    jobs.add_argument(
        "--images", type=_share, default=mix.with_media, help="share with an image (%(default)s)"
    )

    endpoint = parser.add_argument_group("the endpoint's settings")
    endpoint.add_argument("--max-workers", type=_count, default=defaults.max_workers)
    endpoint.add_argument("--active-workers", type=_count, default=defaults.active_workers)
    endpoint.add_argument("--idle-timeout", type=_positive, default=defaults.idle_timeout, help="seconds")
    scaler = endpoint.add_mutually_exclusive_group()
    scaler.add_argument("--queue-delay", type=_positive, metavar="SECONDS", help="RunPod's default: 4")
    scaler.add_argument("--request-count", type=_positive, metavar="JOBS")
    endpoint.add_argument("--jobs-in-hand", type=_count, default=defaults.jobs_in_hand)
    endpoint.add_argument(
        "--take-ahead", type=float, default=defaults.take_ahead, help="seconds; -1: the second job at once"
    )
    endpoint.add_argument("--warmup", action="store_true", help="LTX2_WARMUP=fast")
    endpoint.add_argument("--timeout", type=_positive, default=600.0, help="execution timeout, seconds")

    worker = parser.add_argument_group("a worker")
    worker.add_argument("--boot", type=_span, default=machine.boot, metavar="LOW-HIGH", help="seconds")
    worker.add_argument("--load", type=_span, default=machine.load, metavar="LOW-HIGH", help="seconds")
    worker.add_argument("--not-resident", action="store_true", help="a change of recipe loads weights")
    worker.add_argument("--speed", type=_positive, default=1.0, help="factor on the worker's own estimates")
    worker.add_argument("--gpu-hour", type=_positive, help="price of a worker for an hour, in your currency")

    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--picture", type=Path, help="draw waits and cost over load (.svg or .png)")
    return parser


def _endpoint(options: argparse.Namespace) -> Endpoint:
    if options.active_workers > options.max_workers or options.max_workers < 1 or options.jobs_in_hand < 1:
        raise ValueError(
            "--max-workers and --jobs-in-hand are 1 or more, --active-workers at most --max-workers"
        )
    by_count = options.request_count is not None
    return Endpoint(
        max_workers=options.max_workers,
        active_workers=options.active_workers,
        idle_timeout=options.idle_timeout,
        scaler="request count" if by_count else "queue delay",
        scaler_value=options.request_count if by_count else options.queue_delay or 4.0,
        jobs_in_hand=options.jobs_in_hand,
        take_ahead=None if options.take_ahead < 0 else options.take_ahead,
        warmup=options.warmup,
    )


def _machine(options: argparse.Namespace) -> Machine:
    return Machine(boot=options.boot, load=options.load, resident=not options.not_resident)


def _mix(options: argparse.Namespace) -> traffic.Mix:
    sizes = (("720p", 1 - options.large), ("1080p", options.large))
    qualities = (("fast", 1 - options.pro), ("pro", options.pro))
    kinds = tuple((name, size, share * part) for name, share in qualities for size, part in sizes)
    return traffic.Mix(kinds=kinds, with_media=options.images, speed=options.speed)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is less than 0")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share from 0 to 1")
    return value


def _span(text: str) -> Span:
    low, _, high = text.partition("-")
    span = (float(low), float(high or low))
    if not 0 <= span[0] <= span[1]:
        raise argparse.ArgumentTypeError(f"{text} is not LOW-HIGH in seconds")
    return span


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
