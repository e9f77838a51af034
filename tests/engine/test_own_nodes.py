"""What the worker's own nodes make of tensors, in the engine's Python."""

import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ltx2_worker.engine import EngineOptions

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def outcome(engine_options: EngineOptions) -> Any:
    done = subprocess.run(
        [engine_options.python, "-m", "tests.engine.own_nodes", engine_options.comfyui_dir],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def test_the_same_depths_give_the_same_guide_however_many_pixels(outcome: Any) -> None:
    assert outcome["depth_guide"]["same"]


def test_a_depth_guide_is_grey_frames_near_white_far_black_and_sky_black(outcome: Any) -> None:
    guide = outcome["depth_guide"]
    assert guide["shape"] == [3, 400, 400, 3]
    assert guide["grey"]
    assert guide["range"] == [0.0, 1.0]
    assert (guide["nearest"], guide["farthest"], guide["sky"]) == (1.0, pytest.approx(0, abs=0.01), 0.0)


def test_a_depth_guide_shows_one_over_the_distance(outcome: Any) -> None:
    # Of a clip from 1 to 20 metres, but for the hundredth that is nearer and the hundredth that is farther.
    expected = (1 / 5 - 1 / 20) / (1 / 1 - 1 / 20)
    assert outcome["depth_guide"]["at five metres"][0] == pytest.approx(expected, rel=0.05)


def test_a_depth_guide_keeps_its_scale_when_something_comes_near(outcome: Any) -> None:
    before, *after = outcome["depth_guide"]["at five metres"]
    assert after == [before, before]


def test_a_clip_of_nothing_but_sky_is_a_black_guide(outcome: Any) -> None:
    assert outcome["sky_alone"]["brightest"] == 0.0


def test_windows_cover_every_frame_and_overlap_by_what_was_asked(outcome: Any) -> None:
    cuts = outcome["windows"]["cut"]
    assert cuts["1"] == [[0, 1]]
    assert cuts["7"] == [[0, 7]]
    assert cuts["8"] == [[0, 7], [4, 8]]
    for frames, parts in cuts.items():
        assert parts[0][0] == 0
        assert parts[-1][1] == int(frames)
        assert all(end - start <= 7 for start, end in parts)
        assert all(before[1] - after[0] == 3 for before, after in itertools.pairwise(parts))


def test_joined_windows_fade_from_one_into_the_other(outcome: Any) -> None:
    assert outcome["windows"]["joined"] == pytest.approx([0, 0, 0, 0, 0, 1 / 3, 2 / 3, 1, 1, 1, 1])
