"""A whole ten-second job, as a customer sends it; slow without a GPU, so on demand."""

import json
import sys
from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.platform.conftest import HANDLER
from tests.platform.worker_process import WorkerProcess


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.timeout(900)
def test_ten_seconds_at_720p_are_delivered_to_the_frame(tmp_path: Path) -> None:
    job = {"input": {"prompt": "A calm sea at dawn.", "resolution": "720p", "duration": 10, "seed": 1}}
    environment = {"LTX2_WORK_DIR": str(tmp_path / "work"), "LTX2_OUTPUT_DIR": str(tmp_path / "videos")}
    command = [sys.executable, str(HANDLER), "--test_input", json.dumps(job)]
    with WorkerProcess(command, environment, tmp_path) as worker:
        assert worker.wait_exit(800) == 0, worker.output
    (path,) = (tmp_path / "videos").glob("*.mp4")
    with av.open(str(path)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height, video.frames, video.average_rate) == (1280, 720, 240, Fraction(24))
        assert video.duration is not None
        assert video.time_base is not None
        assert video.duration * video.time_base == 10
        assert sound.duration is not None
        assert sound.time_base is not None
        assert abs(float(sound.duration * sound.time_base) - 10) <= 1 / 24
