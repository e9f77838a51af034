"""What a finished file is, by its index."""

import random
from fractions import Fraction
from pathlib import Path

import av
import pytest

from ltx2_api.errors import ErrorCode, WorkerError
from ltx2_worker.media.video import inspect


def as_the_engine(
    path: Path,
    *,
    size: tuple[int, int] = (256, 144),
    frames: int = 48,
    fps: int = 24,
    rate: int | None = 24_000,
) -> Path:
    """Write an MP4 with the calls that ComfyUI's SaveVideo makes."""
    noise = random.Random(1)
    with av.open(path, "w", format="mp4") as output:
        video = output.add_stream("h264", rate=Fraction(fps))
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        sound = output.add_stream("aac", rate=rate, layout="stereo") if rate else None
        for _ in range(frames):
            frame = av.VideoFrame(*size, "rgb24")
            plane = frame.planes[0]
            plane.update(noise.randbytes(plane.buffer_size))
            output.mux(video.encode(frame.reformat(format="yuv420p")))
        output.mux(video.encode(None))
        if sound is not None and rate:
            samples = av.AudioFrame("fltp", "stereo", rate * frames // fps)
            for channel in samples.planes:
                channel.update(bytes(channel.buffer_size))
            samples.sample_rate, samples.pts = rate, 0
            output.mux(sound.encode(samples))
            output.mux(sound.encode(None))
    return path


def test_the_index_tells_what_a_file_is(tmp_path: Path) -> None:
    source = as_the_engine(tmp_path / "engine.mp4", size=(320, 192), frames=72)
    facts = inspect(source)
    assert (facts.width, facts.height, facts.fps, facts.frames) == (320, 192, Fraction(24), 72)
    assert (facts.duration, facts.audio, facts.audio_duration) == (3.0, True, 3.0)
    assert (facts.codec, facts.pixel_format, facts.bytes) == ("h264", "yuv420p", source.stat().st_size)
    assert not facts.moov_first
    assert not inspect(as_the_engine(tmp_path / "silent.mp4", frames=2, rate=None)).audio


@pytest.mark.parametrize("keep", [0, 20, 4_000, -1])
def test_a_file_that_is_cut_is_refused(tmp_path: Path, keep: int) -> None:
    source = as_the_engine(tmp_path / "engine.mp4")
    source.write_bytes(source.read_bytes()[:keep])
    with pytest.raises(WorkerError) as caught:
        inspect(source)
    assert caught.value.code is ErrorCode.GENERATION_FAILED
    assert str(tmp_path) not in caught.value.message
