"""New frames among those of a source: every count, for every length and place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltx2_api.errors import WorkerError
from ltx2_worker.plan.ways.spliced import extended, retaken
from ltx2_worker.splice import CONTEXT, Splice, behind, between, in_front

FRAMES = st.integers(1, 1500)
#: What the model makes in one piece; ComfyUI's empty sound ends at 1000 frames, the worker at 20 s.
MOST = 481


def check(splice: Splice, frames: int) -> None:
    """What holds for every splice."""
    assert splice.before + splice.replaced + splice.after == frames
    assert splice.generated % 8 == 1
    assert splice.generated <= MOST
    assert splice.skipped + splice.new <= splice.generated
    latents = (splice.generated - 1) // 8 + 1
    shown = (splice.shown - 1) // 8 + 1 - splice.lead
    first, last = splice.new_latents
    for latent in range(latents):
        # Every latent frame is the source's, or made anew.
        assert splice.at <= latent < splice.at + shown or first <= latent < last
    if not splice.keeps_picture:
        # No frame is delivered that a latent of the source holds, and none of those is left out.
        new_from = 8 * first - 7 if first else 0
        assert new_from <= splice.skipped
        assert splice.skipped + splice.new <= 8 * (last - 1) + 1


@given(FRAMES, st.integers(1, 18))
def test_a_source_is_extended_at_its_end(frames: int, seconds: int) -> None:
    splice = behind(frames, seconds)
    check(splice, frames)
    assert (splice.before, splice.new, splice.frames) == (frames, 24 * seconds, frames + 24 * seconds)
    assert splice.shown_from + splice.shown == frames
    # The model's first new frame follows the source's last one.
    assert splice.skipped == splice.shown
    assert splice.sound_begins == splice.shown_from / 24


@given(st.integers(8, 1500), st.integers(1, 18))
def test_a_source_is_extended_at_its_beginning(frames: int, seconds: int) -> None:
    splice = in_front(frames, seconds)
    check(splice, frames)
    assert (splice.after, splice.new) == (frames, 24 * seconds)
    # The first frame of the source that the model sees comes right after the last new one.
    assert splice.skipped + splice.new == 8 * splice.new_latents[1] - 7


@given(st.integers(1, 400), st.data())
def test_a_span_of_a_source_is_made_anew(frames: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, frames - 1))
    last = data.draw(st.integers(first + 1, min(frames, first + 360)))
    splice = between(frames, first, last)
    check(splice, frames)
    assert splice.before == first
    assert splice.new == splice.replaced
    assert last <= splice.before + splice.new < last + 8
    assert splice.frames == frames
    assert splice.shown_from == splice.before - splice.skipped >= 0


def test_the_model_sees_two_seconds_on_both_sides_of_a_span() -> None:
    splice = between(1000, 400, 424)
    assert splice.skipped == CONTEXT + 1
    assert splice.generated - splice.skipped - splice.new == CONTEXT


def test_a_retake_of_the_sound_keeps_every_frame_and_one_of_the_picture_every_sample() -> None:
    sound = between(240, 24, 48, picture=False)
    assert sound.keeps_picture
    assert sound.new_latents == (0, 0)
    picture = between(240, 24, 48, sound=False)
    assert picture.new_sound == (0, 0)


def test_the_span_of_the_reply_is_what_was_changed() -> None:
    assert between(49, 19, 31).changed == (0.792, 1.458)
    assert behind(48, 1).changed == (2.0, 3.0)


def test_what_is_not_within_a_source_is_refused() -> None:
    whole = {"picture": True, "sound": True}
    assert retaken(240, first=230, last=241, **whole).after == 0
    for first, last in ((230, 242), (240, 241)):
        with pytest.raises(WorkerError, match=r"within the video's 10.00 s"):
            retaken(240, first=first, last=last, **whole)
    with pytest.raises(WorkerError, match="third of a second"):
        extended(7, seconds=1, at_end=False)
    assert extended(1, seconds=1, at_end=True).frames == 25
