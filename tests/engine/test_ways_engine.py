"""The ways beyond the plain job, run for real on small frames."""

from typing import Any

import pytest

from ltx2_worker.deadline import Deadline
from ltx2_worker.engine import Engine
from tests.engine.studio import IMAGE, URL, Studio

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

Raw = dict[str, Any]

PICTURE: Raw = dict(IMAGE)
END: Raw = {"end_image_url": URL}
#: One second, as a preview has it: keyframes are at frames of it.
SECOND = 24


@pytest.fixture(scope="module")
def studio(session_engine: Engine) -> Studio:
    session_engine.wait_ready(Deadline(90))
    return Studio(session_engine)


def keyframes(*at: float, strength: float = 1.0) -> Raw:
    return {"keyframes": [{"at": each, "image_url": URL, "strength": strength} for each in at]}


@pytest.mark.parametrize("quality", [{}, {"quality": "pro", "steps": 20}], ids=["fast", "pro"])
def test_keyframes_guide_both_stages_and_leave_no_frame_behind(studio: Studio, quality: Raw) -> None:
    made = studio.make(frames=SECOND, **PICTURE, **END, **keyframes(5), **quality)
    guides = {f"Stage {stage} keyframe{number}" for stage in (1, 2) for number in ("", " 2")}
    assert guides | {"Control guide removal", "Stage 2 guide removal"} <= made.ran


def test_a_keyframe_s_strength_and_place_change_the_video(studio: Studio) -> None:
    jobs: tuple[Raw, ...] = (END, END | {"end_image_strength": 0.5}, keyframes(7), keyframes(5))
    pictures = {studio.make(frames=SECOND, **job).picture for job in jobs}
    assert len(pictures) == 4


def test_keyframes_go_with_every_other_option(studio: Studio) -> None:
    made = studio.make(
        frames=SECOND,
        **PICTURE,
        **END,
        **keyframes(3, 6.5),
        camera="jib_up",
        temporal_upscaler=True,
        detailer=True,
        control={"type": "canny", "video_url": URL, "strength": 0.8},
    )
    assert {"Control guide", "Stage 1 keyframe 3", "Stage 2 keyframe 3", "Detailer sampling"} <= made.ran


def test_keyframes_of_one_stage_are_removed_too(studio: Studio) -> None:
    made = studio.make(frames=SECOND, **END, spatial_upscaler=False)
    assert "Stage 2 keyframe" not in made.ran
