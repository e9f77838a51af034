"""From a plan to a graph: what is connected to what, for each option."""

import copy
import math
from typing import Any

import pytest

from ltx2_api.job import JobInput
from ltx2_api.progress import Stage
from ltx2_worker.catalog.catalogue import catalogue
from ltx2_worker.catalog.inputs import Value
from ltx2_worker.plan import Plan, by_recipe, make_plan
from ltx2_worker.workflow import BuiltGraph, Media, Output, build, stand_ins
from ltx2_worker.workflow.graph import Prompt, as_link

URL = "https://example.org/file"
IMAGE: dict[str, Any] = {"image_url": URL}
CONTROL = IMAGE | {"control": {"type": "canny", "video_url": URL}}
PRO: dict[str, Any] = {"quality": "pro"}
BOTH = pytest.mark.parametrize("quality", ["fast", "pro"])


def plan_of(**raw: Any) -> Plan:
    job, _ = JobInput.parse({"prompt": "a cat", "seed": 5} | raw)
    return make_plan(job, installed=lambda file: file.id != "control_union")


def everything(_: object) -> bool:
    return True


def built(*, resident: bool = False, **raw: Any) -> BuiltGraph:
    plan = plan_of(**raw)
    recipes = [each for each in catalogue().recipes if resident and each.family is plan.family]
    recipes = [each for each in recipes if each is not plan.recipe]
    others = [by_recipe(plan, recipe, everything) for recipe in recipes]
    return build(plan, stand_ins(plan), Output(18.0, "address"), resident=others)


def node(prompt: Prompt, title: str) -> dict[str, Any]:
    (found,) = (each for each in prompt.values() if each["_meta"]["title"] == title)
    return found


def titles(prompt: Prompt) -> set[str]:
    return {each["_meta"]["title"] for each in prompt.values()}


def source(prompt: Prompt, title: str, name: str) -> tuple[str, int]:
    link = as_link(node(prompt, title)["inputs"][name])
    assert link
    return prompt[link[0]]["_meta"]["title"], link[1]


def models(prompt: Prompt, guider: str) -> list[str]:
    """The titles of the checkpoint and the LoRAs that a guider samples with, in their order."""
    chain = [source(prompt, guider, "model")[0]]
    while "model" in node(prompt, chain[0])["inputs"]:
        chain.insert(0, source(prompt, chain[0], "model")[0])
    return [title for title in chain if not title.endswith("noise per token")]


def value(prompt: Prompt, title: str, name: str) -> object:
    return node(prompt, title)["inputs"][name]


def test_the_camera_lora_works_in_both_stages() -> None:
    prompt = built(camera="dolly_in", camera_strength=0.7).prompt
    assert (
        models(prompt, "Stage 1 guider") == models(prompt, "Stage 2 guider") == ["Checkpoint", "Camera LoRA"]
    )
    assert value(prompt, "Camera LoRA", "strength_model") == 0.7
    assert models(built(camera="none").prompt, "Stage 2 guider") == ["Checkpoint"]


def test_the_distilled_lora_works_in_the_second_stage_of_pro_only() -> None:
    prompt = built(**PRO).prompt
    assert "Distilled LoRA" not in models(prompt, "Stage 1 guider")
    assert models(prompt, "Stage 2 guider")[-1] == "Distilled LoRA"
    assert "Distilled LoRA" not in titles(built().prompt)
    assert "Distilled LoRA" not in titles(built(**PRO, spatial_upscaler=False).prompt)


@BOTH
def test_the_control_lora_and_its_guide_stay_in_the_first_stage(quality: str) -> None:
    prompt = built(**CONTROL, quality=quality).prompt
    assert models(prompt, "Stage 1 guider")[-1] == "Control LoRA"
    assert "Control LoRA" not in models(prompt, "Stage 2 guider")
    assert source(prompt, "Stage 1 guider", "positive") == ("Control guide", 0)
    assert source(prompt, "Stage 1 latent", "video_latent") == ("Control guide", 2)
    assert source(prompt, "Stage 2 conditioning", "negative") == ("Control guide removal", 1)
    assert source(prompt, "Spatial upscaler", "samples") == ("Control guide removal", 2)
    # Only the loader of the control LoRA itself has the LoRA's own parameters.
    assert source(prompt, "Control LoRA parameters", "iclora_model") == ("Control LoRA", 0)


@BOTH
def test_the_detailer_works_alone_on_the_last_video_and_the_sound_goes_past_it(quality: str) -> None:
    prompt = built(**CONTROL, quality=quality, detailer=True, temporal_upscaler=True).prompt
    assert models(prompt, "Detailer sampling") == ["Checkpoint", "Detailer LoRA"]
    assert value(prompt, "Detailer prompt", "text") == ""
    assert source(prompt, "Detailer sampling", "latent") == ("Stage 2 result", 0)
    assert source(prompt, "Save video", "samples") == ("Detailer sampling", 0)


@BOTH
@pytest.mark.parametrize("temporal", [False, True])
def test_the_sound_of_the_first_stage_goes_through_the_second(quality: str, temporal: bool) -> None:
    prompt = built(quality=quality, temporal_upscaler=temporal).prompt
    assert source(prompt, "Stage 2 latent", "audio_latent") == ("Stage 1 result", 1)
    # Guided, the first stage's sound is heard: the second would rebuild it in three steps without guidance.
    heard = "Stage 1 result" if quality == "pro" else "Stage 2 result"
    assert source(prompt, "Decoded audio", "samples") == (heard, 1)
    assert source(prompt, "Save video", "audio") == ("Decoded audio", 0)


def test_time_is_the_same_everywhere_at_24_frames_per_second() -> None:
    prompt = built(detailer=True).prompt
    assert value(prompt, "Stage 1 conditioning", "frame_rate") == 24.0
    assert value(prompt, "Stage 2 conditioning", "frame_rate") == 24.0
    assert value(prompt, "Detailer conditioning", "frame_rate") == 24.0
    assert value(prompt, "Save video", "fps") == 24.0


def test_time_doubles_after_the_temporal_upscaler_and_the_sound_s_does_not() -> None:
    prompt = built(detailer=True, temporal_upscaler=True).prompt
    assert value(prompt, "Stage 1 conditioning", "frame_rate") == 24.0
    assert value(prompt, "Empty audio latent", "frames_number") == 241
    assert value(prompt, "Stage 2 conditioning", "frame_rate") == 48.0
    assert value(prompt, "Detailer conditioning", "frame_rate") == 48.0
    assert (value(prompt, "Save video", "fps"), value(prompt, "Save video", "frames")) == (48.0, 480)


def test_after_the_temporal_upscaler_the_refining_pass_begins_with_more_noise() -> None:
    plain, temporal = built().prompt, built(temporal_upscaler=True).prompt
    assert value(plain, "Stage 2 sigmas", "sigmas") == "0.909375, 0.725, 0.421875, 0.0"
    assert value(temporal, "Stage 2 sigmas", "sigmas") == "0.975, 0.909375, 0.725, 0.421875, 0.0"


@pytest.mark.parametrize(
    ("job", "seconds"), [({"preview": True}, 1), *(({"duration": s}, s) for s in (10, 15, 20))]
)
def test_the_empty_sound_is_as_long_as_lightricks_code_makes_it(job: dict[str, Any], seconds: int) -> None:
    inputs = node(built(**job).prompt, "Empty audio latent")["inputs"]
    # What ComfyUI's node computes, and ltx-core 1.0.0 (`types.py`, AudioLatentShape.from_duration).
    engine = math.ceil(inputs["frames_number"] / inputs["frame_rate"] * 25)
    assert engine == round(inputs["frames_number"] / 24 * 25) > seconds * 25


@pytest.mark.parametrize(
    ("options", "between"),
    [
        ({}, ["Spatial upscaler"]),
        ({"temporal_upscaler": True}, ["Temporal upscaler", "Spatial upscaler"]),
        ({"temporal_upscaler": True, "spatial_upscaler": False}, ["Temporal upscaler"]),
        ({"spatial_upscaler": False}, []),
    ],
)
def test_one_refining_pass_follows_the_upscalers_in_time_and_then_in_space(
    options: dict[str, Any], between: list[str]
) -> None:
    prompt = built(**IMAGE, **options).prompt
    assert {"Temporal upscaler", "Spatial upscaler"} & titles(prompt) == set(between)
    assert ("Stage 2 sampling" in titles(prompt)) == bool(between)
    # Upscalers drop what holds on to the start image, so it is put in again.
    assert ("Stage 2 start image" in titles(prompt)) == bool(between)
    at = "Stage 2 start image" if between else "Stage 2 latent"
    name = "latent" if between else "video_latent"
    for upscaler in reversed(between):
        assert source(prompt, at, name) == (upscaler, 0)
        at, name = upscaler, "samples"
    assert source(prompt, at, name) == ("Stage 1 result", 0)


def test_the_start_image_is_held_as_asked_in_both_stages() -> None:
    prompt = built(**IMAGE, image_strength=0.4).prompt
    assert value(prompt, "Start image", "image") == "image"
    assert value(prompt, "Stage 1 start image", "strength") == 0.4
    assert value(prompt, "Stage 2 start image", "strength") == 0.4


def test_the_start_image_is_compressed_for_the_first_stage_and_not_beside_a_control() -> None:
    prompt = built(**IMAGE).prompt
    assert source(prompt, "Stage 1 start image", "image") == ("Start image compression", 0)
    assert source(prompt, "Stage 2 start image", "image") == ("Start image", 0)
    assert source(built(**CONTROL).prompt, "Stage 1 start image", "image") == ("Start image", 0)


@pytest.mark.parametrize(
    ("raw", "shows"),
    [
        ({}, False),
        (PRO, False),
        (IMAGE, False),
        (PRO | IMAGE, True),
        (IMAGE | {"image_strength": 0.7}, True),
        (PRO | IMAGE | {"image_strength": 0.0}, False),
        (CONTROL, False),
        (PRO | CONTROL, True),
        (IMAGE | {"control": {"type": "canny", "strength": 0.5}}, True),
    ],
)
def test_tokens_have_noise_levels_of_their_own_where_it_shows(raw: dict[str, Any], shows: bool) -> None:
    named = titles(built(**raw).prompt)
    assert ("Stage 1 noise per token" in named) == ("Stage 2 noise per token" in named) == shows


@pytest.mark.parametrize(
    ("kind", "picture", "others"),
    [
        ("canny", "Canny edges", {"Depth model", "Pose model", "Person detector model"}),
        ("depth", "Depth map", {"Canny edges", "Pose model", "Person detector model"}),
        ("pose", "Pose skeletons", {"Canny edges", "Depth model"}),
    ],
)
def test_a_control_runs_its_own_preprocessor_only(kind: str, picture: str, others: set[str]) -> None:
    prompt = built(**IMAGE, control={"type": kind, "video_url": URL, "strength": 0.6}).prompt
    assert source(prompt, "Control repetition", "image") == (picture, 0)
    assert value(prompt, "Control guide", "strength") == 0.6
    assert not others & titles(prompt)
    ready_made = built(**IMAGE, control={"type": kind, "video_url": URL, "preprocessed": True}).prompt
    assert source(ready_made, "Control repetition", "image") == ("Control frames", 0)
    assert not {picture, "Depth model", "Pose model"} & titles(ready_made)


def test_a_still_as_control_guides_every_frame() -> None:
    assert value(built(**CONTROL).prompt, "Control repetition", "amount") == 1
    still = built(**IMAGE, control={"type": "canny"}, duration=15).prompt
    assert value(still, "Control repetition", "amount") == 361


@pytest.mark.parametrize(("resolution", "sizes"), [("720p", (2, 1)), ("1080p", (4, 2))])
def test_skeletons_are_drawn_as_thick_for_their_frame_as_in_comfyui_s_templates(
    resolution: str, sizes: tuple[int, int]
) -> None:
    prompt = built(**IMAGE, control={"type": "pose", "video_url": URL}, resolution=resolution).prompt
    drawn = node(prompt, "Pose skeletons")["inputs"]
    assert (drawn["stick_width"], drawn["face_point_size"]) == sizes
    assert drawn["score_threshold"] == 0.5


def test_without_sound_none_is_decoded() -> None:
    prompt = built(audio=False).prompt
    assert "Decoded audio" not in titles(prompt)
    assert "audio" not in node(prompt, "Save video")["inputs"]


def test_the_stages_have_noise_of_their_own() -> None:
    prompt = built(detailer=True, seed=2**53 - 1).prompt
    seeds = [value(prompt, f"{stage} noise", "noise_seed") for stage in ("Stage 1", "Stage 2", "Detailer")]
    assert seeds == [2**53 - 1, 2**53, 2**53 + 1]


def test_the_scheduler_is_not_told_the_size_of_the_video() -> None:
    prompt = built(**PRO, steps=33, resolution="1080p", duration=20, spatial_upscaler=False).prompt
    inputs = node(prompt, "Stage 1 sigmas")["inputs"]
    assert inputs == {"steps": 33, "max_shift": 2.05, "base_shift": 0.95, "stretch": True, "terminal": 0.1}


@pytest.mark.parametrize(
    ("raw", "crop"),
    [
        ({"resolution": "720p"}, {"width": 1280, "height": 720, "x": 0, "y": 24}),
        ({"resolution": "1080p"}, {"width": 1920, "height": 1080, "x": 0, "y": 4}),
        ({"preview": True}, {"width": 448, "height": 256, "x": 0, "y": 0}),
    ],
)
def test_the_middle_of_the_canvas_is_delivered(raw: dict[str, Any], crop: dict[str, int]) -> None:
    inputs = node(built(**raw).prompt, "Save video")["inputs"]
    assert {name: inputs[name] for name in crop} == crop


@BOTH
def test_every_sampler_and_decoder_has_a_stage_for_the_progress(quality: str) -> None:
    graph = built(**CONTROL, quality=quality, detailer=True, temporal_upscaler=True)
    staged = {graph.prompt[key]["_meta"]["title"]: stage for key, stage in graph.stage_of.items()}
    assert staged["Stage 1 sampling"] is Stage.SAMPLING
    assert staged["Stage 2 sampling"] is Stage.REFINING
    assert staged["Detailer sampling"] is Stage.DETAILING
    assert staged["Save video"] is staged["Decoded audio"] is Stage.DECODING
    assert staged.keys() <= titles(graph.prompt)


@BOTH
def test_resident_loaders_of_the_other_recipe_are_connected_to_each_other_only(quality: str) -> None:
    graph = built(quality=quality, resident=True)
    alone = built(quality=quality).prompt
    assert {key: graph.prompt[key] for key in alone} == alone
    resident = {key: each for key, each in graph.prompt.items() if key not in alone}
    other = built(quality="pro" if quality == "fast" else "fast").prompt
    loaders = {"Checkpoint", "Text encoder", "Audio VAE", "Camera LoRA", "Spatial upscaler model"}
    assert titles(resident) == (loaders if quality == "pro" else loaders | {"Distilled LoRA"})
    assert value(resident, "Checkpoint", "ckpt_name") == value(other, "Checkpoint", "ckpt_name")
    for each in resident.values():
        assert all(link[0] in resident for link in map(as_link, each["inputs"].values()) if link)


@pytest.mark.parametrize(
    ("raw", "media"),
    [
        ({}, {Value.IMAGE: ["image.png"]}),
        (IMAGE, {}),
        (IMAGE, {Value.IMAGE: ["image.png"], Value.CONTROL_VIDEO: ["control.mp4"]}),
        (CONTROL, {Value.IMAGE: ["image.png"]}),
    ],
)
def test_media_that_the_plan_does_not_need_or_lacks_are_refused(raw: dict[str, Any], media: Media) -> None:
    with pytest.raises(ValueError, match="media"):
        build(plan_of(**raw), media, Output(18.0))


@BOTH
def test_building_leaves_the_workflow_file_s_graph_as_it_was(quality: Any) -> None:
    recipe = plan_of(quality=quality).recipe
    before = copy.deepcopy(recipe.graph)
    built(**CONTROL, quality=quality, detailer=True, temporal_upscaler=True, resident=True)
    assert recipe.graph == before
