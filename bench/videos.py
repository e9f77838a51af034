"""Videos of a wanted size: noise, which H.264 cannot make small."""

import random
from fractions import Fraction
from itertools import count
from pathlib import Path

import av

WIDTH, HEIGHT = 1280, 720
#: Megabytes, up to which a video is compressed as far as can be.
SMALL = 5


def write_noise(path: Path, megabytes: float) -> Path:
    """Write an H.264 MP4 of at least this size; unlike the engine's, it has key frames only."""
    noise = random.Random(0)
    frames = [_frame(noise) for _ in range(4)]
    written = 0
    # No frame refers to another, so that four pictures in turn stay noise. A small video is compressed as far
    # as can be, or it would be a single frame.
    # Without a delay every frame is written, and counted, at once.
    crf = "1" if megabytes > SMALL else "51"
    options = {"crf": crf, "preset": "ultrafast", "g": "1", "tune": "zerolatency"}
    with av.open(str(path), "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=24, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in count():
            frame = frames[index % len(frames)]
            frame.pts, frame.time_base = index, Fraction(1, 24)
            for packet in stream.encode(frame):
                written += packet.size
                output.mux(packet)
            if written >= megabytes * 1_000_000:
                break
        output.mux(stream.encode(None))
    return path


def _frame(noise: random.Random) -> av.VideoFrame:
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    for plane in frame.planes:
        plane.update(noise.randbytes(plane.buffer_size))
    return frame
