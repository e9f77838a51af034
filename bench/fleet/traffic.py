"""The jobs that arrive: when, and how long each keeps an engine."""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from ltx2_api.job import JobInput
from ltx2_api.progress import Stage
from ltx2_worker.plan import make_plan
from ltx2_worker.plan.estimate import stage_seconds

from .model import Job, Span

#: Stages that keep no GPU: they run before the engine takes the job, or after it has let go of it.
_NOT_THE_ENGINES = {Stage.PREPARING, Stage.WAITING, Stage.DELIVERING}

#: A day's busiest hour over its quietest.
RATIO = 10.0

#: Every camera LoRA but the default is equally rare.
_OTHER_CAMERAS = 7


@dataclass(frozen=True)
class Mix:
    """What callers ask for, as shares that need not add up to one.

    Attributes:
        kinds: by quality and resolution.
        durations: by seconds of video.
        with_media: share of jobs with a start image.
        other_camera: share of jobs with another camera than the default.
        media: seconds to fetch and fit an image.
        tail: share of the fast job's engine seconds, at the same size, that decoding and encoding take.
            Measured on a CPU, assumed for a GPU.
        noise: standard deviation of a job's seconds, as a share of the estimate.
        speed: factor on the worker's own estimates: 0.5 is a GPU twice as fast.
    """

    kinds: tuple[tuple[str, str, float], ...] = (
        ("fast", "720p", 0.60),
        ("fast", "1080p", 0.15),
        ("pro", "720p", 0.15),
        ("pro", "1080p", 0.10),
    )
    durations: tuple[tuple[int, float], ...] = ((10, 0.7), (15, 0.2), (20, 0.1))
    with_media: float = 0.4
    other_camera: float = 0.5
    media: Span = (1.0, 3.0)
    tail: float = 0.25
    noise: float = 0.05
    speed: float = 1.0

    def mean_seconds(self) -> float:
        """Mean of the engine's seconds for one job."""
        kinds = sum(share for *_, share in self.kinds)
        durations = sum(share for _, share in self.durations)
        return self.speed * sum(
            engine_seconds(quality, resolution, seconds) * share / kinds * part / durations
            for quality, resolution, share in self.kinds
            for seconds, part in self.durations
        )


@cache
def engine_seconds(quality: str, resolution: str, duration: int) -> float:
    """The worker's own estimate of how long such a job keeps the engine, in seconds."""
    raw = {"prompt": "-", "quality": quality, "resolution": resolution, "duration": duration, "seed": 0}
    plan = make_plan(JobInput.parse(raw)[0], installed=lambda _: True, default_camera="static")
    stages = stage_seconds(plan)
    return sum(seconds for stage, seconds in stages.items() if stage not in _NOT_THE_ENGINES)


def jobs(times: Sequence[float], mix: Mix, seed: int) -> list[Job]:
    """Draw one job for each time of arrival.

    Arguments:
        times: seconds, in order.
        seed: the same seed draws the same jobs.
    """
    draw = random.Random(seed)
    kinds, kind_shares = [kind[:2] for kind in mix.kinds], [kind[2] for kind in mix.kinds]
    durations, duration_shares = zip(*mix.durations, strict=True)
    made = []
    for arrives in times:
        (quality, resolution), duration = (
            draw.choices(kinds, kind_shares)[0],
            draw.choices(durations, duration_shares)[0],
        )
        factor = mix.speed * max(0.5, draw.gauss(1.0, mix.noise))
        tail = mix.tail * engine_seconds("fast", resolution, duration) * factor
        whole = engine_seconds(quality, resolution, duration) * factor
        camera = draw.randint(1, _OTHER_CAMERAS) if draw.random() < mix.other_camera else 0
        media = draw.uniform(*mix.media) if draw.random() < mix.with_media else 0.0
        made.append(Job(arrives, quality, camera, media, whole - tail, tail))
    return made


def steady(per_hour: float, hours: float, seed: int) -> list[float]:
    """Times of arrival of a Poisson process, in seconds."""
    return list(_until(hours * 3600.0, lambda _: per_hour, per_hour, seed))


def swing(ratio: float) -> float:
    """By what share the busiest and the quietest hour of a day differ from its mean."""
    return (ratio - 1.0) / (ratio + 1.0)


def day(per_hour: float, hours: float, seed: int, ratio: float = RATIO) -> list[float]:
    """Times of arrival over days whose busiest hour has `ratio` times the jobs of the quietest."""
    wave = swing(ratio)

    def rate(second: float) -> float:
        return per_hour * (1.0 + wave * math.sin(2.0 * math.pi * second / 86400.0 - math.pi / 2.0))

    return list(_until(hours * 3600.0, rate, per_hour * (1.0 + wave), seed))


def burst(count: int, seed: int) -> list[float]:
    """Times of arrival of `count` jobs within one second."""
    draw = random.Random(seed)
    return sorted(draw.uniform(0.0, 1.0) for _ in range(count))


def _until(end: float, rate: Callable[[float], float], highest: float, seed: int) -> Iterator[float]:
    """Arrivals until `end`, thinned to `rate` (jobs an hour at a second), which is never above `highest`."""
    draw = random.Random(seed)
    second = draw.expovariate(highest / 3600.0)
    while second < end:
        if draw.random() * highest < rate(second):
            yield second
        second += draw.expovariate(highest / 3600.0)
