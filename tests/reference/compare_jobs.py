"""Whole jobs: the worker's own graphs against ltx-pipelines' stages, stage after stage."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from ltx_core.components.schedulers import LTX2Scheduler
from ltx_core.conditioning import (
    ConditioningItem,
    ConditioningItemAttentionStrengthWrapper,
    VideoConditionByKeyframeIndex,
    VideoConditionByReferenceLatent,
)

from tests.reference import graph_runner, stages
from tests.reference.graph_runner import Prompt
from tests.reference.job_sides import (
    DISTILLED,
    FIRST,
    FLOAT,
    FULL,
    REFINING,
    STEPS,
    Sides,
    fitted,
    inputs,
)
from tests.reference.stages import Size

FULL_48 = Size(256, 128, 49, 48.0)


def fast(sides: Sides, name: str, prompt: Prompt) -> None:
    """The distilled recipe: eight steps, upscaling, three steps."""
    ours = sides.run(prompt, "Stage 2 result")
    first = sides.first(sides.simple(), DISTILLED)
    sides.both(f"{name}, stage 1", ours["Stage 1 result"], first)
    refined = sides.second(prompt, first)
    sides.both(f"{name}, stage 2", ours["Stage 2 result"], refined)


def image(sides: Sides, name: str, prompt: Prompt) -> None:
    """A start image: compressed for the first stage, as it is for the second."""
    strengths = [inputs(prompt, f"Stage {stage} start image")["strength"] for stage in (1, 2)]
    ours = sides.run(prompt, "Stage 2 result")
    first = sides.first(
        sides.simple(sides.transformer(prompt)),
        DISTILLED,
        [sides.start_image(sides.compressed(prompt, "Start image", sides.image), FIRST, strengths[0])],
    )
    sides.both(f"{name}, stage 1", ours["Stage 1 result"], first)
    refined = sides.second(prompt, first, [sides.start_image(sides.image, FULL, strengths[1])])
    sides.both(f"{name}, stage 2", ours["Stage 2 result"], refined)


def pro(sides: Sides, name: str, prompt: Prompt) -> None:
    """The guided recipe, its second stage with the distilled LoRA."""
    with sides.counted() as rows:
        ours = sides.run(prompt, "Stage 1 result")
    first = sides.first(sides.guided(prompt), LTX2Scheduler().execute(steps=STEPS))
    sides.both(f"{name}, stage 1", ours["Stage 1 result"], first)
    sides.record.counts[f"{name}: passes a step"] = sum(rows) / STEPS
    if not sides.is_graph_s:  # the second stage has no guidance: once is enough
        ours = sides.run(prompt, "Stage 2 result")
        refined = sides.second(prompt, first)
        sides.both(f"{name}, stage 2", ours["Stage 2 result"], refined)


def temporal(sides: Sides, name: str, prompt: Prompt) -> None:
    """Both upscalers, then one refining pass at 48 frames per second.

    ltx-pipelines has no such job for LTX-2.0; its stages are put together as the graph is.
    """
    noises = sides.random(1, 128, 7, 4, 8), sides.refining_noise[1]
    noise = {"Stage 2 noise": (graph_runner.GivenNoise(*noises),)}
    ours = sides.run(prompt, "Stage 2 result", noise)
    first = sides.first(sides.simple(), DISTILLED)
    latent = first[0]
    for which in ("temporal", "spatial"):
        latent = sides.theirs.upscaled(latent, which)
    refined = stages.sample(
        sides.simple(),
        DISTILLED[-len(REFINING) - 1 :],
        stages.GivenNoise(*noises),
        FULL_48,
        start=(latent, first[1]),
    )
    sides.both(f"{name}, stage 2", ours["Stage 2 result"], refined)


def control(sides: Sides, name: str, prompt: Prompt) -> None:
    """A guide of the first stage's size, or of half of it in a grid with holes, beside a start image.

    The strength is the guide's in both of ltx-core's senses: how clean its tokens are, and how much the
    others attend to them. ComfyUI's node has one number for the two.
    """
    half, strength = "half" in name, float(name.rsplit(maxsplit=1)[-1])
    factor = 2 if half else 1
    guides = sides.random(1, 128, 4, 2 // factor, 4 // factor)
    in_grid = torch.zeros(1, 128, 4, 2, 4)
    in_grid[..., ::factor, ::factor] = guides
    noise = {"Stage 1 noise": (graph_runner.GivenNoise(*sides.noise, guides=in_grid),)}
    lora = {"lora_name": f"{'union' if half else 'plain'}.safetensors"}
    ours = sides.run(prompt, "Control guide removal", noise, {"Control LoRA": lora})

    pixels = fitted(sides.frames, replace(FIRST, width=FIRST.width // factor, height=FIRST.height // factor))
    guide: ConditioningItem = VideoConditionByReferenceLatent(
        sides.theirs.encoded(pixels), downscale_factor=factor, strength=strength
    )
    if strength < 1.0:
        guide = ConditioningItemAttentionStrengthWrapper(guide, strength)
    transformer = sides.theirs.transformer(("union" if half else "plain", 1.0))
    denoise, sigmas = sides.simple(transformer), DISTILLED
    if "guided" in name:
        denoise, sigmas = sides.guided(prompt, transformer), LTX2Scheduler().execute(steps=STEPS)
    theirs = stages.sample(
        denoise,
        sigmas,
        stages.GivenNoise(*sides.noise, guides=guides),
        FIRST,
        [sides.start_image(sides.image, FIRST, 1.0), guide],
    )
    sides.both(f"{name}, stage 1", (ours["Control guide removal"][2], ours["Stage 1 result"][1]), theirs)


def detailer(sides: Sides, name: str, prompt: Prompt) -> None:
    """One window, then two: the reference stage with the video as its guide, and Lightricks' overlap."""
    for frames in (4, 11):
        video = sides.random(1, 128, frames, 2, 3)
        size = min(frames, 7)
        noise, guides = sides.random(1, 128, size, 2, 3), sides.random(1, 128, size, 2, 3)
        given = {
            "Stage 2 result": ({"samples": video}, {"samples": sides.noise[1]}),
            "Detailer noise": (graph_runner.GivenNoise(noise, guides=guides),),
        }
        ours = sides.run(prompt, "Detailer sampling", given)["Detailer sampling"][0]["samples"]
        shown = video[:, :, :size]
        theirs = _window(sides, noise, guides, shown, [VideoConditionByReferenceLatent(shown)])
        if frames > size:
            window, before = video[:, :, 4:11], theirs[:, :, -3:]
            conditionings = [
                VideoConditionByKeyframeIndex(before, frame_idx=0, strength=0.5),
                VideoConditionByKeyframeIndex(window[:, :, 3:], frame_idx=17, strength=1.0),
            ]
            new = _window(sides, noise, guides, window, conditionings)[:, :, 1:]
            fade = torch.tensor([2 / 3, 1 / 3]).view(1, 1, 2, 1, 1)
            faded = theirs[:, :, -2:] * fade + new[:, :, :2] * (1 - fade)
            theirs = torch.cat([theirs[:, :, :-2], faded, new[:, :, 2:]], dim=2)
        sides.record.compare(f"{name}, {frames} latent frames", ours, theirs, FLOAT)


def _window(
    sides: Sides,
    noise: torch.Tensor,
    guides: torch.Tensor,
    latent: torch.Tensor,
    conditionings: list[ConditioningItem],
) -> torch.Tensor:
    frames, height, width = latent.shape[2:]
    return stages.sample_video_alone(
        sides.theirs.transformer(("plain", 1.0)),
        sides.negative.video,
        REFINING,
        stages.GivenNoise(noise, guides=guides),
        Size(width * 32, height * 32, (frames - 1) * 8 + 1),
        conditionings,
        latent,
    )


#: What compares a job, by what stands before the colon of its name.
COMPARED: Mapping[str, Callable[[Sides, str, Prompt], None]] = {
    each.__name__: each for each in (fast, image, pro, temporal, control, detailer)
}
