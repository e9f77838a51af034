"""What jobs of the ways bring, pictures, sounds and videos, and what can be seen and heard in a result."""

import base64
import io
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

#: Samples a second.
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


def video(
    seconds: float = 2.0, *, sound: bool = True, size: tuple[int, int] = (640, 360), rate: int = 24
) -> bytes:
    """A gradient that moves, with a tone."""
    width, height = size
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        track = container.add_stream("aac", rate=RATE, layout="stereo") if sound else None
        down, across = np.mgrid[0:height, 0:width]
        for number in range(round(rate * seconds)):
            red, green = (across + 4 * number) % 256, (down + 2 * number) % 256
            pixels = np.stack([red, green, np.full_like(red, 90)], axis=-1).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode(None))
        if track is not None:
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(tone(seconds)), "fltp", "stereo")
            frame.sample_rate, frame.pts = RATE, 0
            container.mux([*track.encode(frame), *track.encode(None)])
    return file.getvalue()


def coded(file: bytes) -> str:
    return base64.b64encode(file).decode()


#: What stands for a URL in an example, by how the field's name begins.
MEDIA = {"image": lambda: picture(1), "end_image": lambda: picture(2), "audio": wav, "video": video}


def sent(job: Any) -> Any:
    """An example with files in place of its URLs."""
    if isinstance(job, list):
        return [sent(each) for each in job]
    if not isinstance(job, dict):
        return job
    return {
        f"{name.removesuffix('_url')}_base64" if name.endswith("_url") else name: coded(
            MEDIA[name.removesuffix("_url")]()
        )
        if name.endswith("_url")
        else sent(value)
        for name, value in job.items()
    }


def pictures_of(source: bytes | Path) -> "np.ndarray[Any, Any]":
    """Every frame, as grey."""
    with av.open(io.BytesIO(source) if isinstance(source, bytes) else str(source), "r") as container:
        return np.stack([frame.to_ndarray(format="gray") for frame in container.decode(video=0)]).astype("f")


def sound_of(path: object) -> "np.ndarray[Any, Any]":
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
