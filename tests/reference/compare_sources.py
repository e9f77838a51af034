"""Jobs with a source: the worker's graphs against ltx-pipelines' `retake.py` and its stages.

It has no way to extend a video. What comes nearest is its retake of one that goes on, or began, as a still.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from ltx_core.components.schedulers import LTX2Scheduler
from ltx_core.conditioning import VideoConditionByLatentIndex
from ltx_core.types import Audio
from ltx_pipelines.retake import TemporalRegionMask

from tests.reference import graph_runner, sources, stages
from tests.reference.graph_runner import Prompt
from tests.reference.job_sides import DISTILLED, FLOAT, STEPS, Latents, Sides, fitted, guiding, inputs
from tests.reference.makers_retake import Retake
from tests.reference.sources import Job
from tests.reference.stages import Size

FPS, RATE = 24.0, 44_100
FIRST = Size(*sources.FIRST, sources.FRAMES)
FULL = Size(*sources.FULL, sources.FRAMES)


class _Source:
    """A job's source: as the worker shows it to the model, and as the whole that is generated.

    Attributes:
        shown: the frames that the graph gets.
        whole: as many frames as are generated: the source, and its first or last one where it has none.
        sound: the source's, for the graph.
        whole_sound: silence where it has none.
    """

    def __init__(self, sides: Sides, job: Job, prompt: Prompt) -> None:
        size = FIRST if job.raw.get("spatial_upscaler") is False else FULL
        own = sides.pictures(job.source, size)
        places = torch.arange(sources.FRAMES) - job.begins
        self.whole = own[places.clamp(0, job.source - 1)]
        # The encoder of a piece from within a video takes its first frame for a beginning: one more.
        lead = inputs(prompt, "Stage 1 held video")["lead"]
        self.shown = own[torch.arange(-lead, job.source).clamp(min=0)]
        # Where the source is all there is, its sound goes on: neither side then hears it end.
        seconds = 2.0 if job.source == sources.FRAMES else job.source / FPS
        waveform = 0.3 * sides.random(1, 2, round(seconds * RATE))
        silence = round(job.begins / FPS * RATE), round((2.0 - seconds) * RATE)
        self.sound = {"waveform": waveform, "sample_rate": RATE}
        self.whole_sound = Audio(torch.nn.functional.pad(waveform, silence), RATE)


def _given(source: _Source, noise: Latents, refining_noise: Latents) -> dict[str, Any]:
    return {
        "Source frames": (source.shown,),
        "Sound file": (source.sound,),
        "Stage 1 noise": (graph_runner.GivenNoise(*noise),),
        "Stage 2 noise": (graph_runner.GivenNoise(*refining_noise),),
    }


def _noises(sides: Sides) -> tuple[Latents, Latents]:
    frames, sound = (sources.FRAMES - 1) // 8 + 1, round(sources.FRAMES / FPS * 25)
    first, second = (
        (sides.random(1, 128, frames, size.height // 32, size.width // 32), sides.random(1, 8, sound, 16))
        for size in (FIRST, FULL)
    )
    return first, second


def retake(sides: Sides, name: str, prompt: Prompt) -> None:
    """A span anew: `RetakePipeline` itself, which has one stage; then the stages that it is made of."""
    job = sources.JOBS[name.replace(" ", ":", 1)]
    if "two" in name:
        _two_stages(sides, name, prompt, job)
        return
    source, (noise, refining_noise) = _Source(sides, job, prompt), _noises(sides)
    ours = sides.run(prompt, "Stage 1 result", _given(source, noise, refining_noise))
    texts = sides.positive, sides.negative
    theirs = Retake(sides.theirs, sides.first_transformer(prompt), texts).latents(
        source.whole,
        source.whole_sound,
        stages.GivenNoise(*noise),
        (job.span[0] / FPS, job.span[1] / FPS),
        what=job.raw["retake"].get("what", "both"),
        steps=STEPS,
        guiding=sides.guider_params(prompt) if guiding(prompt) else None,
    )
    sides.both(f"{name}, stage 1", ours["Stage 1 result"], theirs)


def extend(sides: Sides, name: str, prompt: Prompt) -> None:
    """A video that goes on, or begins earlier."""
    _two_stages(sides, name, prompt, sources.JOBS[name.replace(" ", ":", 1)])


def _two_stages(sides: Sides, name: str, prompt: Prompt, job: Job) -> None:
    source, (noise, refining_noise) = _Source(sides, job, prompt), _noises(sides)
    ours = sides.run(prompt, "Stage 2 result", _given(source, noise, refining_noise))
    begin, end, sound_end = (frame / FPS for frame in (*job.span, job.sound_to or job.span[1]))
    spans = [TemporalRegionMask(begin, end, FPS)], [TemporalRegionMask(begin, sound_end, FPS)]

    small = sides.theirs.encoded(fitted(source.whole, FIRST))
    sound = sides.theirs.encoded_sound(source.whole_sound)[:, :, : noise[1].shape[2]]
    if guiding(prompt):
        denoise, sigmas = sides.guided(prompt), LTX2Scheduler().execute(steps=STEPS)
    else:
        denoise, sigmas = sides.simple(sides.first_transformer(prompt)), DISTILLED
    given = stages.GivenNoise(*noise)
    first = stages.sample_span(denoise, sigmas, given, FIRST, spans, (small, sound))
    sides.both(f"{name}, stage 1", ours["Stage 1 result"], first)

    # The second stage of ltx-pipelines holds latents of the full size, as those of a start image.
    held, large = inputs(prompt, "Stage 2 held video"), sides.theirs.encoded(source.whole)
    pieces = {0: large[:, :, : held["new_from"]], held["new_to"]: large[:, :, held["new_to"] :]}
    kept = [VideoConditionByLatentIndex(piece, 1.0, at) for at, piece in pieces.items() if piece.shape[2]]
    start = sides.theirs.upscaled(first[0]), first[1]
    denoise, given = sides.simple(sides.transformer(prompt)), stages.GivenNoise(*refining_noise)
    second = stages.sample_span(denoise, sides.refining, given, FULL, (kept, spans[1]), start)
    sides.both(f"{name}, stage 2", ours["Stage 2 result"], second)
    for stage, latents in ((1, small), (2, large)):
        _kept(sides, f"{name}, stage {stage}: picture", ours[f"Stage {stage} held video"][0], latents)
    _kept(sides, f"{name}, stage 1: sound", ours["Held sound"][0], sound)


def _kept(sides: Sides, name: str, held: dict[str, torch.Tensor], source: torch.Tensor) -> None:
    """What is kept are the latents that Lightricks' encoders make of the source."""
    keep = (held["noise_mask"] == 0).expand_as(held["samples"])
    sides.record.compare(f"{name}, as encoded", held["samples"][keep], source[keep], FLOAT)


#: What compares a job, by what stands before the colon of its name.
COMPARED: Mapping[str, Callable[[Sides, str, Prompt], None]] = {
    each.__name__: each for each in (retake, extend)
}
