"""Every option, run for real on small frames: the file is what was asked for, and the option took effect."""

import json
from array import array
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from ltx2_worker.deadline import Deadline
from ltx2_worker.engine import Engine
from tests.engine.studio import IMAGE, URL, Made, Studio, union

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

Raw = dict[str, Any]
#: Makes the video of a base, by its name.
MakePlain = Callable[[str], Made]

RECIPES: dict[str, Raw] = {"fast": {}, "pro": {"quality": "pro", "steps": 20}}
BASES: dict[str, Raw] = {
    f"{mode} {recipe}": media | settings
    for mode, media in (("t2v", {}), ("i2v", IMAGE))
    for recipe, settings in RECIPES.items()
}
IMAGE_BASES = [name for name in BASES if name.startswith("i2v")]

#: Options that stand alone with any job.
OPTIONS: dict[str, Raw] = {
    "camera": {"camera": "dolly_in"},
    "one stage": {"spatial_upscaler": False},
    "48 fps": {"temporal_upscaler": True},
    "48 fps, one size": {"temporal_upscaler": True, "spatial_upscaler": False},
    "detailer": {"detailer": True},
}
#: Options that need a start image.
IMAGE_OPTIONS: dict[str, Raw] = {
    "weaker image": {"image_strength": 0.3},
    **{
        f"{kind} of {what}": {"control": {"type": kind} | video}
        for kind in ("canny", "depth", "pose")
        for what, video in (("a video", {"video_url": URL}), ("the image", {}))
    },
    "ready-made edges": {"control": {"type": "canny", "video_url": URL, "preprocessed": True}},
    "weaker control": {"control": {"type": "canny", "video_url": URL, "strength": 0.3}},
}
RICHEST: Raw = IMAGE | {
    "camera": "jib_up",
    "temporal_upscaler": True,
    "detailer": True,
    "image_strength": 0.7,
    "control": {"type": "pose", "video_url": URL, "strength": 0.8},
}


@pytest.fixture(scope="module")
def studio(session_engine: Engine) -> Studio:
    session_engine.wait_ready(Deadline(90))
    return Studio(session_engine)


@pytest.fixture(scope="module")
def plain(studio: Studio) -> MakePlain:
    """The video of a base with no options, made once."""

    @cache
    def make(base: str) -> Made:
        return studio.make(**BASES[base])

    return make


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("base", BASES)
def test_an_option_alone_gives_the_video_asked_for_and_another_picture(
    studio: Studio, plain: MakePlain, base: str, option: str
) -> None:
    made = studio.make(**BASES[base], **OPTIONS[option])
    assert made.picture != plain(base).picture


@pytest.mark.parametrize("option", IMAGE_OPTIONS)
@pytest.mark.parametrize("base", IMAGE_BASES)
def test_an_option_of_image_to_video_alone_gives_another_picture(
    studio: Studio, plain: MakePlain, base: str, option: str
) -> None:
    made = studio.make(**BASES[base], **IMAGE_OPTIONS[option])
    assert made.picture != plain(base).picture


@pytest.mark.parametrize("base", BASES)
def test_without_sound_the_picture_is_the_same_and_no_sound_is_decoded(
    studio: Studio, plain: MakePlain, base: str
) -> None:
    with_sound = plain(base)
    silent = studio.make(**BASES[base], audio=False)
    assert with_sound.sound_seconds is not None
    assert silent.sound_seconds is None
    assert silent.picture == with_sound.picture
    assert "Decoded audio" not in silent.ran


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_richest_job_gives_the_video_asked_for(studio: Studio, recipe: str) -> None:
    made = studio.make(**RICHEST, **RECIPES[recipe])
    assert {"Stage 1 sampling", "Stage 2 sampling", "Detailer sampling", "Pose keypoints"} <= made.ran


@pytest.mark.parametrize("kind", ["canny", "depth", "pose"])
def test_the_union_control_lora_takes_its_guide_at_half_size(
    studio: Studio, plain: MakePlain, kind: str
) -> None:
    made = studio.make(union, **BASES["i2v fast"], control={"type": kind, "video_url": URL})
    assert made.picture != plain("i2v fast").picture


@pytest.mark.parametrize(
    ("title", "raw"),
    [
        ("Camera LoRA", {"camera": "dolly_in"}),
        ("Detailer LoRA", {"detailer": True}),
        ("Distilled LoRA", {}),
        *(
            ("Control LoRA", {"control": {"type": kind, "video_url": URL, "preprocessed": True}})
            for kind in ("canny", "depth", "pose")
        ),
    ],
)
def test_a_lora_is_not_only_loaded_but_changes_the_picture(studio: Studio, title: str, raw: Raw) -> None:
    _, prompt = studio.prompt(BASES["i2v pro"] | raw)
    (key,) = (key for key, node in prompt.items() if node["_meta"]["title"] == title)
    inputs = {**prompt[key]["inputs"], "strength_model": 0.0}
    without = {**prompt, key: {**prompt[key], "inputs": inputs}}
    assert studio.run(prompt).picture != studio.run(without).picture


@pytest.mark.parametrize("base", ["t2v fast", "i2v pro"])
def test_the_same_job_and_seed_give_the_same_frames_whatever_ran_in_between(
    studio: Studio, plain: MakePlain, base: str
) -> None:
    first = plain(base)
    other = studio.make(**BASES[base], camera="jib_down", prompt="a dog barks")
    again = studio.make(**BASES[base])
    assert "Stage 2 sampling" in again.ran  # it was made anew, not remembered
    assert again.picture == first.picture != other.picture


def test_another_seed_gives_another_picture(studio: Studio, plain: MakePlain) -> None:
    assert studio.make(seed=12).picture != plain("t2v fast").picture


def first_frame(latent: bytes) -> list[float]:
    """The first frame of each channel of a saved latent (safetensors: a length, JSON, little-endian data)."""
    length = int.from_bytes(latent[:8], "little")
    entry = json.loads(latent[8 : 8 + length])["latent_tensor"]
    begin, end = entry["data_offsets"]
    values = array("f", latent[8 + length + begin : 8 + length + end])
    _, _, frames, height, width = entry["shape"]
    cells = height * width
    starts = range(0, len(values), frames * cells)
    return [value for start in starts for value in values[start : start + cells]]


@pytest.mark.parametrize("options", [{}, {"temporal_upscaler": True}], ids=str)
def test_the_start_image_survives_upscaling_and_its_first_frame_is_detailed_as_the_others(
    studio: Studio, options: Raw
) -> None:
    _, prompt = studio.prompt(IMAGE | {"detailer": True} | options)
    by_title = {node["_meta"]["title"]: key for key, node in prompt.items()}
    prompt["encoded"] = {
        "class_type": "VAEEncode",
        "inputs": {
            "pixels": [by_title["Start image"], 0],
            "vae": [by_title["Checkpoint"], 2],
        },
        "_meta": {"title": "Encoded start image"},
    }
    image = first_frame(studio.saved_latent(prompt, ["encoded", 0]))
    refined = first_frame(studio.saved_latent(prompt, [by_title["Stage 2 result"], 0]))
    detailed = first_frame(studio.saved_latent(prompt, [by_title["Detailer sampling"], 0]))
    assert max(abs(a - b) for a, b in zip(image, refined, strict=True)) < 1e-5
    assert max(abs(a - b) for a, b in zip(image, detailed, strict=True)) > 1e-2


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("base", BASES)
def test_every_option_gives_the_same_frames_in_two_processes(
    studio: Studio, make_engine: Callable[..., Engine], base: str
) -> None:
    other = make_engine()
    other.start()
    other.wait_ready(Deadline(90))
    again = Studio(other)
    options: dict[str, Raw] = {"nothing": {}} | OPTIONS | (IMAGE_OPTIONS if base in IMAGE_BASES else {})
    differing = [
        name
        for name, option in options.items()
        if studio.make(**BASES[base], **option).picture != again.make(**BASES[base], **option).picture
    ]
    assert not differing


def test_a_depth_guide_gives_the_same_frames_in_two_processes(
    studio: Studio, make_engine: Callable[..., Engine]
) -> None:
    other = make_engine()
    other.start()
    other.wait_ready(Deadline(90))
    job = BASES["i2v fast"] | {"control": {"type": "depth", "video_url": URL}}
    assert Studio(other).make(**job).picture == studio.make(**job).picture


def test_a_clip_of_several_windows_is_detailed_to_its_end(studio: Studio) -> None:
    plan, prompt = studio.prompt({"detailer": True, "audio": False}, frames=72)
    made = studio.run(prompt)
    assert plan.generated_frames == 73  # ten latent frames, two windows
    assert made.frames == 72
