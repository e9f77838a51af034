"""Where a picture lies on the canvas: the delivered crop is covered, centred, for any shape."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltx2_worker.media.fit import Frame, place, warnings

FRAMES = [
    Frame(1280, 720, 1280, 768),
    Frame(1920, 1080, 1920, 1088),
    Frame(1920, 1080, 1920, 1152),
    Frame(448, 256, 448, 256),
    Frame(448, 256, 512, 256),
]


@given(st.integers(1, 60_000), st.integers(1, 60_000), st.sampled_from(FRAMES))
def test_any_shape_covers_the_delivered_frame_centred_and_undistorted(
    width: int, height: int, frame: Frame
) -> None:
    placement = place(width, height, frame)

    left, top, right, bottom = placement.box
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert left + right == pytest.approx(width)
    assert top + bottom == pytest.approx(height)
    assert frame.width <= placement.width <= frame.canvas_width
    assert frame.height <= placement.height <= frame.canvas_height
    assert 2 * placement.left + placement.width == frame.canvas_width
    assert 2 * placement.top + placement.height == frame.canvas_height
    assert placement.width / (right - left) == pytest.approx(placement.height / (bottom - top), rel=1e-3)


def test_the_margin_shows_more_of_the_picture_where_there_is_more() -> None:
    assert place(1280, 800, Frame(1280, 720, 1280, 768)).height == 768


def test_the_margin_is_mirrored_where_the_picture_ends() -> None:
    placement = place(1280, 720, Frame(1280, 720, 1280, 768))
    assert (placement.height, placement.top) == (720, 24)


def test_a_margin_that_the_picture_half_fills_is_shared_by_both_sides() -> None:
    placement = place(1280, 741, Frame(1280, 720, 1280, 768))
    assert (placement.height, placement.top) == (740, 14)


@pytest.mark.parametrize("frame", [(0, 10, 0, 10), (10, 10, 8, 10), (10, 10, 13, 10), (10, 10, 10, 22)])
def test_a_crop_that_is_not_the_centre_of_its_canvas_is_a_mistake_of_ours(
    frame: tuple[int, int, int, int],
) -> None:
    with pytest.raises(ValueError, match="centre crop"):
        Frame(*frame)


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ((1920, 1080), None),
        ((1200, 900), None),
        ((1080, 1920), "68% of image_url is cut away"),
        ((8000, 800), "82% of image_url is cut away"),
        ((639, 360), "enlarged 2.0 times"),
        ((320, 180), "enlarged 4.0 times"),
    ],
)
def test_extreme_shapes_and_small_pictures_are_told(size: tuple[int, int], said: str | None) -> None:
    frame = FRAMES[0]
    found = warnings("image_url", *size, place(*size, frame), frame)
    assert len(found) == (said is not None)
    assert said is None or said in found[0]
