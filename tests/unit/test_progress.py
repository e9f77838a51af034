"""Progress never goes back, and learns from what was measured."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ltx2_api.progress import Progress, Stage
from ltx2_worker.endpoint.terminal import Bar
from ltx2_worker.progress import ProgressTracker, StageSpeed

EXPECTED = {Stage.PREPARING: 1.0, Stage.SAMPLING: 10.0, Stage.REFINING: 6.0, Stage.DECODING: 3.0}


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_steps_move_the_percentage_within_their_stage() -> None:
    clock = Clock()
    tracker = ProgressTracker(EXPECTED, clock)
    tracker.enter(Stage.SAMPLING)
    clock.now += 4
    tracker.step(Stage.SAMPLING, 4, 8)
    progress = tracker.snapshot()
    assert (progress.percent, progress.step, progress.steps) == (30, 4, 8)
    assert progress.seconds_left == 4 + 6 + 3


def test_going_back_to_an_earlier_stage_is_not_shown() -> None:
    tracker = ProgressTracker(EXPECTED, Clock())
    assert tracker.enter(Stage.REFINING)
    assert not tracker.enter(Stage.LOADING)
    assert tracker.snapshot().stage is Stage.REFINING


def test_an_estimate_that_does_not_move_is_not_shown_any_longer() -> None:
    clock = Clock()
    bar = Bar(Console(file=io.StringIO()), clock)
    waiting = Progress(17, Stage.WAITING, None, None, 5)
    assert bar.text(waiting) == "waiting, about 5 s left"
    clock.now += 12
    assert bar.text(waiting) == "waiting, 12 s so far"
    assert bar.text(Progress(17, Stage.SAMPLING, 1, 8, 4)) == "sampling 1/8, about 4 s left"
    bar.close()


def test_steps_of_another_stage_are_old_news() -> None:
    tracker = ProgressTracker(EXPECTED, Clock())
    tracker.enter(Stage.REFINING)
    tracker.step(Stage.SAMPLING, 8, 8)
    assert tracker.snapshot().step is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(Stage)),
            st.integers(-1, 12),
            st.integers(-1, 12),
            st.floats(0, 50, allow_nan=False),
        ),
        max_size=40,
    )
)
def test_percent_never_goes_back_and_never_claims_the_end(
    events: list[tuple[Stage, int, int, float]],
) -> None:
    clock = Clock()
    tracker = ProgressTracker(EXPECTED, clock)
    shown = [tracker.snapshot().percent]
    for stage, value, steps, seconds in events:
        clock.now += seconds
        tracker.enter(stage)
        tracker.step(stage, value, steps)
        shown.append(tracker.snapshot().percent)
    assert shown == sorted(shown)
    assert 0 <= shown[0] <= shown[-1] <= 99


def test_timings_add_up_to_the_time_that_passed() -> None:
    clock = Clock()
    tracker = ProgressTracker(EXPECTED, clock)
    for stage in (Stage.SAMPLING, Stage.REFINING, Stage.DECODING):
        clock.now += 2.5
        tracker.enter(stage)
    clock.now += 1
    assert sum(tracker.finish().values()) == pytest.approx(8.5)


def test_a_slow_machine_is_expected_to_stay_slow() -> None:
    speed = StageSpeed()
    speed.learn(EXPECTED, {Stage.SAMPLING: 100.0})
    expected = speed.expected(EXPECTED)
    assert expected[Stage.SAMPLING] == pytest.approx(100)
    assert expected[Stage.REFINING] == pytest.approx(60)


def test_waiting_for_other_jobs_teaches_nothing() -> None:
    speed = StageSpeed()
    speed.learn({**EXPECTED, Stage.WAITING: 1.0}, {Stage.WAITING: 500.0})
    assert speed.expected(EXPECTED) == EXPECTED


def test_a_picture_of_the_emerging_video_is_posted_as_base64_and_left_out_otherwise() -> None:
    tracker = ProgressTracker(EXPECTED, Clock())
    assert "picture" not in tracker.snapshot().as_json()
    tracker.show(b"\xff\xd8jpeg")
    assert tracker.snapshot().as_json()["picture"] == "/9hqcGVn"


ENGINE_SECONDS = {
    Stage.PREPARING: 1.0,
    Stage.LOADING: 1.0,
    Stage.SAMPLING: 10.0,
    Stage.REFINING: 6.0,
    Stage.DECODING: 3.0,
    Stage.ENCODING: 2.0,
    Stage.DELIVERING: 5.0,
}


@pytest.mark.parametrize("stage", [Stage.PREPARING, Stage.WAITING, Stage.LOADING])
def test_nothing_is_known_of_the_engine_before_it_works_on_the_job(stage: Stage) -> None:
    tracker = ProgressTracker(ENGINE_SECONDS, Clock())
    tracker.enter(stage)
    assert tracker.engine_seconds_left() == float("inf")


def test_nothing_is_known_of_a_job_that_is_run_again_until_it_is_delivered() -> None:
    tracker = ProgressTracker(ENGINE_SECONDS, Clock())
    tracker.enter(Stage.ENCODING)
    tracker.run_again()
    assert tracker.engine_seconds_left() == float("inf")
    tracker.enter(Stage.DELIVERING)
    assert tracker.engine_seconds_left() == 0


@pytest.mark.parametrize("stage", [Stage.ENCODING, Stage.DELIVERING])
def test_the_engine_is_free_of_a_job_that_is_encoded_or_delivered(stage: Stage) -> None:
    tracker = ProgressTracker(ENGINE_SECONDS, Clock())
    tracker.enter(stage)
    tracker.step(stage, 1, 240)
    assert tracker.engine_seconds_left() == 0


def test_a_stage_counts_in_full_until_its_first_step_has_shown_how_fast_it_is() -> None:
    clock = Clock()
    tracker = ProgressTracker(ENGINE_SECONDS, clock)
    tracker.enter(Stage.SAMPLING)
    clock.now += 60  # weights are read
    assert tracker.engine_seconds_left() == 10 + 6 + 3
    tracker.step(Stage.SAMPLING, 1, 8)
    assert tracker.engine_seconds_left() == 60 * 7 + 6 + 3
    tracker.step(Stage.SAMPLING, 8, 8)
    assert tracker.engine_seconds_left() == 6 + 3


def test_a_stage_without_steps_counts_down() -> None:
    clock = Clock()
    tracker = ProgressTracker(ENGINE_SECONDS, clock)
    tracker.enter(Stage.DECODING)
    clock.now += 1
    assert tracker.engine_seconds_left() == 2
    clock.now += 100
    assert tracker.engine_seconds_left() == 0


def test_on_a_machine_that_was_not_measured_the_engine_is_expected_to_be_free_late() -> None:
    speed = StageSpeed()
    unmeasured = speed.tracker(ENGINE_SECONDS)
    speed.learn(ENGINE_SECONDS, ENGINE_SECONDS)
    measured = speed.tracker(ENGINE_SECONDS)
    for tracker in (unmeasured, measured):
        tracker.enter(Stage.SAMPLING)
    assert unmeasured.engine_seconds_left() > 2 * measured.engine_seconds_left()
