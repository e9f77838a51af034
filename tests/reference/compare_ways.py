"""Keyframes, a sound that is given, restyling: the worker's graphs against ltx-pipelines' stages."""

from collections.abc import Callable, Mapping

import torch
from ltx_core.conditioning import ConditioningItem, ConditioningItemAttentionStrengthWrapper
from ltx_core.types import Audio

from tests.reference import graph_runner, stages
from tests.reference.graph_runner import Prompt
from tests.reference.job_sides import DISTILLED, FIRST, FULL, SOUND, Sides, fitted, inputs
from tests.reference.stages import Size

RATE = 44_100


def keyframes(sides: Sides, name: str, prompt: Prompt) -> None:
    """A start image, and a picture at a frame as a guide, in both stages."""
    noises = sides.random(1, 128, 1, 2, 4), sides.random(1, 128, 1, 4, 8)
    given = {
        "Keyframe image": (sides.frames[:1],),
        "Stage 1 noise": (graph_runner.GivenNoise(*sides.noise, guides=noises[0]),),
        "Stage 2 noise": (graph_runner.GivenNoise(*sides.refining_noise, guides=noises[1]),),
    }
    ours = sides.run(prompt, "Stage 2 guide removal", given)

    def conditionings(
        stage: int, image: torch.Tensor, key: torch.Tensor, size: Size
    ) -> list[ConditioningItem]:
        held = inputs(prompt, f"Stage {stage} start image")["strength"]
        frame = inputs(prompt, f"Stage {stage} keyframe")
        latent, strength = sides.theirs.encoded(fitted(key, size)), frame["strength"]
        guide: ConditioningItem = stages.Still(latent, frame["frame_idx"], strength)
        if strength < 1.0:
            guide = ConditioningItemAttentionStrengthWrapper(guide, strength)
        return [sides.start_image(image, size, held), guide]

    image, key = (
        sides.compressed(prompt, title, picture)
        for title, picture in (("Start image", sides.image), ("Keyframe", sides.frames[:1]))
    )
    denoise = sides.simple(sides.transformer(prompt))
    noise = stages.GivenNoise(*sides.noise, guides=noises[0])
    first = stages.sample(denoise, DISTILLED, noise, FIRST, conditionings(1, image, key, FIRST))
    sides.both(f"{name}, stage 1", (ours["Control guide removal"][2], ours["Stage 1 result"][1]), first)
    noise = stages.GivenNoise(*sides.refining_noise, guides=noises[1])
    held = conditionings(2, sides.image, sides.frames[:1], FULL)
    start = sides.theirs.upscaled(first[0]), first[1]
    second = stages.sample(denoise, sides.refining, noise, FULL, held, start)
    sides.both(f"{name}, stage 2", (ours["Stage 2 guide removal"][2], ours["Stage 2 result"][1]), second)


def sound(sides: Sides, name: str, prompt: Prompt) -> None:
    """A sound that is given: frozen in both stages."""
    given = sides.random(1, 8, SOUND, 16)
    held = {"samples": given, "noise_mask": torch.zeros(1, 1, SOUND, 16)}
    ours = sides.run(prompt, "Stage 2 result", {"Held sound": (held,)})
    denoise, noise = sides.simple(sides.transformer(prompt)), stages.GivenNoise(*sides.noise)
    first = stages.sample_to_sound(denoise, DISTILLED, noise, FIRST, given)
    sides.both(f"{name}, stage 1", ours["Stage 1 result"], (first, given))
    noise = stages.GivenNoise(*sides.refining_noise)
    start = sides.theirs.upscaled(first)
    second = stages.sample_to_sound(denoise, sides.refining, noise, FULL, given, start)
    sides.both(f"{name}, stage 2", ours["Stage 2 result"], (second, given))


def restyle(sides: Sides, name: str, prompt: Prompt) -> None:
    """A source, noised to a level; its sound is frozen. The second stage begins as after every first one."""
    level = float(name.rpartition(" ")[2])
    pictures, waveform = sides.pictures(FULL.frames, FULL), 0.3 * sides.random(1, 2, 2 * RATE)
    given = {"Source frames": (pictures,), "Sound file": ({"waveform": waveform, "sample_rate": RATE},)}
    ours = sides.run(prompt, "Stage 2 result", given)
    heard = sides.theirs.encoded_sound(Audio(waveform, RATE))[:, :, :SOUND]
    start = sides.theirs.encoded(fitted(pictures, FIRST))
    sigmas = torch.cat([torch.tensor([level]), DISTILLED[level > DISTILLED]])
    denoise, noise = sides.simple(sides.transformer(prompt)), stages.GivenNoise(*sides.noise)
    first = stages.sample_to_sound(denoise, sigmas, noise, FIRST, heard, start)
    sides.both(f"{name}, stage 1", ours["Stage 1 result"], (first, heard))
    noise, start = stages.GivenNoise(*sides.refining_noise), sides.theirs.upscaled(first)
    second = stages.sample_to_sound(denoise, sides.refining, noise, FULL, heard, start)
    sides.both(f"{name}, stage 2", ours["Stage 2 result"], (second, heard))


#: What compares a job, by what stands before the colon of its name.
COMPARED: Mapping[str, Callable[[Sides, str, Prompt], None]] = {
    each.__name__: each for each in (keyframes, sound, restyle)
}
