"""Every way beyond the plain job, made for real: the examples of docs/ways.md as previews, on one worker."""

import base64
import io
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from ltx2_api.reply import DryRunResult, VideoResult
from ltx2_worker.settings import Settings
from ltx2_worker.worker import Worker
from tests.ways import JOBS

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

RATE = 48_000


def picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (36, 64, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize((640, 360)).save(file, "PNG")
    return file.getvalue()


def tone(seconds: float = 4.0) -> "np.ndarray[Any, Any]":
    time = np.arange(round(seconds * RATE)) / RATE
    return np.stack([0.4 * np.sin(2 * np.pi * (300 + 40 * time) * time), 0.3 * np.sin(880 * time)]).astype(
        "f"
    )


def wav() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="wav") as container:
        stream = container.add_stream("pcm_f32le", rate=RATE, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(tone().T.reshape(1, -1)), "flt", "stereo")
        frame.sample_rate = RATE
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return file.getvalue()


#: What stands for a URL in an example, by how the field's name begins.
MEDIA = {"image": lambda: picture(1), "end_image": lambda: picture(2), "audio": wav}


def sent(job: Any) -> Any:
    """An example with files in place of its URLs."""
    if isinstance(job, list):
        return [sent(each) for each in job]
    if not isinstance(job, dict):
        return job
    return {
        f"{name.removesuffix('_url')}_base64" if name.endswith("_url") else name: base64.b64encode(
            MEDIA[name.removesuffix("_url")]()
        ).decode()
        if name.endswith("_url")
        else sent(value)
        for name, value in job.items()
    }


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    home = tmp_path_factory.mktemp("ways")
    settings = Settings(work_dir=home / "work", output_dir=home / "videos", offer=("all",), video_crf=12)
    worker = Worker(settings)
    worker.start()
    yield worker
    worker.stop()


def made(worker: Worker, job_id: str, job: dict[str, Any]) -> VideoResult:
    result = worker.run(worker.accept(job_id, job, worker.take_ticket()))
    assert isinstance(result, VideoResult)
    return result


def frames_of(result: VideoResult) -> int:
    with av.open(str(result.path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.parametrize("way", JOBS)
def test_the_example_of_a_way_can_be_made(worker: Worker, way: str) -> None:
    job = sent(JOBS[way]) | {"preview": True, "seed": 7}
    result = made(worker, f"example-{way}", job)
    assert frames_of(result) == result.frames
    assert (result.credits, result.preview) == (0, True)
    asked = worker.accept(f"plan-{way}", job | {"dry_run": True, "preview": False}, worker.take_ticket())
    plan = worker.run(asked)
    assert isinstance(plan, DryRunResult)
    assert way in plan.offers
    assert plan.credits > 0


def test_the_sound_that_was_sent_is_the_one_in_the_file(worker: Worker) -> None:
    job = sent(JOBS["audio_input"]) | {"preview": True, "seed": 8}
    result = made(worker, "sound", job)
    with av.open(str(result.path)) as container:
        track = container.streams.audio[0]
        assert (track.rate, track.channels) == (RATE, 2)
        heard = np.concatenate([frame.to_ndarray() for frame in container.decode(track)], axis=1)
    assert heard.shape[1] >= RATE
    given = tone()[:, round(2.5 * RATE) :][:, :RATE]
    # AAC is not exact; another sound, or this one a few samples late, is far off.
    middle = slice(RATE // 4, 3 * RATE // 4)
    assert np.abs(heard[:, middle] - given[:, middle]).mean() < 0.02
