"""A job becomes exact numbers."""

from itertools import product
from typing import Any

import pytest

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_api.job import JobInput
from ltx2_api.names import NAMES
from ltx2_api.prices import CREDITS, credits_for
from ltx2_worker.catalog.catalogue import catalogue
from ltx2_worker.catalog.files import ModelFile, manifest
from ltx2_worker.plan import Plan, make_plan
from ltx2_worker.plan.geometry import Size, canvas_for, frames_to_generate
from ltx2_worker.workflow import needs, require_installed

IMAGE = {"image_base64": "AAAA"}
LATENT = catalogue().families[0].latent


def everything(_: ModelFile) -> bool:
    return True


def plan_of(installed: Any = everything, **fields: Any) -> Plan:
    return make_plan(JobInput.parse({"prompt": "a cat", **fields})[0], installed=installed)


@pytest.mark.parametrize(
    ("resolution", "delivered", "canvas"),
    [("720p", Size(1280, 720), Size(1280, 768)), ("1080p", Size(1920, 1080), Size(1920, 1088))],
)
def test_the_canvas_is_a_multiple_of_64_that_holds_what_is_delivered(
    resolution: str, delivered: Size, canvas: Size
) -> None:
    plan = plan_of(resolution=resolution)
    assert (plan.delivered, plan.canvas) == (delivered, canvas)
    assert plan.first_canvas == Size(canvas.width // 2, canvas.height // 2)


@pytest.mark.parametrize(("seconds", "frames", "generated"), [(10, 240, 241), (15, 360, 361), (20, 480, 481)])
def test_durations_are_exact_and_one_more_frame_is_generated(
    seconds: int, frames: int, generated: int
) -> None:
    plan = plan_of(duration=seconds)
    assert (plan.frames, plan.fps, plan.base_frames, plan.generated_frames) == (
        frames,
        24,
        generated,
        generated,
    )


def test_the_temporal_upscaler_doubles_frames_and_rate_not_the_duration() -> None:
    plan = plan_of(temporal_upscaler=True)
    assert (plan.frames, plan.fps, plan.generated_frames, plan.base_frames) == (480, 48, 481, 241)


def test_a_preview_is_one_second_at_448x256() -> None:
    plan = plan_of(preview=True)
    assert (plan.delivered, plan.canvas, plan.frames, plan.credits) == (Size(448, 256), Size(448, 256), 24, 0)


def test_a_preview_shows_what_its_one_stage_makes_at_full_size_unless_two_are_asked_for() -> None:
    assert plan_of(preview=True).first_canvas == Size(448, 256)
    assert not plan_of(preview=True).refined
    assert plan_of(preview=True, spatial_upscaler=True).first_canvas == Size(224, 128)


def test_the_union_control_lora_stands_in_for_a_missing_one_and_needs_even_latents() -> None:
    def without_singles(file: ModelFile) -> bool:
        return file.id not in {"control_canny", "control_depth", "control_pose"}

    plan = plan_of(without_singles, **IMAGE, resolution="1080p", control={"type": "canny"})
    assert plan.control is not None
    assert plan.control.model.id == "control_union"
    assert plan.canvas == Size(1920, 1152)
    assert plan_of(**IMAGE, resolution="1080p", control={"type": "canny"}).canvas == Size(1920, 1088)


def test_even_latents_of_the_first_stage_hold_for_every_size() -> None:
    for size, two_stage in product((Size(1280, 720), Size(1920, 1080), Size(448, 256)), (True, False)):
        canvas = canvas_for(size, LATENT, reference_downscale=2, two_stage=two_stage)
        cell = 64 if two_stage else 32
        assert canvas.width // cell % 2 == 0
        assert canvas.height // cell % 2 == 0
        assert 0 <= canvas.width - size.width < 2 * cell
        assert 0 <= canvas.height - size.height < 2 * cell


def test_generated_frames_are_the_smallest_8n_plus_1() -> None:
    for frames in range(1, 500):
        generated = frames_to_generate(frames, LATENT)
        assert generated % 8 == 1
        assert frames <= generated < frames + 8


def test_only_what_an_option_needs_is_loaded() -> None:
    def names(**fields: Any) -> set[str]:
        return {need.file.id for need in needs(plan_of(**fields))}

    plain = {"checkpoint_fast", "text_encoder", "spatial_upscaler", "camera_static"}
    assert names() == plain
    assert names(camera="none", spatial_upscaler=False) == {"checkpoint_fast", "text_encoder"}
    assert names(quality="pro", spatial_upscaler=False, camera="none") == {"checkpoint_pro", "text_encoder"}
    assert names(quality="pro") - {"checkpoint_pro"} == plain - {"checkpoint_fast"} | {"distilled_lora"}
    full = plain - {"checkpoint_fast", "text_encoder"} | {"checkpoint_fast_full", "text_encoder_full"}
    assert names(precision="full") == full
    assert names(temporal_upscaler=True, detailer=True) == plain | {"temporal_upscaler", "detailer"}
    controlled = plain - {"camera_static"}
    assert names(**IMAGE, control={"type": "pose"}) == controlled | {
        "control_pose",
        "pose_model",
        "person_detector",
    }
    assert names(
        **IMAGE, control={"type": "depth", "video_url": "https://e.com/v", "preprocessed": True}
    ) == (controlled | {"control_depth"})


def test_a_missing_model_is_named_with_the_field_that_asks_for_it() -> None:
    plan = plan_of(precision="full")
    with pytest.raises(WorkerError) as caught:
        require_installed(plan, lambda file: not file.id.endswith("_full"))
    assert caught.value.code is ErrorCode.MODEL_NOT_INSTALLED
    assert caught.value.field == "precision"
    assert manifest()["checkpoint_fast_full"].name in caught.value.message


def test_full_precision_takes_the_larger_text_encoder_where_it_is_installed() -> None:
    def encoder(installed: Any, precision: str) -> str:
        return plan_of(installed, precision=precision).files["text_encoder"].id

    assert encoder(everything, "fp8") == "text_encoder"
    assert encoder(everything, "full") == "text_encoder_full"
    assert encoder(lambda file: file.id != "text_encoder_full", "full") == "text_encoder"


def test_a_job_over_its_own_budget_is_refused() -> None:
    with pytest.raises(WorkerError) as caught:
        plan_of(max_credits=29)
    assert (caught.value.code, caught.value.field) == (ErrorCode.OVER_BUDGET, "max_credits")
    assert plan_of(max_credits=30).credits == 30


def test_a_seed_is_kept_and_a_missing_one_is_drawn() -> None:
    assert plan_of(seed=7).seed == 7
    assert len({plan_of().seed for _ in range(8)}) > 1


def test_the_operator_can_set_another_default_camera() -> None:
    job, _ = JobInput.parse({"prompt": "a"})
    plan = make_plan(job, installed=everything, default_camera="none")
    assert plan.camera is None


def test_beside_a_control_only_a_camera_that_was_named_is_used() -> None:
    control = IMAGE | {"control": {"type": "canny"}}
    assert plan_of(**control).camera is None
    named = plan_of(**control, camera="dolly_in").camera
    assert named
    assert named.model.id == "camera_dolly_in"
    with pytest.raises(WorkerError) as caught:
        plan_of(**control, camera_strength=0.5)
    assert caught.value.field == "camera_strength"


PRICES = {
    (10, "fast", "720p"): 30,
    (10, "fast", "1080p"): 45,
    (10, "pro", "720p"): 45,
    (10, "pro", "1080p"): 60,
    (15, "fast", "720p"): 45,
    (15, "fast", "1080p"): 67,
    (15, "pro", "720p"): 67,
    (15, "pro", "1080p"): 90,
    (20, "fast", "720p"): 60,
    (20, "fast", "1080p"): 90,
    (20, "pro", "720p"): 90,
    (20, "pro", "1080p"): 120,
}


def test_everything_that_can_be_asked_for_has_a_price() -> None:
    for prices in CREDITS.values():
        assert {quality for quality, _ in prices} == set(NAMES.qualities)


@pytest.mark.parametrize(("job", "price"), PRICES.items())
def test_prices_are_those_of_the_list(job: Any, price: int) -> None:
    duration, quality, resolution = job
    assert credits_for(quality, resolution, duration) == price
    assert plan_of(duration=duration, quality=quality, resolution=resolution).credits == price
    assert credits_for(quality, resolution, duration, preview=True) == 0


def test_a_camera_strength_without_a_camera_is_not_ignored_where_the_operator_has_none() -> None:
    job, _ = JobInput.parse({"prompt": "a", "camera_strength": 0.5})
    with pytest.raises(WorkerError) as caught:
        make_plan(job, installed=everything, default_camera="none")
    assert caught.value.field == "camera_strength"
